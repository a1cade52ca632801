/* query/lexer.h - names and signs of the short expressions in specs: `a, (b | 'c d')*`, `a | b -> c`, `response(a, b)`.
 *
 *	struct iq_lexer lexer = { .text = node->text, .node = node, .file = name, .what = "order", .error = error };
 *
 *	while (iq_lexer_peek(&lexer) != '\0')
 *		rc = iq_lexer_name(&lexer, &name);
 */
#ifndef IQ_QUERY_LEXER_H
#define IQ_QUERY_LEXER_H

#include "base/yaml.h"

struct iq_lexer {
	struct iq_view text;
	size_t pos;
	const struct iq_yaml *node; /* the scalar that `text` is, for places in messages */
	const char *file;
	const char *what; /* stands before messages: `order` */
	struct iq_error *error;
};

/* IQ_ERR_SPEC at a place in the text: exact where the scalar stands in one line, else the scalar's own place. */
int iq_lexer_fail(struct iq_lexer *lexer, size_t pos, const char *format, ...) IQ_PRINTF(3, 4);
/* Steps over white space; the character that follows it, or NUL at the end. */
char iq_lexer_peek(struct iq_lexer *lexer);
/* Steps over white space and `sign`, if it follows. */
bool iq_lexer_take(struct iq_lexer *lexer, const char *sign);
/* Does a name follow, with or without quotes? */
bool iq_lexer_at_name(struct iq_lexer *lexer);
/* Takes a name: letters, digits, _ . - : / @ $ # and bytes above ASCII, or anything in quotes. Where none follows,
 * IQ_ERR_SPEC. Borrowed from the text. */
int iq_lexer_name(struct iq_lexer *lexer, struct iq_view *ret_name);
/* Takes a number up to `most`. */
int iq_lexer_count(struct iq_lexer *lexer, uint32_t most, uint32_t *ret_count);

#endif
