#include <stdlib.h>
#include <string.h>

#include "store/body_finder.h"
#include "store/derive.h"
#include "store/generalise.h"
#include "store/repeats.h"
#include "store/split.h"

/* Slot values that are held at once; texts beyond are kept as they are. */
#define MAX_VALUES (3u << 20)
/* Columns with fewer values share one with the others of their kind. */
#define LEAST_COLUMN 12u
/* Shorter bodies are not looked for in pieces. */
#define LEAST_BODY_IN_PARTS 64u
/* Where fewer texts than one in so many have a template, it is rare. */
#define RARE 2048u
/* A label is at most so much of the constant text before a slot. */
#define MAX_LABEL 24u

/* A slot value, packed. */
struct value {
	uint8_t kind;
	uint8_t digits;
	uint32_t len;
	union {
		int64_t number;
		const char *text;
	};
};

struct shape {
	uint32_t texts;
	uint32_t slots;
	uint32_t first_value;			     /* of its first text */
	uint32_t first_slot;			     /* among the slots of all kept shapes */
	uint32_t number;			     /* from 1, of those that are kept; 0: dropped */
	uint64_t varies[IQ_TEMPLATE_MAX_SLOTS / 64]; /* a bit for each slot that is not as in its first text */
};

struct slot {
	enum iq_slot_kind kind;
	struct value first;
	uint32_t column; /* from 1; 0: constant */
	uint32_t shape;
};

struct column {
	enum iq_slot_kind kind;
	uint32_t count;
	uint32_t start; /* among the values of all columns */
};

struct plan {
	struct iq_codec *codec;
	const struct iq_split_input *input;
	struct iq_map patterns;
	struct shape *shapes;
	size_t shape_capacity;
	uint32_t *shape_of; /* by text: 1 + its index; 0: as it is */
	struct value *values;
	size_t value_count;
	size_t value_capacity;
	struct slot *slots;
	size_t slot_count;
	struct iq_map labels;	/* of columns */
	struct iq_arena memory; /* of words that became slots */
	struct column *columns;
	size_t column_count;
	size_t kept; /* shapes */
	size_t fitting;
};

static bool has_value(enum iq_slot_kind kind)
{
	return kind <= IQ_SLOT_OBSERVED;
}

static void release_plan(struct plan *plan)
{
	iq_map_release(&plan->patterns);
	iq_map_release(&plan->labels);
	iq_arena_release(&plan->memory);
	free(plan->shapes);
	free(plan->shape_of);
	free(plan->values);
	free(plan->slots);
	free(plan->columns);
}

/* ---- Splitting all texts ---- */

static int add_shape(struct plan *plan, uint32_t index, size_t slots)
{
	if (index >= plan->shape_capacity) {
		size_t capacity = plan->shape_capacity ? plan->shape_capacity * 2 : 64;
		struct shape *shapes = realloc(plan->shapes, capacity * sizeof(*shapes));

		if (!shapes)
			return IQ_ERR_NOMEM;
		plan->shapes = shapes;
		plan->shape_capacity = capacity;
	}
	plan->shapes[index] = (struct shape){ .slots = (uint32_t)slots };
	return 0;
}

static int keep_values(struct plan *plan, const struct iq_splitter *splitter)
{
	if (plan->value_count + splitter->count > plan->value_capacity) {
		size_t capacity = plan->value_capacity ? plan->value_capacity * 2 : 4096;
		struct value *values = realloc(plan->values, capacity * sizeof(*values));

		if (!values)
			return IQ_ERR_NOMEM;
		plan->values = values;
		plan->value_capacity = capacity;
	}
	for (size_t i = 0; i < splitter->count; i++) {
		const struct iq_slot_value *from = &splitter->values[i];
		struct value *to = &plan->values[plan->value_count++];

		*to = (struct value){ .kind = (uint8_t)from->kind, .digits = from->digits };
		if (from->kind == IQ_SLOT_TEXT) {
			to->len = (uint32_t)from->text.len;
			to->text = from->text.data;
		} else {
			to->number = from->number;
		}
	}
	return 0;
}

static bool same_value(const struct value *a, const struct value *b)
{
	if (a->digits != b->digits)
		return false;
	if (a->kind == IQ_SLOT_TEXT)
		return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
	return a->kind == IQ_SLOT_TS || a->kind == IQ_SLOT_OBSERVED || a->number == b->number;
}

/* One more text of the shape, whose values are those from `at` on. What varies is seen while they are at hand. */
static void note_text(struct shape *shape, const struct value *values, size_t at)
{
	const struct value *first = values + shape->first_value;

	if (shape->texts++ == 0) {
		shape->first_value = (uint32_t)at;
		memset(shape->varies, 0, sizeof(shape->varies));
		return;
	}
	for (uint32_t i = 0; i < shape->slots; i++)
		if (!(shape->varies[i / 64] >> i % 64 & 1) && !same_value(&first[i], &values[at + i]))
			shape->varies[i / 64] |= UINT64_C(1) << i % 64;
}

