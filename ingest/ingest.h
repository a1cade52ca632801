/* ingest/ingest.h - the door of ingest/: from files to events in a store. Depends on base/, event/, wire/, store/.
 *
 * A format is one file `format_x.c` that exports one `const struct iq_format`; the registry in format.c lists them. A
 * parser is free of I/O: bytes in, events and gaps out, fed whole, byte by byte or split anywhere with the same result.
 */
#ifndef IQ_INGEST_INGEST_H
#define IQ_INGEST_INGEST_H

#include "base/base.h"
#include "event/event.h"
#include "store/store.h"

#include "ingest/docker_record.h"
#include "ingest/traffic.h"

/* What a parser leaves behind beside events and gaps. */
struct iq_parser_notes {
	uint64_t joined;       /* records that went on with another's text and became one event with it */
	uint64_t duplicates;   /* records that say again what others say, and that became one event with them */
	uint64_t without_zone; /* times that were read by the zone of the options, because they have none */
	uint64_t without_year; /* and those whose year was chosen by `newest` */
};

struct iq_docker_action;

/* What a parser is told about its evidence. Borrowed while the parser lives. */
struct iq_parser_options {
	struct iq_view path;	/* for names derived from the path */
	struct iq_view source;	/* the source's name; parsers use it where the records name none */
	size_t max_line;	/* bytes of a line or a body kept in an event; see IQ_INGEST_MAX_LINE */
	struct iq_restart from; /* where in the stream the bytes begin; see restart() */
	struct iq_view
		attrs;	/* what is known of the whole evidence, for each event: `{"container":"x"` without its end */
	int32_t zone;	/* seconds east of UTC, for times without a zone */
	int64_t newest; /* no time without a year is later than this, by more than a day */
	struct iq_parser_notes *notes; /* is added to; may be NULL */
	struct iq_extract *extract;    /* rules about lines that go on with others; may be NULL */
	struct iq_carry
		*carry;	   /* what the turn before left unfinished, and what this one does, see goes_on; may be NULL */
	int64_t collected; /* when it was taken from its host; 0: not known */
	uint64_t limit;	   /* of entries, where whoever asked for them stopped; 0: not known */
	bool goes_on;	   /* the log goes on in its next turn, with what is unfinished at the end */
	/* What a person shall hear, in one line without the path: damage (which is a gap as well), a line that was cut.
	 * A hole that the evidence itself declares is a gap but no problem. Borrowed until the call returns. May be
	 * NULL. */
	void (*problem)(void *context, const char *text);
	/* Is a file that lies beside the evidence, or below it, taken in as well? NULL: that is not known. */
	bool (*beside)(void *context, struct iq_view file);
	/* Was it told by other evidence, or before in this one, what happened to a container? NULL: that is not known. */
	bool (*told)(void *context, const struct iq_docker_action *action);
	void *context;
};
#define IQ_INGEST_MAX_LINE (1u << 20)
/* What the limit may be set to: a line is held in memory, several times over. */
#define IQ_INGEST_MIN_MAX_LINE 64
#define IQ_INGEST_MAX_MAX_LINE (64 << 20)

struct iq_parser;
struct iq_carry;

/* One evidence format. All members are set, `rules` where the functions are shared: see ingest/line_parser.h for formats that
 * have a record a line, ingest/document_parser.h for JSON documents. */
struct iq_format {
	const char *name;    /* `docker-json` */
	const char *summary; /* one line for --help */
	bool comes_last;     /* what it tells others tell better: its files are read after theirs */
	const void *rules;   /* what the functions below go by */
	/* How sure, 0 (not mine) to 100, from the head of the stream (at most IQ_PROBE_BYTES of it). Pure. NULL: its
	 * place tells it, not its bytes. */
	int (*probe)(struct iq_view head);
	/* Caller owns; release with close(). NULL when memory is out. */
	struct iq_parser *(*open)(const struct iq_format *format, const struct iq_parser_options *options,
				  const struct iq_sink *sink);
	/* Takes the next bytes. 0, or negative from the sink; damaged input is no error but a gap. */
	int (*feed)(struct iq_parser *parser, struct iq_view bytes, struct iq_error *error);
	/* There are no more bytes, perhaps only for now: gives out what is complete, and keeps what is not. NULL: what
	 * it keeps is complete at the end only. */
	int (*settle)(struct iq_parser *parser, struct iq_error *error);
	/* Where another parser can take this stream up: events are given in the order of their ends, and what it gives that ends beyond everything this one gave is what this
	 * one would give next. At the end of the bytes where nothing is unfinished. */
	struct iq_restart (*restart)(const struct iq_parser *parser);
	/* The stream ended: the rest becomes a record or a gap. */
	int (*end)(struct iq_parser *parser, struct iq_error *error);
	void (*close)(struct iq_parser *parser); /* NULL allowed */
};
#define IQ_PROBE_BYTES 65536u

