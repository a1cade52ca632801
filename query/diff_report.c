/* What changed, for a person and as JSON. */
#include <inttypes.h>

#include "query/diff.h"

/* Of each kind so many are told to a person; JSON has all. */
#define TOLD 15
/* Steps of a lifecycle that its funnel shows. */
#define FUNNEL 20

struct section {
	enum iq_change_kind kind;
	const char *title;
	const char *name; /* in JSON */
	void (*tell)(struct iq_buf *out, const struct iq_change *change);
};

/* ---- Text ---- */

static void append_p(struct iq_buf *out, const struct iq_change *change)
{
	if (change->p < 0.0001)
		(void)iq_buf_append_cstr(out, "p<0.0001");
	else
		(void)iq_buf_appendf(out, "p=%.2g", change->p);
	if (!change->certain)
		(void)iq_buf_append_cstr(out, ", may be chance");
}

static void append_share(struct iq_buf *out, const struct iq_change *change, int side)
{
	const double hits = (double)change->hits[side], all = (double)change->all[side];

	(void)iq_buf_appendf(out, "%" PRIu64 " of %" PRIu64 " (%.0f%%)", change->hits[side], change->all[side],
			     all > 0 ? 100 * hits / all : 0);
}

static void append_examples(struct iq_buf *out, const struct iq_diff_examples *examples)
{
	for (size_t i = 0; i < examples->count; i++) {
		(void)iq_buf_appendf(out, "%s%" PRIu64, i == 0 ? "; see " : ", ", examples->items[i].event);
		if (examples->items[i].session > 0)
			(void)iq_buf_appendf(out, " in s%" PRIu32, examples->items[i].session);
	}
}

static void tell_step(struct iq_buf *out, const struct iq_change *change)
{
	(void)iq_buf_appendf(out, "reached %s often: ", change->how);
	append_share(out, change, 0);
	(void)iq_buf_append_cstr(out, " -> ");
	append_share(out, change, 1);
}

static void tell_transition(struct iq_buf *out, const struct iq_change *change)
{
	const struct iq_rank_test *ranks = &change->ranks;
	char time[4][IQ_RFC3339_SIZE];

	(void)iq_buf_appendf(out, "%s: median %s -> %s, 95%% within %s -> %s, longer in %.0f of 100 pairs", change->how,
			     iq_duration_format(ranks->median[0], time[0]),
			     iq_duration_format(ranks->median[1], time[1]), iq_duration_format(ranks->high[0], time[2]),
			     iq_duration_format(ranks->high[1], time[3]), 100 * ranks->greater);
}

static void tell_signal(struct iq_buf *out, const struct iq_change *change)
{
	(void)iq_buf_appendf(out, "%s: %" PRIu64 " -> %" PRIu64, change->how, change->events[0], change->events[1]);
	if (change->hits[0] + change->hits[1] > 0)
		(void)iq_buf_appendf(out, ", in %" PRIu64 " -> %" PRIu64 " sessions", change->hits[0], change->hits[1]);
}

static void tell_failing(struct iq_buf *out, const struct iq_change *change)
{
	(void)iq_buf_append_cstr(out, "in ");
	append_share(out, change, 0);
	(void)iq_buf_append_cstr(out, " that fail, ");
	append_share(out, change, 1);
	(void)iq_buf_append_cstr(out, " of the others");
}

static const struct section sections[] = {
	{ IQ_CHANGE_STEP, "STEPS", "steps", tell_step },
	{ IQ_CHANGE_TRANSITION, "TIMES", "times", tell_transition },
	{ IQ_CHANGE_SIGNAL, "NEW, GONE, MORE, LESS", "signals", tell_signal },
	{ IQ_CHANGE_FAILING, "IN SESSIONS THAT FAIL", "failing", tell_failing },
};
#define SECTIONS (sizeof(sections) / sizeof(sections[0]))

static void append_change(struct iq_buf *out, const struct section *section, const struct iq_change *change)
{
	(void)iq_buf_append_cstr(out, change->certain ? "  " : "? ");
	(void)iq_utf8_append_safe(out, change->text);
	(void)iq_buf_append_cstr(out, "\n      ");
	section->tell(out, change);
	(void)iq_buf_append_cstr(out, " (");
	append_p(out, change);
	(void)iq_buf_append_char(out, ')');
	append_examples(out, &change->examples);
	(void)iq_buf_append_char(out, '\n');
}

