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
	struct iq_view
		scope; /* the part of the session that the message is about (a namespace of Socket.IO): keys of others are others */
	enum iq_role role;
	uint32_t attachments; /* frames that follow and belong to it */
};

/* A message within a frame. */
struct iq_part {
	struct iq_view body;	/* as it stands in the frame */
	struct iq_view message; /* what of it is read */
	size_t end;		/* in the frame: where the next one begins */
	uint32_t number;	/* in a batch, whose brackets and commas are in no body; 0: bodies follow each other */
};

/* What pointers into a message are evaluated in, one after the other; NULL: there is none. */
struct iq_documents {
	struct iq_view message; /* without what is around its JSON */
	struct iq_view payload; /* what it carries, an object */
};

enum iq_fit {
	IQ_FIT_NONE,   /* not of this dialect */
	IQ_FIT_LIKELY, /* if the session speaks it */
	IQ_FIT_SURE    /* and nothing else: the session speaks it */
};

struct iq_dialect {
	/* Ends a message within a frame; '\0': a frame is a message. */
	char separator;
	/* The message at `at` in a frame, where it is no matter of a separator. False: of the frame's rest `separator` tells. May be NULL. */
	bool (*part)(struct iq_view frame, size_t at, struct iq_part *ret_part);
	/* Does a session with this handshake speak it? Views may be NULL. */
	bool (*handshake)(struct iq_view url, struct iq_view subprotocol);
	/* Reads one message, without its separator. `scratch` has room for the message twice, so that views into it stay. */
	enum iq_fit (*read)(struct iq_view message, struct iq_reading *ret_reading, struct iq_buf *scratch);
	/* Where pointers look in it, told from the message alone. False where it is none of this dialect. NULL: in itself, as in plain JSON. */
	bool (*documents)(struct iq_view message, struct iq_documents *ret_documents);
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

/* How plain JSON ranks a member as a key, the lowest first; SIZE_MAX: it is none. */
size_t iq_key_rank(struct iq_view name);
/* The first element of an array if it is an object, raw; the NULL view for anything else. */
struct iq_view iq_first_object(struct iq_view array);
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
