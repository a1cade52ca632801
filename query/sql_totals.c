/* Reads the text of a statement that SQLite has compiled already, so that it is correct SQL; what matters is to take nothing for a
 * statement of the form that is not one. Words that are not known here end the reading. */
#include <string.h>

#include "query/sql_fold.h"

#define MAX_ALIASES 16u

enum token { TOKEN_END, TOKEN_WORD, TOKEN_QUOTED, TOKEN_VALUE, TOKEN_SIGN };

struct reader {
	const char *at; /* behind the token */
	enum token token;
	struct iq_view text;
	bool failed;
	struct iq_sql_totals totals;
	uint32_t bare; /* columns outside of functions */
	struct iq_view table;
	struct iq_view aliases[MAX_ALIASES]; /* of results */
	size_t alias_count;
};

/* ---- Tokens ---- */

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
	       (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static const char *skip_comment(const char *at)
{
	const char *end;

	if (at[1] == '-') {
		at += strcspn(at, "\n");
		return at;
	}
	end = strstr(at + 2, "*/");
	return end ? end + 2 : at + strlen(at);
}

static const char *skip_space(const char *at)
{
	for (;;) {
		at += strspn(at, " \t\n\f\r");
		if ((at[0] != '-' || at[1] != '-') && (at[0] != '/' || at[1] != '*'))
			return at;
		at = skip_comment(at);
	}
}

/* Behind the closing quote; quotes inside are doubled. */
static const char *skip_quoted(const char *at)
{
	const char quote = *at == '[' ? ']' : *at;

	for (at++; *at && (*at != quote || (quote != ']' && at[1] == quote)); at++)
		at += *at == quote;
	return *at ? at + 1 : at;
}

/* A sign belongs to an exponent only before a digit: `0xe+ts` is a sum. */
static const char *skip_number(const char *at)
{
	while (is_word(*at) || *at == '.' ||
	       ((*at == '+' || *at == '-') && (at[-1] == 'e' || at[-1] == 'E') && is_digit(at[1])))
		at++;
	return at;
}

static const char *skip_words(const char *at)
{
	while (is_word(*at))
		at++;
	return at;
}

static const char *skip_sign(const char *at)
{
	static const char *const pairs[] = { "<=", ">=", "<>", "!=", "==", "||" };

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (strncmp(at, pairs[i], 2) == 0)
			return at + 2;
	return *at ? at + 1 : at;
}

static void next(struct reader *reader)
{
	const char *at = skip_space(reader->at), *end;

	if (*at == '\0') {
		reader->token = TOKEN_END;
		end = at;
	} else if (*at == '\'') {
		reader->token = TOKEN_VALUE;
		end = skip_quoted(at);
	} else if (*at == '"' || *at == '`' || *at == '[') {
		reader->token = TOKEN_QUOTED;
		end = skip_quoted(at);
	} else if (is_digit(*at) || (*at == '.' && is_digit(at[1]))) {
		reader->token = TOKEN_VALUE;
		end = skip_number(at);
	} else if (*at == '?' || *at == ':' || *at == '@' || *at == '$') {
		reader->token = TOKEN_VALUE;
		end = skip_words(at + 1);
	} else if (is_word(*at)) {
		reader->token = (*at == 'x' || *at == 'X') && at[1] == '\'' ? TOKEN_VALUE : TOKEN_WORD;
		end = reader->token == TOKEN_WORD ? skip_words(at) : skip_quoted(at + 1);
	} else {
		reader->token = TOKEN_SIGN;
		end = skip_sign(at);
	}
	reader->text = iq_view_make(at, (size_t)(end - at));
	reader->at = end;
}

static bool same(struct iq_view a, struct iq_view b)
{
	return a.len == b.len && a.len > 0 && sqlite3_strnicmp(a.data, b.data, (int)a.len) == 0;
}

static bool at_word(const struct reader *reader, const char *word)
{
	return reader->token == TOKEN_WORD && same(reader->text, iq_view_cstr(word));
}

static bool at_sign(const struct reader *reader, const char *sign)
{
	return reader->token == TOKEN_SIGN && same(reader->text, iq_view_cstr(sign));
}

static bool take_word(struct reader *reader, const char *word)
{
	if (!at_word(reader, word))
		return false;
	next(reader);
	return true;
}

static bool take_sign(struct reader *reader, const char *sign)
{
	if (!at_sign(reader, sign))
		return false;
	next(reader);
	return true;
}

static void expect(struct reader *reader, bool taken)
{
	reader->failed |= !taken;
}

static bool at_any(const struct reader *reader, const char *const *words)
{
	for (size_t i = 0; words[i]; i++)
		if (at_word(reader, words[i]))
			return true;
	return false;
}

/* ---- Columns ---- */

/* -1: it is none. */
static int column_of(struct iq_view name)
{
	for (int i = 0; i < IQ_SQL_COLUMN_STORE; i++)
		if (same(name, iq_view_cstr(iq_sql_columns[i].name)))
			return i;
	return -1;
}

/* `column` or `table.column`. */
static int take_column(struct reader *reader)
{
	struct iq_view name = reader->text;
	int column;

	if (reader->token != TOKEN_WORD)
		return -1;
	next(reader);
	if (take_sign(reader, ".")) {
		if (!same(name, reader->table) || reader->token != TOKEN_WORD)
			return -1;
		name = reader->text;
		next(reader);
	}
	column = column_of(name);
	return column;
}

static uint32_t columns_of(uint32_t stored)
{
	uint32_t columns = 0;

	for (unsigned i = 0; i < IQ_SQL_COLUMN_STORE; i++)
		if (stored >> iq_sql_columns[i].column & 1)
			columns |= 1u << i;
	return columns;
}

/* `time` is ts as text, which sorts as the numbers do. */
uint32_t iq_sql_totals_numbers(void)
{
	return columns_of(IQ_AGGREGATE_NUMBERS);
}

uint32_t iq_sql_totals_names(void)
{
	return columns_of(IQ_AGGREGATE_KEYS);
}

/* ---- Expressions ---- */

/* `sum(column)`; the name is at hand. */
static void take_function(struct reader *reader, struct iq_view name)
{
	struct iq_sql_totals *totals = &reader->totals;
	uint32_t *bits = same(name, IQ_LIT("sum"))   ? &totals->sums
			 : same(name, IQ_LIT("min")) ? &totals->mins
			 : same(name, IQ_LIT("max")) ? &totals->maxs
						     : NULL;
	int column;

	expect(reader, take_sign(reader, "("));
	column = take_column(reader);
	expect(reader, take_sign(reader, ")"));
	if (!bits || column < 0 || !(iq_sql_totals_numbers() >> column & 1) ||
	    (column == IQ_SQL_COLUMN_TIME && bits == &totals->sums))
		reader->failed = true;
	else
		*bits |= 1u << column;
}

static void add_alias(struct reader *reader)
{
	const bool quoted =
		reader->token == TOKEN_QUOTED || (reader->token == TOKEN_VALUE && *reader->text.data == '\'');
	struct iq_view name = reader->text;

	if (quoted && name.len >= 2)
		name = iq_view_make(name.data + 1, name.len - 2);
	if (reader->alias_count == MAX_ALIASES || (reader->token != TOKEN_WORD && !quoted)) {
		reader->failed = true;
		return;
	}
	reader->aliases[reader->alias_count++] = name;
	next(reader);
}

static bool is_alias(const struct reader *reader, struct iq_view name)
{
	for (size_t i = 0; i < reader->alias_count; i++)
		if (same(reader->aliases[i], name))
			return true;
	return false;
}

/* A word that is no operator: a function, a column, or the name of a result where there may be one. */
static void take_name(struct reader *reader, bool with_aliases)
{
	const struct reader before = *reader;
	int column;

	next(reader);
	if (at_sign(reader, "(")) {
		take_function(reader, before.text);
		return;
	}
	*reader = before;
	column = take_column(reader);
	if (column >= 0)
		reader->bare |= 1u << column;
	else
		expect(reader, with_aliases && is_alias(reader, before.text));
}

/* One result, or one term of an order, up to a comma or the clause that follows: operators and parentheses are not looked at, for
 * whatever is made of groups and totals is the same however many rows there were. */
static void take_expression(struct reader *reader, bool with_aliases)
{
	static const char *const ends[] = { "FROM", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "AS", NULL };
	static const char *const operators[] = { "AND",	  "OR",	   "NOT",  "IS",     "NULL", "BETWEEN", "IN",
						 "CASE",  "WHEN",  "THEN", "ELSE",   "END",  "ASC",	"DESC",
						 "NULLS", "FIRST", "LAST", "OFFSET", NULL };
	bool operand = false; /* was the token before one? */
	int depth = 0;

	while (!reader->failed && reader->token != TOKEN_END && !at_any(reader, ends) && !at_sign(reader, ";")) {
		const bool star = at_sign(reader, "*");

		if (depth == 0 && at_sign(reader, ","))
			return;
		if (reader->token == TOKEN_QUOTED || at_sign(reader, ".") || (star && !operand)) {
			reader->failed = true;
		} else if (reader->token == TOKEN_WORD && !at_any(reader, operators)) {
			/* `sum(x) total`: a name without AS */
			if (operand && depth == 0 && !with_aliases)
				return;
			take_name(reader, with_aliases);
			operand = true;
		} else {
			depth += at_sign(reader, "(") ? 1 : at_sign(reader, ")") ? -1 : 0;
			operand = reader->token == TOKEN_VALUE || at_sign(reader, ")") || at_word(reader, "END") ||
				  at_word(reader, "NULL");
			next(reader);
		}
	}
}

static void take_results(struct reader *reader)
{
	do {
		take_expression(reader, false);
		if (take_word(reader, "AS") || (!at_word(reader, "FROM") && !at_sign(reader, ",")))
			add_alias(reader);
	} while (!reader->failed && take_sign(reader, ","));
}

static void take_expressions(struct reader *reader)
{
	do {
		take_expression(reader, true);
	} while (!reader->failed && take_sign(reader, ","));
}

/* ---- WHERE ---- */

static void take_value(struct reader *reader)
{
	if (!take_sign(reader, "-"))
		(void)take_sign(reader, "+");
	expect(reader, reader->token == TOKEN_VALUE);
	next(reader);
}

static void take_list(struct reader *reader)
{
	expect(reader, take_sign(reader, "("));
	do {
		take_value(reader);
	} while (!reader->failed && take_sign(reader, ","));
	expect(reader, take_sign(reader, ")"));
}

/* The operator, and what stands behind it; two for BETWEEN. */
static void take_comparison(struct reader *reader, uint8_t *counts)
{
	static const struct {
		const char *text;
		enum iq_sql_operator operator_;
	} signs[] = { { "=", IQ_SQL_EQ }, { "==", IQ_SQL_EQ }, { "<>", IQ_SQL_NE }, { "!=", IQ_SQL_NE },
		      { "<", IQ_SQL_LT }, { "<=", IQ_SQL_LE }, { ">", IQ_SQL_GT },  { ">=", IQ_SQL_GE } };

	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
		if (take_sign(reader, signs[i].text)) {
			counts[signs[i].operator_]++;
			take_value(reader);
			return;
		}
	}
	if (take_word(reader, "IS")) {
		counts[take_word(reader, "NOT") ? IQ_SQL_NOT_NULL : IQ_SQL_IS_NULL]++;
		expect(reader, take_word(reader, "NULL"));
	} else if (take_word(reader, "IN")) {
		counts[IQ_SQL_IN]++;
		take_list(reader);
	} else if (take_word(reader, "BETWEEN")) {
		counts[IQ_SQL_GE]++;
		counts[IQ_SQL_LE]++;
		take_value(reader);
		expect(reader, take_word(reader, "AND"));
		take_value(reader);
	} else {
		expect(reader, take_word(reader, "LIKE") || take_word(reader, "GLOB"));
		counts[IQ_SQL_LIKE]++;
		take_value(reader);
	}
}

