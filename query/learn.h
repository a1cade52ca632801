/* query/learn.h - what learning takes from a store: its typed events, and the ids by which they belong together. Private to
 * query/; the door is iq_learn().
 *
 * An id is a field whose values gather events that begin with one type and do not begin again: a run, a call. Ids whose instances lie
 * within those of another are its children. One thread at a time.
 */
#ifndef IQ_QUERY_LEARN_H
#define IQ_QUERY_LEARN_H

#include "query/query.h"

#define IQ_LEARN_NONE UINT32_MAX
/* Beyond these, what comes later is not learned from, and the draft says so. */
#define IQ_LEARN_MAX_EVENTS (1u << 20)
#define IQ_LEARN_MAX_VALUES (1u << 23)
#define IQ_LEARN_MAX_FIELDS 256u
#define IQ_LEARN_MAX_TYPES 4096u
#define IQ_LEARN_MAX_KEYS 16u

/* One event. */
struct iq_sample {
	int64_t ts;
	uint32_t session;
	uint32_t type;
	uint8_t kind;
	uint8_t direction;
};

/* The value of a field in an event. */
struct iq_sample_value {
	uint32_t field;
	uint32_t sample;
	uint64_t hash;
};

/* The events with one value of a key. */
struct iq_sample_group {
	uint32_t first; /* sample */
	uint32_t last;
	uint32_t count;
	uint32_t parent; /* the group of the parent's that it lies in */
	bool several;	 /* types */
	bool begins_twice;
	bool noise;   /* it does what nearly no other does, and is not learned from */
	bool outside; /* it has an event of a session that is not learned from */
};

/* A field that tells instances apart, or the session. */
struct iq_sample_key {
	struct iq_view field; /* `/run_id`; NULL: the session */
	uint32_t *group_of;   /* by sample; IQ_LEARN_NONE */
	struct iq_sample_group *groups;
	size_t group_count;
	uint64_t events; /* in groups that are not outside */
	uint64_t shape;	 /* equal where the same events belong together */
	size_t parent;	 /* a key, or SIZE_MAX */
};

enum iq_left_out { IQ_LEFT_OPEN, IQ_LEFT_CUT, IQ_LEFT_REFUSED, IQ_LEFT_FAULTY, IQ_LEFT_OTHER, IQ_LEFT_COUNT };

struct iq_learner {
	struct iq_store *store;
	struct iq_arena memory;
	struct iq_sample *samples;
	size_t sample_count;
	size_t sample_capacity;
	struct iq_sample_value *values; /* by field once they are all there */
	size_t value_count;
	size_t value_capacity;
	struct iq_map types;
	struct iq_map fields;
	struct iq_map faults; /* words of events that tell of errors */
	struct iq_buf path;
	struct iq_buf text;
	bool *chosen; /* by session number */
	bool *faulty;
	uint32_t sessions; /* the largest number, and one */
	bool has_sessions;
	uint64_t left_out[IQ_LEFT_COUNT];
	bool limited;
	struct iq_sample_key keys[IQ_LEARN_MAX_KEYS];
	size_t key_count;
};

void iq_learner_release(struct iq_learner *learner);
/* Reads the store, and chooses sessions: those given, else those that ended by a close and that no error names. */
int iq_learner_read(struct iq_learner *learner, struct iq_store *store, const struct iq_learn_options *options,
		    struct iq_error *error);
/* Finds the keys, those with most events first, the session where there is none. */
int iq_learner_find_keys(struct iq_learner *learner, const struct iq_learn_options *options, struct iq_error *error);

/* How many instances take each step from one letter to the next. Release with iq_learn_steps_release(). */
struct iq_step_count {
	uint32_t instances;
	uint32_t last; /* the instance that was counted last, and one */
};

struct iq_learn_steps {
	struct iq_map known;
	struct iq_step_count *counts;
	size_t capacity;
};

/* A sequence of the instance; all those of one instance follow one another. 0 or IQ_ERR_NOMEM. */
int iq_learn_steps_add(struct iq_learn_steps *steps, uint32_t instance, const uint32_t *letters, size_t count);
/* How many instances take the rarest step of the sequence. */
uint32_t iq_learn_steps_rarest(const struct iq_learn_steps *steps, const uint32_t *letters, size_t count);
void iq_learn_steps_release(struct iq_learn_steps *steps);

void iq_learner_forget_keys(struct iq_learner *learner);

#endif