/* All formats, as X(iq_format_SYMBOL, "name"). Of equal scores the first wins. */
#define IQ_FORMATS(X) \
	X(access, "access") \
	X(cloudwatch, "cloudwatch") \
	X(compose, "compose") \
	X(cri, "cri") \
	X(docker_events, "docker-events") \
	X(docker_events_text, "docker-events-text") \
	X(docker_inspect, "docker-inspect") \
	X(docker_json, "docker-json") \
	X(docker_ps, "docker-ps") \
	X(docker_text, "docker-text") \
	X(google_cloud, "google-cloud") \
	X(har, "har") \
	X(har_content, "har-content") \
	X(har_messages, "har-messages") \
	X(journal_export, "journal-export") \
	X(journal_json, "journal-json") \
	X(jsonl, "jsonl") \
	X(kubectl_text, "kubectl-text") \
	X(kubernetes, "kubernetes") \
	X(logfmt, "logfmt") \
	X(ndjson, "ndjson") \
	X(otlp, "otlp") \
	X(pcap, "pcap") \
	X(postgres_csv, "postgres-csv") \
	X(syslog, "syslog") \
	X(text, "text") \
	X(xes, "xes") \
	X(collected, "collected")
/* `cri|docker-json|har`, for messages and options. */
#define IQ_FORMAT_NAME(symbol, name) "|" name
#define IQ_FORMAT_NAMES (&(IQ_FORMATS(IQ_FORMAT_NAME))[1])

/* The registry, ended by NULL. Static. */
const struct iq_format *const *iq_formats(void);
const struct iq_format *iq_format_by_name(struct iq_view name);
/* The surest format for these bytes, and how sure it is (percent); NULL where none scores. */
const struct iq_format *iq_format_probe(struct iq_view head, int *ret_sure);

/* Is the head that of a format that comes last? */
bool iq_format_comes_last(struct iq_view head);

/* A zone as `--zone` names it: `UTC`, `Z`, `+01:00`, `-0500`. */
bool iq_zone_parse(struct iq_view text, int32_t *ret_seconds);

/* ---- What bodies say ------------------------------------------------------------------------------------- */

/* Stands between a parser and whoever takes what it gives. Of an event it finds, where the record itself did not say it: type and
 * key of messages and log lines, by the dialect of their session (event/dialect.h), which may make several events of one;
 * the severity of a log line (its `level`, `severity` or `lvl`); whether the body is binary. Other kinds get their own name as
 * type. Names become valid UTF-8. One thread at a time. */
struct iq_describer;

/* `dialect`: a name, or NULL to detect it. `extract`: rules that come first; borrowed until the describer is freed, may be NULL. Caller
 * owns; release with iq_describer_free(). NULL when memory is out, or where there is no such dialect. */
struct iq_describer *iq_describer_new(const char *dialect, struct iq_extract *extract);
void iq_describer_free(struct iq_describer *describer); /* NULL allowed */
/* An evidence begins: the sink for its parser, from which things go on to `next`. Borrowed until the describer is freed. The
 * options are those of the parser, by which rules read times; NULL where there are none. */
const struct iq_sink *iq_describer_begin(struct iq_describer *describer, const struct iq_parser_options *options,
					 const struct iq_sink *next);
/* What it knows of sessions. Borrowed until the describer is freed. */
struct iq_dialects *iq_describer_dialects(struct iq_describer *describer);

/* ---- The pipeline --------------------------------------------------------------------------------------- */

