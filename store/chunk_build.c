/* Chunks while they are collected, and put into the order in which they are stored. */
#include <stdlib.h>
#include <string.h>

#include "store/chunk.h"

static const unsigned text_columns[] = { IQ_COLUMN_KEY, IQ_COLUMN_BODY, IQ_COLUMN_ATTRS, IQ_STORED_RAW };
static const unsigned number_columns[] = {
	IQ_COLUMN_TS,	IQ_COLUMN_OBSERVED,  IQ_COLUMN_SOURCE, IQ_COLUMN_SESSION,  IQ_COLUMN_KIND,
	IQ_COLUMN_TYPE, IQ_COLUMN_DIRECTION, IQ_COLUMN_SEQ,    IQ_COLUMN_SEVERITY, IQ_COLUMN_EVIDENCE,
	IQ_STORED_FORM, IQ_STORED_SKIP,	     IQ_STORED_LEAD,   IQ_STORED_EXCESS,
};
#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* Different attrs that a chunk keeps once; with more of them they hardly repeat. */
#define FEW_ATTRS 256u

/* ---- Collecting ---- */

static int allocate(void *pointer, size_t size)
{
	void *memory = malloc(IQ_CHUNK_MAX_EVENTS * size);

	*(void **)pointer = memory;
	return memory ? 0 : IQ_ERR_NOMEM;
}

int iq_chunk_builder_init(struct iq_chunk_builder *builder)
{
	int rc = 0;

	*builder = (struct iq_chunk_builder){ .types = IQ_MAP_INIT, .attrs = IQ_MAP_INIT, .memory = IQ_ARENA_INIT };
	for (size_t i = 0; i < COUNT(text_columns); i++)
		rc |= allocate(&builder->texts[text_columns[i]], sizeof(struct iq_view));
	for (size_t i = 0; i < COUNT(number_columns); i++)
		rc |= allocate(&builder->numbers[number_columns[i]], sizeof(int64_t));
	rc |= allocate(&builder->source_names, sizeof(struct iq_view));
	rc |= allocate(&builder->session_names, sizeof(struct iq_view));
	rc |= allocate(&builder->holes, sizeof(struct iq_hole));
	rc |= allocate(&builder->evidence, sizeof(struct iq_zone_entry));
	rc |= allocate(&builder->order, sizeof(uint32_t));
	builder->pieces = calloc(1, sizeof(*builder->pieces));
	rc |= builder->pieces ? 0 : IQ_ERR_NOMEM;
	if (rc != 0)
		iq_chunk_builder_release(builder);
	return rc != 0 ? IQ_ERR_NOMEM : 0;
}

void iq_chunk_builder_release(struct iq_chunk_builder *builder)
{
	for (unsigned column = 0; column < IQ_STORED_COUNT; column++) {
		free(builder->numbers[column]);
		free(builder->texts[column]);
	}
	free(builder->source_names);
	free(builder->session_names);
	free(builder->holes);
	free(builder->pieces);
	free(builder->evidence);
	free(builder->order);
	iq_map_release(&builder->types);
	iq_map_release(&builder->attrs);
	iq_arena_release(&builder->memory);
	*builder = (struct iq_chunk_builder){ .types = IQ_MAP_INIT, .attrs = IQ_MAP_INIT, .memory = IQ_ARENA_INIT };
}

void iq_chunk_builder_clear(struct iq_chunk_builder *builder)
{
	builder->count = 0;
	builder->rows = NULL;
	builder->bytes = 0;
	builder->evidence_count = 0;
	builder->attrs_are_many = false;
	iq_map_clear(&builder->types);
	iq_map_clear(&builder->attrs);
	memset(builder->pieces, 0, sizeof(*builder->pieces));
	iq_arena_clear(&builder->memory);
}

bool iq_chunk_builder_full(const struct iq_chunk_builder *builder)
{
	return builder->count >= IQ_CHUNK_MAX_EVENTS || builder->bytes >= IQ_CHUNK_MAX_BYTES;
}

static int add_text(struct iq_chunk_builder *builder, unsigned column, struct iq_view text)
{
	struct iq_view copy = iq_arena_copy(&builder->memory, text);

	if (text.data && !copy.data)
		return IQ_ERR_NOMEM;
	builder->texts[column][builder->count] = copy;
	builder->bytes += copy.len;
	return 0;
}

/* Counts the type's rows as well. */
static int add_type(struct iq_chunk_builder *builder, struct iq_view type)
{
	uint32_t index;
	int rc;

	builder->numbers[IQ_COLUMN_TYPE][builder->count] = 0;
	if (!type.data)
		return 0;
	rc = iq_map_intern(&builder->types, type, &index);
	if (rc < 0)
		return rc;
	if (rc == 1)
		builder->types.entries[index].value = 0;
	builder->types.entries[index].value++;
	builder->numbers[IQ_COLUMN_TYPE][builder->count] = (int64_t)index + 1;
	return 0;
}

struct iq_view iq_chunk_builder_type(const struct iq_chunk_builder *builder, uint32_t row)
{
	const int64_t type = builder->numbers[IQ_COLUMN_TYPE][row];

