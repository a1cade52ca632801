#include "ingest/walk.h"

#include "ingest/ingest.h"
#include "ingest/input.h"
#include "ingest/names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* What stays the same on the way down. */
struct descent {
	struct iq_walk *walk;
	char *root; /* resolved path of the directory that was named */
	struct stat except;
	bool has_except;
};

void iq_walk_release(struct iq_walk *walk)
{
	for (size_t i = 0; i < walk->count; i++) {
		free(walk->files[i].path);
		free(walk->files[i].problem);
	}
	free(walk->files);
	*walk = (struct iq_walk)IQ_WALK_INIT;
}

static int add_file(struct iq_walk *walk, const char *path, uint64_t bytes, const char *problem)
{
	struct iq_walk_file *file;

	if (walk->count == walk->capacity) {
		size_t capacity = walk->capacity ? walk->capacity * 2 : 16;
		struct iq_walk_file *files = realloc(walk->files, capacity * sizeof(*files));

		if (!files)
			return IQ_ERR_NOMEM;
		walk->files = files;
		walk->capacity = capacity;
	}
	file = &walk->files[walk->count++];
	*file = (struct iq_walk_file){ .path = strdup(path),
				       .problem = problem ? strdup(problem) : NULL,
				       .bytes = bytes };
	return file->path && (!problem || file->problem) ? 0 : IQ_ERR_NOMEM;
}

static int add_errno(struct iq_walk *walk, const char *path)
{
	char problem[160];

	(void)snprintf(problem, sizeof(problem), "cannot be opened%s: %s", iq_input_advice(errno), strerror(errno));
	return add_file(walk, path, 0, problem);
}

static int skip_dotfiles(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static bool is_har(const char *name)
{
	return iq_view_ends_with(iq_view_cstr(name), IQ_LIT(".har"));
}

/* A HAR says how the sessions began that files beside it hold the rest of (ingest/attached.h): it comes first. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	if (is_har((*a)->d_name) != is_har((*b)->d_name))
		return is_har((*a)->d_name) ? -1 : 1;
	return strcmp((*a)->d_name, (*b)->d_name);
}

static bool is_within(const char *path, const char *root)
{
	size_t len = strlen(root);

	return strncmp(path, root, len) == 0 && (path[len] == '/' || path[len] == '\0' || strcmp(root, "/") == 0);
}

/* What a link within the tree points at is visited by its own name. */
static int visit_link(struct descent *descent, const char *path)
{
	char *target = realpath(path, NULL);
	int rc = 0;

	if (!target)
		rc = add_errno(descent->walk, path);
	else if (!is_within(target, descent->root))
		rc = add_file(descent->walk, path, 0,
			      "a link that leads out of the directory; name its target as well");
	free(target);
	return rc;
}

/* A store is what evidence becomes: a replay leaves one in the directory it ran in. */
static bool is_store(const char *path)
{
	static const char *const parts[] = { "manifest", "segments", "lock" };
	bool found = true;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && found; i++) {
		char *part = iq_path_join(path, parts[i]);

		found = part && access(part, F_OK) == 0;
		free(part);
	}
	return found;
}

static int visit_directory(struct descent *descent, const char *path, unsigned depth);

static int visit(struct descent *descent, const char *path, unsigned depth)
{
	struct stat info;

	if (lstat(path, &info) != 0)
		return add_errno(descent->walk, path);
	if (S_ISLNK(info.st_mode))
		return visit_link(descent, path);
	if (S_ISREG(info.st_mode))
		return add_file(descent->walk, path, (uint64_t)info.st_size, NULL);
	if (!S_ISDIR(info.st_mode))
		return 0;
	if (descent->has_except && info.st_dev == descent->except.st_dev && info.st_ino == descent->except.st_ino)
		return 0;
	if (is_store(path))
		return 0;
	return visit_directory(descent, path, depth + 1);
}

static int visit_entries(struct descent *descent, const char *path, struct dirent **entries, size_t count,
			 unsigned depth)
{
	int rc = 0;

	for (size_t i = 0; i < count; i++) {
		char *child = rc == 0 ? iq_path_join(path, entries[i]->d_name) : NULL;

		if (rc == 0)
			rc = child ? visit(descent, child, depth) : IQ_ERR_NOMEM;
		free(child);
		free(entries[i]);
	}
	return rc;
}

static int visit_directory(struct descent *descent, const char *path, unsigned depth)
{
	struct dirent **entries;
	int count, rc;

	if (depth > IQ_WALK_MAX_DEPTH)
		return add_file(descent->walk, path, 0, "nested too deep; name it itself");
	count = scandir(path, &entries, skip_dotfiles, by_name);
	if (count < 0)
		return errno == ENOMEM ? IQ_ERR_NOMEM : add_errno(descent->walk, path);
	rc = visit_entries(descent, path, entries, (size_t)count, depth);
	free(entries);
	return rc;
}

