/* event/dialects.h - what a dialect is made of, for the files dialect_x.c and the registry in dialects.c. Private to event/.
 */
#ifndef IQ_EVENT_DIALECTS_H
#define IQ_EVENT_DIALECTS_H

#include "event/event.h"

/* How a message is bound to others by its key. */
enum iq_role {
	IQ_ROLE_NONE,
	IQ_ROLE_REQUEST, /* its type is the name of what is asked for */
	IQ_ROLE_ANSWER,	 /* from the other side: its type is put behind the request's, `tools/call.result` */
	IQ_ROLE_SEQUEL	 /* likewise, from the side that asked: `tools/call.cancel` */
};

struct iq_reading {
	struct iq_view type;
	struct iq_view key;
	enum iq_role role;
	uint32_t attachments; /* frames that follow and belong to it */
};

enum iq_fit {
	IQ_FIT_NONE,   /* not of this dialect */
	IQ_FIT_LIKELY, /* if the session speaks it */
	IQ_FIT_SURE    /* and nothing else: the session speaks it */
};

struct iq_dialect {
	/* Ends a message within a frame; '\0': a frame is a message. */
	char separator;
	/* Does a session with this handshake speak it? Views may be NULL. */
	bool (*handshake)(struct iq_view url, struct iq_view subprotocol);
	/* Reads one message, without its separator. `scratch` has room for the message twice, so that views into it stay. */
	enum iq_fit (*read)(struct iq_view message, struct iq_reading *ret_reading, struct iq_buf *scratch);
};

#define IQ_DIALECT_DECLARE(id, name) extern const struct iq_dialect iq_dialect_##id;
IQ_DIALECTS(IQ_DIALECT_DECLARE)

/* ---- What they share ---- */

/* A member that is looked for; the first of its name counts. */
struct iq_pick {
	struct iq_view name;
	struct iq_json_token token; /* type NONE: it is not there */
	struct iq_view raw;	    /* all of its value */
};
/* Is the text one whole object? In one pass also what the picked members are. */
bool iq_pick(struct iq_view text, struct iq_pick *picks, size_t count);
static inline bool iq_picked(const struct iq_pick *pick, enum iq_json_type type)
{
	return pick->token.type == type;
}
/* Text of a string, digits of a number, else NULL. */
struct iq_view iq_pick_text(const struct iq_pick *pick, struct iq_buf *scratch);
/* A member of an object within: the text of /name in the value of a pick. */
struct iq_view iq_pick_within(const struct iq_pick *pick, struct iq_view name, struct iq_buf *scratch);

/* The key that plain JSON would give, in an argument; NULL unless it is an object that has one. */
struct iq_view iq_argument_key(struct iq_view json, struct iq_buf *scratch);
/* Is the view in the list of `count` names, which is in bytewise order? */
bool iq_is_listed(struct iq_view view, const struct iq_view *names, size_t count);
/* Has the text `part` in it? NULL has nothing. */
static inline bool iq_has(struct iq_view text, struct iq_view part)
{
	return text.data && iq_view_find(text, part) != SIZE_MAX;
}

#endif
