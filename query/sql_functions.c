/* REGEXP, has() and payload(). */
#define PCRE2_CODE_UNIT_WIDTH 8

#include <pcre2.h>
#include <stdlib.h>

#include "query/condition.h"
#include "query/sql_match.h"

/* PCRE2's limit starts again at each position of the subject: the statement's own time limit stands behind it. */
#define MATCH_LIMIT 100000u

struct iq_regexp {
	pcre2_code *code;
	pcre2_match_context *limits;
};

static pcre2_code *compile(struct iq_view pattern, char **ret_message)
{
	PCRE2_UCHAR message[128];
	PCRE2_SIZE offset;
	int error;
	pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern.data, pattern.len, PCRE2_UTF | PCRE2_MATCH_INVALID_UTF,
					 &error, &offset, NULL);

	if (code) {
		(void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
		return code;
	}
	(void)pcre2_get_error_message(error, message, sizeof(message));
	*ret_message = sqlite3_mprintf("pattern: %s at its byte %d", (const char *)message, (int)offset);
	return NULL;
}

struct iq_regexp *iq_regexp_new(struct iq_view pattern, char **ret_message)
{
	struct iq_regexp *regexp;

	*ret_message = NULL;
	if (pattern.len > IQ_PATTERN_MAX_BYTES) {
		*ret_message = sqlite3_mprintf("the pattern is longer than %d bytes", IQ_PATTERN_MAX_BYTES);
		return NULL;
	}
	regexp = calloc(1, sizeof(*regexp));
	if (!regexp)
		return NULL;
	regexp->limits = pcre2_match_context_create(NULL);
	regexp->code = regexp->limits ? compile(pattern, ret_message) : NULL;
	if (!regexp->code) {
		iq_regexp_free(regexp);
		return NULL;
	}
	(void)pcre2_set_match_limit(regexp->limits, MATCH_LIMIT);
	return regexp;
}

void iq_regexp_free(struct iq_regexp *regexp)
{
	if (!regexp)
		return;
	pcre2_code_free(regexp->code);
	pcre2_match_context_free(regexp->limits);
	free(regexp);
}

int iq_regexp_match(const struct iq_regexp *regexp, struct iq_view subject)
{
	pcre2_match_data *match = pcre2_match_data_create(1, NULL);
	int found;

	if (!match)
		return IQ_ERR_NOMEM;
	/* With room for one pair of offsets 0 says that there are groups besides: a match. */
	found = pcre2_match(regexp->code, (PCRE2_SPTR)(subject.data ? subject.data : ""), subject.len, 0, 0, match,
			    regexp->limits);
	pcre2_match_data_free(match);
	return found >= 0 ? 1 : found == PCRE2_ERROR_NOMATCH ? 0 : IQ_ERR_LIMIT;
}

static void free_regexp(void *regexp)
{
	iq_regexp_free(regexp);
}

static struct iq_view value_bytes(sqlite3_value *value)
{
	const char *data = sqlite3_value_blob(value);

	return iq_view_make(data ? data : "", (size_t)sqlite3_value_bytes(value));
}

/* The pattern of the call, compiled once for a statement where it is constant; NULL after an error was set. */
static struct iq_regexp *regexp_of(sqlite3_context *context, sqlite3_value *value, bool *ret_is_new)
{
	struct iq_regexp *regexp = sqlite3_get_auxdata(context, 0);
	const char *text = regexp ? NULL : (const char *)sqlite3_value_text(value);
	char *message;

	*ret_is_new = !regexp;
	if (regexp)
		return regexp;
	regexp = iq_regexp_new(iq_view_make(text ? text : "", (size_t)sqlite3_value_bytes(value)), &message);
	if (!regexp && message)
		sqlite3_result_error(context, message, -1);
	else if (!regexp)
		sqlite3_result_error_nomem(context);
	sqlite3_free(message);
	return regexp;
}

/* `subject REGEXP pattern` is regexp(pattern, subject). */
void iq_sql_regexp(sqlite3_context *context, int argc, sqlite3_value **argv)
{
	struct iq_regexp *regexp;
	bool is_new;
	int found;

	(void)argc;
	if (sqlite3_value_type(argv[0]) == SQLITE_NULL || sqlite3_value_type(argv[1]) == SQLITE_NULL)
		return;
	regexp = regexp_of(context, argv[0], &is_new);
	if (!regexp)
		return;
	found = iq_regexp_match(regexp, value_bytes(argv[1]));
	if (found >= 0)
		sqlite3_result_int(context, found);
	else if (found == IQ_ERR_NOMEM)
		sqlite3_result_error_nomem(context);
	else
		sqlite3_result_error(context, "the pattern takes too long on this text: make it simpler", -1);
	if (is_new)
		sqlite3_set_auxdata(context, 0, regexp, free_regexp);
}

/* has(haystack, needle): bytes, blobs and NULs included. */
void iq_sql_has(sqlite3_context *context, int argc, sqlite3_value **argv)
{
	(void)argc;
	if (sqlite3_value_type(argv[0]) == SQLITE_NULL || sqlite3_value_type(argv[1]) == SQLITE_NULL)
		return;
	sqlite3_result_int(context, iq_view_find(value_bytes(argv[0]), value_bytes(argv[1])) != SIZE_MAX);
}

/* payload(body): what a message of a dialect carries, an object; else the body itself. */
static void sql_payload(sqlite3_context *context, int argc, sqlite3_value **argv)
{
	const void *body = sqlite3_value_blob(argv[0]);
	struct iq_view payload = IQ_VIEW_NULL;

	(void)argc;
	if (body)
		payload = iq_dialect_payload(iq_view_make(body, (size_t)sqlite3_value_bytes(argv[0])));
	if (payload.data)
		sqlite3_result_text64(context, payload.data, payload.len, SQLITE_TRANSIENT, SQLITE_UTF8);
	else
		sqlite3_result_value(context, argv[0]);
}

int iq_sql_functions_register(sqlite3 *db)
{
	static const struct {
		const char *name;
		int arguments;
		void (*call)(sqlite3_context *context, int argc, sqlite3_value **argv);
	} functions[] = { { "regexp", 2, iq_sql_regexp }, { "has", 2, iq_sql_has }, { "payload", 1, sql_payload } };
	const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
	int rc = SQLITE_OK;

	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]) && rc == SQLITE_OK; i++)
		rc = sqlite3_create_function_v2(db, functions[i].name, functions[i].arguments, flags, NULL,
						functions[i].call, NULL, NULL, NULL);
	return rc;
}
