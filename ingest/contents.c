#include "ingest/contents.h"
#include "ingest/ingest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define COPY_BYTES (64u << 10)
/* Each log looks through all of them. */
#define MAX_DESCRIPTIONS 10000

/* A file that describes others. */
struct description {
	char *path;
	struct iq_buf text;
};

/* A member that waits in the temporary file. */
struct held {
	bool waits;
	uint64_t offset;
	uint64_t length;
	int64_t modified;
	char problem[160]; /* why it ended too early */
};

struct contents {
	struct iq_input *input;
	struct iq_unpacking *unpacking;
	const char *path;
	const struct iq_contents_taker *taker;
	struct iq_walk walk; /* in the order in which they are taken */
	size_t *turns;	     /* of each member, in the order of the archive: its place in that */
	struct held *held;   /* by turn */
	size_t next;	     /* turn */
	struct description *descriptions;
	size_t description_count;
	size_t description_capacity;
	size_t description_bytes;
	int spool; /* -1: not needed yet */
	uint64_t spooled;
	unsigned char *block;
};

/* ---- What it holds ---- */

/* `archive.tar!/path` */
static char *member_path(const char *archive, const char *member)
{
	struct iq_buf path = IQ_BUF_INIT;

	(void)iq_buf_appendf(&path, "%s!/%s", archive, member);
	if (!path.failed)
		return iq_buf_detach(&path);
	iq_buf_release(&path);
	return NULL;
}

/* What is too large describes nothing. */
static int read_description(struct contents *contents, struct iq_archive *archive, struct description *description)
{
	char ignored[160];
	size_t got;

	while (description->text.len <= IQ_BESIDE_MAX_BYTES && contents->description_bytes <= IQ_BESIDE_MAX_TOTAL &&
	       (got = iq_archive_read(archive, contents->block, COPY_BYTES, ignored, sizeof(ignored))) > 0) {
		contents->description_bytes += got;
		if (iq_buf_append(&description->text, iq_view_make((const char *)contents->block, got)) < 0)
			return IQ_ERR_NOMEM;
	}
	if (description->text.len > IQ_BESIDE_MAX_BYTES || contents->description_bytes > IQ_BESIDE_MAX_TOTAL)
		iq_buf_clear(&description->text);
	return 0;
}

static int note_description(struct contents *contents, struct iq_archive *archive, const char *path,
			    struct iq_view *ret_head)
{
	struct description *description;
	int rc;

	if (IQ_ARRAY_GROW(contents->descriptions, contents->description_capacity, contents->description_count + 1) < 0)
		return IQ_ERR_NOMEM;
	description = &contents->descriptions[contents->description_count++];
	*description = (struct description){ .path = strdup(path), .text = IQ_BUF_INIT };
	rc = description->path ? read_description(contents, archive, description) : IQ_ERR_NOMEM;
	*ret_head = iq_buf_view(&description->text);
	return rc;
}

static struct iq_view read_head(struct contents *contents, struct iq_archive *archive)
{
	char ignored[160];
	size_t got = 0, more;

	do {
		more = iq_archive_read(archive, contents->block + got, IQ_WALK_HEAD_BYTES - got, ignored,
				       sizeof(ignored));
		got += more;
	} while (more > 0 && got < IQ_WALK_HEAD_BYTES);
	return iq_view_make((const char *)contents->block, got);
}

static int note_member(struct contents *contents, struct iq_archive *archive, const struct iq_archive_member *member,
		       struct iq_error *error)
{
	char *path = member_path(contents->path, member->path);
	int rc = path ? iq_walk_add_file(&contents->walk, path, member->bytes, error) : iq_error_nomem(error);
	struct iq_view head = IQ_VIEW_NULL;

	if (rc == 0 && iq_path_describes(path) && contents->description_count < MAX_DESCRIPTIONS) {
		if (note_description(contents, archive, path, &head) < 0)
			rc = iq_error_nomem(error);
	} else if (rc == 0) {
		head = read_head(contents, archive);
	}
	if (rc == 0)
		contents->walk.files[contents->walk.count - 1].comes_last = iq_format_comes_last(head);
	free(path);
	return rc;
}

