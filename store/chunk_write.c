#include <stdlib.h>
#include <string.h>

#include "store/chunk.h"
#include "store/split.h"

static const unsigned text_columns[] = { IQ_COLUMN_TYPE, IQ_COLUMN_KEY, IQ_COLUMN_BODY, IQ_COLUMN_ATTRS,
					 IQ_STORED_RAW };
static const unsigned number_columns[] = {
	IQ_COLUMN_TS,	     IQ_COLUMN_OBSERVED, IQ_COLUMN_SOURCE,   IQ_COLUMN_SESSION,	 IQ_COLUMN_KIND,
	IQ_COLUMN_DIRECTION, IQ_COLUMN_SEQ,	 IQ_COLUMN_SEVERITY, IQ_COLUMN_EVIDENCE, IQ_STORED_FORM,
	IQ_STORED_SKIP,	     IQ_STORED_LEAD,	 IQ_STORED_EXCESS,
};
#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

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

	*builder = (struct iq_chunk_builder){ .memory = IQ_ARENA_INIT };
	for (size_t i = 0; i < COUNT(text_columns); i++)
		rc |= allocate(&builder->texts[text_columns[i]], sizeof(struct iq_view));
	for (size_t i = 0; i < COUNT(number_columns); i++)
		rc |= allocate(&builder->numbers[number_columns[i]], sizeof(int64_t));
	rc |= allocate(&builder->source_names, sizeof(struct iq_view));
	rc |= allocate(&builder->session_names, sizeof(struct iq_view));
	rc |= allocate(&builder->holes, sizeof(struct iq_hole));
	rc |= allocate(&builder->evidence, sizeof(struct iq_zone_entry));
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
	iq_arena_release(&builder->memory);
	*builder = (struct iq_chunk_builder){ .memory = IQ_ARENA_INIT };
}

void iq_chunk_builder_clear(struct iq_chunk_builder *builder)
{
	builder->rows = 0;
	builder->bytes = 0;
	builder->evidence_count = 0;
	memset(builder->pieces, 0, sizeof(*builder->pieces));
	iq_arena_clear(&builder->memory);
}

bool iq_chunk_builder_full(const struct iq_chunk_builder *builder)
{
	return builder->rows >= IQ_CHUNK_MAX_EVENTS || builder->bytes >= IQ_CHUNK_MAX_BYTES;
}

static int add_text(struct iq_chunk_builder *builder, unsigned column, struct iq_view text)
{
	struct iq_view copy = iq_arena_copy(&builder->memory, text);

	if (text.data && !copy.data)
		return IQ_ERR_NOMEM;
	builder->texts[column][builder->rows] = copy;
	builder->bytes += copy.len;
	return 0;
}

/* The body where it stands in the raw bytes as it is, else a copy of it. */
static int add_raw(struct iq_chunk_builder *builder, const struct iq_event *event, const struct iq_raw_record *raw)
{
	const uint32_t row = builder->rows;
	const struct iq_hole *hole = &raw->hole;

	builder->holes[row] = *hole;
	if (add_text(builder, IQ_STORED_RAW, raw->bytes.data ? raw->bytes : IQ_LIT("")) < 0)
		return IQ_ERR_NOMEM;
	builder->bytes -= hole->at != IQ_HOLE_NONE && hole->escape != IQ_ESCAPE_VERBATIM ? hole->len : 0;
	if (hole->at == IQ_HOLE_NONE || hole->escape != IQ_ESCAPE_VERBATIM)
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
	builder->numbers[IQ_STORED_SKIP][builder->rows] = 0;
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
	const uint32_t row = builder->rows;

	for (size_t i = 0; i < COUNT(number_columns); i++)
		builder->numbers[number_columns[i]][row] = numbers[number_columns[i]];
	iq_pieces_add(builder->pieces, event->body);
	builder->source_names[row] = event->source;
	builder->session_names[row] = event->session;
	if (add_text(builder, IQ_COLUMN_TYPE, event->type) < 0 || add_text(builder, IQ_COLUMN_KEY, event->key) < 0 ||
	    add_text(builder, IQ_COLUMN_ATTRS, event->attrs) < 0 || add_raw(builder, event, raw) < 0)
		return IQ_ERR_NOMEM;
	note_evidence(builder, event->evidence, raw->offset);
	if (row == 0)
		builder->id_first = event->id;
	builder->rows++;
	return 0;
}

