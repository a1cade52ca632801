/* query/spec.h - a lifecycle specification as the checker uses it.
 */
#ifndef IQ_QUERY_SPEC_H
#define IQ_QUERY_SPEC_H

#include "query/automaton.h"
#include "query/condition.h"
#include "query/query.h"

#define IQ_SPEC_MAX_LIFECYCLES 1000u
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
	uint64_t least;
	uint64_t most;
};

/* One lifecycle. Symbols number its names: those of `order` first, in the order they appear there, then what only
 * `final` names, then aliases that nothing names. */
struct iq_lifecycle {
	struct iq_view name;
	const struct iq_yaml *place;
	struct iq_condition *select; /* NULL: every event */
	struct iq_field key[IQ_SPEC_MAX_KEY_FIELDS];
	size_t key_count;
	struct iq_automaton *automaton;
	iq_states start;
	struct iq_map names;
	struct iq_alias *aliases;
	size_t alias_count;
	bool *is_final; /* by symbol */
	bool closed;
	bool ends_complete;
	struct iq_expected_count expect;
	uint32_t columns; /* that it reads */
	struct iq_lifecycle *next;
};

struct iq_spec {
	char *name;
	struct iq_arena memory;
	struct iq_lifecycle *first;
	size_t count;
	struct iq_spec *merged; /* specs whose lifecycles were taken over, with their memory */
};

/* Does `select` let the lifecycle read the event? 1, 0, or IQ_ERR_LIMIT. */
int iq_lifecycle_selects(const struct iq_lifecycle *lifecycle, const struct iq_event *event, struct iq_buf *scratch);
/* The symbol of a selected event, or IQ_SYMBOL_NONE; 0 or IQ_ERR_LIMIT. */
int iq_lifecycle_symbol(const struct iq_lifecycle *lifecycle, const struct iq_event *event, struct iq_buf *scratch,
			uint32_t *ret_symbol);
/* The symbol as a letter of the automaton. */
uint32_t iq_lifecycle_letter(const struct iq_lifecycle *lifecycle, uint32_t symbol);
/* The name that a symbol stands for. */
struct iq_view iq_lifecycle_name(const struct iq_lifecycle *lifecycle, uint32_t symbol);
/* Appends the instance key; false where the event lacks a part of it. */
bool iq_lifecycle_key(const struct iq_lifecycle *lifecycle, const struct iq_event *event, struct iq_buf *ret_key,
		      struct iq_buf *scratch);
/* Does the instance key lie in the body? */
bool iq_lifecycle_reads_body(const struct iq_lifecycle *lifecycle);

#endif