static int open_archive(struct contents *contents, struct iq_archive **ret_archive, struct iq_error *error)
{
	int rc = iq_input_rewind(contents->input, error);

	return rc < 0 ? rc : iq_archive_open(contents->input, contents->unpacking, ret_archive, error);
}

/* What is wrong with the archive is said when it is read the second time. */
static int list(struct contents *contents, struct iq_error *error)
{
	const struct iq_unpacking before = *contents->unpacking;
	struct iq_error ignored = IQ_ERROR_INIT;
	struct iq_archive_member member;
	struct iq_archive *archive;
	int rc = open_archive(contents, &archive, error);

	if (rc < 0)
		return rc;
	while (rc == 0 && iq_archive_next(archive, &member, &ignored) > 0)
		if (!member.problem)
			rc = note_member(contents, archive, &member, error);
	iq_archive_close(archive);
	*contents->unpacking = before;
	return rc;
}

static int plan(struct contents *contents, struct iq_error *error)
{
	int rc = list(contents, error);

	if (rc == 0)
		rc = iq_walk_order(&contents->walk, error);
	if (rc < 0)
		return rc;
	contents->turns = calloc(contents->walk.count + 1, sizeof(*contents->turns));
	contents->held = calloc(contents->walk.count + 1, sizeof(*contents->held));
	if (!contents->turns || !contents->held)
		return iq_error_nomem(error);
	for (size_t i = 0; i < contents->walk.count; i++)
		contents->turns[contents->walk.files[i].ordinal] = i;
	return 0;
}

static int read_beside(void *context, const char *path, struct iq_buf *text)
{
	const struct contents *contents = context;

	for (size_t i = contents->description_count; i-- > 0;)
		if (strcmp(contents->descriptions[i].path, path) == 0)
			return iq_buf_append(text, iq_buf_view(&contents->descriptions[i].text));
	return IQ_ERR_NOT_FOUND;
}

static bool has_beside(void *context, const char *path)
{
	const struct contents *contents = context;

	for (size_t i = 0; i < contents->walk.count; i++)
		if (strcmp(contents->walk.files[i].path, path) == 0)
			return true;
	return false;
}

/* ---- Holding ---- */

static int open_spool(struct contents *contents, struct iq_error *error)
{
	return contents->spool >= 0 ? 0 : iq_file_temporary(NULL, &contents->spool, error);
}

static int hold(struct contents *contents, struct iq_archive *archive, struct held *held, struct iq_error *error)
{
	int rc = open_spool(contents, error);
	size_t got;

	held->waits = true;
	held->offset = contents->spooled;
	held->modified = iq_archive_modified(archive);
	while (rc == 0 && (got = iq_archive_read(archive, contents->block, COPY_BYTES, held->problem,
						 sizeof(held->problem))) > 0) {
		if (iq_file_write_all(contents->spool, contents->block, got, NULL) < 0)
			rc = iq_error_errno(error, IQ_ERR_IO, IQ_INPUT_NO_ROOM);
		contents->spooled += got;
	}
	held->length = contents->spooled - held->offset;
	return rc;
}

struct held_reader {
	int spool;
	struct held *held;
	uint64_t used;
};

static size_t read_held(void *context, void *data, size_t len, char *problem, size_t problem_size)
{
	struct held_reader *reader = context;
	const uint64_t left = reader->held->length - reader->used;
	ssize_t got;

	do
		got = pread(reader->spool, data, left < len ? (size_t)left : len,
			    (off_t)(reader->held->offset + reader->used));
	while (got < 0 && errno == EINTR);
	if (got <= 0) {
		(void)snprintf(problem, problem_size, "%s",
			       got < 0 ? "the temporary file that held it cannot be read" : reader->held->problem);
		return 0;
	}
	reader->used += (uint64_t)got;
	return (size_t)got;
}

/* ---- Giving out ---- */

static int give(struct contents *contents, size_t turn, struct iq_input *input, struct iq_error *error)
{
	const struct iq_beside beside = { read_beside, has_beside, contents };

	return contents->taker->take(contents->taker->context, &contents->walk.files[turn], input, &beside, error);
}

