/* Columns of numbers and texts as bytes and back, in each layout: what goes in comes out, and the layout is the one meant. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/body_finder.h"
#include "store/derive.h"
#include "store/fields.h"
#include "store/generalise.h"
#include "store/repeats.h"
#include "store/search.h"
#include "store/sparse.h"
#include "store/split.h"
#include "store/store.h"
#include "store/texts.h"
#include "store/times.h"

/* Some values in the middle, at the beginning, at the end and none at all. */
#define WINDOWS 5u
static struct iq_window window_of(size_t all, unsigned which)
{
	const struct iq_window windows[WINDOWS] = {
		{ all, all / 3, all / 7 },	 { all, 0, all / 2 },
		{ all, all / 2, all - all / 2 }, { all, all / 2, 0 },
		{ all, all - all / 9, all / 9 },
	};

	return windows[which];
}

/* ---- Numbers ---- */

static void read_windows(struct iq_codec *codec, struct iq_view bytes, size_t count, const int64_t *expected)
{
	for (unsigned i = 0; i < WINDOWS; i++) {
		const struct iq_window window = window_of(count, i);
		struct iq_arena arena = IQ_ARENA_INIT;
		struct iq_view rest = bytes;
		int64_t *some = NULL;

		cr_assert_eq(iq_stream_take_some(codec, &rest, window, NULL, &arena, &some), 0);
		cr_assert_eq(rest.len, 0);
		cr_assert(window.count == 0 || memcmp(some, expected + window.first, window.count * sizeof(*some)) == 0,
			  "window %u of layout %d", i, bytes.data[0]);
		iq_arena_release(&arena);
	}
}

/* What is asked of a stream that is not decoded is what its numbers say. */
static void look_into(struct iq_codec *codec, struct iq_view bytes, size_t count, const int64_t *expected)
{
	const size_t end = count / 2, limit = count / 3 + 1;
	struct iq_arena arena = IQ_ARENA_INIT;
	struct iq_sparse sparse;
	int64_t *some = calloc(count + 1, sizeof(*some));
	uint32_t *places = calloc(count + 1, sizeof(*places));
	uint64_t largest = 0, sum = 0, told;
	size_t found = 0;
	bool small = true;

	cr_assert(some && places);
	cr_assert_eq(iq_sparse_take(codec, &bytes, count, &arena, &sparse), 0);
	cr_assert_eq(bytes.len, 0);
	iq_sparse_get_some(&sparse, end, count - end, some);
	cr_assert(count == end || memcmp(some, expected + end, (count - end) * sizeof(*some)) == 0);
	for (size_t i = 0; i < count; i++) {
		small &= expected[i] >= 0 && expected[i] <= 1000;
		found += count > 0 && expected[i] == expected[end];
		largest = i < end && (uint64_t)expected[i] > largest ? (uint64_t)expected[i] : largest;
		sum += i < end ? (uint64_t)expected[i] : 0;
	}
	if (count > 0)
		cr_assert_eq(iq_sparse_find(&sparse, expected[end], limit, places), found > limit ? limit + 1 : found);
	for (size_t i = 0; i < found && i < limit; i++)
		cr_assert(expected[places[i]] == expected[end] && (i == 0 || places[i] > places[i - 1]));
	cr_assert_eq(iq_sparse_largest(&sparse, end), largest);
	cr_assert_eq(iq_sparse_sum(&sparse, end, 1000, &told), small);
	if (small) {
		cr_assert_eq(told, sum);
		memset(places, 0, (count + 1) * sizeof(*places));
		if (largest <= count)
			iq_sparse_tally(&sparse, end, places);
		for (size_t i = 0; i < end && largest <= count; i++)
			cr_assert(places[expected[i]]-- > 0);
	}
	free(some);
	free(places);
	iq_arena_release(&arena);
}

static enum iq_ints_layout round_trip_ints(const int64_t *values, size_t count)
{
	struct iq_codec *codec = iq_codec_new(IQ_SEGMENT_LEVEL);
	struct iq_arena arena = IQ_ARENA_INIT;
	struct iq_buf bytes = IQ_BUF_INIT;
	struct iq_view rest;
	int64_t *back = NULL;
	enum iq_ints_layout layout;

	cr_assert_eq(iq_stream_append_ints(codec, values, count, &bytes), 0);
	layout = (enum iq_ints_layout)bytes.data[0];
	rest = iq_buf_view(&bytes);
	cr_assert_eq(iq_stream_take_ints(codec, &rest, count, NULL, &arena, &back), 0);
	cr_assert_eq(rest.len, 0);
	cr_assert(count == 0 || memcmp(back, values, count * sizeof(*values)) == 0);
	read_windows(codec, iq_buf_view(&bytes), count, values);
	look_into(codec, iq_buf_view(&bytes), count, values);
	iq_buf_release(&bytes);
	iq_arena_release(&arena);
	iq_codec_free(codec);
	return layout;
}

#define COUNT 5000

static int64_t values[COUNT];

