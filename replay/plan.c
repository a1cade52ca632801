#include "replay/plan.h"

#include <inttypes.h>
#include <stdlib.h>

#include "wire/wire.h"

/* How many server messages of a type there were while the session is read; `noted` is what the last client message knew. */
struct count {
	uint32_t seen;
	uint32_t noted;
};

struct counts {
	struct count *types;
	size_t capacity;
};

static int count_type(struct counts *counts, uint32_t type)
{
	if (IQ_ARRAY_GROW(counts->types, counts->capacity, (size_t)type + 1) < 0)
		return IQ_ERR_NOMEM;
	counts->types[type].seen++;
	return 0;
}

/* What has come since the last client message. */
static int take_needs(struct iq_plan *plan, struct counts *counts, const struct iq_plan_need **ret_needs,
		      size_t *ret_count)
{
	size_t count = 0;
	struct iq_plan_need *needs;

	for (size_t i = 0; i < counts->capacity; i++)
		count += counts->types[i].seen > counts->types[i].noted;
	needs = iq_arena_calloc(&plan->memory, count + 1, sizeof(*needs));
	if (!needs)
		return IQ_ERR_NOMEM;
	*ret_needs = needs;
	*ret_count = count;
	for (size_t i = 0; i < counts->capacity; i++) {
		if (counts->types[i].seen > counts->types[i].noted)
			*needs++ = (struct iq_plan_need){ (uint32_t)i, counts->types[i].seen };
		counts->types[i].noted = counts->types[i].seen;
	}
	return 0;
}

static int64_t number_at(struct iq_view attrs, const char *pointer)
{
	struct iq_buf scratch = IQ_BUF_INIT;
	struct iq_json_value value =
		attrs.data ? iq_json_pointer(attrs, iq_view_cstr(pointer), &scratch) : (struct iq_json_value){ 0 };
	int64_t number = 0;

	if (value.type == IQ_JSON_NUMBER)
		(void)iq_view_to_int64(value.text, &number);
	iq_buf_release(&scratch);
	return number;
}

/* The evidence may name the opcode (docs/events.md): binary messages can be valid UTF-8 as well. */
static bool is_binary(const struct iq_event *event)
{
	return event->body_is_binary || number_at(event->attrs, "/opcode") == IQ_WS_BINARY;
}

/* Half a message is not what the client sent. */
static int refuse_cut(const struct iq_plan *plan, const struct iq_event *event, struct iq_error *error)
{
	if (number_at(event->attrs, "/body_bytes") == 0 && number_at(event->attrs, "/line_bytes") == 0)
		return 0;
	return iq_error_set(error, IQ_ERR_LIMIT,
			    "client message %zu (event %" PRIu64 ") was cut when it was taken in, "
			    "so it cannot be sent again",
			    plan->message_count + 1, event->id);
}

/* Messages that share their bytes and their number were one frame (docs/dialects.md), and are sent as one. */
static bool goes_on(const struct iq_plan *plan, const struct iq_event *event)
{
	return plan->message_count > 0 && event->length > 0 && event->evidence == plan->last_evidence &&
	       event->offset == plan->last_offset && event->length == plan->last_length && event->seq == plan->last_seq;
}

/* Appends `body` to what the frame has so far. The messages of a batch stand in an array, which their bodies leave out. */
static int append_body(struct iq_plan *plan, struct iq_view *frame, const struct iq_event *event)
{
	const bool batch = number_at(event->attrs, "/batch") > 0;
	const size_t kept = frame->len - (batch && frame->len > 0 ? 1 : 0);
	char *joined = iq_arena_alloc(&plan->memory, kept + event->body.len + 3);
	size_t len = kept;

	if (!joined)
		return IQ_ERR_NOMEM;
	if (kept > 0)
		memcpy(joined, frame->data, kept);
	if (batch)
		joined[len++] = kept > 0 ? ',' : '[';
	if (event->body.len > 0)
		memcpy(joined + len, event->body.data, event->body.len);
	len += event->body.len;
	if (batch)
		joined[len++] = ']';
	*frame = iq_view_make(joined, len);
	return 0;
}

static int join_message(struct iq_plan *plan, const struct iq_event *event, struct iq_error *error)
{
	if (plan->memory.used > IQ_PLAN_MAX_BYTES)
		return iq_error_set(error, IQ_ERR_LIMIT, "the session holds more than %llu bytes to send",
				    IQ_PLAN_MAX_BYTES);
	return append_body(plan, &plan->messages[plan->message_count - 1].body, event) < 0 ? iq_error_nomem(error) : 0;
}

static int add_message(struct iq_plan *plan, struct counts *counts, const struct iq_event *event,
		       struct iq_error *error)
{
	struct iq_plan_message *message;

	if (goes_on(plan, event))
		return join_message(plan, event, error);
	plan->last_evidence = event->evidence;
	plan->last_offset = event->offset;
	plan->last_length = event->length;
	plan->last_seq = event->seq;
	if (plan->message_count == IQ_PLAN_MAX_MESSAGES || plan->memory.used > IQ_PLAN_MAX_BYTES)
		return iq_error_set(error, IQ_ERR_LIMIT,
				    "the session holds more than %u messages or %llu bytes to send",
				    IQ_PLAN_MAX_MESSAGES, IQ_PLAN_MAX_BYTES);
	if (IQ_ARRAY_GROW(plan->messages, plan->message_capacity, plan->message_count + 1) < 0)
		return iq_error_nomem(error);
	message = &plan->messages[plan->message_count++];
	*message = (struct iq_plan_message){ .is_binary = is_binary(event) };
	if (append_body(plan, &message->body, event) < 0 ||
	    take_needs(plan, counts, &message->needs, &message->need_count) < 0)
		return iq_error_nomem(error);
	return 0;
}

