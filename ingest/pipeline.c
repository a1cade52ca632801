#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ingest/attached.h"
#include "ingest/bundle.h"
#include "ingest/contents.h"
#include "ingest/docker_told.h"
#include "ingest/history.h"
#include "ingest/ingest.h"
#include "ingest/input.h"
#include "ingest/joiner.h"
#include "ingest/journal_file.h"
#include "ingest/words.h"

/* Places are kept for as long as dialects remember, and one that is older. */
#define PLACE_BYTES (1u << 20)
#define PLACES (IQ_DIALECT_WINDOW / PLACE_BYTES + 2)

/* Percent, of a file that nothing but its name tells. */
#define ATTACHED_SURE 60

/* The whole run. */
struct ingest {
	const struct iq_ingest_options *options;
	struct iq_store_writer *writer;
	struct iq_describer *describer;
	struct iq_history *history;
	struct iq_docker_told *told;	    /* of containers; NULL: nobody told of one yet */
	uint32_t evidences;		    /* that were begun */
	struct iq_bundle bundle;	    /* of the file at hand */
	struct iq_carry carry;		    /* from the turn before of the log at hand */
	const struct iq_format *carried_by; /* what that was */
	bool carry_is_new;		    /* it was taken in by this run */
	bool was_filled;		    /* the store had events before */
	bool recalled;			    /* the describer knows the handshakes of the store */
	const struct iq_walk *walk;
	struct iq_map paths; /* of the files in that, once it was asked for one */
	struct iq_ingest_result result;
	const struct iq_input *file; /* at hand, which may be an archive; NULL: none */
	uint64_t position;	     /* in that, once it is closed */
	uint64_t bytes_done;	     /* of the files, as they lie on disk */
	uint64_t bytes_total;
	uint64_t uncommitted; /* bytes of evidence since the last commit */
	int64_t commit_due;   /* by the monotonic clock */
	bool within;	      /* interrupted in the middle of an evidence, whose part is committed */
};

/* One evidence on its way. */
struct intake {
	struct ingest *ingest;
	const struct iq_walk_file *file;
	struct iq_input *input;
	struct iq_recogniser *recogniser; /* while it is not known what the bytes are */
	struct iq_recognised recognised;
	struct iq_buf head;
	int spool; /* what was read while it was recognised, of what cannot be read again; -1: none */
	uint64_t spooled;
	const struct iq_beside *beside;
	const char *in_bundle; /* its path there; NULL: in none */
	bool has_other_half;   /* the next file has the rest of the same log */
	uint64_t limit;
	bool input_ended;
	bool stopped; /* while it was recognised: what was read by then counts */
	const struct iq_format *format;
	int sure;	     /* percent; 0: it was named, or known from before */
	struct iq_sink sink; /* measures what it passes on to `next` */
	const struct iq_sink *next;
	int64_t first; /* smallest and largest time of what it says */
	int64_t last;
	struct iq_parser *parser;
	uint64_t position;		  /* in the stream, of what the parser gets next */
	struct iq_restart places[PLACES]; /* where the parser could be taken up, PLACE_BYTES apart, the oldest first */
	size_t place_count;
	struct iq_origin origin;
	bool tells_history;    /* what it gives are logs of Docker's containers, or their states */
	struct iq_buf missing; /* turns of the log before this one; empty: none */
	int64_t missing_since;
	struct iq_parser_notes notes;
	char problem[320]; /* the first */
	uint64_t problems;
};

/* ---- What a parser gives ---- */

static void take_problem(void *context, const char *text)
{
	struct intake *intake = context;

	if (intake->problems++ == 0)
		(void)snprintf(intake->problem, sizeof(intake->problem), "%s", text);
}

/* Turns that are missing lie before the first record with a time. */
static int give_missing(struct intake *intake, int64_t until, struct iq_error *error)
{
	const struct iq_sink *next = intake->next;
	struct iq_gap gap = IQ_GAP_INIT;
	int rc;

	gap.source = iq_buf_view(&intake->origin.source);
	gap.ts_min = intake->missing_since;
	gap.ts_max = until;
	gap.reason = iq_buf_view(&intake->missing);
	rc = next->gap(next->context, &gap, error);
	iq_buf_clear(&intake->missing);
	return rc;
}

static int take_time(struct intake *intake, int64_t ts, struct iq_error *error)
{
	if (intake->first == IQ_TIME_NONE || ts < intake->first)
		intake->first = ts;
	if (intake->last == IQ_TIME_NONE || ts > intake->last)
		intake->last = ts;
	return intake->missing.len > 0 ? give_missing(intake, ts, error) : 0;
}

/* What the state of a container says, or its log. */
static void note_history(struct intake *intake, const struct iq_event *event)
{
	struct iq_buf scratch = IQ_BUF_INIT;

	if (event->kind == IQ_KIND_LOG) {
		iq_history_logged(intake->ingest->history, event->source, event->ts);
	} else if (event->kind == IQ_KIND_CONTAINER && iq_view_eq(event->type, IQ_LIT("start"))) {
		const struct iq_view limit = iq_json_pointer(event->attrs, IQ_LIT("/log_limit"), &scratch).text;

		iq_history_started(intake->ingest->history, event->source, event->ts, limit);
		iq_history_started(intake->ingest->history,
				   iq_json_pointer(event->attrs, IQ_LIT("/name"), &scratch).text, event->ts, limit);
	}
	iq_buf_release(&scratch);
}

static int read_paths(struct ingest *ingest)
{
	int rc = 0;

	for (size_t i = 0; i < ingest->walk->count && rc == 0 && ingest->paths.count < ingest->walk->count; i++)
		rc = iq_map_set(&ingest->paths, iq_view_cstr(ingest->walk->files[i].path), 1);
	return rc;
}

/* What an archive still holds is not known. */
static bool is_taken_too(void *context, struct iq_view file)
{
	const struct intake *intake = context;
	const char *path = intake->file->path;
	struct iq_buf beside = IQ_BUF_INIT;
	bool taken = true;

	(void)iq_buf_append(&beside, iq_view_make(path, (size_t)(iq_path_base(path) - path)));
	(void)iq_buf_append(&beside, file);
	if (!strstr(path, "!/") && strcmp(path, "-") != 0 && read_paths(intake->ingest) == 0 && !beside.failed)
		taken = iq_map_get(&intake->ingest->paths, iq_buf_view(&beside)) != NULL;
	iq_buf_release(&beside);
	return taken;
}