Test(columns, of_numbers_take_the_layout_that_is_smallest)
{
	uint64_t noise = 88172645463325252u;

	for (size_t i = 0; i < COUNT; i++)
		values[i] = -7;
	cr_expect_eq(round_trip_ints(values, COUNT), IQ_INTS_CONST);
	for (size_t i = 0; i < COUNT; i++)
		values[i] = INT64_MAX - 3 * (int64_t)i * (int64_t)i;
	cr_expect_eq(round_trip_ints(values, COUNT), IQ_INTS_DELTA2);
	for (size_t i = 0; i < COUNT; i++) {
		noise ^= noise << 13, noise ^= noise >> 7, noise ^= noise << 17;
		values[i] = (int64_t)(1795403232000000000 + i * 1000000 + noise % 4096);
	}
	cr_expect_eq(round_trip_ints(values, COUNT), IQ_INTS_DELTA);
	/* Three of a growing number of codes are in use at a time. */
	for (size_t i = 0; i < COUNT; i++) {
		noise ^= noise << 13, noise ^= noise >> 7, noise ^= noise << 17;
		values[i] = (int64_t)((i / 60 + noise % 3) * 97 % 1009);
	}
	cr_expect_eq(round_trip_ints(values, COUNT), IQ_INTS_RECENT);
	/* A machine that mostly does what it did before in the same state. */
	for (size_t i = 0; i < COUNT; i++) {
		noise ^= noise << 13, noise ^= noise >> 7, noise ^= noise << 17;
		values[i] = i > 0 && noise % 16 ? (values[i - 1] * 5 + 3) % 64 : (int64_t)(noise >> 8) % 64;
	}
	cr_expect_eq(round_trip_ints(values, COUNT), IQ_INTS_FOLLOW);
	/* Numbers of a machine that says each twice or three times. */
	for (size_t i = 0; i < COUNT; i++) {
		noise ^= noise << 13, noise ^= noise >> 7, noise ^= noise << 17;
		values[i] = i > 2 && i % 3 ? values[i - 1 - (noise >> 20) % 2] : (int64_t)(noise % 20000) - 10000;
	}
	cr_expect_eq(round_trip_ints(values, COUNT), IQ_INTS_AGAIN);
	/* Wide numbers, half of which came before. */
	for (size_t i = 0; i < COUNT; i++) {
		noise ^= noise << 13, noise ^= noise >> 7, noise ^= noise << 17;
		values[i] = i < 300 || noise % 2 ? (int64_t)noise : values[i - 1 - (noise >> 20) % 300];
	}
	cr_expect_eq(round_trip_ints(values, COUNT), IQ_INTS_DICT);
}

Test(columns, of_numbers_are_refused_where_groups_do_not_fit)
{
	/* Two groups. What each holds, and the values by the one before them. */
	static const struct {
		char counts[2];
		char values[4];
		int rc;
	} cases[] = {
		{ { 1, 3 }, { 1, 1, 0, 0 }, IQ_ERR_CORRUPT }, /* the first one is empty too early */
		{ { 3, 1 }, { 0, 1, 1, 0 }, 0 },
		{ { 3, 2 }, { 0, 1, 1, 0 }, IQ_ERR_CORRUPT }, /* more than there are */
		{ { 2, 1 }, { 0, 1, 1, 0 }, IQ_ERR_CORRUPT }, /* fewer */
		{ { 3, 1 }, { 0, 2, 1, 0 }, IQ_ERR_CORRUPT }, /* a third one */
		{ { 5, -1 }, { 0, 0, 0, 0 }, IQ_ERR_CORRUPT },
	};
	struct iq_codec *codec = iq_codec_new(IQ_SEGMENT_LEVEL);
	struct iq_arena arena = IQ_ARENA_INIT;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct iq_buf bytes = IQ_BUF_INIT;
		struct iq_view rest;
		int64_t *back;

		(void)iq_buf_append_char(&bytes, IQ_INTS_FOLLOW);
		(void)iq_varint_append(&bytes, 2);
		(void)iq_buf_append_char(&bytes, IQ_INTS_PLANES);
		(void)iq_buf_append(&bytes, iq_view_make("\x01\x01\x01\x04", 4)); /* base -1, scale 1, a plane of two */
		for (unsigned j = 0; j < 2; j++)
			(void)iq_buf_append_char(&bytes, (char)(cases[i].counts[j] + 1));
		(void)iq_buf_append(&bytes, iq_view_make("\x00\x01\x01\x08", 4));
		(void)iq_buf_append(&bytes, iq_view_make(cases[i].values, 4));
		rest = iq_buf_view(&bytes);
		cr_expect_eq(iq_stream_take_ints(codec, &rest, 4, NULL, &arena, &back), cases[i].rc, "case %zu", i);
		iq_buf_release(&bytes);
	}
	iq_arena_release(&arena);
	iq_codec_free(codec);
}

Test(columns, of_any_numbers_come_back)
{
	static const int64_t edges[] = { INT64_MIN, INT64_MAX,	  0,   -1, 1, INT64_MIN + 1,
					 1ll << 40, -(1ll << 40), 255, 256 };
	unsigned seed = (unsigned)time(NULL);

	srand(seed);
	for (unsigned round = 0; round < 300; round++) {
		size_t count = (size_t)rand() % COUNT;
		int kind = rand() % 4;

		for (size_t i = 0; i < count; i++)
			values[i] = kind == 0	? edges[rand() % 10]
				    : kind == 1 ? rand() % 50
				    : kind == 2 ? (int64_t)rand() << 31 ^ rand()
						: edges[rand() % 10] / (2 + rand() % 9) + rand() % 3;
		cr_log_info("seed %u round %u\n", seed, round);
		(void)round_trip_ints(values, count);
	}
}

