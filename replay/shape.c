#include "replay/shape.h"

#include <stdio.h>
#include <stdlib.h>

const char *iq_difference_name(enum iq_difference_kind kind)
{
	static const char *const names[] = { "missing", "unexpected", "count", "order",	 "field", "type",
					     "value",	"format",     "close", "status", "slow" };

	return names[kind];
}

int iq_shape_init(struct iq_shape *shape)
{
	*shape = (struct iq_shape){ .paths = IQ_MAP_INIT, .types = IQ_MAP_INIT, .answers = IQ_MAP_INIT };
	shape->before = calloc((size_t)IQ_SHAPE_MAX_TYPES * IQ_SHAPE_MAX_TYPES, sizeof(*shape->before));
	shape->both = calloc((size_t)IQ_SHAPE_MAX_TYPES * IQ_SHAPE_MAX_TYPES, sizeof(*shape->both));
	return shape->before && shape->both ? 0 : IQ_ERR_NOMEM;
}

void iq_shape_release(struct iq_shape *shape)
{
	iq_map_release(&shape->paths);
	iq_map_release(&shape->types);
	iq_map_release(&shape->answers);
	free(shape->items);
	free(shape->type_items);
	free(shape->before);
	free(shape->both);
}

/* ---- Walking through a message ---- */

static uint32_t type_bit(enum iq_json_type type)
{
	return 1u << (type == IQ_JSON_FALSE ? IQ_JSON_TRUE : type);
}

static const char *type_name(enum iq_json_type type)
{
	switch (type) {
	case IQ_JSON_OBJECT_BEGIN:
		return "an object";
	case IQ_JSON_ARRAY_BEGIN:
		return "an array";
	case IQ_JSON_STRING:
		return "a string";
	case IQ_JSON_NUMBER:
		return "a number";
	case IQ_JSON_NULL:
		return "null";
	case IQ_JSON_NONE:
		return "nothing";
	default:
		return "a boolean";
	}
}

/* Members that are called after ids are entries of one table: `/users/7f3a91c2` is `/users/` followed by a star. */
static bool is_made_name(struct iq_view name)
{
	size_t digits = 0;

	for (size_t i = 0; i < name.len; i++)
		digits += name.data[i] >= '0' && name.data[i] <= '9';
	return digits > 0 && (digits == name.len || name.len >= 8 || digits * 2 >= name.len) && name.len > 1;
}

static void append_step(struct iq_buf *path, struct iq_view name)
{
	(void)iq_buf_append_char(path, '/');
	for (size_t i = 0; i < name.len; i++) {
		if (name.data[i] == '~' || name.data[i] == '/')
			(void)iq_buf_append_cstr(path, name.data[i] == '~' ? "~0" : "~1");
		else
			(void)iq_buf_append_char(path, name.data[i]);
	}
}

/* Told of each value, objects and arrays before what is in them. */
typedef int visit_fn(void *context, struct iq_view path, const struct iq_json_token *value, struct iq_view raw);
/* Told when an object ends, with the path of it and the names that it had since `mark`. */
typedef int leave_fn(void *context, struct iq_view path, struct iq_view object);

struct visiting {
	visit_fn *visit;
	leave_fn *leave;
	void *context;
	struct iq_buf path; /* type, NUL, path */
	bool exact;	    /* real indices and names in the paths */
};

static int visit_value(struct visiting *visiting, struct iq_json *json, const struct iq_json_token *token)
{
	const size_t before = visiting->path.len, from = token->offset;
	const bool is_object = token->type == IQ_JSON_OBJECT_BEGIN, is_array = token->type == IQ_JSON_ARRAY_BEGIN;
	struct iq_buf scratch = IQ_BUF_INIT;
	struct iq_json_token child;
	size_t index = 0;
	char number[24];
	int rc = visiting->visit(visiting->context, iq_buf_view(&visiting->path), token,
				 iq_view_make(json->text.data + from, json->pos - from));

	while (rc == 0 && (is_object || is_array) && (rc = iq_json_next(json, &child)) > 0) {
		if (child.type == IQ_JSON_OBJECT_END || child.type == IQ_JSON_ARRAY_END) {
			rc = 0;
			break;
		}
		if (child.type == IQ_JSON_KEY) {
			struct iq_view name;

			iq_buf_clear(&scratch);
			name = iq_json_text(&child, &scratch);
			append_step(&visiting->path, is_made_name(name) && !visiting->exact ? IQ_LIT("*") : name);
			rc = 0;
			continue;
		}
		if (is_array) {
			(void)snprintf(number, sizeof(number), "%zu", index++);
			append_step(&visiting->path, visiting->exact ? iq_view_cstr(number) : IQ_LIT("*"));
		}
		rc = visit_value(visiting, json, &child);
		visiting->path.len = before;
		visiting->path.data[before] = '\0';
	}
	if (rc == 0 && is_object && visiting->leave)
		rc = visiting->leave(visiting->context, iq_buf_view(&visiting->path),
				     iq_view_make(json->text.data + from, json->pos - from));
	iq_buf_release(&scratch);
	return rc;
}

