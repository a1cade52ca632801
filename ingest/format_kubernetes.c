/* `kubectl get pods,events -o json`: a List, or single objects, of which pods and events tell something
 * (https://kubernetes.io/docs/reference/kubernetes-api/, Pod v1 and Event v1).
 *
 * A pod keeps of each container the state that it is in and the one before it: what can be known of earlier lives is their
 * number, restartCount. An event keeps the first and the last time of `count` occurrences; both are given, not those between. */
#include <stdio.h>

#include "ingest/document_parser.h"
#include "ingest/formats.h"
#include "ingest/members.h"

struct reading {
	const struct iq_element_reading *element;
	struct iq_buf source; /* POD/CONTAINER, as that of its log */
	struct iq_view namespace;
	struct iq_view pod;
	int64_t pod_started;
	struct iq_view container;
	struct iq_view restarts;
	struct iq_view image;
	bool known; /* something of this format was there */
};

/* ---- Values ---- */

static struct iq_view text_at(const struct reading *reading, struct iq_view json, const char *pointer)
{
	return iq_text_at(json, pointer, reading->element->scratch);
}

static struct iq_view object_at(struct iq_view json, const char *pointer)
{
	struct iq_buf scratch = IQ_BUF_INIT;
	struct iq_json_value value = iq_json_pointer(json, iq_view_cstr(pointer), &scratch);

	iq_buf_release(&scratch);
	return value.type == IQ_JSON_OBJECT_BEGIN || value.type == IQ_JSON_ARRAY_BEGIN ? value.raw : IQ_VIEW_NULL;
}

static int64_t time_at(const struct reading *reading, struct iq_view json, const char *pointer)
{
	int64_t ts;

	return iq_time_parse(text_at(reading, json, pointer), &ts) ? ts : IQ_TIME_NONE;
}

static void join(struct iq_buf *buf, struct iq_view first, struct iq_view second)
{
	iq_buf_clear(buf);
	(void)iq_buf_append(buf, first);
	if (first.len > 0 && second.len > 0)
		(void)iq_buf_append_char(buf, '/');
	(void)iq_buf_append(buf, second);
}

static void read_name(struct reading *reading, struct iq_view object, const char *namespace, const char *name)
{
	reading->namespace = text_at(reading, object, namespace);
	reading->pod = text_at(reading, object, name);
}

/* ---- Events of containers ---- */

static void add_text(const struct reading *reading, const char *name, struct iq_view text)
{
	if (text.len > 0)
		iq_attrs_text(reading->element->attrs, iq_view_cstr(name), text);
}

static void add_number(const struct reading *reading, const char *name, struct iq_view text)
{
	int64_t number;

	if (iq_view_to_int64(text, &number))
		iq_attrs_raw(reading->element->attrs, iq_view_cstr(name), text);
}

static struct iq_record begin(struct reading *reading, struct iq_view type, int64_t ts)
{
	struct iq_record record = iq_element_record(reading->element);

	join(&reading->source, reading->pod, reading->container);
	record.event.kind = IQ_KIND_CONTAINER;
	record.event.ts = ts;
	record.event.type = type;
	record.event.source = record.event.key = iq_buf_view(&reading->source);
	record.event.body = IQ_VIEW_NULL;
	add_text(reading, "pod", reading->pod);
	add_text(reading, "container", reading->container);
	add_text(reading, "namespace", reading->namespace);
	add_text(reading, "image", reading->image);
	return record;
}

static int give_started(struct reading *reading, struct iq_view state, struct iq_error *error)
{
	const int64_t ts = time_at(reading, state, "/startedAt");
	struct iq_record record;

	if (ts == IQ_TIME_NONE)
		return 0;
	record = begin(reading, IQ_LIT("start"), ts);
	add_number(reading, "restarts", reading->restarts);
	return iq_element_give(reading->element, &record, error);
}

static int give_end(struct reading *reading, struct iq_view state, struct iq_view type, struct iq_error *error)
{
	struct iq_record record = begin(reading, type, time_at(reading, state, "/finishedAt"));
	struct iq_view message = text_at(reading, state, "/message");

	if (message.len > 0)
		record.event.body = message;
	add_number(reading, "exit_code", text_at(reading, state, "/exitCode"));
	add_number(reading, "signal", text_at(reading, state, "/signal"));
	add_text(reading, "reason", text_at(reading, state, "/reason"));
	return iq_element_give(reading->element, &record, error);
}

