/* query/track.h - one instance while the checker follows it, and its findings when it is explained.
 */
#ifndef IQ_QUERY_TRACK_H
#define IQ_QUERY_TRACK_H

#include "query/spec.h"

/* A small set of numbers, in order of appearance. */
struct iq_numbers {
	uint32_t *items;
	size_t count;
	size_t capacity;
};

/* How far it came in one evidence. */
struct iq_reach {
	uint32_t evidence;
	size_t next_gap; /* the first gap of that evidence that it has not met */
};

struct iq_track {
	struct iq_view key;
	iq_states start;  /* before its first event */
	iq_states states; /* now */
	bool over;	  /* its order can take nothing more, or a `final` event came */
	size_t final_at;  /* place of the `final` event that ended it, or SIZE_MAX */
	bool malformed;	  /* holds events whose bodies cannot be parsed, of one session */
	bool limited;	  /* a limit was reached while following it */
	bool start_unseen;
	const struct iq_gap *gap;  /* the first one that touched it */
	bool dark;		   /* a gap touched it since its last event */
	int64_t lost;		   /* events that may have been in it, or -1 where that is not known */
	const struct iq_gap *held; /* came after its sessions had ended: counts if it goes on in another one */
	int64_t held_lost;
	uint64_t *ids; /* its events */
	uint32_t *symbols;
	uint8_t *dark_before;
	size_t count;
	size_t capacity;
	struct iq_numbers sessions;
	struct iq_numbers sources; /* of the checker's interner */
	struct iq_reach *reaches;  /* one an evidence */
	size_t reach_count;
	uint32_t directions; /* bit per enum iq_direction */
};

int iq_numbers_add(struct iq_numbers *numbers, uint32_t number);
bool iq_numbers_has(const struct iq_numbers *numbers, uint32_t number);

/* The evidence's reach, or NULL. Borrowed until one is added. */
struct iq_reach *iq_track_reach(const struct iq_track *track, uint32_t evidence);
/* 0 or IQ_ERR_NOMEM. */
int iq_track_add_reach(struct iq_track *track, uint32_t evidence, size_t next_gap);

/* Adds an event that came after the track's present states were set. 0 or IQ_ERR_NOMEM. */
int iq_track_add(struct iq_track *track, uint64_t id, uint32_t symbol);
void iq_track_release(struct iq_track *track);

/* The findings of a violated track; `types` are the names of events that the lifecycle does not name; `over` when
 * nothing more can come. Only ids are set in their steps: the events' other facts are read afterwards, for all findings
 * at once. `end_event` is what ended its session, or 0. The array and its texts lie in `arena`. */
int iq_track_explain(const struct iq_track *track, const struct iq_lifecycle *lifecycle, const struct iq_map *types,
		     bool over, uint64_t end_event, struct iq_arena *arena, struct iq_finding **ret_findings,
		     size_t *ret_count);

#endif
