/* replay/replay.h - the door of replay/: driving a recorded session against a target and recording its answers.
 * Depends on base/, event/, wire/, store/, and on the rule checker through query/query.h.
 */
#ifndef IQ_REPLAY_REPLAY_H
#define IQ_REPLAY_REPLAY_H

#include "base/base.h"
#include "query/query.h"
#include "store/store.h"

struct iq_replay_options {
	const char *target;	  /* ws://host:port/path; without a path the recorded one is used */
	uint32_t session_no;	  /* which session of the store */
	const char *run_path;	  /* store that the run is recorded into */
	int64_t timeout_ns;	  /* longest wait for one expected answer; 0 = IQ_REPLAY_TIMEOUT */
	const char *allow_host;	  /* a target that is not loopback must be named here as well; may be NULL */
	const volatile int *stop; /* set non-zero to end early; may be NULL */
};
#define IQ_REPLAY_TIMEOUT (INT64_C(30) * 1000000000)

enum iq_replay_outcome {
	IQ_REPLAY_DONE,	      /* every client message was sent, and the answers that preceded them came */
	IQ_REPLAY_STALLED,    /* an expected server message did not come in time; nothing more was sent */
	IQ_REPLAY_CUT,	      /* the target closed or cut the connection early */
	IQ_REPLAY_UNREACHABLE /* name, TCP or handshake failed */
};

struct iq_replay_result {
	enum iq_replay_outcome outcome;
	uint64_t sent, expected_to_send;
	uint64_t received, expected_to_receive;
	int64_t duration_ns;
	uint32_t run_session_no; /* the session's number in the run's store */
	char reason[256]; /* why it is not DONE: `waited 30s for tool_completed (2nd) before sending message 3` */
};

/* Replays one session in causal pace: a client message waits until the server messages that preceded it in the
 * recording have come, matched by type and count. The run is recorded into `run_path`; judge it with iq_check().
 * Returns 0 with an outcome; negative where it could not run (IQ_ERR_USAGE, IQ_ERR_NOT_FOUND, IQ_ERR_IO). */
int iq_replay(struct iq_store *store, const struct iq_replay_options *options, struct iq_replay_result *ret_result,
	      struct iq_error *error);

#endif
