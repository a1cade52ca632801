/* The header of a journal (https://systemd.io/JOURNAL_FILE_FORMAT/) is read for what libsystemd does not tell: how long the file
 * was, and how many entries it holds. The way of writing an entry is that of journalctl. */
#include "ingest/journal_file.h"

#include "ingest/journal.h"

#define ADVICE "give its entries instead: journalctl --file FILE -o export | inquest ingest - --source FILE"

#ifdef IQ_HAS_JOURNAL

#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#define LIBSYSTEMD "libsystemd.so.0"
#define HEADER_SIZE_AT 88
#define ARENA_SIZE_AT 96
#define ENTRIES_AT 152
#define LAST_SEQNUM_AT 160
#define FIRST_SEQNUM_AT 168
#define HEADER_BYTES 208
#define BOOT_ID "_BOOT_ID="
/* Where one damaged place follows the other there is no end to searching behind them. */
#define MAX_RESUMED 64

/* What is used of libsystemd. */
#define JOURNAL_FUNCTIONS(X) \
	X(open_files) \
	X(close) \
	X(set_data_threshold) \
	X(seek_head) \
	X(seek_tail) \
	X(next) \
	X(previous) \
	X(get_cursor) \
	X(get_realtime_usec) \
	X(get_monotonic_usec) \
	X(restart_data) \
	X(enumerate_data)

struct journal_functions {
#define X(name) __typeof__ (&sd_journal_##name)(name);
	JOURNAL_FUNCTIONS(X)
#undef X
	int (*get_seqnum)(sd_journal *journal, uint64_t *ret_seqnum, sd_id128_t *ret_id); /* since 254, or NULL */
};

struct reader {
	struct journal_functions systemd;
	sd_journal *journal;
	int fd;
	char *copy; /* path of a temporary file, which libsystemd reads only as long as it has a name; NULL: the file itself */
	uint64_t file_bytes;
	uint64_t missing_bytes; /* at its end */
	uint64_t entries;	/* that the file holds by its header; what comes later is read another time */
	uint64_t read;
	uint64_t seqnum;       /* of the last one; see seqnum_of() */
	uint64_t first_seqnum; /* of the file */
	uint64_t last_seqnum;
	unsigned resumed; /* behind damage, so many times */
	uint64_t given;
	struct iq_buf entry; /* being given out */
	size_t used;
};

/* ---- The library ---- */

static int load(struct journal_functions *systemd, struct iq_error *error)
{
	void *library = dlopen(LIBSYSTEMD, RTLD_NOW | RTLD_LOCAL);
	bool found = library != NULL;

#define X(name) found = found && (*(void **)&systemd->name = dlsym(library, "sd_journal_" #name)) != NULL;
	JOURNAL_FUNCTIONS(X)
#undef X
	if (!found)
		return iq_error_set(error, IQ_ERR_FORMAT, "a journal, and " LIBSYSTEMD " is not here: " ADVICE);
	*(void **)&systemd->get_seqnum = dlsym(library, "sd_journal_get_seqnum");
	return 0;
}

/* ---- An entry ---- */

static bool is_control(uint32_t c)
{
	return (c < ' ' && c != '\t') || (c >= 0x7f && c <= 0x9f);
}

static bool is_no_character(uint32_t c)
{
	return (c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffe) == 0xfffe;
}

/* What journalctl writes as a line. */
static bool is_line(struct iq_view text)
{
	uint32_t c;

	if (!iq_utf8_valid(text))
		return false;
	for (size_t len; text.len > 0; text = iq_view_from(text, len)) {
		len = iq_utf8_decode(text, &c);
		if (is_control(c) || is_no_character(c))
			return false;
	}
	return true;
}

static void append_value(struct iq_buf *entry, struct iq_view value)
{
	char length[8];

	for (size_t i = 0; i < sizeof(length); i++)
		length[i] = (char)(value.len >> 8 * i);
	(void)iq_buf_append(entry, iq_view_make(length, sizeof(length)));
	(void)iq_buf_append(entry, value);
}

