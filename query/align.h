/* query/align.h - the cheapest repair of one instance: an optimal alignment of what was seen with an order.
 *
 * Insertions and drops cost 1 each, unless costs are given. Among the cheapest alignments the one is taken in which most drops have an
 * insertion of the same symbol elsewhere (an event out of order), and among those the one that keeps the earliest
 * events. After A. Adriansyah, "Aligning Observed and Modeled Behavior", 2014, with the moves on one symbol paired
 * afterwards.
 */
#ifndef IQ_QUERY_ALIGN_H
#define IQ_QUERY_ALIGN_H

#include "query/automaton.h"

/* Pairs of a position and a state that one alignment may look at; beyond them a finding is reported without its repair. */
#define IQ_ALIGN_MAX_CELLS (1u << 20)
/* Steps of the search among equally cheap alignments; when they are used up the best one so far is taken. */
#define IQ_ALIGN_MAX_STEPS 50000u

enum iq_edit_op { IQ_EDIT_INSERT, IQ_EDIT_DROP };

/* One repair. `position` is the index of the event that is dropped, or before which `symbol` is inserted (the number of
 * events for an insertion at the end). `partner` is the index of the edit on the same symbol that makes a move of the
 * two, or SIZE_MAX. */
struct iq_edit {
	enum iq_edit_op op;
	uint32_t symbol;
	size_t position;
	size_t partner;
};

/* The states of an automaton as alignments meet them. Caller owns; release with iq_aligner_free(). NULL when memory is
 * out. */
struct iq_aligner;
struct iq_aligner *iq_aligner_new(struct iq_automaton *automaton);
void iq_aligner_free(struct iq_aligner *aligner); /* NULL allowed */

struct iq_alignment_problem {
	struct iq_automaton *automaton;
	iq_states start;	 /* any of these may be the first state */
	const uint32_t *symbols; /* what was seen */
	size_t count;
	const uint8_t *dark; /* by position 0..count: events may be missing before it; NULL for nowhere */
	bool may_continue;   /* it need not have come to its end */
	/* By letter, and behind the last one for what no letter is; NULL: 1 each. */
	const uint32_t *insert_costs;
	const uint32_t *drop_costs;
	struct iq_aligner *aligner; /* what was found of the automaton before; NULL: nothing is kept */
};

/* Caller owns *ret_edits; release with free(). Edits are in order of their positions. IQ_ERR_LIMIT where the problem is
 * too large. */
int iq_align(const struct iq_alignment_problem *problem, struct iq_edit **ret_edits, size_t *ret_count);

#endif
