#include "store/change.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/spool_store.h"
#include "store/verify.h"

/* ---- Opening ---- */

static int make_directory(const char *path, struct iq_error *error)
{
	if (mkdir(path, 0777) != 0 && errno != EEXIST)
		return iq_error_errno(error, IQ_ERR_IO, "%s", path);
	return 0;
}

static bool directory_is_empty(const char *path)
{
	DIR *directory = opendir(path);
	size_t entries = 0;

	if (!directory)
		return false;
	while (readdir(directory))
		entries++;
	(void)closedir(directory);
	return entries <= 2;
}

static bool has_manifest(const char *path)
{
	char *manifest = iq_path_join(path, "manifest");
	bool found = manifest && access(manifest, F_OK) == 0;

	free(manifest);
	return found;
}

static int create_or_enter(struct iq_change *change, struct iq_error *error)
{
	int rc = make_directory(change->path, error);

	if (rc < 0)
		return rc;
	if (!has_manifest(change->path) && access(change->segments_path, F_OK) != 0 &&
	    !directory_is_empty(change->path))
		return iq_error_set(error, IQ_ERR_USAGE,
				    "%s: neither empty nor an inquest store; name another directory with --store",
				    change->path);
	return make_directory(change->segments_path, error);
}

/* Readers hold this file locked, and cannot make it where they may not write. */
static int make_readers(const struct iq_change *change, struct iq_error *error)
{
	char *path = iq_path_join(change->path, "readers");
	int fd = path ? open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0666) : -1;
	int rc = path ? 0 : iq_error_nomem(error);

	if (path && fd < 0)
		rc = iq_error_errno(error, IQ_ERR_IO, "%s", path);
	if (fd >= 0)
		(void)close(fd);
	free(path);
	return rc;
}

static int take_lock(struct iq_change *change, struct iq_error *error)
{
	char *path = iq_path_join(change->path, "lock");

	if (!path)
		return iq_error_nomem(error);
	change->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	free(path);
	if (change->lock < 0)
		return iq_error_errno(error, IQ_ERR_IO, "%s/lock", change->path);
	if (flock(change->lock, LOCK_EX | LOCK_NB) != 0)
		return iq_error_set(error, IQ_ERR_BUSY,
				    "%s: another inquest is writing to this store; wait until it has finished",
				    change->path);
	return 0;
}

static void remember_file_number(struct iq_change *change, const char *name)
{
	uint32_t number = (uint32_t)strtoul(name, NULL, 10);

	if (number >= change->next_file)
		change->next_file = number + 1;
}

/* Locks out readers, if there are none: those that come wait for a moment. Negative where somebody reads. */
static int lock_out_readers(const struct iq_change *change)
{
	char *path = iq_path_join(change->path, "readers");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	free(path);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

/* A temporary file counts for nothing. A sealed one that the manifest does not name may still be read by who opened the store
 * when it did. */
static bool is_temporary(const char *name)
{
	return iq_view_ends_with(iq_view_cstr(name), IQ_LIT(".tmp"));
}

/* Removes the files that the manifest does not name. */
static int remove_leftovers(struct iq_change *change, struct iq_error *error)
{
	const int readers = lock_out_readers(change);
	DIR *directory = opendir(change->segments_path);
	struct dirent *entry;
	int rc = directory ? 0 : iq_error_errno(error, IQ_ERR_IO, "%s", change->segments_path);

	while (rc == 0 && (entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		remember_file_number(change, entry->d_name);
		if (iq_manifest_lists(&change->manifest, entry->d_name) ||
		    (readers < 0 && !is_temporary(entry->d_name)))
			continue;
		if (unlinkat(dirfd(directory), entry->d_name, 0) != 0)
			rc = iq_error_errno(error, IQ_ERR_IO, "%s/%s", change->segments_path, entry->d_name);
	}
	if (directory)
		(void)closedir(directory);
	if (readers >= 0)
		(void)close(readers);
	return rc;
}

/* What is committed is lost if the store's name is, or the manifest's: whoever made them may have been killed before this. A
 * directory that may not be read cannot be synced. */
static int sync_names(const struct iq_change *change, struct iq_error *error)
{
	char *parent = iq_path_join(change->path, "..");
	int rc = parent ? iq_file_sync_dir(change->path, error) : iq_error_nomem(error);

	if (rc == 0 && access(parent, R_OK) == 0)
		rc = iq_file_sync_dir(parent, error);
	free(parent);
	return rc;
}

static int enter(struct iq_change *change, bool create, struct iq_error *error)
{
	int rc;

	if (!create && !has_manifest(change->path))
		return iq_error_set(error, IQ_ERR_NOT_FOUND, "%s: no inquest store there", change->path);
	rc = create_or_enter(change, error);
	if (rc == 0)
		rc = take_lock(change, error);
	if (rc == 0)
		rc = make_readers(change, error);
	if (rc == 0 && !has_manifest(change->path))
		rc = iq_manifest_create(change->path, error);
	if (rc == 0)
		rc = sync_names(change, error);
	if (rc == 0)
		rc = iq_manifest_read(change->path, &change->manifest, error);
	if (rc == 0)
		rc = remove_leftovers(change, error);
	return rc == 0 ? iq_spools_tidy(change->path, &change->manifest, error) : rc;
}

int iq_change_begin(const char *path, bool create, struct iq_change *change, struct iq_error *error)
{
	*change = (struct iq_change)IQ_CHANGE_INIT;
	change->path = strdup(path);
	change->segments_path = iq_path_join(path, "segments");
	if (!change->path || !change->segments_path)
		return iq_error_nomem(error);
	return enter(change, create, error);
}

void iq_change_end(struct iq_change *change)
{
	iq_change_forget(change);
	iq_manifest_release(&change->manifest);
	iq_arena_release(&change->memory);
	if (change->lock >= 0)
		(void)close(change->lock);
	free(change->segments_path);
	free(change->path);
	*change = (struct iq_change)IQ_CHANGE_INIT;
}

/* ---- Segments ---- */

int iq_change_name(struct iq_change *change, char **ret_temporary, struct iq_error *error)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "%08u.seg.tmp", change->next_file++);
	*ret_temporary = iq_path_join(change->segments_path, name);
	return *ret_temporary ? 0 : iq_error_nomem(error);
}

