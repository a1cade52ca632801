/* replay/mock.h - the other side: recorded servers, played to clients under test. Included by replay/replay.h.
 *
 * A connection is given the next recorded session with its path. What the server sent before the client's first message is sent at once;
 * a message of the client's is looked for among the recorded ones by content, from where the conversation stands: the same text, else the
 * same type and fields, else the most alike. What the server had answered to that one is sent, with values that the client made in their
 * new form. What is like nothing that was recorded is told and not answered. HTTP requests get the response recorded for their method
 * and path, 404 where there is none.
 */
#ifndef IQ_REPLAY_MOCK_H
#define IQ_REPLAY_MOCK_H

#include "store/store.h"

#define IQ_MOCK_MAX_PEERS 20000u
/* Of the fields of a message, so many hundredths have to be those of a recorded one, for it to be answered as that. */
#define IQ_MOCK_LIKENESS 50u

struct iq_mock_options {
	const char *listen; /* `9000`, `127.0.0.1:9000`, `[::1]:9000`; port 0: any that is free */
	const uint32_t *sessions;
	size_t session_count; /* 0: all */
	void (*listening)(void *context, unsigned port);
	void (*tell)(void *context, const char *line); /* what a person shall hear, safe for a terminal */
	void *context;
	const volatile int *stop;
};

struct iq_mock_result {
	uint64_t connections;
	uint64_t messages; /* of clients */
	uint64_t alike;	   /* of them, those answered as the most alike */
	uint64_t unknown;  /* and those not answered */
};

/* Plays until `stop`. Errors: IQ_ERR_USAGE (an address that is none), IQ_ERR_NETWORK, IQ_ERR_NOT_FOUND, as the store's. */
int iq_mock_play(struct iq_store *store, const struct iq_mock_options *options, struct iq_mock_result *ret_result,
		 struct iq_error *error);

#endif