/* So many that they are coded in blocks, of which a window needs some. */
Test(columns, of_many_numbers_are_read_in_part)
{
	enum { MANY = 150000 };
	static int64_t many[MANY];
	unsigned seed = (unsigned)time(NULL);

	cr_log_info("seed %u\n", seed);
	for (size_t i = 0; i < MANY; i++)
		many[i] = rand_r(&seed) % 16 * (rand_r(&seed) % 16);
	cr_expect_eq(round_trip_ints(many, MANY), IQ_INTS_PLANES);
}

/* ---- Times that tell the order of rows ---- */

/* Events of sessions that take turns, by and large in the order of their times: `disorder` of a thousand are late. */
static void make_rows(unsigned *seed, unsigned disorder, uint32_t count, int64_t *ts, uint32_t *rows)
{
	uint32_t at[8] = { 0 }, sessions[COUNT];
	int64_t now = -1000;

	for (uint32_t row = 0; row < count; row++)
		at[(sessions[row] = (uint32_t)rand_r(seed) % 7) + 1]++;
	for (unsigned i = 1; i < 8; i++)
		at[i] += at[i - 1];
	for (uint32_t row = 0; row < count; row++) {
		const uint32_t position = at[sessions[row]]++;

		now += rand_r(seed) % 40;
		ts[position] = now - ((unsigned)rand_r(seed) % 1000 < disorder ? rand_r(seed) % 400 : 0);
		rows[position] = row;
	}
}

/* Of 40 orders, more and more of whose rows are late: how many of the 6 with the fewest are told. */
static unsigned tell_rows(unsigned seed)
{
	static uint32_t rows[COUNT];
	unsigned told_of_few = 0;

	for (unsigned round = 0; round < 40; round++) {
		const uint32_t count = (uint32_t)rand_r(&seed) % COUNT;
		struct iq_arena arena = IQ_ARENA_INIT;
		struct iq_moves moves;
		uint32_t *positions;

		make_rows(&seed, round % 20, count, values, rows);
		positions = iq_times_sort(values, count, &arena);
		if (iq_times_find_moves(positions, rows, count, &arena, &moves) == 1) {
			told_of_few += round % 20 < 3;
			positions = iq_times_sort(values, count, &arena);
			cr_assert(iq_times_move(positions, count, &moves));
			for (uint32_t row = 0; row < count; row++)
				cr_assert_eq(rows[positions[row]], row);
		}
		iq_arena_release(&arena);
	}
	return told_of_few;
}

Test(times, tell_rows_but_for_what_is_moved)
{
	unsigned seed = (unsigned)time(NULL);

	cr_log_info("seed %u\n", seed);
	(void)tell_rows(seed);
}

/* Whether few enough are moved is a matter of chance: of the one seed here they are. */
Test(times, tell_rows_where_few_are_late)
{
	cr_assert_eq(tell_rows(1), 6);
}

Test(times, move_nothing_from_outside)
{
	static const int64_t wrong[][2] = { { 0, 0 }, { 0, 4 },	 { 3, 1 },	  { -1, 1 },
					    { 4, 1 }, { 1, -1 }, { 1, INT64_MAX } };
	uint32_t positions[] = { 0, 1, 2, 3 };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		int64_t row = wrong[i][0], distance = wrong[i][1];
		const struct iq_moves moves = { &row, &distance, 1 };

		cr_expect(!iq_times_move(positions, 4, &moves), "%zu", i);
	}
}

/* ---- Texts ---- */

static struct iq_view shared_word(void *context, uint64_t index)
{
	const struct iq_map *words = context;

	return index < words->count ? words->entries[index].key : IQ_VIEW_NULL;
}

static void read_texts(struct iq_codec *codec, struct iq_view bytes, struct iq_window window,
		       const struct iq_texts_outside *outside, const struct iq_view *expected)
{
	struct iq_arena arena = IQ_ARENA_INIT;
	struct iq_buf scratch = IQ_BUF_INIT;
	struct iq_texts *column;
	struct iq_view text;

	cr_assert_eq(iq_texts_open(codec, bytes, window, &arena, outside, &column), 0);
	for (size_t i = 0; i < window.count; i++) {
		const struct iq_view was = expected[window.first + i];

		iq_buf_clear(&scratch);
		cr_assert_eq(iq_texts_get(column, i, NULL, &scratch, &text), 0, "text %zu", i);
		cr_assert_eq(iq_view_is_null(text), iq_view_is_null(was), "text %zu", i);
		cr_assert(iq_view_eq(text, was), "text %zu: '%.*s' became '%.*s'", i, IQ_VIEW_ARG(was),
			  IQ_VIEW_ARG(text));
	}
	iq_buf_release(&scratch);
	iq_arena_release(&arena);
}

/* Texts that are the same have the same number, and others another. */
static void number_texts(struct iq_codec *codec, struct iq_view bytes, struct iq_window window,
			 const struct iq_texts_outside *outside, const struct iq_view *expected)
{
	struct iq_arena arena = IQ_ARENA_INIT;
	struct iq_map numbers = IQ_MAP_INIT;
	struct iq_texts *column;
	uint32_t *codes = calloc(window.count + 1, sizeof(*codes)), index;
	size_t words, different = 0;
	const char **texts;

	cr_assert_eq(iq_texts_open(codec, bytes, window, &arena, outside, &column), 0);
	cr_assert_eq(iq_texts_number(column, codes, &words), 0);
	texts = calloc(words + 1, sizeof(char *));
	for (size_t i = 0; i < window.count; i++) {
		const struct iq_view text = expected[window.first + i];

		cr_assert_leq(codes[i], words, "text %zu", i);
		cr_assert_eq(codes[i] == 0, iq_view_is_null(text), "text %zu", i);
		if (codes[i] == 0)
			continue;
		cr_assert_geq(iq_map_intern(&numbers, text, &index), 0);
		different += texts[codes[i]] == NULL;
		if (!texts[codes[i]])
			texts[codes[i]] = numbers.entries[index].key.data;
		cr_assert(texts[codes[i]] == numbers.entries[index].key.data, "text %zu: '%.*s' has another's number",
			  i, IQ_VIEW_ARG(text));
	}
	cr_assert_eq(different, numbers.count, "a text has two numbers");
	free(texts);
	free(codes);
	iq_map_release(&numbers);
	iq_arena_release(&arena);
}

