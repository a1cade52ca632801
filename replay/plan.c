#include "replay/plan.h"

#include <inttypes.h>
#include <stdlib.h>
#include <strings.h>

#include "query/query.h"
#include "replay/headers.h"
#include "wire/wire.h"

bool iq_type_is_periodic(struct iq_view type)
{
	/* Some stand behind the name of their dialect: `engine.ping`. */
	static const char *const names[] = { "ping",	   "pong", "heartbeat", "keepalive", "keep_alive",
					     "keep-alive", "tick", "hb",	"ka",	     "connection_keep_alive" };

	const struct iq_view word = iq_view_take_last(&type, '.');

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (word.len == strlen(names[i]) && strncasecmp(word.data, names[i], word.len) == 0)
			return true;
	return false;
}

/* ---- Pieces of events ---- */

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

/* With names in small letters. */
static struct iq_view headers_at(struct iq_plan *plan, struct iq_view attrs)
{
	struct iq_buf scratch = IQ_BUF_INIT, small = IQ_BUF_INIT;
	struct iq_view copy;

	iq_headers_lower(attrs.data ? iq_json_pointer(attrs, IQ_LIT("/headers"), &scratch).raw : IQ_VIEW_NULL, &small);
	copy = small.len ? iq_arena_copy(&plan->memory, iq_buf_view(&small)) : IQ_VIEW_NULL;
	iq_buf_release(&scratch);
	iq_buf_release(&small);
	return copy;
}

static struct iq_view text_at(struct iq_plan *plan, struct iq_view attrs, const char *pointer)
{
	struct iq_buf scratch = IQ_BUF_INIT;
	struct iq_json_value value = iq_json_pointer(attrs, iq_view_cstr(pointer), &scratch);
	struct iq_view copy = value.type == IQ_JSON_STRING ? iq_arena_copy(&plan->memory, value.text) : IQ_VIEW_NULL;

	iq_buf_release(&scratch);
	return copy;
}

/* The evidence may name the opcode (docs/events.md): binary messages can be valid UTF-8 as well. */
bool iq_event_is_binary(const struct iq_event *event)
{
	return event->body_is_binary || number_at(event->attrs, "/opcode") == IQ_WS_BINARY;
}

/* Half a message is not what the client sent. */
static int refuse_cut(const struct iq_event *event, struct iq_error *error)
{
	if (number_at(event->attrs, "/body_bytes") == 0 && number_at(event->attrs, "/line_bytes") == 0)
		return 0;
	return iq_error_set(error, IQ_ERR_LIMIT,
			    "a client message (event %" PRIu64
			    ") was cut when it was taken in, so it cannot be sent again",
			    event->id);
}

static size_t span_until(struct iq_view text, const char *stops)
{
	size_t len = 0;

	while (len < text.len && (text.data[len] == '\0' || !strchr(stops, text.data[len])))
		len++;
	return len;
}

/* `wss://host:port/chat?x=1` -> `/chat?x=1` and `host:port` */
static void split_url(struct iq_view url, struct iq_view *ret_host, struct iq_view *ret_path)
{
	const size_t scheme = iq_view_find(url, IQ_LIT("://"));
	const struct iq_view rest = scheme == SIZE_MAX ? url : iq_view_from(url, scheme + 3);
	struct iq_view path = iq_view_from(rest, span_until(rest, "/?#"));

	*ret_host = scheme == SIZE_MAX ? IQ_VIEW_NULL : iq_view_make(rest.data, rest.len - path.len);
	path.len = span_until(path, "#");
	*ret_path = path.len ? path : IQ_VIEW_NULL;
}

/* `http://h/auth/login?x=1` -> `login` */
static struct iq_view scope_of_url(struct iq_view url)
{
	struct iq_view host, path;

	split_url(url, &host, &path);
	path.len = span_until(path, "?");
	while (path.len > 0 && path.data[path.len - 1] == '/')
		path.len--;
	return iq_view_take_last(&path, '/');
}

/* ---- Turns ---- */

