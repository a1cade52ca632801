/* The screen: what was not recorded comes first, then what was covered, the verdicts, and findings of one shape as one
 * pattern. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "query/gap.h"
#include "query/report.h"
#include "query/report_shared.h"

/* Lines of one list before it says how many more there are. */
#define MAX_GAPS 8
#define MAX_PATTERNS 26
#define MAX_NAMES 12
/* Tenths of a second: what happened sooner has no common age but that of the beginning. */
#define SHORTEST_AGE 10

struct report {
	struct iq_store *store;
	const struct iq_check_result *result;
	const struct iq_report_options *options;
	struct iq_buf *out;
	struct iq_error *error;
};

/* One finding and whose it is. */
struct place {
	const struct iq_lifecycle_result *lifecycle;
	const struct iq_instance *instance;
	const struct iq_finding *finding;
};

struct pattern {
	struct place *places;
	size_t count;
	size_t capacity;
};

static const char *const colours[] = { "\033[32m", "\033[33m", "\033[31m" };

static void append(struct report *report, const char *text)
{
	(void)iq_buf_append_cstr(report->out, text);
}

static void append_verdict(struct report *report, enum iq_verdict verdict)
{
	append(report, report->options->colour ? colours[verdict] : "");
	append(report, iq_verdict_name(verdict));
	append(report, report->options->colour ? "\033[0m" : "");
}

static void append_time(struct report *report, int64_t ns)
{
	char text[IQ_RFC3339_SIZE];

	append(report, iq_time_format_short(ns, report->options->utc, text));
}

static void append_span(struct report *report, int64_t from, int64_t to)
{
	append_time(report, from);
	if (to != from) {
		append(report, "-");
		append_time(report, to);
	}
}

static void append_safe(struct report *report, struct iq_view text)
{
	(void)iq_utf8_append_safe(report->out, iq_utf8_cut(text, 120));
}

/* From `start` on, up to `column` with spaces; at least two. */
static void tab_to(struct report *report, size_t start, size_t column)
{
	size_t width = iq_utf8_width(iq_view_from(iq_buf_view(report->out), start));

	do {
		append(report, " ");
		width++;
	} while (width < column);
}

/* ---- NOT RECORDED ---- */

/* `start` is where the line begins. */
static void append_touched(struct report *report, const struct iq_gap *gap, size_t start)
{
	size_t count, touched = 0;
	const struct iq_session *sessions = iq_store_sessions(report->store, &count);

	for (size_t i = 0; i < count; i++) {
		if (!iq_gap_touches_session(report->store, gap, &sessions[i]))
			continue;
		if (touched == 0)
			tab_to(report, start, 78);
		if (touched < MAX_NAMES)
			(void)iq_buf_appendf(report->out, "%ss%u", touched ? " " : "touches ", sessions[i].no);
		touched++;
	}
	if (touched > MAX_NAMES)
		(void)iq_buf_appendf(report->out, " and %zu more", touched - MAX_NAMES);
}

static void append_gap(struct report *report, const struct iq_gap *gap)
{
	size_t start = report->out->len;

	append(report, "  ");
	if (gap->source.data)
		append_safe(report, gap->source);
	else
		append(report, "evidence");
	tab_to(report, start, 18);
	if (gap->ts_min != IQ_TIME_NONE && gap->ts_max != IQ_TIME_NONE) {
		append_span(report, gap->ts_min, gap->ts_max);
		append(report, " ");
	}
	append_safe(report, gap->reason);
	append(report, "  ");
	iq_report_append_place(report->out, report->store, gap->evidence, gap->offset, gap->bytes);
	append_touched(report, gap, start);
	append(report, "\n");
}

/* Was the session open when the capture began (or, with `ends`, when it ended)? */
static bool is_open_at(const struct iq_session *session, bool ends)
{
	return !(ends ? session->end_seen : session->start_seen);
}

