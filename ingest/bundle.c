#include "ingest/bundle.h"

#include <stdlib.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

void iq_bundle_release(struct iq_bundle *bundle)
{
	iq_buf_release(&bundle->root);
	iq_buf_release(&bundle->manifest);
	*bundle = (struct iq_bundle)IQ_BUNDLE_INIT;
}

bool iq_bundle_describes(const char *path)
{
	const char *base = iq_path_base(path);

	return strcmp(base, IQ_BUNDLE_HOST) == 0 || strcmp(base, IQ_BUNDLE_MANIFEST) == 0 ||
	       strcmp(base, IQ_BUNDLE_LIMIT) == 0 || strstr(path, "/docker/inspect/") != NULL;
}

/* The line without its end, which is taken off the text. */
static struct iq_view take_line(struct iq_view *text)
{
	const char *end = text->len > 0 ? memchr(text->data, '\n', text->len) : NULL;
	const struct iq_view line = iq_view_make(text->data, end ? (size_t)(end - text->data) : text->len);

	*text = iq_view_from(*text, line.len + (end != NULL));
	return line;
}

/* ---- host.txt ---- */

/* `NAME VALUE` */
static struct iq_view value_of(struct iq_view text, struct iq_view name)
{
	while (text.len > 0) {
		const struct iq_view line = take_line(&text);

		if (iq_view_starts_with(line, name) && line.len > name.len && line.data[name.len] == ' ')
			return iq_view_from(line, name.len + 1);
	}
	return IQ_VIEW_NULL;
}

static int64_t time_of(struct iq_view text, struct iq_view name)
{
	int64_t ts;

	return iq_time_parse(value_of(text, name), &ts) ? ts : IQ_TIME_NONE;
}

/* `2h`, `1h30m`, as docker, kubectl and gcloud read it. */
static bool read_duration(struct iq_view text, int64_t *ret_ns)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = { { 'd', 86400 }, { 'h', 3600 }, { 'm', 60 }, { 's', 1 }, { 'w', 7 * 86400 } };
	int64_t ns = 0;

	while (text.len > 0) {
		size_t digits = 0, i = 0;
		int64_t number;

		while (digits < text.len && text.data[digits] >= '0' && text.data[digits] <= '9')
			digits++;
		if (digits == 0 || digits > 6 || digits == text.len ||
		    !iq_view_to_int64(iq_view_make(text.data, digits), &number))
			return false;
		while (i < COUNT(units) && units[i].unit != text.data[digits])
			i++;
		if (i == COUNT(units) || number > INT32_MAX / units[i].seconds)
			return false;
		ns += number * units[i].seconds * IQ_NS_PER_S;
		text = iq_view_from(text, digits + 1);
	}
	*ret_ns = ns;
	return true;
}

/* A time, or so long ago when it was asked for, which is by the end at the latest. */
static int64_t since_of(const struct iq_bundle *bundle, struct iq_view text)
{
	int64_t value;

	if (iq_time_parse(text, &value) || iq_time_parse_epoch(text, &value))
		return value;
	return text.len > 0 && bundle->ended != IQ_TIME_NONE && read_duration(text, &value) ? bundle->ended - value
											    : IQ_TIME_NONE;
}

static bool read_host(struct iq_bundle *bundle, struct iq_view text)
{
	if (!iq_view_starts_with(text, IQ_LIT("collected ")))
		return false;
	bundle->began = time_of(text, IQ_LIT("began"));
	bundle->ended = time_of(text, IQ_LIT("ended"));
	bundle->since = since_of(bundle, value_of(text, IQ_LIT("since")));
	return bundle->began != IQ_TIME_NONE;
}

/* ---- Finding ---- */

static int read_beside(const struct iq_beside *beside, struct iq_view directory, const char *name, struct iq_buf *text)
{
	struct iq_buf path = IQ_BUF_INIT;
	int rc;

	(void)iq_buf_append(&path, directory);
	(void)iq_buf_append_cstr(&path, name);
	iq_buf_clear(text);
	rc = path.failed ? IQ_ERR_NOMEM : 0;
	if (rc == 0 && beside->read(beside->context, path.data, text) < 0)
		iq_buf_clear(text);
	iq_buf_release(&path);
	return rc;
}