static struct iq_manifest_segment *next_sealed(struct iq_change *change)
{
	struct iq_manifest_segment *grown = realloc(change->sealed, (change->sealed_count + 1) * sizeof(*grown));

	if (!grown)
		return NULL;
	change->sealed = grown;
	return &grown[change->sealed_count];
}

/* What the manifest will say of the segment, once it is renamed to `path`. */
static int describe(struct iq_change *change, const struct iq_segment *segment, const char *path,
		    struct iq_manifest_segment *ret)
{
	struct iq_arena *memory = &change->memory;
	struct iq_summary *summary = &ret->summary;
	struct iq_source *sources;
	struct iq_view *types;

	*ret = (struct iq_manifest_segment){ .file = iq_arena_copy(memory, iq_view_cstr(iq_path_base(path))).data,
					     .bytes = (uint64_t)segment->identity.st_size };
	memcpy(ret->root, segment->root, IQ_SHA256_SIZE);
	if (!ret->file || iq_summary_of(segment, memory, summary) < 0)
		return IQ_ERR_NOMEM;
	sources = iq_arena_calloc(memory, summary->source_count + 1, sizeof(*sources));
	types = iq_arena_calloc(memory, summary->type_count + 1, sizeof(*types));
	if (!sources || !types)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < summary->source_count; i++) {
		sources[i] = summary->sources[i];
		sources[i].name = iq_arena_copy(memory, sources[i].name);
	}
	for (size_t i = 0; i < summary->type_count; i++)
		types[i] = iq_arena_copy(memory, summary->types[i]);
	summary->sources = sources;
	summary->types = types;
	return 0;
}

static int read_back(struct iq_change *change, const char *temporary, const char *final_path, struct iq_error *error)
{
	struct iq_manifest_segment *sealed = next_sealed(change);
	struct iq_segment *segment;
	int rc = sealed ? iq_segment_open(temporary, &segment, error) : iq_error_nomem(error);

	if (rc < 0)
		return rc;
	rc = iq_segment_reads_back(segment, error);
	if (rc == 0 && describe(change, segment, final_path, sealed) < 0)
		rc = iq_error_nomem(error);
	iq_segment_close(segment);
	return rc;
}

int iq_change_seal(struct iq_change *change, const char *temporary, struct iq_error *error)
{
	char *final_path = strndup(temporary, strlen(temporary) - strlen(".tmp"));
	int rc = final_path ? read_back(change, temporary, final_path, error) : iq_error_nomem(error);

	if (rc == 0 && rename(temporary, final_path) != 0)
		rc = iq_error_errno(error, IQ_ERR_IO, "%s", final_path);
	if (rc == 0)
		change->sealed_count++;
	if (rc == 0)
		rc = iq_file_sync_dir(change->segments_path, error);
	free(final_path);
	return rc;
}

/* ---- Committing ---- */

static void forget(struct iq_change *change)
{
	free(change->sealed);
	change->sealed = NULL;
	change->sealed_count = 0;
	iq_arena_clear(&change->memory);
}

static void unlink_file(const struct iq_change *change, const char *file)
{
	char *path = iq_path_join(change->segments_path, file);

	if (path)
		(void)unlink(path);
	free(path);
}

int iq_change_commit(struct iq_change *change, const char *const *removed, size_t count, struct iq_error *error)
{
	const struct iq_commit commit = { change->sealed, change->sealed_count, removed, count };
	int readers, rc;

	if (change->sealed_count == 0 && count == 0)
		return 0;
	rc = iq_manifest_append(change->path, &change->manifest, &commit, error);
	/* After a failure nobody knows whether the line is there: the files stay, and the next change finds out. */
	forget(change);
	if (rc < 0)
		return rc;
	readers = count > 0 ? lock_out_readers(change) : -1;
	for (size_t i = 0; i < count && readers >= 0; i++)
		unlink_file(change, removed[i]);
	if (readers >= 0)
		(void)close(readers);
	return 0;
}

void iq_change_forget(struct iq_change *change)
{
	for (size_t i = 0; i < change->sealed_count; i++)
		unlink_file(change, change->sealed[i].file);
	forget(change);
}