static void append_open_sessions(struct report *report, const struct iq_source *source, bool ends)
{
	size_t count, open = 0, start = report->out->len;
	const struct iq_session *sessions = iq_store_sessions(report->store, &count);

	for (size_t i = 0; i < count; i++)
		open += iq_view_eq(sessions[i].source, source->name) && is_open_at(&sessions[i], ends);
	if (open == 0)
		return;
	append(report, "  ");
	append_safe(report, source->name);
	tab_to(report, start, 18);
	append(report, ends ? "stopped " : "began ");
	append_time(report, ends ? source->last : source->first);
	(void)iq_buf_appendf(report->out, " with %zu session%s open", open, open == 1 ? "" : "s");
	tab_to(report, start, 78);
	for (size_t i = 0, named = 0; i < count && named <= MAX_NAMES; i++) {
		if (!iq_view_eq(sessions[i].source, source->name) || !is_open_at(&sessions[i], ends))
			continue;
		if (named++ == MAX_NAMES)
			(void)iq_buf_appendf(report->out, " and %zu more", open - MAX_NAMES);
		else
			(void)iq_buf_appendf(report->out, "%ss%u", named == 1 ? "touches " : " ", sessions[i].no);
	}
	append(report, "\n");
}

/* Where a gap says that no event is missing in it, nothing is. */
static void append_gaps(struct report *report)
{
	size_t gap_count, told = 0;
	const struct iq_gap *gaps = iq_store_gaps(report->store, &gap_count);

	for (size_t i = 0; i < gap_count; i++)
		if (gaps[i].count != 0 && told++ < MAX_GAPS)
			append_gap(report, &gaps[i]);
	if (told > MAX_GAPS)
		(void)iq_buf_appendf(report->out, "  and %zu gaps more: inquest sql CASE 'SELECT * FROM gaps'\n",
				     told - MAX_GAPS);
}

static void append_not_recorded(struct report *report)
{
	size_t source_count, start;
	const struct iq_source *sources = iq_store_sources(report->store, &source_count);

	append(report, "NOT RECORDED\n");
	start = report->out->len;
	append_gaps(report);
	for (size_t i = 0; i < source_count; i++) {
		append_open_sessions(report, &sources[i], false);
		append_open_sessions(report, &sources[i], true);
	}
	if (report->out->len == start)
		append(report, "  nothing known to be missing\n");
}

static void append_covered(struct report *report)
{
	size_t sources, sessions;
	int64_t from, to;
	char date[IQ_RFC3339_SIZE];

	(void)iq_store_sources(report->store, &sources);
	(void)iq_store_sessions(report->store, &sessions);
	iq_report_coverage(report->store, &from, &to);
	append(report, "COVERED  ");
	if (from != IQ_TIME_NONE) {
		(void)iq_buf_appendf(report->out, "%.10s ", iq_time_format(from, date));
		append_span(report, from, to);
		append(report, report->options->utc ? " UTC, " : ", ");
	}
	(void)iq_buf_appendf(report->out, "%zu source%s, ", sources, sources == 1 ? "" : "s");
	iq_report_append_count(report->out, iq_store_event_count(report->store));
	append(report, " events, ");
	iq_report_append_count(report->out, sessions);
	append(report, sessions == 1 ? " session\n" : " sessions\n");
}

/* `CLOCKS   api +120ms`: whose times are compared as shifted. */
static void append_clocks(struct report *report)
{
	size_t count, start = report->out->len;
	const struct iq_source *sources = iq_store_sources(report->store, &count);

	for (size_t i = 0; i < count; i++) {
		const int64_t skew = sources[i].skew;

		if (skew == 0)
			continue;
		append(report, report->out->len == start ? "CLOCKS   " : ", ");
		append_safe(report, sources[i].name);
		(void)iq_buf_appendf(report->out, " %+.9gms", (double)skew / (double)IQ_NS_PER_MS);
	}
	if (report->out->len > start)
		append(report, " (compared as shifted; times are as recorded)\n");
}

/* ---- VERDICT ---- */

/* At the end of so many columns, or as far beyond as it needs. */
static void append_number(struct report *report, uint64_t number, size_t width)
{
	struct iq_buf text = IQ_BUF_INIT;

	iq_report_append_count(&text, number);
	(void)iq_buf_appendf(report->out, " %*s", (int)width - 1, text.data ? text.data : "");
	iq_buf_release(&text);
}