static void append_section(struct iq_buf *out, const struct iq_diff *diff, const struct section *section)
{
	size_t count = 0;

	for (size_t i = 0; i < diff->change_count; i++) {
		if (diff->changes[i].kind != section->kind || ++count > TOLD)
			continue;
		if (count == 1)
			(void)iq_buf_appendf(out, "\n%s\n", section->title);
		append_change(out, section, &diff->changes[i]);
	}
	if (count > TOLD)
		(void)iq_buf_appendf(out, "  and %zu more\n", count - TOLD);
}

/* ---- Funnels: how many cases reach each step ---- */

static double percent(uint64_t hits, uint64_t all)
{
	return all > 0 ? 100 * (double)hits / (double)all : 0;
}

static void append_funnel_step(struct iq_buf *out, const struct iq_diff *diff, size_t number)
{
	uint64_t hits[2], all[2];
	const size_t start = out->len;

	for (int side = 0; side < 2; side++)
		iq_diff_count_cases(&diff->sides[side], &diff->step_facts[number], &hits[side], &all[side]);
	(void)iq_buf_append_cstr(out, "    ");
	(void)iq_utf8_append_safe(out, iq_utf8_cut(iq_diff_name(&diff->steps, number), 40));
	for (size_t width = out->len - start; width < 36; width++)
		(void)iq_buf_append_char(out, ' ');
	(void)iq_buf_appendf(out, "%8" PRIu64 " %4.0f%% %12" PRIu64 " %4.0f%%\n", hits[0], percent(hits[0], all[0]),
			     hits[1], percent(hits[1], all[1]));
}

static void append_funnel(struct iq_buf *out, const struct iq_diff *diff, size_t lifecycle)
{
	size_t told = 0;

	(void)iq_buf_append_cstr(out, "  ");
	(void)iq_utf8_append_safe(out, diff->lifecycles.entries[lifecycle].key);
	(void)iq_buf_append_char(out, '\n');
	for (size_t i = 0; i < diff->steps.count; i++)
		if (diff->step_facts[i].lifecycle == lifecycle && ++told <= FUNNEL)
			append_funnel_step(out, diff, i);
	if (told > FUNNEL)
		(void)iq_buf_appendf(out, "    and %zu more\n", told - FUNNEL);
}

static void append_funnels(struct iq_buf *out, const struct iq_diff *diff)
{
	if (diff->lifecycles.count > 0)
		(void)iq_buf_appendf(out, "\n%-35s %14s %18s\n", "REACHED", "base", "incident");
	for (size_t i = 0; i < diff->lifecycles.count; i++)
		append_funnel(out, diff, i);
}

static void append_side(struct iq_buf *out, const char *name, const char *title, const struct iq_diff_side *side)
{
	uint64_t open = 0;

	for (size_t i = 0; i < side->case_count; i++)
		open += side->cases[i].left_open;
	(void)iq_buf_appendf(out, "%-9s ", title);
	(void)iq_utf8_append_safe(out, iq_view_cstr(name));
	(void)iq_buf_appendf(out, ": %" PRIu64 " events, %" PRIu64 " sessions, %" PRIu64 " of them fail", side->events,
			     side->session_count, side->failing_count);
	if (open > 0)
		(void)iq_buf_appendf(out, "; %" PRIu64 " open at the capture's end and not counted", open);
	(void)iq_buf_append_cstr(out, side->limited ? "; more names than are counted\n" : "\n");
}

int iq_diff_text(const struct iq_diff *diff, const char *base, const char *incident, struct iq_buf *out)
{
	append_side(out, base, "BASE", &diff->sides[0]);
	append_side(out, incident, "INCIDENT", &diff->sides[1]);
	append_funnels(out, diff);
	for (size_t i = 0; i < SECTIONS; i++)
		append_section(out, diff, &sections[i]);
	if (diff->change_count == 0)
		(void)iq_buf_append_cstr(out, "\nnothing that can be told from chance has changed\n");
	return out->failed ? IQ_ERR_NOMEM : 0;
}

/* ---- JSON ---- */

static void append_pair(struct iq_buf *out, const char *name, const uint64_t values[2])
{
	(void)iq_buf_appendf(out, ",\"%s\":[%" PRIu64 ",%" PRIu64 "]", name, values[0], values[1]);
}

static void append_json_times(struct iq_buf *out, const struct iq_rank_test *ranks)
{
	(void)iq_buf_appendf(
		out, ",\"median_ns\":[%" PRId64 ",%" PRId64 "],\"p95_ns\":[%" PRId64 ",%" PRId64 "],\"longer\":%.6g",
		ranks->median[0], ranks->median[1], ranks->high[0], ranks->high[1], ranks->greater);
}

