#include "query/clocks.h"

#include <stdlib.h>

/* One source's sight of a message. */
struct sight {
	uint32_t source;
	int64_t ts;
	bool twice;
};

struct message {
	enum iq_direction direction;
	bool conflicting;			   /* sent in both directions */
	struct sight recorded[IQ_CLOCKS_MAX_SEEN]; /* as a message */
	struct sight logged[IQ_CLOCKS_MAX_SEEN];   /* in a log line */
};

struct comparing {
	struct iq_store *store;
	struct iq_map numbers;	/* names of sources -> their numbers */
	struct iq_map payloads; /* hashes -> index in messages */
	struct message *messages;
	size_t count;
	size_t capacity;
	struct iq_clocks clocks;
	size_t pair_capacity;
	struct iq_map pairs; /* reference and source -> index in pairs */
	struct iq_buf scratch;
};

/* ---- Messages ---- */

static struct message *find_message(struct comparing *comparing, struct iq_view payload)
{
	const uint64_t hash = iq_hash64(payload);
	uint64_t *index = iq_map_get(&comparing->payloads, iq_view_make((const char *)&hash, sizeof(hash)));

	return index ? &comparing->messages[*index] : NULL;
}

static int add_message(struct comparing *comparing, struct iq_view payload, struct message **ret_message)
{
	const uint64_t hash = iq_hash64(payload);

	if (IQ_ARRAY_GROW(comparing->messages, comparing->capacity, comparing->count + 1) < 0 ||
	    iq_map_set(&comparing->payloads, iq_view_make((const char *)&hash, sizeof(hash)), comparing->count) < 0)
		return IQ_ERR_NOMEM;
	*ret_message = &comparing->messages[comparing->count++];
	**ret_message = (struct message){ IQ_DIRECTION_NONE, false, { { 0 } }, { { 0 } } };
	return 0;
}

/* The place of the source among those that saw it; what finds none is left out. */
static void see(struct sight *sights, uint32_t source, int64_t ts)
{
	for (size_t i = 0; i < IQ_CLOCKS_MAX_SEEN; i++) {
		if (sights[i].source == source)
			sights[i].twice = true;
		if (sights[i].source == source)
			return;
		if (sights[i].source == 0) {
			sights[i] = (struct sight){ source, ts, false };
			return;
		}
	}
}

static uint32_t source_of(struct comparing *comparing, const struct iq_event *event)
{
	uint64_t *no = event->source.data ? iq_map_get(&comparing->numbers, event->source) : NULL;

	return no ? (uint32_t)*no : 0;
}

static bool is_usable(const struct iq_event *event)
{
	return event->ts != IQ_TIME_NONE && event->body.data && event->body.len >= IQ_CLOCKS_MIN_PAYLOAD;
}

static int take_message(struct comparing *comparing, const struct iq_event *event)
{
	const uint32_t source = source_of(comparing, event);
	struct message *message = find_message(comparing, event->body);
	int rc = 0;

	if (!source || event->direction == IQ_DIRECTION_NONE || !is_usable(event))
		return 0;
	if (!message && comparing->count == IQ_CLOCKS_MAX_MESSAGES) {
		comparing->clocks.limited = true;
		return 0;
	}
	if (!message)
		rc = add_message(comparing, event->body, &message);
	if (rc < 0)
		return rc;
	message->conflicting |= message->direction != IQ_DIRECTION_NONE && message->direction != event->direction;
	message->direction = event->direction;
	see(message->recorded, source, event->ts);
	return 0;
}

/* ---- Payloads in log lines ---- */

static void see_logged(struct comparing *comparing, const struct iq_event *event, struct iq_view payload)
{
	struct message *message = payload.len >= IQ_CLOCKS_MIN_PAYLOAD ? find_message(comparing, payload) : NULL;

	if (message)
		see(message->logged, source_of(comparing, event), event->ts);
}

/* Strings and objects that are members of the line, or of those. */
static void see_members(struct comparing *comparing, const struct iq_event *event, struct iq_view text)
{
	struct iq_json_token token;
	struct iq_json json;

	iq_json_init(&json, text);
	while (iq_json_next(&json, &token) > 0) {
		iq_buf_clear(&comparing->scratch);
		if (token.type == IQ_JSON_STRING)
			see_logged(comparing, event, iq_json_text(&token, &comparing->scratch));
		if (token.type == IQ_JSON_OBJECT_BEGIN && json.depth <= 2) {
			struct iq_json inner = json;
			struct iq_view object = iq_json_skip(&inner, &token);

			if (object.data)
				see_logged(comparing, event, object);
		}
	}
}

