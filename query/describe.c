#include "query/describe.h"

#include <stdio.h>

/* ---- Names ---- */

/* Whatever the spec says is made safe for a terminal. */
static void append_after(const char *words, struct iq_view text, struct iq_buf *out)
{
	(void)iq_buf_append_cstr(out, words);
	(void)iq_utf8_append_safe(out, text);
}

static void append_name(const struct iq_lifecycle *lifecycle, uint32_t symbol, struct iq_buf *out)
{
	(void)iq_utf8_append_safe(out, iq_lifecycle_name(lifecycle, symbol));
}

/* `a`, `a or b`, `a, b or c` of a set of flags by symbol. */
static void append_set(const struct iq_lifecycle *lifecycle, const bool *set, struct iq_buf *out)
{
	size_t left = 0;

	for (uint32_t i = 0; i < lifecycle->names.count; i++)
		left += set[i];
	for (uint32_t i = 0; i < lifecycle->names.count; i++) {
		if (!set[i])
			continue;
		append_name(lifecycle, i, out);
		left--;
		(void)iq_buf_append_cstr(out, left > 1 ? ", " : left == 1 ? " or " : "");
	}
}

/* ---- The order ---- */

static void append_expression(const struct iq_lifecycle *lifecycle, const struct iq_expression *expression, bool inside,
			      struct iq_buf *out);

static void append_parts(const struct iq_lifecycle *lifecycle, const struct iq_expression *expression,
			 struct iq_buf *out)
{
	static const char *const words[] = { [IQ_ORDER_SEQUENCE] = ", then ",
					     [IQ_ORDER_CHOICE] = " or ",
					     [IQ_ORDER_INTERLEAVE] = " interleaved with " };

	if (!expression->first)
		(void)iq_buf_append_cstr(out, "nothing");
	for (const struct iq_expression *part = expression->first; part; part = part->next) {
		append_expression(lifecycle, part, true, out);
		if (part->next)
			(void)iq_buf_append_cstr(out, words[expression->op]);
	}
}

static void append_count(const struct iq_expression *count, struct iq_buf *out)
{
	if (count->most == IQ_REPEAT_UNBOUNDED && count->least <= 1)
		(void)iq_buf_append_cstr(out, count->least ? "one or more " : "any number of ");
	else if (count->most == IQ_REPEAT_UNBOUNDED)
		(void)iq_buf_appendf(out, "%u or more ", count->least);
	else if (count->least == 0 && count->most == 1)
		(void)iq_buf_append_cstr(out, "perhaps ");
	else if (count->least == count->most)
		(void)iq_buf_appendf(out, "exactly %u ", count->least);
	else
		(void)iq_buf_appendf(out, "%u to %u ", count->least, count->most);
}

static void append_expression(const struct iq_lifecycle *lifecycle, const struct iq_expression *expression, bool inside,
			      struct iq_buf *out)
{
	bool brackets = inside && expression->op <= IQ_ORDER_INTERLEAVE && expression->first;

	if (expression->op == IQ_ORDER_NAME) {
		const uint64_t *symbol = iq_map_get(&lifecycle->names, expression->name);

		(void)iq_utf8_append_safe(out, expression->name);
		if (symbol && lifecycle->children[*symbol])
			(void)iq_buf_append_cstr(out, " (a lifecycle)");
		return;
	}
	if (expression->op == IQ_ORDER_COUNT) {
		append_count(expression, out);
		append_expression(lifecycle, expression->first, true, out);
		return;
	}
	(void)iq_buf_append_cstr(out, brackets ? "(" : "");
	append_parts(lifecycle, expression, out);
	(void)iq_buf_append_cstr(out, brackets ? ")" : "");
}

#define LINE "  %-11s "

static void append_order(const struct iq_lifecycle *lifecycle, struct iq_buf *out)
{
	const struct iq_expression *expression = lifecycle->rules[0].expression;
	unsigned step = 1;

	if (!expression) {
		(void)iq_buf_appendf(out, LINE "any\n", "order");
		return;
	}
	if (expression->op != IQ_ORDER_SEQUENCE || !expression->first) {
		(void)iq_buf_appendf(out, LINE, "order");
		append_expression(lifecycle, expression, false, out);
		(void)iq_buf_append_char(out, '\n');
		return;
	}
	for (const struct iq_expression *part = expression->first; part; part = part->next, step++) {
		(void)iq_buf_appendf(out, LINE "%u. ", step == 1 ? "order" : "", step);
		append_expression(lifecycle, part, false, out);
		(void)iq_buf_append_char(out, '\n');
	}
}

