#include "query/joined.h"

#include <stdlib.h>
#include <strings.h>

/* An id of the session. Those that begin with the same word are a list. */
struct id {
	struct iq_view text;
	bool needs_label;
	uint32_t next; /* index + 1 */
};

struct finder {
	struct iq_store *store;
	const struct iq_session *session;
	struct iq_joined *joined;
	struct iq_error *error;
	bool exchanges;	       /* HTTP is looked for, not log lines */
	struct iq_map secrets; /* cookies and tokens of its handshake */
	struct iq_map keys;    /* of exchanges that carry one */
	struct iq_map words;   /* first word of an id -> index + 1 */
	struct iq_map texts;   /* the ids there are */
	struct id *ids;
	size_t capacity;
};

/* ---- Ids ---- */

static bool is_word(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_' || c == '-' ||
	       (unsigned char)c >= 0x80;
}

static struct iq_view first_word(struct iq_view text)
{
	size_t from = 0, to;

	while (from < text.len && !is_word(text.data[from]))
		from++;
	for (to = from; to < text.len && is_word(text.data[to]);)
		to++;
	return iq_view_make(text.data + from, to - from);
}

static size_t count_digits(struct iq_view text)
{
	size_t count = 0;

	for (size_t i = 0; i < text.len; i++)
		count += text.data[i] >= '0' && text.data[i] <= '9';
	return count;
}

/* Six digits, or four characters with a digit among them, are hardly anything else. */
static bool is_distinctive(struct iq_view text, size_t digits)
{
	return text.len >= 6 ? digits > 0 || text.len >= 16 : text.len >= 4 && digits > 0 && digits < text.len;
}

static int add_id(struct finder *finder, struct iq_view text)
{
	const size_t digits = count_digits(text);
	struct iq_view word = first_word(text);
	uint64_t *first;
	uint32_t index;
	int rc;

	if (word.len == 0 || (digits == text.len && text.len < 6) || finder->texts.count >= IQ_JOINED_MAX_IDS)
		return 0;
	rc = iq_map_intern(&finder->texts, text, &index);
	if (rc <= 0)
		return rc;
	if (IQ_ARRAY_GROW(finder->ids, finder->capacity, (size_t)index + 1) < 0)
		return IQ_ERR_NOMEM;
	first = iq_map_get(&finder->words, word);
	finder->ids[index] = (struct id){ .text = finder->texts.entries[index].key,
					  .needs_label = !is_distinctive(text, digits),
					  .next = first ? (uint32_t)*first : 0 };
	return iq_map_set(&finder->words, word, index + 1);
}

/* The session's name, and the keys of its messages. */
static int collect_ids(struct finder *finder)
{
	struct iq_filter filter = IQ_FILTER_INIT;
	struct iq_cursor *cursor;
	struct iq_event event;
	int rc = add_id(finder, finder->session->name);

	if (rc < 0)
		return iq_error_nomem(finder->error);
	filter.sessions = &finder->session->no;
	filter.session_count = 1;
	filter.columns = 1u << IQ_COLUMN_KEY;
	rc = iq_cursor_open(finder->store, &filter, &cursor, finder->error);
	if (rc < 0)
		return rc;
	while ((rc = iq_cursor_next(cursor, &event, finder->error)) > 0) {
		if (!event.key.data || add_id(finder, event.key) >= 0)
			continue;
		rc = iq_error_nomem(finder->error);
		break;
	}
	iq_cursor_close(cursor);
	return rc;
}

/* ---- Words of a line ---- */

/* The words that say what follows them is an id. */
static bool is_label(struct iq_view word)
{
	static const char *const labels[] = { "session", "sess", "sid",	 "conn", "connection", "socket",
					      "run",	 "tool", "call", "job",	 "request",    "task" };

	if (word.len > 2 && strncasecmp(word.data + word.len - 2, "id", 2) == 0)
		return true;
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
		if (strlen(labels[i]) == word.len && strncasecmp(word.data, labels[i], word.len) == 0)
			return true;
	return false;
}