static void append_lifecycle(struct report *report, const struct iq_lifecycle_result *lifecycle)
{
	size_t start = report->out->len;

	append(report, "  ");
	append_safe(report, lifecycle->name);
	tab_to(report, start, 18);
	iq_report_append_count(report->out, lifecycle->total);
	append(report, lifecycle->total == 1 ? " instance" : " instances");
	tab_to(report, start, 36);
	append_number(report, lifecycle->violated, 9);
	append_number(report, lifecycle->undetermined, 14);
	append_number(report, lifecycle->ok, 7);
	if (lifecycle->reason.data) {
		append(report, "   ");
		append_verdict(report, lifecycle->verdict);
		append(report, ": ");
		append_safe(report, lifecycle->reason);
	}
	if (lifecycle->no_key) {
		append(report, "   no key: ");
		iq_report_append_count(report->out, lifecycle->no_key);
	}
	append(report, "\n");
}

static void append_name_count(struct report *report, const struct iq_name_count *name, size_t index)
{
	append(report, index ? ", " : "");
	append_safe(report, name->name);
	if (name->count)
		(void)iq_buf_appendf(report->out, " x%llu", (unsigned long long)name->count);
	if (name->nearest.data) {
		append(report, " (did you mean ");
		append_safe(report, name->nearest);
		append(report, "?)");
	}
}

/* Is this name in the list of an earlier lifecycle already? */
static bool listed_before(const struct iq_check_result *result, size_t lifecycle, bool never, struct iq_view name)
{
	for (size_t i = 0; i < lifecycle; i++) {
		const struct iq_lifecycle_result *earlier = &result->lifecycles[i];
		const struct iq_name_count *list = never ? earlier->never_seen : earlier->not_named;
		size_t count = never ? earlier->never_seen_count : earlier->not_named_count;

		for (size_t j = 0; j < count; j++)
			if (iq_view_eq(list[j].name, name))
				return true;
	}
	return false;
}

static void append_names(struct report *report, bool never)
{
	size_t named = 0;

	for (size_t i = 0; i < report->result->lifecycle_count; i++) {
		const struct iq_lifecycle_result *lifecycle = &report->result->lifecycles[i];
		const struct iq_name_count *list = never ? lifecycle->never_seen : lifecycle->not_named;
		size_t count = never ? lifecycle->never_seen_count : lifecycle->not_named_count;

		for (size_t j = 0; j < count; j++)
			if (!listed_before(report->result, i, never, list[j].name) && named < MAX_NAMES)
				append_name_count(report, &list[j], named++);
	}
	if (named == 0)
		append(report, "none");
}

/* Constraints that hold only because nothing that they speak of was seen. */
static void append_vacuous(struct report *report)
{
	size_t listed = 0;

	for (size_t i = 0; i < report->result->lifecycle_count; i++) {
		const struct iq_lifecycle_result *lifecycle = &report->result->lifecycles[i];

		for (size_t j = 0; j < lifecycle->vacuous_count; j++) {
			if (listed++ >= MAX_NAMES)
				continue;
			append(report, listed == 1 ? "  never put to the test: " : ", ");
			append_safe(report, lifecycle->vacuous[j]);
		}
	}
	if (listed > MAX_NAMES)
		(void)iq_buf_appendf(report->out, " and %zu more", listed - MAX_NAMES);
	append(report, listed ? "\n" : "");
}

static void append_verdicts(struct report *report)
{
	size_t start = report->out->len;

	append(report, "VERDICT: ");
	append(report, iq_verdict_name(report->result->verdict));
	tab_to(report, start, 37);
	append(report, "violated  undetermined     ok\n");
	if (report->options->colour) {
		struct iq_buf coloured = IQ_BUF_INIT;
		size_t name = start + 9, len = strlen(iq_verdict_name(report->result->verdict));

		(void)iq_buf_append(&coloured, iq_view_from(iq_buf_view(report->out), name + len));
		report->out->len = name;
		append_verdict(report, report->result->verdict);
		(void)iq_buf_append(report->out, iq_buf_view(&coloured));
		iq_buf_release(&coloured);
	}
	for (size_t i = 0; i < report->result->lifecycle_count; i++)
		append_lifecycle(report, &report->result->lifecycles[i]);
	if (report->result->lifecycle_count == 0) {
		append(report, "  ");
		append_safe(report, report->result->reason);
		append(report, "\n");
		return;
	}
	append(report, "  named, never seen: ");
	append_names(report, true);
	append(report, "    seen, not named: ");
	append_names(report, false);
	append(report, "\n");
	append_vacuous(report);
}