/* ---- Coding ---- */

/* Columns that templates refer to, in session order. */
struct known {
	const int64_t *ts;
	const int64_t *observed;
	const int64_t *seq;
	const int64_t *kind;
	const int64_t *direction;
	const struct iq_view *sources;
	const struct iq_view *sessions;
	const struct iq_view *types;
	const struct iq_view *keys;
	struct iq_arena memory; /* of those that are not by row */
};

struct coding {
	const struct iq_chunk_builder *builder;
	struct iq_codec *codec;
	const struct iq_templates *templates;
	const struct iq_zone *zone;
	uint32_t *rows; /* session order -> row; NULL: the same */
	int64_t *shapes;
	size_t shape_count;
	int64_t *template_numbers; /* by shape */
	size_t template_count;
	int64_t *numbers; /* a column in session order */
	struct iq_view *texts;
	struct known known; /* what templates refer to */
	struct iq_hole *holes;
	size_t words_before;
	struct iq_view kinds[IQ_KIND_COUNT]; /* their names */
	struct iq_view directions[IQ_DIRECTION_SERVER + 1];
	struct iq_buf out;
};

static uint32_t row_at(const struct coding *coding, size_t position)
{
	return coding->rows ? coding->rows[position] : (uint32_t)position;
}

static const int64_t *ordered_numbers(struct coding *coding, unsigned column)
{
	const int64_t *numbers = coding->builder->numbers[column];

	if (!coding->rows)
		return numbers;
	for (uint32_t i = 0; i < coding->builder->rows; i++)
		coding->numbers[i] = numbers[coding->rows[i]];
	return coding->numbers;
}

static const struct iq_view *ordered_texts(struct coding *coding, unsigned column)
{
	const struct iq_view *texts = coding->builder->texts[column];

	if (!coding->rows)
		return texts;
	for (uint32_t i = 0; i < coding->builder->rows; i++)
		coding->texts[i] = texts[coding->rows[i]];
	return coding->texts;
}

static struct iq_view number_key(const uint32_t *number)
{
	return iq_view_make((const char *)number, sizeof(*number));
}

/* Rows by session, and by number inside one: sessions are counted, then placed. */
static int order_rows(struct coding *coding)
{
	const int64_t *sessions = coding->builder->numbers[IQ_COLUMN_SESSION];
	const struct iq_zone *zone = coding->zone;
	uint32_t *next = malloc((zone->session_count + 1) * sizeof(*next));
	struct iq_map places = IQ_MAP_INIT;
	uint32_t at = 0;
	bool in_order = true;
	int rc = next ? 0 : IQ_ERR_NOMEM;

	for (uint32_t i = 1; i < zone->rows && in_order; i++)
		in_order = sessions[i] >= sessions[i - 1];
	if (!in_order)
		coding->rows = malloc(zone->rows * sizeof(*coding->rows));
	if (!in_order && !coding->rows)
		rc = IQ_ERR_NOMEM;
	for (size_t i = 0; i < zone->session_count && rc == 0; i++) {
		rc = iq_map_set(&places, number_key(&zone->sessions[i].no), i);
		next[i] = at;
		at += (uint32_t)zone->sessions[i].value;
	}
	for (uint32_t i = 0; i < zone->rows && rc == 0 && !in_order; i++) {
		const uint32_t session = (uint32_t)sessions[i];

		coding->rows[next[*iq_map_get(&places, number_key(&session))]++] = i;
	}
	iq_map_release(&places);
	free(next);
	return rc;
}

