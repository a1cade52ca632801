#include "ingest/unpack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "ingest/libarchive.h"

#define TAR_MAGIC_OFFSET 257

struct iq_archive {
	struct archive *reader;
	struct iq_input *input;
	struct iq_unpacking *unpacking;
	int64_t modified; /* of the member at hand */
};

bool iq_archive_is(struct iq_view head)
{
	return iq_view_starts_with(head, IQ_LIT("PK\x03\x04")) || iq_view_starts_with(head, IQ_LIT("PK\x05\x06")) ||
	       iq_view_starts_with(iq_view_from(head, TAR_MAGIC_OFFSET), IQ_LIT("ustar"));
}

static la_ssize_t read_input(struct archive *reader, void *context, const void **ret_block)
{
	struct iq_archive *archive = context;
	struct iq_view block;
	int rc = iq_input_next(archive->input, &block, NULL);

	if (rc < 0) {
		iq_libarchive.set_error(reader, ENOMEM, "out of memory");
		return ARCHIVE_FATAL;
	}
	*ret_block = block.data;
	return rc > 0 ? (la_ssize_t)block.len : 0;
}

/* libarchive says the same of every zip that it reads as it comes. */
static int damaged(struct iq_archive *archive, struct iq_error *error)
{
	const char *problem = iq_input_problem(archive->input);
	const char *why = iq_libarchive.error_string(archive->reader);

	return iq_error_set(error, IQ_ERR_FORMAT, "the archive is damaged: %s",
			    problem ? problem
			    : why   ? why
				    : "invalid");
}

int iq_archive_open(struct iq_input *input, struct iq_unpacking *unpacking, struct iq_archive **ret_archive,
		    struct iq_error *error)
{
	struct iq_archive *archive;
	int rc = iq_libarchive_load(error);

	if (rc < 0)
		return rc;
	archive = calloc(1, sizeof(*archive));
	if (archive)
		archive->reader = iq_libarchive.read_new();
	if (!archive || !archive->reader) {
		iq_archive_close(archive);
		return iq_error_nomem(error);
	}
	archive->input = input;
	archive->unpacking = unpacking;
	(void)iq_libarchive.read_support_format_tar(archive->reader);
	(void)iq_libarchive.read_support_format_zip(archive->reader);
	if (iq_libarchive.read_open(archive->reader, archive, NULL, read_input, NULL) != ARCHIVE_OK) {
		(void)damaged(archive, error);
		iq_archive_close(archive);
		return IQ_ERR_FORMAT;
	}
	*ret_archive = archive;
	return 0;
}

void iq_archive_close(struct iq_archive *archive)
{
	if (!archive)
		return;
	(void)iq_libarchive.read_free(archive->reader);
	free(archive);
}

/* ---- Members ---- */

/* Absolute, or through `..`. */
static bool leads_out(const char *path)
{
	for (const char *part = path; *part;) {
		const size_t len = strcspn(part, "/\\");

		if ((len == 0 && part == path) || (len == 2 && part[0] == '.' && part[1] == '.'))
			return true;
		part += len + (part[len] != '\0');
	}
	return false;
}

/* `./logs/x.log`, as tar names what it was given as `.` */
static const char *without_dot(const char *path)
{
	while (path[0] == '.' && path[1] == '/')
		path += 2;
	return path;
}

static bool is_evidence(struct archive_entry *entry, const char *path)
{
	return iq_libarchive.entry_filetype(entry) == AE_IFREG && !iq_libarchive.entry_hardlink(entry) &&
	       (path[0] == '\0' || iq_path_base(path)[0] != '.');
}

static const char *member_problem(struct archive_entry *entry, const char *path)
{
	if (path[0] == '\0')
		return "a member without a name";
	if (leads_out(path))
		return "a path that leads out of the archive; refused";
	return iq_libarchive.entry_is_encrypted(entry) > 0
		       ? "encrypted; unpack the archive with its password and name the directory"
		       : NULL;
}

static int count_member(const struct iq_archive *archive, struct iq_error *error)
{
	if (++archive->unpacking->members <= IQ_ARCHIVE_MAX_MEMBERS)
		return 0;
	return iq_error_set(error, IQ_ERR_LIMIT, "more than %u members; unpack the archive and name the directory",
			    IQ_ARCHIVE_MAX_MEMBERS);
}

/* A limit that reading a member came upon ends the archive. */
static int check_limits(const struct iq_archive *archive, struct iq_error *error)
{
	const struct iq_unpacking *unpacking = archive->unpacking;

	if (unpacking->bytes > IQ_ARCHIVE_MAX_BYTES)
		return iq_error_set(error, IQ_ERR_LIMIT,
				    "unpacks to more than %llu bytes; unpack it and name the directory",
				    IQ_ARCHIVE_MAX_BYTES);
	if (iq_input_expands_too_much(unpacking->file, unpacking->bytes))
		return iq_error_set(error, IQ_ERR_LIMIT, IQ_INPUT_BOMB, IQ_INPUT_MAX_RATIO);
	return 0;
}

int iq_archive_next(struct iq_archive *archive, struct iq_archive_member *ret_member, struct iq_error *error)
{
	struct archive_entry *entry;
	const char *path;
	int rc = check_limits(archive, error);

	while (rc == 0) {
		rc = iq_libarchive.read_next_header(archive->reader, &entry);
		if (rc == ARCHIVE_EOF)
			return 0;
		if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN)
			return damaged(archive, error);
		rc = count_member(archive, error);
		path = iq_libarchive.entry_pathname(entry);
		if (rc < 0 || !is_evidence(entry, path ? path : ""))
			continue;
		ret_member->path = path ? without_dot(path) : "";
		ret_member->problem = member_problem(entry, ret_member->path);
		ret_member->bytes =
			iq_libarchive.entry_size_is_set(entry) ? (uint64_t)iq_libarchive.entry_size(entry) : 0;
		archive->modified = iq_libarchive.entry_mtime_is_set(entry)
					    ? (int64_t)iq_libarchive.entry_mtime(entry) * IQ_NS_PER_S
					    : iq_clock_now();
		return 1;
	}
	return rc;
}

/* ---- Content ---- */

size_t iq_archive_read(struct iq_archive *archive, void *data, size_t len, char *problem, size_t problem_size)
{
	struct iq_error limit = IQ_ERROR_INIT;
	la_ssize_t got = iq_libarchive.read_data(archive->reader, data, len);
	const char *why = iq_libarchive.error_string(archive->reader);

	if (got < 0)
		(void)snprintf(problem, problem_size, "the archive is damaged here: %s", why ? why : "invalid");
	else
		archive->unpacking->bytes += (uint64_t)got;
	if (got > 0 && check_limits(archive, &limit) < 0) {
		(void)snprintf(problem, problem_size, "%s", limit.message);
		return 0;
	}
	return got > 0 ? (size_t)got : 0;
}

int64_t iq_archive_modified(const struct iq_archive *archive)
{
	return archive->modified;
}

static size_t read_member(void *context, void *data, size_t len, char *problem, size_t problem_size)
{
	return iq_archive_read(context, data, len, problem, problem_size);
}

int iq_archive_input(struct iq_archive *archive, const volatile int *stop, struct iq_input **ret_input,
		     struct iq_error *error)
{
	const struct iq_input_source source = { read_member, NULL, archive, archive->modified };

	return iq_input_open_source(&source, stop, ret_input, error);
}
