/* query/diff.h - what two recordings are made of, in a form in which they can be compared. Private to query/; the door is iq_diff().
 *
 * A *case* is an instance of a lifecycle, or a session where there is no spec; its *steps* are the names of its events; a *transition* is a
 * step and the next one of the same case; a *signal* is anything else that is worth counting: a log template, what happened to a
 * container, a close code, a status. Both sides number them alike. One thread at a time.
 */
#ifndef IQ_QUERY_DIFF_H
#define IQ_QUERY_DIFF_H

#include "query/query.h"
#include "query/stats.h"

#define IQ_DIFF_EXAMPLES 3u
/* Beyond these, what comes later is not counted; of durations every second one is kept then, every fourth, ... */
#define IQ_DIFF_MAX_CASES (1u << 20)
#define IQ_DIFF_MAX_SIGNALS (1u << 14)
#define IQ_DIFF_MAX_TRANSITIONS (1u << 14)
#define IQ_DIFF_MAX_STEPS 256u /* of one lifecycle */
#define IQ_DIFF_MAX_IDS (1u << 20)
#define IQ_DIFF_DURATIONS 4096u
/* A template is no longer. */
#define IQ_DIFF_MAX_TEMPLATE 160u

struct iq_diff_example {
	uint64_t event;
	uint32_t session;
};

struct iq_diff_examples {
	struct iq_diff_example items[IQ_DIFF_EXAMPLES];
	size_t count;
};

struct iq_diff_case {
	uint32_t lifecycle;
	uint32_t session; /* of its last event */
	uint64_t events;
	uint64_t last_event;
	uint32_t last_step;
	int64_t last_ts;
	int64_t first_ts;
	bool left_open; /* the capture ended before its session did */
	uint64_t reached[IQ_DIFF_MAX_STEPS / 64];
};

struct iq_diff_durations {
	int64_t *items;
	size_t count;
	uint64_t seen;
	uint64_t stride;
	int64_t slowest;
	struct iq_diff_example example; /* of the slowest: the event that ends it */
};

struct iq_diff_tally {
	uint64_t events;
	uint64_t sessions;
	uint64_t failing; /* of these */
	struct iq_diff_examples examples;
};

/* One store. */
struct iq_diff_side {
	struct iq_store *store;
	struct iq_map known_cases;
	struct iq_diff_case *cases;
	size_t case_count;
	size_t case_capacity;
	struct iq_diff_durations *durations; /* by transition */
	size_t duration_capacity;
	struct iq_diff_tally *tallies; /* by signal */
	size_t tally_capacity;
	struct iq_map ids;    /* words of messages that may be ids -> session, 0 where it is not one */
	struct iq_map places; /* signal and session, each once */
	bool *failing;	      /* by session */
	uint32_t sessions;    /* the largest number, and one */
	uint64_t session_count;
	uint64_t failing_count;
	uint64_t events;
	bool limited;
};

enum iq_signal_class {
	IQ_SIGNAL_LOG,
	IQ_SIGNAL_CONTAINER,
	IQ_SIGNAL_CLOSE,
	IQ_SIGNAL_NET,
	IQ_SIGNAL_HTTP,
	IQ_SIGNAL_PROBE,
	IQ_SIGNAL_TYPE
};

struct iq_diff_signal {
	enum iq_signal_class class;
	enum iq_severity severity; /* the worst it came with */
	bool bad;		   /* whatever its severity */
};

struct iq_diff_step {
	uint32_t lifecycle;
	uint32_t bit;
};

/* A step that comes directly before another one of the same case; the whole of a case is (IQ_DIFF_WHOLE, lifecycle). */
struct iq_diff_transition {
	uint32_t from;
	uint32_t to;
};
#define IQ_DIFF_WHOLE UINT32_MAX

enum iq_change_kind { IQ_CHANGE_STEP, IQ_CHANGE_TRANSITION, IQ_CHANGE_SIGNAL, IQ_CHANGE_FAILING, IQ_CHANGE_KINDS };

struct iq_change {
	enum iq_change_kind kind;
	struct iq_view text;
	const char *how;  /* `less`, `more`, `slower`, `faster`, `new`, `gone` */
	uint64_t hits[2]; /* of base and incident; of failing and other sessions */
	uint64_t all[2];
	uint64_t events[2];
	struct iq_rank_test ranks;
	double p;
	double q; /* corrected for the comparisons of its kind */
	bool certain;
	bool worse;
	struct iq_diff_examples examples;
};

struct iq_diff {
	struct iq_arena memory;
	const struct iq_spec *spec;
	struct iq_map lifecycles; /* names */
	struct iq_map steps;	  /* lifecycle and name */
	struct iq_diff_step *step_facts;
	size_t step_capacity;
	uint32_t *step_counts; /* by lifecycle */
	size_t lifecycle_capacity;
	struct iq_map transitions;
	struct iq_map signals; /* class and text */
	struct iq_diff_signal *signal_facts;
	size_t signal_capacity;
	struct iq_diff_side sides[2];
	struct iq_buf key;
	struct iq_buf text;
	struct iq_buf scratch;
	struct iq_change *changes;
	size_t change_count;
	size_t change_capacity;
};

/* Reads one side. */
int iq_diff_read(struct iq_diff *diff, struct iq_diff_side *side, struct iq_store *store, struct iq_error *error);
/* Of one step: how many cases of its lifecycle reached it, and how many there are; those that the capture left open do not count. */
void iq_diff_count_cases(const struct iq_diff_side *side, const struct iq_diff_step *step, uint64_t *ret_hits,
			 uint64_t *ret_all);
/* Finds what changed, by kind, the most certain first. 0 or IQ_ERR_NOMEM. */
int iq_diff_compare(struct iq_diff *diff);
/* What alike lines have in common: words with digits become `#`, of JSON the names and what its event, level and message say. */
int iq_diff_template(struct iq_view text, struct iq_buf *ret_template);

/* The name behind the four bytes of its class or lifecycle. */
struct iq_view iq_diff_name(const struct iq_map *map, size_t index);

#endif