/* Numbers of which some may be unknown: a byte, 1 where there is a bit for each, then those that are known. */
static int append_numbers(struct coding *coding, const int64_t *values, bool by_shape)
{
	const size_t count = coding->builder->rows;
	struct iq_buf bits = IQ_BUF_INIT;
	int64_t *known;
	size_t kept = 0;
	int rc;

	for (size_t i = 0; i < count; i++)
		kept += values[i] != IQ_NUMBER_NONE;
	(void)iq_buf_append_char(&coding->out, kept == count || kept == 0 ? 0 : 1);
	if (kept == count || kept == 0)
		return iq_stream_append_ints_given(coding->codec, values, by_shape ? coding->shapes : NULL,
						   coding->shape_count, count, &coding->out);
	known = malloc(kept * sizeof(*known));
	if (!known || iq_buf_reserve(&bits, count / 8 + 1) < 0) {
		free(known);
		return IQ_ERR_NOMEM;
	}
	memset(bits.data, 0, count / 8 + 1);
	kept = 0;
	for (size_t i = 0; i < count; i++) {
		if (values[i] == IQ_NUMBER_NONE)
			continue;
		bits.data[i / 8] = (char)((unsigned char)bits.data[i / 8] | 1u << (i % 8));
		known[kept++] = values[i];
	}
	rc = iq_stream_append_bytes(coding->codec, iq_view_make(bits.data, (count + 7) / 8), &coding->out);
	if (rc == 0)
		rc = iq_stream_append_ints(coding->codec, known, kept, &coding->out);
	iq_buf_release(&bits);
	free(known);
	return rc;
}

static bool all_known(const int64_t *values, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (values[i] == IQ_TIME_NONE)
			return false;
	return true;
}

/* A byte: 1 where it is by row, as numbers of all an evidence's records are; else in session order. */
static int append_seq(struct coding *coding)
{
	const int64_t *by_row = coding->builder->numbers[IQ_COLUMN_SEQ];
	const int64_t *by_session = ordered_numbers(coding, IQ_COLUMN_SEQ);
	const uint32_t count = coding->builder->rows;
	const bool rows = coding->rows && iq_stream_ints_cost(by_row, count) < iq_stream_ints_cost(by_session, count);

	(void)iq_buf_append_char(&coding->out, rows ? 1 : 0);
	return append_numbers(coding, rows ? by_row : by_session, false);
}

/* A byte: 1 where it is the difference to ts. */
static int append_observed(struct coding *coding)
{
	const struct iq_chunk_builder *builder = coding->builder;
	const int64_t *ts = builder->numbers[IQ_COLUMN_TS], *observed = builder->numbers[IQ_COLUMN_OBSERVED];
	bool relative = all_known(ts, builder->rows) && all_known(observed, builder->rows);

	(void)iq_buf_append_char(&coding->out, relative ? 1 : 0);
	if (!relative)
		return append_numbers(coding, observed, false);
	for (uint32_t i = 0; i < builder->rows; i++)
		coding->numbers[i] = (int64_t)((uint64_t)observed[i] - (uint64_t)ts[i]);
	return iq_stream_append_ints(coding->codec, coding->numbers, builder->rows, &coding->out);
}

/* Places in the list of the chunk's sessions, by row. */
static int append_sessions(struct coding *coding)
{
	const int64_t *sessions = coding->builder->numbers[IQ_COLUMN_SESSION];
	int64_t place = 0;

	for (uint32_t i = 0; i < coding->builder->rows; i++) {
		place += i > 0 && sessions[row_at(coding, i)] != sessions[row_at(coding, i - 1)];
		coding->numbers[row_at(coding, i)] = place;
	}
	return iq_stream_append_ints(coding->codec, coding->numbers, coding->builder->rows, &coding->out);
}

/* Varint number of types; varint length and texts: their names; ints: a code for each event, told by its shape. */
static int append_types(struct coding *coding)
{
	const struct iq_view *types = ordered_texts(coding, IQ_COLUMN_TYPE);
	const size_t count = coding->builder->rows;
	struct iq_map map = IQ_MAP_INIT;
	struct iq_buf names = IQ_BUF_INIT;
	struct iq_view *list = NULL;
	uint32_t index = 0;
	int rc = 0;

	for (size_t i = 0; i < count && rc >= 0; i++) {
		rc = types[i].data ? iq_map_intern(&map, types[i], &index) : 0;
		coding->numbers[i] = types[i].data ? (int64_t)index + 1 : 0;
	}
	list = malloc((map.count + 1) * sizeof(*list));
	for (size_t i = 0; list && i < map.count; i++)
		list[i] = map.entries[i].key;
	if (!list || rc < 0 || iq_texts_append(coding->codec, list, map.count, 0, &names) < 0)
		rc = IQ_ERR_NOMEM;
	(void)iq_varint_append(&coding->out, map.count);
	(void)iq_varint_append(&coding->out, names.len);
	(void)iq_buf_append(&coding->out, iq_buf_view(&names));
	if (rc >= 0)
		rc = iq_stream_append_ints_given(coding->codec, coding->numbers, coding->shapes, coding->shape_count,
						 count, &coding->out);
	iq_buf_release(&names);
	iq_map_release(&map);
	free(list);
	return rc < 0 ? rc : 0;
}