/* `session=`, `"run_id": "`, `[run `: is there a label before the place? */
static bool has_label(struct iq_view text, size_t at)
{
	size_t from = at, to;

	while (from > 0 && at - from < 6 && strchr(" \t\"'=:#([{<\\", text.data[from - 1]))
		from--;
	to = from;
	while (from > 0 && is_word(text.data[from - 1]))
		from--;
	return to < at && is_label(iq_view_make(text.data + from, to - from));
}

/* Does the id, whose first word is at `at`, stand there? */
static bool stands_at(const struct id *id, struct iq_view text, size_t at, size_t word_at)
{
	size_t begin = at - word_at, end = begin + id->text.len;

	if (at < word_at || end > text.len || memcmp(text.data + begin, id->text.data, id->text.len) != 0)
		return false;
	if (end < text.len && is_word(text.data[end]) && is_word(id->text.data[id->text.len - 1]))
		return false;
	return !id->needs_label || has_label(text, begin);
}

static bool has_id_at(const struct finder *finder, struct iq_view text, size_t at, struct iq_view word)
{
	const uint64_t *first = iq_map_get(&finder->words, word);

	for (uint32_t index = first ? (uint32_t)*first : 0; index > 0; index = finder->ids[index - 1].next) {
		const struct id *id = &finder->ids[index - 1];

		if (stands_at(id, text, at, (size_t)(first_word(id->text).data - id->text.data)))
			return true;
	}
	return false;
}

/* Called from several threads. */
static bool has_id(void *context, struct iq_view text, bool is_binary)
{
	const struct finder *finder = context;

	(void)is_binary;
	for (size_t at = 0; at < text.len;) {
		struct iq_view word = first_word(iq_view_from(text, at));

		at = (size_t)(word.data - text.data);
		if (word.len > 0 && has_id_at(finder, text, at, word))
			return true;
		at += word.len > 0 ? word.len : 1;
	}
	return false;
}

/* The key of a log line says by itself that it is an id. */
static bool is_id(void *context, struct iq_view text, bool is_binary)
{
	const struct finder *finder = context;

	(void)is_binary;
	return text.data && iq_map_get(&finder->texts, text);
}

/* ---- Lines ---- */

/* By the clock of the session's source. */
static int64_t time_of(const struct finder *finder, struct iq_view source, int64_t ts)
{
	return iq_time_shift(ts, iq_store_skew(finder->store, source) -
					 iq_store_skew(finder->store, finder->session->source));
}

/* A log-in comes before what it is for. */
static int64_t begin_of(const struct finder *finder)
{
	return iq_time_shift(finder->session->started, finder->exchanges ? -IQ_JOINED_BEFORE : -IQ_JOINED_MARGIN);
}

/* What an exchange is shown as: `POST http://h/login 200`. Its key finds the other half of it. */
static int describe_exchange(struct finder *finder, const struct iq_block *block, uint32_t row,
			     struct iq_view *ret_text)
{
	static const char *const pointers[] = { "/method", "/url", "/status", "/error" };
	struct iq_buf scratch = IQ_BUF_INIT, line = IQ_BUF_INIT;
	struct iq_view attrs, key;
	bool is_binary;
	int rc = iq_block_text(block, IQ_COLUMN_ATTRS, row, &attrs, &is_binary, finder->error);

