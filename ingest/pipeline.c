#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ingest/ingest.h"
#include "ingest/input.h"
#include "ingest/walk.h"

/* Small evidence shares a commit. Larger evidence, or of unknown size, begins with a commit of what was before it: when
 * it has to be dropped, half taken, nothing else is dropped with it. */
#define BATCH_BYTES (8ull << 20)

/* The whole run. */
struct ingest {
	const struct iq_ingest_options *options;
	struct iq_store_writer *writer;
	struct iq_ingest_result result;
	uint64_t bytes_done; /* of the files, as they lie on disk */
	uint64_t bytes_total;
	uint64_t uncommitted; /* bytes of evidence since the last commit */
	bool store_is_new;
};

/* One evidence on its way. */
struct intake {
	struct ingest *ingest;
	const struct iq_walk_file *file;
	struct iq_input *input;
	struct iq_buf head;
	const struct iq_format *format;
	struct iq_parser *parser;
	struct iq_sink sink;	/* to the writer, by way of the counters here */
	struct iq_map sessions; /* seen in this evidence */
	struct iq_buf session_key;
	struct iq_sha256 *hash; /* where its bytes can be had only once, of what came so far */
	uint64_t bytes;		/* decompressed; 0 where it was not read before */
	char *source;
	char problem[320]; /* the first */
	uint64_t problems;
};

/* ---- Counting what a parser gives ---- */

static int count_session(struct intake *intake, const struct iq_event *event)
{
	uint32_t index;

	if (!event->session.data)
		return 0;
	iq_buf_clear(&intake->session_key);
	(void)iq_buf_append(&intake->session_key, event->source);
	(void)iq_buf_append_char(&intake->session_key, '\0');
	if (iq_buf_append(&intake->session_key, event->session) < 0)
		return IQ_ERR_NOMEM;
	return iq_map_intern(&intake->sessions, iq_buf_view(&intake->session_key), &index);
}

static int take_event(void *context, const struct iq_event *event, struct iq_error *error)
{
	struct intake *intake = context;
	struct iq_sink *writer = iq_store_writer_sink(intake->ingest->writer);

	if (count_session(intake, event) < 0)
		return iq_error_nomem(error);
	return writer->event(writer->context, event, error);
}

static int take_gap(void *context, const struct iq_gap *gap, struct iq_error *error)
{
	struct intake *intake = context;
	struct iq_sink *writer = iq_store_writer_sink(intake->ingest->writer);

	return writer->gap(writer->context, gap, error);
}

static void take_problem(void *context, const char *text)
{
	struct intake *intake = context;

	if (intake->problems++ == 0)
		(void)snprintf(intake->problem, sizeof(intake->problem), "%s", text);
}

/* ---- Reports ---- */

static int report(struct ingest *ingest, const struct iq_ingest_report *report)
{
	const struct iq_ingest_options *options = ingest->options;

	return options->report ? options->report(options->context, report) : 0;
}

static int refuse(struct ingest *ingest, const char *path, const char *format, const char *problem)
{
	const struct iq_ingest_report refused = {
		.outcome = IQ_INGEST_REFUSED, .path = path, .format = format, .problem = problem, .problems = 1
	};

	ingest->result.refused++;
	return report(ingest, &refused);
}

static void show_progress(const struct intake *intake)
{
	const struct ingest *ingest = intake->ingest;

	if (ingest->options->progress)
		ingest->options->progress(ingest->options->context, intake->file->path,
					  ingest->bytes_done + iq_input_position(intake->input), ingest->bytes_total);
}

static bool stop_asked(const struct ingest *ingest)
{
	return ingest->options->stop && *ingest->options->stop != 0;
}

static int interrupted(struct iq_error *error)
{
	return iq_error_set(error, IQ_ERR_INTERRUPTED,
			    "stopped; what was taken in is kept, run the same command again for the rest");
}

/* ---- Commits ---- */

static int commit(struct ingest *ingest, struct iq_error *error)
{
	ingest->uncommitted = 0;
	return iq_store_writer_commit(ingest->writer, error);
}