/* ---- Texts that refer to other columns ---- */

static int know_numbers(struct coding *coding, unsigned column, const int64_t **ret_numbers)
{
	const int64_t *by_row = coding->builder->numbers[column];
	const uint32_t count = coding->builder->rows;
	int64_t *numbers = coding->rows ? iq_arena_alloc(&coding->known.memory, count * sizeof(*numbers)) : NULL;

	for (uint32_t i = 0; numbers && i < count; i++)
		numbers[i] = by_row[coding->rows[i]];
	*ret_numbers = coding->rows ? numbers : by_row;
	return *ret_numbers ? 0 : IQ_ERR_NOMEM;
}

static int know_texts(struct coding *coding, const struct iq_view *by_row, const struct iq_view **ret_texts)
{
	const uint32_t count = coding->builder->rows;
	struct iq_view *texts = coding->rows ? iq_arena_alloc(&coding->known.memory, count * sizeof(*texts)) : NULL;

	for (uint32_t i = 0; texts && i < count; i++)
		texts[i] = by_row[coding->rows[i]];
	*ret_texts = coding->rows ? texts : by_row;
	return *ret_texts ? 0 : IQ_ERR_NOMEM;
}

static int know_columns(struct coding *coding)
{
	const struct iq_chunk_builder *builder = coding->builder;
	struct known *known = &coding->known;
	int rc = 0;

	rc |= know_numbers(coding, IQ_COLUMN_TS, &known->ts);
	rc |= know_numbers(coding, IQ_COLUMN_OBSERVED, &known->observed);
	rc |= know_numbers(coding, IQ_COLUMN_SEQ, &known->seq);
	rc |= know_numbers(coding, IQ_COLUMN_KIND, &known->kind);
	rc |= know_numbers(coding, IQ_COLUMN_DIRECTION, &known->direction);
	rc |= know_texts(coding, builder->source_names, &known->sources);
	rc |= know_texts(coding, builder->session_names, &known->sessions);
	rc |= know_texts(coding, builder->texts[IQ_COLUMN_TYPE], &known->types);
	rc |= know_texts(coding, builder->texts[IQ_COLUMN_KEY], &known->keys);
	return rc != 0 ? IQ_ERR_NOMEM : 0;
}

static void know_for_body(void *context, size_t index, struct iq_known *known)
{
	const struct known *columns = &((const struct coding *)context)->known;

	known->ts = columns->ts[index];
	known->texts[IQ_SLOT_SESSION] = columns->sessions[index];
	known->texts[IQ_SLOT_KEY] = columns->keys[index];
}

static struct iq_view name_view(const char *name)
{
	return name ? iq_view_cstr(name) : IQ_VIEW_NULL;
}

static void know_for_raw(void *context, size_t index, struct iq_known *known)
{
	const struct coding *coding = context;
	const struct known *columns = &coding->known;

	know_for_body(context, index, known);
	known->observed = columns->observed[index];
	known->seq = columns->seq[index];
	known->texts[IQ_SLOT_SOURCE] = columns->sources[index];
	known->texts[IQ_SLOT_TYPE] = columns->types[index];
	known->texts[IQ_SLOT_KIND] = coding->kinds[columns->kind[index]];
	known->texts[IQ_SLOT_DIRECTION] = coding->directions[columns->direction[index]];
	known->texts[IQ_SLOT_BODY] = IQ_VIEW_NULL;
	if (coding->holes[index].at == IQ_HOLE_NONE) /* it may stand there in pieces */
		known->texts[IQ_SLOT_BODY] = coding->builder->texts[IQ_COLUMN_BODY][row_at(coding, index)];
}

static int64_t number_template(void *context, struct iq_view pattern, uint64_t texts)
{
	struct coding *coding = context;
	int64_t number = coding->templates->number(coding->templates->context, pattern, texts);
	int64_t *grown = realloc(coding->template_numbers, (coding->template_count + 1) * sizeof(*grown));

	if (!grown)
		return IQ_ERR_NOMEM;
	coding->template_numbers = grown;
	if (number < 0)
		return IQ_ERR_NOMEM;
	grown[coding->template_count++] = number;
	return number;
}

