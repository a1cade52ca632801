/* query/mine.h - an order expression from sequences that it shall accept: process discovery.
 *
 *	struct iq_mine mine;
 *	iq_mine_init(&mine);
 *	iq_mine_add(&mine, symbols, count);		each sequence; equal ones are kept once
 *	iq_mine_order(&mine, names, name_count, &text);	"a, (b | c)*, d?"
 *	iq_mine_release(&mine);
 *
 * The inductive miner (S. Leemans, D. Fahland, W. van der Aalst, "Discovering Block-Structured Process Models from Event
 * Logs", 2013): what directly follows what is a graph; it is cut into a choice, a sequence, an interleaving or a loop, the
 * sequences are split by the cut, and each part is mined alone. Where there is no cut, the sequences are split where an end is
 * followed by a start, then by a name that occurs once in each, at last anything may follow anything. What comes out accepts
 * every sequence that was given, and names nothing twice but in loops. One thread at a time.
 */
#ifndef IQ_QUERY_MINE_H
#define IQ_QUERY_MINE_H

#include "base/base.h"

/* Names that one expression may have; more make IQ_ERR_LIMIT. */
#define IQ_MINE_MAX_NAMES 128u
/* More parts than this are not interleaved: each doubles the states. */
#define IQ_MINE_MAX_INTERLEAVED 6u

struct iq_mine_trace {
	const uint32_t *symbols;
	size_t count;
};

struct iq_mine_name {
	struct iq_view text;
	bool any_number; /* wherever it may stand, it may stand any number of times, or not at all */
};

struct iq_mine {
	struct iq_map known;
	struct iq_arena memory;
	struct iq_mine_trace *traces;
	size_t count;
	size_t capacity;
	const struct iq_mine_name *names; /* while an expression is made */
};

void iq_mine_init(struct iq_mine *mine);
void iq_mine_release(struct iq_mine *mine);
/* 0, or IQ_ERR_NOMEM. */
int iq_mine_add(struct iq_mine *mine, const uint32_t *symbols, size_t count);
/* Appends the expression; symbol 0 is called names[0]. 0, IQ_ERR_LIMIT, IQ_ERR_NOMEM. */
int iq_mine_order(struct iq_mine *mine, const struct iq_mine_name *names, size_t name_count, struct iq_buf *out);

/* Appends a name as an order writes it: in quotes where that is needed. False where it cannot be written. */
bool iq_order_append_name(struct iq_buf *out, struct iq_view name);

#endif
