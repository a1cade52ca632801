#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/case.h"
#include "cli/redaction.h"
#include "query/query.h"
#include "store/store.h"

#define BLOCK (1u << 20)

/* ---- raw ---- */

/* A path below the output directory: names from evidence are never trusted. `.gz` and `.zst` go, since what is stored
 * is the decompressed stream. */
static void append_safe_path(struct iq_buf *path, struct iq_view name)
{
	size_t start = 0;

	while (start < name.len) {
		const char *slash = memchr(name.data + start, '/', name.len - start);
		size_t end = slash ? (size_t)(slash - name.data) : name.len;
		struct iq_view part = iq_view_make(name.data + start, end - start);

		start = end + 1;
		if (part.len == 0 || iq_view_eq(part, IQ_LIT(".")) || iq_view_eq(part, IQ_LIT("..")))
			continue;
		(void)iq_buf_append_char(path, '/');
		for (size_t i = 0; i < part.len; i++)
			(void)iq_buf_append_char(
				path, (unsigned char)part.data[i] < 0x20 || part.data[i] == 0x7f ? '_' : part.data[i]);
	}
}

static void strip_compression(struct iq_buf *path)
{
	static const char *const suffixes[] = { ".gz", ".zst" };

	for (size_t i = 0; i < 2; i++)
		if (iq_view_ends_with(iq_buf_view(path), iq_view_cstr(suffixes[i])))
			path->len -= strlen(suffixes[i]);
	path->data[path->len] = '\0';
}

static int make_directories(char *path, struct iq_error *error)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		int made;

		*slash = '\0';
		made = mkdir(path, 0777);
		if (made < 0 && errno != EEXIST) {
			int rc = iq_error_errno(error, IQ_ERR_IO, "%s: cannot make the directory", path);

			*slash = '/';
			return rc;
		}
		*slash = '/';
	}
	return 0;
}

static int copy_evidence(struct iq_store *store, const struct iq_evidence *evidence, int fd, struct iq_error *error)
{
	struct iq_buf block = IQ_BUF_INIT;
	int rc = 0;

	for (uint64_t at = 0; at < evidence->bytes && rc == 0; at += BLOCK) {
		uint64_t len = evidence->bytes - at < BLOCK ? evidence->bytes - at : BLOCK;

		iq_buf_clear(&block);
		rc = iq_store_read_raw(store, evidence->no, at, len, &block, error);
		if (rc == 0)
			rc = iq_file_write_all(fd, block.data, block.len, error);
	}
	iq_buf_release(&block);
	return rc;
}