static int give_terminated(struct reading *reading, struct iq_view state, struct iq_error *error)
{
	int rc = give_started(reading, state, error);

	if (rc == 0 && iq_view_eq(text_at(reading, state, "/reason"), IQ_LIT("OOMKilled")))
		rc = give_end(reading, state, IQ_LIT("oom"), error);
	return rc < 0 ? rc : give_end(reading, state, IQ_LIT("die"), error);
}

/* One that waits does so since an unknown time: `CrashLoopBackOff`, `ImagePullBackOff`. */
static int give_waiting(struct reading *reading, struct iq_view state, struct iq_error *error)
{
	struct iq_record record = begin(reading, IQ_LIT("waiting"), IQ_TIME_NONE);
	struct iq_view message = text_at(reading, state, "/message");

	if (message.len > 0)
		record.event.body = message;
	add_text(reading, "reason", text_at(reading, state, "/reason"));
	add_number(reading, "restarts", reading->restarts);
	return iq_element_give(reading->element, &record, error);
}

static int read_state(struct reading *reading, struct iq_view state, struct iq_error *error)
{
	static const struct {
		const char *pointer;
		int (*give)(struct reading *reading, struct iq_view state, struct iq_error *error);
	} states[] = { { "/terminated", give_terminated }, { "/running", give_started }, { "/waiting", give_waiting } };
	int rc = 0;

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]) && rc == 0; i++) {
		struct iq_view found = object_at(state, states[i].pointer);

		if (found.data)
			rc = states[i].give(reading, found, error);
	}
	return rc;
}

/* The kubelet keeps the logs of the last run and of the one before it. */
static int give_forgotten_runs(struct reading *reading, struct iq_view status, struct iq_error *error)
{
	struct iq_gap gap = IQ_GAP_INIT;
	int64_t restarts;
	char text[120];

	if (!iq_view_to_int64(reading->restarts, &restarts) || restarts < 2)
		return 0;
	(void)snprintf(text, sizeof(text), "%lld earlier run(s) of the container: the kubelet does not keep their logs",
		       (long long)restarts - 1);
	join(&reading->source, reading->pod, reading->container);
	gap.source = iq_buf_view(&reading->source);
	gap.ts_min = reading->pod_started;
	gap.ts_max = time_at(reading, status, "/lastState/terminated/startedAt");
	gap.reason = iq_view_cstr(text);
	return iq_element_give_gap(reading->element, gap, error);
}

static int read_container(void *context, struct iq_view status, struct iq_error *error)
{
	struct reading *reading = context;
	int rc;

	reading->container = text_at(reading, status, "/name");
	reading->restarts = text_at(reading, status, "/restartCount");
	reading->image = text_at(reading, status, "/image");
	rc = give_forgotten_runs(reading, status, error);
	if (rc == 0)
		rc = read_state(reading, object_at(status, "/lastState"), error);
	return rc < 0 ? rc : read_state(reading, object_at(status, "/state"), error);
}

static int read_pod(struct reading *reading, struct iq_view pod, struct iq_error *error)
{
	static const char *const lists[] = { "/status/initContainerStatuses", "/status/containerStatuses",
					     "/status/ephemeralContainerStatuses" };
	int rc = 0;

	reading->known = true;
	read_name(reading, pod, "/metadata/namespace", "/metadata/name");
	reading->pod_started = time_at(reading, pod, "/status/startTime");
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]) && rc == 0; i++)
		rc = iq_elements_each(object_at(pod, lists[i]), read_container, reading, error);
	return rc;
}

/* ---- Events of the cluster ---- */