	for (size_t i = 0; rc == 0 && i < sizeof(pointers) / sizeof(pointers[0]) && attrs.data; i++) {
		struct iq_json_value value = iq_json_pointer(attrs, iq_view_cstr(pointers[i]), &scratch);

		if (value.type == IQ_JSON_STRING || value.type == IQ_JSON_NUMBER)
			(void)iq_buf_appendf(&line, "%s%.*s", line.len > 0 ? " " : "",
					     IQ_VIEW_ARG(iq_utf8_cut(value.text, 200)));
	}
	*ret_text = iq_arena_copy(&finder->joined->memory, line.data ? iq_buf_view(&line) : IQ_LIT(""));
	iq_buf_release(&scratch);
	iq_buf_release(&line);
	if (rc == 0)
		rc = iq_block_text(block, IQ_COLUMN_KEY, row, &key, &is_binary, finder->error);
	return rc == 0 && key.data && iq_map_set(&finder->keys, key, 1) < 0 ? iq_error_nomem(finder->error) : rc;
}

static int take_row(struct finder *finder, const struct iq_block *block, uint32_t row)
{
	struct iq_joined *joined = finder->joined;
	struct iq_event event = IQ_EVENT_INIT;
	struct iq_view body;
	size_t count;
	const struct iq_source *sources = iq_store_sources(finder->store, &count);
	int rc;

	if (block->numbers[IQ_COLUMN_SESSION][row] == finder->session->no ||
	    (finder->exchanges && block->numbers[IQ_COLUMN_SESSION][row] != 0))
		return 0;
	for (size_t i = 0; i < count; i++)
		if (sources[i].no == block->numbers[IQ_COLUMN_SOURCE][row])
			event.source = sources[i].name;
	event.ts = time_of(finder, event.source, block->numbers[IQ_COLUMN_TS][row]);
	if (event.ts < begin_of(finder) || event.ts > finder->session->ended + IQ_JOINED_MARGIN)
		return 0;
	rc = iq_block_id(block, row, &event.id, finder->error);
	if (rc < 0)
		return rc;
	if (iq_joined_has(joined, event.id))
		return 0;
	if (joined->count >= IQ_JOINED_MAX) {
		joined->left_out++;
		return 0;
	}
	rc = finder->exchanges ? describe_exchange(finder, block, row, &body)
			       : iq_block_text(block, IQ_COLUMN_BODY, row, &body, &event.body_is_binary, finder->error);
	if (rc < 0)
		return rc;
	event.severity = (enum iq_severity)block->numbers[IQ_COLUMN_SEVERITY][row];
	event.body = iq_arena_copy(&joined->memory, body);
	if (joined->memory.failed || IQ_ARRAY_GROW(joined->events, joined->capacity, joined->count + 1) < 0 ||
	    iq_map_set(&joined->ids, iq_view_make((const char *)&event.id, sizeof(event.id)), 1) < 0)
		return iq_error_nomem(finder->error);
	joined->events[joined->count++] = event;
	return 0;
}

static bool is_log(void *context, struct iq_view text, bool is_binary)
{
	(void)context;
	(void)is_binary;
	return iq_view_eq(text, iq_view_cstr(iq_kind_name(IQ_KIND_LOG)));
}

static bool is_http(void *context, struct iq_view text, bool is_binary)
{
	(void)context;
	(void)is_binary;
	return iq_view_starts_with(text, IQ_LIT("http.")) ||
	       iq_view_eq(text, iq_view_cstr(iq_kind_name(IQ_KIND_NET_ERROR)));
}

/* Log lines, or exchanges, within the session's time that pass the test. */
static int scan(struct finder *finder, const struct iq_test *test)
{
	const struct iq_session *session = finder->session;
	const int64_t span = iq_store_skew_span(finder->store);
	const struct iq_range times = { iq_time_shift(begin_of(finder), -span),
					iq_time_shift(session->ended, span + IQ_JOINED_MARGIN) };
	const struct iq_test tests[] = { { .column = IQ_COLUMN_KIND, .accept = finder->exchanges ? is_http : is_log },
					 { .column = IQ_COLUMN_TS, .ranges = &times, .range_count = 1 },
					 *test };
	const struct iq_scan_options options = {
		.tests = tests,
		.test_count = 3,
		.columns = 1u << IQ_COLUMN_TS | 1u << IQ_COLUMN_SOURCE | 1u << IQ_COLUMN_SESSION |
			   1u << IQ_COLUMN_SEVERITY |
			   (finder->exchanges ? 1u << IQ_COLUMN_ATTRS | 1u << IQ_COLUMN_KEY : 1u << IQ_COLUMN_BODY),
		.order = IQ_SCAN_ID
	};
	struct iq_scan *opened;
	struct iq_run run;
	int rc = iq_scan_open(finder->store, &options, &opened, finder->error);

	if (rc < 0)
		return rc;
	while (rc == 0 && (rc = iq_scan_next(opened, &run, finder->error)) > 0) {
		rc = 0;
		for (uint64_t i = 0; i < run.count && rc == 0; i++)
			rc = take_row(finder, run.block, run.rows[i]);
	}
	iq_scan_close(opened);
	return rc;
}

