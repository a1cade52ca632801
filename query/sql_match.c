/* Comparisons as SQLite makes them ("Datatypes In SQLite", sections 3 and 4), taken apart so that they can be made where the
 * values are stored. */
#include "query/sql_match.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* What a text is compared with. */
struct match {
	enum iq_sql_operator operator_;
	int type; /* of the value: SQLITE_TEXT, SQLITE_BLOB, SQLITE_NULL; else a number */
	struct iq_view value;
	struct item *items; /* IN, sorted */
	size_t count;
	bool has_number; /* IN */
	struct iq_regexp *regexp;
};

struct item {
	bool is_blob;
	struct iq_view bytes;
};

static struct iq_view copy_bytes(sqlite3_value *value, struct iq_arena *memory)
{
	const char *data = sqlite3_value_type(value) == SQLITE_BLOB ? sqlite3_value_blob(value)
								    : (const char *)sqlite3_value_text(value);

	return iq_arena_copy(memory, iq_view_make(data ? data : "", (size_t)sqlite3_value_bytes(value)));
}

/* ---- Numbers ---- */

/* What a number can be; INT64_MIN stands for none. */
static const struct iq_range every_number = { INT64_MIN + 1, INT64_MAX };

/* A value on the line of the integers: at `floor`, or between it and the next. */
struct place {
	enum { PLACE_NULL, PLACE_BELOW, PLACE_AT, PLACE_AFTER, PLACE_ABOVE } where;
	int64_t floor;
};

static struct place place_of_real(double real)
{
	if (isnan(real))
		return (struct place){ PLACE_NULL, 0 };
	if (real >= 9223372036854775808.0)
		return (struct place){ PLACE_ABOVE, 0 };
	if (real < -9223372036854775808.0)
		return (struct place){ PLACE_BELOW, 0 };
	return (struct place){ floor(real) == real ? PLACE_AT : PLACE_AFTER, (int64_t)floor(real) };
}

/* Text that looks like a number is one; other text, and any blob, is greater than all numbers. */
static struct place place_of(sqlite3_value *value)
{
	switch (sqlite3_value_type(value) == SQLITE_BLOB ? SQLITE_BLOB : sqlite3_value_numeric_type(value)) {
	case SQLITE_NULL:
		return (struct place){ PLACE_NULL, 0 };
	case SQLITE_INTEGER:
		return (struct place){ PLACE_AT, sqlite3_value_int64(value) };
	case SQLITE_FLOAT:
		return place_of_real(sqlite3_value_double(value));
	default:
		return (struct place){ PLACE_ABOVE, 0 };
	}
}

/* The numbers less than the place (or, with `or_at`, at it): `*ret_max` is the largest. False where there are none. */
static bool below(struct place place, bool or_at, int64_t *ret_max)
{
	if (place.where == PLACE_BELOW)
		return false;
	*ret_max = place.where == PLACE_ABOVE ? INT64_MAX : place.floor;
	if (place.where != PLACE_AT || or_at)
		return true;
	if (place.floor == INT64_MIN)
		return false;
	--*ret_max;
	return true;
}

static bool above(struct place place, bool or_at, int64_t *ret_min)
{
	if (place.where == PLACE_ABOVE)
		return false;
	*ret_min = place.where == PLACE_BELOW ? INT64_MIN + 1 : place.floor;
	if (place.where == PLACE_BELOW || (place.where == PLACE_AT && or_at))
		return true;
	if (place.floor == INT64_MAX)
		return false;
	++*ret_min;
	return true;
}

/* ---- Times ---- */

/* RFC 3339, also without seconds or without a time of day. */
static bool parse_time(struct iq_view text, int64_t *ret_ns)
{
	static const char *const rests[] = { "", ":00", "T00:00:00" };
	char longer[IQ_RFC3339_SIZE + 16];

	for (size_t i = 0; i < 3 && text.len < IQ_RFC3339_SIZE; i++) {
		int len = snprintf(longer, sizeof(longer), "%.*s%s", IQ_VIEW_ARG(text), rests[i]);

		if (iq_time_parse(iq_view_make(longer, (size_t)len), ret_ns))
			return true;
	}
	return false;
}