/* ---- The other rules ---- */

static void append_deadline(const struct iq_lifecycle *lifecycle, const struct iq_rule *rule, struct iq_buf *out)
{
	static const char *const sides[] = { "after", "before", "before or after" };
	const struct iq_deadline *deadline = rule->deadline;
	char time[IQ_RFC3339_SIZE];

	(void)iq_buf_append_cstr(out, deadline->forbidden ? "no " : "");
	append_set(lifecycle, deadline->to, out);
	if (deadline->count > 1)
		(void)iq_buf_appendf(out, ", for the %uth time,", deadline->count);
	(void)iq_buf_appendf(out, "%s within %s %s ", deadline->adjacent ? " as the next event" : "",
			     iq_duration_format(rule->limit_ns, time), sides[deadline->side]);
	if (!deadline->from) {
		(void)iq_buf_append_cstr(out, "its first event");
		return;
	}
	(void)iq_buf_append_cstr(out, "each ");
	append_set(lifecycle, deadline->from, out);
}

static void append_sequence(const struct iq_lifecycle *lifecycle, const struct iq_sequence *sequence,
			    struct iq_buf *out)
{
	bool ranged = !iq_view_eq(sequence->first.text, sequence->last.text);

	(void)iq_buf_append_cstr(out, "numbers in ");
	(void)iq_utf8_append_safe(out, sequence->first.text);
	if (ranged)
		append_after(" to ", sequence->last.text, out);
	(void)iq_buf_appendf(out, " go up by %lld", (long long)sequence->step);
	if (sequence->previous.text.data) {
		append_after(", ", sequence->previous.text, out);
		(void)iq_buf_append_cstr(out, " repeats the last one");
	}
	if (sequence->restart) {
		(void)iq_buf_append_cstr(out, ", and begin anew with ");
		append_set(lifecycle, sequence->restart, out);
	}
}

static void append_rule(const struct iq_lifecycle *lifecycle, const struct iq_rule *rule, struct iq_buf *out)
{
	static const char *const kinds[] = { [IQ_RULE_CONSTRAINT] = "constraint",
					     [IQ_RULE_WITHIN] = "within",
					     [IQ_RULE_IDLE] = "idle",
					     [IQ_RULE_TOTAL] = "total",
					     [IQ_RULE_SEQUENCE] = "sequence" };
	char time[IQ_RFC3339_SIZE];

	(void)iq_buf_appendf(out, LINE, kinds[rule->kind]);
	if (rule->deadline)
		append_deadline(lifecycle, rule, out);
	else if (rule->sequence)
		append_sequence(lifecycle, rule->sequence, out);
	else if (rule->kind == IQ_RULE_CONSTRAINT)
		(void)iq_utf8_append_safe(out, rule->words);
	else
		(void)iq_buf_appendf(out, "%s %s",
				     rule->kind == IQ_RULE_IDLE ? "no pause longer than" : "not longer than",
				     iq_duration_format(rule->limit_ns, time));
	if (rule->severity != IQ_SEVERITY_ERROR)
		(void)iq_buf_appendf(out, " (%s)", iq_severity_name(rule->severity));
	if (rule->message.data)
		append_after(": ", rule->message, out);
	(void)iq_buf_append_char(out, '\n');
}

/* ---- The whole ---- */

static void append_reading(const struct iq_lifecycle *lifecycle, struct iq_buf *out)
{
	(void)iq_buf_appendf(out, LINE, "reads");
	if (lifecycle->select)
		iq_condition_describe(lifecycle->select, out);
	else
		(void)iq_buf_append_cstr(out, "every event");
	(void)iq_buf_appendf(out, "\n" LINE "one for each ", "instance");
	for (size_t i = 0; i < lifecycle->key_count; i++)
		append_after(i ? " and " : "", lifecycle->key[i].text, out);
	(void)iq_buf_append_cstr(out, lifecycle->nested ? " in an instance of its parent\n" : "\n");
	for (size_t i = 0; i < lifecycle->alias_count; i++) {
		(void)iq_buf_appendf(out, LINE, i ? "" : "events");
		append_after("", lifecycle->aliases[i].name, out);
		(void)iq_buf_append_cstr(out, ": ");
		iq_condition_describe(lifecycle->aliases[i].condition, out);
		(void)iq_buf_append_char(out, '\n');
	}
}

