#include "ingest/names.h"

#include <stdio.h>
#include <stdlib.h>

#include "ingest/attached.h"
#include "ingest/bundle.h"
#include "ingest/docker_event.h"
#include "ingest/record.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define ID_DIGITS 64
#define SHORT_ID_DIGITS 12
/* A longer number at the end of a name is no turn. */
#define MAX_TURN_DIGITS 5

void iq_origin_release(struct iq_origin *origin)
{
	iq_buf_release(&origin->source);
	iq_buf_release(&origin->attrs);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool drop_suffix(struct iq_view *name, struct iq_view suffix)
{
	if (name->len <= suffix.len || !iq_view_ends_with(*name, suffix))
		return false;
	name->len -= suffix.len;
	return true;
}

static void drop_first(struct iq_view *name, const struct iq_view *suffixes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (drop_suffix(name, suffixes[i]))
			return;
}

/* ---- Rotation ---- */

static void drop_compression(struct iq_view *name)
{
	static const struct iq_view suffixes[] = { { ".gz", 3 }, { ".zst", 4 }, { ".xz", 3 }, { ".bz2", 4 } };

	drop_first(name, suffixes, COUNT(suffixes));
}

/* `20261124`, `2026-11-24`, with `032759` or `-032759` behind it or without: as many digits as it takes. */
static size_t date_length(struct iq_view name)
{
	size_t len = name.len, digits = 0;

	while (len > 0 && (is_digit(name.data[len - 1]) || (name.data[len - 1] == '-' && digits > 0))) {
		if (is_digit(name.data[len - 1]))
			digits++;
		len--;
		if ((digits == 8 || digits == 14) && len > 1 &&
		    (name.data[len - 1] == '-' || name.data[len - 1] == '.') && name.data[len] == '2' &&
		    name.data[len + 1] == '0')
			return name.len - len;
	}
	return 0;
}

static size_t number_length(struct iq_view name)
{
	size_t digits = 0;

	while (digits < name.len && is_digit(name.data[name.len - 1 - digits]))
		digits++;
	return digits > 0 && digits <= MAX_TURN_DIGITS && digits + 1 < name.len &&
			       name.data[name.len - 1 - digits] == '.'
		       ? digits
		       : 0;
}

/* Takes the turn off the end of a name. */
static void drop_turn(struct iq_view *name, struct iq_rotation *rotation)
{
	const size_t date = date_length(*name), number = date ? 0 : number_length(*name);
	const size_t len = date + number;
	const struct iq_view turn = iq_view_make(name->data + name->len - len, len);
	int64_t value = 0;

	if (len == 0)
		return;
	if (date)
		rotation->date = turn;
	else if (iq_view_to_int64(turn, &value))
		rotation->number = (uint64_t)value;
	name->len -= len + 1;
}

/* journald's own: `system@SEQNUM_ID-SEQNUM-TIME.journal`, `system@TIME-RANDOM.journal~` where it was not closed, and `system.journal`, the
 * one being written; TIME has 16 hexadecimal digits. */
static bool drop_journal(struct iq_view *name, struct iq_rotation *rotation)
{
	static const struct iq_view suffixes[] = { { ".journal", 8 }, { ".journal~", 9 } };
	const size_t len = name->len, time = 16, closed = 2 * time + 1 + time + 1 + time, torn = time + 1 + time;
	const char *at;
	size_t turn;

	drop_first(name, suffixes, COUNT(suffixes));
	if (name->len == len)
		return false;
	at = memrchr(name->data, '@', name->len);
	turn = at ? (size_t)(name->data + name->len - at) - 1 : 0;
	if (turn != closed && turn != torn)
		return true;
	rotation->date = iq_view_make(turn == torn ? at + 1 : name->data + name->len - time, time);
	name->len -= turn + 1;
	return true;
}

struct iq_rotation iq_rotation_of(const char *path)
{
	const char *base = iq_path_base(path);
	struct iq_view name = iq_view_cstr(base);
	struct iq_rotation rotation = { .date = IQ_VIEW_NULL };

	drop_compression(&name);
	if (!drop_journal(&name, &rotation))
		drop_turn(&name, &rotation);
	rotation.stem = iq_view_make(path, (size_t)(base - path) + name.len);
	return rotation;
}

/* By date, by number from the largest down, then the file that is being written. */
int iq_rotation_compare(const struct iq_rotation *a, const struct iq_rotation *b)
{
	if (a->date.data || b->date.data) {
		if (a->date.data && b->date.data)
			return iq_view_cmp(a->date, b->date);
		return a->date.data ? -1 : 1;
	}
	if (a->number == 0 || b->number == 0)
		return (a->number == 0) - (b->number == 0);
	return a->number > b->number ? -1 : a->number < b->number;
}

/* ---- Whose ---- */

static bool is_container_id(struct iq_view name)
{
	uint8_t bytes[ID_DIGITS / 2];

	return name.len == ID_DIGITS && iq_unhex(name, bytes, sizeof(bytes));
}

static void set_pod(struct iq_origin *origin, struct iq_view namespace, struct iq_view pod, struct iq_view container)
{
	iq_attrs_text(&origin->attrs, IQ_LIT("pod"), pod);
	iq_attrs_text(&origin->attrs, IQ_LIT("container"), container);
	iq_attrs_text(&origin->attrs, IQ_LIT("namespace"), namespace);
	(void)iq_buf_append(&origin->source, pod);
	(void)iq_buf_append_char(&origin->source, '/');
	(void)iq_buf_append(&origin->source, container);
}

/* Divides `text` at `c` into exactly three parts that are not empty. */
static bool split3(struct iq_view text, char c, struct iq_view parts[3])
{
	for (size_t i = 0; i < 3; i++) {
		const char *end = text.len > 0 ? memchr(text.data, c, text.len) : NULL;

		if (text.len == 0 || (end == NULL) != (i == 2) || end == text.data)
			return false;
		parts[i] = iq_view_make(text.data, end ? (size_t)(end - text.data) : text.len);
		text = iq_view_from(text, parts[i].len + 1);
	}
	return true;
}

/* A UID as the API server makes it, or the hash of a static pod's file. */
static bool is_uid(struct iq_view text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!is_digit(text.data[i]) && (text.data[i] < 'a' || text.data[i] > 'f') && text.data[i] != '-')
			return false;
	return text.len == 32 || text.len == 36;
}