static void take_log(struct comparing *comparing, const struct iq_event *event)
{
	const char *brace = event->body.data ? memchr(event->body.data, '{', event->body.len) : NULL;
	struct iq_view body = iq_view_trim(event->body);

	if (!is_usable(event) || !source_of(comparing, event))
		return;
	if (!brace || brace > body.data)
		see_logged(comparing, event, body);
	if (brace)
		see_members(comparing, event,
			    iq_view_make(brace, event->body.len - (size_t)(brace - event->body.data)));
}

/* ---- Pairs ---- */

static int find_pair(struct comparing *comparing, uint32_t reference, uint32_t source, struct iq_clock_pair **ret_pair)
{
	const uint32_t names[2] = { reference, source };
	const struct iq_view name = iq_view_make((const char *)names, sizeof(names));
	struct iq_clocks *clocks = &comparing->clocks;
	uint64_t *index = iq_map_get(&comparing->pairs, name);

	if (!index && (IQ_ARRAY_GROW(clocks->pairs, comparing->pair_capacity, clocks->count + 1) < 0 ||
		       iq_map_set(&comparing->pairs, name, clocks->count) < 0))
		return IQ_ERR_NOMEM;
	if (!index)
		clocks->pairs[clocks->count++] = (struct iq_clock_pair){
			.reference = reference, .source = source, .least = IQ_TIME_NONE, .most = IQ_TIME_NONE
		};
	*ret_pair = &clocks->pairs[index ? *index : clocks->count - 1];
	return 0;
}

/* The message was seen at both, at `reference` by the one nearer to the client. */
static int bound(struct comparing *comparing, const struct message *message, const struct sight *reference,
		 const struct sight *source)
{
	struct iq_clock_pair *pair;
	int64_t shift;

	if (reference->twice || source->twice || message->conflicting || reference->source == source->source ||
	    __builtin_sub_overflow(reference->ts, source->ts, &shift))
		return 0;
	if (find_pair(comparing, reference->source, source->source, &pair) < 0)
		return IQ_ERR_NOMEM;
	pair->matches++;
	if (message->direction == IQ_DIRECTION_CLIENT && (pair->least == IQ_TIME_NONE || shift > pair->least))
		pair->least = shift;
	if (message->direction == IQ_DIRECTION_SERVER && (pair->most == IQ_TIME_NONE || shift < pair->most))
		pair->most = shift;
	return 0;
}

/* Who logs a payload is the server; of two recorders nobody says who is nearer to the client: both ways are tried. */
static int bound_all(struct comparing *comparing, const struct message *message)
{
	int rc = 0;

	for (size_t i = 0; i < IQ_CLOCKS_MAX_SEEN && message->recorded[i].source && rc == 0; i++) {
		for (size_t j = 0; j < IQ_CLOCKS_MAX_SEEN && message->recorded[j].source && rc == 0; j++)
			rc = bound(comparing, message, &message->recorded[i], &message->recorded[j]);
		for (size_t j = 0; j < IQ_CLOCKS_MAX_SEEN && message->logged[j].source && rc == 0; j++)
			rc = bound(comparing, message, &message->recorded[i], &message->logged[j]);
	}
	return rc;
}

static struct iq_clock_pair *reverse_of(struct comparing *comparing, const struct iq_clock_pair *pair)
{
	const uint32_t names[2] = { pair->source, pair->reference };
	uint64_t *index = iq_map_get(&comparing->pairs, iq_view_make((const char *)names, sizeof(names)));

	return index ? &comparing->clocks.pairs[*index] : NULL;
}

static bool fits(const struct iq_clock_pair *pair)
{
	return pair->least == IQ_TIME_NONE || pair->most == IQ_TIME_NONE || pair->least <= pair->most;
}

/* Of the two ways in which recorders may stand, the one that can be; where both can, or none, the first. */
static bool is_worse(struct comparing *comparing, const struct iq_clock_pair *pair)
{
	const struct iq_clock_pair *other = reverse_of(comparing, pair);

	if (!other)
		return false;
	return fits(pair) != fits(other) ? !fits(pair) : pair > other;
}

