/* query/compile.h - from the documents of a spec to its lifecycles: what the files that do it share.
 *
 * Names become symbols as they come. All sets of symbols have room for IQ_SPEC_MAX_NAMES, so that a rule may be read
 * before the names of the rules behind it are known.
 */
#ifndef IQ_QUERY_COMPILE_H
#define IQ_QUERY_COMPILE_H

#include "query/nearest.h"
#include "query/order.h"
#include "query/spec.h"

struct iq_compiler {
	struct iq_spec *spec;
	struct iq_lifecycle *lifecycle;
	struct iq_error *error;
};

/* IQ_ERR_SPEC with the node's place in the lifecycle's file. */
#define IQ_FAIL(compiler, node, ...) iq_yaml_error((compiler)->error, (compiler)->lifecycle->file, (node), __VA_ARGS__)

/* ---- Keys of a mapping ---- */

/* `target` is what is being filled: another type for each table. */
struct iq_spec_key {
	const char *name;
	int (*parse)(struct iq_compiler *compiler, const struct iq_yaml *value, void *target);
};

/* Refuses keys that are not in the table, with the nearest spelling and all that there are, and hands the others to
 * their functions in the table's order. `owner` names what the keys belong to: `a lifecycle`. */
int iq_keys_read(struct iq_compiler *compiler, const struct iq_yaml *mapping, const struct iq_spec_key *keys,
		 size_t count, const char *owner, void *target);
/* The text of a scalar that is not empty, or IQ_ERR_SPEC saying what `node` should be. */
int iq_scalar_read(struct iq_compiler *compiler, const struct iq_yaml *node, const char *should,
		   struct iq_view *ret_text);

/* ---- Names ---- */

/* The symbol of a name; IQ_ERR_SPEC at `node` where there are too many. */
int iq_name_intern(struct iq_compiler *compiler, const struct iq_yaml *node, struct iq_view name, uint32_t *ret_symbol);
/* `a`, or `a | b | ...`: flags by symbol, in the spec's memory. */
int iq_names_read(struct iq_compiler *compiler, struct iq_lexer *lexer, bool **ret_set);
/* A lexer over a scalar's text, or a key's. */
struct iq_lexer iq_lexer_for(const struct iq_compiler *compiler, const struct iq_yaml *node, const char *what);

/* ---- Rules ---- */

/* What stands beside any rule. */
struct iq_rule_terms {
	int64_t limit_ns; /* 0: none was given */
	struct iq_view limit_text;
	enum iq_severity severity;
	struct iq_view message;
};

/* What a message calls the rule: as it was written, with its time. */
int iq_rule_text(struct iq_compiler *compiler, struct iq_view written, const struct iq_rule_terms *terms,
		 struct iq_view *ret_text);
/* A new rule of the lifecycle, or NULL when memory is out. Borrowed until the next one is added. */
struct iq_rule *iq_rule_add(struct iq_compiler *compiler, enum iq_rule_kind kind, const struct iq_yaml *place,
			    struct iq_view text, const struct iq_rule_terms *terms);
/* Makes it an automaton rule that sees no name yet. 0 or IQ_ERR_NOMEM. */
int iq_rule_begin(struct iq_compiler *compiler, struct iq_rule *rule);
/* Builds its automaton from rule->order, when the letters are known to `names`. */
int iq_rule_build(struct iq_compiler *compiler, struct iq_rule *rule, const struct iq_order_names *names);

int iq_rules_parse_order(struct iq_compiler *compiler, const struct iq_yaml *value, void *target);
/* In place of an order that is not written: iq_rules_finish() builds it. */
int iq_rules_add_free_order(struct iq_compiler *compiler, const struct iq_yaml *place);
int iq_rules_parse_within(struct iq_compiler *compiler, const struct iq_yaml *value, void *target);
int iq_rules_parse_idle(struct iq_compiler *compiler, const struct iq_yaml *value, void *target);
int iq_rules_parse_total(struct iq_compiler *compiler, const struct iq_yaml *value, void *target);
int iq_rules_parse_sequence(struct iq_compiler *compiler, const struct iq_yaml *value, void *target);
int iq_rules_parse_constraints(struct iq_compiler *compiler, const struct iq_yaml *value, void *target);
/* When all names are known: the order that was not written, and the letters of what no rule names. */
int iq_rules_finish(struct iq_compiler *compiler);

/* One constraint, `response(a, b)`, in the lexer's text. */
int iq_declare_parse(struct iq_compiler *compiler, struct iq_lexer *lexer, const struct iq_rule_terms *terms);

/* A document as lifecycle; its name is known already, and so are those of all others. */
int iq_lifecycle_compile(struct iq_compiler *compiler);
void iq_lifecycle_release(struct iq_lifecycle *lifecycle);

#endif
