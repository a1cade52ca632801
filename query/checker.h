/* query/checker.h - what the parts of the checker share. Private to query/; the door is iq_check() in query/query.h.
 *
 * A pass takes the events of a store one by one and hands each to the followers (follow.c), one a lifecycle, which move
 * the tracks of their instances; gaps darken the tracks that they touch (darkness.c); rules that are no automata are
 * watched (watch.c). After the pass each track has a verdict (judge.c). Where a rule was broken the same pass is made once
 * more, now with traces of those instances, and what is wrong with them is explained (explain.c). check.c runs all that
 * and makes the result.
 */
#ifndef IQ_QUERY_CHECKER_H
#define IQ_QUERY_CHECKER_H

#include "query/keys.h"
#include "query/track.h"

/* What gaps have taken so far from a session or a source. */
struct iq_darkness {
	const struct iq_gap *gap; /* the last one */
	int64_t lost;		  /* events, or -1 where that is not known */
};

/* What is known of the clock of a source. */
struct iq_horizon {
	struct iq_view name;
	uint32_t clock;	 /* another source with the same clock, or itself */
	int64_t skew;	 /* ns to be added to its times */
	int64_t width;	 /* how far that may be wrong, either way; -1 where nobody has said */
	int64_t covered; /* aligned: until when it was recorded, or IQ_TIME_NONE */
};

/* What is not listed of the instances in a session. */
struct iq_unlisted {
	uint64_t instances;
	struct iq_view reason; /* of the first undetermined one, or NULL */
};

/* What an event of one kind, type, source, direction and severity is to a lifecycle. */
struct iq_class {
	uint64_t name; /* 0: free */
	uint32_t symbol;
	bool selected;
};
#define IQ_CLASSES 512u /* that a follower remembers */

/* What the checker knows of one lifecycle, where it stands: at the top, or nested in one that is. */
struct iq_follower {
	const struct iq_lifecycle *lifecycle;
	struct iq_follower *parent;	/* NULL at the top */
	const struct iq_follower *root; /* of its tree */
	struct iq_follower **children;	/* by symbol, or NULL */
	uint32_t symbol;		/* of its lifecycle in the parent's */
	size_t automata;		/* how many of its rules are automata; the others are watched */
	size_t watches;
	const size_t *places;	  /* by rule: which state or watch of a track is the rule's */
	struct iq_track **tracks; /* in order of their first events */
	size_t count;
	size_t capacity;
	struct iq_keys latest; /* with the number of the last track of each */
	struct iq_track_room room;
	uint32_t *by_session; /* the same where the key is the session alone: number + 1, by the session's; else NULL */
	size_t session_room;
	uint32_t condition_columns; /* that conditions read */
	uint32_t key_columns;	    /* that the key is made of, and what rules read */
	bool plain;		    /* conditions read nothing but what `classes` tells apart */
	struct iq_class *classes;
	struct iq_aligner **aligners; /* by place of an automaton rule */
	struct iq_track *last;	      /* the one that the event at hand was taken by */
	struct iq_map loose;	      /* nested: own key alone -> number of the last track that has it */
	uint64_t events;
	uint64_t no_key;
	uint64_t *seen;	       /* by symbol */
	bool *activated;       /* by rule */
	uint64_t *type_counts; /* by number of the checker's types: selected and not named here */
	size_t type_capacity;
	bool nests;	       /* some of its names are lifecycles */
	bool limited;	       /* a pattern took too long */
	struct iq_map reasons; /* why instances are undetermined, and how many of each are not listed */
};

struct iq_checker {
	struct iq_store *store;
	const struct iq_spec *spec;
	struct iq_error *error;
	struct iq_arena *memory;       /* of the result */
	struct iq_arena pass;	       /* of one pass */
	struct iq_arena judging;       /* of one judgement */
	bool failing_only;	       /* see iq_check_failing() */
	struct iq_unlisted *unlisted;  /* by index into sessions */
	struct iq_follower *followers; /* those of nested lifecycles behind their parents' */
	size_t follower_count;
	const struct iq_session *sessions;
	size_t session_count;
	uint64_t *session_ends;	     /* by index into sessions: the last ws.close or net.error */
	struct iq_map sources;	     /* name -> number */
	struct iq_horizon *horizons; /* by number of a source */
	size_t horizon_count;
	struct iq_map types;
	bool *named; /* by type: some lifecycle names it */
	size_t named_capacity;
	const struct iq_gap *gaps;
	size_t gap_count;
	struct iq_map gaps_after; /* event id -> index of its first gap; the others follow through next_gap */
	size_t *next_gap;
	const struct iq_gap **by_place; /* the gaps in the order of their evidence and the event after them */
	const struct iq_gap **by_after; /* the gaps in the order of the event before them */
	size_t next_after;		/* those before it have been met */
	uint64_t *cuts;			/* ascending: events before which a gap may have to be looked at */
	size_t next_cut;
	uint32_t stretch;   /* number of the events between two of those that are at hand, from 1 */
	struct iq_map dark; /* sessions and sources with a gap so far -> index into darkness */
	struct iq_darkness *darkness;
	bool merge; /* streams have to be merged by time: found out in the first pass */
	struct iq_buf key;
	struct iq_buf scratch;
	struct iq_map chosen;  /* (follower, first event) -> number of a track that is to be explained */
	bool *chosen_sessions; /* by number: where those were seen */
	size_t chosen_room;
	bool chosen_all;	/* some of them lie in no session */
	struct iq_map step_ids; /* events whose facts the result needs */
};

