/* What a recording is made of. */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>

#include "query/diff.h"
#include "query/spec.h"

#define MIN_ID 6
#define MAX_ID 128

/* ---- Templates ---- */

static bool is_word_char(char c)
{
	return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

/* A number, an id, a time: `#`; what joins two of them is part of it. */
static void append_masked(struct iq_buf *out, struct iq_view text)
{
	for (size_t from = 0, to; from < text.len && out->len < IQ_DIFF_MAX_TEMPLATE; from = to) {
		bool digit = false;

		for (to = from; to < text.len && is_word_char(text.data[to]); to++)
			digit |= isdigit((unsigned char)text.data[to]) != 0;
		if (to == from) {
			(void)iq_buf_append_char(out, text.data[to++]);
			continue;
		}
		if (!digit) {
			(void)iq_buf_append(out, iq_view_make(text.data + from, to - from));
			continue;
		}
		if (out->len > 1 && out->data[out->len - 2] == '#' && strchr("-:.,/+T", out->data[out->len - 1]))
			out->len--;
		else
			(void)iq_buf_append_char(out, '#');
	}
}

/* Members whose values tell what a line is about. */
static bool is_telling(struct iq_view name)
{
	static const char *const names[] = { "event", "type",	 "name",  "op",	 "level",  "severity", "lvl",
					     "msg",   "message", "error", "err", "reason", "logger",   "status" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (iq_view_eq(name, iq_view_cstr(names[i])))
			return true;
	return false;
}

static bool append_object(struct iq_buf *out, struct iq_view text)
{
	struct iq_json json;
	struct iq_json_token token, name;
	const char *joint = "{";
	int rc;

	iq_json_init(&json, text);
	if (iq_json_next(&json, &token) <= 0 || token.type != IQ_JSON_OBJECT_BEGIN)
		return false;
	while ((rc = iq_json_member(&json, &name, &token)) > 0) {
		const struct iq_view value = iq_json_skip(&json, &token);

		if (!value.data)
			return false;
		(void)iq_buf_append_cstr(out, joint);
		(void)iq_buf_append(out, name.raw);
		if (is_telling(name.raw) && token.type == IQ_JSON_STRING) {
			(void)iq_buf_append_char(out, '=');
			append_masked(out, token.raw);
		}
		joint = " ";
	}
	(void)iq_buf_append_char(out, '}');
	return rc == 0;
}

int iq_diff_template(struct iq_view text, struct iq_buf *ret_template)
{
	struct iq_view cut;

	iq_buf_clear(ret_template);
	text = iq_view_trim(text);
	if (text.len == 0 || text.data[0] != '{' || !append_object(ret_template, text)) {
		const char *end = text.len > 0 ? memchr(text.data, '\n', text.len) : NULL;

		iq_buf_clear(ret_template);
		append_masked(ret_template, end ? iq_view_make(text.data, (size_t)(end - text.data)) : text);
	}
	cut = iq_utf8_cut(iq_buf_view(ret_template), IQ_DIFF_MAX_TEMPLATE);
	ret_template->len = cut.len;
	return ret_template->failed ? IQ_ERR_NOMEM : 0;
}

/* ---- Names that both sides number alike ---- */

static struct iq_view prefixed(struct iq_diff *diff, uint32_t number, struct iq_view text)
{
	iq_buf_clear(&diff->key);
	(void)iq_buf_append(&diff->key, iq_view_make((const char *)&number, sizeof(number)));
	(void)iq_buf_append(&diff->key, text);
	return iq_buf_view(&diff->key);
}

struct iq_view iq_diff_name(const struct iq_map *map, size_t index)
{
	return iq_view_from(map->entries[index].key, sizeof(uint32_t));
}

static void add_example(struct iq_diff_examples *examples, const struct iq_event *event, uint32_t session)
{
	if (examples->count < IQ_DIFF_EXAMPLES)
		examples->items[examples->count++] = (struct iq_diff_example){ event->id, session };
}

/* ---- Ids by which log lines belong to sessions ---- */

typedef int word_fn(struct iq_diff_side *side, struct iq_view word, uint32_t *session);

static int each_id(struct iq_diff_side *side, struct iq_view text, word_fn *take, uint32_t *session)
{
	int rc = 0;

	for (size_t from = 0, to; from < text.len && rc == 0; from = to + 1) {
		bool digit = false;

		for (to = from; to < text.len && (is_word_char(text.data[to]) || text.data[to] == '-'); to++)
			digit |= isdigit((unsigned char)text.data[to]) != 0;
		if (digit && to - from >= MIN_ID && to - from <= MAX_ID)
			rc = take(side, iq_view_make(text.data + from, to - from), session);
	}
	return rc;
}

static int note_id(struct iq_diff_side *side, struct iq_view word, uint32_t *session)
{
	const uint64_t hash = iq_hash64(word);
	const struct iq_view key = iq_view_make((const char *)&hash, sizeof(hash));
	uint64_t *known = iq_map_get(&side->ids, key);

	if (known)
		*known = *known == *session ? *session : 0;
	else if (side->ids.count < IQ_DIFF_MAX_IDS)
		return iq_map_set(&side->ids, key, *session);
	return 0;
}

/* Stops, with 1, at the first word that is an id of one session. */
static int find_id(struct iq_diff_side *side, struct iq_view word, uint32_t *session)
{
	const uint64_t hash = iq_hash64(word);
	const uint64_t *known = iq_map_get(&side->ids, iq_view_make((const char *)&hash, sizeof(hash)));

	if (!known || *known == 0)
		return 0;
	*session = (uint32_t)*known;
	return 1;
}

static bool is_message(enum iq_kind kind)
{
	return kind == IQ_KIND_WS_MESSAGE || kind == IQ_KIND_SSE_MESSAGE;
}

static uint32_t session_of(struct iq_diff_side *side, const struct iq_event *event)
{
	uint32_t session = event->session_no;

	if (session == 0 && event->body.data)
		(void)each_id(side, event->body, find_id, &session);
	return session;
}

/* ---- Signals ---- */

static struct iq_view attribute(struct iq_diff *diff, const struct iq_event *event, const char *pointer)
{
	return event->attrs.data ? iq_json_pointer(event->attrs, iq_view_cstr(pointer), &diff->scratch).text
				 : IQ_VIEW_NULL;
}

static void describe_log(struct iq_diff *diff, const struct iq_event *event)
{
	(void)iq_diff_template(event->body, &diff->text);
}

static void describe_container(struct iq_diff *diff, const struct iq_event *event)
{
	const struct iq_view code = attribute(diff, event, "/exit_code");

	(void)iq_buf_appendf(&diff->text, "%.*s %.*s", IQ_VIEW_ARG(event->source), IQ_VIEW_ARG(event->type));
	if (code.data)
		(void)iq_buf_appendf(&diff->text, ", exit code %.*s", IQ_VIEW_ARG(code));
}

static void describe_close(struct iq_diff *diff, const struct iq_event *event)
{
	const struct iq_view code = attribute(diff, event, "/code");

	(void)iq_buf_appendf(&diff->text, "close %.*s", code.data ? (int)code.len : 12,
			     code.data ? code.data : "without code");
}

static void describe_net(struct iq_diff *diff, const struct iq_event *event)
{
	const struct iq_view error = attribute(diff, event, "/error");

	(void)iq_buf_appendf(&diff->text, "connection %.*s", IQ_VIEW_ARG(event->type));
	if (error.len > 0) {
		(void)iq_buf_append_cstr(&diff->text, ": ");
		append_masked(&diff->text, error);
	}
}

static void describe_http(struct iq_diff *diff, const struct iq_event *event)
{
	const struct iq_view status = attribute(diff, event, "/status");

	(void)iq_buf_appendf(&diff->text, "http %.*s", IQ_VIEW_ARG(status));
}

static void describe_type(struct iq_diff *diff, const struct iq_event *event)
{
	(void)iq_buf_append(&diff->text, event->type);
}

static const struct {
	enum iq_kind kind;
	enum iq_signal_class class;
	void (*describe)(struct iq_diff *diff, const struct iq_event *event);
} signals[] = {
	{ IQ_KIND_LOG, IQ_SIGNAL_LOG, describe_log },
	{ IQ_KIND_CONTAINER, IQ_SIGNAL_CONTAINER, describe_container },
	{ IQ_KIND_WS_CLOSE, IQ_SIGNAL_CLOSE, describe_close },
	{ IQ_KIND_NET_ERROR, IQ_SIGNAL_NET, describe_net },
	{ IQ_KIND_HTTP_RESPONSE, IQ_SIGNAL_HTTP, describe_http },
	{ IQ_KIND_PROBE, IQ_SIGNAL_PROBE, describe_type },
	{ IQ_KIND_WS_MESSAGE, IQ_SIGNAL_TYPE, describe_type },
	{ IQ_KIND_SSE_MESSAGE, IQ_SIGNAL_TYPE, describe_type },
};

/* What kind of signal the event is, with its text in diff->text; NULL where it is none. */
static const enum iq_signal_class *describe(struct iq_diff *diff, const struct iq_event *event)
{
	iq_buf_clear(&diff->text);
	iq_buf_clear(&diff->scratch);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		/* Without a spec types are steps. */
		if (signals[i].kind != event->kind || (signals[i].class == IQ_SIGNAL_TYPE && !diff->spec))
			continue;
		signals[i].describe(diff, event);
		return diff->text.len > 0 ? &signals[i].class : NULL;
	}
	return NULL;
}

/* Is it trouble by what it is? */
static bool is_bad(const struct iq_diff *diff, const struct iq_event *event)
{
	static const char *const actions[] = { "oom", "die", "unhealthy", "probe.failed" };
	const struct iq_view text = iq_buf_view(&diff->text);

	if (event->kind == IQ_KIND_NET_ERROR)
		return true;
	if (event->kind == IQ_KIND_HTTP_RESPONSE)
		return iq_view_starts_with(text, IQ_LIT("http 5"));
	if (event->kind == IQ_KIND_WS_CLOSE)
		return !iq_view_eq(text, IQ_LIT("close 1000")) && !iq_view_eq(text, IQ_LIT("close 1001"));
	for (size_t i = 0; event->kind != IQ_KIND_LOG && i < sizeof(actions) / sizeof(actions[0]); i++)
		if (iq_view_eq(event->type, iq_view_cstr(actions[i])))
			return !iq_view_ends_with(text, IQ_LIT("exit code 0"));
	return false;
}

static int note_place(struct iq_diff *diff, struct iq_diff_side *side, uint32_t signal, uint32_t session)
{
	const uint32_t place[2] = { signal, session };
	uint32_t ignored;
	int rc = iq_map_intern(&side->places, iq_view_make((const char *)place, sizeof(place)), &ignored);

	(void)diff;
	side->tallies[signal].sessions += rc == 1;
	return rc < 0 ? rc : 0;
}

static int note_signal(struct iq_diff *diff, struct iq_diff_side *side, const struct iq_event *event,
		       enum iq_signal_class class)
{
	const uint32_t session = session_of(side, event);
	const struct iq_view key = prefixed(diff, (uint32_t) class, iq_buf_view(&diff->text));
	struct iq_diff_signal *facts;
	uint32_t signal;
	int rc;

	if (diff->signals.count == IQ_DIFF_MAX_SIGNALS && !iq_map_get(&diff->signals, key)) {
		side->limited = true;
		return 0;
	}
	rc = iq_map_intern(&diff->signals, key, &signal);
	if (rc < 0 || IQ_ARRAY_GROW(diff->signal_facts, diff->signal_capacity, (size_t)signal + 1) < 0 ||
	    IQ_ARRAY_GROW(side->tallies, side->tally_capacity, (size_t)signal + 1) < 0)
		return IQ_ERR_NOMEM;
	facts = &diff->signal_facts[signal];
	if (rc == 1)
		*facts = (struct iq_diff_signal){ .class = class };
	facts->severity = event->severity > facts->severity ? event->severity : facts->severity;
	facts->bad |= is_bad(diff, event);
	side->tallies[signal].events++;
	add_example(&side->tallies[signal].examples, event, session);
	return session > 0 ? note_place(diff, side, signal, session) : 0;
}

static int take_signal(struct iq_diff *diff, struct iq_diff_side *side, const struct iq_event *event)
{
	const enum iq_signal_class *class;
	uint32_t session;

	if (event->severity >= IQ_SEVERITY_ERROR || event->kind == IQ_KIND_NET_ERROR) {
		session = session_of(side, event);
		if (!diff->spec || event->kind == IQ_KIND_NET_ERROR)
			side->failing[session] = true;
	}
	class = describe(diff, event);
	return class ? note_signal(diff, side, event, *class) : 0;
}

/* ---- Steps and transitions ---- */

static int find_lifecycle(struct iq_diff *diff, struct iq_view name, uint32_t *ret_lifecycle)
{
	int rc = iq_map_intern(&diff->lifecycles, name, ret_lifecycle);

	if (rc == 1) {
		if (IQ_ARRAY_GROW(diff->step_counts, diff->lifecycle_capacity, diff->lifecycles.count) < 0)
			return IQ_ERR_NOMEM;
		diff->step_counts[*ret_lifecycle] = 0;
	}
	return rc < 0 ? rc : 0;
}

/* 1 where it has too many already. */
static int find_step(struct iq_diff *diff, uint32_t lifecycle, struct iq_view name, uint32_t *ret_step)
{
	const struct iq_view key = prefixed(diff, lifecycle, name);
	int rc;

	if (diff->step_counts[lifecycle] == IQ_DIFF_MAX_STEPS && !iq_map_get(&diff->steps, key))
		return 1;
	rc = iq_map_intern(&diff->steps, key, ret_step);
	if (rc < 0 || IQ_ARRAY_GROW(diff->step_facts, diff->step_capacity, (size_t)*ret_step + 1) < 0)
		return IQ_ERR_NOMEM;
	if (rc == 1)
		diff->step_facts[*ret_step] = (struct iq_diff_step){ lifecycle, diff->step_counts[lifecycle]++ };
	return 0;
}

/* When all places are taken, every second one is given up. */
static int add_duration(struct iq_diff_durations *durations, int64_t ns, const struct iq_diff_example *example)
{
	if (!durations->items) {
		durations->items = calloc(IQ_DIFF_DURATIONS, sizeof(*durations->items));
		durations->stride = 1;
	}
	if (!durations->items)
		return IQ_ERR_NOMEM;
	if (durations->seen == 0 || ns > durations->slowest) {
		durations->slowest = ns;
		durations->example = *example;
	}
	if (durations->seen++ % durations->stride != 0)
		return 0;
	if (durations->count == IQ_DIFF_DURATIONS) {
		for (size_t i = 0; i < IQ_DIFF_DURATIONS / 2; i++)
			durations->items[i] = durations->items[2 * i];
		durations->count = IQ_DIFF_DURATIONS / 2;
		durations->stride *= 2;
	}
	durations->items[durations->count++] = ns;
	return 0;
}

static int note_transition(struct iq_diff *diff, struct iq_diff_side *side, struct iq_diff_transition transition,
			   int64_t ns, const struct iq_diff_example *example)
{
	const struct iq_view key = iq_view_make((const char *)&transition, sizeof(transition));
	uint32_t index;

	if (diff->transitions.count == IQ_DIFF_MAX_TRANSITIONS && !iq_map_get(&diff->transitions, key)) {
		side->limited = true;
		return 0;
	}
	if (iq_map_intern(&diff->transitions, key, &index) < 0 ||
	    IQ_ARRAY_GROW(side->durations, side->duration_capacity, (size_t)index + 1) < 0)
		return IQ_ERR_NOMEM;
	return add_duration(&side->durations[index], ns, example);
}

/* ---- Cases ---- */

/* The case of this key, a new one where there is none; NULL where there are too many. */
static int find_case(struct iq_diff *diff, struct iq_diff_side *side, uint32_t lifecycle, struct iq_view key,
		     struct iq_diff_case **ret_case)
{
	const struct iq_view whole = prefixed(diff, lifecycle, key);
	uint32_t index;
	int rc;

	*ret_case = NULL;
	if (side->case_count == IQ_DIFF_MAX_CASES && !iq_map_get(&side->known_cases, whole)) {
		side->limited = true;
		return 0;
	}
	rc = iq_map_intern(&side->known_cases, whole, &index);
	if (rc < 0 || IQ_ARRAY_GROW(side->cases, side->case_capacity, (size_t)index + 1) < 0)
		return IQ_ERR_NOMEM;
	*ret_case = &side->cases[index];
	if (rc == 1) {
		side->case_count++;
		**ret_case = (struct iq_diff_case){ .lifecycle = lifecycle,
						    .last_step = IQ_DIFF_WHOLE,
						    .first_ts = IQ_TIME_NONE,
						    .last_ts = IQ_TIME_NONE };
	}
	return 0;
}

static int advance(struct iq_diff *diff, struct iq_diff_side *side, struct iq_diff_case *one, uint32_t step,
		   const struct iq_event *event)
{
	const uint32_t bit = diff->step_facts[step].bit;
	const struct iq_diff_example example = { event->id, event->session_no };
	int rc = 0;

	if (one->last_step != IQ_DIFF_WHOLE && event->ts != IQ_TIME_NONE && one->last_ts != IQ_TIME_NONE &&
	    event->ts >= one->last_ts)
		rc = note_transition(diff, side, (struct iq_diff_transition){ one->last_step, step },
				     event->ts - one->last_ts, &example);
	one->reached[bit / 64] |= UINT64_C(1) << bit % 64;
	one->events++;
	one->last_step = step;
	one->last_event = event->id;
	one->session = event->session_no;
	one->last_ts = event->ts;
	if (one->first_ts == IQ_TIME_NONE)
		one->first_ts = event->ts;
	return rc;
}

static int take_step(struct iq_diff *diff, struct iq_diff_side *side, struct iq_view lifecycle_name, struct iq_view key,
		     struct iq_view name, const struct iq_event *event)
{
	struct iq_diff_case *one;
	uint32_t lifecycle, step;
	int rc = find_lifecycle(diff, lifecycle_name, &lifecycle);

	if (rc == 0)
		rc = find_step(diff, lifecycle, name, &step);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	rc = find_case(diff, side, lifecycle, key, &one);
	return rc == 0 && one ? advance(diff, side, one, step, event) : rc;
}

/* Without a spec the session is the case, and its types are the steps. */
static int take_session_step(struct iq_diff *diff, struct iq_diff_side *side, const struct iq_event *event)
{
	const struct iq_view key = iq_view_make((const char *)&event->session_no, sizeof(event->session_no));

	if (event->session_no == 0 || event->type.len == 0 || event->kind == IQ_KIND_WS_PING ||
	    event->kind == IQ_KIND_WS_PONG)
		return 0;
	return take_step(diff, side, IQ_LIT("session"), key, event->type, event);
}

static int take_lifecycle_step(struct iq_diff *diff, struct iq_diff_side *side, const struct iq_lifecycle *lifecycle,
			       const struct iq_event *event)
{
	struct iq_buf key = IQ_BUF_INIT;
	uint32_t symbol;
	int rc;

	iq_buf_clear(&diff->scratch);
	rc = iq_lifecycle_selects(lifecycle, event, &diff->scratch);
	if (rc > 0)
		rc = iq_lifecycle_symbol(lifecycle, event, &diff->scratch, &symbol) < 0 ? IQ_ERR_LIMIT : 1;
	/* A pattern beyond its limit holds for no event here; the checker tells of it. */
	if (rc > 0 && symbol != IQ_SYMBOL_NONE && iq_lifecycle_key(lifecycle, event, &key, &diff->scratch))
		rc = take_step(diff, side, lifecycle->name, iq_buf_view(&key), iq_lifecycle_name(lifecycle, symbol),
			       event);
	iq_buf_release(&key);
	return rc == IQ_ERR_NOMEM ? rc : 0;
}

static int take_steps(struct iq_diff *diff, struct iq_diff_side *side, const struct iq_event *event)
{
	int rc = 0;

	if (!diff->spec)
		return take_session_step(diff, side, event);
	for (const struct iq_lifecycle *lifecycle = diff->spec->first; lifecycle && rc == 0;
	     lifecycle = lifecycle->next)
		rc = take_lifecycle_step(diff, side, lifecycle, event);
	return rc;
}

/* ---- Reading ---- */

static int take_event(struct iq_diff *diff, struct iq_diff_side *side, const struct iq_event *event)
{
	int rc = take_steps(diff, side, event);

	side->events++;
	return rc == 0 ? take_signal(diff, side, event) : rc;
}

static int take_ids(struct iq_diff *diff, struct iq_diff_side *side, const struct iq_event *event)
{
	uint32_t session = event->session_no;

	(void)diff;
	return session > 0 && is_message(event->kind) ? each_id(side, event->body, note_id, &session) : 0;
}

static int each_event(struct iq_diff *diff, struct iq_diff_side *side, const struct iq_filter *filter,
		      int (*take)(struct iq_diff *diff, struct iq_diff_side *side, const struct iq_event *event),
		      struct iq_error *error)
{
	struct iq_cursor *cursor = NULL;
	struct iq_event event;
	int rc = iq_cursor_open(side->store, filter, &cursor, error);

	while (rc == 0 && (rc = iq_cursor_next(cursor, &event, error)) > 0) {
		rc = take(diff, side, &event);
		if (rc < 0)
			rc = iq_error_nomem(error);
	}
	iq_cursor_close(cursor);
	return rc;
}

static int read_events(struct iq_diff *diff, struct iq_diff_side *side, struct iq_error *error)
{
	struct iq_filter filter = IQ_FILTER_INIT;
	int rc;

	filter.kinds = 1u << IQ_KIND_WS_MESSAGE | 1u << IQ_KIND_SSE_MESSAGE;
	filter.columns = 1u << IQ_COLUMN_SESSION | 1u << IQ_COLUMN_KIND | 1u << IQ_COLUMN_BODY;
	rc = each_event(diff, side, &filter, take_ids, error);
	filter = (struct iq_filter)IQ_FILTER_INIT;
	filter.order = IQ_ORDER_TIME;
	return rc == 0 ? each_event(diff, side, &filter, take_event, error) : rc;
}

/* ---- Sessions ---- */

static int note_violated(struct iq_diff *diff, struct iq_diff_side *side, struct iq_error *error)
{
	struct iq_check_result result;
	int rc = diff->spec ? iq_check_failing(side->store, diff->spec, &result, error) : 0;

	if (rc < 0 || !diff->spec)
		return rc;
	for (size_t i = 0; i < result.session_count; i++)
		if (result.sessions[i].verdict == IQ_VERDICT_VIOLATED && result.sessions[i].no < side->sessions)
			side->failing[result.sessions[i].no] = true;
	iq_check_result_release(&result);
	return 0;
}

/* What failed, of all and of those that have each signal. */
static void count_failing(struct iq_diff_side *side)
{
	side->failing[0] = false;
	for (uint32_t i = 0; i < side->sessions; i++)
		side->failing_count += side->failing[i];
	for (size_t i = 0; i < side->places.count; i++) {
		uint32_t place[2];

		memcpy(place, side->places.entries[i].key.data, sizeof(place));
		side->tallies[place[0]].failing += side->failing[place[1]];
	}
}

/* What a session may have gone on to do behind the end of the capture is not missing; where no session has an end, all are taken
 * as they are. */
static void mark_open(struct iq_diff_side *side)
{
	size_t count;
	const struct iq_session *sessions = iq_store_sessions(side->store, &count);
	bool any_ended = false;

	for (size_t i = 0; i < count; i++)
		any_ended |= sessions[i].state != IQ_SESSION_OPEN;
	for (size_t i = 0; i < side->case_count && any_ended; i++) {
		const struct iq_session *session = iq_store_find_session(side->store, side->cases[i].session);

		side->cases[i].left_open = session && session->state == IQ_SESSION_OPEN;
	}
}

static int note_wholes(struct iq_diff *diff, struct iq_diff_side *side)
{
	int rc = 0;

	for (size_t i = 0; i < side->case_count && rc == 0; i++) {
		const struct iq_diff_case *one = &side->cases[i];
		const struct iq_diff_example example = { one->last_event, one->session };

		if (!one->left_open && one->events > 1 && one->first_ts != IQ_TIME_NONE &&
		    one->last_ts != IQ_TIME_NONE && one->last_ts >= one->first_ts)
			rc = note_transition(diff, side, (struct iq_diff_transition){ IQ_DIFF_WHOLE, one->lifecycle },
					     one->last_ts - one->first_ts, &example);
	}
	return rc;
}

int iq_diff_read(struct iq_diff *diff, struct iq_diff_side *side, struct iq_store *store, struct iq_error *error)
{
	size_t count;
	const struct iq_session *sessions = iq_store_sessions(store, &count);
	int rc;

	side->store = store;
	side->session_count = count;
	side->sessions = count > 0 ? sessions[count - 1].no + 1 : 1;
	side->failing = iq_arena_calloc(&diff->memory, side->sessions, 1);
	if (!side->failing)
		return iq_error_nomem(error);
	for (size_t i = 0; i < count; i++)
		side->failing[sessions[i].no] =
			sessions[i].state == IQ_SESSION_CUT || sessions[i].state == IQ_SESSION_REFUSED;
	rc = read_events(diff, side, error);
	if (rc == 0)
		rc = note_violated(diff, side, error);
	if (rc < 0)
		return rc;
	count_failing(side);
	mark_open(side);
	return note_wholes(diff, side) < 0 ? iq_error_nomem(error) : 0;
}