/* ---- Patterns ---- */

static int add_place(struct pattern *pattern, const struct place *place)
{
	if (IQ_ARRAY_GROW(pattern->places, pattern->capacity, pattern->count + 1) < 0)
		return IQ_ERR_NOMEM;
	pattern->places[pattern->count++] = *place;
	return 0;
}

static int add_to_pattern(struct iq_map *shapes, struct pattern **patterns, const struct place *place)
{
	struct iq_buf shape = IQ_BUF_INIT;
	struct pattern *grown;
	uint32_t index;
	int rc;

	(void)iq_buf_append(&shape, place->lifecycle->name);
	(void)iq_buf_appendf(&shape, "%c%d", 0, (int)place->finding->kind);
	(void)iq_buf_append(&shape, place->finding->message);
	rc = shape.failed ? IQ_ERR_NOMEM : iq_map_intern(shapes, iq_buf_view(&shape), &index);
	iq_buf_release(&shape);
	if (rc == 1) {
		grown = realloc(*patterns, ((size_t)index + 1) * sizeof(*grown));
		if (!grown)
			return IQ_ERR_NOMEM;
		*patterns = grown;
		grown[index] = (struct pattern){ 0 };
	}
	return rc < 0 ? rc : add_place(&(*patterns)[index], place);
}

static int collect_patterns(struct report *report, struct iq_map *shapes, struct pattern **patterns)
{
	int rc = 0;

	for (size_t i = 0; i < report->result->lifecycle_count; i++) {
		const struct iq_lifecycle_result *lifecycle = &report->result->lifecycles[i];

		for (size_t j = 0; j < lifecycle->instance_count; j++) {
			const struct iq_instance *instance = &lifecycle->instances[j];

			for (size_t k = 0; k < instance->finding_count && rc == 0; k++) {
				struct place place = { lifecycle, instance, &instance->findings[k] };

				rc = add_to_pattern(shapes, patterns, &place);
			}
		}
	}
	return rc;
}

/* The event that a finding is about, for its time and source. */
static const struct iq_step *anchor(const struct iq_finding *finding)
{
	return finding->moved.id ? &finding->moved : finding->after.id ? &finding->after : &finding->instead;
}

/* How old its session was at the finding, in tenths of a second; -1 where that is not known. */
static int64_t age_at(const struct report *report, const struct place *place)
{
	const struct iq_step *step = anchor(place->finding);
	const struct iq_session *session =
		step->session_no ? iq_store_find_session(report->store, step->session_no) : NULL;

	if (!session || !session->start_seen || step->ts == IQ_TIME_NONE || session->started == IQ_TIME_NONE ||
	    step->ts < session->started)
		return -1;
	return (step->ts - session->started + 50 * IQ_NS_PER_MS) / (100 * IQ_NS_PER_MS);
}