static int take_shape(struct plan *plan, const struct iq_splitter *splitter, size_t index, uint32_t shape)
{
	const size_t at = plan->value_count;

	if (keep_values(plan, splitter) < 0)
		return IQ_ERR_NOMEM;
	note_text(&plan->shapes[shape], plan->values, at);
	plan->shape_of[index] = shape + 1;
	return 0;
}

/* A body that does not stand in one place, and is long enough to have been split. */
static bool split_in_parts(struct iq_splitter *splitter, struct iq_view text)
{
	const struct iq_view body = splitter->known.texts[IQ_SLOT_BODY];
	struct iq_body_part parts[IQ_BODY_MAX_PARTS];
	unsigned escape;
	size_t count = body.len < LEAST_BODY_IN_PARTS ? 0 : iq_body_find_parts(text, body, parts, &escape);

	return count > 0 && iq_template_split_parts(splitter, text, parts, count, escape);
}

/* A stack trace, say: what its lines have in common is told from them. JSON that is written in lines is one text. */
static bool has_lines(struct iq_view text)
{
	return text.len > 1 && text.data[0] != '{' && text.data[0] != '[' && memchr(text.data, '\n', text.len - 1);
}

static bool split_fields(struct iq_splitter *splitter, const struct iq_fields *fields, struct iq_view text)
{
	const struct iq_view sources[IQ_FIELD_SOURCES] = { [IQ_FIELD_OF_BODY] =
								   splitter->known.texts[IQ_SLOT_BODY_FIELD],
							   [IQ_FIELD_OF_RAW] =
								   splitter->known.texts[IQ_SLOT_RAW_FIELD] };
	struct iq_found_field found[IQ_FIELDS_MAX_VALUES];
	size_t count = iq_fields_find(fields, text, sources, found);

	return count > 0 && iq_template_split_fields(splitter, text, found, count);
}

/* Splits what has a layout of its own; false where it has none. */
static bool split_specially(struct iq_splitter *splitter, const struct iq_split_input *input, struct iq_view text)
{
	if (input->fields)
		return split_fields(splitter, input->fields, text);
	return input->holes ? split_in_parts(splitter, text)
			    : has_lines(text) && iq_template_split_line(splitter, text);
}

static int split_one(struct plan *plan, struct iq_splitter *splitter, size_t index)
{
	const struct iq_split_input *input = plan->input;
	const struct iq_hole *hole =
		input->holes && input->holes[index].at != IQ_HOLE_NONE ? &input->holes[index] : NULL;
	uint32_t shape;
	bool special;
	int rc;

	if (input->known)
		input->known(input->context, index, &splitter->known);
	if (plan->value_count + IQ_TEMPLATE_MAX_SLOTS > MAX_VALUES && !hole)
		return 0;
	special = !hole && split_specially(splitter, input, input->values[index]);
	if (!special && iq_template_follow(splitter, input->values[index], hole, &shape))
		return take_shape(plan, splitter, index, shape);
	if (!special && !iq_template_split(splitter, input->values[index], hole)) {
		if (!hole)
			return splitter->pattern.failed ? IQ_ERR_NOMEM : 0;
		iq_template_keep(splitter, input->values[index], hole);
	}
	if (splitter->pattern.failed)
		return IQ_ERR_NOMEM;
	rc = iq_map_intern(&plan->patterns, iq_buf_view(&splitter->pattern), &shape);
	if (rc == 1)
		rc = add_shape(plan, shape, splitter->count);
	if (rc < 0)
		return rc;
	if (!special)
		iq_template_learn(splitter, input->values[index], shape);
	return take_shape(plan, splitter, index, shape);
}

static int split_all(struct plan *plan)
{
	struct iq_splitter *splitter = malloc(sizeof(*splitter));
	int rc = splitter ? 0 : IQ_ERR_NOMEM;

	plan->shape_of = calloc(plan->input->count + 1, sizeof(*plan->shape_of));
	if (!plan->shape_of)
		rc = IQ_ERR_NOMEM;
	if (splitter)
		iq_splitter_init(splitter);
	for (size_t i = 0; i < plan->input->count && rc == 0; i++)
		rc = split_one(plan, splitter, i);
	if (splitter)
		iq_splitter_release(splitter);
	free(splitter);
	return rc;
}

/* ---- Rare shapes ---- */

/* What becomes of the shapes: which one a shape is now, and the words that it has as slots besides. */
struct succession {
	struct iq_rare_template *rare;
	struct iq_general_template *general;
	uint32_t *shapes;		       /* by shape: the new one */
	const struct iq_general_template **of; /* by shape: what it became; NULL: it stays */
	size_t *indices;		       /* of the rare ones, among the shapes */
	size_t count;
};