/* What the store has is asked for when the first container is told of. */
static bool is_told(void *context, const struct iq_docker_action *action)
{
	const struct intake *intake = context;
	struct ingest *ingest = intake->ingest;
	struct iq_error ignored = IQ_ERROR_INIT;

	if (!ingest->told) {
		ingest->told = iq_docker_told_new();
		if (ingest->told && ingest->was_filled)
			(void)iq_docker_told_recall(ingest->told, iq_store_writer_path(ingest->writer), &ignored);
	}
	return ingest->told && iq_docker_told_again(ingest->told, action, ingest->evidences);
}

static int take_event(void *context, const struct iq_event *event, struct iq_error *error)
{
	struct intake *intake = context;
	const struct iq_sink *next = intake->next;
	int rc = event->ts != IQ_TIME_NONE ? take_time(intake, event->ts, error) : 0;

	if (intake->tells_history)
		note_history(intake, event);
	return rc == 0 ? next->event(next->context, event, error) : rc;
}

static int take_gap(void *context, const struct iq_gap *gap, struct iq_error *error)
{
	struct intake *intake = context;
	return intake->next->gap(intake->next->context, gap, error);
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
					  ingest->bytes_done + iq_input_position(ingest->file), ingest->bytes_total);
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

static void begin_batch(struct ingest *ingest)
{
	ingest->uncommitted = 0;
	ingest->commit_due = iq_clock_monotonic() + IQ_INGEST_COMMIT_INTERVAL;
}

static uint64_t commit_bytes(const struct ingest *ingest)
{
	return ingest->options->commit_bytes ? ingest->options->commit_bytes : IQ_INGEST_COMMIT_BYTES;
}

static bool commit_is_due(const struct ingest *ingest)
{
	return ingest->uncommitted >= commit_bytes(ingest) || iq_store_writer_full(ingest->writer) ||
	       (ingest->uncommitted > 0 && iq_clock_monotonic() >= ingest->commit_due);
}

static int commit(struct ingest *ingest, struct iq_error *error)
{
	begin_batch(ingest);
	return iq_store_writer_commit(ingest->writer, error);
}

/* ---- Where an evidence is taken up ---- */

static void note_place(struct intake *intake)
{
	const struct iq_restart place = intake->format->restart(intake->parser);

	if (intake->place_count > 0 && place.offset - intake->places[intake->place_count - 1].offset < PLACE_BYTES)
		return;
	if (intake->place_count == PLACES)
		memmove(intake->places, intake->places + 1, --intake->place_count * sizeof(place));
	intake->places[intake->place_count++] = place;
}

/* Where the parser says, or earlier, so that what is remembered of messages then is again. Bytes that are not kept cannot be
 * read again. */
static struct iq_restart restart_place(const struct intake *intake)
{
	struct iq_restart place = intake->format->restart(intake->parser);
	const uint64_t wanted = iq_dialects_place(iq_describer_dialects(intake->ingest->describer), place.offset);

	if (intake->ingest->options->redactor)
		return place;
	for (size_t i = intake->place_count; i-- > 0 && place.offset > wanted;)
		if (intake->places[i].offset < place.offset)
			place = intake->places[i];
	return place;
}

/* In the middle of an evidence. */
static int commit_part(struct intake *intake, struct iq_error *error)
{
	const struct iq_restart restart = restart_place(intake);

	begin_batch(intake->ingest);
	return iq_store_writer_evidence_commit(intake->ingest->writer, &restart, error);
}

/* ---- What the evidence is ---- */

/* Reads on. 1: a block; 0: there are no more. */
static int next_block(struct intake *intake, struct iq_view *ret_block, struct iq_error *error)
{
	int rc = iq_input_next(intake->input, ret_block, error);

	if (rc >= 0 && stop_asked(intake->ingest))
		return interrupted(error);
	intake->input_ended = rc == 0;
	show_progress(intake);
	return rc;
}

static int keep_head(struct intake *intake, struct iq_view block, struct iq_error *error)
{
	if (intake->head.len >= IQ_PROBE_BYTES)
		return 0;
	return iq_buf_append(&intake->head, block) < 0 ? iq_error_nomem(error) : 0;
}

/* A file has its bytes still; standard input has none of those that were read, even where it is one. */
static bool can_read_again(const struct intake *intake)
{
	return iq_input_is_regular(intake->input) && strcmp(intake->file->path, "-") != 0;
}

/* Of what was redacted the store has no bytes to begin again with, and a pipe gives them once. */
static int open_spool(struct intake *intake, struct iq_error *error)
{
	const bool needed = intake->ingest->options->redactor && intake->ingest->was_filled && !can_read_again(intake);

	return needed ? iq_file_temporary(NULL, &intake->spool, error) : 0;
}

static int spool_block(struct intake *intake, struct iq_view block, struct iq_error *error)
{
	if (intake->spool < 0)
		return 0;
	intake->spooled += block.len;
	return iq_file_write_all(intake->spool, block.data, block.len, error);
}

/* Reads until it is known whether the store has these bytes, and what format they may be in. */
static int recognise(struct intake *intake, struct iq_error *error)
{
	struct iq_view block;
	int decided = 0, rc = iq_recogniser_new(intake->ingest->writer, &intake->recogniser, error);

	if (rc == 0)
		rc = open_spool(intake, error);
	while (rc == 0 && (!decided || intake->head.len < IQ_PROBE_BYTES)) {
		rc = next_block(intake, &block, error);
		if (rc == IQ_ERR_INTERRUPTED && intake->head.len > 0) {
			intake->stopped = intake->input_ended = true;
			*error = (struct iq_error)IQ_ERROR_INIT;
			rc = 0;
		}
		if (rc == 0)
			rc = iq_recogniser_end(intake->recogniser, error);
		if (rc <= 0 && (rc < 0 || intake->input_ended))
			break;
		decided = iq_recogniser_feed(intake->recogniser, block, error);
		rc = decided < 0 ? decided : keep_head(intake, block, error);
		if (rc == 0)
			rc = spool_block(intake, block, error);
	}
	if (rc == 0)
		intake->recognised = *iq_recogniser_result(intake->recogniser);
	return rc;
}

/* ---- One evidence ---- */