/* Where the track stands with a rule that is no automaton. */
static inline struct iq_watch *iq_follower_watch(const struct iq_follower *follower, const struct iq_track *track,
						 size_t rule)
{
	char *first = (char *)(uintptr_t)track + iq_track_watches_at(follower->automata);

	return (struct iq_watch *)(void *)first + follower->places[rule];
}

int iq_checker_nomem(struct iq_checker *checker);
struct iq_view iq_checker_text(struct iq_arena *arena, const char *format, ...) IQ_PRINTF(2, 3);
const struct iq_session *iq_checker_session(const struct iq_checker *checker, uint32_t no);

/* ---- horizon.c ---- */

int iq_horizon_init(struct iq_checker *checker);
void iq_horizon_release(struct iq_checker *checker);
/* The number of the source in the store, 0 for none, UINT32_MAX for one that it does not have. */
uint32_t iq_checker_source(const struct iq_checker *checker, struct iq_view source);
/* Until when the source was recorded, aligned, or IQ_TIME_NONE. */
int64_t iq_checker_covered(const struct iq_checker *checker, uint32_t source);
/* A time of the source, shifted. */
int64_t iq_checker_aligned(const struct iq_checker *checker, uint32_t source, int64_t ts);
/* The reverse. */
int64_t iq_checker_recorded(const struct iq_checker *checker, uint32_t source, int64_t ts);
/* NULL for none. */
struct iq_view iq_checker_source_name(const struct iq_checker *checker, uint32_t source);
/* How far apart two events of these sources may be while their clocks do not tell which came first. */
int64_t iq_checker_uncertainty(const struct iq_checker *checker, uint32_t source, uint32_t other);
/* The same of any two. */
int64_t iq_checker_widest(const struct iq_checker *checker);

/* One event on its way to the followers. */
struct iq_seen {
	const struct iq_event *event;
	int64_t at; /* its time, aligned; IQ_TIME_NONE */
	uint32_t source;
	uint32_t stream; /* the session, or the source with the top bit set */
	uint32_t type;	 /* number of its type in checker->types, IQ_SYMBOL_NONE for none */
	/* Where not all of its columns are there yet: `loaded` are, `load` brings others. NULL: all are. */
	uint32_t loaded;
	int (*load)(void *context, uint32_t columns);
	void *load_context;
};

/* ---- pass.c ---- */

/* Takes all events of the store. */
int iq_pass(struct iq_checker *checker);
/* Forgets a pass, for another one. */
void iq_checker_reset(struct iq_checker *checker);

/* ---- darkness.c ---- */

/* Links the gaps to the events that they follow. */
int iq_darkness_init(struct iq_checker *checker);
/* Forgets which gaps were met. */
void iq_darkness_reset(struct iq_checker *checker);
void iq_darkness_release(struct iq_checker *checker);
/* The gaps that follow an event darken whatever they touch. */
int iq_darkness_after(struct iq_checker *checker, uint64_t id);
/* The same, where events come by their ids and not all of them: the gaps that lie before one. */
int iq_darkness_up_to(struct iq_checker *checker, uint64_t id);
/* The first event from `id` on that does not belong to the stretch of this one; ids ascend. */
uint64_t iq_darkness_cut(struct iq_checker *checker, uint64_t id);
/* `lost` events, or -1, may have come here; `gap` is NULL where they lie before the capture. */
int iq_darkness_fall(struct iq_follower *follower, struct iq_track *track, const struct iq_gap *gap, int64_t lost);
/* The track may be in any of these states of its order as well. 0 or IQ_ERR_NOMEM. */
int iq_darkness_admit(const struct iq_follower *follower, struct iq_track *track, iq_states states);
/* A nested instance that is open in the track may have ended. 0 or IQ_ERR_NOMEM. */
int iq_darkness_end(const struct iq_follower *follower, struct iq_track *track, const struct iq_track *child);
/* What so many events may be in an order, at most. */
int64_t iq_darkness_letters(const struct iq_follower *follower, int64_t lost);
/* Each automaton rule of the track takes up to `lost` unknown events, any number for -1. 0 or IQ_ERR_NOMEM. */
int iq_darkness_blur(const struct iq_follower *follower, struct iq_track *track, int64_t lost);
/* The gaps, if any, in which the beginning of something in this event's stream may lie. */
struct iq_darkness iq_darkness_before(struct iq_checker *checker, const struct iq_seen *seen);
/* Whatever lies between the track's last event and this one. */
int iq_darkness_meet(struct iq_checker *checker, struct iq_follower *follower, struct iq_track *track,
		     const struct iq_event *event);
