/* event/extract.h - what log lines say, by rules that a person writes: docs/extract.md defines the YAML.
 *
 *	struct iq_extract *extract = iq_extract_new();
 *	rc = iq_extract_add(extract, text, "app.yaml", &error);
 *	...
 *	iq_extract_read(extract, &event, fields, &scratch);
 *
 * Free of I/O. Patterns are compiled once, with limits on what a match may cost. One thread at a time.
 */
#ifndef IQ_EVENT_EXTRACT_H
#define IQ_EVENT_EXTRACT_H

#include <inquest/event.h>

#include "base/base.h"

#define IQ_EXTRACT_MAX_RULES 64u
/* Patterns of a rule, pointers of a field, severities of a rule. */
#define IQ_EXTRACT_MAX_ITEMS 32u
#define IQ_EXTRACT_MAX_PATTERN 4096u
/* So many bytes of a line are matched against patterns. */
#define IQ_EXTRACT_REACH 65536u
/* Steps of one match; see pcre2_set_match_limit(). */
#define IQ_EXTRACT_MATCH_LIMIT 100000u

enum iq_extract_field {
	IQ_EXTRACT_TS,
	IQ_EXTRACT_SEVERITY,
	IQ_EXTRACT_SESSION,
	IQ_EXTRACT_TYPE,
	IQ_EXTRACT_KEY,
	IQ_EXTRACT_FIELDS
};

struct iq_extract;

/* Caller owns; release with iq_extract_free(). NULL when memory is out. */
struct iq_extract *iq_extract_new(void);
void iq_extract_free(struct iq_extract *extract); /* NULL allowed */
/* Adds the rules of a YAML text, behind those that are there; `name` stands in messages. IQ_ERR_SPEC with line and column. */
int iq_extract_add(struct iq_extract *extract, struct iq_view text, const char *name, struct iq_error *error);

/* What the event's body says by the rules for its source and kind; NULL views for what they do not find. A severity is
 * already by its own name. Texts: Borrowed until the body goes or `scratch` changes, to which unescaped text is appended (at most as much as
 * the body for each field). */
void iq_extract_read(struct iq_extract *extract, const struct iq_event *event,
		     struct iq_view ret_fields[IQ_EXTRACT_FIELDS], struct iq_buf *scratch);

enum iq_extract_line {
	IQ_EXTRACT_ANY,	   /* no rule for the lines of this source */
	IQ_EXTRACT_BEGINS, /* begins a record */
	IQ_EXTRACT_GOES_ON /* goes on with the one before */
};
/* How the line stands to that before it in the same stream of the source. The NULL line: anything but IQ_EXTRACT_ANY if there is a rule. */
enum iq_extract_line iq_extract_line(struct iq_extract *extract, struct iq_view source, struct iq_view line);

/* How many matches were given up because they took too long, since it was asked last, and the place of the first such pattern, `app.yaml:4`,
 * in `ret_place`. Borrowed until the rules are freed. */
uint64_t iq_extract_given_up(struct iq_extract *extract, const char **ret_place);

struct iq_preset;
/* Built-in rules. Static. */
const struct iq_preset *iq_extract_presets(void);

#endif