static void round_trip_texts(struct iq_codec *codec, struct iq_map *words, const struct iq_view *texts, size_t count)
{
	const struct iq_texts_outside outside = { .word = shared_word, .context = words };
	struct iq_buf bytes = IQ_BUF_INIT;

	cr_assert_eq(iq_texts_append(codec, texts, count, 0, &bytes), 0);
	read_texts(codec, iq_buf_view(&bytes), iq_window_whole(count), &outside, texts);
	number_texts(codec, iq_buf_view(&bytes), iq_window_whole(count), &outside, texts);
	for (unsigned i = 0; i < WINDOWS; i++) {
		read_texts(codec, iq_buf_view(&bytes), window_of(count, i), &outside, texts);
		number_texts(codec, iq_buf_view(&bytes), window_of(count, i), &outside, texts);
	}
	iq_buf_release(&bytes);
}

/* What `make` prints for each number, as a column; NULL for those it prints nothing for. */
static void round_trip(struct iq_codec *codec, struct iq_map *words, void (*make)(struct iq_buf *buf, unsigned i),
		       size_t count)
{
	struct iq_view *texts = calloc(count, sizeof(*texts));
	struct iq_arena arena = IQ_ARENA_INIT;
	struct iq_buf buf = IQ_BUF_INIT;

	for (unsigned i = 0; i < count; i++) {
		iq_buf_clear(&buf);
		make(&buf, i);
		if (buf.len > 0)
			texts[i] = iq_arena_copy(&arena, iq_buf_view(&buf));
	}
	round_trip_texts(codec, words, texts, count);
	free(texts);
	iq_buf_release(&buf);
	iq_arena_release(&arena);
}

static const char *const nouns[] = { "order", "parcel", "invoice", "refund", "address", "late", "cancel", "please" };

static void sentence(struct iq_buf *buf, unsigned i)
{
	for (unsigned word = 0; word < 4 + i % 5; word++)
		(void)iq_buf_appendf(buf, "%s%s%u", word ? " " : "", nouns[(i * 7 + word * 3) % 8], (i + word) % 11);
}

static void repeated_sentence(struct iq_buf *buf, unsigned i)
{
	sentence(buf, i % 700);
	(void)iq_buf_appendf(buf, " %u", i % 700);
}

static void logged_sentence(struct iq_buf *buf, unsigned i)
{
	(void)iq_buf_appendf(buf, "{\"level\":%u,\"msg\":\"", i % 3);
	sentence(buf, i);
	(void)iq_buf_append_cstr(buf, "\"}");
}

static void id_or_nothing(struct iq_buf *buf, unsigned i)
{
	if (i % 3)
		(void)iq_buf_appendf(buf, "%08x-%04x", i * 2654435761u, i % 65536);
}

static void few(struct iq_buf *buf, unsigned i)
{
	(void)iq_buf_append_cstr(buf, nouns[i % 5]);
}

static void with_spaces(struct iq_buf *buf, unsigned i)
{
	(void)iq_buf_appendf(buf, " %s  %u ", nouns[i % 8], i);
}

/* The number and the id of a line come again in the one after it. */
static void said_twice(struct iq_buf *buf, unsigned i)
{
	const unsigned number = i / 2 * 2654435761u;

	(void)iq_buf_appendf(buf, i % 2 ? "paid %u by r%08x" : "request %08x wants %u",
			     i % 2 ? number / 1000 : number * 40503u, i % 2 ? number * 40503u : number / 1000);
}

/* Nanoseconds since 1970, and what lies around the largest numbers there are. */
static void long_number(struct iq_buf *buf, unsigned i)
{
	static const char *const edges[] = { "9223372036854775807",  "9223372036854775808",  "-9223372036854775807",
					     "-9223372036854775808", "18446744073709551616", "0999999999999999999",
					     "1234567890123456789.5" };

	if (i % 9 < 7)
		(void)iq_buf_appendf(buf, "{\"at\":%s}", edges[i % 9]);
	else
		(void)iq_buf_appendf(buf, "{\"at\":\"%" PRIu64 "\"}",
				     UINT64_C(1795539256393000000) + i * UINT64_C(40503));
}

/* Lines that are alike, some of which come again. */
static void traced(struct iq_buf *buf, unsigned i)
{
	for (unsigned line = 0; line < i % 7; line++)
		(void)iq_buf_appendf(buf, "%s\tat org.example.Class%u.call(Class.java:%u)", line ? "\n" : "",
				     (i + line) % 13, (i * 31 + line) % 400);
}