/* .../NAMESPACE_POD_UID/CONTAINER/N.log */
static bool read_pod_log(struct iq_origin *origin, struct iq_view path, struct iq_view name)
{
	struct iq_view container, parts[3];

	if (name.len == 0 || !is_digit(name.data[0]) || !iq_view_ends_with(name, IQ_LIT(".log")))
		return false;
	container = iq_view_take_last(&path, '/');
	if (container.len == 0 || !split3(iq_view_take_last(&path, '/'), '_', parts) || !is_uid(parts[2]))
		return false;
	set_pod(origin, parts[0], parts[1], container);
	return true;
}

/* POD_NAMESPACE_CONTAINER-ID.log */
static bool read_container_link(struct iq_origin *origin, struct iq_view name)
{
	struct iq_view parts[3], id;

	if (!drop_suffix(&name, IQ_LIT(".log")) || !split3(name, '_', parts) || parts[2].len <= ID_DIGITS + 1)
		return false;
	id = iq_view_from(parts[2], parts[2].len - ID_DIGITS);
	if (!is_container_id(id) || parts[2].data[parts[2].len - ID_DIGITS - 1] != '-')
		return false;
	parts[2].len -= ID_DIGITS + 1;
	set_pod(origin, parts[1], parts[0], parts[2]);
	iq_attrs_text(&origin->attrs, IQ_LIT("container_id"), id);
	return true;
}

static void read_file(struct iq_origin *origin, struct iq_view name)
{
	static const struct iq_view formats[] = {
		{ ".log", 4 },	{ ".har", 4 }, { ".ndjson", 7 }, { ".jsonl", 6 },
		{ ".json", 5 }, { ".txt", 4 }, { ".csv", 4 },	 { ".xml", 4 },
	};
	struct iq_rotation ignored = { .date = IQ_VIEW_NULL };
	bool is_id;

	drop_first(&name, formats, COUNT(formats));
	drop_turn(&name, &ignored);
	(void)drop_suffix(&name, IQ_LIT("-json"));
	is_id = is_container_id(name);
	if (is_id) {
		name.len = SHORT_ID_DIGITS;
		iq_attrs_text(&origin->attrs, IQ_LIT("container"), name);
	}
	(void)iq_buf_append(&origin->source, name);
}

