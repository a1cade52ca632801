/* query/order.h - the `order` expression of a lifecycle: RELAX NG compact notation over names.
 *
 *	order: agent_started, (agent_thinking* & tool*), (agent_completed | agent_error)
 *
 * `,` then; `|` or; `&` both, interleaved; postfix ? * + {m,n}; parentheses; `()` nothing; 'quoted names'. Joining with
 *two of , | & on one level needs parentheses.
 */
#ifndef IQ_QUERY_ORDER_H
#define IQ_QUERY_ORDER_H

#include "base/yaml.h"
#include "query/automaton.h"

#define IQ_ORDER_MAX_DEPTH 50

/* Parses `node`'s text into `automaton`. Names become symbols, numbered as they appear, kept in `names`.
 * Errors: IQ_ERR_SPEC at the place in the file; IQ_ERR_LIMIT. */
int iq_order_parse(const struct iq_yaml *node, const char *name, struct iq_automaton *automaton, struct iq_map *names,
		   iq_node *ret_node, struct iq_error *error);

#endif