/* As many slots as a template may have; with the words that vary there would be more. */
static void traced_in_json(struct iq_buf *buf, unsigned i)
{
	for (unsigned line = 0; line < i % 7; line++)
		(void)iq_buf_appendf(buf, "%s\\tat org.example.Class%u.call(Class.java:%u)", line ? "\\n" : "",
				     (i + line) % 13, (i * 31 + line) % 400);
}

static void crowded(struct iq_buf *buf, unsigned i)
{
	for (unsigned number = 0; number < IQ_TEMPLATE_MAX_SLOTS - 2; number++)
		(void)iq_buf_appendf(buf, "%u,", number * i % 89);
	for (unsigned word = 0; word < 8; word++)
		(void)iq_buf_appendf(buf, " to: %c%c%c;", 'g' + (int)((i * 7 + word) % 19), 'g' + (int)(i / 19 % 19),
				     'g' + (int)((i * 3 + word * i) % 17));
}

Test(columns, of_slots_are_one_where_values_repeat)
{
	struct iq_repeats *repeats = iq_repeats_new(4);
	uint64_t noise = 88172645463325252u;
	uint32_t targets[4];

	/* 1 holds what 0 held; 2 its own wide numbers; 3 is narrow: what is the same there is so by chance. */
	for (unsigned i = 0; i < 400; i++) {
		const int64_t number =
			(int64_t)((noise ^= noise << 13, noise ^= noise >> 7, noise ^= noise << 17) >> 40);
		const struct iq_repeats_value noted[] = { { .column = 0, .number = number },
							  { .column = 1, .number = number },
							  { .column = 2, .number = ~number },
							  { .column = 3, .number = number % 3 } };

		for (unsigned column = 0; column < 4; column++)
			iq_repeats_note(repeats, &noted[column]);
	}
	iq_repeats_join(repeats, targets);
	cr_expect_eq(targets[0], targets[1]);
	cr_expect_eq(targets[2], 2);
	cr_expect_eq(targets[3], 3);
	iq_repeats_free(repeats);
}

Test(columns, of_templates_with_words_that_vary_have_slots_for_them)
{
	/* What alike templates become. */
	static const struct {
		const char *from, *to;
	} cases[] = {
		{ "<ts:-T.>Z INFO cache miss for key <int>", NULL },
		{ "user alpha logged in", "user <str> logged in" },
		{ "user beta logged in", "user <str> logged in" },
		{ "user gamma logged in", "user <str> logged in" },
		{ "said: one two three", "said: <str>" },
		{ "said: uno dos tres cuatro", "said: <str>" },
		{ "said: eins zwei drei", "said: <str>" },
		{ "said: un deux trois quatre", "said: <str>" },
		{ "[main    ] <<<int>> ok", "[<str>] <<<int>> ok" },
		{ "[worker-thread] <<<int>> ok", NULL },
		{ "[reader  ] <<<int>> ok", "[<str>] <<<int>> ok" },
		{ "{\"kind\":<str>,\"a\":<int>}", NULL },
		{ "{\"kind\":<str>,\"b\":<int>}", NULL },
	};
	struct iq_rare_template rare[sizeof(cases) / sizeof(cases[0])];
	struct iq_general_template general[sizeof(cases) / sizeof(cases[0])];
	struct iq_arena arena = IQ_ARENA_INIT;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		rare[i] = (struct iq_rare_template){ iq_view_cstr(cases[i].from), 1 };
	cr_assert_eq(iq_generalise(rare, sizeof(cases) / sizeof(cases[0]), &arena, general), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_expect_eq(general[i].pattern.data == NULL, cases[i].to == NULL, "%s", cases[i].from);
		cr_expect(!cases[i].to || iq_view_eq(general[i].pattern, iq_view_cstr(cases[i].to)), "%s: %.*s",
			  cases[i].from, IQ_VIEW_ARG(general[i].pattern));
	}
	iq_arena_release(&arena);
}

Test(columns, of_templates_that_are_full_get_no_more_slots)
{
	struct iq_codec *codec = iq_codec_new(IQ_SEGMENT_LEVEL);
	struct iq_buf text = IQ_BUF_INIT, bytes = IQ_BUF_INIT;
	struct iq_arena arena = IQ_ARENA_INIT;
	struct iq_view texts[32];
	const struct iq_split_input input = { .values = texts, .count = 32 };

	for (unsigned i = 0; i < 32; i++) {
		iq_buf_clear(&text);
		crowded(&text, i);
		texts[i] = iq_arena_copy(&arena, iq_buf_view(&text));
	}
	cr_assert_eq(iq_split_append(codec, &input, 0, &bytes), 1);
	read_texts(codec, iq_buf_view(&bytes), iq_window_whole(32), NULL, texts);
	iq_buf_release(&text);
	iq_buf_release(&bytes);
	iq_arena_release(&arena);
	iq_codec_free(codec);
}

Test(columns, of_texts_come_back_in_every_layout)
{
	static void (*const makers[])(struct iq_buf * buf,
				      unsigned i) = { sentence, repeated_sentence, logged_sentence, id_or_nothing,
						      few,	with_spaces,	   said_twice,	    long_number,
						      traced,	traced_in_json,	   crowded };
	struct iq_codec *codec = iq_codec_new(IQ_SEGMENT_LEVEL);
	struct iq_map words = IQ_MAP_INIT;

	/* Without words to share, then with a list that grows from column to column. */
	for (unsigned round = 0; round < 3; round++) {
		for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++)
			for (size_t count = 0; count < COUNT; count = count * 4 + 1)
				round_trip(codec, &words, makers[i], count);
		iq_codec_share_words(codec, &words);
	}
	cr_expect_gt(words.count, 50, "texts shared %zu words", words.count);
	iq_codec_free(codec);
	iq_map_release(&words);
}

