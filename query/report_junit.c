/* JUnit XML as continuous integration reads it (testmoapp/junitxml collects the common ground; there is no standard).
 */
#include <inttypes.h>

#include "query/report.h"

struct junit {
	const struct iq_store *store;
	const struct iq_report_options *options;
	struct iq_buf *out;
};

/* Made safe for a terminal first: that turns every character that XML 1.0 forbids into a visible escape. */
static void append_escaped(struct iq_buf *out, struct iq_view text)
{
	struct iq_buf safe = IQ_BUF_INIT;

	(void)iq_utf8_append_safe(&safe, text);
	out->failed |= safe.failed;
	for (size_t i = 0; i < safe.len; i++) {
		switch (safe.data[i]) {
		case '&':
			(void)iq_buf_append_cstr(out, "&amp;");
			break;
		case '<':
			(void)iq_buf_append_cstr(out, "&lt;");
			break;
		case '>':
			(void)iq_buf_append_cstr(out, "&gt;");
			break;
		case '"':
			(void)iq_buf_append_cstr(out, "&quot;");
			break;
		default:
			(void)iq_buf_append_char(out, safe.data[i]);
			break;
		}
	}
	iq_buf_release(&safe);
}

static void attribute(struct junit *junit, const char *name, struct iq_view value)
{
	(void)iq_buf_appendf(junit->out, " %s=\"", name);
	append_escaped(junit->out, value);
	(void)iq_buf_append_char(junit->out, '"');
}

static void append_step_line(struct junit *junit, const char *label, const struct iq_step *step)
{
	struct iq_buf line = IQ_BUF_INIT;
	char time[IQ_RFC3339_SIZE];

	if (!step->id)
		return;
	(void)iq_buf_appendf(&line, "%s event %" PRIu64 " %s ", label, step->id, iq_time_format(step->ts, time));
	iq_report_append_what(&line, step->kind, step->type);
	(void)iq_buf_append_char(&line, ' ');
	iq_report_append_place(&line, junit->store, step->evidence, step->offset, step->length);
	append_escaped(junit->out, iq_buf_view(&line));
	(void)iq_buf_append_char(junit->out, '\n');
	iq_buf_release(&line);
}

static void append_failure(struct junit *junit, const struct iq_instance *instance)
{
	(void)iq_buf_append_cstr(junit->out, "      <failure");
	attribute(junit, "message", instance->findings[0].message);
	attribute(junit, "type", iq_view_cstr(iq_finding_kind_name(instance->findings[0].kind)));
	(void)iq_buf_append_cstr(junit->out, ">");
	for (size_t i = 0; i < instance->finding_count; i++) {
		const struct iq_finding *finding = &instance->findings[i];

		append_escaped(junit->out, finding->message);
		(void)iq_buf_append_char(junit->out, '\n');
		append_step_line(junit, "  event  ", &finding->moved);
		append_step_line(junit, "  after  ", &finding->after);
		append_step_line(junit, "  instead", &finding->instead);
		(void)iq_buf_append_cstr(junit->out, "  repair  ");
		append_escaped(junit->out, finding->repair);
		(void)iq_buf_append_char(junit->out, '\n');
	}
	(void)iq_buf_append_cstr(junit->out, "</failure>\n");
}

static void append_error(struct junit *junit, struct iq_view reason)
{
	(void)iq_buf_append_cstr(junit->out, "      <error");
	attribute(junit, "message", reason);
	(void)iq_buf_append_cstr(junit->out, " type=\"undetermined\"/>\n");
}

static double seconds(const struct iq_instance *instance)
{
	if (instance->first.ts == IQ_TIME_NONE || instance->last.ts == IQ_TIME_NONE ||
	    instance->last.ts < instance->first.ts)
		return 0;
	return (double)(instance->last.ts - instance->first.ts) / (double)IQ_NS_PER_S;
}

