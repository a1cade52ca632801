#include "store/manifest.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#define CHECK_PREFIX ",\"check\":\""
/* The prefix, 16 hexadecimal digits, a quote and a brace. */
#define CHECK_SIZE (sizeof(CHECK_PREFIX) - 1 + 16 + 2)

void iq_manifest_release(struct iq_manifest *manifest)
{
	for (size_t i = 0; i < manifest->count; i++)
		free(manifest->segments[i].file);
	free(manifest->segments);
	*manifest = (struct iq_manifest){ NULL, 0, 0 };
}

static int add_segment(struct iq_manifest *manifest, const struct iq_manifest_segment *segment)
{
	struct iq_manifest_segment *grown =
		realloc(manifest->segments, (manifest->count + 1) * sizeof(*manifest->segments));
	char *file;

	if (!grown)
		return IQ_ERR_NOMEM;
	manifest->segments = grown;
	file = strdup(segment->file);
	if (!file)
		return IQ_ERR_NOMEM;
	grown[manifest->count] = *segment;
	grown[manifest->count].file = file;
	manifest->count++;
	return 0;
}

/* Appends the check and the line end to a line that lacks its closing brace. */
static void seal_line(struct iq_buf *line)
{
	uint64_t check = iq_hash64(iq_buf_view(line));

	(void)iq_buf_appendf(line, CHECK_PREFIX "%016" PRIx64 "\"}\n", check);
}

static bool line_is_whole(struct iq_view line)
{
	struct iq_buf expected = IQ_BUF_INIT;
	bool whole = false;

	if (line.len > CHECK_SIZE + 1) {
		(void)iq_buf_append(&expected, iq_view_make(line.data, line.len - CHECK_SIZE - 1));
		seal_line(&expected);
		whole = !expected.failed && iq_view_eq(line, iq_buf_view(&expected));
	}
	iq_buf_release(&expected);
	return whole;
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

static int parse_segment(struct iq_manifest *manifest, struct iq_view object)
{
	struct iq_buf scratch = IQ_BUF_INIT;
	struct iq_manifest_segment segment = { 0 };
	struct iq_json_value file = iq_json_pointer(object, IQ_LIT("/file"), &scratch);
	struct iq_json_value root = iq_json_pointer(object, IQ_LIT("/root"), &scratch);
	int rc = IQ_ERR_CORRUPT;

	if (file.type == IQ_JSON_STRING && name_is_plain(file.text) &&
	    iq_unhex(root.text, segment.root, IQ_SHA256_SIZE) &&
	    number_at(object, IQ_LIT("/id_first"), &segment.id_first) &&
	    number_at(object, IQ_LIT("/events"), &segment.events) &&
	    number_at(object, IQ_LIT("/bytes"), &segment.bytes)) {
		segment.file = strndup(file.text.data, file.text.len);
		rc = segment.file ? add_segment(manifest, &segment) : IQ_ERR_NOMEM;
		free(segment.file);
	}
	iq_buf_release(&scratch);
	return rc;
}

static int parse_commit(struct iq_manifest *manifest, struct iq_view line)
{
	struct iq_buf scratch = IQ_BUF_INIT;
	struct iq_json_value list = iq_json_pointer(line, IQ_LIT("/segments"), &scratch);
	struct iq_json json;
	struct iq_json_token token;
	int rc = list.type == IQ_JSON_ARRAY_BEGIN ? 0 : IQ_ERR_CORRUPT;

	iq_json_init(&json, list.raw);
	if (rc == 0)
		(void)iq_json_next(&json, &token);
	while (rc == 0 && iq_json_next(&json, &token) > 0 && token.type == IQ_JSON_OBJECT_BEGIN)
		rc = parse_segment(manifest, iq_json_skip(&json, &token));
	iq_buf_release(&scratch);
	return rc;
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

static int parse_lines(const char *path, struct iq_view text, struct iq_manifest *manifest, struct iq_error *error)
{
	size_t number = 0;
	int rc = 0;

	while (rc == 0 && text.len > 0) {
		const char *newline = memchr(text.data, '\n', text.len);
		struct iq_view line = iq_view_make(text.data, newline ? (size_t)(newline - text.data) + 1 : text.len);
		bool last = line.len == text.len;

		number++;
		/* The version is looked at first: a newer one may seal its lines in another way. */
		if (number == 1)
			rc = check_first_line(path, line, error);
		if (rc < 0 || !line_is_whole(line)) {
			if (rc == 0 && !(last && number > 1))
				rc = iq_error_set(error, IQ_ERR_CORRUPT, "%s: line %zu is damaged", path, number);
			return rc;
		}
		if (number > 1 && parse_commit(manifest, line) < 0)
			rc = iq_error_set(error, IQ_ERR_CORRUPT, "%s: line %zu is not a commit", path, number);
		manifest->good_bytes += line.len;
		text = iq_view_from(text, line.len);
	}
	if (rc == 0 && number == 0)
		rc = iq_error_set(error, IQ_ERR_FORMAT, "%s: empty; not the manifest of an inquest store", path);
	return rc;
}

int iq_manifest_read(const char *store_path, struct iq_manifest *ret_manifest, struct iq_error *error)
{
	struct iq_manifest manifest = { NULL, 0, 0 };
	struct iq_buf text = IQ_BUF_INIT;
	char *path = iq_path_join(store_path, "manifest");
	int rc = path ? iq_file_read(path, IQ_MANIFEST_MAX_BYTES, &text, error) : iq_error_nomem(error);

	if (rc == 0)
		rc = parse_lines(path, iq_buf_view(&text), &manifest, error);
	iq_buf_release(&text);
	free(path);
	if (rc < 0)
		iq_manifest_release(&manifest);
	else
		*ret_manifest = manifest;
	return rc;
}

static int write_line(const char *path, int flags, uint64_t cut_at, const struct iq_buf *line, struct iq_error *error)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | flags, 0666);
	int rc = 0;

	if (fd < 0)
		return iq_error_errno(error, IQ_ERR_IO, "%s", path);
	if (ftruncate(fd, (off_t)cut_at) != 0 || lseek(fd, (off_t)cut_at, SEEK_SET) < 0)
		rc = iq_error_errno(error, IQ_ERR_IO, "%s", path);
	if (rc == 0)
		rc = iq_file_write_all(fd, line->data, line->len, error);
	if (rc == 0 && fsync(fd) != 0)
		rc = iq_error_errno(error, IQ_ERR_IO, "%s", path);
	(void)close(fd);
	return rc;
}

