/* The events that are learned from, with the values of their fields. */
#include <ctype.h>
#include <stdlib.h>

#include "query/learn.h"

/* Objects within a body that are looked into. */
#define MAX_DEPTH 2
#define MAX_VALUE 128
/* Of a line that tells of an error, words like this may be ids. */
#define MIN_WORD 6

void iq_learner_release(struct iq_learner *learner)
{
	iq_learner_forget_keys(learner);
	iq_arena_release(&learner->memory);
	iq_map_release(&learner->types);
	iq_map_release(&learner->fields);
	iq_map_release(&learner->faults);
	iq_buf_release(&learner->path);
	iq_buf_release(&learner->text);
	free(learner->samples);
	free(learner->values);
}

/* ---- Values ---- */

static int add_value(struct iq_learner *learner, struct iq_view field, struct iq_view value)
{
	uint32_t index;

	if (value.len == 0 || value.len > MAX_VALUE || learner->value_count == IQ_LEARN_MAX_VALUES ||
	    (learner->fields.count == IQ_LEARN_MAX_FIELDS && !iq_map_get(&learner->fields, field)))
		return 0;
	if (iq_map_intern(&learner->fields, field, &index) < 0 ||
	    IQ_ARRAY_GROW(learner->values, learner->value_capacity, learner->value_count + 1) < 0)
		return IQ_ERR_NOMEM;
	learner->values[learner->value_count++] =
		(struct iq_sample_value){ index, (uint32_t)learner->sample_count - 1, iq_hash64(value) };
	return 0;
}

static void append_token(struct iq_buf *path, struct iq_view name)
{
	(void)iq_buf_append_char(path, '/');
	for (size_t i = 0; i < name.len; i++) {
		if (name.data[i] == '~' || name.data[i] == '/')
			(void)iq_buf_append_cstr(path, name.data[i] == '~' ? "~0" : "~1");
		else
			(void)iq_buf_append_char(path, name.data[i]);
	}
}

static int walk(struct iq_learner *learner, struct iq_json *json, unsigned depth);

static int walk_member(struct iq_learner *learner, struct iq_json *json, const struct iq_json_token *name,
		       const struct iq_json_token *value, unsigned depth)
{
	const size_t before = learner->path.len;
	int rc = 0;

	iq_buf_clear(&learner->text);
	append_token(&learner->path, name->raw);
	if (value->type == IQ_JSON_OBJECT_BEGIN && depth < MAX_DEPTH)
		rc = walk(learner, json, depth + 1);
	else if (value->type == IQ_JSON_OBJECT_BEGIN || value->type == IQ_JSON_ARRAY_BEGIN)
		rc = iq_json_skip(json, value).data ? 0 : 1;
	else if ((value->type == IQ_JSON_STRING || value->type == IQ_JSON_NUMBER) && !name->escaped)
		rc = add_value(learner, iq_buf_view(&learner->path), iq_json_text(value, &learner->text));
	learner->path.len = before;
	return rc;
}

/* Behind the begin of an object. 1 where it is no JSON any more. */
static int walk(struct iq_learner *learner, struct iq_json *json, unsigned depth)
{
	struct iq_json_token name, value;
	int rc = 0, got;

	while (rc == 0 && (got = iq_json_member(json, &name, &value)) > 0)
		rc = walk_member(learner, json, &name, &value, depth);
	return rc != 0 ? rc : got < 0 ? 1 : 0;
}

static int add_body_values(struct iq_learner *learner, struct iq_view body)
{
	struct iq_json json;
	struct iq_json_token token;
	int rc;

	iq_buf_clear(&learner->path);
	iq_json_init(&json, body);
	if (!body.data || iq_json_next(&json, &token) <= 0 || token.type != IQ_JSON_OBJECT_BEGIN)
		return 0;
	rc = walk(learner, &json, 1);
	return rc < 0 ? rc : 0;
}

/* ---- Errors that name something ---- */

static bool is_word_char(char c)
{
	return isalnum((unsigned char)c) || c == '-' || c == '_';
}

static int note_fault(struct iq_learner *learner, struct iq_view word)
{
	bool has_digit = false;
	uint64_t hash;
	uint32_t index;
	int rc;

	for (size_t i = 0; i < word.len; i++)
		has_digit |= isdigit((unsigned char)word.data[i]) != 0;
	if (word.len < MIN_WORD || word.len > MAX_VALUE || !has_digit)
		return 0;
	hash = iq_hash64(word);
	rc = iq_map_intern(&learner->faults, iq_view_make((const char *)&hash, sizeof(hash)), &index);
	return rc < 0 ? rc : 0;
}

static int note_faults(struct iq_learner *learner, struct iq_view text)
{
	int rc = 0;

	for (size_t from = 0, to; from < text.len && rc == 0; from = to + 1) {
		for (to = from; to < text.len && is_word_char(text.data[to]);)
			to++;
		rc = note_fault(learner, iq_view_make(text.data + from, to - from));
	}
	return rc;
}

static void mark_faulty_sessions(struct iq_learner *learner)
{
	for (size_t i = 0; i < learner->value_count && learner->faults.count > 0; i++) {
		const struct iq_sample_value *value = &learner->values[i];

		if (iq_map_get(&learner->faults, iq_view_make((const char *)&value->hash, sizeof(value->hash))))
			learner->faulty[learner->samples[value->sample].session] = true;
	}
}

/* ---- Events ---- */