static int walk_directory(struct iq_walk *walk, const char *path, const char *except)
{
	struct descent descent = { .walk = walk, .root = realpath(path, NULL) };
	int rc;

	if (!descent.root)
		return add_errno(walk, path);
	if (is_store(path)) {
		free(descent.root);
		return add_file(walk, path, 0,
				"a store, not evidence; `inquest export --format raw` gives its evidence");
	}
	descent.has_except = except && stat(except, &descent.except) == 0;
	rc = visit_directory(&descent, path, 1);
	free(descent.root);
	return rc;
}

int iq_walk_add(struct iq_walk *walk, const char *path, const char *except, struct iq_error *error)
{
	struct stat info;
	int rc;

	if (strcmp(path, "-") == 0)
		rc = add_file(walk, path, 0, NULL);
	else if (stat(path, &info) != 0)
		rc = add_errno(walk, path);
	else if (S_ISDIR(info.st_mode))
		rc = walk_directory(walk, path, except);
	else
		rc = add_file(walk, path, S_ISREG(info.st_mode) ? (uint64_t)info.st_size : 0, NULL);
	return rc < 0 ? iq_error_nomem(error) : 0;
}

int iq_walk_add_file(struct iq_walk *walk, const char *path, uint64_t bytes, struct iq_error *error)
{
	return add_file(walk, path, bytes, NULL) < 0 ? iq_error_nomem(error) : 0;
}

/* ---- What comes last ---- */

static bool comes_last(const char *path)
{
	char head[IQ_WALK_HEAD_BYTES];
	const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const ssize_t got = file >= 0 ? pread(file, head, sizeof(head), 0) : 0;

	if (file >= 0)
		(void)close(file);
	return got > 0 && iq_format_comes_last(iq_view_make(head, (size_t)got));
}

/* A file of an unknown size is a pipe, or empty; alone it comes last anyway. */
void iq_walk_look(struct iq_walk *walk)
{
	for (size_t i = 0; i < walk->count && walk->count > 1; i++)
		if (!walk->files[i].problem && walk->files[i].bytes > 0)
			walk->files[i].comes_last = comes_last(walk->files[i].path);
}

/* ---- Rotation ---- */

struct turn {
	struct iq_walk_file file;
	struct iq_rotation rotation; /* views into the file's path */
	size_t place;		     /* of the last one of its log, once that is known */
	size_t rank;		     /* among those */
};

static int compare_places(size_t a, size_t b)
{
	return a < b ? -1 : a > b;
}

static int by_log(const void *a, const void *b)
{
	const struct turn *left = a, *right = b;
	int order = iq_view_cmp(left->rotation.stem, right->rotation.stem);

	if (order == 0)
		order = iq_rotation_compare(&left->rotation, &right->rotation);
	return order ? order : compare_places(left->place, right->place);
}

static int by_place(const void *a, const void *b)
{
	const struct turn *left = a, *right = b;
	int order = compare_places(left->file.comes_last, right->file.comes_last);

	if (order == 0)
		order = compare_places(left->place, right->place);
	return order ? order : compare_places(left->rank, right->rank);
}

/* `turns` are sorted by log: those of one log share the place of the last one. */
static void place_turns(struct turn *turns, size_t count)
{
	for (size_t i = 0, end; i < count; i = end) {
		size_t last = turns[i].place;

		for (end = i + 1; end < count && iq_view_eq(turns[end].rotation.stem, turns[i].rotation.stem); end++)
			last = turns[end].place > last ? turns[end].place : last;
		for (size_t j = i; j < end; j++) {
			turns[j].place = last;
			turns[j].rank = j - i;
			turns[j].file.goes_on =
				j + 1 < end && iq_rotation_compare(&turns[j].rotation, &turns[j + 1].rotation) < 0;
		}
	}
}

int iq_walk_order(struct iq_walk *walk, struct iq_error *error)
{
	struct turn *turns = calloc(walk->count + 1, sizeof(*turns));

	if (!turns)
		return iq_error_nomem(error);
	for (size_t i = 0; i < walk->count; i++) {
		walk->files[i].ordinal = i;
		turns[i] = (struct turn){ walk->files[i], iq_rotation_of(walk->files[i].path), i, 0 };
	}
	qsort(turns, walk->count, sizeof(*turns), by_log);
	place_turns(turns, walk->count);
	qsort(turns, walk->count, sizeof(*turns), by_place);
	for (size_t i = 0; i < walk->count; i++)
		walk->files[i] = turns[i].file;
	free(turns);
	return 0;
}