static const struct iq_format *find_format(struct intake *intake)
{
	const char *name = intake->ingest->options->format;
	const bool attached = iq_attached_of(iq_view_cstr(intake->file->path)) == IQ_ATTACHED_CONTENT;

	if (!name && attached) {
		name = "har-content";
		intake->sure = ATTACHED_SURE;
	}
	if (intake->recognised.outcome == IQ_STREAM_CONTINUES)
		return iq_format_by_name(intake->recognised.format);
	if (!name && intake->in_bundle && iq_bundle_is_note(intake->in_bundle))
		return iq_format_by_name(IQ_LIT("collected"));
	return name ? iq_format_by_name(iq_view_cstr(name))
		    : iq_format_probe(iq_buf_view(&intake->head), &intake->sure);
}

/* NULL, or why there is nothing to take in. */
static const char *choose_format(struct intake *intake)
{
	const char *problem = iq_input_problem(intake->input);

	if (intake->head.len == 0)
		return problem ? problem : "empty file: nothing to take in";
	intake->format = find_format(intake);
	if (intake->format)
		return NULL;
	(void)snprintf(intake->problem, sizeof(intake->problem), "format not recognised; name it with --format %s",
		       IQ_FORMAT_NAMES);
	return intake->problem;
}

/* Where events go: to the writer, and before that through the redactor. */
static const struct iq_sink *event_sink(const struct ingest *ingest)
{
	const struct iq_sink *sink = iq_store_writer_sink(ingest->writer);

	return ingest->options->redactor ? iq_redactor_sink(ingest->options->redactor, sink) : sink;
}

/* What is taken from stdin is named, if there is a name. */
static const char *evidence_name(const struct ingest *ingest, const char *path)
{
	if (strcmp(path, "-") != 0)
		return path;
	return ingest->options->source ? ingest->options->source : "stdin";
}

static struct iq_parser_options parser_options(struct intake *intake)
{
	struct ingest *ingest = intake->ingest;
	const struct iq_ingest_options *options = ingest->options;
	const bool carries = !ingest->carried_by || ingest->carried_by == intake->format;

	return (struct iq_parser_options){
		.path = iq_view_cstr(evidence_name(ingest, intake->file->path)),
		.source = options->source ? iq_view_cstr(options->source) : iq_buf_view(&intake->origin.source),
		.max_line = options->max_line ? options->max_line : IQ_INGEST_MAX_LINE,
		.from = intake->recognised.restart,
		.attrs = iq_buf_view(&intake->origin.attrs),
		.zone = options->zone,
		.newest = iq_input_modified(intake->input),
		.notes = &intake->notes,
		.extract = options->extract,
		.carry = carries ? &ingest->carry : NULL,
		.goes_on = intake->file->goes_on,
		.collected = intake->in_bundle && ingest->bundle.ended != IQ_TIME_NONE ? ingest->bundle.ended : 0,
		.limit = intake->limit,
		.problem = take_problem,
		.beside = is_taken_too,
		.told = is_told,
		.context = intake,
	};
}

static bool tells_history(const struct iq_format *format)
{
	static const char *const names[] = { "compose", "docker-inspect", "docker-json", "docker-text" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(format->name, names[i]) == 0)
			return true;
	return false;
}

/* What is known of the history of its log before the first record. */
static int begin_history(struct intake *intake)
{
	struct ingest *ingest = intake->ingest;
	const struct iq_origin *origin = &intake->origin;

	intake->tells_history = tells_history(intake->format);
	if (origin->started != IQ_TIME_NONE)
		iq_history_started(ingest->history, iq_buf_view(&origin->source), origin->started,
				   iq_view_cstr(origin->log_limit));
	(void)iq_history_missing(ingest->history, intake->file->path, &intake->missing, &intake->missing_since);
	return intake->missing.failed ? IQ_ERR_NOMEM : 0;
}

static int open_parser(struct intake *intake, struct iq_error *error)
{
	const struct iq_parser_options options = parser_options(intake);

	intake->sink = (struct iq_sink){ take_event, take_gap, intake };
	intake->position = intake->recognised.restart.offset;
	intake->places[0] = intake->recognised.restart;
	intake->place_count = 1;
	intake->next = event_sink(intake->ingest);
	if (begin_history(intake) < 0)
		return iq_error_nomem(error);
	intake->parser = intake->format->open(intake->format, &options,
					      iq_describer_begin(intake->ingest->describer, &options, &intake->sink));
	return intake->parser ? 0 : iq_error_nomem(error);
}

/* The handshakes of the sessions that are open before the place at which the evidence is taken up. */
static int read_handshakes(const struct intake *intake, struct iq_store *store, struct iq_error *error)
{
	struct iq_filter filter = IQ_FILTER_INIT;
	struct iq_cursor *cursor = NULL;
	struct iq_event event;
	int rc = iq_store_load(store, error);

	filter.kinds = 1u << IQ_KIND_WS_OPEN | 1u << IQ_KIND_WS_CLOSE | 1u << IQ_KIND_NET_ERROR;
	filter.columns = 1u << IQ_COLUMN_SOURCE | 1u << IQ_COLUMN_SESSION | 1u << IQ_COLUMN_KIND |
			 1u << IQ_COLUMN_ATTRS | 1u << IQ_COLUMN_EVIDENCE | 1u << IQ_COLUMN_OFFSET;
	if (rc == 0)
		rc = iq_cursor_open(store, &filter, &cursor, error);
	while (rc == 0 && (rc = iq_cursor_next(cursor, &event, error)) > 0) {
		const struct iq_session *session = iq_store_find_session(store, event.session_no);
		const bool comes_again = event.evidence == intake->recognised.evidence &&
					 event.offset >= intake->recognised.restart.offset;

		event.session = session ? session->name : IQ_VIEW_NULL;
		rc = comes_again ? 0 : iq_dialects_describe(iq_describer_dialects(intake->ingest->describer), &event);
	}
	iq_cursor_close(cursor);
	return rc;
}

/* Sessions go on whose handshakes were read by another run. */
static int recall_handshakes(const struct intake *intake, struct iq_error *error)
{
	struct ingest *ingest = intake->ingest;
	struct iq_store *store;
	int rc = ingest->recalled ? 0 : iq_store_open_lazily(iq_store_writer_path(ingest->writer), &store, error);

	if (rc < 0 || ingest->recalled)
		return rc;
	ingest->recalled = true;
	rc = read_handshakes(intake, store, error);
	iq_store_close(store);
	return rc;
}