/* 1 where the body is no JSON. */
static int visit_body(struct visiting *visiting, struct iq_view type, struct iq_view body)
{
	struct iq_json json;
	struct iq_json_token token;
	int rc;

	if (body.len == 0 || !iq_json_valid(body))
		return 1;
	(void)iq_buf_append(&visiting->path, type);
	(void)iq_buf_append(&visiting->path, iq_view_make("", 1));
	iq_json_init(&json, body);
	rc = iq_json_next(&json, &token) > 0 ? visit_value(visiting, &json, &token) : 0;
	if (rc == 0 && visiting->path.failed)
		rc = IQ_ERR_NOMEM;
	iq_buf_release(&visiting->path);
	return rc;
}

/* ---- Learning ---- */

static struct iq_shape_path *learn_path(struct iq_shape *shape, struct iq_view path)
{
	uint32_t index;

	if (shape->paths.count >= IQ_SHAPE_MAX_PATHS && !iq_map_get(&shape->paths, path))
		return NULL;
	if (iq_map_intern(&shape->paths, path, &index) < 0 ||
	    IQ_ARRAY_GROW(shape->items, shape->item_capacity, (size_t)index + 1) < 0)
		return NULL;
	return &shape->items[index];
}

static int learn_value(void *context, struct iq_view path, const struct iq_json_token *value, struct iq_view raw)
{
	struct iq_shape_path *item = learn_path(context, path);
	const bool is_scalar = value->type != IQ_JSON_OBJECT_BEGIN && value->type != IQ_JSON_ARRAY_BEGIN;
	const uint64_t hash = is_scalar ? iq_hash64(raw) | 1 : 0;

	if (!item)
		return 0;
	item->types |= type_bit(value->type);
	item->seen++;
	item->is_volatile |= is_scalar && item->value != 0 && item->value != hash;
	item->value = hash;
	return 0;
}

/* Counts, for each member that this object or an earlier one had, that it could have been there. */
static int learn_object(void *context, struct iq_view path, struct iq_view object)
{
	struct iq_shape_path *item = learn_path(context, path);

	(void)object;
	if (item)
		item->possible++;
	return 0;
}

static int learn_message(struct iq_shape *shape, struct iq_view type, struct iq_view body)
{
	struct visiting visiting = { learn_value, learn_object, shape, IQ_BUF_INIT, false };
	const int rc = visit_body(&visiting, type, body);
	struct iq_shape_path *item;

	if (rc != 1)
		return rc;
	item = learn_path(shape, type);
	if (item)
		item->seen++;
	return 0;
}

static struct iq_shape_type *learn_type(struct iq_shape *shape, struct iq_view type)
{
	uint32_t index;
	int rc = iq_map_intern(&shape->types, type, &index);

	if (rc < 0 || IQ_ARRAY_GROW(shape->type_items, shape->type_capacity, (size_t)index + 1) < 0)
		return NULL;
	if (rc > 0)
		shape->type_items[index] =
			(struct iq_shape_type){ .name = shape->types.entries[index].key, .least = UINT32_MAX };
	return &shape->type_items[index];
}

/* Of the types that were in this answer. */
static void learn_orders(struct iq_shape *shape, uint32_t answer)
{
	const size_t count = shape->types.count < IQ_SHAPE_MAX_TYPES ? shape->types.count : IQ_SHAPE_MAX_TYPES;

	for (size_t a = 0; a < count; a++)
		for (size_t b = 0; b < count; b++) {
			const struct iq_shape_type *first = &shape->type_items[a], *second = &shape->type_items[b];

			if (a == b || iq_type_is_periodic(second->name) || first->answer != answer + 1 ||
			    second->answer != answer + 1)
				continue;
			shape->both[a * IQ_SHAPE_MAX_TYPES + b]++;
			shape->before[a * IQ_SHAPE_MAX_TYPES + b] += first->last < second->first;
		}
}