/* Sessions of other sources that are called the same. */
static int scan_namesakes(struct finder *finder)
{
	size_t count, found = 0;
	const struct iq_session *sessions = iq_store_sessions(finder->store, &count);
	struct iq_range *ranges = NULL;
	size_t capacity = 0;
	int rc = 0;

	for (size_t i = 0; i < count && rc == 0; i++) {
		if (sessions[i].no == finder->session->no || !iq_view_eq(sessions[i].name, finder->session->name))
			continue;
		if (IQ_ARRAY_GROW(ranges, capacity, found + 1) < 0)
			rc = iq_error_nomem(finder->error);
		else
			ranges[found++] = (struct iq_range){ sessions[i].no, sessions[i].no };
	}
	if (rc == 0 && found > 0)
		rc = scan(finder,
			  &(struct iq_test){ .column = IQ_COLUMN_SESSION, .ranges = ranges, .range_count = found });
	free(ranges);
	return rc;
}

/* ---- Exchanges that carry a cookie or a token of the handshake ---- */

/* One that tells a user from another: `dark` of `theme=dark` does not. */
static int add_secret(struct finder *finder, struct iq_view text)
{
	if (text.len < IQ_JOINED_MIN_SECRET || (count_digits(text) == 0 && text.len < 2 * IQ_JOINED_MIN_SECRET) ||
	    finder->secrets.count >= IQ_JOINED_MAX_SECRETS)
		return 0;
	return iq_map_set(&finder->secrets, text, 1);
}

/* The parts of a text that may be secrets: `sid=abc; x=y`, `Bearer abc`, `protocol, abc`, `?token=abc&room=1`. */
static int add_parts(struct finder *finder, struct iq_view text, bool valued)
{
	size_t from = 0;
	bool is_value = !valued;
	int rc = 0;

	for (size_t at = 0; at <= text.len && rc >= 0; at++) {
		if (at < text.len && !strchr("=;, ?&\"", text.data[at]))
			continue;
		if (is_value)
			rc = add_secret(finder, iq_view_make(text.data + from, at - from));
		is_value = !valued || (at < text.len && text.data[at] == '=');
		from = at + 1;
	}
	return rc;
}

static bool is_header(struct iq_view name, const char *wanted)
{
	return strlen(wanted) == name.len && strncasecmp(name.data, wanted, name.len) == 0;
}

static int add_headers(struct finder *finder, struct iq_view headers)
{
	struct iq_json json;
	struct iq_json_token name, value;
	int rc = 0;

	iq_json_init(&json, headers);
	if (headers.len == 0 || iq_json_next(&json, &name) <= 0 || name.type != IQ_JSON_OBJECT_BEGIN)
		return 0;
	while (rc >= 0 && iq_json_member(&json, &name, &value) > 0) {
		struct iq_view raw = iq_json_skip(&json, &value);

		if (!raw.data)
			break;
		if (is_header(name.raw, "cookie"))
			rc = add_parts(finder, raw, true);
		else if (is_header(name.raw, "authorization") || is_header(name.raw, "sec-websocket-protocol"))
			rc = add_parts(finder, raw, false);
	}
	return rc;
}

