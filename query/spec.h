/* query/spec.h - a lifecycle specification as the checker uses it.
 */
#ifndef IQ_QUERY_SPEC_H
#define IQ_QUERY_SPEC_H

#include "query/automaton.h"
#include "query/condition.h"
#include "query/order.h"
#include "query/query.h"

/* Limits of a spec, each with an error that names it. */
#define IQ_SPEC_MAX_LIFECYCLES 1000u
#define IQ_SPEC_MAX_FILES 100u
#define IQ_SPEC_MAX_INCLUDE_DEPTH 16u
#define IQ_SPEC_MAX_NESTING 16u
#define IQ_SPEC_MAX_NAMES 256u /* in one lifecycle */
#define IQ_SPEC_MAX_COST 1000000u
#define IQ_SPEC_MAX_KEY_FIELDS 8u

/* No name of the lifecycle fits the event. */
#define IQ_SYMBOL_NONE UINT32_MAX
/* Set in what a track keeps of such an event; the other bits number its type in the checker's interner, or are all set.
 */
#define IQ_SYMBOL_UNNAMED 0x80000000u

struct iq_alias {
	struct iq_view name;
	struct iq_condition *condition;
	uint32_t symbol;
};

/* The instances that a lifecycle should have: `expect: { instances: 1.. }`. */
struct iq_expected_count {
	bool given;
	const struct iq_yaml *place;
	uint64_t least;
	uint64_t most;
};

enum iq_rule_kind {
	IQ_RULE_ORDER,	    /* an automaton */
	IQ_RULE_CONSTRAINT, /* an automaton */
	IQ_RULE_WITHIN,	    /* a deadline */
	IQ_RULE_IDLE,	    /* limit_ns between two events of the instance, before its end */
	IQ_RULE_TOTAL,	    /* limit_ns from its first event to its last */
	IQ_RULE_SEQUENCE
};

/* Where a deadline looks for one of `to`, from one of `from`. */
enum iq_within_side {
	IQ_WITHIN_AFTER,  /* not earlier than it */
	IQ_WITHIN_BEFORE, /* not later than it */
	IQ_WITHIN_AROUND  /* on either side */
};

/* A deadline: for every event of `from` there is one of `to` not more than limit_ns away. Sets are flags by symbol. */
struct iq_deadline {
	const bool *from; /* NULL: the first event of the instance */
	const bool *to;
	enum iq_within_side side;
	uint32_t count; /* the so manieth of `to`: 1 but for `existence(a, 3)` and its like */
	bool forbidden; /* there must be none instead */
	bool adjacent;	/* only the very next event that the lifecycle names is looked at */
};

/* `sequence`: numbers that go up by `step`, in each event or from `first` to `last` of it. */
struct iq_sequence {
	struct iq_field first;
	struct iq_field last;	  /* the same as `first` where one number is given */
	struct iq_field previous; /* .text NULL where not given: the last number of the event before */
	int64_t step;
	const bool *restart; /* by symbol: numbering begins anew with such an event; NULL for none */
};

/* What one part of a lifecycle demands.
 *
 * An automaton rule is a regular language over letters. Several symbols may share a letter (`a | x` in a constraint);
 * a nested lifecycle in `order` has two, letters[symbol] for its first event and letters[symbol] + 1 for its last. */
struct iq_rule {
	enum iq_rule_kind kind;
	struct iq_view text;  /* as written: `response(a, b)`, `a -> b: 30s`; NULL for an order that was not written */
	struct iq_view words; /* CONSTRAINT: as a sentence */
	const struct iq_yaml *place;
	enum iq_severity severity; /* below IQ_SEVERITY_ERROR: shown, and the verdict stays as it is */
	struct iq_view message;	   /* NULL: made from the finding */

	const struct iq_expression *expression; /* as it was written; NULL for an order that was not */
	struct iq_automaton *automaton;
	iq_states start;
	uint32_t *letters;     /* by symbol; IQ_SYMBOL_NONE: the rule does not see it */
	uint32_t *symbols;     /* by letter: the (first) symbol, or IQ_SYMBOL_NONE for "any other event" */
	uint32_t letter_count; /* those that the expression is over */
	uint32_t unnamed;      /* the letter of what the lifecycle does not name, or IQ_SYMBOL_NONE */
	uint32_t others;       /* the letter of names that are not in the rule, or IQ_SYMBOL_NONE */
	const bool *activates; /* by symbol; unless one of these was seen, it holds vacuously. NULL: never does */

