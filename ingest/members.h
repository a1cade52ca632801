/* ingest/members.h - the members of one JSON object, one after the other, also of one whose end is missing.
 *
 *	if (iq_members_open(&members, text, cut))
 *		while ((rc = iq_members_next(&members, &member)) > 0)
 *			...
 */
#ifndef IQ_INGEST_MEMBERS_H
#define IQ_INGEST_MEMBERS_H

#include "base/base.h"

struct iq_member {
	struct iq_view name;	    /* between its quotes, still escaped */
	struct iq_json_token value; /* its first token */
	struct iq_view raw;	    /* all of the value, quotes and brackets included */
	bool cut;		    /* the text ends within this string; `value.raw` is what there is of it */
};

struct iq_members {
	struct iq_json json;
	bool cut;
	bool done;
};

/* Begins at `text`, which is to be one object; with `cut` its end may be missing. False if it is no object. */
bool iq_members_open(struct iq_members *members, struct iq_view text, bool cut);
/* 1 and a member; 0 at the end (with `cut` also where the text ends); IQ_ERR_FORMAT or IQ_ERR_LIMIT on anything that
 * is not JSON, with the place in `members->json.pos`. Borrowed until the text goes. */
int iq_members_next(struct iq_members *members, struct iq_member *ret_member);

/* The member's text: a string's characters, the digits of a number; the NULL view for anything else. `scratch`
 * receives unescaped text (appended). Borrowed until the text goes or `scratch` changes. */
struct iq_view iq_member_text(const struct iq_member *member, struct iq_buf *scratch);
/* A time: RFC 3339 text, or a number since the epoch (also as text), its unit told by magnitude. */
bool iq_member_time(const struct iq_member *member, struct iq_buf *scratch, int64_t *ret_ns);

/* The member of an object, its value raw; the NULL view if it has none of that name, or is no object. */
struct iq_view iq_member_find(struct iq_view object, struct iq_view name);
/* The text of a string or the digits of a number that a JSON Pointer finds; the NULL view for anything else. `scratch` receives unescaped
 * text (appended). Borrowed until the text goes or `scratch` changes. */
struct iq_view iq_text_at(struct iq_view json, const char *pointer, struct iq_buf *scratch);
/* The elements of an array, one after the other:
 *
 *	if (iq_elements_open(&elements, array))
 *		while (iq_elements_next(&elements, &element) > 0)
 *			...
 */
struct iq_elements {
	struct iq_json json;
};
/* False if it is no array. */
bool iq_elements_open(struct iq_elements *elements, struct iq_view array);
/* 1 and a complete element, raw; 0 at the end, or where the text ends or is no JSON. Borrowed until the text goes. */
int iq_elements_next(struct iq_elements *elements, struct iq_view *ret_element);
/* Calls `each` with every element of an array, raw; nothing is done with anything else. 0, or what a call returned. */
int iq_elements_each(struct iq_view array, int (*each)(void *context, struct iq_view element, struct iq_error *error),
		     void *context, struct iq_error *error);

#endif
