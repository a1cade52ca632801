/* replay/flow.h - where the values that a client sent came from: the server (ids, tokens, nonces), the client itself (fresh UUIDs, times),
 * or nobody knows, because they were redacted. Found by data flow alone. Free of I/O.
 *
 * The turns of a recorded session are told in their order: iq_flow_hear() of what the server sent, iq_flow_say() of what the client sent.
 * Then the same turns are lived again: iq_flow_learn() takes the new values from what the server sends now, at the places where the
 * recorded ones stood, iq_flow_fill() puts them where the client sent the recorded ones. What is bound to what does not change any
 * more then, so several may live from one flow, each with its own iq_values.
 *
 * A value is bound when it was first seen in a server's text, and has 8 bytes or more, or stands at places named like ids both times.
 * Not: what reads like a word (`agent_started`), a version or a date, and what is the same in another session of the same
 * flow, unless the place is named like an id; `true`, `1`, `ok` never.
 */
#ifndef IQ_REPLAY_FLOW_H
#define IQ_REPLAY_FLOW_H

#include <inquest/event.h>

#include "replay/rewrite.h"

#define IQ_FLOW_MIN_BYTES 8u
/* Values of one session that are remembered, and those of them that are looked for within longer words. */
#define IQ_FLOW_MAX_VALUES 200000u
#define IQ_FLOW_MAX_WITHIN 256u

/* Which text of a turn. */
enum iq_slot { IQ_SLOT_URL, IQ_SLOT_HEADERS, IQ_SLOT_BODY, IQ_SLOT_COUNT };
/* `url`, `header`, `body`. Static. */
const char *iq_slot_name(enum iq_slot slot);

/* A place in a recorded session. */
struct iq_spot {
	uint32_t turn;
	enum iq_slot slot;
	struct iq_view path;
	struct iq_view name;
};

struct iq_binding {
	struct iq_view value; /* as recorded */
	struct iq_spot source;
	struct iq_spot use; /* the first */
	uint32_t uses;
	bool by_name; /* it is bound because of what its places are called */
};

enum iq_mint_kind {
	IQ_MINT_UUID,
	IQ_MINT_SECONDS,
	IQ_MINT_MILLISECONDS,
	IQ_MINT_MICROSECONDS,
	IQ_MINT_NANOSECONDS,
	IQ_MINT_RFC3339
};

/* A value that the client made. */
struct iq_mint {
	struct iq_view value;
	enum iq_mint_kind kind;
	struct iq_spot use;
};

/* A value of the client's that was redacted, or that --set supplies. */
struct iq_secret {
	struct iq_view name;  /* `login.password` */
	struct iq_view value; /* the tag */
	struct iq_spot use;
};

struct iq_flow {
	struct iq_arena memory;
	struct iq_map heard; /* value -> index in sources */
	struct iq_map said;  /* values that the client was first to send */
	struct iq_map constants;
	struct iq_binding *sources; /* all that was heard; those with uses are bindings */
	size_t source_capacity;
	uint32_t *bindings; /* indices in sources, in the order of their first use */
	size_t binding_count;
	size_t binding_capacity;
	struct iq_mint *mints;
	size_t mint_count;
	size_t mint_capacity;
	struct iq_map minted; /* value -> index in mints */
	struct iq_secret *secrets;
	size_t secret_count;
	size_t secret_capacity;
	struct iq_map names; /* of every value that the client sent -> 1 */
};

void iq_flow_init(struct iq_flow *flow);
void iq_flow_release(struct iq_flow *flow);
/* A server's text of another session of the same flow: before all others. */
int iq_flow_constant(struct iq_flow *flow, struct iq_view text);
/* Type names and the like are no values. */
int iq_flow_ignore(struct iq_flow *flow, struct iq_view word);
int iq_flow_hear(struct iq_flow *flow, uint32_t turn, enum iq_slot slot, struct iq_view text);
/* `scope` is what names of its values begin with: `login`; `at` is when it was sent. *ret_uses: how many values in it are bound, minted or
 * redacted. */
int iq_flow_say(struct iq_flow *flow, uint32_t turn, enum iq_slot slot, struct iq_view scope, struct iq_view text,
		int64_t at, size_t *ret_uses);
/* Must anything be learned from this text? */
bool iq_flow_has_source(const struct iq_flow *flow, uint32_t turn, enum iq_slot slot);

/* Values given with --set, for all sessions. */
struct iq_supplied {
	struct iq_view name;
	struct iq_view value;
	bool used;
};

/* What one replayed session knows. */
struct iq_values {
	const struct iq_flow *flow;
	struct iq_supplied *supplied;
	size_t supplied_count;
	bool fresh;    /* minted values are made anew */
	int64_t shift; /* of minted times */
	struct iq_arena memory;
	struct iq_view *now;  /* by source; NULL view: not known yet */
	struct iq_view *made; /* by mint */
};

int iq_values_init(struct iq_values *values, const struct iq_flow *flow);
void iq_values_release(struct iq_values *values);
/* Takes what the flow needs from a text of the server's that stands for the recorded turn. */
int iq_values_learn(struct iq_values *values, uint32_t turn, enum iq_slot slot, struct iq_view text);
/* The recorded text as it is to be sent now, appended to `out`. IQ_ERR_NOT_FOUND: a value is not known; *ret_missing is its binding, or
 * NULL where it was redacted. */
int iq_values_fill(struct iq_values *values, uint32_t turn, struct iq_view scope, struct iq_view text,
		   struct iq_buf *out, const struct iq_binding **ret_missing);
/* What a recorded value is now: the value itself where nothing else is known. */
struct iq_view iq_values_now(const struct iq_values *values, struct iq_view recorded);
/* Is the value, or what its place is called, that of something made anew each time: an id, a token, a time? */
bool iq_flow_is_made(const struct iq_place *place);
/* Holds a redaction tag? */
bool iq_flow_has_tag(struct iq_view text);

#endif