static struct iq_turn *add_turn(struct iq_plan *plan, const struct iq_event *event, struct iq_error *error)
{
	struct iq_turn *turn;

	if (plan->count == IQ_PLAN_MAX_TURNS || plan->memory.used > IQ_PLAN_MAX_BYTES) {
		(void)iq_error_set(error, IQ_ERR_LIMIT, "the session holds more than %u messages or %llu bytes",
				   IQ_PLAN_MAX_TURNS, IQ_PLAN_MAX_BYTES);
		return NULL;
	}
	if (IQ_ARRAY_GROW(plan->turns, plan->capacity, (size_t)plan->count + 1) < 0) {
		(void)iq_error_nomem(error);
		return NULL;
	}
	turn = &plan->turns[plan->count++];
	*turn = (struct iq_turn){ .kind = event->kind,
				  .direction = event->direction,
				  .id = event->id,
				  .ts = event->ts,
				  .next_same = IQ_NO_TURN,
				  .answers = plan->client_messages };
	return turn;
}

/* Messages that share their bytes and their number were one frame (docs/dialects.md), and are sent as one. */
struct frame {
	uint32_t evidence;
	uint64_t offset;
	uint64_t length;
	int64_t seq;
};

static bool goes_on(const struct iq_plan *plan, const struct frame *last, const struct iq_event *event)
{
	const struct iq_turn *turn = plan->count ? &plan->turns[plan->count - 1] : NULL;

	return turn && turn->kind == IQ_KIND_WS_MESSAGE && turn->direction == IQ_DIRECTION_CLIENT &&
	       event->length > 0 && event->evidence == last->evidence && event->offset == last->offset &&
	       event->length == last->length && event->seq == last->seq;
}

/* Appends to what the frame has so far. The messages of a batch stand in an array, which their bodies leave out. */
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

static int add_client_message(struct iq_plan *plan, struct frame *last, const struct iq_event *event,
			      struct iq_error *error)
{
	struct iq_turn *turn;
	int rc = refuse_cut(event, error);

	if (rc < 0)
		return rc;
	if (goes_on(plan, last, event))
		return append_body(plan, &plan->turns[plan->count - 1].texts[IQ_SLOT_BODY], event) < 0
			       ? iq_error_nomem(error)
			       : 0;
	*last = (struct frame){ event->evidence, event->offset, event->length, event->seq };
	turn = add_turn(plan, event, error);
	if (!turn)
		return error->status;
	turn->is_binary = iq_event_is_binary(event);
	turn->is_periodic = iq_type_is_periodic(event->type);
	turn->scope = iq_arena_copy(&plan->memory, event->type.len ? event->type : IQ_LIT("message"));
	plan->client_messages++;
	return append_body(plan, &turn->texts[IQ_SLOT_BODY], event) < 0 ? iq_error_nomem(error) : 0;
}

static int add_server_message(struct iq_plan *plan, const struct iq_event *event, struct iq_error *error)
{
	struct iq_turn *turn = add_turn(plan, event, error);

	if (!turn)
		return error->status;
	turn->is_binary = iq_event_is_binary(event);
	turn->is_periodic = iq_type_is_periodic(event->type);
	turn->texts[IQ_SLOT_BODY] = iq_arena_copy(&plan->memory, event->body);
	turn->key = iq_arena_copy(&plan->memory, event->key);
	plan->server_messages += !turn->is_periodic;
	return iq_map_intern(&plan->types, event->type.data ? event->type : IQ_LIT(""), &turn->type) < 0
		       ? iq_error_nomem(error)
		       : 0;
}

static int add_open(struct iq_plan *plan, const struct iq_event *event, struct iq_error *error)
{
	struct iq_turn *turn;

	if (plan->open != IQ_NO_TURN)
		return 0;
	turn = add_turn(plan, event, error);
	if (!turn)
		return error->status;
	turn->direction = IQ_DIRECTION_CLIENT;
	turn->scope = IQ_LIT("handshake");
	plan->open = plan->count - 1;
	if (!event->attrs.data)
		return 0;
	plan->url = text_at(plan, event->attrs, "/url");
	plan->subprotocol = text_at(plan, event->attrs, "/subprotocol");
	split_url(plan->url, &plan->host, &plan->path);
	turn->texts[IQ_SLOT_URL] = plan->path;
	turn->texts[IQ_SLOT_HEADERS] = headers_at(plan, event->attrs);
	return 0;
}

