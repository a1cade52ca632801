/* replay/replay.h - the door of replay/: driving recorded sessions against a target, recording and judging its answers.
 * Depends on base/, event/, wire/, store/, and on the rule checker through query/query.h.
 *
 *	iq_replay_new(store, &options, &replay, &error);   reads the sessions: plans, what they depend on, what answers look like
 *	iq_replay_append_plan(replay, &text);              what would be sent
 *	iq_replay_run(replay, &error);                     sends it, records it, judges it
 *	iq_replay_check(replay, spec, &result, &error);    lifecycle verdicts on the run, folded into those of the sessions
 *	iq_replay_sessions(replay, &count) ...
 *	iq_replay_free(replay);
 */
#ifndef IQ_REPLAY_REPLAY_H
#define IQ_REPLAY_REPLAY_H

#include "base/base.h"
#include "query/query.h"
#include "replay/minimize.h"
#include "replay/mock.h"
#include "store/store.h"
#include "wire/wire.h"

#define IQ_REPLAY_TIMEOUT (INT64_C(30) * 1000000000)
#define IQ_REPLAY_CONCURRENCY 64u
#define IQ_REPLAY_MAX_TARGETS 32u
/* Differences of a session that are kept; the others are counted. */
#define IQ_REPLAY_MAX_DIFFERENCES 100u
/* Bytes of the two sides of the first one. */
#define IQ_REPLAY_SIDE_BYTES 2000u
/* An answer that comes within this of when it was recorded is never slow. */
#define IQ_REPLAY_SLACK_NS (50 * IQ_NS_PER_MS)

enum iq_replay_pace { IQ_PACE_CAUSAL, IQ_PACE_RECORDED, IQ_PACE_MAX };
enum iq_replay_compare { IQ_COMPARE_SHAPE, IQ_COMPARE_VALUES, IQ_COMPARE_NONE };

struct iq_replay_target {
	struct iq_view host; /* recorded host, or host:port, that it stands for; NULL view: all others */
	const char *url;
};

struct iq_replay_supply {
	const char *name;
	const char *value;
};

/* Everything is borrowed until iq_replay_free(). */
struct iq_replay_options {
	struct iq_replay_target targets[IQ_REPLAY_MAX_TARGETS];
	size_t target_count;
	const char *const *allowed_hosts; /* targets that are not loopback must be named here as well */
	size_t allowed_count;
	const uint32_t *sessions; /* of the store; NULL: all that can be replayed */
	size_t session_count;
	const char *run_path; /* store that the run is recorded into */
	enum iq_replay_pace pace;
	double speed;	    /* of IQ_PACE_RECORDED: 2 is twice as fast */
	int64_t timeout_ns; /* longest wait for one answer */
	int64_t wait_ns;    /* for a target that is still starting */
	int64_t ramp_ns;    /* over which the first sessions begin */
	uint32_t concurrency;
	uint32_t repeat;
	enum iq_replay_compare compare;
	const char *const *ignored; /* JSON Pointers whose values and fields are not judged */
	size_t ignored_count;
	double tolerance;	      /* of numbers, with IQ_COMPARE_VALUES: 0.05 is 5 % */
	double max_slowdown;	      /* 0: not judged */
	const struct iq_trust *trust; /* which servers are believed over TLS; NULL: as the system does */
	bool fresh;		      /* values that the client made are made anew */
	const struct iq_replay_supply *supplies;
	size_t supply_count;
	const volatile int *stop; /* set non-zero to end early; may be NULL */
};
#define IQ_REPLAY_OPTIONS_INIT \
	{ \
		.speed = 1, .timeout_ns = IQ_REPLAY_TIMEOUT, .concurrency = IQ_REPLAY_CONCURRENCY, .repeat = 1 \
	}

enum iq_replay_outcome {
	IQ_REPLAY_DONE,	       /* every client message was sent, and the answers that preceded them came */
	IQ_REPLAY_STALLED,     /* an expected server message did not come in time; nothing more was sent */
	IQ_REPLAY_CUT,	       /* the target closed or cut the connection early */
	IQ_REPLAY_UNREACHABLE, /* name, TCP or handshake failed */
	IQ_REPLAY_WITHHELD,    /* something would have been sent that must not be */
	IQ_REPLAY_INTERRUPTED
};
/* `done`, ... Static. */
const char *iq_replay_outcome_name(enum iq_replay_outcome outcome);

