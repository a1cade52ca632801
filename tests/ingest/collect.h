/* tests/ingest/collect.h - runs a parser over a text and writes down everything it gives, one line each, for
 * comparison.
 */
#ifndef IQ_TESTS_INGEST_COLLECT_H
#define IQ_TESTS_INGEST_COLLECT_H

#include "ingest/ingest.h"

/* How the text is cut into pieces on its way into the parser. */
enum feeding { FEED_WHOLE, FEED_BYTES, FEED_RANDOM };

struct collected {
	struct iq_buf lines;	/* `event 0+12 ts=... kind=... ...` and `gap 12+3 reason=...` in order */
	struct iq_buf problems; /* one a line */
	size_t events;
	size_t gaps;
	uint8_t *covered; /* a flag for each byte of the text */
	size_t bytes;
	uint64_t from;	  /* what ends before this is not written down */
	uint64_t reached; /* the largest end of what was given */
	bool straddled;	  /* an event began before `from` and ended behind it */
};

/* Parses `text` as `format`. `seed` is for FEED_RANDOM. Caller owns; release with collected_release(). */
struct collected collect(const char *format, struct iq_view text, enum feeding feeding, unsigned seed, size_t max_line);
void collected_release(struct collected *collected);
/* The first byte that neither an event nor a gap covers; the size of the text if there is none. */
size_t first_uncovered(const struct collected *collected);
/* Fails the test unless all ways of feeding give the same and every byte is covered. */
void check_all_feedings(const char *format, struct iq_view text, size_t max_line);

/* Fails the test unless a parser that takes the text up where one that was fed its first `at` bytes can be left gives, from what
 * that one gave on, what one parser gives of it all. With `joins`, an event that began before `at` and ended there for the first
 * parser may go on: see docs/design/0003-ingest-goes-on.md. */
void check_taken_up(const char *format, struct iq_view text, size_t at, bool joins);

#endif