static uint32_t most_rare(const struct plan *plan)
{
	const size_t rare = plan->input->count / RARE;

	return rare < 3 ? 3 : (uint32_t)rare;
}

static int find_rare(struct plan *plan, struct succession *succession)
{
	const size_t shapes = plan->patterns.count;
	const uint32_t most = most_rare(plan);

	succession->rare = iq_arena_alloc(&plan->memory, (shapes + 1) * sizeof(*succession->rare));
	succession->general = iq_arena_alloc(&plan->memory, (shapes + 1) * sizeof(*succession->general));
	succession->shapes = iq_arena_alloc(&plan->memory, (shapes + 1) * sizeof(*succession->shapes));
	succession->of = iq_arena_calloc(&plan->memory, shapes + 1, sizeof(const struct iq_general_template *));
	succession->indices = iq_arena_alloc(&plan->memory, (shapes + 1) * sizeof(*succession->indices));
	if (!succession->rare || !succession->general || !succession->shapes || !succession->of || !succession->indices)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < shapes; i++) {
		succession->shapes[i] = (uint32_t)i;
		if (plan->shapes[i].texts > most)
			continue;
		succession->rare[succession->count] =
			(struct iq_rare_template){ plan->patterns.entries[i].key, plan->shapes[i].texts };
		succession->indices[succession->count++] = i;
	}
	return 0;
}

/* Numbers the general shapes. */
static int succeed(struct plan *plan, struct succession *succession)
{
	for (size_t i = 0; i < succession->count; i++) {
		const struct iq_general_template *general = &succession->general[i];
		const size_t from = succession->indices[i];
		uint32_t to;
		int rc;

		if (!general->pattern.data || plan->shapes[from].slots + general->slot_count > IQ_TEMPLATE_MAX_SLOTS)
			continue;
		rc = iq_map_intern(&plan->patterns, general->pattern, &to);
		if (rc == 1)
			rc = add_shape(plan, to, plan->shapes[from].slots + general->slot_count);
		if (rc < 0)
			return rc;
		succession->shapes[from] = to;
		succession->of[from] = general;
	}
	return 0;
}

/* The values of one text, with its words among them. */
static struct value *merge_values(const struct value *from, uint32_t count, const struct iq_general_template *general,
				  struct value *to)
{
	size_t word = 0;

	for (uint32_t i = 0; i <= count; i++) {
		for (; general && word < general->slot_count && general->slots[word].before == i; word++) {
			const struct iq_view text = general->slots[word].text;

			*to++ = (struct value){ .kind = IQ_SLOT_TEXT, .len = (uint32_t)text.len, .text = text.data };
		}
		if (i < count)
			*to++ = from[i];
	}
	return to;
}

/* How many values there are with the words. */
static size_t count_values(const struct plan *plan, const struct succession *succession)
{
	size_t total = plan->value_count;

	for (size_t i = 0; i < succession->count; i++)
		total += succession->general[i].slot_count * succession->rare[i].texts;
	return total;
}

static int move_values(struct plan *plan, const struct succession *succession)
{
	const struct value *from = plan->values;
	struct value *to, *values = malloc((count_values(plan, succession) + 1) * sizeof(*values));

	if (!values)
		return IQ_ERR_NOMEM;
	to = values;
	for (size_t i = 0; i < plan->patterns.count; i++)
		plan->shapes[i].texts = 0;
	for (size_t i = 0; i < plan->input->count; i++) {
		const uint32_t shape = plan->shape_of[i] - 1;
		const size_t at = (size_t)(to - values);
		uint32_t slots;

		if (plan->shape_of[i] == 0)
			continue;
		slots = plan->shapes[shape].slots;
		to = merge_values(from, slots, succession->of[shape], to);
		from += slots;
		plan->shape_of[i] = succession->shapes[shape] + 1;
		note_text(&plan->shapes[succession->shapes[shape]], values, at);
	}
	free(plan->values);
	plan->values = values;
	plan->value_count = plan->value_capacity = (size_t)(to - values);
	return 0;
}

/* Shapes that few texts have, where together they are many, become fewer that more texts have. */
static int generalise(struct plan *plan)
{
	struct succession succession = { 0 };
	int rc = plan->input->holes ? 0 : find_rare(plan, &succession);

	if (rc < 0 || succession.count < 2)
		return rc;
	rc = iq_generalise(succession.rare, succession.count, &plan->memory, succession.general);
	if (rc == 0)
		rc = succeed(plan, &succession);
	return rc == 0 ? move_values(plan, &succession) : rc;
}

/* ---- Which shapes are kept ---- */