void iq_shape_answer_key(struct iq_buf *key, struct iq_view type, uint32_t answer)
{
	iq_buf_clear(key);
	(void)iq_buf_append(key, type);
	(void)iq_buf_append(key, iq_view_make("", 1));
	(void)iq_buf_append(key, iq_view_make((const char *)&answer, sizeof(answer)));
}

/* The first of its type in an answer. */
static int learn_answer(struct iq_shape *shape, struct iq_view type, uint32_t answer)
{
	struct iq_buf key = IQ_BUF_INIT;
	uint64_t *count;
	int rc = 0;

	iq_shape_answer_key(&key, type, answer);
	count = iq_map_get(&shape->answers, iq_buf_view(&key));
	if (count)
		(*count)++;
	else if (shape->answers.count < IQ_SHAPE_MAX_PATHS)
		rc = iq_map_set(&shape->answers, iq_buf_view(&key), 1);
	iq_buf_release(&key);
	return rc;
}

static void learn_counts(struct iq_shape *shape)
{
	for (size_t i = 0; i < shape->types.count; i++) {
		struct iq_shape_type *type = &shape->type_items[i];
		/* In the recordings before it was not there at all. */
		const bool late = type->recordings == 0 && shape->recordings > 0;

		type->least = late ? 0 : type->now < type->least ? type->now : type->least;
		type->most = type->now > type->most ? type->now : type->most;
		type->recordings += type->now > 0;
		type->now = type->answer = 0;
	}
}

static int learn_turn(struct iq_shape *shape, const struct iq_turn *turn, struct iq_view type, uint32_t nth)
{
	struct iq_shape_type *item = learn_type(shape, type);
	int rc = 0;

	if (!item)
		return IQ_ERR_NOMEM;
	if (item->answer != turn->answers + 1) {
		item->answer = turn->answers + 1;
		item->first = nth;
		rc = learn_answer(shape, type, turn->answers);
	}
	item->last = nth;
	item->now++;
	return rc < 0 ? rc : learn_message(shape, type, turn->texts[IQ_SLOT_BODY]);
}

int iq_shape_learn(struct iq_shape *shape, const struct iq_plan *plan)
{
	uint32_t answer = 0;
	int rc = 0;

	for (uint32_t i = 0; i < plan->count && rc == 0; i++) {
		const struct iq_turn *turn = &plan->turns[i];

		if (turn->kind != IQ_KIND_WS_MESSAGE || turn->direction != IQ_DIRECTION_SERVER)
			continue;
		if (turn->answers != answer)
			learn_orders(shape, answer);
		answer = turn->answers;
		rc = learn_turn(shape, turn, plan->types.entries[turn->type].key, i + 1);
	}
	learn_orders(shape, answer);
	learn_counts(shape);
	shape->recordings++;
	return rc;
}

/* ---- Comparing ---- */

struct comparing {
	const struct iq_shape *shape;
	struct iq_map seen; /* paths of the message, with how often */
	iq_unlike_fn *tell;
	void *context;
	size_t type_len;
};

static const struct iq_shape_path *path_of(const struct iq_shape *shape, struct iq_view path)
{
	const uint64_t *index = iq_map_get(&shape->paths, path);

	return index ? &shape->items[*index] : NULL;
}

static int tell(const struct comparing *comparing, enum iq_difference_kind kind, struct iq_view path,
		const char *expected, const char *got)
{
	const struct iq_unlike unlike = { kind, iq_view_from(path, comparing->type_len), expected, got };

	return comparing->tell(comparing->context, &unlike);
}

static const char *first_type(uint32_t types)
{
	for (int type = IQ_JSON_OBJECT_BEGIN; type <= IQ_JSON_NULL; type++)
		if (types & type_bit((enum iq_json_type)type))
			return type_name((enum iq_json_type)type);
	return "";
}

static int compare_value(void *context, struct iq_view path, const struct iq_json_token *value, struct iq_view raw)
{
	struct comparing *comparing = context;
	const struct iq_shape_path *item = path_of(comparing->shape, path);
	uint64_t *seen = iq_map_get(&comparing->seen, path);

	(void)raw;
	if (seen)
		(*seen)++;
	else if (iq_map_set(&comparing->seen, path, 1) < 0)
		return IQ_ERR_NOMEM;
	/* What was only ever null may be anything. */
	if (!item || item->types == type_bit(IQ_JSON_NULL) || item->types == 0 || (item->types & type_bit(value->type)))
		return 0;
	return tell(comparing, IQ_DIFFERENCE_JSON, path, first_type(item->types), type_name(value->type));
}

