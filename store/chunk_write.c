#include <stdlib.h>
#include <string.h>

#include "store/chunk.h"
#include "store/packed.h"
#include "store/split.h"
#include "store/times.h"

/* ---- Coding ---- */

struct coding {
	const struct iq_chunk_builder *builder;
	struct iq_codec *codec;
	const struct iq_templates *templates;
	int64_t *shapes;
	size_t shape_count;
	int64_t *template_numbers; /* by shape */
	size_t template_count;
	int64_t *numbers; /* a column by row, or what is made of one */
	size_t words_before;
	bool by_times; /* the times tell the order of rows, but for the moves */
	struct iq_moves moves;
	struct iq_arena memory;		     /* of these */
	struct iq_view kinds[IQ_KIND_COUNT]; /* their names */
	struct iq_view directions[IQ_DIRECTION_SERVER + 1];
	struct iq_buf out;
};

/* A column by row. */
static const int64_t *by_row(struct coding *coding, const int64_t *numbers)
{
	const uint32_t *rows = coding->builder->rows;

	if (!rows)
		return numbers;
	for (uint32_t i = 0; i < coding->builder->count; i++)
		coding->numbers[rows[i]] = numbers[i];
	return coding->numbers;
}

static struct iq_view number_key(const uint32_t *number)
{
	return iq_view_make((const char *)number, sizeof(*number));
}

/* Numbers of which some may be unknown: a byte, 1 where there is a bit for each, then those that are known. */
static int append_numbers(struct coding *coding, const int64_t *values, bool by_shape)
{
	const size_t count = coding->builder->count;
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
	const uint32_t count = coding->builder->count;
	const int64_t *seq = coding->builder->numbers[IQ_COLUMN_SEQ], *of_rows = by_row(coding, seq);
	const bool rows = of_rows != seq && iq_stream_ints_cost(of_rows, count) < iq_stream_ints_cost(seq, count);

	(void)iq_buf_append_char(&coding->out, rows ? 1 : 0);
	return append_numbers(coding, rows ? of_rows : seq, false);
}

/* ---- Times and sessions ---- */

/* Times by row would need the column of sessions, which need not be cheaper than that both are told by times in session order. */
#define LEAST_BY_TIMES 64u

static const int64_t *places_by_row(struct coding *coding)
{
	const struct iq_chunk_builder *builder = coding->builder;
	const int64_t *sessions = builder->numbers[IQ_COLUMN_SESSION];
	int64_t place = 0;

	for (uint32_t i = 0; i < builder->count; i++) {
		place += i > 0 && sessions[i] != sessions[i - 1];
		coding->numbers[builder->rows ? builder->rows[i] : i] = place;
	}
	return coding->numbers;
}

/* The first time of each session, then each other one as the difference to the one before it. How many the first ones are. */
static size_t split_times(struct coding *coding, int64_t *firsts, int64_t *differences)
{
	const int64_t *sessions = coding->builder->numbers[IQ_COLUMN_SESSION];
	const int64_t *ts = coding->builder->numbers[IQ_COLUMN_TS];
	size_t count = 0;

	for (uint32_t i = 0; i < coding->builder->count; i++)
		if (i == 0 || sessions[i] != sessions[i - 1])
			firsts[count++] = ts[i];
		else
			differences[i - count] = (int64_t)((uint64_t)ts[i] - (uint64_t)ts[i - 1]);
	return count;
}

/* What the first times come to beside a sample of the others: a few bytes each. */
static uint64_t cost_of_firsts(size_t sessions, size_t count)
{
	return (uint64_t)sessions * 20 * 16 * (count < IQ_INTS_SAMPLE ? count : IQ_INTS_SAMPLE) / count;
}

