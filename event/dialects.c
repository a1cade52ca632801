/* The registry, and what is remembered. Two memories: of handshakes, for as long as a session lives, and of messages, for a
 * window of the evidence. The latter is two generations of a map, of which the older one is dropped when the newer one has grown
 * old. Keys of both are bytes put together by begin_key() and add_key(). */
#include "event/dialects.h"

#include <stdlib.h>

/* Sessions whose handshake is remembered, and bytes of their names. */
#define MAX_HANDSHAKES 131072u
#define MAX_HANDSHAKE_BYTES (8u << 20)
/* What is longer is not remembered: the names of source and session together, an id, a type. */
#define LONGEST 512u

#define POINTER(id, name) &iq_dialect_##id,
static const struct iq_dialect *const dialects_by_order[] = { IQ_DIALECTS(POINTER) };
#define NAME(id, name) name,
static const char *const names[] = { IQ_DIALECTS(NAME) };
#define DIALECTS (sizeof(dialects_by_order) / sizeof(dialects_by_order[0]))

/* Something that a message said. */
struct remembered {
	uint64_t offset;
	uint32_t dialect; /* number + 1, of a session that it is sure of */
	uint32_t frames;  /* attachments that are still to come */
	size_t type_at;	  /* in the texts of the generation */
	size_t type_len;
	size_t key_len; /* behind the type */
	bool has_key;
};

struct generation {
	struct iq_map map; /* -> index in items, which is that of the entry */
	struct remembered *items;
	size_t capacity;
	struct iq_buf texts;
	uint64_t from; /* offset of the first */
};

/* What one key in the memory of messages is about. */
enum about { ABOUT_SESSION = 'd', ABOUT_REQUEST = 'r', ABOUT_ATTACHMENTS = 'a' };

struct iq_dialects {
	uint32_t forced; /* number + 1; 0: none */
	bool plain;	 /* forced to plain JSON */
	struct iq_map handshakes;
	struct generation generations[2]; /* newer, older */
	struct iq_buf key;
	struct iq_buf scratch;
	struct iq_buf type;
	struct iq_buf attrs;
};

/* ---- Life ---- */

static void release_generation(struct generation *generation)
{
	iq_map_release(&generation->map);
	iq_buf_release(&generation->texts);
	free(generation->items);
}

static void clear_generation(struct generation *generation)
{
	iq_map_clear(&generation->map);
	iq_buf_clear(&generation->texts);
}

static bool force(struct iq_dialects *dialects, struct iq_view name)
{
	dialects->plain = iq_view_eq(name, IQ_LIT("json"));
	for (uint32_t i = 0; i < DIALECTS; i++)
		if (iq_view_eq(name, iq_view_cstr(names[i])))
			dialects->forced = i + 1;
	return dialects->plain || dialects->forced;
}

struct iq_dialects *iq_dialects_new(const char *name)
{
	struct iq_dialects *dialects = calloc(1, sizeof(*dialects));

	if (dialects && name && !force(dialects, iq_view_cstr(name))) {
		free(dialects);
		return NULL;
	}
	return dialects;
}

void iq_dialects_free(struct iq_dialects *dialects)
{
	if (!dialects)
		return;
	iq_map_release(&dialects->handshakes);
	release_generation(&dialects->generations[0]);
	release_generation(&dialects->generations[1]);
	iq_buf_release(&dialects->key);
	iq_buf_release(&dialects->scratch);
	iq_buf_release(&dialects->type);
	iq_buf_release(&dialects->attrs);
	free(dialects);
}

void iq_dialects_begin(struct iq_dialects *dialects)
{
	clear_generation(&dialects->generations[0]);
	clear_generation(&dialects->generations[1]);
}

/* ---- Keys ---- */

static void add_key(struct iq_dialects *dialects, struct iq_view part)
{
	(void)iq_buf_append(&dialects->key, iq_view_make((const char *)&part.len, sizeof(part.len)));
	(void)iq_buf_append(&dialects->key, part);
}

/* False for a session that is not remembered. */
static bool begin_key(struct iq_dialects *dialects, const struct iq_event *event)
{
	iq_buf_clear(&dialects->key);
	if (event->source.len + event->session.len > LONGEST)
		return false;
	add_key(dialects, event->source);
	add_key(dialects, event->session);
	return true;
}

