#include "replay/flow.h"

#include <inttypes.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

const char *iq_slot_name(enum iq_slot slot)
{
	static const char *const names[IQ_SLOT_COUNT] = { "url", "header", "body" };

	return names[slot];
}

/* ---- What values look like ---- */

struct looks {
	size_t digits, letters, others, spaces, dots;
	size_t changes; /* from a small letter to a capital one */
};

static struct looks look_at(struct iq_view value)
{
	struct looks looks = { 0 };

	for (size_t i = 0; i < value.len; i++) {
		const char c = value.data[i], before = i ? value.data[i - 1] : ' ';

		if (c >= '0' && c <= '9')
			looks.digits++;
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')
			looks.letters++;
		else
			looks.others++;
		looks.spaces += c == ' ';
		looks.dots += c == '.';
		looks.changes += c >= 'A' && c <= 'Z' && before >= 'a' && before <= 'z';
	}
	return looks;
}

/* `2026-11-24`, `1.2.3`, `v1.0` */
static bool is_version_or_date(struct iq_view value, const struct looks *looks)
{
	if (value.len == 10 && looks->digits == 8 && value.data[4] == '-' && value.data[7] == '-')
		return true;
	return looks->dots > 0 && looks->letters <= 1 && looks->others == looks->dots && value.len < 16;
}

/* Made by something rather than written by somebody: `agent_started` and `text/plain` are words, `a8f3c2d1` is none. */
static bool is_made(struct iq_view value)
{
	const struct looks looks = look_at(value);

	if (value.len < IQ_FLOW_MIN_BYTES || is_version_or_date(value, &looks))
		return false;
	if (looks.spaces > 0)
		return value.len >= 16;
	return looks.digits > 0 || looks.changes >= 3 || value.len - looks.others >= 24;
}

static bool is_tag(struct iq_view value)
{
	return iq_view_starts_with(value, IQ_LIT("\xe2\x80\xb9")) && iq_view_ends_with(value, IQ_LIT("\xe2\x80\xba"));
}

bool iq_flow_has_tag(struct iq_view text)
{
	const size_t from = iq_view_find(text, IQ_LIT("\xe2\x80\xb9"));

	return from != SIZE_MAX && iq_view_find(iq_view_from(text, from), IQ_LIT("\xe2\x80\xba")) != SIZE_MAX;
}

static bool ends_with_word(struct iq_view name, const char *word)
{
	const size_t len = strlen(word);
	const char before = name.len > len ? name.data[name.len - len - 1] : '_';

	if (name.len < len || strncasecmp(name.data + name.len - len, word, len) != 0)
		return false;
	/* `run_id`, `runId`, but not `valid`. */
	return before == '_' || before == '-' || before == '.' ||
	       (name.data[name.len - len] >= 'A' && name.data[name.len - len] <= 'Z');
}