static int give_event(struct reading *reading, struct iq_view event, int64_t ts, struct iq_error *error)
{
	struct iq_record record = begin(reading, text_at(reading, event, "/reason"), ts);
	struct iq_view message = text_at(reading, event, "/message");

	if (message.len > 0)
		record.event.body = message;
	record.event.severity = iq_view_eq(text_at(reading, event, "/type"), IQ_LIT("Warning")) ? IQ_SEVERITY_WARNING
												: IQ_SEVERITY_INFO;
	add_text(reading, "object", text_at(reading, event, "/involvedObject/kind"));
	add_text(reading, "field", text_at(reading, event, "/involvedObject/fieldPath"));
	add_text(reading, "component", text_at(reading, event, "/source/component"));
	add_text(reading, "host", text_at(reading, event, "/source/host"));
	add_number(reading, "count", text_at(reading, event, "/count"));
	return iq_element_give(reading->element, &record, error);
}

static int read_event(struct reading *reading, struct iq_view event, struct iq_error *error)
{
	static const char *const times[] = { "/firstTimestamp", "/eventTime", "/lastTimestamp" };
	int64_t given = IQ_TIME_NONE;
	int rc = 0;

	reading->known = true;
	reading->container = reading->restarts = reading->image = IQ_VIEW_NULL;
	read_name(reading, event, "/involvedObject/namespace", "/involvedObject/name");
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]) && rc == 0; i++) {
		const int64_t ts = time_at(reading, event, times[i]);

		if (ts != IQ_TIME_NONE && (given == IQ_TIME_NONE || ts > given)) {
			rc = give_event(reading, event, ts, error);
			given = ts;
		}
	}
	return rc < 0 || given != IQ_TIME_NONE ? rc : give_event(reading, event, IQ_TIME_NONE, error);
}

/* ---- The format ---- */

static int read_object(void *context, struct iq_view object, struct iq_error *error)
{
	struct reading *reading = context;
	struct iq_view kind = text_at(reading, object, "/kind");
	struct iq_view items = object_at(object, "/items");

	if (items.data) {
		reading->known = true;
		return iq_elements_each(items, read_object, reading, error);
	}
	if (iq_view_eq(kind, IQ_LIT("Pod")))
		return read_pod(reading, object, error);
	return iq_view_eq(kind, IQ_LIT("Event")) ? read_event(reading, object, error) : 0;
}

static int parse(const struct iq_element_reading *element, const char **ret_why, struct iq_error *error)
{
	struct reading reading = { .element = element, .source = IQ_BUF_INIT, .pod_started = IQ_TIME_NONE };
	int rc = read_object(&reading, element->text, error);

	iq_buf_release(&reading.source);
	if (rc == 0 && !reading.known) {
		*ret_why = "neither a pod nor an event of Kubernetes";
		return IQ_ERR_FORMAT;
	}
	return rc;
}

static const struct iq_document_rules rules = { .parse = parse, .any_source = true };

/* What the API server audits has kind and apiVersion as well, but is none of its objects. */
static bool is_api_version(struct iq_view text)
{
	struct iq_buf scratch = IQ_BUF_INIT;
	const struct iq_json_value version = iq_json_pointer(text, IQ_LIT("/apiVersion"), &scratch);
	const bool is = version.type == IQ_JSON_STRING && (iq_view_eq(version.text, IQ_LIT("v1")) ||
							   iq_view_starts_with(version.text, IQ_LIT("events.k8s.io/")));

	iq_buf_release(&scratch);
	return is;
}

/* Both are the first members, or the last, of what kubectl writes; a List is larger than the head. */
static int score_element(struct iq_view text, bool cut)
{
	struct iq_buf scratch = IQ_BUF_INIT;
	const bool list = iq_json_pointer(text, IQ_LIT("/items/0/kind"), &scratch).type == IQ_JSON_STRING;
	const bool kind = iq_json_pointer(text, IQ_LIT("/kind"), &scratch).type == IQ_JSON_STRING;

	iq_buf_release(&scratch);
	return is_api_version(text) && (list || kind || cut) ? 93 : 0;
}

static int probe(struct iq_view head)
{
	return iq_element_probe(head, score_element);
}

const struct iq_format iq_format_kubernetes = {
	.name = "kubernetes",
	.summary = "pods and events, as `kubectl get pods,events -o json` writes them",
	.probe = probe,
	IQ_DOCUMENT_PARSER(&rules),
};
