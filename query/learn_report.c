/* What a draft accepts of what it was learned from, and what it rejects of the rest. */
#include <inttypes.h>
#include <stdlib.h>

#include "query/query.h"

#define SESSIONS_SHOWN 8
#define PATTERNS_SHOWN 20

struct reporting {
	struct iq_store *store;
	const struct iq_draft *draft;
	const struct iq_check_result *result;
	struct iq_buf *out;
	struct iq_draft_coverage coverage;
};

static bool is_chosen(const struct iq_draft *draft, uint32_t session)
{
	for (size_t low = 0, high = draft->session_count; low < high;) {
		const size_t middle = low + (high - low) / 2;

		if (draft->sessions[middle] == session)
			return true;
		if (draft->sessions[middle] < session)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/* Did all of the instance happen in sessions that were learned from? Where there are none, all were. */
static bool is_learned_from(const struct iq_draft *draft, const struct iq_instance *instance)
{
	for (size_t i = 0; i < instance->session_count; i++)
		if (!is_chosen(draft, instance->sessions[i]))
			return false;
	return instance->session_count > 0 || draft->session_count == 0;
}

/* ---- Who was chosen ---- */

static void append_sessions(struct iq_buf *out, const uint32_t *sessions, size_t count)
{
	for (size_t i = 0; i < count && i < SESSIONS_SHOWN; i++)
		(void)iq_buf_appendf(out, " s%" PRIu32, sessions[i]);
	if (count > SESSIONS_SHOWN)
		(void)iq_buf_appendf(out, " and %zu more", count - SESSIONS_SHOWN);
}

static void write_chosen(struct reporting *reporting)
{
	const struct iq_draft *draft = reporting->draft;
	const struct {
		uint64_t count;
		const char *what;
	} left_out[] = { { draft->cut, "cut" },
			 { draft->refused, "refused" },
			 { draft->open, "open or begun before" },
			 { draft->faulty, "named by an error" },
			 { draft->others, "not asked for" } };
	const char *joint = "\nleft out: ";
	size_t all;

	(void)iq_store_sessions(reporting->store, &all);
	(void)iq_buf_appendf(reporting->out, "LEARNED from %zu of %zu sessions:", draft->session_count, all);
	append_sessions(reporting->out, draft->sessions, draft->session_count);
	for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++) {
		if (left_out[i].count == 0)
			continue;
		(void)iq_buf_appendf(reporting->out, "%s%" PRIu64 " %s", joint, left_out[i].count, left_out[i].what);
		joint = ", ";
	}
	if (draft->noise > 0)
		(void)iq_buf_appendf(
			reporting->out,
			"\nnot learned from: %" PRIu64 " %s nearly no other does (--noise 0 learns from all)",
			draft->noise, draft->noise == 1 ? "instance that does what" : "instances that do what");
	(void)iq_buf_append_cstr(reporting->out,
				 draft->limited ? "\nonly the first 1048576 events were read\n\n" : "\n\n");
}

/* ---- Counts ---- */

struct counts {
	uint64_t learned, accepted;	       /* of what it was learned from */
	uint64_t rest, rejected, undetermined; /* of the rest */
};

static struct counts count_instances(const struct reporting *reporting, const struct iq_lifecycle_result *lifecycle)
{
	struct counts counts = { 0 };

	for (size_t i = 0; i < lifecycle->instance_count; i++) {
		const struct iq_instance *instance = &lifecycle->instances[i];
		const bool violated = instance->verdict == IQ_VERDICT_VIOLATED;

		if (is_learned_from(reporting->draft, instance)) {
			counts.learned++;
			counts.accepted += !violated;
		} else {
			counts.rest++;
			counts.rejected += violated;
			counts.undetermined += instance->verdict == IQ_VERDICT_UNDETERMINED;
		}
	}
	return counts;
}

static void write_counts(struct reporting *reporting)
{
	(void)iq_buf_appendf(reporting->out, "%-20s %10s  %14s %10s %14s\n", "COVERAGE", "accepts", "of the rest: ok",
			     "rejects", "undetermined");
	for (size_t i = 0; i < reporting->result->lifecycle_count; i++) {
		const struct iq_lifecycle_result *lifecycle = &reporting->result->lifecycles[i];
		const struct counts counts = count_instances(reporting, lifecycle);
		struct iq_buf share = IQ_BUF_INIT;

		reporting->coverage.learned += counts.learned;
		reporting->coverage.accepted += counts.accepted;
		reporting->coverage.rest += counts.rest;
		reporting->coverage.rejected += counts.rejected;
		(void)iq_buf_appendf(&share, "%" PRIu64 " of %" PRIu64, counts.accepted, counts.learned);
		(void)iq_buf_appendf(reporting->out, "  %-18.*s %10s  %15" PRIu64 " %10" PRIu64 " %14" PRIu64 "\n",
				     IQ_VIEW_ARG(lifecycle->name), share.data ? share.data : "",
				     counts.rest - counts.rejected - counts.undetermined, counts.rejected,
				     counts.undetermined);
		iq_buf_release(&share);
	}
}

/* ---- What is rejected ---- */

struct pattern {
	struct iq_view lifecycle;
	struct iq_view message;
	uint64_t count;
	uint32_t sessions[SESSIONS_SHOWN];
	size_t session_count;
};

static void note_session(struct pattern *pattern, const struct iq_instance *instance)
{
	const size_t known = pattern->session_count;

	pattern->count++;
	if (instance->session_count > 0 && known < SESSIONS_SHOWN &&
	    (known == 0 || pattern->sessions[known - 1] != instance->sessions[0]))
		pattern->sessions[pattern->session_count++] = instance->sessions[0];
}

static int by_count(const void *a, const void *b)
{
	const struct pattern *x = a, *y = b;

	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return iq_view_cmp(x->message, y->message);
}

struct patterns {
	struct iq_map known;
	struct pattern *items;
	size_t capacity;
	struct iq_buf key;
};

static int add_finding(struct patterns *patterns, const struct iq_lifecycle_result *lifecycle,
		       const struct iq_instance *instance, const struct iq_finding *finding)
{
	uint32_t index;
	int rc;

	iq_buf_clear(&patterns->key);
	(void)iq_buf_append(&patterns->key, lifecycle->name);
	(void)iq_buf_append_char(&patterns->key, '\n');
	(void)iq_buf_append(&patterns->key, finding->message);
	rc = patterns->key.failed ? IQ_ERR_NOMEM : iq_map_intern(&patterns->known, iq_buf_view(&patterns->key), &index);
	if (rc < 0 || IQ_ARRAY_GROW(patterns->items, patterns->capacity, (size_t)index + 1) < 0)
		return IQ_ERR_NOMEM;
	if (rc == 1)
		patterns->items[index] = (struct pattern){ .lifecycle = lifecycle->name, .message = finding->message };
	note_session(&patterns->items[index], instance);
	return 0;
}

static int find_patterns(const struct reporting *reporting, struct patterns *patterns)
{
	int rc = 0;

	for (size_t i = 0; i < reporting->result->lifecycle_count; i++) {
		const struct iq_lifecycle_result *lifecycle = &reporting->result->lifecycles[i];

		for (size_t j = 0; j < lifecycle->instance_count; j++) {
			const struct iq_instance *instance = &lifecycle->instances[j];

			for (size_t k = 0; k < instance->finding_count && rc == 0; k++)
				if (instance->verdict == IQ_VERDICT_VIOLATED)
					rc = add_finding(patterns, lifecycle, instance, &instance->findings[k]);
		}
	}
	return rc;
}

static void write_patterns(struct reporting *reporting, struct patterns *patterns)
{
	const size_t count = patterns->known.count;

	if (count == 0)
		return;
	qsort(patterns->items, count, sizeof(*patterns->items), by_count);
	(void)iq_buf_append_cstr(reporting->out, "\nREJECTED\n");
	for (size_t i = 0; i < count && i < PATTERNS_SHOWN; i++) {
		const struct pattern *pattern = &patterns->items[i];

		(void)iq_buf_appendf(reporting->out, "  %" PRIu64 "x %.*s: ", pattern->count,
				     IQ_VIEW_ARG(pattern->lifecycle));
		(void)iq_utf8_append_safe(reporting->out, pattern->message);
		(void)iq_buf_append_cstr(reporting->out, "  ");
		append_sessions(reporting->out, pattern->sessions, pattern->session_count);
		(void)iq_buf_append_cstr(reporting->out, pattern->count > pattern->session_count ? " ...\n" : "\n");
	}
	if (count > PATTERNS_SHOWN)
		(void)iq_buf_appendf(reporting->out, "  and %zu other patterns\n", count - PATTERNS_SHOWN);
}

static int write_rejected(struct reporting *reporting)
{
	struct patterns patterns = { .known = IQ_MAP_INIT };
	int rc = find_patterns(reporting, &patterns);

	if (rc == 0)
		write_patterns(reporting, &patterns);
	iq_map_release(&patterns.known);
	iq_buf_release(&patterns.key);
	free(patterns.items);
	return rc;
}

/* ---- Types that no lifecycle names ---- */

static int write_not_named(struct reporting *reporting)
{
	struct iq_map told = IQ_MAP_INIT;
	const char *joint = "\nNOT COVERED  ";
	int rc = 0;

	for (size_t i = 0; i < reporting->result->lifecycle_count; i++) {
		const struct iq_lifecycle_result *lifecycle = &reporting->result->lifecycles[i];

		for (size_t j = 0; j < lifecycle->not_named_count && rc >= 0; j++) {
			const struct iq_name_count *one = &lifecycle->not_named[j];
			uint32_t ignored;

			rc = iq_map_intern(&told, one->name, &ignored);
			if (rc != 1)
				continue;
			(void)iq_buf_append_cstr(reporting->out, joint);
			(void)iq_utf8_append_safe(reporting->out, one->name);
			(void)iq_buf_appendf(reporting->out, " x%" PRIu64, one->count);
			joint = ", ";
		}
	}
	if (told.count > 0)
		(void)iq_buf_append_char(reporting->out, '\n');
	iq_map_release(&told);
	return rc < 0 ? rc : 0;
}

int iq_draft_report(struct iq_store *store, const struct iq_draft *draft, struct iq_buf *out,
		    struct iq_draft_coverage *ret_coverage, struct iq_error *error)
{
	struct reporting reporting = { .store = store, .draft = draft, .result = &draft->result, .out = out };
	int rc;

	write_chosen(&reporting);
	write_counts(&reporting);
	rc = write_rejected(&reporting);
	if (rc == 0)
		rc = write_not_named(&reporting);
	*ret_coverage = reporting.coverage;
	return rc < 0 || out->failed ? iq_error_nomem(error) : 0;
}