	return type == 0 ? IQ_VIEW_NULL : builder->types.entries[type - 1].key;
}

static int add_attrs(struct iq_chunk_builder *builder, struct iq_view attrs)
{
	uint32_t index;

	builder->attrs_are_many |= builder->attrs.count > FEW_ATTRS;
	if (!attrs.data || builder->attrs_are_many)
		return add_text(builder, IQ_COLUMN_ATTRS, attrs);
	if (iq_map_intern(&builder->attrs, attrs, &index) < 0)
		return IQ_ERR_NOMEM;
	builder->texts[IQ_COLUMN_ATTRS][builder->count] = builder->attrs.entries[index].key;
	builder->bytes += attrs.len;
	return 0;
}

/* Is the body not a text of its own, but what stands in the raw bytes? */
static bool shares_raw(const struct iq_hole *hole)
{
	return hole->at != IQ_HOLE_NONE && hole->escape == IQ_ESCAPE_VERBATIM;
}

/* The body where it stands in the raw bytes as it is, else a copy of it. */
static int add_raw(struct iq_chunk_builder *builder, const struct iq_event *event, const struct iq_raw_record *raw)
{
	const uint32_t row = builder->count;
	const struct iq_hole *hole = &raw->hole;

	builder->holes[row] = *hole;
	if (add_text(builder, IQ_STORED_RAW, raw->bytes.data ? raw->bytes : IQ_LIT("")) < 0)
		return IQ_ERR_NOMEM;
	builder->bytes -= hole->at != IQ_HOLE_NONE && !shares_raw(hole) ? hole->len : 0;
	if (!shares_raw(hole))
		return add_text(builder, IQ_COLUMN_BODY, event->body.data ? event->body : IQ_LIT(""));
	builder->texts[IQ_COLUMN_BODY][row] =
		iq_view_make(builder->texts[IQ_STORED_RAW][row].data + hole->at, hole->len);
	return 0;
}

static enum iq_body_form form_of(const struct iq_event *event)
{
	if (!event->body.data)
		return IQ_BODY_NONE;
	return event->body_is_binary ? IQ_BODY_BINARY : IQ_BODY_TEXT;
}

/* The zone says where the raw bytes of an evidence's first event begin: nothing is skipped before them. */
static void note_evidence(struct iq_chunk_builder *builder, uint32_t no, uint64_t offset)
{
	if (builder->evidence_count > 0 && builder->evidence[builder->evidence_count - 1].no == no)
		return;
	builder->evidence[builder->evidence_count++] = (struct iq_zone_entry){ no, offset };
	builder->numbers[IQ_STORED_SKIP][builder->count] = 0;
}

int iq_chunk_builder_add(struct iq_chunk_builder *builder, const struct iq_event *event, uint32_t source_no,
			 const struct iq_raw_record *raw)
{
	const int64_t numbers[IQ_STORED_COUNT] = {
		[IQ_COLUMN_TS] = event->ts,
		[IQ_COLUMN_OBSERVED] = event->observed,
		[IQ_COLUMN_SOURCE] = source_no,
		[IQ_COLUMN_SESSION] = event->session_no,
		[IQ_COLUMN_KIND] = event->kind,
		[IQ_COLUMN_DIRECTION] = event->direction,
		[IQ_COLUMN_SEQ] = event->seq,
		[IQ_COLUMN_SEVERITY] = event->severity,
		[IQ_COLUMN_EVIDENCE] = event->evidence,
		[IQ_STORED_FORM] = form_of(event),
		[IQ_STORED_SKIP] = (int64_t)raw->skip,
		[IQ_STORED_LEAD] = raw->lead,
		[IQ_STORED_EXCESS] = raw->excess,
	};
	const uint32_t row = builder->count;

	for (size_t i = 0; i < COUNT(number_columns); i++)
		builder->numbers[number_columns[i]][row] = numbers[number_columns[i]];
	iq_pieces_add(builder->pieces, event->body);
	builder->source_names[row] = event->source;
	builder->session_names[row] = event->session;
	if (add_type(builder, event->type) < 0 || add_text(builder, IQ_COLUMN_KEY, event->key) < 0 ||
	    add_attrs(builder, event->attrs) < 0 || add_raw(builder, event, raw) < 0)
		return IQ_ERR_NOMEM;
	note_evidence(builder, event->evidence, raw->offset);
	if (row == 0)
		builder->id_first = event->id;
	builder->count++;
	return 0;
}

/* ---- Putting into order ---- */

static bool is_in_order(const int64_t *sessions, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++)
		if (sessions[i] < sessions[i - 1])
			return false;
	return true;
}

#define DIGIT_BITS 16u
#define DIGITS (1u << DIGIT_BITS)