static void append_json_examples(struct iq_buf *out, const struct iq_diff_examples *examples)
{
	(void)iq_buf_append_cstr(out, ",\"examples\":[");
	for (size_t i = 0; i < examples->count; i++) {
		(void)iq_buf_appendf(out, "%s{\"event\":%" PRIu64, i > 0 ? "," : "", examples->items[i].event);
		if (examples->items[i].session > 0)
			(void)iq_buf_appendf(out, ",\"session\":\"s%" PRIu32 "\"", examples->items[i].session);
		(void)iq_buf_append_char(out, '}');
	}
	(void)iq_buf_append_char(out, ']');
}

static void append_json_change(struct iq_buf *out, const struct iq_change *change)
{
	(void)iq_buf_append_cstr(out, "{\"what\":");
	(void)iq_json_append_string(out, change->text);
	(void)iq_buf_appendf(out, ",\"change\":\"%s\",\"certain\":%s,\"worse\":%s,\"p\":%.6g,\"q\":%.6g", change->how,
			     change->certain ? "true" : "false", change->worse ? "true" : "false", change->p,
			     change->q);
	append_pair(out, "of", change->all);
	if (change->kind == IQ_CHANGE_TRANSITION)
		append_json_times(out, &change->ranks);
	else
		append_pair(out, "in", change->hits);
	if (change->kind == IQ_CHANGE_SIGNAL)
		append_pair(out, "events", change->events);
	append_json_examples(out, &change->examples);
	(void)iq_buf_append_char(out, '}');
}

static void append_json_section(struct iq_buf *out, const struct iq_diff *diff, const struct section *section)
{
	const char *joint = "\n  ";

	(void)iq_buf_appendf(out, ",\n \"%s\":[", section->name);
	for (size_t i = 0; i < diff->change_count; i++) {
		if (diff->changes[i].kind != section->kind)
			continue;
		(void)iq_buf_append_cstr(out, joint);
		append_json_change(out, &diff->changes[i]);
		joint = ",\n  ";
	}
	(void)iq_buf_append_char(out, ']');
}

static void append_json_funnels(struct iq_buf *out, const struct iq_diff *diff)
{
	(void)iq_buf_append_cstr(out, ",\n \"funnels\":[");
	for (size_t i = 0; i < diff->steps.count; i++) {
		const struct iq_diff_step *step = &diff->step_facts[i];
		uint64_t hits[2], all[2];

		for (int side = 0; side < 2; side++)
			iq_diff_count_cases(&diff->sides[side], step, &hits[side], &all[side]);
		(void)iq_buf_appendf(out, "%s\n  {\"lifecycle\":", i > 0 ? "," : "");
		(void)iq_json_append_string(out, diff->lifecycles.entries[step->lifecycle].key);
		(void)iq_buf_append_cstr(out, ",\"step\":");
		(void)iq_json_append_string(out, iq_diff_name(&diff->steps, i));
		append_pair(out, "of", all);
		append_pair(out, "in", hits);
		(void)iq_buf_append_char(out, '}');
	}
	(void)iq_buf_append_char(out, ']');
}

static void append_json_side(struct iq_buf *out, const char *key, const char *name, const struct iq_diff_side *side)
{
	(void)iq_buf_appendf(out, "\"%s\":{\"case\":", key);
	(void)iq_json_append_string(out, iq_view_cstr(name));
	(void)iq_buf_appendf(out,
			     ",\"events\":%" PRIu64 ",\"sessions\":%" PRIu64 ",\"failing\":%" PRIu64 ",\"limited\":%s}",
			     side->events, side->session_count, side->failing_count, side->limited ? "true" : "false");
}

int iq_diff_json(const struct iq_diff *diff, const char *base, const char *incident, struct iq_buf *out)
{
	(void)iq_buf_append_char(out, '{');
	append_json_side(out, "base", base, &diff->sides[0]);
	(void)iq_buf_append_cstr(out, ",\n ");
	append_json_side(out, "incident", incident, &diff->sides[1]);
	append_json_funnels(out, diff);
	for (size_t i = 0; i < SECTIONS; i++)
		append_json_section(out, diff, &sections[i]);
	(void)iq_buf_append_cstr(out, "\n}\n");
	return out->failed ? IQ_ERR_NOMEM : 0;
}