/* Files are never overwritten: a second evidence of one name gets its number. */
static int create(struct iq_buf *path, uint32_t no, struct iq_error *error)
{
	int fd = open(path->data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);

	if (fd < 0 && errno == EEXIST) {
		(void)iq_buf_appendf(path, ".%" PRIu32, no);
		fd = open(path->data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
	}
	return fd < 0 ? iq_error_errno(error, IQ_ERR_IO, "%s: cannot make the file", path->data) : fd;
}

static int export_one(struct iq_store *store, const struct iq_evidence *evidence, const char *directory,
		      struct iq_error *error)
{
	struct iq_buf path = IQ_BUF_INIT;
	int fd, rc;

	if (strcmp(directory, "-") == 0)
		return fflush(stdout) == 0 ? copy_evidence(store, evidence, STDOUT_FILENO, error) : IQ_ERR_IO;
	(void)iq_buf_append_cstr(&path, directory);
	append_safe_path(&path, evidence->path);
	if (path.failed) {
		iq_buf_release(&path);
		return iq_error_nomem(error);
	}
	strip_compression(&path);
	rc = make_directories(path.data, error);
	fd = rc < 0 ? rc : create(&path, evidence->no, error);
	if (fd >= 0) {
		rc = copy_evidence(store, evidence, fd, error);
		if (close(fd) < 0 && rc == 0)
			rc = iq_error_errno(error, IQ_ERR_IO, "%s: cannot write", path.data);
	}
	iq_buf_release(&path);
	return fd < 0 ? fd : rc;
}

/* A file with a hole in it is not what was taken in: it is not written at all. */
static void tell_gone(struct cli *cli, const struct iq_evidence *evidence)
{
	struct iq_buf path = IQ_BUF_INIT;

	(void)iq_utf8_append_safe(&path, evidence->path);
	if (evidence->redacted.data) {
		cli_warn("evidence %" PRIu32
			 " (%s): was redacted when it was taken in (%.*s): its bytes were not kept, its "
			 "events are in --format ndjson",
			 evidence->no, path.data ? path.data : "", IQ_VIEW_ARG(evidence->redacted));
		(void)cli_set_status(cli, CLI_INCOMPLETE,
				     "evidence %" PRIu32 " was redacted: there are no raw bytes of it", evidence->no);
		iq_buf_release(&path);
		return;
	}
	cli_warn("evidence %" PRIu32 " (%s): %" PRIu64 " of %" PRIu64 " bytes were dropped; it is not written",
		 evidence->no, path.data ? path.data : "", evidence->dropped, evidence->bytes);
	(void)cli_set_status(cli, CLI_INCOMPLETE, "evidence %" PRIu32 " is not whole any more", evidence->no);
	iq_buf_release(&path);
}

static void export_raw(struct cli *cli, struct iq_store *store)
{
	const char *directory = cli_has(cli, CLI_OPTION_OUTPUT) ? cli_get(cli, CLI_OPTION_OUTPUT) : "evidence";
	const char *wanted = cli_get(cli, CLI_OPTION_EVIDENCE);
	struct iq_error error = IQ_ERROR_INIT;
	size_t count, written = 0;
	const struct iq_evidence *evidence = iq_store_evidence(store, &count);
	int64_t number = 0;
	bool found = false;
	int rc = 0;

	if (wanted && !iq_view_to_int64(iq_view_cstr(wanted), &number)) {
		(void)cli_set_status(cli, CLI_USAGE, "--evidence takes a number, not `%.40s`", wanted);
		return;
	}
	for (size_t i = 0; i < count && rc == 0; i++) {
		if (wanted && evidence[i].no != number)
			continue;
		found = true;
		if (evidence[i].dropped > 0 || evidence[i].redacted.data) {
			tell_gone(cli, &evidence[i]);
			continue;
		}
		rc = export_one(store, &evidence[i], directory, &error);
		written += rc == 0;
	}
	if (rc < 0)
		(void)cli_set_error(cli, &error);
	else if (!found)
		(void)cli_set_status(cli, CLI_FAILED, "no such evidence; `inquest store ls` lists what there is");
	else if (strcmp(directory, "-") != 0)
		(void)printf("%zu file%s in %s\n", written, written == 1 ? "" : "s", directory);
}

/* ---- ndjson ---- */

static size_t read_sessions(struct cli *cli, uint32_t *numbers)
{
	size_t count = 0;

	for (size_t i = 0; i < cli->value_count; i++) {
		if (cli->values[i].id != CLI_OPTION_SESSION)
			continue;
		numbers[count] = cli_session_number(cli->values[i].value);
		if (numbers[count++] == 0)
			(void)cli_set_status(cli, CLI_USAGE, "--session: `%.40s` is not a session: write s41",
					     cli->values[i].value);
	}
	return count;
}

/* A record names its session as the evidence did: taken in again, it is the same session of the same source. */
static struct iq_view evidence_name(const struct iq_store *store, const struct iq_event *event)
{
	size_t count;
	const struct iq_session *sessions = iq_store_sessions(store, &count);

	for (size_t low = 0, high = count; low < high && event->session_no;) {
		size_t middle = low + (high - low) / 2;

		if (sessions[middle].no == event->session_no)
			return sessions[middle].name;
		if (sessions[middle].no < event->session_no)
			low = middle + 1;
		else
			high = middle;
	}
	return event->session;
}

static int write_events(struct iq_store *store, const struct iq_filter *filter, FILE *file, struct iq_error *error)
{
	struct iq_buf line = IQ_BUF_INIT;
	struct iq_cursor *cursor;
	struct iq_event event;
	int rc = iq_cursor_open(store, filter, &cursor, error);

	if (rc < 0)
		return rc;
	while ((rc = iq_cursor_next(cursor, &event, error)) > 0) {
		iq_buf_clear(&line);
		event.session = evidence_name(store, &event);
		rc = iq_event_append_ndjson(&line, &event);
		if (rc == 0 && fwrite(line.data, 1, line.len, file) != line.len)
			rc = iq_error_errno(error, IQ_ERR_IO, "cannot write the events");
		if (rc < 0)
			break;
	}
	iq_buf_release(&line);
	iq_cursor_close(cursor);
	return rc;
}

static void export_ndjson(struct cli *cli, struct iq_store *store)
{
	const char *path = cli_get(cli, CLI_OPTION_OUTPUT);
	bool to_stdout = !path || strcmp(path, "-") == 0;
	uint32_t *sessions = calloc(cli->value_count + 1, sizeof(*sessions));
	struct iq_filter filter = IQ_FILTER_INIT;
	struct iq_error error = IQ_ERROR_INIT;
	FILE *file = NULL;
	int rc = 0;

	if (!sessions) {
		(void)cli_set_status(cli, CLI_FAILED, "out of memory");
		return;
	}
	/* Where its raw bytes are is no part of a record. */
	filter.columns &= ~(1u << IQ_COLUMN_OFFSET | 1u << IQ_COLUMN_LENGTH);
	filter.session_count = read_sessions(cli, sessions);
	filter.sessions = filter.session_count ? sessions : NULL;
	if (cli->status != CLI_USAGE) {
		file = to_stdout ? stdout : fopen(path, "we");
		rc = file ? write_events(store, &filter, file, &error)
			  : iq_error_errno(&error, IQ_ERR_IO, "%s: cannot make the file", path);
	}
	if (file && !to_stdout && fclose(file) != 0 && rc == 0)
		rc = iq_error_errno(&error, IQ_ERR_IO, "%s: cannot write", path);
	if (rc < 0)
		(void)cli_set_error(cli, &error);
	free(sessions);
}

/* ---- segment ---- */

/* What goes into a golden recording. */
struct golden {
	uint32_t *sessions;
	size_t session_count;
	uint64_t *beside;
	size_t beside_count;
	struct iq_redactor *redactor;
};

static int by_number(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Those that were named, else all. */
static bool choose_sessions(struct cli *cli, struct iq_store *store, struct golden *golden)
{
	size_t count;
	const struct iq_session *sessions = iq_store_sessions(store, &count);

	golden->sessions = calloc(count + cli->value_count + 1, sizeof(*golden->sessions));
	if (!golden->sessions) {
		(void)cli_set_status(cli, CLI_FAILED, "out of memory");
		return false;
	}
	golden->session_count = read_sessions(cli, golden->sessions);
	if (golden->session_count == 0)
		for (size_t i = 0; i < count; i++)
			golden->sessions[golden->session_count++] = sessions[i].no;
	qsort(golden->sessions, golden->session_count, sizeof(*golden->sessions), by_number);
	if (golden->session_count == 0)
		(void)cli_set_status(cli, CLI_FAILED, "there is no session to export");
	if (cli_has(cli, CLI_OPTION_NAME) && golden->session_count != 1)
		(void)cli_set_status(cli, CLI_USAGE, "--name names one session: choose it with --session");
	return cli->status == CLI_OK;
}

static const struct iq_sink *redact(void *context, const struct iq_sink *next)
{
	const struct golden *golden = context;

	return golden->redactor ? iq_redactor_sink(golden->redactor, next) : next;
}

static int write_golden(struct cli *cli, struct iq_store *store, struct golden *golden, const char *path,
			struct iq_error *error)
{
	struct iq_excerpt excerpt = { .name = cli_get(cli, CLI_OPTION_NAME), .through = redact, .context = golden };
	/* A log-in belongs to its session's golden recording. */
	int rc = iq_sessions_beside(store, golden->sessions, golden->session_count, &golden->beside,
				    &golden->beside_count, error);

	excerpt.sessions = golden->sessions;
	excerpt.session_count = golden->session_count;
	excerpt.beside = golden->beside;
	excerpt.beside_count = golden->beside_count;
	return rc == 0 ? iq_store_excerpt(store, &excerpt, path, error) : rc;
}

static void export_segment(struct cli *cli, struct iq_store *store)
{
	const char *path = cli_get(cli, CLI_OPTION_OUTPUT);
	struct iq_error error = IQ_ERROR_INIT;
	struct golden golden = { 0 };

	if (!path || strcmp(path, "-") == 0)
		(void)cli_set_status(cli, CLI_USAGE, "export: a segment is a file: name it with --output golden.seg");
	else if (choose_sessions(cli, store, &golden) && cli_redactor(cli, iq_store_path(store), &golden.redactor)) {
		if (write_golden(cli, store, &golden, path, &error) < 0)
			(void)cli_set_error(cli, &error);
		else
			(void)printf("%zu session%s in %s\n", golden.session_count,
				     golden.session_count == 1 ? "" : "s", path);
	}
	iq_redactor_free(golden.redactor);
	free(golden.sessions);
	free(golden.beside);
}

int cli_run_export(struct cli *cli)
{
	const char *format = cli_get(cli, CLI_OPTION_FORMAT);
	struct cli_case opened;
	size_t used;

	if (!format)
		return cli_set_status(cli, CLI_USAGE, "export: name a format: --format raw, segment or ndjson");
	if (strcmp(format, "segment") != 0 && (cli_has(cli, CLI_OPTION_REDACT) || cli_has(cli, CLI_OPTION_NAME)))
		return cli_set_status(cli, CLI_USAGE, "--redact and --name are for --format segment");
	if (!cli_case_open(cli, true, &opened, &used))
		return (int)cli->status;
	if (strcmp(format, "raw") == 0)
		export_raw(cli, opened.store);
	else if (strcmp(format, "segment") == 0)
		export_segment(cli, opened.store);
	else
		export_ndjson(cli, opened.store);
	cli_case_close(&opened);
	return (int)cli->status;
}
