#include "store/manifest.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CHECK_PREFIX ",\"check\":\""
/* The prefix, 16 hexadecimal digits, a quote and a brace. */
#define CHECK_SIZE (sizeof(CHECK_PREFIX) - 1 + 16 + 2)

void iq_manifest_release(struct iq_manifest *manifest)
{
	free(manifest->segments);
	iq_arena_release(&manifest->memory);
	*manifest = (struct iq_manifest)IQ_MANIFEST_INIT;
}

bool iq_manifest_lists(const struct iq_manifest *manifest, const char *file)
{
	for (size_t i = 0; i < manifest->count; i++)
		if (strcmp(manifest->segments[i].file, file) == 0)
			return true;
	return false;
}

int iq_manifest_add(struct iq_manifest *manifest, const struct iq_manifest_segment *segment)
{
	if (IQ_ARRAY_GROW(manifest->segments, manifest->capacity, manifest->count + 1) < 0)
		return IQ_ERR_NOMEM;
	manifest->segments[manifest->count++] = *segment;
	return 0;
}

static int remove_segment(struct iq_manifest *manifest, const char *file)
{
	for (size_t i = 0; i < manifest->count; i++) {
		if (strcmp(manifest->segments[i].file, file) != 0)
			continue;
		memmove(&manifest->segments[i], &manifest->segments[i + 1],
			(--manifest->count - i) * sizeof(*manifest->segments));
		return 0;
	}
	return IQ_ERR_CORRUPT;
}

static uint64_t order_of(const struct iq_manifest_segment *segment)
{
	return segment->summary.events ? segment->summary.ids.first : UINT64_MAX;
}

int iq_manifest_order(const struct iq_manifest_segment *x, const struct iq_manifest_segment *y)
{
	if (order_of(x) != order_of(y))
		return order_of(x) < order_of(y) ? -1 : 1;
	return (x->summary.evidence.first > y->summary.evidence.first) -
	       (x->summary.evidence.first < y->summary.evidence.first);
}

static int compare_segments(const void *a, const void *b)
{
	return iq_manifest_order(a, b);
}

void iq_manifest_sort(struct iq_manifest *manifest)
{
	if (manifest->count > 0)
		qsort(manifest->segments, manifest->count, sizeof(*manifest->segments), compare_segments);
}

/* Appends the check to a line that lacks its closing brace. The line end comes after it is synced. */
static void seal_line(struct iq_buf *line)
{
	uint64_t check = iq_hash64(iq_buf_view(line));

	(void)iq_buf_appendf(line, CHECK_PREFIX "%016" PRIx64 "\"}", check);
}

static bool line_is_whole(struct iq_view line)
{
	char expected[CHECK_SIZE + 1];
	struct iq_view said;

	if (line.len <= CHECK_SIZE)
		return false;
	said = iq_view_from(line, line.len - CHECK_SIZE);
	(void)snprintf(expected, sizeof(expected), CHECK_PREFIX "%016" PRIx64 "\"}",
		       iq_hash64(iq_view_make(line.data, line.len - said.len)));
	return iq_view_eq(said, iq_view_cstr(expected));
}

static bool number_at(struct iq_view object, struct iq_view pointer, uint64_t *ret_number)
{
	struct iq_buf scratch = IQ_BUF_INIT;
	struct iq_json_value value = iq_json_pointer(object, pointer, &scratch);
	int64_t number = -1;
	bool found = value.type == IQ_JSON_NUMBER && iq_view_to_int64(value.raw, &number) && number >= 0;

	iq_buf_release(&scratch);
	if (found)
		*ret_number = (uint64_t)number;
	return found;
}

/* File names are ours: digits and a suffix; nothing that leads out of the directory. */
static bool name_is_plain(struct iq_view name)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.data[i] == '/' || name.data[i] == '\0')
			return false;
	return name.len > 0 && name.data[0] != '.';
}

static bool take_member(struct iq_manifest *manifest, struct iq_manifest_segment *segment, struct iq_view name,
			struct iq_json *json, const struct iq_json_token *token)
{
	const bool is_text = token->type == IQ_JSON_STRING;
	int64_t bytes = -1;