int iq_manifest_create(const char *store_path, struct iq_error *error)
{
	char *path = iq_path_join(store_path, "manifest");
	struct iq_buf line = IQ_BUF_INIT;
	int rc;

	(void)iq_buf_appendf(&line, "{\"inquest_store\":%d", IQ_MANIFEST_VERSION);
	seal_line(&line);
	rc = path && !line.failed ? write_line(path, O_CREAT | O_EXCL, 0, &line, error) : iq_error_nomem(error);
	if (rc == 0)
		rc = iq_file_sync_dir(store_path, error);
	iq_buf_release(&line);
	free(path);
	return rc;
}

static void append_segment_json(struct iq_buf *line, const struct iq_manifest_segment *segment)
{
	char hex[IQ_SHA256_HEX_SIZE];

	iq_hex(segment->root, IQ_SHA256_SIZE, hex);
	(void)iq_buf_append_cstr(line, "{\"file\":");
	(void)iq_json_append_string(line, iq_view_cstr(segment->file));
	(void)iq_buf_appendf(line,
			     ",\"id_first\":%" PRIu64 ",\"events\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"root\":\"%s\"}",
			     segment->id_first, segment->events, segment->bytes, hex);
}

int iq_manifest_append(const char *store_path, struct iq_manifest *manifest, const struct iq_manifest_segment *segments,
		       size_t count, struct iq_error *error)
{
	char *path = iq_path_join(store_path, "manifest");
	struct iq_buf line = IQ_BUF_INIT;
	int rc;

	(void)iq_buf_append_cstr(&line, "{\"segments\":[");
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			(void)iq_buf_append_char(&line, ',');
		append_segment_json(&line, &segments[i]);
	}
	(void)iq_buf_append_char(&line, ']');
	seal_line(&line);
	rc = path && !line.failed ? write_line(path, 0, manifest->good_bytes, &line, error) : iq_error_nomem(error);
	if (rc == 0)
		manifest->good_bytes += line.len;
	for (size_t i = 0; i < count && rc == 0; i++)
		if (add_segment(manifest, &segments[i]) < 0)
			rc = iq_error_nomem(error);
	iq_buf_release(&line);
	free(path);
	return rc;
}