static void note_times(struct coding *coding)
{
	const int64_t *ts = coding->builder->numbers[IQ_COLUMN_TS];

	for (uint32_t i = 0; i < coding->builder->rows; i++)
		if (coding->shapes[i] > 0 && ts[row_at(coding, i)] != IQ_TIME_NONE)
			coding->templates->seen(coding->templates->context,
						coding->template_numbers[coding->shapes[i] - 1], ts[row_at(coding, i)]);
}

/* Sets the shapes as well, which other columns are told by. */
static int append_body(struct coding *coding)
{
	const struct iq_split_input input = {
		.values = ordered_texts(coding, IQ_COLUMN_BODY),
		.count = coding->builder->rows,
		.known = know_for_body,
		.pattern_id = number_template,
		.context = coding,
		.ret_shapes = coding->shapes,
		.ret_shape_count = &coding->shape_count,
	};
	int rc = iq_split_append(coding->codec, &input, 50, &coding->out);

	if (rc == 1)
		note_times(coding);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	memset(coding->shapes, 0, coding->builder->rows * sizeof(*coding->shapes));
	coding->shape_count = 1;
	return iq_texts_append(coding->codec, input.values, input.count, 0, &coding->out);
}

static int append_raw(struct coding *coding)
{
	const struct iq_split_input input = {
		.values = ordered_texts(coding, IQ_STORED_RAW),
		.count = coding->builder->rows,
		.known = know_for_raw,
		.context = coding,
		.holes = coding->holes,
	};
	int rc;

	for (uint32_t i = 0; i < coding->builder->rows; i++)
		coding->holes[i] = coding->builder->holes[row_at(coding, i)];
	rc = iq_split_append(coding->codec, &input, 0, &coding->out);
	return rc < 0 ? rc : 0;
}

/* Varint count; texts: the words that this chunk's columns, which come before, added to the segment's. */
static int append_new_words(struct coding *coding)
{
	const struct iq_map *words = iq_codec_words(coding->codec);
	const size_t count = words ? words->count - coding->words_before : 0;
	struct iq_view *list = malloc((count + 1) * sizeof(*list));
	int rc;

	if (!list)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < count; i++)
		list[i] = words->entries[coding->words_before + i].key;
	(void)iq_varint_append(&coding->out, count);
	rc = iq_texts_append(coding->codec, list, count, IQ_TEXTS_MAX_DEPTH - 2, &coding->out);
	free(list);
	return rc;
}

static int append_column(struct coding *coding, unsigned column)
{
	switch (column) {
	case IQ_COLUMN_TS:
		return append_numbers(coding, coding->builder->numbers[column], false);
	case IQ_COLUMN_OBSERVED:
		return append_observed(coding);
	case IQ_COLUMN_SEQ:
		return append_seq(coding);
	case IQ_COLUMN_TYPE:
		return append_types(coding);
	case IQ_COLUMN_KEY:
	case IQ_COLUMN_ATTRS:
		return iq_texts_append(coding->codec, ordered_texts(coding, column), coding->builder->rows, 0,
				       &coding->out);
	case IQ_COLUMN_SESSION:
		return append_sessions(coding);
	case IQ_STORED_SHAPE:
		return iq_stream_append_ints(coding->codec, coding->shapes, coding->builder->rows, &coding->out);
	case IQ_STORED_RAW:
		return append_raw(coding);
	case IQ_STORED_WORDS:
		return append_new_words(coding);
	case IQ_STORED_FILTER:
		return iq_filter_append(coding->builder->pieces, &coding->out);
	default:
		return append_numbers(coding, ordered_numbers(coding, column), true);
	}
}

/* ---- The zone map ---- */

static int compare_entries(const void *a, const void *b)
{
	const struct iq_zone_entry *x = a, *y = b;

	return (x->no > y->no) - (x->no < y->no);
}