/* NULL for what is not remembered. */
static struct iq_view message_key(struct iq_dialects *dialects, const struct iq_event *event, enum about about,
				  enum iq_direction direction, struct iq_view scope, struct iq_view id)
{
	const char tag[2] = { (char)about, (char)direction };

	if (id.len > LONGEST || scope.len > LONGEST || !begin_key(dialects, event))
		return IQ_VIEW_NULL;
	(void)iq_buf_append(&dialects->key, iq_view_make(tag, sizeof(tag)));
	add_key(dialects, scope);
	(void)iq_buf_append(&dialects->key, id);
	return iq_buf_view(&dialects->key);
}

/* ---- The memory of messages ---- */

static bool remembers(const struct iq_dialects *dialects)
{
	return dialects->generations[0].map.count > 0 || dialects->generations[1].map.count > 0;
}

uint64_t iq_dialects_place(const struct iq_dialects *dialects, uint64_t position)
{
	if (!remembers(dialects))
		return position;
	return position > IQ_DIALECT_WINDOW ? position - IQ_DIALECT_WINDOW : 0;
}

/* Events may begin before the last one did, where their ranges overlap. */
static bool is_within(uint64_t from, uint64_t offset)
{
	return offset <= from || offset - from <= IQ_DIALECT_WINDOW;
}

static struct remembered *recall(struct iq_dialects *dialects, struct iq_view key, uint64_t offset,
				 const struct generation **ret_generation)
{
	for (size_t i = 0; i < 2 && key.data; i++) {
		struct generation *generation = &dialects->generations[i];
		const uint64_t *index = generation->map.count ? iq_map_get(&generation->map, key) : NULL;

		if (!index)
			continue;
		*ret_generation = generation;
		return is_within(generation->items[*index].offset, offset) ? &generation->items[*index] : NULL;
	}
	return NULL;
}

static struct iq_view type_of(const struct generation *generation, const struct remembered *item)
{
	return iq_view_make(generation->texts.data + item->type_at, item->type_len);
}

static void age(struct iq_dialects *dialects, uint64_t offset)
{
	struct generation *newer = &dialects->generations[0], older = dialects->generations[1];

	if (newer->map.count > 0 && newer->map.count < IQ_DIALECT_MEMORY && is_within(newer->from, offset) &&
	    newer->texts.len + newer->map.keys.used < IQ_DIALECT_MEMORY_BYTES)
		return;
	if (newer->map.count > 0) {
		dialects->generations[1] = *newer;
		*newer = older;
		clear_generation(newer);
	}
	newer->from = offset;
}

static int hold(struct generation *generation, size_t needed)
{
	struct remembered *grown;
	size_t capacity = generation->capacity ? 2 * generation->capacity : 64;

	if (needed <= generation->capacity)
		return 0;
	grown = realloc(generation->items, capacity * sizeof(*grown));
	if (!grown)
		return IQ_ERR_NOMEM;
	generation->items = grown;
	generation->capacity = capacity;
	return 0;
}

/* What was remembered under this key is replaced. */
static int remember(struct iq_dialects *dialects, struct iq_view key, struct remembered item, struct iq_view type,
		    struct iq_view message_id)
{
	struct generation *generation = &dialects->generations[0];
	uint32_t index;

	if (!key.data || type.len > LONGEST)
		return 0;
	age(dialects, item.offset);
	item.type_at = generation->texts.len;
	item.type_len = type.len;
	item.key_len = message_id.len;
	item.has_key = message_id.data;
	if (hold(generation, generation->map.count + 1) < 0 || iq_buf_append(&generation->texts, type) < 0 ||
	    iq_buf_append(&generation->texts, message_id) < 0 || iq_map_intern(&generation->map, key, &index) < 0)
		return IQ_ERR_NOMEM;
	generation->items[index] = item;
	return 0;
}

/* ---- Which dialect ---- */

static struct iq_view text_at(const struct iq_event *event, struct iq_view pointer, struct iq_buf *scratch)
{
	struct iq_json_value value = iq_json_pointer(event->attrs, pointer, scratch);

	return value.type == IQ_JSON_STRING ? value.text : IQ_VIEW_NULL;
}