/* A shape has to occur so often to be worth its template. Texts that a body was taken out of have no other layout. */
static uint32_t least_texts(const struct plan *plan)
{
	return plan->input->holes || plan->input->count < 64 ? 1 : plan->input->count < 4096 ? 2 : 3;
}

static void number_shapes(struct plan *plan)
{
	const uint32_t least = least_texts(plan);

	for (size_t i = 0; i < plan->patterns.count; i++) {
		struct shape *shape = &plan->shapes[i];

		if (shape->texts < least)
			continue;
		shape->number = (uint32_t)++plan->kept;
		shape->first_slot = (uint32_t)plan->slot_count;
		plan->slot_count += shape->slots;
		plan->fitting += shape->texts;
	}
}

/* Calls for each slot value of the texts that are kept, in order. */
static void for_each_value(struct plan *plan,
			   void (*visit)(struct plan *plan, struct slot *slot, const struct value *value,
					 void *context),
			   void *context)
{
	size_t at = 0;

	for (size_t i = 0; i < plan->input->count; i++) {
		const struct shape *shape = plan->shape_of[i] ? &plan->shapes[plan->shape_of[i] - 1] : NULL;

		if (!shape)
			continue;
		for (uint32_t j = 0; shape->number && j < shape->slots; j++)
			visit(plan, &plan->slots[shape->first_slot + j], &plan->values[at + j], context);
		at += shape->slots;
	}
}

/* ---- Columns ---- */

/* What stands before the slot in its template; where that has no letter to tell it by, everything from the beginning, so
 * that what heads many templates is in one column. */
static struct iq_view label_before(struct iq_view pattern, size_t at)
{
	size_t start = at;
	bool letter = false;

	while (start > 0 && at - start < MAX_LABEL && pattern.data[start - 1] != '>') {
		char c = pattern.data[--start];

		letter |= (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
	}
	if (at > 0 && pattern.data[at - 1] == '\n')
		return IQ_LIT("\n");
	return letter ? iq_view_make(pattern.data + start, at - start) : iq_view_make(pattern.data, at);
}

static int column_for(struct plan *plan, const struct slot *slot, struct iq_view label, uint32_t *ret_column)
{
	struct iq_buf key = IQ_BUF_INIT;
	int rc;

	(void)iq_buf_append_char(&key, (char)slot->kind);
	(void)iq_buf_append(&key, label);
	rc = key.failed ? IQ_ERR_NOMEM : iq_map_intern(&plan->labels, iq_buf_view(&key), ret_column);
	iq_buf_release(&key);
	return rc;
}

/* The slots of one template, in order, get the columns of their labels. */
static int assign_columns(struct plan *plan, size_t pattern_index)
{
	const struct shape *shape = &plan->shapes[pattern_index];
	struct iq_view pattern = plan->patterns.entries[pattern_index].key;
	uint32_t column, slot_index = 0;
	int rc = 0;

	for (size_t at = 0; at < pattern.len && rc >= 0; at++) {
		struct slot *slot;

		if (pattern.data[at] != '<')
			continue;
		if (pattern.data[at + 1] == '<') {
			at++;
			continue;
		}
		slot = &plan->slots[shape->first_slot + slot_index];
		slot->first = plan->values[shape->first_value + slot_index];
		slot->kind = (enum iq_slot_kind)slot->first.kind;
		slot->shape = (uint32_t)pattern_index;
		if ((shape->varies[slot_index / 64] >> slot_index % 64 & 1) && has_value(slot->kind)) {
			rc = column_for(plan, slot, label_before(pattern, at), &column);
			slot->column = column + 1;
		}
		slot_index++;
		while (pattern.data[at] != '>')
			at++;
	}
	return rc < 0 ? rc : 0;
}

static void count_in_columns(struct plan *plan, const struct shape *shape)
{
	for (uint32_t i = 0; shape->number && i < shape->slots; i++) {
		const struct slot *slot = &plan->slots[shape->first_slot + i];

		if (slot->column == 0)
			continue;
		plan->columns[slot->column - 1].kind = slot->kind;
		plan->columns[slot->column - 1].count += shape->texts;
	}
}

static void note_for_repeats(struct plan *plan, struct slot *slot, const struct value *value, void *context)
{
	struct iq_repeats *repeats = context;
	const bool is_text = slot->kind == IQ_SLOT_TEXT;
	struct iq_repeats_value noted;

	(void)plan;
	if (!slot->column || slot->kind > IQ_SLOT_DECIMAL || !iq_repeats_next(repeats))
		return;
	noted = (struct iq_repeats_value){ .column = slot->column - 1,
					   .family = value->kind + (uint32_t)value->digits * IQ_SLOT_COUNT,
					   .is_text = is_text,
					   .length = value->len };
	noted.number = is_text ? (int64_t)iq_hash64(iq_view_make(value->text, value->len)) : value->number;
	iq_repeats_note(repeats, &noted);
}

/* Columns that repeat what others held become part of these, and are empty then. */
static void join_repeats(struct plan *plan)
{
	struct iq_repeats *repeats = iq_repeats_new(plan->column_count);
	uint32_t *targets = calloc(plan->column_count + 1, sizeof(*targets));

	if (repeats && targets) {
		for_each_value(plan, note_for_repeats, repeats);
		iq_repeats_join(repeats, targets);
		for (size_t i = 0; i < plan->column_count; i++)
			if (targets[i] != i) {
				plan->columns[targets[i]].count += plan->columns[i].count;
				plan->columns[i].count = 0;
			}
		for (size_t i = 0; i < plan->slot_count; i++)
			if (plan->slots[i].column)
				plan->slots[i].column = targets[plan->slots[i].column - 1] + 1;
	}
	iq_repeats_free(repeats);
	free(targets);
}

/* Columns with few values are put together by kind, empty ones left out, and the rest numbered anew. */
static void merge_small(struct plan *plan)
{
	uint32_t shared[IQ_SLOT_COUNT] = { 0 };
	uint32_t *moved = calloc(plan->column_count + 1, sizeof(*moved));
	size_t kept = 0;

	if (!moved)
		return;
	for (size_t i = 0; i < plan->column_count; i++) {
		struct column column = plan->columns[i];
		bool small = column.count < LEAST_COLUMN;

		if (column.count == 0)
			continue;
		if (small && shared[column.kind]) {
			plan->columns[shared[column.kind] - 1].count += column.count;
			moved[i] = shared[column.kind];
			continue;
		}
		plan->columns[kept++] = column;
		moved[i] = (uint32_t)kept;
		if (small)
			shared[column.kind] = (uint32_t)kept;
	}
	plan->column_count = kept;
	for (size_t i = 0; i < plan->slot_count; i++)
		if (plan->slots[i].column)
			plan->slots[i].column = moved[plan->slots[i].column - 1];
	free(moved);
}

static int plan_columns(struct plan *plan)
{
	int rc = 0;

	plan->slots = calloc(plan->slot_count + 1, sizeof(*plan->slots));
	if (!plan->slots)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < plan->patterns.count && rc == 0; i++)
		if (plan->shapes[i].number)
			rc = assign_columns(plan, i);
	plan->column_count = plan->labels.count;
	plan->columns = calloc(plan->column_count + 1, sizeof(*plan->columns));
	if (rc < 0 || !plan->columns)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < plan->patterns.count; i++)
		count_in_columns(plan, &plan->shapes[i]);
	join_repeats(plan);
	merge_small(plan);
	return 0;
}