/* The distinct values of a number column, ascending, with how often each occurs. Runs of the same are counted at once. */
static int count_numbers(const struct iq_chunk_builder *builder, unsigned column, struct iq_arena *arena,
			 const struct iq_zone_entry **ret_entries, size_t *ret_count)
{
	const int64_t *values = builder->numbers[column];
	struct iq_map seen = IQ_MAP_INIT;
	struct iq_zone_entry *entries;
	uint32_t index = 0;
	int rc = 0;

	for (uint32_t row = 0; row < builder->rows && rc >= 0; row++) {
		const uint32_t number = (uint32_t)values[row];

		if (row == 0 || values[row] != values[row - 1]) {
			rc = iq_map_intern(&seen, number_key(&number), &index);
			if (rc == 1)
				seen.entries[index].value = 0;
		}
		if (rc >= 0)
			seen.entries[index].value++;
	}
	entries = iq_arena_calloc(arena, seen.count + 1, sizeof(*entries));
	for (size_t i = 0; entries && i < seen.count; i++) {
		memcpy(&entries[i].no, seen.entries[i].key.data, sizeof(entries[i].no));
		entries[i].value = seen.entries[i].value;
	}
	if (entries)
		qsort(entries, seen.count, sizeof(*entries), compare_entries);
	*ret_entries = entries;
	*ret_count = seen.count;
	iq_map_release(&seen);
	return rc < 0 || !entries ? IQ_ERR_NOMEM : 0;
}

static int count_types(const struct iq_chunk_builder *builder, struct iq_arena *arena, struct iq_zone *zone)
{
	const struct iq_view *types = builder->texts[IQ_COLUMN_TYPE];
	struct iq_map seen = IQ_MAP_INIT;
	struct iq_zone_type *list;
	uint32_t nulls = 0, index;
	int rc = 0;

	for (uint32_t row = 0; row < builder->rows && rc >= 0; row++) {
		nulls += !types[row].data;
		rc = types[row].data ? iq_map_intern(&seen, types[row], &index) : 0;
		if (rc == 1)
			seen.entries[index].value = 0;
		if (rc >= 0 && types[row].data)
			seen.entries[index].value++;
	}
	list = iq_arena_calloc(arena, seen.count + 1, sizeof(*list));
	for (size_t i = 0; list && i < seen.count; i++)
		list[i] = (struct iq_zone_type){ iq_arena_copy(arena, seen.entries[i].key),
						 (uint32_t)seen.entries[i].value };
	if (list && nulls)
		list[seen.count] = (struct iq_zone_type){ IQ_VIEW_NULL, nulls };
	zone->types = list;
	zone->type_count = seen.count + (nulls > 0);
	iq_map_release(&seen);
	return rc < 0 || !list ? IQ_ERR_NOMEM : 0;
}

/* As readers find it: see iq_segment_locate(). */
static int64_t length_of(const struct iq_chunk_builder *builder, uint32_t row)
{
	return (int64_t)builder->texts[IQ_STORED_RAW][row].len - builder->numbers[IQ_STORED_LEAD][row] +
	       builder->numbers[IQ_STORED_EXCESS][row];
}

static void add_lengths(const struct iq_chunk_builder *builder, struct iq_zone *zone)
{
	zone->length_min = zone->length_max = builder->rows > 0 ? length_of(builder, 0) : 0;
	for (uint32_t row = 0; row < builder->rows; row++) {
		const int64_t length = length_of(builder, row);

		zone->length_min = length < zone->length_min ? length : zone->length_min;
		zone->length_max = length > zone->length_max ? length : zone->length_max;
		zone->length_sum = (int64_t)((uint64_t)zone->length_sum + (uint64_t)length);
	}
}

static int make_zone(const struct iq_chunk_builder *builder, struct iq_arena *arena, struct iq_zone *zone)
{
	struct iq_zone_entry *evidence = iq_arena_calloc(arena, builder->evidence_count + 1, sizeof(*evidence));

	if (!evidence)
		return IQ_ERR_NOMEM;
	*zone = (struct iq_zone){
		.rows = builder->rows,
		.id_first = builder->id_first,
		.ts_min = INT64_MAX,
		.ts_max = INT64_MIN,
		.evidence = evidence,
		.evidence_count = builder->evidence_count,
	};
	memcpy(evidence, builder->evidence, builder->evidence_count * sizeof(*evidence));
	add_lengths(builder, zone);
	for (uint32_t row = 0; row < builder->rows; row++) {
		int64_t ts = builder->numbers[IQ_COLUMN_TS][row];

		zone->kinds |= 1u << builder->numbers[IQ_COLUMN_KIND][row];
		zone->ts_nulls += ts == IQ_TIME_NONE;
		if (ts == IQ_TIME_NONE)
			continue;
		zone->ts_min = ts < zone->ts_min ? ts : zone->ts_min;
		zone->ts_max = ts > zone->ts_max ? ts : zone->ts_max;
	}
	if (count_numbers(builder, IQ_COLUMN_SOURCE, arena, &zone->sources, &zone->source_count) < 0 ||
	    count_numbers(builder, IQ_COLUMN_SESSION, arena, &zone->sessions, &zone->session_count) < 0)
		return IQ_ERR_NOMEM;
	return count_types(builder, arena, zone);
}