/* What became of one evidence. Strings: Borrowed until the callback returns. */
enum iq_ingest_outcome {
	IQ_INGEST_TAKEN,     /* stored; `evidence` is valid */
	IQ_INGEST_CONTINUED, /* likewise, but the store had the beginning; `evidence` is of all of it */
	IQ_INGEST_KNOWN,     /* all of it is in the store already */
	IQ_INGEST_SHORTER,   /* likewise, and more: the file was longer once */
	IQ_INGEST_PARTLY,    /* stored, with gaps or cut lines that `problem` names */
	IQ_INGEST_REFUSED,   /* not taken in; `problem` says why and what to do */
	IQ_INGEST_EMPTY	     /* no bytes, where that is no failure: the log of a container that said nothing */
};
struct iq_ingest_report {
	enum iq_ingest_outcome outcome;
	const char *path;
	const char *format;	     /* NULL when none was recognised */
	struct iq_evidence evidence; /* TAKEN, PARTLY */
	uint64_t sessions;	     /* sessions that appear in it, or in what was added to it */
	const char *problem;	     /* NULL, or the first one, in one line without the path: `line 12: not JSON` */
	uint64_t problems;	     /* how many in all */
	int sure;		     /* of the format, percent; 0: it was not guessed */
	struct iq_parser_notes notes;
	int64_t first; /* smallest and largest time of what was taken in, or IQ_TIME_NONE */
	int64_t last;
};

/* A commit is made after so many bytes of evidence, or nanoseconds if they come slowly: what is lost when the process is killed
 * is no more than that. Smaller segments cost more than they save; see docs/design/0003-ingest-goes-on.md. */
#define IQ_INGEST_COMMIT_BYTES (256ull << 20)
#define IQ_INGEST_COMMIT_INTERVAL (300 * IQ_NS_PER_S)

struct iq_ingest_options {
	const char *format;	      /* name, or NULL to detect */
	const char *dialect;	      /* name, or NULL to detect */
	struct iq_extract *extract;   /* rules for log lines; may be NULL */
	const char *source;	      /* --source: the name for stdin or for every file, or NULL */
	size_t max_line;	      /* 0: IQ_INGEST_MAX_LINE */
	struct iq_redactor *redactor; /* takes secrets out; then raw bytes are not kept. May be NULL */
	bool has_covers;	      /* the evidence is complete from covers_from to covers_to */
	int64_t covers_from;
	int64_t covers_to;
	int32_t zone;	       /* seconds east of UTC, for times that do not say */
	uint64_t commit_bytes; /* 0: IQ_INGEST_COMMIT_BYTES */
	int (*report)(void *context, const struct iq_ingest_report *report); /* after each evidence; may be NULL */
	void (*progress)(void *context, const char *path, uint64_t done, uint64_t total); /* bytes; may be NULL */
	const volatile int *stop; /* set to non-zero (by a signal handler) to end between blocks; may be NULL */
	void *context;
};

struct iq_ingest_result {
	uint64_t taken; /* evidence with outcome TAKEN, CONTINUED or PARTLY */
	uint64_t known; /* KNOWN or SHORTER */
	uint64_t empty;
	uint64_t partly;
	uint64_t refused;
	uint64_t bytes; /* that were added */
	uint64_t events;
	uint64_t bytes_read;  /* of the files as they lie on disk, known ones included */
	uint64_t bytes_total; /* 0: not known */
};

/* Ingests files, directories (walked in sorted order, links not followed out of them) and `-` (stdin) into the
 * store at `store_path`. What the store has is known by its content and not taken in again: an ingest that was interrupted, by
 * `stop` or by anything else, and is run again goes on at its last commit, which is never further away than
 * docs/design/0003-ingest-goes-on.md says; a file that has grown goes on where it ended. A file that cannot be taken in is reported and does
 * not stop the others.
 * Returns 0 even then (see ret_result); negative where the store failed
 * or nothing could be opened at all (no store is made then), and IQ_ERR_INTERRUPTED, with ret_result set, after `stop`.
 */
int iq_ingest(const char *store_path, const char *const *paths, size_t path_count,
	      const struct iq_ingest_options *options, struct iq_ingest_result *ret_result, struct iq_error *error);

#endif