static struct iq_evidence_facts known_facts(const struct iq_ingest_options *options)
{
	struct iq_evidence_facts facts = IQ_EVIDENCE_FACTS_INIT;

	if (options->redactor)
		facts.redacted = iq_redactor_label(options->redactor);
	if (options->has_covers) {
		facts.covers_from = options->covers_from;
		facts.covers_to = options->covers_to;
	}
	return facts;
}

static int begin_evidence(struct intake *intake, struct iq_error *error)
{
	struct iq_store_writer *writer = intake->ingest->writer;
	const struct iq_evidence_facts facts = known_facts(intake->ingest->options);
	struct iq_view path = iq_view_cstr(evidence_name(intake->ingest, intake->file->path));
	struct iq_buf scratch = IQ_BUF_INIT;
	int rc = facts.redacted.data ? iq_redactor_text(intake->ingest->options->redactor, path, &scratch, &path) : 0;

	if (rc < 0)
		rc = iq_error_nomem(error);
	else if (intake->recognised.outcome != IQ_STREAM_CONTINUES)
		rc = iq_store_writer_evidence_begin(writer, path, iq_view_cstr(intake->format->name), error);
	else if ((rc = iq_store_writer_evidence_continue(writer, intake->recogniser, path, error)) == 0)
		rc = recall_handshakes(intake, error);
	iq_buf_release(&scratch);
	return rc == 0 ? iq_store_writer_evidence_facts(writer, &facts, error) : rc;
}

/* The next bytes of the stream; those that the store has only go to the parser. */
static int take_piece(struct intake *intake, struct iq_view piece, bool stored, struct iq_error *error)
{
	struct ingest *ingest = intake->ingest;
	int rc = stored ? 0 : iq_store_writer_raw(ingest->writer, piece.data, piece.len, error);

	intake->position += piece.len;
	if (!stored) {
		ingest->uncommitted += piece.len;
		ingest->result.bytes += piece.len;
	}
	if (rc == 0)
		rc = intake->format->feed(intake->parser, piece, error);
	note_place(intake);
	return rc == 0 && commit_is_due(ingest) ? commit_part(intake, error) : rc;
}

/* Pieces end where the store's bytes do, and where a commit is due. */
static int take_block(struct intake *intake, struct iq_view block, struct iq_error *error)
{
	int rc = 0;

	while (rc == 0 && block.len > 0) {
		const bool stored = intake->position < intake->recognised.settled;
		uint64_t len = stored ? intake->recognised.settled - intake->position
				      : commit_bytes(intake->ingest) - intake->ingest->uncommitted;
		struct iq_view piece = iq_view_make(block.data, len < block.len ? (size_t)len : block.len);

		rc = take_piece(intake, piece, stored, error);
		block = iq_view_from(block, piece.len);
	}
	return rc;
}

struct replay {
	struct intake *intake;
	struct iq_error *error;
};

static int replay_block(void *context, uint64_t offset, struct iq_view bytes)
{
	struct replay *replay = context;

	(void)offset;
	if (stop_asked(replay->intake->ingest) && !replay->intake->stopped)
		return interrupted(replay->error);
	return take_block(replay->intake, bytes, replay->error);
}

/* The bytes are not in the store any more: a file has them still. */
static int read_again(struct intake *intake, struct iq_error *error)
{
	struct iq_view block;
	uint64_t passed = 0;
	int rc;

	iq_input_close(intake->input);
	intake->input = NULL;
	rc = iq_input_open(intake->file->path, intake->ingest->options->stop, &intake->input, error);
	intake->ingest->file = intake->input;
	while (rc == 0 && passed < intake->position && (rc = next_block(intake, &block, error)) > 0) {
		uint64_t left = intake->position - passed;

		passed += block.len;
		rc = block.len > left ? take_block(intake, iq_view_from(block, (size_t)left), error) : 0;
	}
	return rc;
}

static int replay_spool(struct intake *intake, struct iq_error *error)
{
	char block[64u << 10];
	int rc = 0;

	while (rc == 0 && intake->position < intake->spooled) {
		const uint64_t left = intake->spooled - intake->position;
		const ssize_t got = pread(intake->spool, block, left < sizeof(block) ? (size_t)left : sizeof(block),
					  (off_t)intake->position);

		rc = got > 0 ? take_block(intake, iq_view_make(block, (size_t)got), error)
			     : iq_error_errno(error, IQ_ERR_IO, "the temporary file of a pipe cannot be read");
	}
	return rc;
}

/* What was read while the evidence was recognised. */
static int replay(struct intake *intake, struct iq_error *error)
{
	struct replay replay = { intake, error };
	struct iq_error gone = IQ_ERROR_INIT;
	int rc = iq_recogniser_replay(intake->recogniser, intake->position, replay_block, &replay, &gone);

	if (rc == IQ_ERR_NOT_FOUND && can_read_again(intake))
		return read_again(intake, error);
	if (rc == IQ_ERR_NOT_FOUND && intake->spool >= 0)
		return replay_spool(intake, error);
	if (rc < 0 && error->status == IQ_OK)
		*error = gone;
	return rc;
}

/* First what was read already, then the rest. */
static int take_blocks(struct intake *intake, struct iq_error *error)
{
	struct iq_view block;
	int rc = replay(intake, error);

	iq_recogniser_free(intake->recogniser);
	intake->recogniser = NULL;
	while (rc == 0 && !intake->input_ended) {
		rc = next_block(intake, &block, error);
		if (rc > 0)
			rc = take_block(intake, block, error);
	}
	return rc == 0 && intake->stopped ? interrupted(error) : rc;
}

/* A file that ended too early has a hole at its end, of unknown size. */
static int note_early_end(struct intake *intake, struct iq_error *error)
{
	const char *problem = iq_input_problem(intake->input);
	struct iq_sink *sink = iq_store_writer_sink(intake->ingest->writer);
	struct iq_gap gap = IQ_GAP_INIT;

	if (!problem)
		return 0;
	take_problem(intake, problem);
	gap.offset = intake->position;
	gap.reason = iq_view_cstr(problem);
	return sink->gap(sink->context, &gap, error);
}

/* ---- Bundles ---- */