static int set_handshake(struct iq_dialects *dialects, const struct iq_event *event, uint32_t dialect)
{
	if (!begin_key(dialects, event))
		return 0;
	if (dialects->key.failed)
		return IQ_ERR_NOMEM;
	if (dialect == 0 && !iq_map_get(&dialects->handshakes, iq_buf_view(&dialects->key)))
		return 0;
	/* Sessions beyond that are known by their messages. */
	if (dialects->handshakes.count >= MAX_HANDSHAKES || dialects->handshakes.keys.used >= MAX_HANDSHAKE_BYTES)
		iq_map_clear(&dialects->handshakes);
	return iq_map_set(&dialects->handshakes, iq_buf_view(&dialects->key), dialect);
}

static int take_handshake(struct iq_dialects *dialects, const struct iq_event *open)
{
	struct iq_view url, subprotocol;
	uint32_t dialect = 0;

	if (!open->attrs.data)
		return 0;
	iq_buf_clear(&dialects->scratch);
	if (iq_buf_reserve(&dialects->scratch, 2 * open->attrs.len) < 0)
		return IQ_ERR_NOMEM;
	url = text_at(open, IQ_LIT("/url"), &dialects->scratch);
	subprotocol = text_at(open, IQ_LIT("/subprotocol"), &dialects->scratch);
	for (uint32_t i = 0; i < DIALECTS && dialect == 0; i++)
		if (dialects_by_order[i]->handshake(url, subprotocol))
			dialect = i + 1;
	return set_handshake(dialects, open, dialect);
}

/* What the messages of a frame are read as. */
struct choice {
	uint32_t dialect; /* number + 1; 0: plain JSON */
	bool by_messages; /* nothing but what the session says tells */
};

/* The dialect that the session is known to speak. */
static struct choice known_dialect(struct iq_dialects *dialects, const struct iq_event *event)
{
	const struct generation *generation;
	const struct remembered *item;
	const uint64_t *dialect = NULL;

	if (dialects->forced || dialects->plain)
		return (struct choice){ dialects->forced, false };
	if (dialects->handshakes.count > 0 && begin_key(dialects, event))
		dialect = iq_map_get(&dialects->handshakes, iq_buf_view(&dialects->key));
	if (dialect && *dialect)
		return (struct choice){ (uint32_t)*dialect, false };
	item = remembers(dialects) ? recall(dialects,
					    message_key(dialects, event, ABOUT_SESSION, IQ_DIRECTION_NONE, IQ_VIEW_NULL,
							IQ_VIEW_NULL),
					    event->offset, &generation)
				   : NULL;
	return (struct choice){ item ? item->dialect : 0, true };
}

/* Can a message be sure to be of some dialect? Asked of each message of the sessions that speak plain JSON, `type` being what
 * it is there: most are not worth more. */
static bool is_odd(struct iq_view body, struct iq_view type)
{
	if (body.len == 0)
		return false;
	if (body.data[0] != '{' || body.data[body.len - 1] == '\x1e')
		return (body.data[0] >= '0' && body.data[0] <= '6') || body.data[0] == '[' || body.data[0] == '{';
	if (!type.data)
		return iq_has(body, IQ_LIT("\"jsonrpc\""));
	return (type.len > 0 && type.data[0] >= 'A' && type.data[0] <= 'Z') || memchr(type.data, '.', type.len) ||
	       iq_view_starts_with(type, IQ_LIT("connection_")) || iq_view_starts_with(type, IQ_LIT("phx_"));
}

static struct iq_view without_separator(const struct iq_dialect *dialect, struct iq_view message)
{
	while (dialect->separator && message.len > 0 && message.data[message.len - 1] == dialect->separator)
		message.len--;
	return message;
}

/* The message at `at` in a frame, with its separators. */
static struct iq_part part_at(const struct iq_dialect *dialect, struct iq_view frame, size_t at)
{
	const struct iq_view rest = iq_view_from(frame, at);
	struct iq_part part = { .number = 0 };
	const char *found = dialect->separator && rest.len > 0 ? memchr(rest.data, dialect->separator, rest.len) : NULL;
	size_t len = found ? (size_t)(found - rest.data) : rest.len;

	if (dialect->part && dialect->part(frame, at, &part))
		return part;
	while (found && len < rest.len && rest.data[len] == dialect->separator)
		len++;
	part.body = iq_view_make(rest.data, len);
	part.message = without_separator(dialect, part.body);
	part.end = at + len;
	return part;
}