static bool wants_own_commit(const struct intake *intake)
{
	return !iq_input_is_regular(intake->input) || intake->bytes > BATCH_BYTES;
}

/* ---- One evidence ---- */

static int is_known(const struct ingest *ingest, const struct iq_sha256 *hash)
{
	uint8_t digest[IQ_SHA256_SIZE];
	uint32_t evidence;

	iq_sha256_digest(hash, digest);
	return iq_store_writer_has_evidence(ingest->writer, digest, &evidence);
}

/* Reads a file once for its hash alone: cheaper than storing it and dropping it again. 1 if its bytes are stored. */
static int known_before(struct intake *intake, struct iq_error *error)
{
	struct iq_input *input;
	struct iq_view block;
	int rc = iq_input_open(intake->file->path, intake->ingest->options->stop, &input, error);

	if (rc < 0)
		return rc;
	while ((rc = iq_input_next(input, &block, error)) > 0) {
		if (stop_asked(intake->ingest)) {
			rc = interrupted(error);
			break;
		}
		iq_sha256_update(intake->hash, block.data, block.len);
		intake->bytes += block.len;
	}
	iq_input_close(input);
	if (rc == 0)
		rc = is_known(intake->ingest, intake->hash);
	iq_sha256_reset(intake->hash);
	return rc;
}

static int read_head(struct intake *intake, struct iq_error *error)
{
	struct iq_view block;
	int rc = 1;

	while (intake->head.len < IQ_PROBE_BYTES && (rc = iq_input_next(intake->input, &block, error)) > 0)
		if (iq_buf_append(&intake->head, block) < 0)
			return iq_error_nomem(error);
	return rc < 0 ? rc : 0;
}

/* NULL, or why there is nothing to take in. */
static const char *choose_format(struct intake *intake)
{
	const struct ingest *ingest = intake->ingest;
	const char *problem = iq_input_problem(intake->input);

	if (intake->head.len == 0)
		return problem ? problem : "empty file: nothing to take in";
	if (ingest->options->format)
		intake->format = iq_format_by_name(iq_view_cstr(ingest->options->format));
	else
		intake->format = iq_format_probe(iq_buf_view(&intake->head));
	return intake->format ? NULL : "format not recognised; name it with --format docker-json|har|ndjson";
}

static int open_parser(struct intake *intake, struct iq_error *error)
{
	const struct iq_ingest_options *options = intake->ingest->options;
	const struct iq_parser_options parser_options = {
		.path = iq_view_cstr(intake->file->path),
		.source = iq_view_cstr(options->source ? options->source : intake->source),
		.max_line = options->max_line ? options->max_line : IQ_INGEST_MAX_LINE,
		.problem = take_problem,
		.context = intake,
	};

	intake->sink = (struct iq_sink){ take_event, take_gap, intake };
	intake->parser = intake->format->open(&parser_options, &intake->sink);
	return intake->parser ? 0 : iq_error_nomem(error);
}

static int take_block(struct intake *intake, struct iq_view block, struct iq_error *error)
{
	struct ingest *ingest = intake->ingest;
	int rc = iq_store_writer_raw(ingest->writer, block.data, block.len, error);

	if (rc < 0)
		return rc;
	if (!iq_input_is_regular(intake->input))
		iq_sha256_update(intake->hash, block.data, block.len);
	ingest->uncommitted += block.len;
	show_progress(intake);
	return intake->format->feed(intake->parser, block, error);
}

/* A file that ended too early has a hole at its end, of unknown size. */
static int note_early_end(struct intake *intake, struct iq_error *error)
{
	const char *problem = iq_input_problem(intake->input);
	struct iq_gap gap = IQ_GAP_INIT;

	if (!problem)
		return 0;
	take_problem(intake, problem);
	gap.reason = iq_view_cstr(problem);
	return take_gap(intake, &gap, error);
}