static bool is_learned(const struct iq_learner *learner, const struct iq_event *event)
{
	static const uint32_t kinds = 1u << IQ_KIND_WS_PING | 1u << IQ_KIND_WS_PONG | 1u << IQ_KIND_CLOCK |
				      1u << IQ_KIND_GAP | 1u << IQ_KIND_CONTAINER | 1u << IQ_KIND_PROBE;

	return event->type.len > 0 && !(kinds >> event->kind & 1) && (event->session_no > 0 || !learner->has_sessions);
}

static int add_sample(struct iq_learner *learner, const struct iq_event *event)
{
	uint32_t type;
	int rc;

	if (learner->sample_count == IQ_LEARN_MAX_EVENTS ||
	    (learner->types.count == IQ_LEARN_MAX_TYPES && !iq_map_get(&learner->types, event->type))) {
		learner->limited = true;
		return 0;
	}
	if (iq_map_intern(&learner->types, event->type, &type) < 0 ||
	    IQ_ARRAY_GROW(learner->samples, learner->sample_capacity, learner->sample_count + 1) < 0)
		return IQ_ERR_NOMEM;
	learner->samples[learner->sample_count++] = (struct iq_sample){ .ts = event->ts,
									.session = event->session_no,
									.type = type,
									.kind = (uint8_t)event->kind,
									.direction = (uint8_t)event->direction };
	rc = add_body_values(learner, event->body);
	return rc == 0 && event->key.data ? add_value(learner, IQ_LIT("key"), event->key) : rc;
}

static int take_event(struct iq_learner *learner, const struct iq_event *event)
{
	if (event->severity >= IQ_SEVERITY_ERROR && event->session_no > 0)
		learner->faulty[event->session_no] = true;
	else if (event->severity >= IQ_SEVERITY_ERROR && note_faults(learner, event->body) < 0)
		return IQ_ERR_NOMEM;
	return is_learned(learner, event) ? add_sample(learner, event) : 0;
}

static int read_events(struct iq_learner *learner, struct iq_error *error)
{
	struct iq_filter filter = IQ_FILTER_INIT;
	struct iq_cursor *cursor = NULL;
	struct iq_event event;
	int rc;

	filter.order = IQ_ORDER_TIME;
	filter.columns = 1u << IQ_COLUMN_TS | 1u << IQ_COLUMN_SESSION | 1u << IQ_COLUMN_KIND |
			 1u << IQ_COLUMN_DIRECTION | 1u << IQ_COLUMN_TYPE | 1u << IQ_COLUMN_KEY |
			 1u << IQ_COLUMN_SEVERITY | 1u << IQ_COLUMN_BODY;
	rc = iq_cursor_open(learner->store, &filter, &cursor, error);
	while (rc == 0 && (rc = iq_cursor_next(cursor, &event, error)) > 0) {
		rc = take_event(learner, &event);
		if (rc < 0)
			rc = iq_error_nomem(error);
	}
	iq_cursor_close(cursor);
	return rc;
}

/* ---- Sessions ---- */

static enum iq_left_out why_left_out(const struct iq_learner *learner, const struct iq_session *session)
{
	if (session->state == IQ_SESSION_CUT)
		return IQ_LEFT_CUT;
	if (session->state == IQ_SESSION_REFUSED)
		return IQ_LEFT_REFUSED;
	if (learner->faulty[session->no])
		return IQ_LEFT_FAULTY;
	return session->state == IQ_SESSION_OPEN || !session->start_seen ? IQ_LEFT_OPEN : IQ_LEFT_COUNT;
}

/* Where no session was seen to its end, those that are not known to have gone wrong have to do. */
static void choose_well_ended(struct iq_learner *learner, const struct iq_session *sessions, size_t count)
{
	bool any = false;

	for (size_t i = 0; i < count; i++)
		any |= why_left_out(learner, &sessions[i]) == IQ_LEFT_COUNT;
	for (size_t i = 0; i < count; i++) {
		const enum iq_left_out why = why_left_out(learner, &sessions[i]);

		if (why == IQ_LEFT_COUNT || (why == IQ_LEFT_OPEN && !any))
			learner->chosen[sessions[i].no] = true;
		else
			learner->left_out[why]++;
	}
}

static void choose_sessions(struct iq_learner *learner, const struct iq_learn_options *options)
{
	size_t count;
	const struct iq_session *sessions = iq_store_sessions(learner->store, &count);

	if (options->session_count == 0) {
		choose_well_ended(learner, sessions, count);
		learner->chosen[0] = !learner->has_sessions;
		return;
	}
	for (size_t i = 0; i < options->session_count; i++)
		if (options->sessions[i] < learner->sessions)
			learner->chosen[options->sessions[i]] = true;
	for (size_t i = 0; i < count; i++)
		learner->left_out[IQ_LEFT_OTHER] += !learner->chosen[sessions[i].no];
}

int iq_learner_read(struct iq_learner *learner, struct iq_store *store, const struct iq_learn_options *options,
		    struct iq_error *error)
{
	size_t count;
	const struct iq_session *sessions = iq_store_sessions(store, &count);
	int rc;

	*learner = (struct iq_learner){
		.store = store, .types = IQ_MAP_INIT, .fields = IQ_MAP_INIT, .faults = IQ_MAP_INIT
	};
	learner->has_sessions = count > 0;
	learner->sessions = count > 0 ? sessions[count - 1].no + 1 : 1;
	learner->chosen = iq_arena_calloc(&learner->memory, learner->sessions, 1);
	learner->faulty = iq_arena_calloc(&learner->memory, learner->sessions, 1);
	if (learner->memory.failed)
		return iq_error_nomem(error);
	rc = read_events(learner, error);
	if (rc < 0)
		return rc;
	mark_faulty_sessions(learner);
	choose_sessions(learner, options);
	return 0;
}