static enum iq_fit read_message(struct iq_dialects *dialects, const struct iq_dialect *dialect, struct iq_view message,
				struct iq_reading *ret_reading)
{
	*ret_reading = (struct iq_reading){ .role = IQ_ROLE_NONE };
	iq_buf_clear(&dialects->scratch);
	return dialect->read(message, ret_reading, &dialects->scratch);
}

/* SignalR has no message that is sure by itself, but ends each as nobody else does. */
static bool is_sure(const struct iq_dialect *dialect, enum iq_fit fit, struct iq_view body)
{
	return fit == IQ_FIT_SURE || (fit == IQ_FIT_LIKELY && dialect->separator && body.data[0] == '{' &&
				      body.data[body.len - 1] == dialect->separator);
}

static uint32_t identify(struct iq_dialects *dialects, const struct iq_event *event)
{
	struct iq_reading reading;

	for (uint32_t i = 0; i < DIALECTS; i++) {
		const struct iq_dialect *dialect = dialects_by_order[i];
		const struct iq_part part = part_at(dialect, event->body, 0);

		if (is_sure(dialect, read_message(dialects, dialect, part.message, &reading), part.body))
			return i + 1;
	}
	return 0;
}

static int note_session(struct iq_dialects *dialects, const struct iq_event *event, uint32_t dialect)
{
	const struct remembered item = { .offset = event->offset, .dialect = dialect };

	return remember(dialects,
			message_key(dialects, event, ABOUT_SESSION, IQ_DIRECTION_NONE, IQ_VIEW_NULL, IQ_VIEW_NULL),
			item, IQ_VIEW_NULL, IQ_VIEW_NULL);
}

/* ---- What a message says ---- */

static enum iq_direction other_side(enum iq_direction direction)
{
	if (direction == IQ_DIRECTION_NONE)
		return direction;
	return direction == IQ_DIRECTION_CLIENT ? IQ_DIRECTION_SERVER : IQ_DIRECTION_CLIENT;
}

/* `result` of a request that is remembered as `tools/call` is `tools/call.result`. */
static void name_answer(struct iq_dialects *dialects, const struct iq_event *event, struct iq_reading *reading)
{
	const enum iq_direction asker =
		reading->role == IQ_ROLE_ANSWER ? other_side(event->direction) : event->direction;
	const struct generation *generation;
	const struct remembered *request =
		recall(dialects, message_key(dialects, event, ABOUT_REQUEST, asker, reading->scope, reading->key),
		       event->offset, &generation);

	if (!request)
		return;
	iq_buf_clear(&dialects->type);
	(void)iq_buf_append(&dialects->type, type_of(generation, request));
	(void)iq_buf_append_char(&dialects->type, '.');
	(void)iq_buf_append(&dialects->type, reading->type);
	reading->type = iq_buf_view(&dialects->type);
}

static int bind(struct iq_dialects *dialects, const struct iq_event *event, struct iq_reading *reading)
{
	struct remembered item = { .offset = event->offset, .frames = reading->attachments };
	int rc = 0;

	if (reading->key.data && reading->role == IQ_ROLE_REQUEST)
		rc = remember(
			dialects,
			message_key(dialects, event, ABOUT_REQUEST, event->direction, reading->scope, reading->key),
			item, reading->type, IQ_VIEW_NULL);
	else if (reading->key.data && reading->role != IQ_ROLE_NONE)
		name_answer(dialects, event, reading);
	if (rc == 0 && reading->attachments > 0)
		rc = remember(
			dialects,
			message_key(dialects, event, ABOUT_ATTACHMENTS, event->direction, IQ_VIEW_NULL, IQ_VIEW_NULL),
			item, reading->type, reading->key);
	return rc;
}

/* A frame that belongs to the message before it: named after it, with its key. */
static bool read_attachment(struct iq_dialects *dialects, const struct iq_event *event, struct iq_reading *reading)
{
	const struct generation *generation;
	struct remembered *item = recall(
		dialects, message_key(dialects, event, ABOUT_ATTACHMENTS, event->direction, IQ_VIEW_NULL, IQ_VIEW_NULL),
		event->offset, &generation);

	if (!item || item->frames == 0)
		return false;
	item->frames--;
	iq_buf_clear(&dialects->type);
	(void)iq_buf_append(&dialects->type, type_of(generation, item));
	(void)iq_buf_append(&dialects->type, IQ_LIT(".attachment"));
	reading->type = iq_buf_view(&dialects->type);
	if (item->has_key)
		reading->key = iq_view_make(generation->texts.data + item->type_at + item->type_len, item->key_len);
	return true;
}

