#include "query/lexer.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int iq_lexer_fail(struct iq_lexer *lexer, size_t pos, const char *format, ...)
{
	struct iq_yaml place = *lexer->node;
	char what[300];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	if (lexer->text.len == 0 || !memchr(lexer->text.data, '\n', lexer->text.len))
		place.column += (uint32_t)pos + !place.plain;
	return iq_yaml_error(lexer->error, lexer->file, &place, "%s: %s", lexer->what, what);
}

char iq_lexer_peek(struct iq_lexer *lexer)
{
	while (lexer->pos < lexer->text.len && isspace((unsigned char)lexer->text.data[lexer->pos]))
		lexer->pos++;
	return lexer->pos < lexer->text.len ? lexer->text.data[lexer->pos] : '\0';
}

bool iq_lexer_take(struct iq_lexer *lexer, const char *sign)
{
	(void)iq_lexer_peek(lexer);
	if (!iq_view_starts_with(iq_view_from(lexer->text, lexer->pos), iq_view_cstr(sign)))
		return false;
	lexer->pos += strlen(sign);
	return true;
}

static bool is_name_char(char c)
{
	return isalnum((unsigned char)c) || (unsigned char)c >= 0x80 || (c != '\0' && strchr("_.-:/@$#", c));
}

/* The arrow of `a->b` is no part of the name. */
static bool in_name(const struct iq_lexer *lexer)
{
	struct iq_view rest = iq_view_from(lexer->text, lexer->pos);

	return rest.len > 0 && is_name_char(rest.data[0]) && !iq_view_starts_with(rest, IQ_LIT("->"));
}

static bool is_quote(char c)
{
	return c == '\'' || c == '"';
}

bool iq_lexer_at_name(struct iq_lexer *lexer)
{
	return is_quote(iq_lexer_peek(lexer)) || in_name(lexer);
}

static int take_quoted(struct iq_lexer *lexer, struct iq_view *ret_name)
{
	size_t start = lexer->pos;
	char quote = lexer->text.data[start];
	const char *end = memchr(lexer->text.data + start + 1, quote, lexer->text.len - start - 1);

	if (!end)
		return iq_lexer_fail(lexer, start, "a quoted name without its closing %c", quote);
	*ret_name = iq_view_make(lexer->text.data + start + 1, (size_t)(end - lexer->text.data) - start - 1);
	lexer->pos = (size_t)(end - lexer->text.data) + 1;
	return ret_name->len ? 0 : iq_lexer_fail(lexer, start, "an empty name");
}

int iq_lexer_name(struct iq_lexer *lexer, struct iq_view *ret_name)
{
	char c = iq_lexer_peek(lexer);
	size_t start = lexer->pos;

	if (is_quote(c))
		return take_quoted(lexer, ret_name);
	if (c == '\0')
		return iq_lexer_fail(lexer, start, "ends where a name should follow");
	if (!in_name(lexer))
		return iq_lexer_fail(lexer, start,
				     "`%c` where a name should stand; quote names with such characters: 'a name'", c);
	while (in_name(lexer))
		lexer->pos++;
	*ret_name = iq_view_make(lexer->text.data + start, lexer->pos - start);
	return 0;
}

int iq_lexer_count(struct iq_lexer *lexer, uint32_t most, uint32_t *ret_count)
{
	size_t start;
	int64_t count;

	(void)iq_lexer_peek(lexer);
	start = lexer->pos;
	while (lexer->pos < lexer->text.len && isdigit((unsigned char)lexer->text.data[lexer->pos]))
		lexer->pos++;
	if (lexer->pos == start)
		return iq_lexer_fail(lexer, start, "a number should stand here");
	if (!iq_view_to_int64(iq_view_make(lexer->text.data + start, lexer->pos - start), &count) || count > most)
		return iq_lexer_fail(lexer, start, "counts go up to %u", most);
	*ret_count = (uint32_t)count;
	return 0;
}
