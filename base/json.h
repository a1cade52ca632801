/* base/json.h - JSON (RFC 8259) without building a tree: a pull scanner over bytes at hand, JSON Pointer
 * (RFC 6901) evaluated on the raw text, and the little that writing needs. Free of I/O; nothing is allocated by the
 *scanner.
 *
 *	struct iq_json json;
 *	struct iq_json_token token;
 *	iq_json_init(&json, text);
 *	while ((rc = iq_json_next(&json, &token)) > 0)
 *		switch (token.type) ...
 */
#ifndef IQ_BASE_JSON_H
#define IQ_BASE_JSON_H

#include <inquest/base.h>

#include "base/buf.h"

/* Arrays and objects nested deeper than this are refused. */
#define IQ_JSON_MAX_DEPTH 512

enum iq_json_type {
	IQ_JSON_NONE,
	IQ_JSON_OBJECT_BEGIN,
	IQ_JSON_OBJECT_END,
	IQ_JSON_ARRAY_BEGIN,
	IQ_JSON_ARRAY_END,
	IQ_JSON_KEY,	/* raw: between the quotes, still escaped */
	IQ_JSON_STRING, /* raw: between the quotes, still escaped */
	IQ_JSON_NUMBER,
	IQ_JSON_TRUE,
	IQ_JSON_FALSE,
	IQ_JSON_NULL
};

struct iq_json_token {
	enum iq_json_type type;
	struct iq_view raw; /* Borrowed until the text goes. For strings and keys without their quotes. */
	bool escaped;	    /* raw holds at least one backslash */
	size_t offset;	    /* of the token's first byte (a string's opening quote) in the text */
};

struct iq_json {
	struct iq_view text;
	size_t pos;
	uint32_t depth;
	uint8_t stack[IQ_JSON_MAX_DEPTH / 8]; /* bit set: an object */
	uint8_t state;
	char closer;	   /* what ends the array or object at hand */
	const char *error; /* static text, set when iq_json_next() returned IQ_ERR_FORMAT or IQ_ERR_LIMIT */
};

void iq_json_init(struct iq_json *json, struct iq_view text);
/* 1 and a token; 0 after one complete value (what follows it is left alone: see iq_json_end()); IQ_ERR_FORMAT or
 * IQ_ERR_LIMIT with `json->error` set and `json->pos` at the offending byte. Strict: strings must be valid escapes and
 * free of raw control characters; UTF-8 is not checked here. */
int iq_json_next(struct iq_json *json, struct iq_json_token *ret_token);
/* Inside an object: its next member, that is its name and the first token of its value. 1; 0 after the last one, with the end
 * of the object taken; else as iq_json_next(): where the name was right its type is IQ_JSON_KEY, and the value begins at or after its
 * `offset`. */
int iq_json_member(struct iq_json *json, struct iq_json_token *ret_name, struct iq_json_token *ret_value);
/* With `token` just returned as the begin of a value (or a scalar): moves past that value and returns its raw
 * extent, quotes and brackets included; the NULL view on malformed text. */
struct iq_view iq_json_skip(struct iq_json *json, const struct iq_json_token *token);
/* Only white space left? To be asked after iq_json_next() returned 0. */
bool iq_json_end(const struct iq_json *json);

/* Is `text` exactly one JSON value, white space around it allowed? */
bool iq_json_valid(struct iq_view text);

/* Appends a string's characters with its escapes undone (a lone surrogate becomes U+FFFD). `raw` is a token's raw. */
int iq_json_unescape(struct iq_buf *buf, struct iq_view raw);
/* The token's text: `raw` itself where nothing is escaped, else unescaped into `scratch` (appended).
 * Borrowed until the text goes or `scratch` changes. */
struct iq_view iq_json_text(const struct iq_json_token *token, struct iq_buf *scratch);
/* Appends `view` as a JSON string, with quotes; bytes that are not UTF-8 become U+FFFD. */
int iq_json_append_string(struct iq_buf *buf, struct iq_view view);

/* A value found by a pointer. */
struct iq_json_value {
	enum iq_json_type type; /* STRING NUMBER TRUE FALSE NULL OBJECT_BEGIN ARRAY_BEGIN, or NONE: not there */
	struct iq_view raw;	/* whole extent, quotes and brackets included */
	struct iq_view text;	/* strings: unescaped; everything else: raw */
};

/* Evaluates one JSON Pointer ("" is the whole document) on `text`. Never fails: text that is not JSON, or stops being
 * JSON before the value was found, gives IQ_JSON_NONE. The first of repeated names counts. `scratch` receives unescaped
 * text (appended). Borrowed until the text goes or `scratch` changes. */
struct iq_json_value iq_json_pointer(struct iq_view text, struct iq_view pointer, struct iq_buf *scratch);
/* "" or a series of /tokens in which ~ stands only before 0 and 1. */
bool iq_json_pointer_valid(struct iq_view pointer);

#endif