/* Says the evidence that the frame is binary? Text and bytes that are valid UTF-8 are told apart by nothing else. */
static bool is_binary(const struct iq_event *event)
{
	return event->body_is_binary || iq_has(event->attrs, IQ_LIT("\"opcode\":2"));
}

/* 1: the dialect has read the message; 0: it is none of its. `message` is what is to be read of the body. */
static int read_as(struct iq_dialects *dialects, const struct choice *choice, const struct iq_event *event,
		   struct iq_view message, struct iq_reading *reading)
{
	const struct iq_dialect *dialect = dialects_by_order[choice->dialect - 1];
	enum iq_fit fit;
	int rc = 0;

	*reading = (struct iq_reading){ .role = IQ_ROLE_NONE };
	if (is_binary(event) && read_attachment(dialects, event, reading))
		return 1;
	fit = read_message(dialects, dialect, message, reading);
	if (fit == IQ_FIT_NONE) {
		*reading = (struct iq_reading){ .role = IQ_ROLE_NONE };
		return read_attachment(dialects, event, reading);
	}
	if (choice->by_messages && event->session.data && is_sure(dialect, fit, event->body))
		rc = note_session(dialects, event, choice->dialect);
	if (rc == 0)
		rc = bind(dialects, event, reading);
	return rc < 0 ? rc : 1;
}

static int reserve(struct iq_dialects *dialects, const struct iq_event *event)
{
	iq_buf_clear(&dialects->scratch);
	return iq_buf_reserve(&dialects->scratch, 2 * event->body.len + 64);
}

/* Who reads this message. Plain JSON has read it then. */
static struct choice choose(struct iq_dialects *dialects, struct iq_event *event)
{
	const struct iq_view type = event->type, key = event->key;
	struct choice choice = { 0, true };

	if (event->kind != IQ_KIND_LOG)
		choice = known_dialect(dialects, event);
	if (choice.dialect)
		return choice;
	iq_dialect_json(event, &dialects->scratch);
	if (!dialects->plain && event->kind != IQ_KIND_LOG && is_odd(event->body, event->type))
		choice.dialect = identify(dialects, event);
	if (choice.dialect) {
		event->type = type;
		event->key = key;
	}
	return choice;
}

/* Puts what has no column of its own in front of the other attrs. */
static void add_attrs(struct iq_dialects *dialects, struct iq_event *event, struct iq_view scope, uint32_t number)
{
	const struct iq_view rest = event->attrs.len > 2 ? iq_view_from(event->attrs, 1) : IQ_LIT("}");

	if (!scope.data && !number)
		return;
	iq_buf_clear(&dialects->attrs);
	(void)iq_buf_append_char(&dialects->attrs, '{');
	if (number)
		(void)iq_buf_appendf(&dialects->attrs, "\"batch\":%u", number);
	if (scope.data) {
		(void)iq_buf_append_cstr(&dialects->attrs, number ? ",\"namespace\":" : "\"namespace\":");
		(void)iq_json_append_string(&dialects->attrs, scope);
	}
	if (rest.len > 1)
		(void)iq_buf_append_char(&dialects->attrs, ',');
	(void)iq_buf_append(&dialects->attrs, rest);
	event->attrs = iq_buf_view(&dialects->attrs);
}

static int describe_as(struct iq_dialects *dialects, const struct choice *choice, const struct iq_part *part,
		       struct iq_event *event)
{
	struct iq_reading reading;
	int rc = read_as(dialects, choice, event, part->message, &reading);

	add_attrs(dialects, event, rc > 0 ? reading.scope : IQ_VIEW_NULL, part->number);

	if (rc == 0) {
		iq_buf_clear(&dialects->scratch);
		iq_dialect_json(event, &dialects->scratch);
	}
	if (rc <= 0)
		return rc;
	if (!event->type.data)
		event->type = reading.type;
	if (!event->key.data)
		event->key = reading.key;
	return dialects->type.failed || dialects->key.failed || dialects->attrs.failed ? IQ_ERR_NOMEM : 0;
}