static void append_case(struct junit *junit, const struct iq_lifecycle_result *lifecycle,
			const struct iq_instance *instance)
{
	struct iq_buf name = IQ_BUF_INIT;

	if (instance->session_count)
		(void)iq_buf_appendf(&name, "s%" PRIu32 " ", instance->sessions[0]);
	(void)iq_buf_append(&name, instance->key);
	(void)iq_buf_append_cstr(junit->out, "    <testcase");
	attribute(junit, "classname", lifecycle->name);
	attribute(junit, "name", iq_buf_view(&name));
	(void)iq_buf_appendf(junit->out, " time=\"%.3f\"", seconds(instance));
	iq_buf_release(&name);
	if (instance->verdict == IQ_VERDICT_OK) {
		(void)iq_buf_append_cstr(junit->out, "/>\n");
		return;
	}
	(void)iq_buf_append_cstr(junit->out, ">\n");
	if (instance->verdict == IQ_VERDICT_VIOLATED)
		append_failure(junit, instance);
	else
		append_error(junit, instance->reason);
	(void)iq_buf_append_cstr(junit->out, "    </testcase>\n");
}

/* A verdict of the lifecycle itself (no instance, too few, too many) is a case of its own. */
static void append_own_case(struct junit *junit, const struct iq_lifecycle_result *lifecycle)
{
	(void)iq_buf_append_cstr(junit->out, "    <testcase");
	attribute(junit, "classname", lifecycle->name);
	(void)iq_buf_append_cstr(junit->out, " name=\"instances\">\n");
	if (lifecycle->verdict == IQ_VERDICT_VIOLATED) {
		(void)iq_buf_append_cstr(junit->out, "      <failure");
		attribute(junit, "message", lifecycle->reason);
		(void)iq_buf_append_cstr(junit->out, " type=\"expect\"/>\n");
	} else {
		append_error(junit, lifecycle->reason);
	}
	(void)iq_buf_append_cstr(junit->out, "    </testcase>\n");
}

struct counts {
	uint64_t tests, failures, errors;
};

static struct counts counts_of(const struct iq_lifecycle_result *lifecycle)
{
	bool own = lifecycle->reason.data != NULL;

	return (struct counts){ lifecycle->instance_count + own,
				lifecycle->violated + (own && lifecycle->verdict == IQ_VERDICT_VIOLATED),
				lifecycle->undetermined + (own && lifecycle->verdict == IQ_VERDICT_UNDETERMINED) };
}

static void append_counts(struct junit *junit, const struct counts *counts)
{
	(void)iq_buf_appendf(junit->out,
			     " tests=\"%" PRIu64 "\" failures=\"%" PRIu64 "\" errors=\"%" PRIu64 "\" skipped=\"0\">\n",
			     counts->tests, counts->failures, counts->errors);
}

static void append_suite(struct junit *junit, const struct iq_lifecycle_result *lifecycle)
{
	struct counts counts = counts_of(lifecycle);

	(void)iq_buf_append_cstr(junit->out, "  <testsuite");
	attribute(junit, "name", lifecycle->name);
	append_counts(junit, &counts);
	if (lifecycle->reason.data)
		append_own_case(junit, lifecycle);
	for (size_t i = 0; i < lifecycle->instance_count; i++)
		append_case(junit, lifecycle, &lifecycle->instances[i]);
	(void)iq_buf_append_cstr(junit->out, "  </testsuite>\n");
}

int iq_report_junit(struct iq_store *store, const struct iq_check_result *result,
		    const struct iq_report_options *options, struct iq_buf *out, struct iq_error *error)
{
	struct junit junit = { store, options, out };
	struct counts total = { 0 };

	for (size_t i = 0; i < result->lifecycle_count; i++) {
		struct counts counts = counts_of(&result->lifecycles[i]);

		total.tests += counts.tests;
		total.failures += counts.failures;
		total.errors += counts.errors;
	}
	(void)iq_buf_append_cstr(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites");
	attribute(&junit, "name", iq_view_cstr(options->title ? options->title : "inquest"));
	append_counts(&junit, &total);
	for (size_t i = 0; i < result->lifecycle_count; i++)
		append_suite(&junit, &result->lifecycles[i]);
	(void)iq_buf_append_cstr(out, "</testsuites>\n");
	return out->failed ? iq_error_nomem(error) : 0;
}