/* One step of a radix sort of `from` into `to`: by these digits of their sessions' numbers. `next`: one for each digit. */
static void sort_by_digits(const int64_t *sessions, unsigned shift, const uint32_t *from, uint32_t *to, uint32_t count,
			   uint32_t *next)
{
	uint32_t at = 0;

	memset(next, 0, DIGITS * sizeof(*next));
	for (uint32_t i = 0; i < count; i++)
		next[(uint64_t)sessions[i] >> shift & (DIGITS - 1)]++;
	for (uint32_t digit = 0; digit < DIGITS; digit++) {
		const uint32_t here = next[digit];

		next[digit] = at;
		at += here;
	}
	for (uint32_t i = 0; i < count; i++)
		to[next[(uint64_t)sessions[from[i]] >> shift & (DIGITS - 1)]++] = from[i];
}

/* Rows by session, which are numbers of 32 bits, and by number inside one. */
static int find_order(struct iq_chunk_builder *builder)
{
	const int64_t *sessions = builder->numbers[IQ_COLUMN_SESSION];
	const uint32_t count = builder->count;
	uint32_t *memory = malloc((2 * (size_t)count + DIGITS) * sizeof(*memory));

	if (!memory)
		return IQ_ERR_NOMEM;
	for (uint32_t i = 0; i < count; i++)
		memory[i] = i;
	sort_by_digits(sessions, 0, memory, memory + count, count, memory + 2 * count);
	sort_by_digits(sessions, DIGIT_BITS, memory + count, builder->order, count, memory + 2 * count);
	builder->rows = builder->order;
	free(memory);
	return 0;
}

static void order_numbers(const struct iq_chunk_builder *builder, int64_t **numbers, int64_t **spare)
{
	int64_t *from = *numbers, *to = *spare;

	for (uint32_t i = 0; i < builder->count; i++)
		to[i] = from[builder->rows[i]];
	*numbers = to;
	*spare = from;
}

static void order_views(const struct iq_chunk_builder *builder, struct iq_view **views, struct iq_view **spare)
{
	struct iq_view *from = *views, *to = *spare;

	for (uint32_t i = 0; i < builder->count; i++)
		to[i] = from[builder->rows[i]];
	*views = to;
	*spare = from;
}

static void order_holes(struct iq_chunk_builder *builder, struct iq_view *spare)
{
	struct iq_hole *ordered = (struct iq_hole *)(void *)spare;

	for (uint32_t i = 0; i < builder->count; i++)
		ordered[i] = builder->holes[builder->rows[i]];
	memcpy(builder->holes, ordered, builder->count * sizeof(*ordered));
}

/* The texts of a row as they are now, to where those of the rows around it are. */
static int move_texts(struct iq_chunk_builder *builder, uint32_t i, struct iq_arena *memory)
{
	const struct iq_view raw = builder->texts[IQ_STORED_RAW][i], body = builder->texts[IQ_COLUMN_BODY][i];
	const struct iq_hole *hole = &builder->holes[i];

	for (size_t column = 0; column < COUNT(text_columns); column++) {
		struct iq_view *text = &builder->texts[text_columns[column]][i];

		if ((text_columns[column] == IQ_COLUMN_BODY && shares_raw(hole)) ||
		    (text_columns[column] == IQ_COLUMN_ATTRS && !builder->attrs_are_many))
			continue;
		if (text->data && !(*text = iq_arena_copy(memory, *text)).data)
			return IQ_ERR_NOMEM;
	}
	if (shares_raw(hole))
		builder->texts[IQ_COLUMN_BODY][i] =
			iq_view_make(builder->texts[IQ_STORED_RAW][i].data + (body.data - raw.data), body.len);
	return 0;
}

static int move_all_texts(struct iq_chunk_builder *builder)
{
	struct iq_arena memory = IQ_ARENA_INIT;
	int rc = 0;

	for (uint32_t i = 0; i < builder->count && rc == 0; i++) {
		if (i + IQ_FETCH_AHEAD < builder->count)
			iq_fetch(builder->texts[IQ_STORED_RAW][i + IQ_FETCH_AHEAD]);
		rc = move_texts(builder, i, &memory);
	}
	if (rc < 0) {
		iq_arena_release(&memory);
		return rc;
	}
	iq_arena_release(&builder->memory);
	builder->memory = memory;
	return 0;
}

int iq_chunk_builder_sort(struct iq_chunk_builder *builder)
{
	int64_t *numbers = NULL;
	struct iq_view *views = NULL;
	int rc;

	if (is_in_order(builder->numbers[IQ_COLUMN_SESSION], builder->count))
		return 0;
	rc = allocate(&numbers, sizeof(*numbers)) | allocate(&views, sizeof(*views));
	if (rc == 0)
		rc = find_order(builder);
	for (size_t i = 0; i < COUNT(number_columns) && rc == 0; i++)
		order_numbers(builder, &builder->numbers[number_columns[i]], &numbers);
	for (size_t i = 0; i < COUNT(text_columns) && rc == 0; i++)
		order_views(builder, &builder->texts[text_columns[i]], &views);
	if (rc == 0) {
		order_views(builder, &builder->source_names, &views);
		order_views(builder, &builder->session_names, &views);
		order_holes(builder, views);
		rc = move_all_texts(builder);
	}
	free(numbers);
	free(views);
	return rc != 0 ? IQ_ERR_NOMEM : 0;
}