static bool times_pay(struct coding *coding, int64_t *firsts)
{
	const size_t count = coding->builder->count;
	const size_t sessions = split_times(coding, firsts, coding->numbers);
	const uint64_t cost = iq_stream_ints_cost(coding->numbers, count - sessions) + cost_of_firsts(sessions, count);

	return cost < iq_stream_ints_cost(places_by_row(coding), count) +
			      iq_stream_ints_cost(by_row(coding, coding->builder->numbers[IQ_COLUMN_TS]), count);
}

/* Where the times tell the order, rows need not be said. */
static int choose_times(struct coding *coding)
{
	const struct iq_chunk_builder *builder = coding->builder;
	const uint32_t count = builder->count;
	int64_t *firsts;
	uint32_t *positions;
	int rc;

	if (!builder->rows || count < LEAST_BY_TIMES || !all_known(builder->numbers[IQ_COLUMN_TS], count))
		return 0;
	firsts = iq_arena_alloc(&coding->memory, count * sizeof(*firsts));
	if (!firsts)
		return IQ_ERR_NOMEM;
	if (!times_pay(coding, firsts))
		return 0;
	positions = iq_times_sort(builder->numbers[IQ_COLUMN_TS], count, &coding->memory);
	if (!positions)
		return IQ_ERR_NOMEM;
	rc = iq_times_find_moves(positions, builder->rows, count, &coding->memory, &coding->moves);
	coding->by_times = rc == 1;
	return rc < 0 ? rc : 0;
}

/* A byte: 2 where they are in session order, each session's first time, then the differences; else by row. */
static int append_times(struct coding *coding)
{
	const size_t count = coding->builder->count;
	int64_t *firsts;
	size_t sessions;
	int rc;

	if (!coding->by_times)
		return append_numbers(coding, by_row(coding, coding->builder->numbers[IQ_COLUMN_TS]), false);
	firsts = iq_arena_alloc(&coding->memory, count * sizeof(*firsts));
	if (!firsts)
		return IQ_ERR_NOMEM;
	sessions = split_times(coding, firsts, coding->numbers);
	(void)iq_buf_append_char(&coding->out, IQ_TIMES_BY_SESSION);
	rc = iq_stream_append_ints(coding->codec, firsts, sessions, &coding->out);
	return rc < 0 ? rc : iq_stream_append_ints(coding->codec, coding->numbers, count - sessions, &coding->out);
}

/* A byte: 1 where the times tell, and what has to be moved; else places in the list of the chunk's sessions, by row. */
static int append_sessions(struct coding *coding)
{
	const struct iq_moves *moves = &coding->moves;
	int64_t before = 0;

	(void)iq_buf_append_char(&coding->out, coding->by_times ? 1 : 0);
	if (!coding->by_times)
		return iq_stream_append_ints(coding->codec, places_by_row(coding), coding->builder->count,
					     &coding->out);
	for (size_t i = 0; i < moves->count; i++) {
		coding->numbers[i] = moves->rows[i] - before;
		before = moves->rows[i];
	}
	(void)iq_varint_append(&coding->out, moves->count);
	(void)iq_stream_append_ints(coding->codec, coding->numbers, moves->count, &coding->out);
	return iq_stream_append_ints(coding->codec, moves->distances, moves->count, &coding->out);
}

/* A byte: 1 where it is the difference to ts, 2 where that is in session order. */
static int append_observed(struct coding *coding)
{
	const struct iq_chunk_builder *builder = coding->builder;
	const int64_t *ts = builder->numbers[IQ_COLUMN_TS], *observed = builder->numbers[IQ_COLUMN_OBSERVED];
	bool relative = all_known(ts, builder->count) && all_known(observed, builder->count);

	(void)iq_buf_append_char(&coding->out, relative ? coding->by_times ? 2 : 1 : 0);
	if (!relative)
		return append_numbers(coding, by_row(coding, observed), false);
	for (uint32_t i = 0; i < builder->count; i++)
		coding->numbers[builder->rows && !coding->by_times ? builder->rows[i] : i] =
			(int64_t)((uint64_t)observed[i] - (uint64_t)ts[i]);
	return iq_stream_append_ints(coding->codec, coding->numbers, builder->count, &coding->out);
}