static int compare_pairs(const void *a, const void *b)
{
	const struct iq_clock_pair *x = a, *y = b;

	if (x->source != y->source)
		return x->source < y->source ? -1 : 1;
	return (x->reference > y->reference) - (x->reference < y->reference);
}

static int choose_pairs(struct comparing *comparing)
{
	struct iq_clocks *clocks = &comparing->clocks;
	bool *worse = calloc(clocks->count + 1, sizeof(*worse));
	size_t kept = 0;

	if (!worse)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < clocks->count; i++)
		worse[i] = is_worse(comparing, &clocks->pairs[i]);
	for (size_t i = 0; i < clocks->count; i++) {
		clocks->pairs[i].fits = fits(&clocks->pairs[i]);
		if (!worse[i])
			clocks->pairs[kept++] = clocks->pairs[i];
	}
	clocks->count = kept;
	free(worse);
	if (kept > 0)
		qsort(clocks->pairs, kept, sizeof(*clocks->pairs), compare_pairs);
	return 0;
}

/* ---- The whole ---- */

static int read_events(struct comparing *comparing, uint32_t kinds, bool logs, struct iq_error *error)
{
	struct iq_filter filter = IQ_FILTER_INIT;
	struct iq_cursor *cursor;
	struct iq_event event;
	int rc;

	filter.kinds = kinds;
	filter.columns = 1u << IQ_COLUMN_TS | 1u << IQ_COLUMN_SOURCE | 1u << IQ_COLUMN_DIRECTION |
			 1u << IQ_COLUMN_BODY | 1u << IQ_COLUMN_KIND;
	rc = iq_cursor_open(comparing->store, &filter, &cursor, error);
	if (rc < 0)
		return rc;
	while ((rc = iq_cursor_next(cursor, &event, error)) > 0) {
		if (logs)
			take_log(comparing, &event);
		else if (take_message(comparing, &event) < 0)
			rc = iq_error_nomem(error);
		if (rc < 0)
			break;
	}
	iq_cursor_close(cursor);
	return rc;
}

static int number_sources(struct comparing *comparing)
{
	size_t count;
	const struct iq_source *sources = iq_store_sources(comparing->store, &count);
	int rc = 0;

	for (size_t i = 0; i < count && rc == 0; i++)
		rc = iq_map_set(&comparing->numbers, sources[i].name, sources[i].no);
	return rc;
}

static int compare(struct comparing *comparing, struct iq_error *error)
{
	const uint32_t messages = 1u << IQ_KIND_WS_MESSAGE | 1u << IQ_KIND_SSE_MESSAGE | 1u << IQ_KIND_HTTP_REQUEST |
				  1u << IQ_KIND_HTTP_RESPONSE;
	int rc = number_sources(comparing);

	if (rc < 0)
		return iq_error_nomem(error);
	rc = read_events(comparing, messages, false, error);
	if (rc == 0 && comparing->count > 0)
		rc = read_events(comparing, 1u << IQ_KIND_LOG, true, error);
	for (size_t i = 0; i < comparing->count && rc == 0; i++)
		if (bound_all(comparing, &comparing->messages[i]) < 0)
			rc = iq_error_nomem(error);
	if (rc == 0 && choose_pairs(comparing) < 0)
		rc = iq_error_nomem(error);
	return rc;
}

int iq_clocks_compare(struct iq_store *store, struct iq_clocks *ret_clocks, struct iq_error *error)
{
	struct comparing comparing = { .store = store,
				       .numbers = IQ_MAP_INIT,
				       .payloads = IQ_MAP_INIT,
				       .pairs = IQ_MAP_INIT,
				       .scratch = IQ_BUF_INIT };
	int rc = compare(&comparing, error);

	iq_map_release(&comparing.numbers);
	iq_map_release(&comparing.payloads);
	iq_map_release(&comparing.pairs);
	iq_buf_release(&comparing.scratch);
	free(comparing.messages);
	if (rc < 0)
		iq_clocks_release(&comparing.clocks);
	else
		*ret_clocks = comparing.clocks;
	return rc;
}

void iq_clocks_release(struct iq_clocks *clocks)
{
	free(clocks->pairs);
	*clocks = (struct iq_clocks){ 0 };
}
