/* REGEXP and has(). */
#define PCRE2_CODE_UNIT_WIDTH 8

#include <pcre2.h>

#include "query/condition.h"
#include "query/sql_module.h"

/* PCRE2's limit starts again at each position of the subject: the statement's own time limit stands behind it. */
#define MATCH_LIMIT 100000u

static void free_pattern(void *pattern)
{
	pcre2_code_free(pattern);
}

static pcre2_code *compile(sqlite3_context *context, sqlite3_value *value)
{
	const unsigned char *text = sqlite3_value_text(value);
	int len = sqlite3_value_bytes(value), code;
	PCRE2_UCHAR message[128];
	PCRE2_SIZE offset;
	pcre2_code *pattern;

	if (len > IQ_PATTERN_MAX_BYTES) {
		sqlite3_result_error(context, "the pattern is longer than 4096 bytes", -1);
		return NULL;
	}
	pattern = pcre2_compile(text, (PCRE2_SIZE)len, PCRE2_UTF | PCRE2_MATCH_INVALID_UTF, &code, &offset, NULL);
	if (!pattern) {
		char *what;

		(void)pcre2_get_error_message(code, message, sizeof(message));
		what = sqlite3_mprintf("pattern: %s at its byte %d", (const char *)message, (int)offset);
		sqlite3_result_error(context, what ? what : "pattern", -1);
		sqlite3_free(what);
		return NULL;
	}
	(void)pcre2_jit_compile(pattern, PCRE2_JIT_COMPLETE);
	return pattern;
}

/* `subject REGEXP pattern` is regexp(pattern, subject). */
static void regexp(sqlite3_context *context, int argc, sqlite3_value **argv)
{
	pcre2_code *pattern = sqlite3_get_auxdata(context, 0);
	bool is_new = !pattern;
	pcre2_match_data *match;
	pcre2_match_context *limits;
	int found;

	(void)argc;
	if (sqlite3_value_type(argv[0]) == SQLITE_NULL || sqlite3_value_type(argv[1]) == SQLITE_NULL)
		return;
	if (is_new)
		pattern = compile(context, argv[0]);
	if (!pattern)
		return;
	match = pcre2_match_data_create_from_pattern(pattern, NULL);
	limits = pcre2_match_context_create(NULL);
	if (match && limits) {
		const void *subject = sqlite3_value_blob(argv[1]);

		(void)pcre2_set_match_limit(limits, MATCH_LIMIT);
		found = pcre2_match(pattern, subject ? subject : "", (PCRE2_SIZE)sqlite3_value_bytes(argv[1]), 0, 0,
				    match, limits);
		if (found >= 0 || found == PCRE2_ERROR_NOMATCH)
			sqlite3_result_int(context, found >= 0);
		else
			sqlite3_result_error(context, "the pattern takes too long on this text: make it simpler", -1);
	} else {
		sqlite3_result_error_nomem(context);
	}
	pcre2_match_data_free(match);
	pcre2_match_context_free(limits);
	if (is_new)
		sqlite3_set_auxdata(context, 0, pattern, free_pattern);
}

/* has(haystack, needle): bytes, blobs and NULs included. */
static void has(sqlite3_context *context, int argc, sqlite3_value **argv)
{
	struct iq_view haystack, needle;

	(void)argc;
	if (sqlite3_value_type(argv[0]) == SQLITE_NULL || sqlite3_value_type(argv[1]) == SQLITE_NULL)
		return;
	haystack.data = sqlite3_value_blob(argv[0]);
	haystack.len = (size_t)sqlite3_value_bytes(argv[0]);
	needle.data = sqlite3_value_blob(argv[1]);
	needle.len = (size_t)sqlite3_value_bytes(argv[1]);
	sqlite3_result_int(context, iq_view_find(haystack, needle) != SIZE_MAX);
}

int iq_sql_functions_register(sqlite3 *db)
{
	const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
	int rc = sqlite3_create_function_v2(db, "regexp", 2, flags, NULL, regexp, NULL, NULL, NULL);

	return rc != SQLITE_OK ? rc : sqlite3_create_function_v2(db, "has", 2, flags, NULL, has, NULL, NULL, NULL);
}