	if (iq_view_eq(name, IQ_LIT("file"))) {
		segment->file =
			is_text && name_is_plain(token->raw) ? iq_arena_copy(&manifest->memory, token->raw).data : NULL;
		return segment->file != NULL;
	}
	if (iq_view_eq(name, IQ_LIT("root")))
		return is_text && iq_unhex(token->raw, segment->root, IQ_SHA256_SIZE);
	if (!iq_view_eq(name, IQ_LIT("bytes")))
		return iq_summary_take(&segment->summary, name, json, token, &manifest->memory);
	segment->bytes = iq_view_to_int64(token->raw, &bytes) ? (uint64_t)bytes : 0;
	return bytes >= 0;
}

static int parse_segment(struct iq_manifest *manifest, struct iq_json *json)
{
	struct iq_manifest_segment segment = { .line = manifest->lines.count + 1, .summary = IQ_SUMMARY_INIT };
	struct iq_json_token name, token;
	bool taken = true;

	while (taken && iq_json_next(json, &name) > 0 && name.type == IQ_JSON_KEY)
		taken = iq_json_next(json, &token) > 0 && take_member(manifest, &segment, name.raw, json, &token);
	if (!taken || !segment.file || iq_manifest_lists(manifest, segment.file))
		return IQ_ERR_CORRUPT;
	return iq_manifest_add(manifest, &segment);
}

static int parse_segments(struct iq_manifest *manifest, struct iq_json *json)
{
	struct iq_json_token token = { .type = IQ_JSON_NONE };
	int rc = 0;

	while (rc == 0 && iq_json_next(json, &token) > 0 && token.type == IQ_JSON_OBJECT_BEGIN)
		rc = parse_segment(manifest, json);
	return rc == 0 && token.type != IQ_JSON_ARRAY_END ? IQ_ERR_CORRUPT : rc;
}

static int parse_removed(struct iq_manifest *manifest, struct iq_json *json)
{
	struct iq_json_token token;
	char file[64];
	int rc = 0;

	while (rc == 0 && iq_json_next(json, &token) > 0 && token.type == IQ_JSON_STRING) {
		(void)snprintf(file, sizeof(file), "%.*s", IQ_VIEW_ARG(token.raw));
		rc = remove_segment(manifest, file);
	}
	return rc == 0 && token.type != IQ_JSON_ARRAY_END ? IQ_ERR_CORRUPT : rc;
}

/* The head before a line, as that line names it. */
static int check_head(const struct iq_manifest *manifest, const struct iq_json_token *token)
{
	uint8_t named[IQ_SHA256_SIZE], head[IQ_SHA256_SIZE];
	int rc = iq_merkle_root(&manifest->lines, head);

	if (rc < 0)
		return rc;
	return token->type == IQ_JSON_STRING && iq_unhex(token->raw, named, sizeof(named)) &&
			       memcmp(named, head, sizeof(head)) == 0
		       ? 0
		       : IQ_ERR_CORRUPT;
}

static int add_line(struct iq_manifest *manifest, struct iq_view line)
{
	return iq_merkle_add(&manifest->lines, line);
}

static int parse_commit(struct iq_manifest *manifest, struct iq_view line)
{
	struct iq_json json;
	struct iq_json_token name, token;
	int rc = 0;

	iq_json_init(&json, line);
	if (iq_json_next(&json, &token) <= 0 || token.type != IQ_JSON_OBJECT_BEGIN)
		return IQ_ERR_CORRUPT;
	while (rc == 0 && iq_json_next(&json, &name) > 0 && name.type == IQ_JSON_KEY) {
		if (iq_json_next(&json, &token) <= 0)
			return IQ_ERR_CORRUPT;
		if (token.type == IQ_JSON_ARRAY_BEGIN && iq_view_eq(name.raw, IQ_LIT("segments")))
			rc = parse_segments(manifest, &json);
		else if (token.type == IQ_JSON_ARRAY_BEGIN && iq_view_eq(name.raw, IQ_LIT("removed")))
			rc = parse_removed(manifest, &json);
		else if (iq_view_eq(name.raw, IQ_LIT("head")))
			rc = check_head(manifest, &token);
		else if (!iq_json_skip(&json, &token).data)
			rc = IQ_ERR_CORRUPT;
	}
	return rc == 0 ? add_line(manifest, line) : rc;
}

static int check_first_line(const char *path, struct iq_view line, struct iq_error *error)
{
	uint64_t version;

	if (!number_at(line, IQ_LIT("/inquest_store"), &version))
		return iq_error_set(error, IQ_ERR_FORMAT, "%s: not the manifest of an inquest store", path);
	if (version > IQ_MANIFEST_VERSION)
		return iq_error_set(error, IQ_ERR_VERSION,
				    "%s: store version %" PRIu64
				    " is newer than %d, the newest this inquest reads; upgrade inquest",
				    path, version, IQ_MANIFEST_VERSION);
	return 0;
}