static struct iq_view text_at(struct iq_plan *plan, struct iq_view attrs, const char *pointer)
{
	struct iq_buf scratch = IQ_BUF_INIT;
	struct iq_json_value value = iq_json_pointer(attrs, iq_view_cstr(pointer), &scratch);
	struct iq_view copy = value.type == IQ_JSON_STRING ? iq_arena_copy(&plan->memory, value.text) : IQ_VIEW_NULL;

	iq_buf_release(&scratch);
	return copy;
}

static size_t span_until(struct iq_view text, const char *stops)
{
	size_t len = 0;

	while (len < text.len && (text.data[len] == '\0' || !strchr(stops, text.data[len])))
		len++;
	return len;
}

/* `wss://host:port/chat?x=1` -> `/chat?x=1`: the recorded scheme and host do not matter. */
static struct iq_view path_of(struct iq_view url)
{
	size_t scheme = iq_view_find(url, IQ_LIT("://"));
	struct iq_view rest = scheme == SIZE_MAX ? url : iq_view_from(url, scheme + 3);
	struct iq_view path = iq_view_from(rest, span_until(rest, "/?#"));

	path.len = span_until(path, "#");
	return path.len ? path : IQ_VIEW_NULL;
}

static int take_event(struct iq_plan *plan, struct counts *counts, const struct iq_event *event, struct iq_error *error)
{
	uint32_t type;

	if (event->kind == IQ_KIND_WS_OPEN && !plan->path.data) {
		plan->path = path_of(text_at(plan, event->attrs, "/url"));
		plan->subprotocol = text_at(plan, event->attrs, "/subprotocol");
	}
	if (event->kind != IQ_KIND_WS_MESSAGE)
		return 0;
	if (event->direction == IQ_DIRECTION_CLIENT)
		return refuse_cut(plan, event, error) < 0 ? IQ_ERR_LIMIT : add_message(plan, counts, event, error);
	if (event->direction != IQ_DIRECTION_SERVER)
		return 0;
	plan->expected++;
	if (iq_plan_type(plan, event->type, &type) < 0 || count_type(counts, type) < 0)
		return iq_error_nomem(error);
	return 0;
}

static int read_events(struct iq_store *store, uint32_t session_no, struct iq_plan *plan, struct counts *counts,
		       struct iq_error *error)
{
	struct iq_filter filter = IQ_FILTER_INIT;
	struct iq_cursor *cursor;
	struct iq_event event;
	int rc;

	filter.sessions = &session_no;
	filter.session_count = 1;
	rc = iq_cursor_open(store, &filter, &cursor, error);
	if (rc < 0)
		return rc;
	while ((rc = iq_cursor_next(cursor, &event, error)) > 0) {
		rc = take_event(plan, counts, &event, error);
		if (rc < 0)
			break;
	}
	iq_cursor_close(cursor);
	if (rc == 0 && take_needs(plan, counts, &plan->last_needs, &plan->last_need_count) < 0)
		rc = iq_error_nomem(error);
	return rc;
}

static const struct iq_session *find_session(const struct iq_store *store, uint32_t no)
{
	size_t count;
	const struct iq_session *sessions = iq_store_sessions(store, &count);

	for (size_t i = 0; i < count; i++)
		if (sessions[i].no == no)
			return &sessions[i];
	return NULL;
}

int iq_plan_read(struct iq_store *store, uint32_t session_no, struct iq_plan *ret_plan, struct iq_error *error)
{
	const struct iq_session *session = find_session(store, session_no);
	struct iq_plan plan = { .memory = IQ_ARENA_INIT, .types = IQ_MAP_INIT };
	struct counts counts = { 0 };
	int rc;

	if (!session)
		return iq_error_set(error, IQ_ERR_NOT_FOUND, "no session s%" PRIu32 "; `inquest sessions` lists them",
				    session_no);
	plan.session_name = iq_arena_copy(&plan.memory, session->name);
	rc = read_events(store, session_no, &plan, &counts, error);
	if (rc == 0 && plan.message_count == 0)
		rc = iq_error_set(error, IQ_ERR_USAGE,
				  "s%" PRIu32
				  ": the client sent nothing in this session, so there is nothing to replay",
				  session_no);
	free(counts.types);
	if (rc < 0)
		iq_plan_release(&plan);
	else
		*ret_plan = plan;
	return rc;
}

void iq_plan_release(struct iq_plan *plan)
{
	iq_map_release(&plan->types);
	free(plan->messages);
	iq_arena_release(&plan->memory);
}

int iq_plan_type(struct iq_plan *plan, struct iq_view type, uint32_t *ret_type)
{
	return iq_map_intern(&plan->types, type.data ? type : IQ_LIT(""), ret_type) < 0 ? IQ_ERR_NOMEM : 0;
}
