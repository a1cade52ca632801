/* query/condition.h - fields of events and conditions on them, as specs write them.
 */
#ifndef IQ_QUERY_CONDITION_H
#define IQ_QUERY_CONDITION_H

#include "base/yaml.h"
#include "event/event.h"
#include "store/store.h"

/* Pattern limits: see docs/security.md. */
#define IQ_PATTERN_MAX_BYTES 4096
#define IQ_PATTERN_MAX_SUBJECT (64u << 10)

enum iq_field_place { IQ_FIELD_COLUMN, IQ_FIELD_ATTRIBUTE, IQ_FIELD_BODY };

/* A column, `@attribute` or JSON Pointer into the body. */
struct iq_field {
	enum iq_field_place place;
	enum iq_column column;
	struct iq_view pointer;
	struct iq_view text; /* as it was written */
};

struct iq_condition;

/* Reads a field from `text`; `node` is where it stands. */
int iq_field_parse(struct iq_view text, const char *name, const struct iq_yaml *node, struct iq_arena *arena,
		   struct iq_field *ret_field, struct iq_error *error);
/* Columns that must be decoded to read the field (bits of enum iq_column). */
uint32_t iq_field_columns(const struct iq_field *field);
/* The field's value in an event: NULL when it is not there or is JSON null. `scratch` receives unescaped text
 * (appended). Borrowed until the event or `scratch` changes. */
struct iq_view iq_field_read(const struct iq_field *field, const struct iq_event *event, struct iq_buf *scratch);

/* Keys of instances: the values of fields, told apart whatever bytes they hold. A nested instance's key is its parent's, the
 * divider and its own. */
#define IQ_KEY_ESCAPE '\x1d'
#define IQ_KEY_DIVIDER '\x1e'
#define IQ_KEY_FIELD '\x1f'
/* Appends the fields' values as one key; false where the event lacks one of them. */
bool iq_key_append(const struct iq_field *fields, size_t count, const struct iq_event *event, struct iq_buf *key,
		   struct iq_buf *scratch);
/* Appends one value. */
void iq_key_append_value(struct iq_buf *key, struct iq_view value);
/* What stands behind the last divider. */
struct iq_view iq_key_own(struct iq_view key);
/* Appends what stands behind the last divider as people read it: its values with spaces between. */
void iq_key_append_text(struct iq_buf *text, struct iq_view key);

/* Compiles a mapping field -> value, list of values, or operators. It lies in `arena`, but for its patterns: release
 * with iq_condition_release(). */
int iq_condition_parse(const struct iq_yaml *mapping, const char *name, struct iq_arena *arena,
		       struct iq_condition **ret_condition, struct iq_error *error);
void iq_condition_release(struct iq_condition *condition);
uint32_t iq_condition_columns(const struct iq_condition *condition);
/* In words: `kind is ws.message or sse.message, @status at least 500`, safe for a terminal. Appended to `out`. */
void iq_condition_describe(const struct iq_condition *condition, struct iq_buf *out);
/* 1, 0, or IQ_ERR_LIMIT where a pattern ran into its limit. NULL holds for every event. */
int iq_condition_holds(const struct iq_condition *condition, const struct iq_event *event, struct iq_buf *scratch);

#endif