int iq_origin_read_path(struct iq_origin *origin, const char *path)
{
	struct iq_view directory = iq_rotation_of(path).stem;
	struct iq_view name = iq_view_take_last(&directory, '/');

	if (strcmp(path, "-") == 0)
		(void)iq_buf_append_cstr(&origin->source, "stdin");
	else if (iq_attached_of(iq_view_cstr(path)) != IQ_ATTACHED_NOT || iq_view_eq(name, IQ_LIT("har.har")))
		iq_attached_source(IQ_VIEW_NULL, iq_view_cstr(path), &origin->source);
	else if (!read_pod_log(origin, directory, name) && !read_container_link(origin, name))
		read_file(origin, name);
	return origin->source.failed || origin->attrs.failed ? IQ_ERR_NOMEM : 0;
}

/* ---- Docker ---- */

bool iq_path_describes(const char *path)
{
	const char *base = iq_path_base(path);

	return strcmp(base, IQ_DOCKER_CONFIG) == 0 || strcmp(base, IQ_DOCKER_HOST_CONFIG) == 0 ||
	       iq_bundle_describes(path);
}

bool iq_path_is_docker_log(const char *path)
{
	struct iq_view directory = iq_rotation_of(path).stem;
	struct iq_view name = iq_view_take_last(&directory, '/');

	return drop_suffix(&name, IQ_LIT("-json.log")) && is_container_id(name);
}

int iq_origin_read_docker_config(struct iq_origin *origin, struct iq_view text)
{
	static const struct {
		const char *pointer;
		struct iq_view name;
	} labels[] = {
		{ "/Config/Labels/com.docker.compose.project", { "project", 7 } },
		{ "/Config/Labels/com.docker.compose.service", { "service", 7 } },
	};
	struct iq_buf scratch = IQ_BUF_INIT;
	struct iq_json_value value;
	bool failed;

	if (iq_buf_reserve(&scratch, 2 * text.len) < 0)
		return IQ_ERR_NOMEM;
	value = iq_json_pointer(text, IQ_LIT("/Name"), &scratch);
	if (value.type == IQ_JSON_STRING && value.text.len > 1 && value.text.data[0] == '/') {
		iq_buf_clear(&origin->source);
		(void)iq_buf_append(&origin->source, iq_view_from(value.text, 1));
	}
	for (size_t i = 0; i < COUNT(labels); i++) {
		value = iq_json_pointer(text, iq_view_cstr(labels[i].pointer), &scratch);
		if (value.type == IQ_JSON_STRING)
			iq_attrs_text(&origin->attrs, labels[i].name, value.text);
	}
	value = iq_json_pointer(text, IQ_LIT("/State/StartedAt"), &scratch);
	if (value.type == IQ_JSON_STRING)
		(void)iq_time_parse(value.text, &origin->started);
	failed = scratch.failed || origin->source.failed || origin->attrs.failed;
	iq_buf_release(&scratch);
	return failed ? IQ_ERR_NOMEM : 0;
}

void iq_origin_read_docker_host_config(struct iq_origin *origin, struct iq_view text)
{
	struct iq_arena memory = IQ_ARENA_INIT;
	struct iq_buf scratch = IQ_BUF_INIT;
	const struct iq_view config = iq_json_pointer(text, IQ_LIT("/LogConfig"), &scratch).raw;
	const struct iq_view limit = config.data ? iq_docker_log_limit(config, &memory) : IQ_VIEW_NULL;

	if (limit.data)
		(void)snprintf(origin->log_limit, sizeof(origin->log_limit), "%.*s", IQ_VIEW_ARG(limit));
	iq_buf_release(&scratch);
	iq_arena_release(&memory);
}

int iq_origin_read_docker_inspect(struct iq_origin *origin, struct iq_view text)
{
	struct iq_arena memory = IQ_ARENA_INIT;
	struct iq_buf scratch = IQ_BUF_INIT;
	const struct iq_view first = iq_json_pointer(text, IQ_LIT("/0"), &scratch).raw;
	struct iq_docker_state state;

	if (first.data && iq_docker_state_read(&state, first, &memory)) {
		iq_buf_clear(&origin->source);
		iq_docker_names_source(&state.of, &origin->source);
		iq_docker_names_describe(&state.of, &origin->attrs);
		origin->started = state.started;
		(void)snprintf(origin->log_limit, sizeof(origin->log_limit), "%.*s", IQ_VIEW_ARG(state.log_limit));
	}
	iq_buf_release(&scratch);
	iq_arena_release(&memory);
	return origin->source.failed || origin->attrs.failed ? IQ_ERR_NOMEM : 0;
}