/* Where a text that is no time lies among the times as they are written: these ascend as the times do. */
static struct place place_among_times(struct iq_view text)
{
	int64_t low = INT64_MIN + 1, high = INT64_MAX;
	char written[IQ_RFC3339_SIZE];

	if (iq_view_cmp(iq_view_cstr(iq_time_format(low, written)), text) > 0)
		return (struct place){ PLACE_BELOW, 0 };
	while (low < high) {
		int64_t middle = (int64_t)((uint64_t)low + ((uint64_t)high - (uint64_t)low + 1) / 2);

		if (iq_view_cmp(iq_view_cstr(iq_time_format(middle, written)), text) <= 0)
			low = middle;
		else
			high = middle - 1;
	}
	return (struct place){ PLACE_AFTER, low };
}

static int place_of_time(enum iq_sql_kind kind, sqlite3_value *value, struct place *ret_place, char **ret_message)
{
	struct iq_view text = { 0 };
	int64_t ns;

	*ret_place = place_of(value);
	if (sqlite3_value_type(value) != SQLITE_TEXT || sqlite3_value_numeric_type(value) != SQLITE_TEXT)
		return SQLITE_OK;
	text.data = (const char *)sqlite3_value_text(value);
	text.len = (size_t)sqlite3_value_bytes(value);
	if (!text.data)
		return SQLITE_NOMEM;
	if (parse_time(text, &ns)) {
		*ret_place = (struct place){ PLACE_AT, ns };
	} else if (kind == IQ_SQL_TIME) {
		*ret_place = place_among_times(text);
	} else {
		sqlite3_free(*ret_message);
		*ret_message = sqlite3_mprintf(
			"'%.60s' is not a time: write 2026-11-23T03:07:12Z, or nanoseconds since 1970", text.data);
		return SQLITE_ERROR;
	}
	return SQLITE_OK;
}

/* ---- Tests of numbers ---- */

static int find_place(enum iq_sql_kind kind, sqlite3_value *value, struct place *ret_place, char **ret_message)
{
	if (kind != IQ_SQL_NUMBER)
		return place_of_time(kind, value, ret_place, ret_message);
	*ret_place = place_of(value);
	return SQLITE_OK;
}

static int compare_ranges(const void *a, const void *b)
{
	const struct iq_range *x = a, *y = b;

	return (x->min > y->min) - (x->min < y->min);
}

