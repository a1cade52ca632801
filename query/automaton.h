/* query/automaton.h - regular expressions with interleaving and counts over small alphabets, as deterministic automata
 * that are built while they are used.
 *
 * Expressions are hash-consed: equal expressions are the same node, so a node is a state. The successor of a state is
 * the Brzozowski derivative of its expression (J. Brzozowski, "Derivatives of Regular Expressions", 1964; interleaving
 * as in M. Sulzmann and P. Thiemann, "Derivatives for Regular Shuffle Expressions", 2015). The empty language is the
 * dead state; no other node denotes it.
 *
 * What is not known, because the beginning or the middle was not recorded, is a set of states. Sets are hash-consed as
 * well, so following an instance costs one table look-up an event, however much is unknown about it.
 */
#ifndef IQ_QUERY_AUTOMATON_H
#define IQ_QUERY_AUTOMATON_H

#include "base/base.h"

/* More expressions or sets than this make IQ_ERR_LIMIT. */
#define IQ_AUTOMATON_MAX_NODES 100000u
#define IQ_AUTOMATON_MAX_SETS 20000u
/* States that one set may hold. Where any number of repetitions may overlap there is no end of states, and what may have
 * happened in the dark cannot be listed: IQ_ERR_LIMIT, for the caller to say that nothing is known. */
#define IQ_AUTOMATON_MAX_MEMBERS 4096u
/* Names that one order may use. */
#define IQ_AUTOMATON_MAX_SYMBOLS 256u
/* The largest count in {m,n}; no upper bound is IQ_REPEAT_UNBOUNDED. */
#define IQ_REPEAT_MAX 100000u
#define IQ_REPEAT_UNBOUNDED UINT32_MAX

typedef uint32_t iq_node;   /* an expression */
typedef uint32_t iq_states; /* a set of states */

#define IQ_NODE_DEAD 0u	 /* no sequence at all */
#define IQ_NODE_EMPTY 1u /* the empty sequence */

struct iq_automaton;

/* Caller owns; release with iq_automaton_free(). NULL when memory is out. */
struct iq_automaton *iq_automaton_new(void);
void iq_automaton_free(struct iq_automaton *automaton);

/* Building expressions. Each returns 0, IQ_ERR_NOMEM or IQ_ERR_LIMIT. */
int iq_node_symbol(struct iq_automaton *automaton, uint32_t symbol, iq_node *ret_node);
int iq_node_sequence(struct iq_automaton *automaton, iq_node first, iq_node second, iq_node *ret_node);
int iq_node_choice(struct iq_automaton *automaton, iq_node a, iq_node b, iq_node *ret_node);
int iq_node_interleave(struct iq_automaton *automaton, iq_node a, iq_node b, iq_node *ret_node);
/* `least` to `most` times in a row. */
int iq_node_repeat(struct iq_automaton *automaton, iq_node node, uint32_t least, uint32_t most, iq_node *ret_node);
/* `least` to `most` times, each free to begin before others have ended: `a, b` overlapped with itself takes `a a b b`. */
int iq_node_overlap(struct iq_automaton *automaton, iq_node node, uint32_t least, uint32_t most, iq_node *ret_node);

/* To be called once, when the expression is complete. */
void iq_automaton_begin(struct iq_automaton *automaton, iq_node start, uint32_t symbol_count);
/* Where the order accepts after this symbol, nothing may follow; to be called before sets are made. The symbol that is
 * `symbol_count` ends a sequence anywhere. */
void iq_automaton_end_at(struct iq_automaton *automaton, uint32_t symbol);
/* What was said below of sequences that follow one another does not hold: a rule of a whole instance is no order of
 * several. To be called before sets are made. */
void iq_automaton_once(struct iq_automaton *automaton);
iq_node iq_automaton_start(const struct iq_automaton *automaton);
uint32_t iq_automaton_symbols(const struct iq_automaton *automaton);

/* How often the symbol can occur in one sequence of the order; IQ_REPEAT_UNBOUNDED for any number. */
uint32_t iq_automaton_most(const struct iq_automaton *automaton, uint32_t symbol);

/* States. */
bool iq_node_accepts(const struct iq_automaton *automaton, iq_node state);
int iq_node_step(struct iq_automaton *automaton, iq_node state, uint32_t symbol, iq_node *ret_state);

/* Sets of states; the dead state may be a member. Sequences follow one another: the state that has taken a whole one and
 * can take nothing more (IQ_NODE_EMPTY) goes on as the start does. Beyond the order's symbols there are two letters:
 * IQ_LETTER_FINAL() ends what is alive, IQ_LETTER_FOREIGN() nothing can take. */
#define IQ_LETTER_FINAL(automaton) iq_automaton_symbols(automaton)
#define IQ_LETTER_FOREIGN(automaton) (iq_automaton_symbols(automaton) + 1)
int iq_states_single(struct iq_automaton *automaton, iq_node state, iq_states *ret_states);
int iq_states_step(struct iq_automaton *automaton, iq_states states, uint32_t symbol, iq_states *ret_states);
bool iq_states_has(const struct iq_automaton *automaton, iq_states states, iq_node state);
/* What is in one of the two. */
int iq_states_union(struct iq_automaton *automaton, iq_states a, iq_states b, iq_states *ret_states);
/* After any number of unknown events, or after up to `count` where it is not negative: some of those may belong to
 * something else. An unknown event changes nothing for what has ended, unless it begins another sequence. */
int iq_states_blur(struct iq_automaton *automaton, iq_states states, int64_t count, iq_states *ret_states);
const iq_node *iq_states_members(const struct iq_automaton *automaton, iq_states states, size_t *ret_count);

/* What may be said of a set. */
struct iq_states_facts {
	bool any_alive; /* some member is not dead */
	bool all_alive;
	bool any_accepts;
	bool all_accept;
	bool complete; /* some member is alive, and none of those can take another symbol */
};
int iq_states_facts(struct iq_automaton *automaton, iq_states states, struct iq_states_facts *ret_facts);

/* ---- The table of steps ---- */

#define IQ_STATES_UNKNOWN UINT32_MAX
#define IQ_MARK_JUDGED 1u
#define IQ_MARK_ON 2u /* some member is alive, and the order can go on */

/* What is known of sets so far, for loops that take many letters without a call each. What is unknown is asked of iq_states_step()
 * and iq_states_facts(), which grow the table. */
struct iq_steps {
	iq_states *to;	  /* by set and letter; IQ_STATES_UNKNOWN until taken */
	uint8_t *marks;	  /* by set; 0 until judged */
	uint32_t letters; /* IQ_LETTER_FINAL() and IQ_LETTER_FOREIGN() included */
};

/* Borrowed until the automaton is freed; what it holds, until a step that is unknown is taken. */
const struct iq_steps *iq_automaton_steps(const struct iq_automaton *automaton);

static inline iq_states iq_steps_next(const struct iq_steps *steps, iq_states states, uint32_t letter)
{
	return steps->to[(size_t)states * steps->letters + letter];
}

#endif