/* ---- Writing numbers with digits ---- */

static int64_t power_of_ten(unsigned exponent)
{
	int64_t power = 1;

	while (exponent-- > 0)
		power *= 10;
	return power;
}

static unsigned trailing_zeros(int64_t number, unsigned most)
{
	unsigned zeros = 0;

	while (zeros < most && number % 10 == 0) {
		number /= 10;
		zeros++;
	}
	return zeros;
}

/* Digits that are trimmed: what TRIMMED says `number`, counted in the last of `places`, has. */
static unsigned trimmed_digits(int64_t number, unsigned places)
{
	unsigned zeros = places > 1 ? trailing_zeros(number, places - 1) : 0;

	return places - zeros;
}

/* In the last place of `places`; false where that overflows. */
static bool scale_up(struct value value, unsigned places, bool is_time, int64_t *ret)
{
	int64_t power = power_of_ten(places - value.digits);

	*ret = value.number;
	if (is_time)
		return true;
	if (value.number > INT64_MAX / power || value.number < INT64_MIN / power)
		return false;
	*ret = value.number * power;
	return true;
}

static bool are_trimmed(const struct value *values, size_t count, unsigned places, bool is_time)
{
	int64_t number;

	for (size_t i = 0; i < count; i++) {
		if (values[i].digits == 0 || !scale_up(values[i], places, is_time, &number) ||
		    trimmed_digits(is_time ? number % 1000000000 : number, places) != values[i].digits)
			return false;
	}
	return true;
}

static int append_numbers(struct plan *plan, const struct value *values, size_t count, unsigned places, bool is_time,
			  struct iq_buf *out)
{
	int64_t *numbers = malloc((count + 1) * sizeof(*numbers));
	int rc = numbers ? 0 : IQ_ERR_NOMEM;

	for (size_t i = 0; rc == 0 && i < count; i++) {
		numbers[i] = values[i].number;
		if (places)
			(void)scale_up(values[i], places, is_time, &numbers[i]);
	}
	if (rc == 0)
		rc = iq_stream_append_ints(plan->codec, numbers, count, out);
	free(numbers);
	return rc;
}