/* A recording that begins in the middle of its session: a connection is needed all the same. */
static int open_anyway(struct iq_plan *plan, struct iq_error *error)
{
	struct iq_event event = IQ_EVENT_INIT;

	event.kind = IQ_KIND_WS_OPEN;
	return add_open(plan, &event, error);
}

static int add_close(struct iq_plan *plan, const struct iq_event *event, struct iq_error *error)
{
	struct iq_turn *turn = plan->close == IQ_NO_TURN ? add_turn(plan, event, error) : NULL;

	if (!turn)
		return plan->close == IQ_NO_TURN ? error->status : 0;
	plan->close = plan->count - 1;
	turn->code = (uint16_t)number_at(event->attrs, "/code");
	return 0;
}

static int add_exchange(struct iq_plan *plan, const struct iq_event *event, struct iq_error *error)
{
	const bool is_request = event->kind == IQ_KIND_HTTP_REQUEST;
	struct iq_turn *turn = add_turn(plan, event, error);

	if (!turn)
		return error->status;
	turn->direction = is_request ? IQ_DIRECTION_CLIENT : IQ_DIRECTION_SERVER;
	plan->requests += is_request;
	turn->code = (uint16_t)number_at(event->attrs, "/status");
	turn->method = text_at(plan, event->attrs, "/method");
	turn->texts[IQ_SLOT_URL] = text_at(plan, event->attrs, "/url");
	turn->texts[IQ_SLOT_HEADERS] = headers_at(plan, event->attrs);
	turn->texts[IQ_SLOT_BODY] = iq_arena_copy(&plan->memory, event->body);
	turn->key = iq_arena_copy(&plan->memory, event->key);
	turn->scope = is_request ? scope_of_url(turn->texts[IQ_SLOT_URL]) : IQ_VIEW_NULL;
	turn->answers = IQ_NO_TURN;
	for (uint32_t i = plan->count - 1; !is_request && i-- > 0;)
		if (plan->turns[i].kind == IQ_KIND_HTTP_REQUEST && iq_view_eq(plan->turns[i].key, turn->key)) {
			turn->answers = i;
			break;
		}
	return is_request ? refuse_cut(event, error) : 0;
}

static int take_event(struct iq_plan *plan, struct frame *last, const struct iq_event *event, struct iq_error *error)
{
	switch (event->kind) {
	case IQ_KIND_WS_OPEN:
		return add_open(plan, event, error);
	case IQ_KIND_WS_CLOSE:
		return add_close(plan, event, error);
	case IQ_KIND_HTTP_REQUEST:
	case IQ_KIND_HTTP_RESPONSE:
		return add_exchange(plan, event, error);
	case IQ_KIND_WS_MESSAGE:
		if (plan->open == IQ_NO_TURN && open_anyway(plan, error) < 0)
			return error->status;
		if (event->direction == IQ_DIRECTION_CLIENT)
			return add_client_message(plan, last, event, error);
		return event->direction == IQ_DIRECTION_SERVER ? add_server_message(plan, event, error) : 0;
	default:
		return 0;
	}
}

static int take_all(struct iq_plan *plan, struct iq_store *store, const struct iq_filter *filter,
		    struct iq_error *error)
{
	struct frame last = { 0 };
	struct iq_cursor *cursor;
	struct iq_event event;
	int rc = iq_cursor_open(store, filter, &cursor, error);

	if (rc < 0)
		return rc;
	while ((rc = iq_cursor_next(cursor, &event, error)) > 0) {
		rc = take_event(plan, &last, &event, error);
		if (rc < 0)
			break;
	}
	iq_cursor_close(cursor);
	return rc < 0 ? rc : plan->memory.failed ? iq_error_nomem(error) : 0;
}