/* What the manifest of its bundle says of it is compared with what it is. False: it is another. */
static bool is_as_collected(struct intake *intake, char *ret_text, size_t size)
{
	uint8_t wanted[IQ_SHA256_SIZE], found[IQ_SHA256_SIZE];
	uint64_t wanted_bytes, bytes;

	if (!intake->in_bundle ||
	    !iq_bundle_expects(&intake->ingest->bundle, intake->in_bundle, &wanted_bytes, wanted) ||
	    !iq_input_digest(intake->input, &bytes, found) || memcmp(wanted, found, sizeof(found)) == 0)
		return true;
	(void)snprintf(ret_text, size,
		       "not as it was collected: " IQ_BUNDLE_MANIFEST " says %" PRIu64
		       " bytes with another SHA-256, and it has %" PRIu64,
		       wanted_bytes, bytes);
	take_problem(intake, ret_text);
	return false;
}

static int give_hole(struct intake *intake, const char *reason, struct iq_error *error)
{
	struct iq_gap gap = IQ_GAP_INIT;

	gap.source = iq_buf_view(&intake->origin.source);
	gap.offset = intake->position;
	gap.reason = iq_view_cstr(reason);
	return intake->next->gap(intake->next->context, &gap, error);
}

/* Of the manifest itself: files that it names and that are not there. */
static int note_lost_files(struct intake *intake, struct iq_error *error)
{
	struct iq_bundle *bundle = &intake->ingest->bundle;
	struct iq_buf path = IQ_BUF_INIT, reason = IQ_BUF_INIT;
	size_t offset = 0;
	int rc = 0;

	while (rc == 0 && iq_bundle_next(bundle, &offset, &path)) {
		if (!intake->beside->has(intake->beside->context, path.data)) {
			iq_buf_clear(&reason);
			(void)iq_buf_appendf(&reason, "was collected, and is not there any more: %s",
					     path.data + bundle->root.len);
			take_problem(intake, reason.data);
			rc = give_hole(intake, reason.data, error);
		}
		iq_buf_clear(&path);
	}
	iq_buf_release(&path);
	iq_buf_release(&reason);
	return rc;
}

/* Logs of a bundle are complete from when they were asked for, or from their beginning, until collecting began. */
static int set_coverage(struct intake *intake, struct iq_error *error)
{
	const struct iq_bundle *bundle = &intake->ingest->bundle;
	struct iq_evidence_facts facts = known_facts(intake->ingest->options);

	if (intake->ingest->options->has_covers || iq_bundle_is_note(intake->in_bundle) ||
	    intake->first == IQ_TIME_NONE)
		return 0;
	facts.covers_from =
		bundle->since != IQ_TIME_NONE && bundle->since < intake->first ? bundle->since : intake->first;
	facts.covers_to = bundle->began > intake->last ? bundle->began : intake->last;
	return iq_store_writer_evidence_facts(intake->ingest->writer, &facts, error);
}

static int end_in_bundle(struct intake *intake, struct iq_error *error)
{
	char text[200];
	int rc = 0;

	if (!intake->in_bundle)
		return 0;
	if (!is_as_collected(intake, text, sizeof(text)))
		rc = give_hole(intake, text, error);
	if (rc == 0 && strcmp(intake->in_bundle, IQ_BUNDLE_MANIFEST) == 0)
		rc = note_lost_files(intake, error);
	return rc == 0 ? set_coverage(intake, error) : rc;
}

/* ---- The end ---- */

/* What is complete is settled; what is not may go on another time. */
static int end_evidence(struct intake *intake, struct iq_evidence *ret_evidence, struct iq_error *error)
{
	struct iq_store_writer *writer = intake->ingest->writer;
	struct iq_restart restart;
	int rc = intake->format->settle ? intake->format->settle(intake->parser, error) : 0;

	if (rc == 0) {
		restart = restart_place(intake);
		rc = iq_store_writer_evidence_settle(writer, &restart, error);
	}
	if (rc == 0)
		rc = intake->format->end(intake->parser, error);
	if (rc == 0)
		rc = note_early_end(intake, error);
	if (rc == 0)
		rc = end_in_bundle(intake, error);
	if (rc == 0 && !intake->has_other_half)
		rc = iq_history_end(intake->ingest->history, intake->next, intake->position, error);
	return rc == 0 ? iq_store_writer_evidence_end(writer, ret_evidence, error) : rc;
}

/* Hostile patterns, or hostile lines. */
static void note_given_up(struct intake *intake)
{
	struct iq_extract *extract = intake->ingest->options->extract;
	const char *place;
	char text[320];
	uint64_t count = extract ? iq_extract_given_up(extract, &place) : 0;

	if (count == 0)
		return;
	(void)snprintf(text, sizeof(text),
		       "%s: matching was given up %" PRIu64
		       " times because it took too long; what it might have found is "
		       "missing",
		       place, count);
	take_problem(intake, text);
}

static int report_taken(struct intake *intake, const struct iq_evidence *evidence)
{
	struct ingest *ingest = intake->ingest;
	const bool continued = intake->recognised.outcome == IQ_STREAM_CONTINUES;
	const struct iq_ingest_report taken = {
		.outcome = intake->problems > 0 ? IQ_INGEST_PARTLY
			   : continued		? IQ_INGEST_CONTINUED
						: IQ_INGEST_TAKEN,
		.path = intake->file->path,
		.format = intake->format->name,
		.evidence = *evidence,
		.sessions = iq_store_writer_evidence_sessions(ingest->writer),
		.problem = intake->problems > 0 ? intake->problem : NULL,
		.problems = intake->problems,
		.sure = intake->sure,
		.notes = intake->notes,
		.first = intake->first,
		.last = intake->last,
	};

	ingest->result.taken++;
	ingest->result.partly += intake->problems > 0;
	return report(ingest, &taken);
}

/* ---- What the store has ---- */

static int leave_event(void *context, const struct iq_event *event, struct iq_error *error)
{
	(void)context;
	(void)event;
	(void)error;
	return 0;
}

static int leave_gap(void *context, const struct iq_gap *gap, struct iq_error *error)
{
	(void)context;
	(void)gap;
	(void)error;
	return 0;
}

struct known {
	struct intake *intake;
	struct iq_error *error;
};

static int feed_known(void *context, uint64_t offset, struct iq_view bytes)
{
	const struct known *known = context;

	(void)offset;
	return known->intake->format->feed(known->intake->parser, bytes, known->error);
}

