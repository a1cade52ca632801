#include "collect.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

static void cover(struct collected *collected, uint64_t offset, uint64_t length)
{
	cr_assert(offset <= collected->bytes && length <= collected->bytes - offset,
		  "range %" PRIu64 "+%" PRIu64 " of %zu", offset, length, collected->bytes);
	memset(collected->covered + offset, 1, length);
	if (offset + length > collected->reached)
		collected->reached = offset + length;
}

static void field(struct iq_buf *buf, const char *name, struct iq_view value)
{
	if (!value.data)
		return;
	(void)iq_buf_appendf(buf, " %s=", name);
	(void)iq_json_append_string(buf, value);
}

static void time_field(struct iq_buf *buf, const char *name, int64_t ns)
{
	char text[IQ_RFC3339_SIZE];

	if (ns != IQ_TIME_NONE)
		(void)iq_buf_appendf(buf, " %s=%s", name, iq_time_format(ns, text));
}

static int take_event(void *context, const struct iq_event *event, struct iq_error *error)
{
	struct collected *collected = context;
	struct iq_buf *buf = &collected->lines;

	(void)error;
	collected->events++;
	cover(collected, event->offset, event->length);
	if (event->offset + event->length <= collected->from)
		return 0;
	collected->straddled |= event->offset < collected->from;
	(void)iq_buf_appendf(buf, "event %" PRIu64 "+%" PRIu64 " %s", event->offset, event->length,
			     iq_kind_name(event->kind));
	time_field(buf, "ts", event->ts);
	time_field(buf, "observed", event->observed);
	field(buf, "source", event->source);
	field(buf, "session", event->session);
	(void)iq_buf_append_cstr(buf, event->session_begins ? " begins" : "");
	(void)iq_buf_append_cstr(buf, event->session_ends ? " ends" : "");
	field(buf, "direction", iq_view_cstr(iq_direction_name(event->direction)));
	field(buf, "type", event->type);
	field(buf, "key", event->key);
	if (event->seq != IQ_NUMBER_NONE)
		(void)iq_buf_appendf(buf, " seq=%" PRId64, event->seq);
	field(buf, "severity", iq_view_cstr(iq_severity_name(event->severity)));
	field(buf, event->body_is_binary ? "binary" : "body", event->body);
	field(buf, "attrs", event->attrs);
	cr_assert(!event->attrs.data || iq_json_valid(event->attrs), "%.*s", IQ_VIEW_ARG(event->attrs));
	return iq_buf_append_char(buf, '\n');
}

static int take_gap(void *context, const struct iq_gap *gap, struct iq_error *error)
{
	struct collected *collected = context;
	struct iq_buf *buf = &collected->lines;
	char time[IQ_RFC3339_SIZE];

	(void)error;
	collected->gaps++;
	cover(collected, gap->offset, gap->bytes);
	if (gap->offset + gap->bytes <= collected->from)
		return 0;
	(void)iq_buf_appendf(buf, "gap %" PRIu64 "+%" PRIu64, gap->offset, gap->bytes);
	field(buf, "source", gap->source);
	field(buf, "session", gap->session);
	field(buf, "reason", gap->reason);
	if (gap->ts_min != IQ_TIME_NONE)
		(void)iq_buf_appendf(buf, " ts_min=%s", iq_time_format(gap->ts_min, time));
	if (gap->ts_max != IQ_TIME_NONE)
		(void)iq_buf_appendf(buf, " ts_max=%s", iq_time_format(gap->ts_max, time));
	if (gap->count != IQ_NUMBER_NONE)
		(void)iq_buf_appendf(buf, " count=%" PRId64, gap->count);
	return iq_buf_append_char(buf, '\n');
}

static void take_problem(void *context, const char *text)
{
	struct collected *collected = context;

	(void)iq_buf_appendf(&collected->problems, "%s\n", text);
}

static size_t piece(enum feeding feeding, unsigned *seed, size_t left)
{
	size_t size = feeding == FEED_WHOLE ? left : feeding == FEED_BYTES ? 1 : 1 + (size_t)rand_r(seed) % 100;

	return size < left ? size : left;
}

/* Times without a year are of 2026, or of 2025 if they are later than November. */
#define NEWEST (INT64_C(1795500000) * IQ_NS_PER_S)

static struct iq_parser_options options_for(struct collected *collected, size_t max_line)
{
	return (struct iq_parser_options){ .path = IQ_LIT("logs/file.log"),
					   .source = IQ_LIT("file"),
					   .max_line = max_line,
					   .newest = NEWEST,
					   .problem = take_problem,
					   .context = collected };
}