/* ---- Bodies in raw bytes ---- */

static void finds(const char *raw, const char *body, size_t at, size_t len)
{
	struct iq_body_finder finder = { 0 };
	size_t found, found_len;
	unsigned escape;

	cr_assert(iq_body_find(&finder, iq_view_cstr(raw), iq_view_cstr(body), &found, &found_len, &escape), "%s", raw);
	cr_expect_eq(found, at, "%s: at %zu", raw, found);
	cr_expect_eq(found_len, len, "%s: %zu bytes", raw, found_len);
}

Test(columns, find_bodies_that_begin_with_what_is_escaped)
{
	finds("{\"log\":\"plain text\\n\"}", "plain text", 8, 10);
	finds("{\"log\":\"\\tat Foo.bar\\n\"}", "\tat Foo.bar", 8, 12);
	finds("{\"log\":\"\\u003cb\\u003ebold\\n\"}", "<b>bold", 8, 17);
	finds("{\"x\":\"at\",\"log\":\"\\\"at\\\" last\"}", "\"at\" last", 17, 11);
}

/* The first piece is no shorter than what is looked for first. */
#define ONE "the first piece of a long line of text "

Test(columns, find_bodies_in_base64)
{
	struct iq_body_finder finder = { 0 };
	const struct iq_view body = IQ_LIT("\1\2\xff\0 fish & chips");
	struct iq_buf again = IQ_BUF_INIT;
	size_t at = 0, len = 0;
	unsigned escape = 0;

	cr_assert(iq_body_find(&finder, IQ_LIT("{\"b\":\"AQL/ACBmaXNoICYgY2hpcHM=\"}"), body, &at, &len, &escape));
	cr_expect(at == 6 && len == 24 && escape == IQ_ESCAPE_BASE64);
	cr_assert_eq(iq_escape_append(&again, body, escape), 0);
	cr_expect(iq_view_eq(iq_buf_view(&again), IQ_LIT("AQL/ACBmaXNoICYgY2hpcHM=")));
	cr_expect_not(iq_body_find(&finder, IQ_LIT("{\"b\":\"AQL/ACBmaXNoICYgY2hpcHN=\"}"), body, &at, &len, &escape));
	cr_expect_not(iq_body_find(&finder, IQ_LIT("{\"b\":\"AQL/ACBmaXNoICYgY2hpcHM=="), body, &at, &len, &escape));
	iq_buf_release(&again);
}

Test(columns, find_bodies_in_pieces)
{
	static const struct {
		const char *raw;
		size_t parts;
	} cases[] = {
		{ "{\"log\":\"" ONE "\"}\n{\"log\":\"two\\t\"}\n{\"log\":\"three\\n\"}", 3 },
		{ "{\"log\":\"" ONE "two\\t\"}\n{\"log\":\"three\"}", 2 },
		{ "1 P " ONE "\n2 P two\t\n3 F three\n", 3 },
		{ "{\"log\":\"" ONE "\"}\n{\"log\":\"two\\t\"}\n{\"log\":\"other\"}", 0 },
		{ "{\"log\":\"" ONE "\"}\n{\"log\":\"two\\t\"}\n", 0 },
		{ "{\"log\":\"" ONE "\"}\n {\"log\":\"two\\tthree\"}\n", 0 },
		{ "nothing of it", 0 },
	};
	const struct iq_view body = IQ_LIT(ONE "two\tthree");
	struct iq_body_part parts[IQ_BODY_MAX_PARTS];
	unsigned escape;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(iq_body_find_parts(iq_view_cstr(cases[i].raw), body, parts, &escape), cases[i].parts, "%s",
			     cases[i].raw);
	/* Lines of their own, between which the body has line feeds as well. */
	cr_expect_eq(iq_body_find_parts(IQ_LIT("1 F " ONE "\n2 F \tat two\n3 F \tat three\n"),
					IQ_LIT(ONE "\n\tat two\n\tat three"), parts, &escape),
		     3);
	/* No piece begins within a character. */
	cr_expect_eq(iq_body_find_parts(IQ_LIT("1 P " ONE "caf\xc3\n2 F \xa9s\n"), IQ_LIT(ONE "caf\xc3\xa9s"), parts,
					&escape),
		     0);
}