/* Up to the first check; the NULL view where there is none. */
static struct iq_view up_to_check(struct iq_view line)
{
	const char *check = memmem(line.data, line.len, CHECK_PREFIX, sizeof(CHECK_PREFIX) - 1);

	if (!check || line.len - (size_t)(check - line.data) < CHECK_SIZE)
		return IQ_VIEW_NULL;
	return iq_view_make(line.data, (size_t)(check - line.data) + CHECK_SIZE);
}

/* The next line, without its end. A line end is written after its line is synced, so a line that has one was whole. What has none
 * was torn, if it does not begin with a whole line. The byte between two lines may be lost while what is behind it is there. */
static struct iq_view take_line(struct iq_view *text, bool *ret_torn)
{
	const char *newline = memchr(text->data, '\n', text->len);
	struct iq_view line = iq_view_make(text->data, newline ? (size_t)(newline - text->data) : text->len);

	if (line_is_whole(up_to_check(line)))
		line = up_to_check(line);
	*ret_torn = !newline && !line_is_whole(line);
	*text = iq_view_from(*text, line.len + (line.len < text->len));
	return line;
}

static int parse_line(const char *path, size_t number, struct iq_view line, struct iq_manifest *manifest,
		      struct iq_error *error)
{
	/* The version is looked at first: a newer one may seal its lines in another way. */
	int rc = number == 1 ? check_first_line(path, line, error) : 0;

	if (rc < 0)
		return rc;
	if (!line_is_whole(line))
		return iq_error_set(error, IQ_ERR_CORRUPT, "%s: line %zu is damaged", path, number);
	rc = number > 1 ? parse_commit(manifest, line) : add_line(manifest, line);
	if (rc == IQ_ERR_NOMEM || manifest->memory.failed)
		return iq_error_nomem(error);
	return rc < 0 ? iq_error_set(error, IQ_ERR_CORRUPT, "%s: line %zu does not follow from those before it", path,
				     number)
		      : 0;
}

static int parse_lines(const char *path, struct iq_view text, uint64_t limit, struct iq_manifest *manifest,
		       struct iq_error *error)
{
	const char *start = text.data;
	size_t number = 0;
	int rc = 0;

	while (rc == 0 && text.len > 0 && number < limit) {
		bool torn;
		struct iq_view line = take_line(&text, &torn);

		if (torn && number > 0)
			break;
		rc = parse_line(path, ++number, line, manifest, error);
		manifest->good_bytes = (uint64_t)(line.data + line.len - start);
	}
	if (rc == 0 && number == 0)
		rc = iq_error_set(error, IQ_ERR_FORMAT, "%s: empty; not the manifest of an inquest store", path);
	return rc;
}

int iq_manifest_read_lines(const char *store_path, uint64_t lines, struct iq_manifest *ret_manifest,
			   struct iq_error *error)
{
	struct iq_manifest manifest = IQ_MANIFEST_INIT;
	struct iq_buf text = IQ_BUF_INIT;
	char *path = iq_path_join(store_path, "manifest");
	int rc = path ? iq_file_read(path, IQ_MANIFEST_MAX_BYTES, &text, error) : iq_error_nomem(error);

	if (rc == 0)
		rc = parse_lines(path, iq_buf_view(&text), lines, &manifest, error);
	if (rc == 0 && lines != UINT64_MAX && manifest.lines.count < lines)
		rc = iq_error_set(error, IQ_ERR_NOT_FOUND, "%s: has %" PRIu64 " lines, not %" PRIu64, path,
				  manifest.lines.count, lines);
	iq_buf_release(&text);
	free(path);
	if (rc < 0)
		iq_manifest_release(&manifest);
	else
		*ret_manifest = manifest;
	return rc;
}

int iq_manifest_read(const char *store_path, struct iq_manifest *ret_manifest, struct iq_error *error)
{
	return iq_manifest_read_lines(store_path, UINT64_MAX, ret_manifest, error);
}

/* Behind `cut_at`, on a line of its own. The line end that says that the line was whole comes after the sync; if it is lost, the line
 * still counts. */