static bool is_message(const struct iq_event *event)
{
	return event->kind == IQ_KIND_WS_MESSAGE || event->kind == IQ_KIND_SSE_MESSAGE || event->kind == IQ_KIND_LOG;
}

/* Handshakes, and ends of sessions. */
static int learn(struct iq_dialects *dialects, const struct iq_event *event)
{
	if (event->kind == IQ_KIND_WS_OPEN)
		return take_handshake(dialects, event);
	if (event->kind == IQ_KIND_WS_CLOSE || event->kind == IQ_KIND_NET_ERROR)
		return dialects->handshakes.count > 0 ? set_handshake(dialects, event, 0) : 0;
	return 0;
}

int iq_dialects_describe(struct iq_dialects *dialects, struct iq_event *event)
{
	struct iq_part whole = { .body = event->body };
	struct choice choice;

	if (!is_message(event))
		return learn(dialects, event);
	if (event->type.data && event->key.data)
		return 0;
	if (reserve(dialects, event) < 0)
		return IQ_ERR_NOMEM;
	choice = choose(dialects, event);
	if (choice.dialect)
		whole.message = without_separator(dialects_by_order[choice.dialect - 1], event->body);
	return choice.dialect ? describe_as(dialects, &choice, &whole, event) : 0;
}

/* The frame's messages one after the other. */
static int take_frame(struct iq_dialects *dialects, const struct choice *choice, const struct iq_event *frame,
		      const struct iq_sink *sink, struct iq_error *error)
{
	const struct iq_dialect *dialect = dialects_by_order[choice->dialect - 1];
	uint32_t count = 0;
	size_t at = 0;
	int rc;

	do {
		struct iq_part part = part_at(dialect, frame->body, at);
		struct iq_event event = *frame;

		if (++count == IQ_DIALECT_MESSAGES)
			part.body = part.message = iq_view_from(frame->body, at), part.end = frame->body.len;
		if (part.number)
			part.number = count;
		event.body = part.body;
		at = part.end;
		if (event.body.len < frame->body.len)
			event.body_length = 0;
		event.body_is_binary = frame->body_is_binary && !iq_utf8_valid(event.body);
		if (describe_as(dialects, choice, &part, &event) < 0)
			return iq_error_nomem(error);
		rc = sink->event(sink->context, &event, error);
	} while (rc == 0 && at < frame->body.len);
	return rc;
}

int iq_dialects_take(struct iq_dialects *dialects, struct iq_event *event, const struct iq_sink *sink,
		     struct iq_error *error)
{
	struct choice choice = { 0, false };
	int rc = 0;

	if (!is_message(event))
		rc = learn(dialects, event);
	else if (event->type.data && event->key.data)
		return sink->event(sink->context, event, error);
	else if ((rc = reserve(dialects, event)) == 0)
		choice = choose(dialects, event);
	if (rc < 0)
		return iq_error_nomem(error);
	return choice.dialect ? take_frame(dialects, &choice, event, sink, error)
			      : sink->event(sink->context, event, error);
}

/* ---- Pointers ---- */

static bool find_documents(struct iq_view body, struct iq_documents *ret_documents)
{
	for (uint32_t i = 0; i < DIALECTS && body.len > 0; i++)
		if (dialects_by_order[i]->documents && dialects_by_order[i]->documents(body, ret_documents))
			return true;
	return false;
}

struct iq_view iq_dialect_payload(struct iq_view body)
{
	struct iq_documents documents;

	return find_documents(body, &documents) ? documents.payload : IQ_VIEW_NULL;
}

struct iq_json_value iq_dialect_pointer(struct iq_view body, struct iq_view pointer, struct iq_buf *scratch)
{
	struct iq_json_value value = iq_json_pointer(body, pointer, scratch);
	struct iq_documents documents;

	if (value.type != IQ_JSON_NONE || !find_documents(body, &documents))
		return value;
	if (documents.message.data != body.data)
		value = iq_json_pointer(documents.message, pointer, scratch);
	if (value.type == IQ_JSON_NONE && documents.payload.data)
		value = iq_json_pointer(documents.payload, pointer, scratch);
	return value;
}