static void append_field(struct iq_buf *entry, struct iq_view field)
{
	const char *equals = field.len > 0 ? memchr(field.data, '=', field.len) : NULL;
	const size_t name = equals ? (size_t)(equals - field.data) : 0;

	if (!equals || iq_view_starts_with(field, IQ_LIT(BOOT_ID)))
		return;
	if (is_line(field)) {
		(void)iq_buf_append(entry, field);
	} else {
		(void)iq_buf_append(entry, iq_view_make(field.data, name));
		(void)iq_buf_append_char(entry, '\n');
		append_value(entry, iq_view_from(field, name + 1));
	}
	(void)iq_buf_append_char(entry, '\n');
}

static void append_id(struct iq_buf *entry, const char *name, const sd_id128_t *id)
{
	(void)iq_buf_append_cstr(entry, name);
	for (size_t i = 0; i < sizeof(id->bytes); i++)
		(void)iq_buf_appendf(entry, "%02x", id->bytes[i]);
	(void)iq_buf_append_char(entry, '\n');
}

/* 0 where it is damaged. */
static uint64_t seqnum_of(const struct reader *reader, const char *cursor)
{
	uint64_t seqnum;

	return iq_journal_cursor_seqnum(iq_view_cstr(cursor), &seqnum) && seqnum >= reader->first_seqnum &&
			       seqnum <= reader->last_seqnum
		       ? seqnum
		       : 0;
}

/* What the journal itself knows of the entry. False: the entry is damaged, or was given already. */
static bool append_head(struct reader *reader)
{
	struct journal_functions *systemd = &reader->systemd;
	struct iq_buf *entry = &reader->entry;
	uint64_t realtime, monotonic, seqnum;
	sd_id128_t boot, seqnum_id;
	char *cursor;
	bool whole;

	if (systemd->get_realtime_usec(reader->journal, &realtime) < 0 ||
	    systemd->get_monotonic_usec(reader->journal, &monotonic, &boot) < 0 ||
	    systemd->get_cursor(reader->journal, &cursor) < 0)
		return false;
	seqnum = seqnum_of(reader, cursor);
	whole = seqnum > reader->seqnum;
	if (whole)
		reader->seqnum = seqnum;
	(void)iq_buf_appendf(entry,
			     "__CURSOR=%s\n__REALTIME_TIMESTAMP=%" PRIu64 "\n__MONOTONIC_TIMESTAMP=%" PRIu64 "\n",
			     cursor, realtime, monotonic);
	free(cursor);
	if (systemd->get_seqnum && systemd->get_seqnum(reader->journal, &seqnum, &seqnum_id) >= 0) {
		(void)iq_buf_appendf(entry, "__SEQNUM=%" PRIu64 "\n", seqnum);
		append_id(entry, "__SEQNUM_ID=", &seqnum_id);
	}
	append_id(entry, BOOT_ID, &boot);
	return whole;
}

/* False: the entry is damaged. */
static bool append_fields(struct reader *reader)
{
	const void *data;
	size_t len;
	int rc;

	reader->systemd.restart_data(reader->journal);
	while ((rc = reader->systemd.enumerate_data(reader->journal, &data, &len)) > 0)
		append_field(&reader->entry, iq_view_make(data, len));
	return rc == 0;
}

static int open_journal(struct reader *reader)
{
	char path[64];
	const char *const paths[] = { path, NULL };
	int rc;

	/* By its name, because libsystemd closes what it cannot read on with. */
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", reader->fd);
	rc = reader->systemd.open_files(&reader->journal, (const char **)paths, 0);
	if (rc >= 0)
		rc = reader->systemd.set_data_threshold(reader->journal, 0);
	return rc;
}

static void close_journal(struct reader *reader)
{
	if (reader->journal)
		reader->systemd.close(reader->journal);
	reader->journal = NULL;
}

static bool open_at_end(struct reader *reader)
{
	close_journal(reader);
	return open_journal(reader) >= 0 && reader->systemd.seek_tail(reader->journal) >= 0;
}