static void append_ends(const struct iq_lifecycle *lifecycle, struct iq_buf *out)
{
	bool any = false;

	for (uint32_t i = 0; i < lifecycle->names.count; i++)
		any |= lifecycle->is_final[i];
	if (any) {
		(void)iq_buf_appendf(out, LINE, "final");
		append_set(lifecycle, lifecycle->is_final, out);
		(void)iq_buf_append_cstr(out, " ends it\n");
	}
	(void)iq_buf_appendf(out, LINE "%s\n", "other",
			     lifecycle->closed	      ? "events that are not named here are findings"
			     : lifecycle->unnamed_too ? "every event counts"
						      : "events that are not named here are ignored");
	if (lifecycle->ends_complete)
		(void)iq_buf_appendf(out, LINE "every session is taken as seen from its start to its end\n", "ends");
	if (lifecycle->expect.given && lifecycle->expect.most == INT64_MAX)
		(void)iq_buf_appendf(out, LINE "%llu or more instances\n", "expect",
				     (unsigned long long)lifecycle->expect.least);
	else if (lifecycle->expect.given)
		(void)iq_buf_appendf(out, LINE "%llu to %llu instances\n", "expect",
				     (unsigned long long)lifecycle->expect.least,
				     (unsigned long long)lifecycle->expect.most);
}

int iq_describe_lifecycle(const struct iq_lifecycle *lifecycle, struct iq_buf *out)
{
	append_after("", lifecycle->name, out);
	(void)iq_buf_append_char(out, '\n');
	append_reading(lifecycle, out);
	append_order(lifecycle, out);
	for (size_t i = 1; i < lifecycle->rule_count; i++)
		append_rule(lifecycle, &lifecycle->rules[i], out);
	append_ends(lifecycle, out);
	return out->failed ? IQ_ERR_NOMEM : 0;
}

/* ---- All lifecycles of a spec ---- */

static int describe_all(const struct iq_spec *spec, struct iq_buf *out)
{
	int rc = 0;

	for (const struct iq_lifecycle *at = spec->first; at && rc == 0; at = at->next) {
		(void)iq_buf_append_cstr(out, at == spec->first ? "" : "\n");
		rc = iq_describe_lifecycle(at, out);
	}
	return rc;
}

static int draw_all(const struct iq_spec *spec, enum iq_drawing drawing, struct iq_buf *out)
{
	size_t number = 0;
	int rc = 0;

	if (drawing == IQ_DRAWING_MERMAID)
		(void)iq_buf_append_cstr(out, "stateDiagram-v2\n\tdirection LR\n");
	for (const struct iq_lifecycle *at = spec->first; at && rc == 0; at = at->next)
		rc = iq_draw_lifecycle(at, drawing, &number, out);
	return rc;
}

static int draw_fenced(const struct iq_spec *spec, enum iq_drawing drawing, const char *language, struct iq_buf *out)
{
	int rc;

	(void)iq_buf_appendf(out, "\n```%s\n", language);
	rc = draw_all(spec, drawing, out);
	(void)iq_buf_append_cstr(out, "```\n");
	return rc;
}

int iq_spec_explain(const struct iq_spec *spec, enum iq_spec_format format, struct iq_buf *out, struct iq_error *error)
{
	int rc = 0;

	if (format == IQ_SPEC_DOT || format == IQ_SPEC_MERMAID)
		rc = draw_all(spec, format == IQ_SPEC_DOT ? IQ_DRAWING_DOT : IQ_DRAWING_MERMAID, out);
	else
		rc = describe_all(spec, out);
	if (rc == 0 && format == IQ_SPEC_ALL)
		rc = draw_fenced(spec, IQ_DRAWING_DOT, "dot", out);
	if (rc == 0 && format == IQ_SPEC_ALL)
		rc = draw_fenced(spec, IQ_DRAWING_MERMAID, "mermaid", out);
	return rc < 0 || out->failed ? iq_error_nomem(error) : 0;
}