/* A needle may begin and end in the middle of what divides lines. */
Test(columns, of_lines_are_searched)
{
	static const char *const needles[] = { "ntwo lines of 12", "of 12\\", "12\\n",	"\\n", "n",
					       "lines of 3\\ntwo", "of 71",   "nowhere" };
	struct iq_codec *codec = iq_codec_new(IQ_SEGMENT_LEVEL);
	struct iq_arena arena = IQ_ARENA_INIT;
	struct iq_buf bytes = IQ_BUF_INIT;
	struct iq_view list[80];
	struct iq_texts *texts;

	for (unsigned i = 0; i < 80; i++) {
		iq_buf_clear(&bytes);
		(void)iq_buf_appendf(&bytes, "two lines of %u\\ntwo lines of %u, and a third one\\n", i, i + 1);
		list[i] = iq_arena_copy(&arena, iq_buf_view(&bytes));
	}
	iq_buf_clear(&bytes);
	cr_assert_eq(iq_texts_append(codec, list, 80, 0, &bytes), 0);
	cr_assert_eq(bytes.data[0], IQ_TEXTS_ESCAPED);
	cr_assert_eq(iq_texts_open(codec, iq_buf_view(&bytes), iq_window_whole(80), &arena, NULL, &texts), 0);
	for (size_t i = 0; i < sizeof(needles) / sizeof(needles[0]); i++) {
		const struct iq_needle needle = { .bytes = iq_view_cstr(needles[i]) };
		uint8_t marks[80] = { 0 };
		unsigned marked = 0;

		cr_assert_eq(iq_texts_search(texts, &needle, marks), 0);
		for (unsigned j = 0; j < 80; j++) {
			marked += marks[j];
			cr_expect(marks[j] || iq_view_find(list[j], needle.bytes) == SIZE_MAX, "%s in %u", needles[i],
				  j);
		}
		cr_expect(needle.bytes.len < 4 || marked < 40, "%s: %u", needles[i], marked);
	}
	iq_buf_release(&bytes);
	iq_arena_release(&arena);
	iq_codec_free(codec);
}

static struct iq_view text_of(char *buffer, size_t size, const char *format, unsigned i)
{
	(void)snprintf(buffer, size, format, i, i % 7, i * 3);
	return iq_view_cstr(buffer);
}

Test(columns, learn_where_values_of_attrs_stand)
{
	static const char line[] = "10.0.0.%u - \"GET /%u/x HTTP\" %u",
			  json[] = "{\"client\":\"10.0.0.%u\",\"url\":\"/%u/x\",\"took\":%u,\"none\":\"zz\"}";
	char body[80], attrs[120];
	struct iq_view sources[IQ_FIELD_SOURCES] = { 0 }, value;
	struct iq_fields *fields = iq_fields_new();
	struct iq_found_field found[IQ_FIELDS_MAX_VALUES];

	cr_assert(fields);
	for (unsigned i = 0; i < 40; i++) {
		sources[IQ_FIELD_OF_BODY] = text_of(body, sizeof(body), line, i);
		cr_assert_eq(iq_fields_learn(fields, text_of(attrs, sizeof(attrs), json, i), sources), 0);
	}
	cr_expect_gt(iq_fields_choose(fields), 50);
	cr_expect_lt(iq_fields_choose(fields), 100);
	sources[IQ_FIELD_OF_BODY] = text_of(body, sizeof(body), line, 1234);
	cr_assert_eq(iq_fields_find(fields, text_of(attrs, sizeof(attrs), json, 1234), sources, found), 3);
	for (size_t i = 0; i < 3; i++) {
		cr_assert(iq_field_find(found[i].field, sources[IQ_FIELD_OF_BODY], &value));
		cr_expect(iq_view_eq(value, iq_view_make(attrs + found[i].at, found[i].len)));
	}
	/* What is not said where it mostly is. */
	sources[IQ_FIELD_OF_BODY] = IQ_LIT("10.0.0.1 - x");
	cr_expect_eq(iq_fields_find(fields, text_of(attrs, sizeof(attrs), json, 1), sources, found), 1);
	cr_expect_eq(iq_fields_find(fields, IQ_LIT("{\"other\":1}"), sources, found), 0);
	cr_expect_eq(iq_fields_find(fields, IQ_LIT("{\"open"), sources, found), 0);
	iq_fields_free(fields);
}

Test(columns, find_fields_only_where_the_text_has_them)
{
	static const struct {
		struct iq_field field;
		const char *value;
	} cases[] = {
		{ { .after = ' ' }, "one" },
		{ { .to_end = true }, "one two;three" },
		{ { .nth = 1, .before = ' ', .after = ';' }, "two" },
		{ { .nth = 1, .before = ';', .to_end = true }, "three" },
		{ { .nth = 2, .before = ';', .to_end = true }, NULL },
		{ { .nth = 1, .before = ';', .after = ' ' }, NULL },
		{ { .nth = 1, .before = 'e', .after = ' ' }, "" },
	};
	struct iq_view value;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const bool there = iq_field_find(&cases[i].field, IQ_LIT("one two;three"), &value);

		cr_expect_eq(there, cases[i].value != NULL, "%zu", i);
		cr_expect(!there || iq_view_eq(value, iq_view_cstr(cases[i].value)), "%zu", i);
	}
	cr_expect_not(iq_field_find(&(struct iq_field){ .to_end = true }, IQ_VIEW_NULL, &value));
}

static struct iq_view derived_value(void *context, size_t column, size_t index)
{
	return text_of(context, 80, ((const char *const[]){ "/%u/all/%u?x", "%1$u", "%2$u", "k%1$u" })[column],
		       (unsigned)index);
}

/* Each in a buffer of its own: two are compared. */
static struct iq_view derived_values(void *context, size_t column, size_t index)
{
	return derived_value((char *)context + column * 80, column, index);
}

Test(columns, are_derived_from_those_that_hold_their_values)
{
	struct iq_derived columns[] = { { .count = 100, .bytes = 1300, .texts = 7 },
					{ .count = 100, .bytes = 190, .texts = 7 },
					{ .count = 100, .bytes = 100, .texts = 8 },
					{ .count = 100, .bytes = 290, .texts = 7 } };
	char buffers[4 * 80];

	iq_derive(columns, 4, derived_values, buffers);
	cr_expect_eq(columns[0].source, SIZE_MAX);
	cr_expect_eq(columns[1].source, 0);
	cr_expect(columns[1].field.nth == 1 && columns[1].field.before == '/' && columns[1].field.after == '/');
	cr_expect_eq(columns[2].source, SIZE_MAX, "of other texts");
	cr_expect_eq(columns[3].source, SIZE_MAX, "in none");
}