static int compare_ages(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* The age that most of them have. */
static int64_t commonest_age(int64_t *ages, size_t count, size_t *ret_often)
{
	int64_t commonest = -1;
	size_t from = 0;

	*ret_often = 0;
	qsort(ages, count, sizeof(*ages), compare_ages);
	for (size_t i = 1; i <= count; i++) {
		if (i < count && ages[i] == ages[from])
			continue;
		if (ages[from] >= 0 && i - from > *ret_often) {
			*ret_often = i - from;
			commonest = ages[from];
		}
		from = i;
	}
	return commonest;
}

/* `11 of 14 at age 300.0 s`: a time-out somewhere on the way. Fewer than three, or than half, say nothing. */
static void append_age(struct report *report, const struct pattern *pattern)
{
	int64_t *ages = malloc((pattern->count + 1) * sizeof(*ages));
	size_t often;
	int64_t age;

	if (!ages) {
		report->out->failed = true;
		return;
	}
	for (size_t i = 0; i < pattern->count; i++)
		ages[i] = age_at(report, &pattern->places[i]);
	age = commonest_age(ages, pattern->count, &often);
	free(ages);
	if (often >= 3 && often * 2 >= pattern->count && age >= SHORTEST_AGE)
		(void)iq_buf_appendf(report->out, ", %zu of %zu at age %lld.%lld s", often, pattern->count,
				     (long long)(age / 10), (long long)(age % 10));
}

/* The event that all of them follow. */
static void append_common_predecessor(struct report *report, const struct pattern *pattern)
{
	struct iq_view type = pattern->places[0].finding->after.type;

	for (size_t i = 0; i < pattern->count; i++)
		if (!iq_view_eq(pattern->places[i].finding->after.type, type))
			return;
	if (pattern->count < 2 || !type.data || iq_view_find(pattern->places[0].finding->message, type) != SIZE_MAX)
		return;
	append(report, ", all after ");
	append_safe(report, type);
}

/* What lies around them in the store. Of one finding the events themselves are shown. */
static int append_surroundings(struct report *report, const struct pattern *pattern)
{
	const struct iq_step *steps[IQ_REPORT_SHARED_MAX], *dated[IQ_REPORT_SHARED_MAX];
	size_t count = 0, dated_count = 0;
	int rc = 0;

	for (size_t i = 0; i < pattern->count && i < IQ_REPORT_SHARED_MAX; i++) {
		const struct iq_step *step = anchor(pattern->places[i].finding);

		if (step->kind == IQ_KIND_NET_ERROR && step->session_no && !pattern->places[i].finding->after.id)
			steps[count++] = step;
		if (step->kind != IQ_KIND_CONTAINER && step->ts != IQ_TIME_NONE)
			dated[dated_count++] = step;
	}
	if (count > 1)
		rc = iq_report_append_last(report->store, steps, count, report->out, report->error);
	if (rc == 0 && dated_count > 1)
		rc = iq_report_append_container(report->store, dated, dated_count, report->out, report->error);
	return rc;
}

static int append_shared(struct report *report, const struct pattern *pattern)
{
	const struct iq_step *first = anchor(pattern->places[0].finding);
	int64_t from = INT64_MAX, to = IQ_TIME_NONE;
	bool one_source = true;

	for (size_t i = 0; i < pattern->count; i++) {
		const struct iq_step *step = anchor(pattern->places[i].finding);

		if (step->ts != IQ_TIME_NONE && step->ts < from)
			from = step->ts;
		if (step->ts > to)
			to = step->ts;
		one_source &= iq_view_eq(step->source, first->source);
	}
	if (to != IQ_TIME_NONE)
		append_span(report, from, to);
	if (one_source && first->source.data) {
		append(report, pattern->count > 1 ? ", all on " : ", on ");
		append_safe(report, first->source);
	}
	append_common_predecessor(report, pattern);
	append_age(report, pattern);
	return append_surroundings(report, pattern);
}

static void append_step(struct report *report, const char *label, const struct iq_step *step)
{
	size_t start = report->out->len;

	if (!step->id)
		return;
	(void)iq_buf_appendf(report->out, "   %-8s %6llu  ", label, (unsigned long long)step->id);
	append_time(report, step->ts);
	append(report, "  ");
	iq_report_append_what(report->out, step->kind, step->type);
	tab_to(report, start, 58);
	iq_report_append_place(report->out, report->store, step->evidence, step->offset, step->length);
	append(report, "\n");
}

static int append_nearby(struct report *report, const struct iq_step *step)
{
	struct iq_filter filter = IQ_FILTER_INIT;
	struct iq_event event;
	struct iq_cursor *cursor;
	struct iq_buf nearest = IQ_BUF_INIT;
	int64_t distance = IQ_REPORT_NEARBY_NS + 1;
	const int64_t span = iq_store_skew_span(report->store);
	const int64_t step_at = iq_store_align(report->store, step->source, step->ts);
	int rc;

	if (step->ts == IQ_TIME_NONE)
		return 0;
	filter.ts_min = step->ts - IQ_REPORT_NEARBY_NS - span;
	filter.ts_max = step->ts + IQ_REPORT_NEARBY_NS + span;
	filter.kinds = 1u << IQ_KIND_LOG | 1u << IQ_KIND_CONTAINER;
	rc = iq_cursor_open(report->store, &filter, &cursor, report->error);
	if (rc < 0)
		return rc;
	while ((rc = iq_cursor_next(cursor, &event, report->error)) > 0) {
		const int64_t at = iq_store_align(report->store, event.source, event.ts);
		const int64_t apart = at > step_at ? at - step_at : step_at - at;
		char text[IQ_RFC3339_SIZE];

		if (event.id == step->id || apart >= distance ||
		    (event.severity < IQ_SEVERITY_WARNING && event.kind == IQ_KIND_LOG))
			continue;
		distance = apart;
		iq_buf_clear(&nearest);
		(void)iq_buf_appendf(&nearest, "   nearby   %6llu  %s  ", (unsigned long long)event.id,
				     iq_time_format_short(event.ts, report->options->utc, text));
		(void)iq_utf8_append_safe(&nearest, iq_utf8_cut(event.source, 40));
		(void)iq_buf_append_cstr(&nearest, ": ");
		(void)iq_utf8_append_safe(&nearest, iq_utf8_cut(event.body, 90));
		(void)iq_buf_appendf(&nearest, "%s (%s %s)\n", event.body.len > 90 ? "..." : "",
				     iq_duration_format(apart, text), at > step_at ? "later" : "before");
	}
	iq_cursor_close(cursor);
	(void)iq_buf_append(report->out, iq_buf_view(&nearest));
	iq_buf_release(&nearest);
	return rc;
}

static void append_owner(struct report *report, const struct place *place)
{
	append(report, "   ");
	for (size_t i = 0; i < place->instance->session_count && i < 3; i++)
		(void)iq_buf_appendf(report->out, "s%u ", place->instance->sessions[i]);
	append_safe(report, place->lifecycle->name);
	append(report, " ");
	append_safe(report, place->instance->key);
	append(report, "\n");
}

static void append_also(struct report *report, const struct pattern *pattern)
{
	uint32_t last = pattern->places[0].instance->session_count ? pattern->places[0].instance->sessions[0] : 0;
	size_t named = 0;

	for (size_t i = 1; i < pattern->count && named < MAX_NAMES; i++) {
		const struct iq_instance *instance = pattern->places[i].instance;

		append(report, named++ ? ", " : "   also     ");
		if (instance->session_count && instance->sessions[0] != last)
			(void)iq_buf_appendf(report->out, "s%u ", instance->sessions[0]);
		last = instance->session_count ? instance->sessions[0] : last;
		append_safe(report, instance->key);
	}
	if (pattern->count > MAX_NAMES + 1)
		(void)iq_buf_appendf(report->out, " and %zu more", pattern->count - 1 - MAX_NAMES);
	append(report, pattern->count > 1 ? "\n" : "");
}

/* An order says itself what was expected; other rules are shown. */
static void append_rule(struct report *report, const struct iq_finding *finding)
{
	const char *severity = finding->severity ? iq_severity_name(finding->severity) : NULL;

	if (!finding->rule.data || iq_view_find(finding->rule, IQ_LIT("(")) == 0)
		return;
	if (finding->kind != IQ_FINDING_LATE && finding->kind != IQ_FINDING_SEQUENCE_GAP &&
	    finding->severity >= IQ_SEVERITY_ERROR)
		return;
	append(report, "   rule     ");
	append_safe(report, finding->rule);
	if (severity && finding->severity < IQ_SEVERITY_ERROR)
		(void)iq_buf_appendf(report->out, " (%s)", severity);
	append(report, "\n");
}

static int append_pattern(struct report *report, const struct pattern *pattern, size_t index)
{
	const struct place *first = &pattern->places[0];
	size_t start = report->out->len + 1;
	int rc;

	(void)iq_buf_appendf(report->out, "\n%c  %zux ", (char)('A' + index), pattern->count);
	append(report, first->finding->kind == IQ_FINDING_OUT_OF_ORDER ? "out of order: " : "");
	append_safe(report, first->finding->message);
	tab_to(report, start, 56);
	rc = append_shared(report, pattern);
	append(report, "\n");
	append_owner(report, first);
	append_rule(report, first->finding);
	append_step(report, "event", &first->finding->moved);
	append_step(report, "after", &first->finding->after);
	append_step(report, "instead", &first->finding->instead);
	if (first->finding->repair.data) {
		append(report, "   repair   ");
		append_safe(report, first->finding->repair);
		append(report, "\n");
	}
	if (rc == 0)
		rc = append_nearby(report, anchor(first->finding));
	append_also(report, pattern);
	return rc;
}

static int append_patterns(struct report *report)
{
	struct iq_map shapes = IQ_MAP_INIT;
	struct pattern *patterns = NULL;
	int rc = collect_patterns(report, &shapes, &patterns);

	for (size_t i = 0; i < shapes.count && i < MAX_PATTERNS && rc == 0; i++)
		rc = append_pattern(report, &patterns[i], i);
	if (shapes.count > MAX_PATTERNS)
		(void)iq_buf_appendf(report->out, "\nand %zu patterns more: --format json lists every finding\n",
				     shapes.count - MAX_PATTERNS);
	for (size_t i = 0; i < shapes.count; i++)
		free(patterns[i].places);
	free(patterns);
	iq_map_release(&shapes);
	return rc;
}

/* ---- Undetermined ---- */

/* Instances that are undetermined for one reason, in one line. */
static void append_reason(struct report *report, struct iq_view reason, uint64_t count)
{
	size_t named = 0, start = report->out->len;

	append(report, "   ");
	append_safe(report, reason);
	append(report, ":");
	tab_to(report, start, 12);
	for (size_t i = 0; i < report->result->lifecycle_count; i++) {
		const struct iq_lifecycle_result *lifecycle = &report->result->lifecycles[i];

		for (size_t j = 0; j < lifecycle->instance_count && named < MAX_NAMES; j++) {
			const struct iq_instance *instance = &lifecycle->instances[j];

			if (!instance->reason.data || !iq_view_eq(instance->reason, reason))
				continue;
			append(report, named++ > 0 ? ", " : "");
			if (instance->session_count)
				(void)iq_buf_appendf(report->out, "s%u ", instance->sessions[0]);
			append_safe(report, lifecycle->name);
			append(report, " ");
			append_safe(report, instance->key);
		}
	}
	if (count > named)
		(void)iq_buf_appendf(report->out, " and %" PRIu64 " more", count - named);
	append(report, "\n");
}

/* The reasons of all lifecycles, each with how many instances it has. */
static int add_reasons(struct iq_map *reasons, const struct iq_lifecycle_result *lifecycle)
{
	uint32_t index;
	int rc = 0;

	for (size_t i = 0; i < lifecycle->reason_count && rc >= 0; i++) {
		rc = iq_map_intern(reasons, lifecycle->reasons[i].name, &index);
		if (rc >= 0)
			reasons->entries[index].value =
				lifecycle->reasons[i].count + (rc == 1 ? 0 : reasons->entries[index].value);
	}
	return rc;
}

static int append_undetermined(struct report *report)
{
	struct iq_map reasons = IQ_MAP_INIT;
	int rc = 0;

	for (size_t i = 0; i < report->result->lifecycle_count && rc >= 0; i++)
		rc = add_reasons(&reasons, &report->result->lifecycles[i]);
	append(report, reasons.count ? "\n?  undetermined\n" : "");
	for (size_t i = 0; i < reasons.count && i < MAX_GAPS; i++)
		append_reason(report, reasons.entries[i].key, reasons.entries[i].value);
	if (reasons.count > MAX_GAPS)
		(void)iq_buf_appendf(report->out, "   and %zu reasons more: --format json lists them\n",
				     reasons.count - MAX_GAPS);
	iq_map_release(&reasons);
	return rc < 0 ? rc : 0;
}

int iq_report_text(struct iq_store *store, const struct iq_check_result *result,
		   const struct iq_report_options *options, struct iq_buf *out, struct iq_error *error)
{
	struct report report = { store, result, options, out, error };
	int rc;

	append_not_recorded(&report);
	append_covered(&report);
	append_clocks(&report);
	append(&report, "\n");
	append_verdicts(&report);
	rc = append_patterns(&report);
	if (rc == 0)
		rc = append_undetermined(&report);
	if (rc == IQ_ERR_NOMEM || out->failed)
		return iq_error_nomem(error);
	return rc;
}