static int take_blocks(struct intake *intake, struct iq_error *error)
{
	const bool droppable = intake->ingest->uncommitted == 0;
	struct iq_view block = iq_buf_view(&intake->head);
	int rc = 1;

	while (rc > 0) {
		rc = take_block(intake, block, error);
		if (rc == 0)
			rc = iq_input_next(intake->input, &block, error);
		if (rc >= 0 && droppable && stop_asked(intake->ingest))
			return interrupted(error);
	}
	if (rc == 0)
		rc = intake->format->end(intake->parser, error);
	return rc == 0 ? note_early_end(intake, error) : rc;
}

static int report_taken(struct intake *intake, const struct iq_evidence *evidence)
{
	struct iq_ingest_result *result = &intake->ingest->result;
	const struct iq_ingest_report taken = {
		.outcome = intake->problems > 0 ? IQ_INGEST_PARTLY : IQ_INGEST_TAKEN,
		.path = intake->file->path,
		.format = intake->format->name,
		.evidence = *evidence,
		.sessions = intake->sessions.count,
		.problem = intake->problems > 0 ? intake->problem : NULL,
		.problems = intake->problems,
	};

	result->taken++;
	result->partly += intake->problems > 0;
	result->bytes += evidence->bytes;
	result->events += evidence->records;
	return report(intake->ingest, &taken);
}

static int report_known(struct intake *intake)
{
	const struct iq_ingest_report known = { .outcome = IQ_INGEST_KNOWN,
						.path = intake->file->path,
						.format = intake->format ? intake->format->name : NULL };

	intake->ingest->result.known++;
	return report(intake->ingest, &known);
}

static const char *evidence_path(const struct intake *intake)
{
	if (strcmp(intake->file->path, "-") != 0)
		return intake->file->path;
	return intake->ingest->options->source ? intake->ingest->options->source : "stdin";
}

/* From the first byte to the end of the evidence; on failure it is half taken and has to be dropped. 1: its bytes
 * turned out to be stored already, which drops it as well. */
static int store_evidence(struct intake *intake, struct iq_evidence *ret_evidence, struct iq_error *error)
{
	struct iq_store_writer *writer = intake->ingest->writer;
	int rc = open_parser(intake, error);

	if (rc == 0)
		rc = iq_store_writer_evidence_begin(writer, iq_view_cstr(evidence_path(intake)),
						    iq_view_cstr(intake->format->name), error);
	if (rc == 0)
		rc = take_blocks(intake, error);
	if (rc == 0 && !iq_input_is_regular(intake->input) && is_known(intake->ingest, intake->hash))
		return 1;
	return rc == 0 ? iq_store_writer_evidence_end(writer, ret_evidence, error) : rc;
}

/* Drops a half-taken evidence. Where that fails too, the writer is of no more use; the first error says enough. */
static int drop(struct intake *intake, struct iq_error *error)
{
	intake->ingest->uncommitted = 0;
	return iq_store_writer_rollback(intake->ingest->writer, error);
}

static int take_in(struct intake *intake, struct iq_error *error)
{
	struct ingest *ingest = intake->ingest;
	struct iq_evidence evidence = { 0 };
	int rc = wants_own_commit(intake) ? commit(ingest, error) : 0;

	if (rc == 0)
		rc = store_evidence(intake, &evidence, error);
	if (rc != 0) {
		int dropped = drop(intake, error);

		if (rc < 0 || dropped < 0)
			return rc < 0 ? rc : dropped;
		return report_known(intake);
	}
	rc = report_taken(intake, &evidence);
	if (rc == 0 && ingest->uncommitted >= BATCH_BYTES)
		rc = commit(ingest, error);
	return rc;
}

static int examine(struct intake *intake, struct iq_error *error)
{
	const char *problem;
	int rc = read_head(intake, error);

	if (rc == 0 && stop_asked(intake->ingest))
		rc = interrupted(error);
	if (rc < 0)
		return rc;
	problem = choose_format(intake);
	if (problem)
		return refuse(intake->ingest, intake->file->path, NULL, problem);
	/* The first evidence of a new store cannot be known, and is read once only. */
	if (iq_input_is_regular(intake->input) && !(intake->ingest->store_is_new && intake->ingest->result.taken == 0))
		rc = known_before(intake, error);
	if (rc < 0)
		return rc;
	return rc > 0 ? report_known(intake) : take_in(intake, error);
}