Test(columns, refuse_templates_whose_parts_are_no_body)
{
	static const struct {
		const char *template;
		int rc;
	} cases[] = {
		{ "<part:A3>|<part:A9999999>|<body:A>", 0 },
		{ "<body:A>|<body:B>", 0 },
		{ "<part:A3>", IQ_ERR_CORRUPT },
		{ "<body:A>|<part:A3>", IQ_ERR_CORRUPT },
		{ "<part:A3>|<body:B>", IQ_ERR_CORRUPT },
		{ "<part:A>|<body:A>", 0 },
		{ "<part:A>", IQ_ERR_CORRUPT },
		{ "<part:A0>|<body:A>", IQ_ERR_CORRUPT },
		{ "<part:A99999999>|<body:A>", IQ_ERR_CORRUPT },
		{ "<body:A3>", IQ_ERR_CORRUPT },
		{ "<part:A-3>|<body:A>", IQ_ERR_CORRUPT },
		{ "<body:a>", 0 },
		{ "<body:b>", IQ_ERR_CORRUPT },
		{ "<part:a3>|<body:a>", IQ_ERR_CORRUPT },
		{ "<field:20>", 0 },
		{ "<rawfield:--221>", 0 },
		{ "<field:2022999>", 0 },
		{ "<field>", IQ_ERR_CORRUPT },
		{ "<field:>", IQ_ERR_CORRUPT },
		{ "<field:-->", 0 },
		{ "<field:-2>", IQ_ERR_CORRUPT },
		{ "<field:2>", IQ_ERR_CORRUPT },
		{ "<field:2022>", IQ_ERR_CORRUPT },
		{ "<field:20220>", IQ_ERR_CORRUPT },
		{ "<field:20221000>", IQ_ERR_CORRUPT },
		{ "<field:2022-1>", IQ_ERR_CORRUPT },
	};
	struct iq_arena arena = IQ_ARENA_INIT;
	struct iq_piece *pieces;
	size_t count;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(iq_template_parse(iq_view_cstr(cases[i].template), &arena, &pieces, &count), cases[i].rc,
			     "%s", cases[i].template);
	iq_arena_release(&arena);
}

/* What a style writes is told from what it does not: by writing text of all sorts and reading it again. */
Test(columns, tell_what_a_style_writes)
{
	static const char *const pieces[] = { "a",
					      "plain text of some length, ",
					      "\"",
					      "\\",
					      "/",
					      "<",
					      "&",
					      "\n",
					      "\t",
					      "\b",
					      "\f",
					      "\x01",
					      "\x7f",
					      "\xc3\xa9",
					      "\xff",
					      "\xe2\x80\xa8",
					      "\xe2\x82\xac",
					      "12" };
	struct iq_buf text = IQ_BUF_INIT, raw = IQ_BUF_INIT, again = IQ_BUF_INIT;
	unsigned random = 1;

	for (unsigned round = 0; round < 3000; round++) {
		const unsigned style = round % IQ_ESCAPE_STYLES;

		iq_buf_clear(&text);
		iq_buf_clear(&raw);
		for (unsigned i = 0; i < round % 13; i++) {
			random = random * 1103515245 + 12345;
			cr_assert_eq(iq_buf_append_cstr(&text,
							pieces[(random >> 16) % (sizeof(pieces) / sizeof(pieces[0]))]),
				     0);
		}
		cr_assert_eq(iq_escape_append(&raw, iq_buf_view(&text), style), 0);
		cr_expect_eq(iq_escape_written(iq_buf_view(&raw), style), text.len, "style %u: %s", style, text.data);
		for (unsigned other = 0; other < IQ_ESCAPE_STYLES; other++) {
			iq_buf_clear(&again);
			cr_assert_eq(iq_escape_append(&again, iq_buf_view(&text), other), 0);
			cr_expect_eq(iq_escape_written(iq_buf_view(&raw), other) == text.len,
				     iq_view_eq(iq_buf_view(&raw), iq_buf_view(&again)), "style %u as %u: %s", style,
				     other, raw.data);
		}
	}
	iq_buf_release(&text);
	iq_buf_release(&raw);
	iq_buf_release(&again);
}

Test(columns, know_where_a_parser_took_the_body_from)
{
	const struct iq_view raw = IQ_LIT("{\"log\":\"say \\\"hi\\\" \\u003cb\\u003e\\n\",\"x\":1}");
	struct iq_body_finder finder = { 0 };
	unsigned escape = 0;

	cr_expect(iq_body_know(&finder, raw, 8, 24, strlen("say \"hi\" <b>"), &escape));
	cr_expect_eq(escape, IQ_ESCAPE_HTML);
	cr_expect_not(iq_body_know(&finder, raw, 8, 24, strlen("say \"hi\" <b>") + 1, &escape), "another length");
	cr_expect_not(iq_body_know(&finder, raw, 9, 23, strlen("ay \"hi\" <b>"), &escape), "not at a quotation mark");
	cr_expect_not(iq_body_know(&finder, raw, raw.len, 5, 5, &escape), "behind the end");
	cr_expect_not(iq_body_know(&finder, raw, 8, raw.len, 5, &escape), "over the end");
}