/* What is unfinished at its end goes on in the next turn all the same. */
static int carry_known(struct intake *intake, struct iq_error *error)
{
	static const struct iq_sink nowhere = { leave_event, leave_gap, NULL };
	const struct iq_parser_options options = parser_options(intake);
	struct iq_error gone = IQ_ERROR_INIT;
	struct known known = { intake, &gone };
	int rc;

	intake->parser = intake->format->open(intake->format, &options, &nowhere);
	if (!intake->parser)
		return iq_error_nomem(error);
	rc = iq_recogniser_replay(intake->recogniser, options.from.offset, feed_known, &known, &gone);
	return rc == 0 ? intake->format->end(intake->parser, error) : 0;
}

/* Of the turn before, what goes on here. */
static const char *note_carried(struct intake *intake, uint64_t bytes)
{
	if (bytes == 0)
		return NULL;
	(void)snprintf(
		intake->problem, sizeof(intake->problem),
		"the turn before it ends with %" PRIu64
		" bytes of a text that goes on here, and was not taken in together with it: ingest both into a new store",
		bytes);
	return intake->problem;
}

static int take_known(struct intake *intake, struct iq_error *error)
{
	struct ingest *ingest = intake->ingest;
	const bool shorter = intake->recognised.outcome == IQ_STREAM_SHORTER;
	const char *problem = ingest->carry_is_new ? note_carried(intake, iq_carry_bytes(&ingest->carry)) : NULL;
	struct iq_ingest_report known = { .outcome = shorter ? IQ_INGEST_SHORTER : IQ_INGEST_KNOWN,
					  .path = intake->file->path,
					  .problem = problem };
	char text[200];
	int rc = 0;

	if (!is_as_collected(intake, text, sizeof(text)))
		known.problem = text;
	known.problems = known.problem != NULL;
	iq_carry_release(&ingest->carry);
	ingest->carried_by = NULL;
	intake->format = iq_format_by_name(intake->recognised.format);
	known.format = intake->format ? intake->format->name : NULL;
	if (intake->format && intake->file->goes_on && !shorter)
		rc = carry_known(intake, error);
	ingest->result.known++;
	ingest->result.partly += known.problem != NULL;
	return rc == 0 ? report(ingest, &known) : rc;
}

/* ---- What it has not ---- */

static int take_in(struct intake *intake, struct iq_error *error)
{
	struct ingest *ingest = intake->ingest;
	struct iq_evidence evidence = { 0 };
	int rc = open_parser(intake, error), committed;

	if (rc == 0)
		rc = begin_evidence(intake, error);
	if (rc == 0)
		rc = take_blocks(intake, error);
	if (rc == IQ_ERR_INTERRUPTED) {
		committed = commit_part(intake, error);
		ingest->within = true;
		return committed < 0 ? committed : rc;
	}
	if (rc == 0)
		rc = end_evidence(intake, &evidence, error);
	note_given_up(intake);
	if (rc == 0)
		rc = report_taken(intake, &evidence);
	return rc == 0 && commit_is_due(ingest) ? commit(ingest, error) : rc;
}

/* What the store has as it was cannot become redacted, and what it has redacted cannot go on otherwise. NULL: there is no conflict. */
static const char *redaction_conflict(const struct intake *intake)
{
	const struct iq_redactor *redactor = intake->ingest->options->redactor;
	const struct iq_view known = intake->recognised.redacted;
	const bool continues = intake->recognised.outcome == IQ_STREAM_CONTINUES;

	if (intake->recognised.outcome == IQ_STREAM_NEW)
		return NULL;
	if (redactor && !known.data)
		return "the store has it as it is, with its secrets: take it with --redact into a new store";
	if (continues && known.data && !redactor)
		return "its beginning was redacted: give --redact to go on with it";
	if (continues && redactor && !iq_view_eq(known, iq_redactor_label(redactor)))
		return "its beginning was redacted with other presets or another key: give the same ones";
	return NULL;
}

/* What was asked of a host may have an empty answer. */
static bool is_empty(const struct intake *intake)
{
	return intake->in_bundle && intake->head.len == 0 && !iq_input_problem(intake->input);
}

static int report_empty(struct intake *intake)
{
	const struct iq_ingest_report empty = { .outcome = IQ_INGEST_EMPTY, .path = intake->file->path };

	intake->ingest->result.empty++;
	return report(intake->ingest, &empty);
}

static int examine(struct intake *intake, struct iq_error *error)
{
	const char *problem;
	int rc = recognise(intake, error);

	if (rc < 0)
		return rc;
	problem = redaction_conflict(intake);
	if (problem)
		return refuse(intake->ingest, intake->file->path, NULL, problem);
	if (intake->recognised.outcome == IQ_STREAM_KNOWN || intake->recognised.outcome == IQ_STREAM_SHORTER)
		return take_known(intake, error);
	if (is_empty(intake))
		return report_empty(intake);
	problem = choose_format(intake);
	if (problem && intake->stopped)
		return interrupted(error);
	return problem ? refuse(intake->ingest, intake->file->path, NULL, problem) : take_in(intake, error);
}

static void release_intake(struct intake *intake)
{
	if (intake->format)
		intake->format->close(intake->parser);
	iq_buf_release(&intake->head);
	if (intake->spool >= 0)
		(void)close(intake->spool);
	iq_recogniser_free(intake->recogniser);
	iq_origin_release(&intake->origin);
	iq_buf_release(&intake->missing);
}

/* Docker describes a container beside its log; one that cannot be read says nothing. */
static int read_beside(const struct iq_beside *beside, const char *of, const char *name, struct iq_buf *text)
{
	char *directory = strndup(of, (size_t)(iq_path_base(of) - of));
	char *path = directory ? iq_path_join(*directory ? directory : ".", name) : NULL;
	const int rc = path ? 0 : IQ_ERR_NOMEM;

	iq_buf_clear(text);
	if (rc == 0 && beside->read(beside->context, path, text) < 0)
		iq_buf_clear(text);
	free(directory);
	free(path);
	return rc;
}

static int read_docker_config(struct iq_origin *origin, const char *log, const struct iq_beside *beside)
{
	struct iq_buf text = IQ_BUF_INIT;
	int rc = read_beside(beside, log, IQ_DOCKER_CONFIG, &text);

	if (rc == 0)
		rc = iq_origin_read_docker_config(origin, iq_buf_view(&text));
	if (rc == 0)
		rc = read_beside(beside, log, IQ_DOCKER_HOST_CONFIG, &text);
	if (rc == 0)
		iq_origin_read_docker_host_config(origin, iq_buf_view(&text));
	iq_buf_release(&text);
	return rc;
}