/* The requests around the session, each before the first of the session's turns that came later. */
static int take_exchanges(struct iq_plan *plan, struct iq_store *store, struct iq_error *error)
{
	struct iq_filter filter = IQ_FILTER_INIT;
	uint64_t *ids = NULL;
	size_t count = 0;
	int rc = iq_session_beside(store, plan->session_no, &ids, &count, error);

	filter.kinds = 1u << IQ_KIND_HTTP_REQUEST | 1u << IQ_KIND_HTTP_RESPONSE;
	for (size_t i = 0; rc == 0 && i < count; i++) {
		filter.id_min = filter.id_max = ids[i];
		rc = take_all(plan, store, &filter, error);
	}
	free(ids);
	return rc;
}

static int by_time(const void *a, const void *b)
{
	const struct iq_turn *x = a, *y = b;

	if (x->ts != y->ts)
		return x->ts < y->ts ? -1 : 1;
	return (x->id > y->id) - (x->id < y->id);
}

/* A session's own turns keep their order, whatever their clocks say. */
static int merge_exchanges(struct iq_plan *plan, uint32_t exchanges)
{
	struct iq_turn *merged = calloc((size_t)plan->count + 1, sizeof(*merged));
	uint32_t *moved = calloc((size_t)plan->count + 1, sizeof(*moved));
	uint32_t next = 0, own = exchanges;

	if (!merged || !moved) {
		free(merged);
		free(moved);
		return IQ_ERR_NOMEM;
	}
	for (uint32_t i = 0; i < plan->count; i++) {
		const bool first =
			own == plan->count || (next < exchanges && plan->turns[next].ts <= plan->turns[own].ts);
		const uint32_t from = next < exchanges && first ? next++ : own++;

		merged[i] = plan->turns[from];
		moved[from] = i;
	}
	for (uint32_t i = 0; i < plan->count; i++)
		if (merged[i].kind == IQ_KIND_HTTP_RESPONSE && merged[i].answers != IQ_NO_TURN)
			merged[i].answers = moved[merged[i].answers];
	plan->open = plan->open == IQ_NO_TURN ? IQ_NO_TURN : moved[plan->open];
	plan->close = plan->close == IQ_NO_TURN ? IQ_NO_TURN : moved[plan->close];
	free(plan->turns);
	free(moved);
	plan->turns = merged;
	plan->capacity = (size_t)plan->count + 1;
	return 0;
}

/* Lists of the turns of each type. */
static int index_types(struct iq_plan *plan)
{
	plan->first_of_type = calloc(plan->types.count + 1, sizeof(*plan->first_of_type));
	if (!plan->first_of_type)
		return IQ_ERR_NOMEM;
	memset(plan->first_of_type, 0xff, (plan->types.count + 1) * sizeof(*plan->first_of_type));
	for (uint32_t i = plan->count; i-- > 0;) {
		struct iq_turn *turn = &plan->turns[i];

		if (turn->kind != IQ_KIND_WS_MESSAGE || turn->direction != IQ_DIRECTION_SERVER)
			continue;
		turn->next_same = plan->first_of_type[turn->type];
		plan->first_of_type[turn->type] = i;
	}
	return 0;
}

/* ---- The flow ---- */

static int tell_turn(struct iq_plan *plan, uint32_t index)
{
	struct iq_turn *turn = &plan->turns[index];
	int rc = 0;

	for (int slot = 0; slot < IQ_SLOT_COUNT && rc >= 0; slot++) {
		const struct iq_view text = turn->texts[slot];
		size_t uses = 0;

		if (text.len == 0)
			continue;
		if (turn->direction == IQ_DIRECTION_CLIENT)
			rc = iq_flow_say(&plan->flow, index, (enum iq_slot)slot, turn->scope, text, turn->ts, &uses);
		else if (slot != IQ_SLOT_URL)
			rc = iq_flow_hear(&plan->flow, index, (enum iq_slot)slot, text);
		turn->uses += uses;
	}
	return rc;
}