/* Varint number of types; varint length and texts: their names; ints: a code for each event, told by its shape. */
static int append_types(struct coding *coding)
{
	const struct iq_chunk_builder *builder = coding->builder;
	const size_t count = builder->types.count;
	struct iq_buf names = IQ_BUF_INIT;
	struct iq_view *list = malloc((count + 1) * sizeof(*list));
	int rc = list ? 0 : IQ_ERR_NOMEM;

	for (size_t i = 0; rc == 0 && i < count; i++)
		list[i] = builder->types.entries[i].key;
	if (rc == 0)
		rc = iq_texts_append(coding->codec, list, count, 0, &names);
	(void)iq_varint_append(&coding->out, count);
	(void)iq_varint_append(&coding->out, names.len);
	(void)iq_buf_append(&coding->out, iq_buf_view(&names));
	if (rc == 0)
		rc = iq_stream_append_ints_given(coding->codec, builder->numbers[IQ_COLUMN_TYPE], coding->shapes,
						 coding->shape_count, builder->count, &coding->out);
	iq_buf_release(&names);
	free(list);
	return rc;
}

/* ---- Texts that refer to other columns ---- */

static void know_for_body(void *context, size_t index, struct iq_known *known)
{
	const struct iq_chunk_builder *builder = ((const struct coding *)context)->builder;

	known->ts = builder->numbers[IQ_COLUMN_TS][index];
	known->texts[IQ_SLOT_SESSION] = builder->session_names[index];
	known->texts[IQ_SLOT_KEY] = builder->texts[IQ_COLUMN_KEY][index];
}

static struct iq_view name_view(const char *name)
{
	return name ? iq_view_cstr(name) : IQ_VIEW_NULL;
}

static void know_for_raw(void *context, size_t index, struct iq_known *known)
{
	const struct coding *coding = context;
	const struct iq_chunk_builder *builder = coding->builder;

	know_for_body(context, index, known);
	known->observed = builder->numbers[IQ_COLUMN_OBSERVED][index];
	known->seq = builder->numbers[IQ_COLUMN_SEQ][index];
	known->texts[IQ_SLOT_SOURCE] = builder->source_names[index];
	known->texts[IQ_SLOT_TYPE] = iq_chunk_builder_type(builder, (uint32_t)index);
	known->texts[IQ_SLOT_KIND] = coding->kinds[builder->numbers[IQ_COLUMN_KIND][index]];
	known->texts[IQ_SLOT_DIRECTION] = coding->directions[builder->numbers[IQ_COLUMN_DIRECTION][index]];
	known->texts[IQ_SLOT_BODY] = IQ_VIEW_NULL;
	if (builder->holes[index].at == IQ_HOLE_NONE) /* it may stand there in pieces */
		known->texts[IQ_SLOT_BODY] = builder->texts[IQ_COLUMN_BODY][index];
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

	for (uint32_t i = 0; i < coding->builder->count; i++)
		if (coding->shapes[i] > 0 && ts[i] != IQ_TIME_NONE)
			coding->templates->seen(coding->templates->context,
						coding->template_numbers[coding->shapes[i] - 1], ts[i]);
}