static void take_conditions(struct reader *reader)
{
	unsigned left = UINT8_MAX / 2; /* what is counted fits */
	int column;

	do {
		column = take_column(reader);
		if (column < 0 || left-- == 0 || !((iq_sql_totals_numbers() | iq_sql_totals_names()) >> column & 1))
			reader->failed = true;
		else
			take_comparison(reader, reader->totals.conditions[column]);
	} while (!reader->failed && take_word(reader, "AND"));
}

/* ---- The statement ---- */

/* `events`, `events('case')`, `events AS e`. */
static void take_from(struct reader *reader)
{
	static const char *const clauses[] = { "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", NULL };

	expect(reader, take_word(reader, "FROM") && at_word(reader, "events"));
	reader->table = reader->text;
	next(reader);
	if (take_sign(reader, "(")) {
		take_value(reader);
		expect(reader, take_sign(reader, ")"));
	}
	if (take_word(reader, "AS") || (reader->token == TOKEN_WORD && !at_any(reader, clauses))) {
		expect(reader, reader->token == TOKEN_WORD);
		reader->table = reader->text;
		next(reader);
	}
}

/* Results may name the table by what FROM calls it, which comes after them. */
static void look_ahead(struct reader *reader)
{
	struct reader ahead = *reader;

	while (ahead.token != TOKEN_END && !at_word(&ahead, "FROM"))
		next(&ahead);
	take_from(&ahead);
	reader->table = ahead.table;
	reader->failed |= ahead.failed;
}

