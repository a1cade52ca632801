#include <stdlib.h>

#include "store/texts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_VALUES 4096u
/* What a hostile column may be made to print. */
#define MAX_PRINTED (8u << 20)

/* Templates and words are lines of the input itself: whatever stands between `<` and `>` is tried. */
static struct iq_view line_of(void *context, uint64_t index)
{
	struct iq_view rest = *(const struct iq_view *)context;

	for (uint64_t i = 0; rest.len > 0; i++) {
		const char *end = memchr(rest.data, '\n', rest.len);
		struct iq_view line = iq_view_make(rest.data, end ? (size_t)(end - rest.data) : rest.len);

		if (i == index)
			return line;
		rest = iq_view_from(rest, line.len + (end != NULL));
	}
	return IQ_VIEW_NULL;
}

static struct iq_known an_event(void)
{
	struct iq_known known = { .ts = INT64_C(1795403232418000001), .observed = -5, .seq = 7 };

	for (size_t i = 0; i < IQ_SLOT_COUNT; i++)
		known.texts[i] = IQ_LIT("a \"quoted\" <text>\xff\n");
	return known;
}

/* ---- Columns from anyone are refused, or read ---- */

static void read_some_ints(struct iq_codec *codec, struct iq_view bytes, struct iq_window window)
{
	struct iq_arena memory = IQ_ARENA_INIT;
	int64_t *given = iq_arena_calloc(&memory, window.count + 1, sizeof(*given)), *values;

	if (given)
		(void)iq_stream_take_some(codec, &bytes, window, given, &memory, &values);
	iq_arena_release(&memory);
}

static void read_some_texts(struct iq_codec *codec, struct iq_view bytes, struct iq_window window)
{
	struct iq_arena memory = IQ_ARENA_INIT;
	const struct iq_known known = an_event();
	const struct iq_shapes shapes = { .of = iq_arena_calloc(&memory, window.count + 1, sizeof(*shapes.of)) };
	const struct iq_texts_outside outside = { line_of, line_of, &bytes, &shapes };
	struct iq_buf scratch = IQ_BUF_INIT;
	struct iq_texts *texts;
	size_t printed = 0;

	if (shapes.of && iq_texts_open(codec, bytes, window, &memory, &outside, &texts) == 0)
		for (size_t i = 0; i < window.count && printed < MAX_PRINTED; i++) {
			struct iq_view text;

			iq_buf_clear(&scratch);
			if (!iq_texts_is_null(texts, i) && iq_texts_get(texts, i, &known, &scratch, &text) == 0)
				printed += text.len;
		}
	iq_buf_release(&scratch);
	iq_arena_release(&memory);
}

/* Some from the middle: what is before them is passed over. */
static struct iq_window middle_of(size_t count)
{
	return (struct iq_window){ count, count / 3, count / 5 };
}

static void read_ints(struct iq_codec *codec, struct iq_view bytes, size_t count)
{
	read_some_ints(codec, bytes, iq_window_whole(count));
	read_some_ints(codec, bytes, middle_of(count));
}

static void read_texts(struct iq_codec *codec, struct iq_view bytes, size_t count)
{
	read_some_texts(codec, bytes, iq_window_whole(count));
	read_some_texts(codec, bytes, middle_of(count));
}

/* ---- What is written is read again ---- */

static void round_trip_ints(struct iq_codec *codec, struct iq_view bytes, size_t count)
{
	struct iq_arena memory = IQ_ARENA_INIT;
	struct iq_buf out = IQ_BUF_INIT;
	int64_t *values = iq_arena_calloc(&memory, count + 1, sizeof(*values)), *found;
	struct iq_view rest;

	if (bytes.len / sizeof(*values) < count)
		count = bytes.len / sizeof(*values);
	if (count > 0)
		memcpy(values, bytes.data, count * sizeof(*values));
	if (iq_stream_append_ints(codec, values, count, &out) < 0)
		abort();
	rest = iq_buf_view(&out);
	if (iq_stream_take_ints(codec, &rest, count, NULL, &memory, &found) < 0 || rest.len > 0 ||
	    (count > 0 && memcmp(values, found, count * sizeof(*values)) != 0))
		abort();
	iq_buf_release(&out);
	iq_arena_release(&memory);
}

static void compare_texts(struct iq_codec *codec, const struct iq_view *values, size_t count, struct iq_arena *memory)
{
	struct iq_buf out = IQ_BUF_INIT, scratch = IQ_BUF_INIT;
	struct iq_texts *texts;

	if (iq_texts_append(codec, values, count, 0, &out) < 0 ||
	    iq_texts_open(codec, iq_buf_view(&out), iq_window_whole(count), memory, NULL, &texts) < 0)
		abort();
	for (size_t i = 0; i < count; i++) {
		struct iq_view text;

		iq_buf_clear(&scratch);
		if (iq_texts_get(texts, i, NULL, &scratch, &text) < 0 || !iq_view_eq(text, values[i]))
			abort();
	}
	iq_buf_release(&scratch);
	iq_buf_release(&out);
}

static void round_trip_texts(struct iq_codec *codec, struct iq_view bytes, size_t count)
{
	struct iq_arena memory = IQ_ARENA_INIT;
	struct iq_view *values = iq_arena_calloc(&memory, count + 1, sizeof(*values));
	size_t made = 0;

	while (values && made < count && bytes.len > 0) {
		const char *end = memchr(bytes.data, '\n', bytes.len);

		values[made] = iq_view_make(bytes.data, end ? (size_t)(end - bytes.data) : bytes.len);
		bytes = iq_view_from(bytes, values[made++].len + (end != NULL));
	}
	if (made > 0)
		compare_texts(codec, values, made, &memory);
	iq_arena_release(&memory);
}

/* A byte that says what is tried, two that say how many values, and what they are made of. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const tries[])(struct iq_codec * codec, struct iq_view bytes,
				     size_t count) = { read_ints, read_texts, round_trip_ints, round_trip_texts };
	static struct iq_codec *codec;

	if (!codec)
		codec = iq_codec_new(1);
	if (size >= 3 && codec)
		tries[data[0] % 4](codec, iq_view_make((const char *)data + 3, size - 3),
				   (data[1] + 256u * data[2]) % MAX_VALUES);
	return 0;
}