static uint64_t seqnum_at(struct reader *reader)
{
	char *cursor;
	uint64_t seqnum;

	if (reader->systemd.get_cursor(reader->journal, &cursor) < 0)
		return 0;
	seqnum = seqnum_of(reader, cursor);
	free(cursor);
	return seqnum;
}

/* How far from the end the first entry is that lies behind what was read and can be reached from there; 0: there is none. */
static uint64_t steps_from_end(struct reader *reader)
{
	uint64_t found = 0, seqnum = 0;

	if (!open_at_end(reader))
		return 0;
	for (uint64_t steps = 1; reader->systemd.previous(reader->journal) > 0; steps++) {
		seqnum = seqnum_at(reader);
		if (seqnum > reader->seqnum)
			found = steps;
		else if (seqnum > 0)
			break;
	}
	return found;
}

/* libsystemd stops where an entry is damaged, and no seeking leads behind it; but what is there can be reached from the end. */
static bool resume(struct reader *reader)
{
	uint64_t steps;

	if (reader->resumed++ == MAX_RESUMED)
		return false;
	steps = steps_from_end(reader);
	if (steps == 0 || !open_at_end(reader))
		return false;
	while (steps > 0 && reader->systemd.previous(reader->journal) > 0)
		steps--;
	return steps == 0;
}

static bool advance(struct reader *reader)
{
	return reader->read < reader->entries && reader->journal &&
	       (reader->systemd.next(reader->journal) > 0 || resume(reader));
}

/* The next entry that can be read; false at the end. */
static bool next_entry(struct reader *reader)
{
	bool whole = false;

	reader->used = 0;
	while (!whole && advance(reader)) {
		iq_buf_clear(&reader->entry);
		whole = append_head(reader) && append_fields(reader);
	}
	if (whole) {
		reader->read++;
		(void)iq_buf_append_char(&reader->entry, '\n');
	} else {
		iq_buf_clear(&reader->entry);
	}
	return whole && !reader->entry.failed;
}

/* ---- The stream ---- */

static void say_what_is_missing(struct reader *reader, char *problem, size_t problem_size)
{
	if (reader->entry.failed)
		(void)snprintf(problem, problem_size, "out of memory behind entry %" PRIu64 " of the journal",
			       reader->read);
	else if (reader->read < reader->entries && reader->missing_bytes > 0)
		(void)snprintf(problem, problem_size,
			       "the journal was cut short by %" PRIu64 " bytes: %" PRIu64 " of its %" PRIu64
			       " entries could be read",
			       reader->missing_bytes, reader->read, reader->entries);
	else if (reader->read < reader->entries)
		(void)snprintf(problem, problem_size,
			       "the journal is damaged: %" PRIu64 " of its %" PRIu64 " entries could be read",
			       reader->read, reader->entries);
}

/* Expanding is what journals do: fields that entries share are in the file once. */
static bool expands_too_much(const struct reader *reader)
{
	return reader->given > IQ_INPUT_FREE_BYTES && reader->given / IQ_INPUT_MAX_RATIO > reader->file_bytes;
}

static size_t read_entries(void *context, void *data, size_t len, char *problem, size_t problem_size)
{
	struct reader *reader = context;
	size_t part;

	if (expands_too_much(reader)) {
		(void)snprintf(problem, problem_size, IQ_INPUT_BOMB, IQ_INPUT_MAX_RATIO);
		return 0;
	}
	if (reader->used == reader->entry.len && !next_entry(reader)) {
		say_what_is_missing(reader, problem, problem_size);
		return 0;
	}
	part = reader->entry.len - reader->used < len ? reader->entry.len - reader->used : len;
	memcpy(data, reader->entry.data + reader->used, part);
	reader->used += part;
	reader->given += part;
	return part;
}

static void close_reader(void *context)
{
	struct reader *reader = context;

	close_journal(reader);
	if (reader->fd >= 0)
		(void)close(reader->fd);
	if (reader->copy)
		(void)unlink(reader->copy);
	free(reader->copy);
	iq_buf_release(&reader->entry);
	free(reader);
}

/* ---- The file ---- */