static int read_handshake(struct finder *finder, struct iq_view attrs)
{
	struct iq_buf scratch = IQ_BUF_INIT;
	struct iq_view url = iq_json_pointer(attrs, IQ_LIT("/url"), &scratch).text;
	size_t query = iq_view_find(url, IQ_LIT("?"));
	int rc = add_headers(finder, iq_json_pointer(attrs, IQ_LIT("/headers"), &scratch).raw);

	if (rc >= 0 && query != SIZE_MAX)
		rc = add_parts(finder, iq_view_from(url, query), true);
	iq_buf_release(&scratch);
	return rc < 0 ? iq_error_nomem(finder->error) : 0;
}

static int collect_secrets(struct finder *finder)
{
	struct iq_filter filter = IQ_FILTER_INIT;
	struct iq_cursor *cursor;
	struct iq_event event;
	int rc;

	filter.sessions = &finder->session->no;
	filter.session_count = 1;
	filter.kinds = 1u << IQ_KIND_WS_OPEN | 1u << IQ_KIND_NET_ERROR;
	filter.columns = 1u << IQ_COLUMN_ATTRS;
	rc = iq_cursor_open(finder->store, &filter, &cursor, finder->error);
	if (rc < 0)
		return rc;
	while ((rc = iq_cursor_next(cursor, &event, finder->error)) > 0)
		if (event.attrs.data && (rc = read_handshake(finder, event.attrs)) < 0)
			break;
	iq_cursor_close(cursor);
	return rc;
}

/* As a word of its own. Called from several threads. */
static bool has_secret(void *context, struct iq_view text, bool is_binary)
{
	const struct finder *finder = context;

	(void)is_binary;
	for (uint32_t i = 0; i < finder->secrets.count && text.len > 0; i++) {
		const struct iq_view secret = finder->secrets.entries[i].key;
		size_t at = iq_view_find(text, secret);

		while (at != SIZE_MAX && ((at > 0 && is_word(text.data[at - 1])) ||
					  (at + secret.len < text.len && is_word(text.data[at + secret.len])))) {
			const size_t next = iq_view_find(iq_view_from(text, at + 1), secret);

			at = next == SIZE_MAX ? SIZE_MAX : at + 1 + next;
		}
		if (at != SIZE_MAX)
			return true;
	}
	return false;
}

static bool is_key(void *context, struct iq_view text, bool is_binary)
{
	const struct finder *finder = context;

	(void)is_binary;
	return text.data && iq_map_get(&finder->keys, text);
}

/* Requests that bring one, responses that give one, and then the other halves of these. */
static int find_exchanges(struct finder *finder)
{
	static const enum iq_column columns[] = { IQ_COLUMN_ATTRS, IQ_COLUMN_BODY };
	int rc = collect_secrets(finder);

	finder->exchanges = true;
	for (size_t i = 0; i < 2 && rc == 0 && finder->secrets.count > 0; i++)
		rc = scan(finder, &(struct iq_test){ .column = columns[i], .accept = has_secret, .context = finder });
	if (rc == 0 && finder->keys.count > 0)
		rc = scan(finder, &(struct iq_test){ .column = IQ_COLUMN_KEY, .accept = is_key, .context = finder });
	finder->exchanges = false;
	return rc;
}

static int find(struct finder *finder)
{
	int rc = collect_ids(finder);

	if (rc == 0)
		rc = scan_namesakes(finder);
	if (rc == 0 && finder->texts.count > 0)
		rc = scan(finder, &(struct iq_test){ .column = IQ_COLUMN_KEY, .accept = is_id, .context = finder });
	if (rc == 0 && finder->texts.count > 0)
		rc = scan(finder, &(struct iq_test){ .column = IQ_COLUMN_BODY, .accept = has_id, .context = finder });
	return rc == 0 ? find_exchanges(finder) : rc;
}