/* Sets the shapes as well, which other columns are told by. */
static int append_body(struct coding *coding)
{
	const struct iq_split_input input = {
		.values = coding->builder->texts[IQ_COLUMN_BODY],
		.count = coding->builder->count,
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
	memset(coding->shapes, 0, coding->builder->count * sizeof(*coding->shapes));
	coding->shape_count = 1;
	return iq_texts_append(coding->codec, input.values, input.count, 0, &coding->out);
}

static int append_raw(struct coding *coding)
{
	const struct iq_split_input input = {
		.values = coding->builder->texts[IQ_STORED_RAW],
		.count = coding->builder->count,
		.known = know_for_raw,
		.context = coding,
		.holes = coding->builder->holes,
	};
	int rc = iq_split_append(coding->codec, &input, 0, &coding->out);
	return rc < 0 ? rc : 0;
}

/* ---- Attrs ---- */

/* Texts of a sample that tells where the values of attrs stand. */
#define ATTRS_SAMPLE 512u
/* Attrs of which less, in hundredths, stands in their events' texts are coded as texts of their own. */
#define LEAST_FIELDS 40u

/* Those attrs that are there, and where their values stand. */
struct attrs {
	const struct coding *coding;
	struct iq_fields *fields;
	const uint32_t *rows;
};

static void know_for_attrs(void *context, size_t index, struct iq_known *known)
{
	const struct attrs *attrs = context;
	const struct iq_chunk_builder *builder = attrs->coding->builder;

	known->texts[IQ_SLOT_BODY_FIELD] = builder->texts[IQ_COLUMN_BODY][attrs->rows[index]];
	known->texts[IQ_SLOT_RAW_FIELD] = builder->texts[IQ_STORED_RAW][attrs->rows[index]];
}

static int append_split_attrs(struct iq_codec *codec, const struct iq_view *values, size_t count, void *context,
			      struct iq_buf *out)
{
	struct attrs *attrs = context;
	const struct iq_split_input input = {
		.values = values, .count = count, .known = know_for_attrs, .context = attrs, .fields = attrs->fields
	};
	int rc = iq_split_append(codec, &input, 50, out);

	return rc == 0 ? iq_texts_append(codec, values, count, 0, out) : rc < 0 ? rc : 0;
}

/* 1 where most of what the attrs say is said in the texts of their events. */
static int learn_fields(const struct coding *coding, struct iq_fields *fields)
{
	const struct iq_chunk_builder *builder = coding->builder;
	const uint32_t step = builder->count / ATTRS_SAMPLE + 1;
	int rc = 0;

	for (uint32_t row = 0; row < builder->count && rc == 0; row += step)
		rc = iq_fields_learn(fields, builder->texts[IQ_COLUMN_ATTRS][row],
				     (const struct iq_view[]){ builder->texts[IQ_COLUMN_BODY][row],
							       builder->texts[IQ_STORED_RAW][row] });
	return rc < 0 ? rc : iq_fields_choose(fields) >= LEAST_FIELDS;
}

/* Attrs that few texts stand for are words of a dictionary. */
static int append_attrs(struct coding *coding)
{
	const struct iq_chunk_builder *builder = coding->builder;
	const struct iq_view *values = builder->texts[IQ_COLUMN_ATTRS];
	struct iq_fields *fields;
	uint32_t *rows, count = 0;
	int rc;

	if (!builder->attrs_are_many)
		return iq_texts_append(coding->codec, values, builder->count, 0, &coding->out);
	fields = iq_fields_new();
	rows = iq_arena_alloc(&coding->memory, (builder->count + 1) * sizeof(*rows));
	for (uint32_t i = 0; rows && i < builder->count; i++)
		if (values[i].data)
			rows[count++] = i;
	rc = fields && rows ? learn_fields(coding, fields) : IQ_ERR_NOMEM;
	if (rc == 0)
		rc = iq_texts_append(coding->codec, values, builder->count, 0, &coding->out);
	else if (rc == 1)
		rc = iq_texts_append_present(coding->codec, values, builder->count, append_split_attrs,
					     &(struct attrs){ coding, fields, rows }, &coding->out);
	iq_fields_free(fields);
	return rc;
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
		return append_times(coding);
	case IQ_COLUMN_OBSERVED:
		return append_observed(coding);
	case IQ_COLUMN_SEQ:
		return append_seq(coding);
	case IQ_COLUMN_TYPE:
		return append_types(coding);
	case IQ_COLUMN_KEY:
		return iq_texts_append(coding->codec, coding->builder->texts[column], coding->builder->count, 0,
				       &coding->out);
	case IQ_COLUMN_ATTRS:
		return append_attrs(coding);
	case IQ_COLUMN_SESSION:
		return append_sessions(coding);
	case IQ_STORED_SHAPE:
		return iq_stream_append_ints(coding->codec, coding->shapes, coding->builder->count, &coding->out);
	case IQ_STORED_RAW:
		return append_raw(coding);
	case IQ_STORED_WORDS:
		return append_new_words(coding);
	case IQ_STORED_FILTER:
		return iq_filter_append(coding->builder->pieces, &coding->out);
	default:
		return append_numbers(coding, coding->builder->numbers[column], true);
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

	for (uint32_t row = 0; row < builder->count && rc >= 0; row++) {
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

static int list_types(const struct iq_chunk_builder *builder, struct iq_arena *arena, struct iq_zone *zone)
{
	const struct iq_map *types = &builder->types;
	struct iq_zone_type *list = iq_arena_calloc(arena, types->count + 1, sizeof(*list));
	uint32_t nulls = builder->count;

	if (!list)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < types->count; i++) {
		list[i] = (struct iq_zone_type){ iq_arena_copy(arena, types->entries[i].key),
						 (uint32_t)types->entries[i].value };
		if (!list[i].name.data)
			return IQ_ERR_NOMEM;
		nulls -= list[i].events;
	}
	list[types->count] = (struct iq_zone_type){ IQ_VIEW_NULL, nulls };
	zone->types = list;
	zone->type_count = types->count + (nulls > 0);
	return 0;
}

/* As readers find it: see iq_segment_locate(). */
static int64_t length_of(const struct iq_chunk_builder *builder, uint32_t row)
{
	return (int64_t)builder->texts[IQ_STORED_RAW][row].len - builder->numbers[IQ_STORED_LEAD][row] +
	       builder->numbers[IQ_STORED_EXCESS][row];
}

static void add_lengths(const struct iq_chunk_builder *builder, struct iq_zone *zone)
{
	zone->length_min = zone->length_max = builder->count > 0 ? length_of(builder, 0) : 0;
	for (uint32_t row = 0; row < builder->count; row++) {
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
		.rows = builder->count,
		.id_first = builder->id_first,
		.ts_min = INT64_MAX,
		.ts_max = INT64_MIN,
		.evidence = evidence,
		.evidence_count = builder->evidence_count,
	};
	memcpy(evidence, builder->evidence, builder->evidence_count * sizeof(*evidence));
	add_lengths(builder, zone);
	for (uint32_t row = 0; row < builder->count; row++) {
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
	return list_types(builder, arena, zone);
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
	const size_t count = (size_t)coding->builder->count + 1;

	for (unsigned i = 0; i < IQ_KIND_COUNT; i++)
		coding->kinds[i] = name_view(iq_kind_name((enum iq_kind)i));
	for (unsigned i = 0; i <= IQ_DIRECTION_SERVER; i++)
		coding->directions[i] = name_view(iq_direction_name((enum iq_direction)i));
	coding->shapes = calloc(count, sizeof(*coding->shapes));
	coding->numbers = malloc(count * sizeof(*coding->numbers));
	return coding->shapes && coding->numbers ? 0 : IQ_ERR_NOMEM;
}

static void release_coding(struct coding *coding)
{
	free(coding->shapes);
	free(coding->template_numbers);
	free(coding->numbers);
	iq_buf_release(&coding->out);
	iq_arena_release(&coding->memory);
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
	struct coding coding = {
		.builder = builder, .codec = codec, .templates = templates, .memory = IQ_ARENA_INIT, .out = IQ_BUF_INIT
	};
	struct iq_buf body = IQ_BUF_INIT;
	int rc = allocate_coding(&coding);

	coding.words_before = iq_codec_words(codec) ? iq_codec_words(codec)->count : 0;
	if (rc == 0)
		rc = make_zone(builder, arena, ret_zone);
	/* The body comes first: its shapes tell other columns. */
	if (rc == 0)
		rc = append_body(&coding);
	if (rc == 0)
		rc = choose_times(&coding);
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