static int give_held(struct contents *contents, size_t turn, struct iq_error *error)
{
	struct held_reader reader = { contents->spool, &contents->held[turn], 0 };
	const struct iq_input_source source = { read_held, NULL, &reader, contents->held[turn].modified };
	struct iq_input *input;
	int rc = iq_input_open_source(&source, contents->taker->stop, &input, error);

	return rc < 0 ? rc : give(contents, turn, input, error);
}

/* Those whose turn it is; with `all` also those that wait for one which did not come. */
static int give_waiting(struct contents *contents, bool all, struct iq_error *error)
{
	int rc = 0;

	while (rc == 0 && contents->next < contents->walk.count && (all || contents->held[contents->next].waits)) {
		const size_t turn = contents->next++;

		rc = contents->held[turn].waits ? give_held(contents, turn, error) : 0;
	}
	return rc;
}

static int take_member(struct contents *contents, struct iq_archive *archive, size_t turn, struct iq_error *error)
{
	struct iq_input *input;
	int rc;

	if (turn != contents->next)
		return hold(contents, archive, &contents->held[turn], error);
	contents->next++;
	rc = iq_archive_input(archive, contents->taker->stop, &input, error);
	if (rc == 0)
		rc = give(contents, turn, input, error);
	return rc == 0 ? give_waiting(contents, false, error) : rc;
}

static int refuse_member(struct contents *contents, const struct iq_archive_member *member, struct iq_error *error)
{
	char *path = member_path(contents->path, member->path);
	int rc =
		path ? contents->taker->refuse(contents->taker->context, path, member->problem) : iq_error_nomem(error);

	free(path);
	return rc;
}

static bool stop_asked(const struct contents *contents)
{
	return contents->taker->stop && *contents->taker->stop;
}

/* `ret_trouble` is what ended the archive too early. */
static int take_members(struct contents *contents, struct iq_archive *archive, struct iq_error *ret_trouble,
			struct iq_error *error)
{
	struct iq_archive_member member;
	size_t ordinal = 0;
	int rc = 0;

	while (rc == 0 && !stop_asked(contents) && iq_archive_next(archive, &member, ret_trouble) > 0) {
		if (member.problem)
			rc = refuse_member(contents, &member, error);
		else if (ordinal < contents->walk.count)
			rc = take_member(contents, archive, contents->turns[ordinal++], error);
	}
	return rc == 0 ? give_waiting(contents, true, error) : rc;
}

static void release(struct contents *contents)
{
	for (size_t i = 0; i < contents->description_count; i++) {
		free(contents->descriptions[i].path);
		iq_buf_release(&contents->descriptions[i].text);
	}
	free(contents->descriptions);
	free(contents->turns);
	free(contents->held);
	free(contents->block);
	if (contents->spool >= 0)
		(void)close(contents->spool);
	iq_walk_release(&contents->walk);
}

static int walk(struct contents *contents, struct iq_error *error)
{
	struct iq_error trouble = IQ_ERROR_INIT;
	struct iq_archive *archive;
	int rc = plan(contents, &trouble);

	if (rc == 0)
		rc = open_archive(contents, &archive, &trouble);
	if (rc == 0) {
		rc = take_members(contents, archive, &trouble, error);
		iq_archive_close(archive);
	} else if (rc == IQ_ERR_NOMEM) {
		return iq_error_nomem(error);
	} else {
		rc = 0;
	}
	if (rc == 0 && trouble.status < 0 && !stop_asked(contents))
		rc = contents->taker->refuse(contents->taker->context, contents->path, trouble.message);
	return rc;
}

int iq_contents_walk(struct iq_input *input, struct iq_unpacking *unpacking, const char *path,
		     const struct iq_contents_taker *taker, struct iq_error *error)
{
	struct contents contents = {
		.input = input, .unpacking = unpacking, .path = path, .taker = taker, .walk = IQ_WALK_INIT, .spool = -1
	};
	int rc;

	contents.block = malloc(COPY_BYTES);
	rc = contents.block ? walk(&contents, error) : iq_error_nomem(error);
	release(&contents);
	return rc;
}