static int append_digits(struct plan *plan, const struct value *values, size_t count, struct iq_buf *out)
{
	int64_t *digits = malloc((count + 1) * sizeof(*digits));
	int rc = digits ? 0 : IQ_ERR_NOMEM;

	for (size_t i = 0; rc == 0 && i < count; i++)
		digits[i] = values[i].digits;
	if (rc == 0)
		rc = iq_stream_append_ints(plan->codec, digits, count, out);
	free(digits);
	return rc;
}

/* DECIMAL and the times. Of TS and OBSERVED only the digits. */
static int append_decimals(struct plan *plan, enum iq_slot_kind kind, const struct value *values, size_t count,
			   struct iq_buf *out)
{
	const bool is_time = kind != IQ_SLOT_DECIMAL, has_numbers = kind <= IQ_SLOT_NEAR;
	unsigned least = 255, most = 0;
	enum iq_digits_layout layout = IQ_DIGITS_EACH;
	int rc = 0;

	for (size_t i = 0; i < count; i++) {
		least = values[i].digits < least ? values[i].digits : least;
		most = values[i].digits > most ? values[i].digits : most;
	}
	if (least == most)
		layout = IQ_DIGITS_ALL;
	else if (kind != IQ_SLOT_NEAR && are_trimmed(values, count, is_time ? 9 : most, is_time))
		layout = IQ_DIGITS_TRIMMED;
	(void)iq_buf_append_char(out, (char)layout);
	if (layout == IQ_DIGITS_EACH)
		rc = append_digits(plan, values, count, out);
	else
		(void)iq_buf_append_char(out, (char)(layout == IQ_DIGITS_ALL ? most : is_time ? 9 : most));
	if (rc == 0 && has_numbers)
		rc = append_numbers(plan, values, count, layout == IQ_DIGITS_TRIMMED ? most : 0, is_time, out);
	return rc;
}

/* ---- Writing columns ---- */

static int append_texts(struct plan *plan, const struct value *values, size_t count, struct iq_buf *out)
{
	struct iq_view *texts = malloc((count + 1) * sizeof(*texts));
	int rc = texts ? 0 : IQ_ERR_NOMEM;

	for (size_t i = 0; rc == 0 && i < count; i++)
		texts[i] = iq_view_make(values[i].text, values[i].len);
	if (rc == 0)
		rc = iq_texts_append(plan->codec, texts, count, plan->input->depth + 1, out);
	free(texts);
	return rc;
}

/* Values that lie column by column, and which of these columns are derived. */
struct placed {
	struct value *values;
	const struct plan *plan;
	struct iq_derived *derived;
};

static struct iq_view placed_text(void *context, size_t column, size_t index)
{
	const struct placed *placed = context;
	const struct value *value = &placed->values[placed->plan->columns[column].start + index];

	return iq_view_make(value->text, value->len);
}

/* The texts that the values of a column belong to, as a hash of its slots. */
static void note_texts(struct plan *plan, struct iq_derived *derived)
{
	for (size_t i = 0; i < plan->slot_count; i++) {
		const uint32_t column = plan->slots[i].column;

		if (column > 0)
			derived[column - 1].texts =
				(derived[column - 1].texts ^ (plan->slots[i].shape + 1)) * UINT64_C(0x9e3779b97f4a7c15);
	}
}

static int derive_columns(struct plan *plan, struct placed *placed)
{
	const size_t total = plan->column_count;

	placed->derived = iq_arena_calloc(&plan->memory, total + 1, sizeof(*placed->derived));
	if (!placed->derived)
		return IQ_ERR_NOMEM;
	note_texts(plan, placed->derived);
	for (size_t i = 0; i < total; i++) {
		struct iq_derived *derived = &placed->derived[i];

		if (plan->columns[i].kind != IQ_SLOT_TEXT || plan->input->depth > 0)
			continue;
		derived->count = plan->columns[i].count;
		for (size_t j = 0; j < derived->count; j++)
			derived->bytes += placed_text(placed, i, j).len;
	}
	iq_derive(placed->derived, total, placed_text, placed);
	return 0;
}

/* What is a field of its source is not there. */
static int append_field(struct plan *plan, struct placed *placed, size_t column, struct iq_buf *out)
{
	const struct iq_derived *derived = &placed->derived[column];
	struct iq_view *others = malloc(derived->count * sizeof(*others)), found;
	int rc = others ? 0 : IQ_ERR_NOMEM;

	for (size_t i = 0; rc == 0 && i < derived->count; i++) {
		others[i] = placed_text(placed, column, i);
		if (iq_field_find(&derived->field, placed_text(placed, derived->source, i), &found) &&
		    iq_view_eq(found, others[i]))
			others[i] = IQ_VIEW_NULL;
	}
	(void)iq_buf_append_char(out, IQ_TEXTS_FIELD);
	(void)iq_varint_append(out, derived->source);
	(void)iq_varint_append(out, derived->field.nth);
	(void)iq_buf_append_char(out, (char)derived->field.before);
	(void)iq_buf_append_char(out, derived->field.to_end);
	(void)iq_buf_append_char(out, (char)derived->field.after);
	if (rc == 0)
		rc = iq_texts_append(plan->codec, others, derived->count, plan->input->depth + 2, out);
	free(others);
	return rc;
}