static void take_groups(struct reader *reader)
{
	int column;

	expect(reader, take_word(reader, "BY"));
	do {
		column = take_column(reader);
		if (column >= 0 && iq_sql_totals_names() >> column & 1)
			reader->totals.groups |= 1u << column;
		else
			reader->failed = true;
	} while (!reader->failed && take_sign(reader, ","));
}

static void take_clauses(struct reader *reader)
{
	if (take_word(reader, "WHERE"))
		take_conditions(reader);
	if (take_word(reader, "GROUP"))
		take_groups(reader);
	if (take_word(reader, "HAVING"))
		take_expression(reader, true);
	if (take_word(reader, "ORDER")) {
		expect(reader, take_word(reader, "BY"));
		take_expressions(reader);
	}
	if (take_word(reader, "LIMIT"))
		take_expressions(reader);
	(void)take_sign(reader, ";");
	expect(reader, reader->token == TOKEN_END);
}

bool iq_sql_totals_read(const char *text, struct iq_sql_totals *ret_totals)
{
	struct reader reader = { .at = text };
	const struct iq_sql_totals *totals = &reader.totals;
	uint32_t added;

	next(&reader);
	expect(&reader, take_word(&reader, "SELECT"));
	look_ahead(&reader);
	take_results(&reader);
	take_from(&reader);
	take_clauses(&reader);
	added = totals->mins | totals->maxs | totals->sums;
	*ret_totals = reader.totals;
	/* A row has one value for a column: its sum, or its least or greatest number. */
	return !reader.failed && (reader.bare & ~totals->groups) == 0 && (totals->groups & added) == 0 &&
	       (totals->sums & (totals->mins | totals->maxs)) == 0 && (totals->groups | added) != 0;
}