static int match_list(enum iq_sql_kind kind, sqlite3_value *list, struct iq_arena *memory, struct iq_test *test,
		      char **ret_message)
{
	struct iq_buf numbers = IQ_BUF_INIT;
	struct iq_range *ranges;
	sqlite3_value *item;
	size_t count = 0;
	int rc;

	for (rc = sqlite3_vtab_in_first(list, &item); rc == SQLITE_OK && item; rc = sqlite3_vtab_in_next(list, &item)) {
		struct place place;

		rc = find_place(kind, item, &place, ret_message);
		if (rc != SQLITE_OK)
			break;
		if (place.where == PLACE_AT &&
		    iq_buf_append(&numbers, iq_view_make((const char *)&place.floor, sizeof(place.floor))) < 0)
			rc = SQLITE_NOMEM;
		if (rc != SQLITE_OK)
			break;
	}
	ranges = iq_arena_calloc(memory, numbers.len / sizeof(int64_t) + 1, sizeof(*ranges));
	for (size_t i = 0; ranges && i < numbers.len / sizeof(int64_t); i++) {
		memcpy(&ranges[i].min, numbers.data + i * sizeof(int64_t), sizeof(int64_t));
		ranges[i].max = ranges[i].min;
	}
	count = numbers.len / sizeof(int64_t);
	iq_buf_release(&numbers);
	if (!ranges)
		return SQLITE_NOMEM;
	qsort(ranges, count, sizeof(*ranges), compare_ranges);
	test->ranges = ranges;
	test->range_count = count;
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Less, equal and greater, each as one range, or none. */
static int set_ranges(struct iq_test *test, struct iq_arena *memory, struct place place, bool less, bool equal,
		      bool greater)
{
	struct iq_range *ranges = iq_arena_calloc(memory, 3, sizeof(*ranges));
	size_t count = 0;
	int64_t bound;

	if (!ranges)
		return SQLITE_NOMEM;
	if (less && below(place, equal && !greater, &bound))
		ranges[count++] = (struct iq_range){ INT64_MIN + 1, bound };
	if (equal && !less && !greater && place.where == PLACE_AT)
		ranges[count++] = (struct iq_range){ place.floor, place.floor };
	if (greater && above(place, equal && !less, &bound))
		ranges[count++] = (struct iq_range){ bound, INT64_MAX };
	test->ranges = ranges;
	test->range_count = count;
	return SQLITE_OK;
}

static int match_number(enum iq_sql_kind kind, enum iq_sql_operator operator_, sqlite3_value *value,
			struct iq_arena *memory, struct iq_test *test, char **ret_message)
{
	const bool is_not = operator_ == IQ_SQL_NE || operator_ == IQ_SQL_IS_NOT;
	struct place place = { PLACE_NULL, 0 };
	int rc = SQLITE_OK;

	if (operator_ == IQ_SQL_IN)
		return match_list(kind, value, memory, test, ret_message);
	if (operator_ != IQ_SQL_IS_NULL && operator_ != IQ_SQL_NOT_NULL)
		rc = find_place(kind, value, &place, ret_message);
	if (rc != SQLITE_OK)
		return rc;
	if (place.where == PLACE_NULL) {
		test->nulls = operator_ == IQ_SQL_IS || operator_ == IQ_SQL_IS_NULL;
		test->ranges = &every_number;
		test->range_count = operator_ == IQ_SQL_IS_NOT || operator_ == IQ_SQL_NOT_NULL;
		return SQLITE_OK;
	}
	test->nulls = operator_ == IQ_SQL_IS_NOT;
	return set_ranges(test, memory, place, is_not || operator_ == IQ_SQL_LT || operator_ == IQ_SQL_LE,
			  operator_ == IQ_SQL_EQ || operator_ == IQ_SQL_IS || operator_ == IQ_SQL_LE ||
				  operator_ == IQ_SQL_GE,
			  is_not || operator_ == IQ_SQL_GT || operator_ == IQ_SQL_GE);
}

/* ---- Sessions ---- */

/* `s41` -> 41, and nothing else. */
static bool parse_session(struct iq_view text, int64_t *ret_no)
{
	char name[IQ_SESSION_NAME_SIZE];

	return text.len > 1 && iq_view_to_int64(iq_view_from(text, 1), ret_no) && *ret_no > 0 &&
	       *ret_no <= UINT32_MAX && iq_view_eq(iq_session_name((uint32_t)*ret_no, name), text);
}

/* As numbers, so that a chunk is looked up rather than searched. False: compare the names. */
static bool match_sessions(const struct match *match, struct iq_arena *memory, struct iq_test *test)
{
	const bool is_list = match->operator_ == IQ_SQL_IN;
	const size_t count = is_list ? match->count : 1;
	struct iq_range *ranges;
	int64_t no;

	if ((match->operator_ != IQ_SQL_EQ && match->operator_ != IQ_SQL_IS && !is_list) || match->has_number ||
	    (!is_list && match->type != SQLITE_TEXT))
		return false;
	ranges = iq_arena_calloc(memory, count + 1, sizeof(*ranges));
	if (!ranges)
		return false;
	for (size_t i = 0; i < count; i++) {
		const bool is_text = !is_list || !match->items[i].is_blob;

		if (is_text && parse_session(is_list ? match->items[i].bytes : match->value, &no))
			ranges[test->range_count++] = (struct iq_range){ no, no };
	}
	if (test->range_count > 1)
		qsort(ranges, test->range_count, sizeof(*ranges), compare_ranges);
	test->ranges = ranges;
	test->accept = NULL;
	return true;
}

/* ---- Texts ---- */

/* Texts come before blobs; both by their bytes. */
static int compare_bytes(struct iq_view text, bool is_blob, struct iq_view other, bool other_is_blob)
{
	return is_blob != other_is_blob ? (is_blob ? 1 : -1) : iq_view_cmp(text, other);
}

static int compare_items(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	return compare_bytes(x->bytes, x->is_blob, y->bytes, y->is_blob);
}

static bool is_in(const struct match *match, struct iq_view text, bool is_blob)
{
	const struct item wanted = { is_blob, text };

	/* How a number and a text compare depends on what SQLite knows of both: it decides itself. */
	return match->has_number ||
	       (match->count > 0 && bsearch(&wanted, match->items, match->count, sizeof(*match->items), compare_items));
}

/* SQLite's patterns read texts up to a NUL. */
static bool match_pattern(const struct match *match, struct iq_view text)
{
	char buffer[1024];
	char *copy = text.len < sizeof(buffer) ? buffer : malloc(text.len + 1);
	bool found;

	if (!copy)
		return true; /* SQLite asks again, and fails itself */
	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	found = (match->operator_ == IQ_SQL_LIKE ? sqlite3_strlike(match->value.data, copy, 0)
						 : sqlite3_strglob(match->value.data, copy)) == 0;
	if (copy != buffer)
		free(copy);
	return found;
}

static bool accept_null(const struct match *match)
{
	return match->operator_ == IQ_SQL_IS_NULL || (match->operator_ == IQ_SQL_IS && match->type == SQLITE_NULL) ||
	       (match->operator_ == IQ_SQL_IS_NOT && match->type != SQLITE_NULL);
}

static bool accept_compared(const struct match *match, struct iq_view text, bool is_blob)
{
	int order;

	if (match->type == SQLITE_NULL)
		return match->operator_ == IQ_SQL_IS_NOT;
	if (match->type != SQLITE_TEXT && match->type != SQLITE_BLOB)
		return true; /* see is_in() */
	if (match->operator_ <= IQ_SQL_NE && text.len != match->value.len)
		return match->operator_ == IQ_SQL_NE;
	order = compare_bytes(text, is_blob, match->value, match->type == SQLITE_BLOB);
	switch (match->operator_) {
	case IQ_SQL_EQ:
	case IQ_SQL_IS:
		return order == 0;
	case IQ_SQL_LT:
		return order < 0;
	case IQ_SQL_LE:
		return order <= 0;
	case IQ_SQL_GT:
		return order > 0;
	case IQ_SQL_GE:
		return order >= 0;
	default:
		return order != 0;
	}
}

static bool accept(void *context, struct iq_view text, bool is_blob)
{
	const struct match *match = context;

	if (!text.data)
		return accept_null(match);
	switch (match->operator_) {
	case IQ_SQL_IS_NULL:
		return false;
	case IQ_SQL_NOT_NULL:
		return true;
	case IQ_SQL_IN:
		return is_in(match, text, is_blob);
	case IQ_SQL_LIKE:
	case IQ_SQL_GLOB:
		return match->type != SQLITE_NULL && match_pattern(match, text);
	case IQ_SQL_REGEXP:
		return match->regexp && iq_regexp_match(match->regexp, text) != 0;
	case IQ_SQL_HAS:
		return match->type != SQLITE_NULL && iq_view_find(text, match->value) != SIZE_MAX;
	default:
		return accept_compared(match, text, is_blob);
	}
}

static int collect_items(struct match *match, sqlite3_value *list, struct iq_arena *memory)
{
	struct iq_buf items = IQ_BUF_INIT;
	sqlite3_value *value;
	int rc;

	for (rc = sqlite3_vtab_in_first(list, &value); rc == SQLITE_OK && value;
	     rc = sqlite3_vtab_in_next(list, &value)) {
		const int type = sqlite3_value_type(value);
		const struct item item = { type == SQLITE_BLOB, copy_bytes(value, memory) };

		if (!item.bytes.data || iq_buf_append(&items, iq_view_make((const char *)&item, sizeof(item))) < 0) {
			rc = SQLITE_NOMEM;
			break;
		}
		match->has_number |= type == SQLITE_INTEGER || type == SQLITE_FLOAT;
		if (type == SQLITE_NULL)
			items.len -= sizeof(item);
	}
	match->count = items.len / sizeof(struct item);
	match->items = iq_arena_calloc(memory, match->count + 1, sizeof(struct item));
	if (match->items && match->count)
		memcpy(match->items, items.data, items.len);
	iq_buf_release(&items);
	if (!match->items)
		return SQLITE_NOMEM;
	qsort(match->items, match->count, sizeof(*match->items), compare_items);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int compile_regexp(struct match *match, char **ret_message)
{
	char *message;

	match->regexp = iq_regexp_new(match->value, &message);
	if (match->regexp)
		return SQLITE_OK;
	sqlite3_free(*ret_message);
	*ret_message = message;
	return message ? SQLITE_ERROR : SQLITE_NOMEM;
}

static int set_literals(const struct match *match, struct iq_arena *memory, struct iq_test *test)
{
	struct iq_view *literals = NULL;
	int rc = 0;

	if (match->operator_ == IQ_SQL_LIKE || match->operator_ == IQ_SQL_GLOB || match->operator_ == IQ_SQL_REGEXP) {
		rc = iq_sql_literals(match->operator_, match->value, memory, &literals, &test->literal_count,
				     &test->folded);
	} else if (match->operator_ == IQ_SQL_HAS || match->operator_ == IQ_SQL_EQ || match->operator_ == IQ_SQL_IS) {
		literals = iq_arena_calloc(memory, 1, sizeof(*literals));
		rc = literals ? 0 : IQ_ERR_NOMEM;
		if (literals)
			literals[0] = match->value;
		test->literal_count = match->value.len > 0;
	}
	test->literals = literals;
	return rc < 0 ? SQLITE_NOMEM : SQLITE_OK;
}

static int match_text(enum iq_sql_operator operator_, sqlite3_value *value, struct iq_arena *memory,
		      struct iq_test *test, char **ret_message)
{
	struct match *match = iq_arena_calloc(memory, 1, sizeof(*match));
	int rc = SQLITE_OK;

	if (!match)
		return SQLITE_NOMEM;
	*match = (struct match){ .operator_ = operator_, .type = value ? sqlite3_value_type(value) : SQLITE_NULL };
	test->accept = accept;
	test->context = match;
	if (operator_ == IQ_SQL_IN)
		rc = collect_items(match, value, memory);
	else if (match->type != SQLITE_NULL)
		match->value = copy_bytes(value, memory);
	if (rc == SQLITE_OK && match->type != SQLITE_NULL && operator_ != IQ_SQL_IN && !match->value.data)
		rc = SQLITE_NOMEM;
	/* SQLite's patterns end at a NUL themselves. */
	if (operator_ == IQ_SQL_LIKE || operator_ == IQ_SQL_GLOB)
		match->value.len = match->value.data ? strlen(match->value.data) : 0;
	if (rc == SQLITE_OK && operator_ == IQ_SQL_REGEXP && match->type != SQLITE_NULL)
		rc = compile_regexp(match, ret_message);
	if (rc == SQLITE_OK && test->column == IQ_COLUMN_SESSION && match_sessions(match, memory, test))
		return SQLITE_OK;
	/* A number is compared by SQLite, who may find other texts equal to it. */
	if (rc == SQLITE_OK && match->type != SQLITE_NULL &&
	    (operator_ >= IQ_SQL_LIKE || match->type == SQLITE_TEXT || match->type == SQLITE_BLOB))
		rc = set_literals(match, memory, test);
	return rc;
}

int iq_sql_match(enum iq_column column, enum iq_sql_kind kind, enum iq_sql_operator operator_, sqlite3_value *value,
		 struct iq_arena *memory, struct iq_test *ret_test, char **ret_message)
{
	*ret_test = (struct iq_test){ .column = column };
	return kind == IQ_SQL_TEXT || kind == IQ_SQL_BODY
		       ? match_text(operator_, value, memory, ret_test, ret_message)
		       : match_number(kind, operator_, value, memory, ret_test, ret_message);
}

void iq_sql_match_release(struct iq_test *test)
{
	if (test->accept != accept)
		return;
	iq_regexp_free(((struct match *)test->context)->regexp);
	((struct match *)test->context)->regexp = NULL;
}

bool iq_sql_match_is_exact(enum iq_sql_kind kind, enum iq_sql_operator operator_, sqlite3_value *value)
{
	switch (operator_) {
	case IQ_SQL_IS_NULL:
	case IQ_SQL_NOT_NULL:
	case IQ_SQL_HAS:
		return true;
	case IQ_SQL_LIKE: /* its meaning can be changed: PRAGMA case_sensitive_like */
	case IQ_SQL_GLOB:
	case IQ_SQL_REGEXP:
		return false;
	default:
		if (kind != IQ_SQL_TEXT && kind != IQ_SQL_BODY)
			return true;
		return value && sqlite3_value_type(value) == SQLITE_TEXT && operator_ != IQ_SQL_IN;
	}
}