#define DOCKER_LOGS "docker/logs/"

/* docker/logs/NAME/stdout.log and stderr.log and docker/inspect/NAME.json are of one container. */
static int read_docker_inspect(struct intake *intake, struct iq_view name)
{
	struct iq_buf path = IQ_BUF_INIT, text = IQ_BUF_INIT;
	int rc;

	(void)iq_buf_append(&path, iq_buf_view(&intake->ingest->bundle.root));
	(void)iq_buf_appendf(&path, "docker/inspect/%.*s.json", IQ_VIEW_ARG(name));
	rc = path.failed ? IQ_ERR_NOMEM : 0;
	if (rc == 0 && intake->beside->read(intake->beside->context, path.data, &text) == 0)
		rc = iq_origin_read_docker_inspect(&intake->origin, iq_buf_view(&text));
	iq_buf_release(&path);
	iq_buf_release(&text);
	return rc;
}

static int find_docker_log(struct intake *intake, struct iq_view within)
{
	struct iq_view name, file = within;
	int rc = iq_take_word(&file, '/', &name) ? read_docker_inspect(intake, name) : 0;

	intake->has_other_half = iq_view_eq(file, IQ_LIT("stderr.log"));
	if (rc == 0)
		iq_attrs_text(&intake->origin.attrs, IQ_LIT("stream"),
			      intake->has_other_half ? IQ_LIT("stderr") : IQ_LIT("stdout"));
	return intake->origin.attrs.failed ? IQ_ERR_NOMEM : rc;
}

/* `limit N` */
static int read_limit(struct intake *intake)
{
	struct iq_buf text = IQ_BUF_INIT;
	int rc = read_beside(intake->beside, intake->file->path, IQ_BUNDLE_LIMIT, &text);
	int64_t limit;

	if (iq_view_starts_with(iq_buf_view(&text), IQ_LIT("limit ")) &&
	    iq_view_to_int64(iq_view_trim(iq_view_from(iq_buf_view(&text), strlen("limit "))), &limit) && limit > 0)
		intake->limit = (uint64_t)limit;
	iq_buf_release(&text);
	return rc;
}

static int find_in_bundle(struct intake *intake)
{
	const struct iq_view path = iq_view_cstr(intake->in_bundle);

	if (iq_view_starts_with(path, IQ_LIT(DOCKER_LOGS)))
		return find_docker_log(intake, iq_view_from(path, strlen(DOCKER_LOGS)));
	if (!iq_bundle_is_note(intake->in_bundle))
		return iq_view_starts_with(path, IQ_LIT("gcloud/")) ? read_limit(intake) : 0;
	iq_buf_clear(&intake->origin.source);
	return iq_buf_append_cstr(&intake->origin.source, "collect");
}

static int find_origin(struct intake *intake)
{
	const char *path = intake->file->path;
	int rc = iq_origin_read_path(&intake->origin, path);

	if (rc == 0 && intake->in_bundle)
		rc = find_in_bundle(intake);
	return rc == 0 && iq_path_is_docker_log(path) ? read_docker_config(&intake->origin, path, intake->beside) : rc;
}

/* How far the file at hand was read stays known. */
static void close_input(struct ingest *ingest, struct iq_input *input)
{
	if (input && input == ingest->file) {
		ingest->position = iq_input_position(input);
		ingest->file = NULL;
	}
	iq_input_close(input);
}

/* The next evidence may be the next turn of the same log. */
static int end_turn(struct intake *intake, struct iq_error *error)
{
	struct ingest *ingest = intake->ingest;

	if (!intake->file->goes_on)
		iq_carry_release(&ingest->carry);
	ingest->carried_by = intake->file->goes_on ? intake->format : NULL;
	ingest->carry_is_new = intake->recognised.outcome == IQ_STREAM_NEW;
	return iq_history_turn(ingest->history, intake->file->path, intake->last) < 0 ? iq_error_nomem(error) : 0;
}

/* Takes ownership of `input`. */
static int ingest_evidence(struct ingest *ingest, const struct iq_walk_file *file, struct iq_input *input,
			   const struct iq_beside *beside, struct iq_error *error)
{
	struct intake intake = { .ingest = ingest,
				 .file = file,
				 .input = input,
				 .beside = beside,
				 .in_bundle = iq_bundle_path(&ingest->bundle, file->path),
				 .origin = IQ_ORIGIN_INIT,
				 .spool = -1,
				 .first = IQ_TIME_NONE,
				 .last = IQ_TIME_NONE };
	int rc;

	ingest->evidences++;
	rc = find_origin(&intake) < 0 ? iq_error_nomem(error) : examine(&intake, error);

	if (rc == 0)
		rc = end_turn(&intake, error);
	/* Not `input`: it may have been opened again. */
	close_input(ingest, intake.input);
	release_intake(&intake);
	return rc;
}

/* ---- Archives and journals ---- */

/* A file, and all that is in it. */
struct unpacked {
	struct ingest *ingest;
	struct iq_unpacking unpacking;
	unsigned depth; /* of archives */
};

static int ingest_input(struct unpacked *unpacked, const struct iq_walk_file *file, struct iq_input *input,
			const struct iq_beside *beside, struct iq_error *error);

static int take_member(void *context, const struct iq_walk_file *file, struct iq_input *input,
		       const struct iq_beside *beside, struct iq_error *error)
{
	struct unpacked *unpacked = context;

	if (!stop_asked(unpacked->ingest))
		return ingest_input(unpacked, file, input, beside, error);
	iq_input_close(input);
	return interrupted(error);
}

static int refuse_member(void *context, const char *path, const char *problem)
{
	const struct unpacked *unpacked = context;
	return refuse(unpacked->ingest, path, NULL, problem);
}

static int ingest_archive(struct unpacked *unpacked, const char *path, struct iq_input *input, struct iq_error *error)
{
	const struct iq_contents_taker taker = { take_member, refuse_member, unpacked,
						 unpacked->ingest->options->stop };
	int rc;

	if (unpacked->depth >= IQ_ARCHIVE_MAX_DEPTH)
		return refuse(unpacked->ingest, path, NULL,
			      "an archive within an archive within an archive; unpack it and name it");
	unpacked->depth++;
	rc = iq_contents_walk(input, &unpacked->unpacking, path, &taker, error);
	unpacked->depth--;
	return rc == 0 && stop_asked(unpacked->ingest) ? interrupted(error) : rc;
}

