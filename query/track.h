/* query/track.h - one instance while the checker follows it.
 *
 * A track holds where its rules stand, not its events: what it takes does not grow with what was seen. When an instance
 * has to be explained the store is read again, and its track is given a trace then.
 */
#ifndef IQ_QUERY_TRACK_H
#define IQ_QUERY_TRACK_H

#include "query/spec.h"

/* A small set of numbers, in order of appearance. Zeroed: empty. Release with iq_numbers_release(). Most have one member, which takes
 * no memory of its own: `bits` is twice the number and one then, else a struct iq_number_list. */
struct iq_numbers {
	uintptr_t bits;
};

struct iq_number_list {
	uint32_t count;
	uint32_t capacity;
	uint32_t items[];
};

static inline bool iq_numbers_is_one(const struct iq_numbers *numbers)
{
	return numbers->bits & 1;
}

static inline const struct iq_number_list *iq_numbers_list(const struct iq_numbers *numbers)
{
	return (const struct iq_number_list *)numbers->bits;
}

static inline uint32_t iq_numbers_count(const struct iq_numbers *numbers)
{
	return iq_numbers_is_one(numbers) ? 1 : numbers->bits ? iq_numbers_list(numbers)->count : 0;
}

static inline uint32_t iq_numbers_at(const struct iq_numbers *numbers, size_t index)
{
	return iq_numbers_is_one(numbers) ? (uint32_t)(numbers->bits >> 1) : iq_numbers_list(numbers)->items[index];
}

/* 0 or IQ_ERR_NOMEM. */
int iq_numbers_add_new(struct iq_numbers *numbers, uint32_t number);

/* The same, quick for the one number that most sets have. */
static inline int iq_numbers_add(struct iq_numbers *numbers, uint32_t number)
{
	return numbers->bits == ((uintptr_t)number << 1 | 1) ? 0 : iq_numbers_add_new(numbers, number);
}
bool iq_numbers_has(const struct iq_numbers *numbers, uint32_t number);
void iq_numbers_release(struct iq_numbers *numbers);

/* How far it came in one evidence. */
struct iq_reach {
	uint32_t evidence;
	size_t next_gap; /* the first gap of that evidence that it has not met */
};

/* What gaps did to a track. */
struct iq_shade {
	const struct iq_gap *gap;  /* the first one that touched it */
	const struct iq_gap *held; /* came after its sessions had ended: counts if it goes on in another one */
	int64_t held_lost;
	int64_t lost;		  /* events that may have been in the dark since its last event, or -1: not known */
	struct iq_reach *reaches; /* one an evidence */
	size_t reach_count;
};

/* Where a rule stands that is no automaton. */
struct iq_watch {
	uint64_t from_id; /* WITHIN: what waits for an answer; SEQUENCE: the event before */
	int64_t from;	  /* its time; SEQUENCE: the last number */
	int64_t to;	  /* WITHIN: when the last answer came */
	uint32_t from_source;
	uint32_t to_source;
	uint32_t count;	 /* of answers so far */
	uint8_t verdict; /* enum iq_verdict of what was seen so far; UNDETERMINED where the dark could explain it */
	bool waits : 1;	 /* WITHIN: `from` waits; SEQUENCE: `from` is known */
	bool answered : 1;
	bool dark : 1;	/* a gap touched it since */
	bool fresh : 1; /* SEQUENCE: numbering has just begun anew */
};

/* Which end of a nested instance a step of its parent stands for; WHOLE for an event of its own. */
enum iq_part { IQ_PART_WHOLE, IQ_PART_BEGIN, IQ_PART_END };

/* One step of a trace. */
struct iq_stride {
	uint64_t id;
	int64_t ts; /* aligned */
	uint32_t symbol;
	uint32_t source;
	uint32_t stream;
	uint8_t part;
	bool dark; /* events may be missing before it */
};

/* A broken rule other than an order. */
struct iq_breach {
	const struct iq_rule *rule;
	enum iq_finding_kind kind;
	uint64_t after; /* event ids, 0 for none */
	uint64_t moved;
	int64_t value; /* ns too late; SEQUENCE: the number that came */
	int64_t expected;
};