	const struct iq_deadline *deadline; /* WITHIN */
	int64_t limit_ns;		    /* WITHIN, IDLE, TOTAL */
	const struct iq_sequence *sequence;
};

/* What a repair pays. */
struct iq_costs {
	uint32_t insert;
	uint32_t drop;
};

/* One lifecycle. Symbols number its names: those of `order` first, in the order they appear there, then those of its
 * other rules, then what only `final` names, then aliases that nothing names.
 * rules[0] is its order. Where none is written it takes any number of the names, in any order. */
struct iq_lifecycle {
	struct iq_view name;
	const char *file; /* for messages, with `place` */
	const struct iq_yaml *place;
	const struct iq_condition
		*select; /* NULL: every event; a nested one has that of its parent, unless it has its own */
	struct iq_field key[IQ_SPEC_MAX_KEY_FIELDS];
	size_t key_count;
	struct iq_field parent[IQ_SPEC_MAX_KEY_FIELDS]; /* where events of a nested one say the parent's key */
	size_t parent_count;				/* 0: in the fields that the parent itself has it in */
	struct iq_rule *rules;
	size_t rule_count;
	size_t rule_capacity;
	struct iq_map names;
	struct iq_lifecycle **children; /* by symbol: the nested lifecycle that it names, or NULL */
	bool nested;			/* some lifecycle of the spec names it: it is judged through those only */
	struct iq_alias *aliases;
	size_t alias_count;
	bool *is_final; /* by symbol */
	bool closed;
	bool unnamed_too; /* events that it does not name go to its instances as well: it is closed, or names nothing */
	bool ends_complete;
	struct iq_expected_count expect;
	struct iq_costs *costs; /* by symbol, and behind the last one for what it does not name; NULL: 1 each */
	uint32_t columns;	/* that it reads */
	struct iq_condition *own_select;
	struct iq_lifecycle *next;
};

struct iq_spec {
	char *name;
	struct iq_map files; /* that were included, by their canonical paths */
	struct iq_arena memory;
	struct iq_lifecycle *first;
	size_t count;
	struct iq_spec *merged; /* specs whose lifecycles were taken over, with their memory */
};

/* One without lifecycles, or NULL. Caller owns; release with iq_spec_free(). */
struct iq_spec *iq_spec_new(const char *name);
/* The lifecycle of this name, or NULL. */
struct iq_lifecycle *iq_spec_find(const struct iq_spec *spec, struct iq_view name);
/* Does the order of `parent` name `child`? */
bool iq_lifecycle_nests(const struct iq_lifecycle *parent, const struct iq_lifecycle *child);

/* Does `select` let the lifecycle read the event? 1, 0, or IQ_ERR_LIMIT. */
int iq_lifecycle_selects(const struct iq_lifecycle *lifecycle, const struct iq_event *event, struct iq_buf *scratch);
/* The symbol of a selected event, or IQ_SYMBOL_NONE; 0 or IQ_ERR_LIMIT. */
int iq_lifecycle_symbol(const struct iq_lifecycle *lifecycle, const struct iq_event *event, struct iq_buf *scratch,
			uint32_t *ret_symbol);
/* A symbol as a letter of one of its automata, or IQ_SYMBOL_NONE where that rule does not see it. */
uint32_t iq_rule_letter(const struct iq_rule *rule, uint32_t symbol);
/* The name that a symbol stands for. */
struct iq_view iq_lifecycle_name(const struct iq_lifecycle *lifecycle, uint32_t symbol);
/* Appends the instance key (see iq_key_append()); false where the event lacks a part of it. */
bool iq_lifecycle_key(const struct iq_lifecycle *lifecycle, const struct iq_event *event, struct iq_buf *ret_key,
		      struct iq_buf *scratch);
/* Does the instance key lie in the body? */
bool iq_lifecycle_reads_body(const struct iq_lifecycle *lifecycle);

#endif