static int append_column(struct plan *plan, struct placed *placed, size_t index, struct iq_buf *scratch,
			 struct iq_buf *out)
{
	const struct column *column = &plan->columns[index];
	const struct value *values = placed->values + column->start;
	int rc;

	iq_buf_clear(scratch);
	if (placed->derived[index].source != SIZE_MAX)
		rc = append_field(plan, placed, index, scratch);
	else if (column->kind == IQ_SLOT_TEXT)
		rc = append_texts(plan, values, column->count, scratch);
	else if (column->kind == IQ_SLOT_INT)
		rc = append_numbers(plan, values, column->count, 0, false, scratch);
	else
		rc = append_decimals(plan, column->kind, values, column->count, scratch);
	(void)iq_buf_append_char(out, (char)column->kind);
	(void)iq_varint_append(out, column->count);
	(void)iq_varint_append(out, scratch->len);
	return rc < 0 ? rc : iq_buf_append(out, iq_buf_view(scratch));
}

static void place_value(struct plan *plan, struct slot *slot, const struct value *value, void *context)
{
	struct value *placed = context;
	struct column *column;

	if (slot->column == 0)
		return;
	column = &plan->columns[slot->column - 1];
	placed[column->start + column->count++] = *value;
}

static int append_columns(struct plan *plan, struct iq_buf *out)
{
	struct iq_buf scratch = IQ_BUF_INIT;
	struct placed placed = { .plan = plan };
	uint32_t total = 0;
	int rc;

	for (size_t i = 0; i < plan->column_count; i++) {
		plan->columns[i].start = total;
		total += plan->columns[i].count;
		plan->columns[i].count = 0;
	}
	placed.values = malloc(((size_t)total + 1) * sizeof(*placed.values));
	if (!placed.values)
		return IQ_ERR_NOMEM;
	for_each_value(plan, place_value, placed.values);
	rc = derive_columns(plan, &placed);
	(void)iq_varint_append(out, plan->column_count);
	for (size_t i = 0; i < plan->column_count && rc == 0; i++)
		rc = append_column(plan, &placed, i, &scratch, out);
	iq_buf_release(&scratch);
	free(placed.values);
	return rc;
}

/* Which column each slot has, and what stands in those that have none. */
static int append_slots(struct plan *plan, struct iq_buf *out)
{
	int64_t *map = malloc((plan->slot_count + 1) * sizeof(*map));
	struct value *constants = malloc((plan->slot_count + 1) * sizeof(*constants));
	struct iq_buf texts = IQ_BUF_INIT;
	size_t slots = 0, text_count = 0, number_count = 0;
	int rc = map && constants ? 0 : IQ_ERR_NOMEM;

	for (size_t i = 0; rc == 0 && i < plan->slot_count; i++) {
		const struct slot *slot = &plan->slots[i];

		if (!has_value(slot->kind))
			continue;
		map[slots++] = slot->column;
		if (slot->column == 0 && slot->kind == IQ_SLOT_TEXT)
			constants[text_count++] = slot->first;
	}
	if (rc == 0)
		rc = iq_stream_append_ints(plan->codec, map, slots, out);
	if (rc == 0)
		rc = append_texts(plan, constants, text_count, &texts);
	(void)iq_varint_append(out, texts.len);
	(void)iq_buf_append(out, iq_buf_view(&texts));
	for (size_t i = 0; rc == 0 && i < plan->slot_count; i++)
		if (has_value(plan->slots[i].kind) && plan->slots[i].column == 0 && plan->slots[i].kind != IQ_SLOT_TEXT)
			constants[number_count++] = plan->slots[i].first;
	for (size_t i = 0; rc == 0 && i < number_count; i++)
		if (constants[i].kind == IQ_SLOT_TS || constants[i].kind == IQ_SLOT_OBSERVED)
			constants[i].number = 0;
	if (rc == 0)
		rc = append_numbers(plan, constants, number_count, 0, false, out);
	if (rc == 0)
		rc = append_digits(plan, constants, number_count, out);
	iq_buf_release(&texts);
	free(map);
	free(constants);
	return rc;
}

/* ---- Writing the rest ---- */