struct iq_trace {
	struct iq_stride *strides; /* one more than `count`: the place behind the last may be dark */
	size_t count;
	size_t capacity;
	struct iq_breach *breaches;
	size_t breach_count;
	size_t breach_capacity;
	size_t final_at;   /* place of the `final` event that ended it, or SIZE_MAX */
	iq_states start[]; /* by place of an automaton rule: before its first event */
};

/* Nothing is known of the rule any more: a limit was reached. */
#define IQ_STATES_LOST UINT32_MAX

struct iq_track {
	struct iq_track *parent;   /* NULL unless its lifecycle is nested */
	struct iq_track *children; /* that have not ended yet, the newest first */
	struct iq_track *sibling;  /* the next one of its parent's children */
	struct iq_shade *shade;	   /* NULL while no gap had to do with it */
	struct iq_trace *trace;	   /* only while the store is read again */
	uint64_t first_id;
	uint64_t last_id;
	int64_t first_ts; /* aligned, or IQ_TIME_NONE */
	int64_t last_ts;
	struct iq_numbers sessions;
	struct iq_numbers sources; /* numbers of the store's sources, 0 for none */
	uint32_t key;		   /* number of its key */
	uint32_t number;	   /* of its follower's tracks */
	uint32_t count;		   /* of events */
	uint32_t symbol;	   /* of its lifecycle in the parent's */
	uint32_t stream;	   /* of its last event */
	uint32_t last_source;
	uint32_t stretch;   /* that its last event was in */
	uint8_t directions; /* bit per enum iq_direction */
	bool over : 1;	    /* its order can take nothing more, or a `final` event came */
	bool cancelled : 1; /* a `final` event came */
	bool malformed : 1; /* holds events whose bodies cannot be parsed, of one session */
	bool start_unseen : 1;
	bool dark : 1;	    /* a gap touched it since its last event */
	bool dim : 1;	    /* a gap touched it, or its beginning was not seen */
	bool renewed : 1;   /* it may have been complete in the dark, and another one have begun */
	bool ended : 1;	    /* its parent was told of its end */
	bool edge : 1;	    /* one before it or behind it is closer than their clocks can tell */
	bool unsure : 1;    /* two of its streams are closer than their clocks can tell */
	bool loose : 1;	    /* some of its events lie in no session */
	bool faulty : 1;    /* an event came that its order could not take */
	iq_states states[]; /* now, one an automaton rule; behind them lie its watches */
};

/* The place of the first watch of a track. */
static inline size_t iq_track_watches_at(size_t automata)
{
	const size_t end = offsetof(struct iq_track, states) + automata * sizeof(iq_states);

	return (end + _Alignof(struct iq_watch) - 1) / _Alignof(struct iq_watch) * _Alignof(struct iq_watch);
}

/* Memory for the next tracks of a lifecycle. Zeroed: none. It lies in the arena. */
struct iq_track_room {
	char *next;
	size_t left; /* of tracks */
};

/* `automata` and `watches`: how many rules of each sort, always the same for one room. NULL when memory is out. */
struct iq_track *iq_track_new(struct iq_arena *arena, struct iq_track_room *room, size_t automata, size_t watches);
/* That of its first event; 0 for none. */
uint32_t iq_track_source(const struct iq_track *track);
/* Gives it a trace. 0 or IQ_ERR_NOMEM. */
int iq_track_record(struct iq_track *track, size_t automata);
/* The shade, made where there is none; NULL when memory is out. */
struct iq_shade *iq_track_shade(struct iq_track *track);
/* The evidence's reach, or NULL. Borrowed until one is added. */
struct iq_reach *iq_track_reach(const struct iq_track *track, uint32_t evidence);
/* 0 or IQ_ERR_NOMEM. */
int iq_track_add_reach(struct iq_track *track, uint32_t evidence, size_t next_gap);
/* Adds a step to its trace. 0 or IQ_ERR_NOMEM. */
int iq_trace_add(struct iq_trace *trace, const struct iq_stride *stride);
/* Does nothing where there is no trace. */
int iq_trace_breach(struct iq_trace *trace, const struct iq_breach *breach);
/* What lies outside the arena. */
void iq_track_release(struct iq_track *track);

#endif