struct collected collect(const char *format_name, struct iq_view text, enum feeding feeding, unsigned seed,
			 size_t max_line)
{
	struct collected collected = { .covered = calloc(1, text.len + 1), .bytes = text.len };
	const struct iq_format *format = iq_format_by_name(iq_view_cstr(format_name));
	const struct iq_sink sink = { take_event, take_gap, &collected };
	const struct iq_parser_options options = options_for(&collected, max_line);
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_describer *describer = iq_describer_new(NULL, NULL);
	struct iq_parser *parser = format->open(format, &options, iq_describer_begin(describer, &options, &sink));

	for (size_t at = 0; at < text.len;) {
		size_t size = piece(feeding, &seed, text.len - at);
		/* A copy of its own: reading beyond a piece, or keeping a view into it, is then seen. */
		char *bytes = memcpy(malloc(size), text.data + at, size);

		cr_assert_eq(format->feed(parser, iq_view_make(bytes, size), &error), 0, "%s", error.message);
		free(bytes);
		at += size;
	}
	cr_assert_eq(format->end(parser, &error), 0, "%s", error.message);
	format->close(parser);
	iq_describer_free(describer);
	return collected;
}

void collected_release(struct collected *collected)
{
	iq_buf_release(&collected->lines);
	iq_buf_release(&collected->problems);
	free(collected->covered);
}

size_t first_uncovered(const struct collected *collected)
{
	size_t i = 0;

	while (i < collected->bytes && collected->covered[i])
		i++;
	return i;
}

static const char *text_of(const struct iq_buf *buf)
{
	return buf->data ? buf->data : "";
}

static void check_same(const struct collected *whole, const char *format, struct iq_view text, enum feeding feeding,
		       unsigned seed, size_t max_line)
{
	struct collected other = collect(format, text, feeding, seed, max_line);

	cr_expect_str_eq(text_of(&other.lines), text_of(&whole->lines), "seed %u", seed);
	cr_expect_str_eq(text_of(&other.problems), text_of(&whole->problems), "seed %u", seed);
	collected_release(&other);
}

void check_all_feedings(const char *format, struct iq_view text, size_t max_line)
{
	struct collected whole = collect(format, text, FEED_WHOLE, 0, max_line);
	unsigned seed = (unsigned)time(NULL);

	cr_expect_eq(first_uncovered(&whole), text.len, "byte %zu of %zu is in no record and no gap",
		     first_uncovered(&whole), text.len);
	check_same(&whole, format, text, FEED_BYTES, 0, max_line);
	for (unsigned i = 0; i < (text.len < 256 ? 100 : 8); i++)
		check_same(&whole, format, text, FEED_RANDOM, seed + i, max_line);
	collected_release(&whole);
}

/* Feeds `text`, of which `from` on is new, to a parser; without `ends` it is settled, as a file that may grow. */
static void run(const struct iq_format *format, struct iq_view text, struct iq_restart from, bool ends,
		struct collected *collected, struct iq_restart *ret_restart)
{
	const struct iq_sink sink = { take_event, take_gap, collected };
	struct iq_parser_options options = options_for(collected, IQ_INGEST_MAX_LINE);
	struct iq_parser *parser;

	options.from = from;
	parser = format->open(format, &options, &sink);
	cr_assert_eq(format->feed(parser, iq_view_from(text, from.offset), NULL), 0);
	if (ends)
		cr_assert_eq(format->end(parser, NULL), 0);
	else if (format->settle)
		cr_assert_eq(format->settle(parser, NULL), 0);
	*ret_restart = format->restart(parser);
	format->close(parser);
}

void check_taken_up(const char *format_name, struct iq_view text, size_t at, bool joins)
{
	const struct iq_format *format = iq_format_by_name(iq_view_cstr(format_name));
	struct collected first = { .covered = calloc(1, text.len + 1), .bytes = text.len };
	struct collected second = first, whole = first;
	struct iq_restart restart = { 0, 0 }, ignored;

	second.covered = calloc(1, text.len + 1);
	whole.covered = calloc(1, text.len + 1);
	run(format, iq_view_make(text.data, at), restart, false, &first, &restart);
	second.from = whole.from = first.reached;
	run(format, text, restart, true, &second, &ignored);
	run(format, text, (struct iq_restart){ 0, 0 }, true, &whole, &ignored);
	if (!joins || !whole.straddled || first.reached != at)
		cr_expect_str_eq(text_of(&second.lines), text_of(&whole.lines), "%s taken up at %zu, from %" PRIu64,
				 format_name, at, restart.offset);
	collected_release(&first);
	collected_release(&second);
	collected_release(&whole);
}