static int write_line(const char *path, int flags, uint64_t cut_at, const struct iq_buf *line, struct iq_error *error)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | flags, 0666);
	int rc = 0;

	if (fd < 0)
		return iq_error_errno(error, IQ_ERR_IO, "%s", path);
	if (ftruncate(fd, (off_t)cut_at) != 0 || lseek(fd, (off_t)cut_at, SEEK_SET) < 0)
		rc = iq_error_errno(error, IQ_ERR_IO, "%s", path);
	if (rc == 0 && cut_at > 0)
		rc = iq_file_write_all(fd, "\n", 1, error);
	if (rc == 0)
		rc = iq_file_write_all(fd, line->data, line->len, error);
	if (rc == 0 && fsync(fd) != 0)
		rc = iq_error_errno(error, IQ_ERR_IO, "%s", path);
	if (rc == 0)
		(void)iq_file_write_all(fd, "\n", 1, NULL);
	(void)close(fd);
	return rc;
}

/* It appears with its first line whole: one without it could not be told from a damaged one. */
int iq_manifest_create(const char *store_path, struct iq_error *error)
{
	char *path = iq_path_join(store_path, "manifest");
	char *temporary = iq_path_join(store_path, "manifest.tmp");
	struct iq_buf line = IQ_BUF_INIT;
	int rc;

	(void)iq_buf_appendf(&line, "{\"inquest_store\":%d", IQ_MANIFEST_VERSION);
	seal_line(&line);
	rc = path && temporary && !line.failed ? write_line(temporary, O_CREAT, 0, &line, error)
					       : iq_error_nomem(error);
	if (rc == 0 && rename(temporary, path) != 0)
		rc = iq_error_errno(error, IQ_ERR_IO, "%s", path);
	iq_buf_release(&line);
	free(temporary);
	free(path);
	return rc;
}

static void append_segment_json(struct iq_buf *line, const struct iq_manifest_segment *segment)
{
	char hex[IQ_SHA256_HEX_SIZE];

	iq_hex(segment->root, IQ_SHA256_SIZE, hex);
	(void)iq_buf_append_cstr(line, "{\"file\":");
	(void)iq_json_append_string(line, iq_view_cstr(segment->file));
	(void)iq_buf_appendf(line, ",\"bytes\":%" PRIu64 ",\"root\":\"%s\",", segment->bytes, hex);
	iq_summary_append(line, &segment->summary);
	(void)iq_buf_append_char(line, '}');
}

static void append_commit_json(struct iq_buf *line, const struct iq_manifest *manifest, const struct iq_commit *commit)
{
	uint8_t head[IQ_SHA256_SIZE];
	char hex[IQ_SHA256_HEX_SIZE];

	line->failed |= iq_merkle_root(&manifest->lines, head) < 0;
	iq_hex(head, sizeof(head), hex);
	(void)iq_buf_appendf(line, "{\"head\":\"%s\",", hex);
	for (size_t i = 0; i < commit->removed_count; i++) {
		(void)iq_buf_append_cstr(line, i ? "," : "\"removed\":[");
		(void)iq_json_append_string(line, iq_view_cstr(commit->removed[i]));
	}
	(void)iq_buf_append_cstr(line, commit->removed_count ? "],\"segments\":[" : "\"segments\":[");
	for (size_t i = 0; i < commit->added_count; i++) {
		(void)iq_buf_append_cstr(line, i ? "," : "");
		append_segment_json(line, &commit->added[i]);
	}
	(void)iq_buf_append_char(line, ']');
	seal_line(line);
}

int iq_manifest_append(const char *store_path, struct iq_manifest *manifest, const struct iq_commit *commit,
		       struct iq_error *error)
{
	char *path = iq_path_join(store_path, "manifest");
	struct iq_buf line = IQ_BUF_INIT;
	int rc;

	append_commit_json(&line, manifest, commit);
	rc = path && !line.failed ? write_line(path, 0, manifest->good_bytes, &line, error) : iq_error_nomem(error);
	if (rc == 0) {
		manifest->good_bytes += 1 + line.len;
		/* Read back as any reader reads it. */
		rc = parse_commit(manifest, iq_buf_view(&line));
		if (rc == IQ_ERR_NOMEM || manifest->memory.failed)
			rc = iq_error_nomem(error);
		else if (rc < 0)
			rc = iq_error_set(error, (enum iq_status)rc, "%s: the line just written does not read back",
					  path);
	}
	iq_buf_release(&line);
	free(path);
	return rc;
}