static int append_inline_patterns(struct plan *plan, struct iq_buf *out)
{
	struct iq_view *patterns = malloc((plan->kept + 1) * sizeof(*patterns));
	struct iq_buf texts = IQ_BUF_INIT;
	size_t count = 0;
	int rc = patterns ? 0 : IQ_ERR_NOMEM;

	for (size_t i = 0; rc == 0 && i < plan->patterns.count; i++)
		if (plan->shapes[i].number)
			patterns[count++] = plan->patterns.entries[i].key;
	if (rc == 0)
		rc = iq_texts_append(plan->codec, patterns, count, IQ_TEXTS_MAX_DEPTH, &texts);
	(void)iq_buf_append_char(out, 0);
	(void)iq_varint_append(out, texts.len);
	(void)iq_buf_append(out, iq_buf_view(&texts));
	iq_buf_release(&texts);
	free(patterns);
	return rc;
}

static int append_pattern_ids(struct plan *plan, struct iq_buf *out)
{
	const struct iq_split_input *input = plan->input;
	int64_t *ids = malloc((plan->kept + 1) * sizeof(*ids));
	size_t count = 0;
	int rc = ids ? 0 : IQ_ERR_NOMEM;

	for (size_t i = 0; rc == 0 && i < plan->patterns.count; i++) {
		if (!plan->shapes[i].number)
			continue;
		ids[count] = input->pattern_id(input->context, plan->patterns.entries[i].key, plan->shapes[i].texts);
		rc = ids[count++] < 0 ? IQ_ERR_NOMEM : 0;
	}
	(void)iq_buf_append_char(out, 1);
	if (rc == 0)
		rc = iq_stream_append_ints(plan->codec, ids, count, out);
	free(ids);
	return rc;
}

static int append_shapes(struct plan *plan, struct iq_buf *out)
{
	const struct iq_split_input *input = plan->input;
	int64_t *own = input->ret_shapes ? NULL : malloc((input->count + 1) * sizeof(*own));
	int64_t *shapes = own ? own : input->ret_shapes;
	int rc = 0;

	if (!shapes)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < input->count; i++)
		shapes[i] = plan->shape_of[i] ? plan->shapes[plan->shape_of[i] - 1].number : 0;
	(void)iq_buf_append_char(out, own ? 0 : 1);
	if (own)
		rc = iq_stream_append_ints(plan->codec, own, input->count, out);
	else
		*input->ret_shape_count = plan->kept + 1;
	free(own);
	return rc;
}

static int append_unfit(struct plan *plan, struct iq_buf *out)
{
	size_t count = plan->input->count - plan->fitting, found = 0;
	struct iq_view *texts = malloc((count + 1) * sizeof(*texts));
	struct iq_buf bytes = IQ_BUF_INIT;
	int rc = texts ? 0 : IQ_ERR_NOMEM;

	for (size_t i = 0; rc == 0 && i < plan->input->count; i++)
		if (!plan->shape_of[i] || !plan->shapes[plan->shape_of[i] - 1].number)
			texts[found++] = plan->input->values[i];
	if (rc == 0)
		rc = iq_texts_append(plan->codec, texts, count, IQ_TEXTS_MAX_DEPTH - 3, &bytes);
	(void)iq_varint_append(out, count);
	(void)iq_varint_append(out, bytes.len);
	(void)iq_buf_append(out, iq_buf_view(&bytes));
	iq_buf_release(&bytes);
	free(texts);
	return rc;
}

static int append_plan(struct plan *plan, struct iq_buf *out)
{
	int rc;

	(void)iq_buf_append_char(out, IQ_TEXTS_SPLIT);
	(void)iq_varint_append(out, plan->kept);
	rc = plan->input->pattern_id ? append_pattern_ids(plan, out) : append_inline_patterns(plan, out);
	if (rc == 0)
		rc = append_shapes(plan, out);
	if (rc == 0)
		rc = append_slots(plan, out);
	if (rc == 0)
		rc = append_columns(plan, out);
	if (rc == 0)
		rc = append_unfit(plan, out);
	return rc < 0 ? rc : out->failed ? IQ_ERR_NOMEM : 1;
}

int iq_split_append(struct iq_codec *codec, const struct iq_split_input *input, unsigned least, struct iq_buf *out)
{
	struct plan plan = {
		.codec = codec, .input = input, .patterns = IQ_MAP_INIT, .labels = IQ_MAP_INIT, .memory = IQ_ARENA_INIT
	};
	int rc = split_all(&plan);

	if (rc == 0)
		rc = generalise(&plan);
	if (rc == 0)
		number_shapes(&plan);
	if (rc == 0 && plan.fitting * 100 >= (uint64_t)input->count * least) {
		rc = plan_columns(&plan);
		if (rc == 0)
			rc = append_plan(&plan, out);
	}
	release_plan(&plan);
	return rc;
}
