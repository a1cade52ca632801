/* query/order.h - the `order` expression of a lifecycle: RELAX NG compact notation over names.
 *
 *	order: agent_started, (agent_thinking* & tool*), (agent_completed | agent_error)
 *
 * `,` then; `|` or; `&` both, interleaved; postfix ? * + {m,n}; parentheses; `()` nothing; 'quoted names'. Joining with
 * two of , | & on one level needs parentheses.
 */
#ifndef IQ_QUERY_ORDER_H
#define IQ_QUERY_ORDER_H

#include "query/automaton.h"
#include "query/lexer.h"

#define IQ_ORDER_MAX_DEPTH 50

enum iq_order_op {
	IQ_ORDER_SEQUENCE, /* `,`; without parts it is `()` */
	IQ_ORDER_CHOICE,
	IQ_ORDER_INTERLEAVE,
	IQ_ORDER_NAME,
	IQ_ORDER_COUNT /* of its one part, least to most times */
};

/* An expression as it was written. */
struct iq_expression {
	enum iq_order_op op;
	struct iq_view name;
	size_t pos; /* where it begins in the text */
	uint32_t least;
	uint32_t most; /* or IQ_REPEAT_UNBOUNDED */
	struct iq_expression *first;
	struct iq_expression *next; /* beside it, in the part of which it is one */
};

/* What a name is to the automaton that is being built. */
struct iq_order_letter {
	uint32_t letter;
	bool nested; /* a lifecycle: `letter` for its first event, the next one for its last */
};

/* Who knows the letters. */
struct iq_order_names {
	int (*find)(void *context, const struct iq_expression *name, struct iq_order_letter *ret_letter);
	void *context;
};

/* Parses the lexer's text to its end. The expression lies in `arena`, its names in the text.
 * Errors: IQ_ERR_SPEC at the place in the file. */
int iq_order_parse(struct iq_lexer *lexer, struct iq_arena *arena, const struct iq_expression **ret_order);
/* Builds the expression in `automaton`; `names` is asked for each name as it comes.
 *
 * Under * + {m,n} the instances of nested lifecycles may overlap one another: in `(C | D)*` any of them any other, in
 * `(a | C)*` those between two a. Nothing else overlaps.
 * Errors: IQ_ERR_NOMEM, IQ_ERR_LIMIT, and what `names` says. */
int iq_order_build(const struct iq_expression *order, struct iq_automaton *automaton,
		   const struct iq_order_names *names, iq_node *ret_node);

#endif