/* The entries of a journal are another stream, which is the evidence. */
static int ingest_journal(struct ingest *ingest, const struct iq_walk_file *file, struct iq_input *input,
			  const struct iq_beside *beside, struct iq_error *error)
{
	struct iq_error trouble = IQ_ERROR_INIT;
	struct iq_input *entries;
	int rc = iq_journal_open(input, ingest->options->stop, &entries, &trouble);

	if (rc == 0)
		return ingest_evidence(ingest, file, entries, beside, error);
	return rc == IQ_ERR_NOMEM ? iq_error_nomem(error) : refuse(ingest, file->path, NULL, trouble.message);
}

/* What is in a bundle is compared with its manifest. */
static int begin_in_bundle(struct ingest *ingest, const char *path, struct iq_input *input,
			   const struct iq_beside *beside, struct iq_error *error)
{
	if (iq_bundle_find(&ingest->bundle, path, beside) < 0)
		return iq_error_nomem(error);
	return iq_bundle_path(&ingest->bundle, path) ? iq_input_hash(input, error) : 0;
}

/* Takes ownership of `input`. */
static int ingest_input(struct unpacked *unpacked, const struct iq_walk_file *file, struct iq_input *input,
			const struct iq_beside *beside, struct iq_error *error)
{
	struct ingest *ingest = unpacked->ingest;
	struct iq_view head;
	int rc = begin_in_bundle(ingest, file->path, input, beside, error);

	if (rc == 0)
		rc = iq_input_head(input, &head, error);

	if (rc == 0 && iq_archive_is(head))
		rc = ingest_archive(unpacked, evidence_name(ingest, file->path), input, error);
	else if (rc == 0 && iq_journal_is(head))
		rc = ingest_journal(ingest, file, input, beside, error);
	else if (rc == 0)
		return ingest_evidence(ingest, file, input, beside, error);
	close_input(ingest, input);
	return rc;
}

static int read_on_disk(void *context, const char *path, struct iq_buf *text)
{
	(void)context;
	return iq_file_read(path, IQ_BESIDE_MAX_BYTES, text, NULL);
}

static bool is_on_disk(void *context, const char *path)
{
	(void)context;
	return access(path, F_OK) == 0;
}

static int ingest_file(struct ingest *ingest, const struct iq_walk_file *file, struct iq_error *error)
{
	static const struct iq_beside on_disk = { read_on_disk, is_on_disk, NULL };
	struct unpacked unpacked = { .ingest = ingest };
	struct iq_error trouble = IQ_ERROR_INIT;
	struct iq_input *input;
	int rc;

	if (file->problem)
		return refuse(ingest, file->path, NULL, file->problem);
	rc = iq_input_open(file->path, ingest->options->stop, &input, &trouble);
	if (rc < 0)
		return rc == IQ_ERR_NOMEM ? iq_error_nomem(error) : refuse(ingest, file->path, NULL, trouble.message);
	ingest->file = unpacked.unpacking.file = input;
	ingest->position = 0;
	rc = ingest_input(&unpacked, file, input, &on_disk, error);
	ingest->bytes_done += rc == IQ_ERR_INTERRUPTED ? ingest->position : file->bytes;
	return rc;
}

/* ---- The run ---- */

static int find_files(struct iq_walk *walk, const char *store_path, const char *const *paths, size_t path_count,
		      struct iq_error *error)
{
	int rc = 0;

	for (size_t i = 0; i < path_count && rc == 0; i++)
		rc = iq_walk_add(walk, paths[i], store_path, error);
	iq_walk_look(walk);
	return rc == 0 ? iq_walk_order(walk, error) : rc;
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

	ingest->walk = walk;
	for (size_t i = 0; i < walk->count; i++)
		ingest->bytes_total += walk->files[i].bytes;
	for (size_t i = 0; i < walk->count && rc == 0; i++)
		rc = stop_asked(ingest) ? interrupted(error) : ingest_file(ingest, &walk->files[i], error);
	if (rc < 0 && rc != IQ_ERR_INTERRUPTED)
		return rc;
	committed = ingest->within ? 0 : commit(ingest, error);
	return committed < 0 ? committed : rc;
}

int iq_ingest(const char *store_path, const char *const *paths, size_t path_count,
	      const struct iq_ingest_options *options, struct iq_ingest_result *ret_result, struct iq_error *error)
{
	struct ingest ingest = { .options = options };
	struct iq_walk walk = IQ_WALK_INIT;
	uint64_t last_id;
	int rc;

	if (options->format && !iq_format_by_name(iq_view_cstr(options->format)))
		return iq_error_set(error, IQ_ERR_USAGE, "%s: no such format; there are %s", options->format,
				    IQ_FORMAT_NAMES);
	ingest.describer = iq_describer_new(options->dialect, options->extract);
	ingest.history = iq_history_new();
	rc = ingest.describer && ingest.history ? find_files(&walk, store_path, paths, path_count, error)
						: iq_error_nomem(error);
	if (rc == 0)
		rc = check_files(&walk, path_count > 0 ? paths[0] : ".", error);
	if (rc == 0)
		rc = iq_store_writer_open(store_path, &ingest.writer, error);
	if (rc == 0) {
		last_id = iq_store_writer_last_id(ingest.writer);
		ingest.was_filled = last_id > 0;
		begin_batch(&ingest);
		rc = ingest_files(&ingest, &walk, error);
		ingest.result.events = iq_store_writer_last_id(ingest.writer) - last_id;
	}
	ingest.result.bytes_read = ingest.bytes_done;
	ingest.result.bytes_total = ingest.bytes_total;
	iq_store_writer_free(ingest.writer);
	iq_describer_free(ingest.describer);
	iq_history_free(ingest.history);
	iq_docker_told_free(ingest.told);
	iq_carry_release(&ingest.carry);
	iq_bundle_release(&ingest.bundle);
	iq_map_release(&ingest.paths);
	iq_walk_release(&walk);
	if (rc == 0 || rc == IQ_ERR_INTERRUPTED)
		*ret_result = ingest.result;
	return rc;
}