/* Numbers as differences, then their values. */
int iq_zone_append_entries(struct iq_buf *buf, const struct iq_zone_entry *entries, size_t count)
{
	uint32_t before = 0;

	for (size_t i = 0; i < count; i++) {
		(void)iq_varint_append(buf, entries[i].no - before);
		(void)iq_varint_append(buf, entries[i].value);
		before = entries[i].no;
	}
	return buf->failed ? IQ_ERR_NOMEM : 0;
}

int iq_zone_append_types(struct iq_buf *buf, const struct iq_zone_type *types, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		(void)iq_varint_append(buf, types[i].name.data ? types[i].name.len + 1 : 0);
		(void)iq_buf_append(buf, types[i].name);
		(void)iq_varint_append(buf, types[i].events);
	}
	return buf->failed ? IQ_ERR_NOMEM : 0;
}

/* ---- The whole ---- */

static int allocate_coding(struct coding *coding)
{
	const size_t count = (size_t)coding->builder->rows + 1;

	for (unsigned i = 0; i < IQ_KIND_COUNT; i++)
		coding->kinds[i] = name_view(iq_kind_name((enum iq_kind)i));
	for (unsigned i = 0; i <= IQ_DIRECTION_SERVER; i++)
		coding->directions[i] = name_view(iq_direction_name((enum iq_direction)i));
	coding->shapes = calloc(count, sizeof(*coding->shapes));
	coding->numbers = malloc(count * sizeof(*coding->numbers));
	coding->texts = malloc(count * sizeof(*coding->texts));
	coding->holes = malloc(count * sizeof(*coding->holes));
	return coding->shapes && coding->numbers && coding->texts && coding->holes ? 0 : IQ_ERR_NOMEM;
}

static void release_coding(struct coding *coding)
{
	free(coding->rows);
	free(coding->shapes);
	free(coding->template_numbers);
	free(coding->numbers);
	free(coding->texts);
	free(coding->holes);
	iq_arena_release(&coding->known.memory);
	iq_buf_release(&coding->out);
}

static int give_column(struct coding *coding, unsigned number,
		       int (*column)(void *context, unsigned column, struct iq_view bytes), void *context)
{
	int rc;

	iq_buf_clear(&coding->out);
	rc = append_column(coding, number);
	if (rc < 0 || coding->out.failed)
		return rc < 0 ? rc : IQ_ERR_NOMEM;
	return column(context, number, iq_buf_view(&coding->out));
}

int iq_chunk_encode(const struct iq_chunk_builder *builder, struct iq_codec *codec,
		    const struct iq_templates *templates,
		    int (*column)(void *context, unsigned column, struct iq_view bytes), void *context,
		    struct iq_arena *arena, struct iq_zone *ret_zone)
{
	struct coding coding = { .builder = builder, .codec = codec, .templates = templates, .out = IQ_BUF_INIT };
	struct iq_buf body = IQ_BUF_INIT;
	int rc = allocate_coding(&coding);

	coding.zone = ret_zone;
	coding.words_before = iq_codec_words(codec) ? iq_codec_words(codec)->count : 0;
	if (rc == 0)
		rc = make_zone(builder, arena, ret_zone);
	if (rc == 0)
		rc = order_rows(&coding);
	if (rc == 0)
		rc = know_columns(&coding);
	/* The body comes first: its shapes tell other columns. */
	if (rc == 0)
		rc = append_body(&coding);
	body = coding.out;
	coding.out = (struct iq_buf)IQ_BUF_INIT;
	for (unsigned i = 0; i < IQ_STORED_COUNT && rc == 0; i++) {
		if (i == IQ_COLUMN_BODY)
			rc = column(context, i, iq_buf_view(&body));
		else if (IQ_STORED_ALL >> i & 1)
			rc = give_column(&coding, i, column, context);
	}
	iq_buf_release(&body);
	release_coding(&coding);
	return rc;
}