/* One thing that was not as it was recorded. */
struct iq_difference {
	const char *kind;	      /* `missing`, `field`, ...; static */
	bool is_judged;		      /* else it is only reported */
	uint64_t expected;	      /* the recording's event, 0: none */
	uint64_t got;		      /* the run's event */
	char text[240];		      /* a sentence */
	struct iq_view expected_side; /* the two events' text, of the first judged one */
	struct iq_view got_side;
};

/* One session that was lived again. */
struct iq_lived {
	uint32_t session_no; /* in the recording */
	struct iq_view recorded_name;
	struct iq_view name; /* in the run */
	uint32_t run_session_no;
	enum iq_replay_outcome outcome;
	enum iq_verdict verdict;
	char reason[256]; /* why it is not ok; empty: it is */
	uint64_t sent, expected_to_send;
	uint64_t received, expected_to_receive;
	int64_t duration_ns;
	int64_t recorded_ns;
	int64_t slowest_ns; /* the longest an answer took beyond what it took in the recording */
	struct iq_difference *differences;
	size_t difference_count; /* kept */
	size_t difference_capacity;
	uint64_t judged; /* all of them */
	uint64_t reported;
	struct iq_arena memory;
};

struct iq_replay;

/* Reads the sessions. Errors: IQ_ERR_NOT_FOUND, IQ_ERR_USAGE, as the store's. Caller owns; release with iq_replay_free(). */
int iq_replay_new(struct iq_store *store, const struct iq_replay_options *options, struct iq_replay **ret_replay,
		  struct iq_error *error);
void iq_replay_free(struct iq_replay *replay); /* NULL allowed */
/* Sessions of the store that cannot be replayed and were left out, with why; only where none were named. */
size_t iq_replay_left_out(const struct iq_replay *replay);
/* The bindings, what was minted, and the secrets that are needed, as tables for a person. */
int iq_replay_append_plan(const struct iq_replay *replay, struct iq_buf *out);
/* What would be sent, in its order. */
int iq_replay_append_dry_run(const struct iq_replay *replay, struct iq_buf *out);
/* May it be run? IQ_ERR_USAGE: a target is not allowed, a host has none, a secret is missing, a supplied name is not used. */
int iq_replay_ready(struct iq_replay *replay, struct iq_error *error);
/* Lives all sessions. Returns 0 with what came of each; negative where it could not run at all. */
int iq_replay_run(struct iq_replay *replay, struct iq_error *error);
/* Folds the verdicts of a check of the run's store into those of the sessions. `recorded`: the same check of the recording, where what was no better
 * then is no regression; may be NULL. */
int iq_replay_fold(struct iq_replay *replay, struct iq_store *run, const struct iq_check_result *result,
		   const struct iq_check_result *recorded);
/* By session and repetition. Borrowed until the replay is freed. */
const struct iq_lived *iq_replay_sessions(const struct iq_replay *replay, size_t *ret_count);

/* How long answers took, all sessions together. */
struct iq_latencies {
	uint64_t count;
	int64_t p50, p90, p99, max;
};
void iq_replay_latencies(const struct iq_replay *replay, struct iq_latencies *ret_latencies);
/* At recorded pace: how much later than they should messages were sent, where the target was not what they waited for. */
void iq_replay_lateness(const struct iq_replay *replay, struct iq_latencies *ret_lateness);

/* ---- Results ---- */

struct iq_replay_names {
	const char *recording;
	const char *target;
	const char *run;
};
int iq_replay_text(const struct iq_replay *replay, const struct iq_replay_names *names, struct iq_buf *out);
int iq_replay_json(const struct iq_replay *replay, const struct iq_replay_names *names, struct iq_buf *out);
int iq_replay_junit(const struct iq_replay *replay, const struct iq_replay_names *names, struct iq_buf *out);
int iq_replay_tap(const struct iq_replay *replay, const struct iq_replay_names *names, struct iq_buf *out);
/* Annotations for GitHub's log, at most IQ_REPLAY_MAX_ANNOTATIONS, and the Markdown of a step summary. */
#define IQ_REPLAY_MAX_ANNOTATIONS 10u
int iq_replay_annotations(const struct iq_replay *replay, const struct iq_replay_names *names, struct iq_buf *out);
int iq_replay_summary(const struct iq_replay *replay, const struct iq_replay_names *names, struct iq_buf *out);

#endif