static void release_intake(struct intake *intake)
{
	if (intake->format)
		intake->format->close(intake->parser);
	iq_input_close(intake->input);
	iq_buf_release(&intake->head);
	iq_buf_release(&intake->session_key);
	iq_map_release(&intake->sessions);
	iq_sha256_free(intake->hash);
	free(intake->source);
}

static int ingest_file(struct ingest *ingest, const struct iq_walk_file *file, struct iq_error *error)
{
	struct intake intake = { .ingest = ingest, .file = file };
	struct iq_error trouble = IQ_ERROR_INIT;
	int rc;

	if (file->problem)
		return refuse(ingest, file->path, NULL, file->problem);
	intake.hash = iq_sha256_new();
	intake.source = iq_source_name(file->path);
	if (!intake.hash || !intake.source)
		rc = iq_error_nomem(error);
	else if (iq_input_open(file->path, ingest->options->stop, &intake.input, &trouble) < 0)
		rc = refuse(ingest, file->path, NULL, trouble.message);
	else
		rc = examine(&intake, error);
	release_intake(&intake);
	ingest->bytes_done += file->bytes;
	return rc;
}

/* ---- The run ---- */

static int find_files(struct iq_walk *walk, const char *store_path, const char *const *paths, size_t path_count,
		      struct iq_error *error)
{
	int rc = 0;

	for (size_t i = 0; i < path_count && rc == 0; i++)
		rc = iq_walk_add(walk, paths[i], store_path, error);
	return rc;
}

/* With nothing to open there is no store to make. */
static int check_files(const struct iq_walk *walk, const char *path, struct iq_error *error)
{
	if (walk->count == 0)
		return iq_error_set(error, IQ_ERR_NOT_FOUND, "%s: no files there to take in", path);
	for (size_t i = 0; i < walk->count; i++)
		if (!walk->files[i].problem)
			return 0;
	return iq_error_set(error, IQ_ERR_NOT_FOUND, "%s: %s", walk->files[0].path, walk->files[0].problem);
}

static int ingest_files(struct ingest *ingest, const struct iq_walk *walk, struct iq_error *error)
{
	int rc = 0, committed;

	for (size_t i = 0; i < walk->count; i++)
		ingest->bytes_total += walk->files[i].bytes;
	for (size_t i = 0; i < walk->count && rc == 0; i++)
		rc = stop_asked(ingest) ? interrupted(error) : ingest_file(ingest, &walk->files[i], error);
	if (rc < 0 && rc != IQ_ERR_INTERRUPTED)
		return rc;
	/* Interrupted: whole evidence counts, the half-taken one was dropped. */
	committed = commit(ingest, error);
	return committed < 0 ? committed : rc;
}

static bool is_new(const char *store_path)
{
	char *manifest = iq_path_join(store_path, "manifest");
	bool missing = manifest && access(manifest, F_OK) != 0;

	free(manifest);
	return missing;
}

int iq_ingest(const char *store_path, const char *const *paths, size_t path_count,
	      const struct iq_ingest_options *options, struct iq_ingest_result *ret_result, struct iq_error *error)
{
	struct ingest ingest = { .options = options, .store_is_new = is_new(store_path) };
	struct iq_walk walk = IQ_WALK_INIT;
	int rc;

	if (options->format && !iq_format_by_name(iq_view_cstr(options->format)))
		return iq_error_set(error, IQ_ERR_USAGE, "%s: no such format; there are docker-json, har and ndjson",
				    options->format);
	rc = find_files(&walk, store_path, paths, path_count, error);
	if (rc == 0)
		rc = check_files(&walk, path_count > 0 ? paths[0] : ".", error);
	if (rc == 0)
		rc = iq_store_writer_open(store_path, &ingest.writer, error);
	if (rc == 0)
		rc = ingest_files(&ingest, &walk, error);
	iq_store_writer_free(ingest.writer);
	iq_walk_release(&walk);
	if (rc == 0 || rc == IQ_ERR_INTERRUPTED)
		*ret_result = ingest.result;
	return rc;
}