/* Is `path` the member of the object at `parent`, and not one deeper? */
static bool is_member(struct iq_view path, struct iq_view parent)
{
	const struct iq_view rest = iq_view_from(path, parent.len + 1);

	return path.len > parent.len + 1 && iq_view_starts_with(path, parent) && path.data[parent.len] == '/' &&
	       !memchr(rest.data, '/', rest.len) && !iq_view_eq(rest, IQ_LIT("*"));
}

static bool has_member(struct iq_view object, struct iq_view member)
{
	struct iq_buf scratch = IQ_BUF_INIT;
	const bool found = iq_json_pointer(object, member, &scratch).type != IQ_JSON_NONE;

	iq_buf_release(&scratch);
	return found;
}

/* What every such object had. */
static int compare_object(void *context, struct iq_view path, struct iq_view object)
{
	struct comparing *comparing = context;
	const struct iq_shape *shape = comparing->shape;
	const struct iq_shape_path *parent = path_of(shape, path);

	for (size_t i = 0; parent && i < shape->paths.count; i++) {
		const struct iq_view member = shape->paths.entries[i].key;
		int rc;

		if (!is_member(member, path) || shape->items[i].seen < parent->possible ||
		    has_member(object, iq_view_from(member, path.len)))
			continue;
		rc = tell(comparing, IQ_DIFFERENCE_FIELD, member, first_type(shape->items[i].types), "nothing");
		if (rc != 0)
			return rc;
	}
	return 0;
}

int iq_shape_compare(const struct iq_shape *shape, struct iq_view type, struct iq_view body, iq_unlike_fn *told,
		     void *context)
{
	struct comparing comparing = { shape, IQ_MAP_INIT, told, context, type.len + 1 };
	struct visiting visiting = { compare_value, compare_object, &comparing, IQ_BUF_INIT, false };
	const struct iq_shape_path *plain = path_of(shape, type);
	int rc = visit_body(&visiting, type, body);

	iq_map_release(&comparing.seen);
	/* No JSON, in a type whose messages always were. */
	if (rc == 1)
		rc = plain && plain->seen > 0 ? 0 : tell(&comparing, IQ_DIFFERENCE_NOT_JSON, type, "JSON", "no JSON");
	return rc;
}

bool iq_shape_is_volatile(const struct iq_shape *shape, struct iq_view type, struct iq_view path)
{
	struct iq_buf key = IQ_BUF_INIT;
	const struct iq_shape_path *item;

	(void)iq_buf_append(&key, type);
	(void)iq_buf_append(&key, iq_view_make("", 1));
	(void)iq_buf_append(&key, path);
	item = path_of(shape, iq_buf_view(&key));
	iq_buf_release(&key);
	return item && item->is_volatile;
}

bool iq_shape_precedes(const struct iq_shape *shape, struct iq_view a, struct iq_view b)
{
	const uint64_t *x = iq_map_get(&shape->types, a), *y = iq_map_get(&shape->types, b);
	size_t cell;

	if (!x || !y || *x >= IQ_SHAPE_MAX_TYPES || *y >= IQ_SHAPE_MAX_TYPES)
		return false;
	cell = (size_t)*x * IQ_SHAPE_MAX_TYPES + (size_t)*y;
	return shape->both[cell] >= IQ_SHAPE_ORDERS && shape->before[cell] == shape->both[cell];
}

bool iq_shape_always_answers(const struct iq_shape *shape, struct iq_view type, uint32_t answer)
{
	struct iq_buf key = IQ_BUF_INIT;
	const uint64_t *count;

	iq_shape_answer_key(&key, type, answer);
	count = iq_map_get(&shape->answers, iq_buf_view(&key));
	iq_buf_release(&key);
	return count && shape->recordings >= IQ_SHAPE_COUNTS && *count == shape->recordings;
}

const struct iq_shape_type *iq_shape_type(const struct iq_shape *shape, struct iq_view type)
{
	const uint64_t *index = iq_map_get(&shape->types, type);

	return index ? &shape->type_items[*index] : NULL;
}