static bool goes_up(struct iq_view *directory)
{
	size_t len = directory->len > 0 ? directory->len - 1 : 0;

	while (len > 0 && directory->data[len - 1] != '/')
		len--;
	/* An archive's own path is no directory of it. */
	if (len == 0 || (len > 1 && directory->data[len - 2] == '!'))
		return false;
	directory->len = len;
	return true;
}

static int look_into(struct iq_bundle *bundle, struct iq_view directory, const struct iq_beside *beside,
		     bool *ret_found)
{
	struct iq_buf text = IQ_BUF_INIT;
	int rc = read_beside(beside, directory, IQ_BUNDLE_HOST, &text);

	*ret_found = rc == 0 && read_host(bundle, iq_buf_view(&text));
	iq_buf_release(&text);
	if (rc < 0 || !*ret_found)
		return rc;
	if (iq_buf_append(&bundle->root, directory) < 0)
		return IQ_ERR_NOMEM;
	return read_beside(beside, directory, IQ_BUNDLE_MANIFEST, &bundle->manifest);
}

int iq_bundle_find(struct iq_bundle *bundle, const char *path, const struct iq_beside *beside)
{
	struct iq_view directory = iq_view_make(path, (size_t)(iq_path_base(path) - path));
	bool found = false;
	int rc = 0;

	if (bundle->root.len > 0 && iq_view_starts_with(iq_view_cstr(path), iq_buf_view(&bundle->root)))
		return 0;
	iq_bundle_release(bundle);
	for (int i = 0; i < IQ_BUNDLE_DEPTH && rc == 0 && !found && directory.len > 0; i++) {
		rc = look_into(bundle, directory, beside, &found);
		if (!found && !goes_up(&directory))
			break;
	}
	return rc;
}

const char *iq_bundle_path(const struct iq_bundle *bundle, const char *path)
{
	return bundle->root.len > 0 && iq_view_starts_with(iq_view_cstr(path), iq_buf_view(&bundle->root))
		       ? path + bundle->root.len
		       : NULL;
}

bool iq_bundle_is_note(const char *path_within)
{
	static const char *const names[] = { IQ_BUNDLE_HOST,  IQ_BUNDLE_MANIFEST, "errors.txt",
					     IQ_BUNDLE_LIMIT, "version.json",	  "info.json",
					     "images.ndjson", "nodes.json",	  "services.json" };

	for (size_t i = 0; i < COUNT(names); i++)
		if (strcmp(iq_path_base(path_within), names[i]) == 0)
			return true;
	return false;
}

/* ---- manifest.tsv: BYTES, SHA-256 or `-`, path ---- */

struct entry {
	struct iq_view bytes, hash, path;
};

static struct iq_view take_column(struct iq_view *line)
{
	const char *end = line->len > 0 ? memchr(line->data, '\t', line->len) : NULL;
	const struct iq_view column = iq_view_make(line->data, end ? (size_t)(end - line->data) : line->len);

	*line = iq_view_from(*line, column.len + (end != NULL));
	return column;
}

static struct entry take_entry(struct iq_view *text)
{
	struct iq_view line = take_line(text);
	struct entry entry;

	entry.bytes = take_column(&line);
	entry.hash = take_column(&line);
	entry.path = line;
	return entry;
}

bool iq_bundle_expects(const struct iq_bundle *bundle, const char *path_within, uint64_t *ret_bytes,
		       uint8_t ret_sha256[IQ_SHA256_SIZE])
{
	struct iq_view text = iq_buf_view(&bundle->manifest);
	int64_t bytes;

	while (text.len > 0) {
		const struct entry entry = take_entry(&text);

		if (!iq_view_eq(entry.path, iq_view_cstr(path_within)))
			continue;
		if (!iq_view_to_int64(entry.bytes, &bytes) || bytes < 0 ||
		    !iq_unhex(entry.hash, ret_sha256, IQ_SHA256_SIZE))
			return false;
		*ret_bytes = (uint64_t)bytes;
		return true;
	}
	return false;
}

bool iq_bundle_next(const struct iq_bundle *bundle, size_t *offset, struct iq_buf *path)
{
	struct iq_view text = iq_view_from(iq_buf_view(&bundle->manifest), *offset);
	struct entry entry = { .path = IQ_VIEW_NULL };

	while (text.len > 0 && entry.path.len == 0)
		entry = take_entry(&text);
	*offset = bundle->manifest.len - text.len;
	return entry.path.len > 0 && iq_buf_append(path, iq_buf_view(&bundle->root)) == 0 &&
	       iq_buf_append(path, entry.path) == 0;
}