static int find_flow(struct iq_plan *plan)
{
	int rc = 0;

	for (size_t i = 0; i < plan->types.count && rc >= 0; i++)
		rc = iq_flow_ignore(&plan->flow, plan->types.entries[i].key);
	for (uint32_t i = 0; i < plan->count && rc >= 0; i++)
		rc = tell_turn(plan, i);
	return rc < 0 ? rc : 0;
}

/* What the server says in another session as well. */
static int learn_constants(struct iq_plan *plan, struct iq_store *store, uint32_t other, struct iq_error *error)
{
	struct iq_filter filter = IQ_FILTER_INIT;
	struct iq_cursor *cursor;
	struct iq_event event;
	int rc;

	filter.sessions = &other;
	filter.session_count = 1;
	filter.kinds = 1u << IQ_KIND_WS_MESSAGE;
	rc = iq_cursor_open(store, &filter, &cursor, error);
	if (rc < 0)
		return rc;
	while ((rc = iq_cursor_next(cursor, &event, error)) > 0)
		if (event.direction == IQ_DIRECTION_SERVER && (rc = iq_flow_constant(&plan->flow, event.body)) < 0)
			break;
	iq_cursor_close(cursor);
	return rc;
}

/* ---- The whole ---- */

static struct iq_view why_incomplete(struct iq_store *store, const struct iq_session *session)
{
	size_t count;
	const struct iq_gap *gaps = iq_store_gaps(store, &count);

	if (!session->start_seen)
		return IQ_LIT("its beginning was not recorded");
	for (size_t i = 0; i < count; i++)
		if (iq_gap_touches(&gaps[i], session))
			return gaps[i].reason.len ? gaps[i].reason : IQ_LIT("a gap");
	return IQ_VIEW_NULL;
}

static int read_turns(struct iq_plan *plan, struct iq_store *store, struct iq_error *error)
{
	struct iq_filter filter = IQ_FILTER_INIT;
	uint32_t exchanges;
	int rc = take_exchanges(plan, store, error);

	exchanges = plan->count;
	if (rc == 0 && exchanges > 0)
		qsort(plan->turns, exchanges, sizeof(*plan->turns), by_time);
	filter.sessions = &plan->session_no;
	filter.session_count = 1;
	if (rc == 0)
		rc = take_all(plan, store, &filter, error);
	if (rc == 0 && (merge_exchanges(plan, exchanges) < 0 || index_types(plan) < 0))
		rc = iq_error_nomem(error);
	return rc;
}

static int refuse_silent(const struct iq_plan *plan, struct iq_error *error)
{
	if (plan->client_messages > 0)
		return 0;
	return iq_error_set(error, IQ_ERR_USAGE,
			    "s%" PRIu32 ": the client sent nothing in this session, so there is nothing to replay",
			    plan->session_no);
}

static int read_plan(struct iq_store *store, uint32_t session_no, const uint32_t *others, size_t other_count, bool any,
		     struct iq_plan *ret_plan, struct iq_error *error)
{
	const struct iq_session *session = iq_store_find_session(store, session_no);
	struct iq_plan plan = { .memory = IQ_ARENA_INIT, .types = IQ_MAP_INIT, .session_no = session_no };
	int rc;

	if (!session)
		return iq_error_set(error, IQ_ERR_NOT_FOUND, "no session s%" PRIu32 "; `inquest sessions` lists them",
				    session_no);
	iq_flow_init(&plan.flow);
	plan.open = plan.close = IQ_NO_TURN;
	plan.name = iq_arena_copy(&plan.memory, session->name);
	plan.incomplete = iq_arena_copy(&plan.memory, why_incomplete(store, session));
	rc = read_turns(&plan, store, error);
	if (rc == 0 && !any)
		rc = refuse_silent(&plan, error);
	for (size_t i = 0; i < other_count && rc == 0; i++)
		if (others[i] != session_no)
			rc = learn_constants(&plan, store, others[i], error);
	if (rc == 0 && find_flow(&plan) < 0)
		rc = iq_error_nomem(error);
	plan.started = plan.count ? plan.turns[0].ts : 0;
	if (rc < 0)
		iq_plan_release(&plan);
	else
		*ret_plan = plan;
	return rc;
}