static int by_time(const void *a, const void *b)
{
	const struct iq_event *x = a, *y = b;

	if (x->ts != y->ts)
		return x->ts < y->ts ? -1 : 1;
	return (x->id > y->id) - (x->id < y->id);
}

int iq_joined_find(struct iq_store *store, const struct iq_session *session, struct iq_joined *ret_joined,
		   struct iq_error *error)
{
	struct finder finder = { .store = store, .session = session, .joined = ret_joined, .error = error };
	int rc = 0;

	*ret_joined = (struct iq_joined)IQ_JOINED_INIT;
	/* A session without any time, or at the end of it. */
	if (session->started != IQ_TIME_NONE && session->started > INT64_MIN + 1 + IQ_JOINED_MARGIN &&
	    session->ended < INT64_MAX - IQ_JOINED_MARGIN)
		rc = find(&finder);
	if (ret_joined->count > 0)
		qsort(ret_joined->events, ret_joined->count, sizeof(*ret_joined->events), by_time);
	iq_map_release(&finder.secrets);
	iq_map_release(&finder.keys);
	iq_map_release(&finder.words);
	iq_map_release(&finder.texts);
	free(finder.ids);
	return rc;
}

void iq_joined_release(struct iq_joined *joined)
{
	free(joined->events);
	iq_map_release(&joined->ids);
	iq_arena_release(&joined->memory);
}

bool iq_joined_has(const struct iq_joined *joined, uint64_t id)
{
	return joined->count > 0 && iq_map_get(&joined->ids, iq_view_make((const char *)&id, sizeof(id)));
}

static int by_id(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

int iq_session_beside(struct iq_store *store, uint32_t session_no, uint64_t **ret_ids, size_t *ret_count,
		      struct iq_error *error)
{
	const struct iq_session *session = iq_store_find_session(store, session_no);
	struct iq_joined joined;
	uint64_t *ids;
	int rc;

	if (!session)
		return iq_error_set(error, IQ_ERR_NOT_FOUND, "no session s%u; `inquest sessions` lists them",
				    session_no);
	rc = iq_joined_find(store, session, &joined, error);
	ids = calloc(joined.count + 1, sizeof(*ids));
	if (rc == 0 && !ids)
		rc = iq_error_nomem(error);
	for (size_t i = 0; i < joined.count && rc == 0; i++)
		ids[i] = joined.events[i].id;
	if (rc == 0 && joined.count > 0)
		qsort(ids, joined.count, sizeof(*ids), by_id);
	*ret_count = joined.count;
	iq_joined_release(&joined);
	if (rc < 0)
		free(ids);
	else
		*ret_ids = ids;
	return rc;
}

/* Sorted, each once. */
static size_t tidy_ids(uint64_t *ids, size_t count)
{
	size_t kept = 0;

	if (count > 0)
		qsort(ids, count, sizeof(*ids), by_id);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || ids[kept - 1] != ids[i])
			ids[kept++] = ids[i];
	return kept;
}

int iq_sessions_beside(struct iq_store *store, const uint32_t *sessions, size_t session_count, uint64_t **ret_ids,
		       size_t *ret_count, struct iq_error *error)
{
	uint64_t *all = NULL;
	size_t count = 0, capacity = 0;
	int rc = IQ_ARRAY_GROW(all, capacity, 1) < 0 ? iq_error_nomem(error) : 0;

	for (size_t i = 0; i < session_count && rc == 0; i++) {
		uint64_t *ids = NULL;
		size_t more = 0;

		rc = iq_session_beside(store, sessions[i], &ids, &more, error);
		if (rc == 0 && IQ_ARRAY_GROW(all, capacity, count + more) < 0)
			rc = iq_error_nomem(error);
		for (size_t j = 0; j < more && rc == 0; j++)
			all[count++] = ids[j];
		free(ids);
	}
	if (rc < 0) {
		free(all);
		return rc;
	}
	*ret_ids = all;
	*ret_count = tidy_ids(all, count);
	return 0;
}