static bool is_id_name(struct iq_view name)
{
	static const char *const words[] = { "id",	"uuid",	     "guid", "token", "nonce",	"sid",	"key",
					     "ticket",	"cursor",    "csrf", "xsrf",  "handle", "ref",	"secret",
					     "session", "challenge", "jwt",  "code",  "etag",	"state" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (ends_with_word(name, words[i]))
			return true;
	return false;
}

static bool is_common(struct iq_view value)
{
	static const char *const words[] = { "true", "false", "null", "none",  "ok",	 "yes",
					     "no",   "on",    "off",  "error", "success" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (value.len == strlen(words[i]) && strncasecmp(value.data, words[i], value.len) == 0)
			return true;
	return value.len < 2;
}

static bool same_letters(struct iq_view a, struct iq_view b)
{
	size_t i = 0, j = 0;

	for (;;) {
		while (i < a.len && (a.data[i] == '_' || a.data[i] == '-'))
			i++;
		while (j < b.len && (b.data[j] == '_' || b.data[j] == '-'))
			j++;
		if (i == a.len || j == b.len)
			return i == a.len && j == b.len;
		if ((a.data[i++] | 0x20) != (b.data[j++] | 0x20))
			return false;
	}
}

/* A short value is the same one only where both places are called the same, or one is just `id`. */
static bool names_agree(struct iq_view a, struct iq_view b)
{
	if (!is_id_name(a) || !is_id_name(b))
		return false;
	return same_letters(a, b) || same_letters(a, IQ_LIT("id")) || same_letters(b, IQ_LIT("id"));
}

bool iq_flow_is_made(const struct iq_place *place)
{
	int64_t ts;

	return is_made(place->value) || is_id_name(place->name) || iq_time_parse(place->value, &ts);
}

/* ---- The flow ---- */

void iq_flow_init(struct iq_flow *flow)
{
	*flow = (struct iq_flow){ .memory = IQ_ARENA_INIT,
				  .heard = IQ_MAP_INIT,
				  .said = IQ_MAP_INIT,
				  .constants = IQ_MAP_INIT,
				  .minted = IQ_MAP_INIT,
				  .names = IQ_MAP_INIT };
}

void iq_flow_release(struct iq_flow *flow)
{
	iq_map_release(&flow->heard);
	iq_map_release(&flow->said);
	iq_map_release(&flow->constants);
	iq_map_release(&flow->minted);
	iq_map_release(&flow->names);
	free(flow->sources);
	free(flow->bindings);
	free(flow->mints);
	free(flow->secrets);
	iq_arena_release(&flow->memory);
}

static int note_constant(void *context, const struct iq_place *place, struct iq_buf *out)
{
	struct iq_flow *flow = context;

	(void)out;
	if (flow->constants.count >= IQ_FLOW_MAX_VALUES || is_id_name(place->name))
		return 0;
	return iq_map_set(&flow->constants, place->value, 1);
}

int iq_flow_constant(struct iq_flow *flow, struct iq_view text)
{
	return iq_rewrite(text, note_constant, flow, NULL);
}

int iq_flow_ignore(struct iq_flow *flow, struct iq_view word)
{
	return word.len ? iq_map_set(&flow->constants, word, 1) : 0;
}

/* What is walked through, and where it stands. */
struct telling {
	struct iq_flow *flow;
	uint32_t turn;
	enum iq_slot slot;
	struct iq_view scope;
	int64_t at;
	size_t uses;
};

static struct iq_spot spot_of(struct telling *telling, const struct iq_place *place)
{
	return (struct iq_spot){ telling->turn, telling->slot, iq_arena_copy(&telling->flow->memory, place->path),
				 iq_arena_copy(&telling->flow->memory, place->name) };
}

static int hear_value(void *context, const struct iq_place *place, struct iq_buf *out)
{
	struct telling *telling = context;
	struct iq_flow *flow = telling->flow;
	uint32_t index;
	int rc;

	(void)out;
	if (is_common(place->value) || iq_map_get(&flow->said, place->value) || flow->heard.count >= IQ_FLOW_MAX_VALUES)
		return 0;
	rc = iq_map_intern(&flow->heard, place->value, &index);
	if (rc <= 0)
		return rc;
	if (IQ_ARRAY_GROW(flow->sources, flow->source_capacity, (size_t)index + 1) < 0)
		return IQ_ERR_NOMEM;
	flow->sources[index] =
		(struct iq_binding){ .value = flow->heard.entries[index].key, .source = spot_of(telling, place) };
	return 0;
}

int iq_flow_hear(struct iq_flow *flow, uint32_t turn, enum iq_slot slot, struct iq_view text)
{
	struct telling telling = { .flow = flow, .turn = turn, .slot = slot };

	return iq_rewrite(text, hear_value, &telling, NULL);
}

/* ---- What the client says ---- */

static bool accepts(const struct iq_flow *flow, const struct iq_binding *source, const struct iq_place *place,
		    bool *ret_by_name)
{
	const bool named = is_id_name(source->source.name) || is_id_name(place->name);
	const bool constant = iq_map_get(&flow->constants, source->value) != NULL;

	*ret_by_name = true;
	if (source->value.len < IQ_FLOW_MIN_BYTES)
		return names_agree(source->source.name, place->name) && !constant;
	if (constant)
		return false;
	*ret_by_name = !is_made(source->value);
	return !*ret_by_name || named;
}

/* The source of exactly this value. */
static struct iq_binding *source_of(const struct iq_flow *flow, uint32_t turn, const struct iq_place *place,
				    bool *ret_by_name)
{
	const uint64_t *index = iq_map_get(&flow->heard, place->value);
	struct iq_binding *source = index ? &flow->sources[*index] : NULL;

	return source && source->source.turn < turn && accepts(flow, source, place, ret_by_name) ? source : NULL;
}

static bool is_letter_or_digit(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* Where the value stands in a longer word, by itself: `conv-VALUE-reply`. */
static size_t find_within(struct iq_view word, struct iq_view value)
{
	for (size_t at = 0, found;
	     word.len > value.len && (found = iq_view_find(iq_view_from(word, at), value)) != SIZE_MAX;) {
		at += found;
		if ((at == 0 || !is_letter_or_digit(word.data[at - 1])) &&
		    (at + value.len == word.len || !is_letter_or_digit(word.data[at + value.len])))
			return at;
		at++;
	}
	return SIZE_MAX;
}

/* The longest made value that was heard before and stands in the word. */
static struct iq_binding *source_within(const struct iq_flow *flow, uint32_t turn, const struct iq_place *place,
					size_t *ret_at)
{
	struct iq_binding *best = NULL;
	size_t looked = 0;

	if (!place->is_word || place->value.len <= IQ_FLOW_MIN_BYTES)
		return NULL;
	for (size_t i = 0; i < flow->heard.count && looked < IQ_FLOW_MAX_WITHIN; i++) {
		struct iq_binding *source = &flow->sources[i];
		size_t at;

		if (source->source.turn >= turn || source->value.len >= place->value.len || !is_made(source->value) ||
		    iq_map_get(&flow->constants, source->value))
			continue;
		looked++;
		at = find_within(place->value, source->value);
		if (at != SIZE_MAX && (!best || source->value.len > best->value.len)) {
			best = source;
			*ret_at = at;
		}
	}
	return best;
}

static int bind(struct telling *telling, struct iq_binding *source, const struct iq_place *place, bool by_name)
{
	struct iq_flow *flow = telling->flow;

	telling->uses++;
	if (source->uses++ > 0)
		return 0;
	source->use = spot_of(telling, place);
	source->by_name = by_name;
	if (IQ_ARRAY_GROW(flow->bindings, flow->binding_capacity, flow->binding_count + 1) < 0)
		return IQ_ERR_NOMEM;
	flow->bindings[flow->binding_count++] = (uint32_t)(source - flow->sources);
	return 0;
}

static bool is_uuid(struct iq_view value)
{
	if (value.len != 36)
		return false;
	for (size_t i = 0; i < value.len; i++) {
		const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		const char c = value.data[i];

		if (dash ? c != '-' : !((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')))
			return false;
	}
	return true;
}

static const int64_t units[] = { [IQ_MINT_SECONDS] = IQ_NS_PER_S,
				 [IQ_MINT_MILLISECONDS] = IQ_NS_PER_MS,
				 [IQ_MINT_MICROSECONDS] = 1000,
				 [IQ_MINT_NANOSECONDS] = 1 };

/* A time within a minute of when it was sent. */
static bool is_time(struct iq_view value, int64_t at, enum iq_mint_kind *ret_kind)
{
	const int64_t near = 60 * IQ_NS_PER_S;
	int64_t number, ts;

	if (at == IQ_TIME_NONE || value.len < 10 || value.len > 40)
		return false;
	*ret_kind = IQ_MINT_RFC3339;
	if (iq_time_parse(value, &ts))
		return ts > at - near && ts < at + near;
	if (!iq_view_to_int64(value, &number))
		return false;
	for (int kind = IQ_MINT_SECONDS; kind <= IQ_MINT_NANOSECONDS; kind++) {
		*ret_kind = (enum iq_mint_kind)kind;
		if (number > (at - near) / units[kind] && number < (at + near) / units[kind])
			return true;
	}
	return false;
}

static int note_mint(struct telling *telling, const struct iq_place *place)
{
	struct iq_flow *flow = telling->flow;
	enum iq_mint_kind kind = IQ_MINT_UUID;
	uint32_t index;
	int rc;

	if (!is_uuid(place->value) && !is_time(place->value, telling->at, &kind))
		return 0;
	telling->uses++;
	rc = iq_map_intern(&flow->minted, place->value, &index);
	if (rc <= 0)
		return rc;
	if (IQ_ARRAY_GROW(flow->mints, flow->mint_capacity, (size_t)index + 1) < 0)
		return IQ_ERR_NOMEM;
	flow->mints[flow->mint_count++] =
		(struct iq_mint){ flow->minted.entries[index].key, kind, spot_of(telling, place) };
	return 0;
}

/* `login.password`; the NULL view where the place has no name. */
static struct iq_view full_name(struct iq_view scope, const struct iq_place *place, char buffer[256])
{
	int len;

	if (place->name.len == 0)
		return IQ_VIEW_NULL;
	len = snprintf(buffer, 256, "%.*s%s%.*s", IQ_VIEW_ARG(scope), scope.len ? "." : "", IQ_VIEW_ARG(place->name));
	return iq_view_make(buffer, len > 255 ? 255 : (size_t)len);
}

static int note_secret(struct telling *telling, const struct iq_place *place, struct iq_view name)
{
	struct iq_flow *flow = telling->flow;

	telling->uses++;
	for (size_t i = 0; i < flow->secret_count; i++)
		if (iq_view_eq(flow->secrets[i].name, name))
			return 0;
	if (IQ_ARRAY_GROW(flow->secrets, flow->secret_capacity, flow->secret_count + 1) < 0)
		return IQ_ERR_NOMEM;
	flow->secrets[flow->secret_count++] =
		(struct iq_secret){ iq_arena_copy(&flow->memory, name), iq_arena_copy(&flow->memory, place->value),
				    spot_of(telling, place) };
	return 0;
}

static int say_value(void *context, const struct iq_place *place, struct iq_buf *out)
{
	struct telling *telling = context;
	struct iq_flow *flow = telling->flow;
	struct iq_binding *source;
	char buffer[256];
	const struct iq_view name = full_name(telling->scope, place, buffer);
	bool by_name = false;
	size_t at;
	int rc = name.len && flow->names.count < IQ_FLOW_MAX_VALUES ? iq_map_set(&flow->names, name, 1) : 0;

	if (rc < 0)
		return rc;
	source = source_of(flow, telling->turn, place, &by_name);
	if (!source)
		source = source_within(flow, telling->turn, place, &at);
	if (source) {
		rc = bind(telling, source, place, by_name);
		/* It stands for itself: its words are not looked at. */
		return rc < 0 ? rc : iq_buf_append(out, place->value) < 0 ? IQ_ERR_NOMEM : 1;
	}
	if (is_tag(place->value))
		return note_secret(telling, place, name.len ? name : telling->scope);
	rc = note_mint(telling, place);
	if (rc == 0 && !iq_map_get(&flow->heard, place->value) && flow->said.count < IQ_FLOW_MAX_VALUES)
		rc = iq_map_set(&flow->said, place->value, 1);
	return rc < 0 ? rc : 0;
}

int iq_flow_say(struct iq_flow *flow, uint32_t turn, enum iq_slot slot, struct iq_view scope, struct iq_view text,
		int64_t at, size_t *ret_uses)
{
	struct telling telling = { .flow = flow, .turn = turn, .slot = slot, .scope = scope, .at = at };
	const int rc = iq_rewrite(text, say_value, &telling, NULL);

	*ret_uses = telling.uses;
	return rc < 0 ? rc : 0;
}

bool iq_flow_has_source(const struct iq_flow *flow, uint32_t turn, enum iq_slot slot)
{
	for (size_t i = 0; i < flow->binding_count; i++) {
		const struct iq_spot *source = &flow->sources[flow->bindings[i]].source;

		if (source->turn == turn && source->slot == slot)
			return true;
	}
	return false;
}

/* ---- Living it again ---- */

int iq_values_init(struct iq_values *values, const struct iq_flow *flow)
{
	*values = (struct iq_values){ .flow = flow, .memory = IQ_ARENA_INIT };
	values->now = calloc(flow->heard.count + 1, sizeof(*values->now));
	values->made = calloc(flow->mint_count + 1, sizeof(*values->made));
	return values->now && values->made ? 0 : IQ_ERR_NOMEM;
}

void iq_values_release(struct iq_values *values)
{
	free(values->now);
	free(values->made);
	iq_arena_release(&values->memory);
}

struct learning {
	struct iq_values *values;
	uint32_t turn;
	enum iq_slot slot;
};

static int learn_value(void *context, const struct iq_place *place, struct iq_buf *out)
{
	struct learning *learning = context;
	struct iq_values *values = learning->values;
	const struct iq_flow *flow = values->flow;

	(void)out;
	for (size_t i = 0; i < flow->binding_count; i++) {
		const uint32_t index = flow->bindings[i];
		const struct iq_spot *source = &flow->sources[index].source;

		if (source->turn != learning->turn || source->slot != learning->slot ||
		    !iq_view_eq(source->path, place->path))
			continue;
		values->now[index] = iq_arena_copy(&values->memory, place->value);
		if (!values->now[index].data)
			return IQ_ERR_NOMEM;
	}
	return 0;
}

int iq_values_learn(struct iq_values *values, uint32_t turn, enum iq_slot slot, struct iq_view text)
{
	struct learning learning = { values, turn, slot };
	const int rc =
		iq_flow_has_source(values->flow, turn, slot) ? iq_rewrite(text, learn_value, &learning, NULL) : 0;

	return rc < 0 ? rc : 0;
}

struct filling {
	struct iq_values *values;
	uint32_t turn;
	struct iq_view scope;
	const struct iq_binding *missing;
	bool redacted;
};

static struct iq_supplied *supplied_for(const struct filling *filling, const struct iq_place *place)
{
	char buffer[256];
	const struct iq_view name = full_name(filling->scope, place, buffer);
	const struct iq_view called = name.len ? name : is_tag(place->value) ? filling->scope : IQ_VIEW_NULL;

	for (size_t i = 0; i < filling->values->supplied_count && called.len; i++)
		if (iq_view_eq(filling->values->supplied[i].name, called))
			return &filling->values->supplied[i];
	return NULL;
}

static void make_uuid(char out[37])
{
	uint8_t bytes[16];
	char hex[33];

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		memset(bytes, 0, sizeof(bytes));
	bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
	bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
	iq_hex(bytes, sizeof(bytes), hex);
	(void)snprintf(out, 37, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

static struct iq_view make_anew(struct iq_values *values, const struct iq_mint *mint)
{
	char text[64];
	int64_t number = 0;

	if (mint->kind == IQ_MINT_UUID) {
		make_uuid(text);
	} else if (mint->kind == IQ_MINT_RFC3339) {
		(void)iq_time_parse(mint->value, &number);
		(void)iq_time_format(number + values->shift, text);
	} else {
		(void)iq_view_to_int64(mint->value, &number);
		number += values->shift / units[mint->kind];
		(void)snprintf(text, sizeof(text), "%" PRId64, number);
	}
	return iq_arena_copy(&values->memory, iq_view_cstr(text));
}

static struct iq_view made_for(struct iq_values *values, struct iq_view value)
{
	const uint64_t *index = values->fresh ? iq_map_get(&values->flow->minted, value) : NULL;

	if (!index)
		return IQ_VIEW_NULL;
	if (!values->made[*index].data)
		values->made[*index] = make_anew(values, &values->flow->mints[*index]);
	return values->made[*index];
}

/* A bound value, alone (`at` 0 and as long) or within its word. */
static int fill_binding(struct filling *filling, const struct iq_binding *source, size_t at,
			const struct iq_place *place, struct iq_buf *out)
{
	const struct iq_view now = filling->values->now[source - filling->values->flow->sources];

	if (!now.data) {
		filling->missing = source;
		return IQ_ERR_NOT_FOUND;
	}
	(void)iq_buf_append(out, iq_view_make(place->value.data, at));
	(void)iq_buf_append(out, now);
	(void)iq_buf_append(out, iq_view_from(place->value, at + source->value.len));
	return out->failed ? IQ_ERR_NOMEM : 1;
}

static int fill_value(void *context, const struct iq_place *place, struct iq_buf *out)
{
	struct filling *filling = context;
	const struct iq_flow *flow = filling->values->flow;
	struct iq_supplied *supplied = supplied_for(filling, place);
	const struct iq_binding *source;
	struct iq_view made;
	bool by_name;
	size_t at = 0;

	if (supplied) {
		supplied->used = true;
		return iq_buf_append(out, supplied->value) < 0 ? IQ_ERR_NOMEM : 1;
	}
	source = source_of(flow, filling->turn, place, &by_name);
	if (!source)
		source = source_within(flow, filling->turn, place, &at);
	if (source)
		return fill_binding(filling, source, at, place, out);
	filling->redacted |= is_tag(place->value);
	made = made_for(filling->values, place->value);
	return made.data ? (iq_buf_append(out, made) < 0 ? IQ_ERR_NOMEM : 1) : 0;
}

int iq_values_fill(struct iq_values *values, uint32_t turn, struct iq_view scope, struct iq_view text,
		   struct iq_buf *out, const struct iq_binding **ret_missing)
{
	struct filling filling = { .values = values, .turn = turn, .scope = scope };
	int rc = iq_rewrite(text, fill_value, &filling, out);

	*ret_missing = filling.missing;
	/* A tag stands for what nobody knows here. */
	if (rc >= 0 && filling.redacted)
		return IQ_ERR_NOT_FOUND;
	return rc < 0 ? rc : 0;
}

struct iq_view iq_values_now(const struct iq_values *values, struct iq_view recorded)
{
	const uint64_t *index = iq_map_get(&values->flow->heard, recorded);
	const uint64_t *minted = iq_map_get(&values->flow->minted, recorded);

	if (index && values->now[*index].data)
		return values->now[*index];
	return minted && values->made[*minted].data ? values->made[*minted] : recorded;
}