int iq_plan_read(struct iq_store *store, uint32_t session_no, const uint32_t *others, size_t other_count,
		 struct iq_plan *ret_plan, struct iq_error *error)
{
	return read_plan(store, session_no, others, other_count, false, ret_plan, error);
}

int iq_plan_read_any(struct iq_store *store, uint32_t session_no, struct iq_plan *ret_plan, struct iq_error *error)
{
	return read_plan(store, session_no, NULL, 0, true, ret_plan, error);
}

uint32_t iq_plan_response(const struct iq_plan *plan, uint32_t request)
{
	for (uint32_t i = request + 1; i < plan->count; i++)
		if (plan->turns[i].kind == IQ_KIND_HTTP_RESPONSE && plan->turns[i].answers == request)
			return i;
	return IQ_NO_TURN;
}

void iq_plan_release(struct iq_plan *plan)
{
	iq_flow_release(&plan->flow);
	iq_map_release(&plan->types);
	free(plan->first_of_type);
	free(plan->turns);
	iq_arena_release(&plan->memory);
}

uint32_t iq_plan_find_type(const struct iq_plan *plan, struct iq_view type)
{
	const uint64_t *index = iq_map_get(&plan->types, type.data ? type : IQ_LIT(""));

	return index ? (uint32_t)*index : UINT32_MAX;
}

struct iq_view iq_plan_type_name(const struct iq_plan *plan, uint32_t type)
{
	const struct iq_view name = plan->types.entries[type].key;

	return name.len ? iq_utf8_cut(name, 60) : IQ_LIT("a message without a type");
}

/* ---- Flows ---- */

/* A hash of the types of the client's messages, for each session. */
static int hash_sessions(struct iq_store *store, uint64_t *hashes, size_t count, const struct iq_session *sessions,
			 struct iq_error *error)
{
	struct iq_filter filter = IQ_FILTER_INIT;
	struct iq_cursor *cursor;
	struct iq_event event;
	int rc;

	filter.kinds = 1u << IQ_KIND_WS_MESSAGE;
	filter.columns = 1u << IQ_COLUMN_SESSION | 1u << IQ_COLUMN_DIRECTION | 1u << IQ_COLUMN_TYPE;
	rc = iq_cursor_open(store, &filter, &cursor, error);
	if (rc < 0)
		return rc;
	while ((rc = iq_cursor_next(cursor, &event, error)) > 0) {
		const struct iq_session *session = iq_store_find_session(store, event.session_no);

		if (session && (size_t)(session - sessions) < count && event.direction == IQ_DIRECTION_CLIENT)
			hashes[session - sessions] = hashes[session - sessions] * 31 + iq_hash64(event.type) + 1;
	}
	iq_cursor_close(cursor);
	return rc;
}

int iq_plan_flows(struct iq_store *store, uint32_t **ret_flows, struct iq_error *error)
{
	size_t count;
	const struct iq_session *sessions = iq_store_sessions(store, &count);
	uint64_t *hashes = calloc(count + 1, sizeof(*hashes));
	uint32_t *flows = calloc(count + 1, sizeof(*flows));
	struct iq_map known = IQ_MAP_INIT;
	int rc = hashes && flows ? hash_sessions(store, hashes, count, sessions, error) : iq_error_nomem(error);

	for (size_t i = 0; i < count && rc >= 0; i++)
		rc = iq_map_intern(&known, iq_view_make((const char *)&hashes[i], sizeof(hashes[i])), &flows[i]);
	iq_map_release(&known);
	free(hashes);
	if (rc < 0)
		free(flows);
	else
		*ret_flows = flows;
	return rc < 0 ? rc : 0;
}