static uint64_t number_at(const uint8_t *bytes)
{
	uint64_t number = 0;

	for (size_t i = 0; i < 8; i++)
		number |= (uint64_t)bytes[i] << 8 * i;
	return number;
}

static int damaged(struct iq_error *error, const char *why)
{
	return iq_error_set(error, IQ_ERR_FORMAT, "a journal that cannot be read: %s", why);
}

/* How long the file is, by its header. */
static int read_header(struct reader *reader, struct iq_view head, uint64_t *ret_bytes, struct iq_error *error)
{
	const uint8_t *header = (const uint8_t *)head.data;

	if (head.len < HEADER_BYTES)
		return damaged(error, "it ends within its header");
	if (number_at(header + HEADER_SIZE_AT) > IQ_JOURNAL_MAX_BYTES ||
	    number_at(header + ARENA_SIZE_AT) > IQ_JOURNAL_MAX_BYTES)
		return damaged(error, "its header says that it is larger than 16 GiB");
	reader->entries = number_at(header + ENTRIES_AT);
	reader->first_seqnum = number_at(header + FIRST_SEQNUM_AT);
	reader->last_seqnum = number_at(header + LAST_SEQNUM_AT);
	*ret_bytes = number_at(header + HEADER_SIZE_AT) + number_at(header + ARENA_SIZE_AT);
	return 0;
}

/* libsystemd refuses a file that is shorter than its header says: a copy of it gets its length back, with a hole. */
static int open_file(struct reader *reader, struct iq_input *input, struct iq_error *error)
{
	struct iq_view head;
	struct stat info;
	uint64_t bytes = 0;
	int rc = iq_input_head(input, &head, error);

	if (rc == 0)
		rc = read_header(reader, head, &bytes, error);
	if (rc == 0)
		rc = iq_input_file(input, bytes > iq_input_size(input), &reader->copy, &reader->fd, error);
	if (rc == 0 && fstat(reader->fd, &info) != 0)
		rc = iq_error_errno(error, IQ_ERR_IO, "its size cannot be had");
	if (rc < 0)
		return rc;
	reader->file_bytes = (uint64_t)info.st_size;
	if (bytes <= reader->file_bytes)
		return 0;
	reader->missing_bytes = bytes - reader->file_bytes;
	return ftruncate(reader->fd, (off_t)bytes) == 0 ? 0 : iq_error_errno(error, IQ_ERR_IO, IQ_INPUT_NO_ROOM);
}

static int begin(struct reader *reader, struct iq_error *error)
{
	int rc = open_journal(reader);

	if (rc >= 0)
		rc = reader->systemd.seek_head(reader->journal);
	if (rc == -ENOMEM)
		return iq_error_nomem(error);
	return rc >= 0 ? 0
		       : damaged(error,
				 rc == -EPROTONOSUPPORT ? "it was written by a newer systemd: " ADVICE : strerror(-rc));
}

int iq_journal_open(struct iq_input *input, const volatile int *stop, struct iq_input **ret_entries,
		    struct iq_error *error)
{
	struct reader *reader = calloc(1, sizeof(*reader));
	struct iq_input_source source = { read_entries, close_reader, reader, iq_input_modified(input) };
	int rc;

	if (!reader)
		return iq_error_nomem(error);
	reader->fd = -1;
	rc = load(&reader->systemd, error);
	if (rc == 0)
		rc = open_file(reader, input, error);
	if (rc == 0)
		rc = begin(reader, error);
	if (rc == 0)
		rc = iq_input_open_source(&source, stop, ret_entries, error);
	if (rc == 0)
		return 0;
	close_reader(reader);
	return rc;
}

#else

int iq_journal_open(struct iq_input *input, const volatile int *stop, struct iq_input **ret_entries,
		    struct iq_error *error)
{
	(void)input;
	(void)stop;
	(void)ret_entries;
	return iq_error_set(error, IQ_ERR_FORMAT, "a journal, and this inquest was built without libsystemd: " ADVICE);
}

#endif

bool iq_journal_is(struct iq_view head)
{
	return iq_view_starts_with(head, IQ_LIT("LPKSHHRH"));
}
