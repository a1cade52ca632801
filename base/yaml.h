/* base/yaml.h - YAML (through libyaml; JSON is a subset of it) as a small tree whose nodes know their line and column.
 * Anchors, aliases and tags are refused, depth and size are limited.
 */
#ifndef IQ_BASE_YAML_H
#define IQ_BASE_YAML_H

#include "base/base.h"

#define IQ_YAML_MAX_BYTES (1u << 20)
#define IQ_YAML_MAX_DEPTH 50

enum iq_yaml_type { IQ_YAML_SCALAR, IQ_YAML_SEQUENCE, IQ_YAML_MAPPING };

struct iq_yaml {
	enum iq_yaml_type type;
	uint32_t line;	       /* from 1 */
	uint32_t column;       /* from 1 */
	struct iq_view text;   /* scalars */
	bool plain;	       /* scalars: without quotes, so that `true` and `3` are not strings */
	struct iq_yaml *key;   /* in a mapping: the key of this value */
	struct iq_yaml *first; /* children, in order */
	struct iq_yaml *next;  /* sibling */
};

/* Parses all documents of `text`; `name` stands in messages. The first document is returned, the others follow as
 * siblings; NULL where there is none. Everything lies in `arena`. Errors: IQ_ERR_SPEC with line and column. */
int iq_yaml_parse(struct iq_view text, const char *name, struct iq_arena *arena, struct iq_yaml **ret_documents,
		  struct iq_error *error);
/* The value of a mapping's key, or NULL. */
const struct iq_yaml *iq_yaml_get(const struct iq_yaml *mapping, const char *key);
/* As the core schema of YAML 1.2 reads plain scalars: `true` `True` `TRUE` and the like; false where it is neither. */
bool iq_yaml_bool(const struct iq_yaml *node, bool *ret_value);
/* `null`, `~` or nothing at all. */
bool iq_yaml_is_null(const struct iq_yaml *node);
/* Sets `name:line:column: message` with the node's place; returns IQ_ERR_SPEC. */
int iq_yaml_error(struct iq_error *error, const char *name, const struct iq_yaml *node, const char *format, ...)
	IQ_PRINTF(4, 5);

#endif