/* What lies between its last events and the ends of its evidence. */
int iq_darkness_meet_rest(struct iq_checker *checker, struct iq_follower *follower, struct iq_track *track);
/* The track begins to be watched in the event's evidence. */
int iq_darkness_enter(struct iq_checker *checker, struct iq_track *track, const struct iq_event *event, bool from_here);

/* ---- follow.c ---- */

int iq_follower_init(struct iq_checker *checker, struct iq_follower *follower);
void iq_follower_reset(struct iq_follower *follower);
void iq_follower_release(struct iq_follower *follower);
int iq_follow(struct iq_checker *checker, struct iq_seen *seen);
/* One lifecycle takes the event. Those of a tree all have to, in their order. */
int iq_follow_one(struct iq_checker *checker, struct iq_follower *follower, struct iq_seen *seen);
/* What the event is to the lifecycle. */
int iq_follower_classify(struct iq_checker *checker, struct iq_follower *follower, struct iq_seen *seen,
			 struct iq_class *ret_class);
/* Has an event like this to be looked at for damage, whatever it is? */
bool iq_follower_reads_damage(const struct iq_follower *follower, const struct iq_event *event);
/* The instance's key as it is shown: for a nested one without that of its parent. It lies in the arena; the NULL view when memory is
 * out. */
struct iq_view iq_follower_key(const struct iq_follower *follower, const struct iq_track *track,
			       struct iq_arena *arena);
/* Nothing more can come of the track: so nothing can of the nested instances that are still open in it. */
int iq_follow_end(struct iq_checker *checker, struct iq_follower *follower, struct iq_track *track);

/* ---- watch.c ---- */

/* An event of the instance, `symbol` of its lifecycle or IQ_SYMBOL_NONE, before the automata take it. */
int iq_watch_step(struct iq_checker *checker, struct iq_follower *follower, struct iq_track *track, uint32_t symbol,
		  enum iq_part part, const struct iq_seen *seen);
/* Something may have happened in the dark. */
void iq_watch_darken(struct iq_follower *follower, struct iq_track *track);
/* The evidence is at its end: what still waits. `over`: nothing more can come. */
int iq_watch_end(struct iq_checker *checker, struct iq_follower *follower, struct iq_track *track, bool over);

/* ---- judge.c ---- */

/* Where a track stands when the pass is over. */
struct iq_judgement {
	enum iq_verdict verdict;
	struct iq_view reason; /* for undetermined; Borrowed until the next judgement */
	bool over;	       /* nothing more can come */
	bool explain;	       /* some rule is broken, be it one that only warns */
};
int iq_judge(struct iq_checker *checker, struct iq_follower *follower, struct iq_track *track,
	     struct iq_judgement *ret_judgement);
bool iq_sessions_ended(const struct iq_checker *checker, const struct iq_track *track);

/* Is the rule broken whatever its clocks left open? For a track with a trace. */
bool iq_is_broken(const struct iq_checker *checker, const struct iq_follower *follower, const struct iq_track *track,
		  size_t rule, bool over);

/* ---- reorder.c ---- */

/* What holds of the rule, from `start`, in some and in all of the orders that the clocks admit. IQ_ERR_LIMIT where there are
 * too many. */
int iq_reorder(const struct iq_checker *checker, const struct iq_rule *rule, const struct iq_trace *trace,
	       iq_states start, struct iq_states_facts *ret_facts);

/* ---- explain.c ---- */

/* The findings of a track with a trace; `over` when nothing more can come. Only ids are set in their steps: the events'
 * other facts are read afterwards, for all findings at once. */
int iq_explain(struct iq_checker *checker, const struct iq_follower *follower, const struct iq_track *track, bool over,
	       struct iq_finding **ret_findings, size_t *ret_count);

#endif
