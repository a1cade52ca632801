/* query/query.h - the door of query/: lifecycle specs, the checker, its reports, and SQL. Depends on base/, event/,
 * store/.
 */
#ifndef IQ_QUERY_QUERY_H
#define IQ_QUERY_QUERY_H

#include <inquest/sql.h>

#include "base/base.h"
#include "base/preset.h"
#include "event/event.h"
#include "query/clocks.h"
#include "store/store.h"

/* ---- Specs (docs/lifecycle.md) ----------------------------------------------------------------------------- */

struct iq_spec;

/* Reads one or more lifecycles from YAML or JSON. `name` is used in messages: `name:line:column: what`.
 * Errors: IQ_ERR_SPEC with line and column set. Caller owns; release with iq_spec_free(). */
int iq_spec_parse(struct iq_view text, const char *name, struct iq_spec **ret_spec, struct iq_error *error);
/* From a file, or from a built-in one as `preset:NAME`. */
int iq_spec_load(const char *path_or_preset, struct iq_spec **ret_spec, struct iq_error *error);
/* Appends the lifecycles of `other`; a lifecycle name that is there already is IQ_ERR_SPEC. Takes ownership on success.
 */
int iq_spec_merge(struct iq_spec *spec, struct iq_spec *other, struct iq_error *error);
/* Every built-in lifecycle of whose names at least one occurs in the store. Caller owns; release with iq_spec_free().
 */
int iq_spec_presets_for(struct iq_store *store, struct iq_spec **ret_spec, struct iq_error *error);
void iq_spec_free(struct iq_spec *spec);
size_t iq_spec_count(const struct iq_spec *spec);
/* What `--explain-spec` prints: words, drawings of the automata, or all of them with the drawings fenced, as Markdown. */
enum iq_spec_format { IQ_SPEC_ALL, IQ_SPEC_TEXT, IQ_SPEC_DOT, IQ_SPEC_MERMAID };
int iq_spec_explain(const struct iq_spec *spec, enum iq_spec_format format, struct iq_buf *out, struct iq_error *error);
/* Built-in presets: name and one line, ended by a NULL name. Static. */
const struct iq_preset *iq_presets(void);

/* ---- Checking -------------------------------------------------------------------------------------------- */

enum iq_verdict { IQ_VERDICT_OK, IQ_VERDICT_UNDETERMINED, IQ_VERDICT_VIOLATED };
/* `ok`, `undetermined`, `violated`. Static. */
const char *iq_verdict_name(enum iq_verdict verdict);

enum iq_finding_kind {
	IQ_FINDING_MISSING,	 /* inserted before a later event */
	IQ_FINDING_UNTERMINATED, /* inserted at a seen end */
	IQ_FINDING_OUT_OF_ORDER, /* dropped here and inserted there */
	IQ_FINDING_DUPLICATE,	 /* dropped, its type already at its maximum */
	IQ_FINDING_UNEXPECTED,	 /* any other drop */
	IQ_FINDING_LATE,	 /* a deadline passed; instead of missing */
	IQ_FINDING_ORPHAN,	 /* a nested instance without its parent, or one that never began */
	IQ_FINDING_SEQUENCE_GAP, /* numbers that do not go on: gap, repeat, decrease */
	IQ_FINDING_MALFORMED	 /* selected, but the body cannot be parsed */
};
const char *iq_finding_kind_name(enum iq_finding_kind kind);

/* What a finding needs to know of an event, so that a reader of the report need not open the store again. Strings
 * belong to the result. */
struct iq_step {
	uint64_t id; /* 0: no such event */
	int64_t ts;
	enum iq_kind kind;
	struct iq_view type;
	struct iq_view source;
	uint32_t session_no;
	uint32_t evidence; /* 0: of what is below ts nothing is known */
	uint64_t offset;
	uint64_t length;
};

/* One broken rule of one instance. */
struct iq_finding {
	enum iq_finding_kind kind;
	struct iq_view expected; /* the name that should have come: `tool_completed`; NULL for a plain drop */
	struct iq_step after;	 /* the last event before the place (for a move: before where it belongs) */
	struct iq_step instead;	 /* what stood there: an event, or id 0 where the evidence ended */
	struct iq_step moved;	 /* out-of-order, duplicate, unexpected: the event itself */
	struct iq_view message; /* one sentence: `missing tool_completed after tool_executing`, or what the spec says */
	struct iq_view rule;	/* as the spec has it: `a -> b: 30s`; NULL for an order that was not written */
	enum iq_severity severity;
	struct iq_view repair; /* `insert tool_completed after 20763`, `drop 20770`, `move 20771 before 20768` */
};

struct iq_instance {
	struct iq_view key; /* `7f3a`, or `s41` for instance: session; fields joined by ` ` */
	enum iq_verdict verdict;
	struct iq_view reason;	  /* for undetermined: `open at capture end` */
	const uint32_t *sessions; /* numbers, in order of appearance */
	size_t session_count;
	struct iq_step first;
	struct iq_step last;
	uint64_t events;
	const struct iq_finding *findings;
	size_t finding_count;
};

struct iq_name_count {
	struct iq_view name;
	uint64_t count;
	struct iq_view nearest; /* never seen: the nearest type that was, or NULL */
};

struct iq_lifecycle_result {
	struct iq_view name;
	enum iq_verdict verdict;
	struct iq_view reason; /* for undetermined without instances */
	uint64_t violated, undetermined, ok;
	uint64_t events;		     /* events it selected and named */
	uint64_t no_key;		     /* selected and named, but without the instance key */
	uint64_t total;			     /* of instances */
	const struct iq_instance *instances; /* in order of their first event: all, or see iq_check_failing() */
	size_t instance_count;
	const struct iq_name_count *reasons; /* why so many are undetermined, as they came up first */
	size_t reason_count;
	const struct iq_name_count *never_seen; /* named, never seen */
	size_t never_seen_count;
	const struct iq_name_count *not_named; /* selected and seen, not named by any lifecycle of the spec */
	size_t not_named_count;
	const struct iq_view *vacuous; /* constraints that nothing activated */
	size_t vacuous_count;
};

struct iq_session_verdict {
	uint32_t no;
	enum iq_verdict verdict;
	uint64_t instances;    /* that touch it; with 0 the verdict is not meaningful */
	struct iq_view reason; /* first reason, for one line */
};

struct iq_check_result {
	enum iq_verdict verdict;
	struct iq_view reason; /* for the last line on stderr: `s12 undetermined (open at capture end)` */
	const struct iq_lifecycle_result *lifecycles;
	size_t lifecycle_count;
	const struct iq_session_verdict *sessions; /* one for each session of the store, by number */
	size_t session_count;
	struct iq_arena memory; /* everything above lies here */
};

/* Checks every lifecycle over the store in one pass. Caller owns; release with iq_check_result_release(). */
int iq_check(struct iq_store *store, const struct iq_spec *spec, struct iq_check_result *ret_result,
	     struct iq_error *error);
/* The same, of which only what is wrong is listed: instances that are ok are counted, and of those that are undetermined for one reason
 * the first IQ_CHECK_EXAMPLES are listed. What a result takes does not grow with what went well then. */
int iq_check_failing(struct iq_store *store, const struct iq_spec *spec, struct iq_check_result *ret_result,
		     struct iq_error *error);
#define IQ_CHECK_EXAMPLES 100u
void iq_check_result_release(struct iq_check_result *result);

/* ---- Reports of a check ----------------------------------------------------------------------------------- */

struct iq_report_options {
	bool utc;
	bool colour;	   /* ANSI colours */
	size_t width;	   /* columns of the terminal; 0 = 100 */
	const char *title; /* JUnit suite name: the case */
};
/* The screen layout: what was not recorded, coverage, verdict table, then findings of like shape as one pattern. */
int iq_report_text(struct iq_store *store, const struct iq_check_result *result,
		   const struct iq_report_options *options, struct iq_buf *out, struct iq_error *error);
/* One JSON document, schema in docs/lifecycle.md. */
int iq_report_json(struct iq_store *store, const struct iq_check_result *result,
		   const struct iq_report_options *options, struct iq_buf *out, struct iq_error *error);
/* JUnit XML: a suite a lifecycle, a case an instance; violated = failure, undetermined = error. */
int iq_report_junit(struct iq_store *store, const struct iq_check_result *result,
		    const struct iq_report_options *options, struct iq_buf *out, struct iq_error *error);

/* ---- Learning (docs/learn.md) ------------------------------------------------------------------------------ */

struct iq_learn_options {
	const uint32_t *
		sessions; /* numbers of those that went well; none: those that ended by a close and that no error names */
	size_t session_count;
	const char *const *instances; /* fields that tell instances apart, or `session`; none: they are found */
	size_t instance_count;
	double noise; /* share of instances below which a step that only they take is not learned from; 0: all are */
};

/* A draft, and what it was learned from. */
struct iq_draft {
	struct iq_buf yaml;
	uint32_t *sessions; /* ascending */
	size_t session_count;
	uint64_t open; /* sessions that were left out: not seen whole, */
	uint64_t cut;
	uint64_t refused;
	uint64_t faulty; /* named by an error, */
	uint64_t others; /* not asked for */
	uint64_t noise;	 /* instances that were left out */
	bool limited;	 /* not everything was read */
	bool checked;
	struct iq_check_result result; /* of the whole store, by the draft */
};

/* Drafts lifecycles from sessions: what belongs together by which id, an order that accepts what was seen of each and generalises
 * it, a deadline. Caller owns; release with iq_draft_release(). Errors: IQ_ERR_NOT_FOUND (nothing to learn from), IQ_ERR_LIMIT
 * (too many names), as the store's. */
int iq_learn(struct iq_store *store, const struct iq_learn_options *options, struct iq_draft *ret_draft,
	     struct iq_error *error);
void iq_draft_release(struct iq_draft *draft);

struct iq_draft_coverage {
	uint64_t learned;  /* instances that the draft was learned from, */
	uint64_t accepted; /* and of them, those that it accepts */
	uint64_t rest;
	uint64_t rejected;
};
/* Appends what the draft is worth: how much of what it was learned from it accepts, and what of the rest it rejects. */
int iq_draft_report(struct iq_store *store, const struct iq_draft *draft, struct iq_buf *out,
		    struct iq_draft_coverage *ret_coverage, struct iq_error *error);

/* ---- Comparing two recordings (docs/diff.md) ----------------------------------------------------------------- */

struct iq_diff;

/* What changed from one store to the other: steps that are reached less often, transitions that take longer, what was logged and
 * happened, what sessions that fail have in common. Cases are the instances of the spec's lifecycles, without one (NULL) sessions.
 * Both stores and the spec must outlive it. Caller owns; release with iq_diff_free(). */
int iq_diff(struct iq_store *base, struct iq_store *incident, const struct iq_spec *spec, struct iq_diff **ret_diff,
	    struct iq_error *error);
void iq_diff_free(struct iq_diff *diff); /* NULL allowed */

enum iq_diff_outcome { IQ_DIFF_NO_WORSE, IQ_DIFF_WORSE, IQ_DIFF_NOTHING_TO_COMPARE };
/* WORSE: something changed for the worse that chance does not explain; the first such thing. Borrowed until the diff is freed. */
enum iq_diff_outcome iq_diff_outcome(const struct iq_diff *diff, struct iq_view *ret_first);

/* Append the report; the names are those of the two cases. 0 or IQ_ERR_NOMEM. */
int iq_diff_text(const struct iq_diff *diff, const char *base, const char *incident, struct iq_buf *out);
int iq_diff_json(const struct iq_diff *diff, const char *base, const char *incident, struct iq_buf *out);

/* ---- One session as a timeline --------------------------------------------------------------------------- */

struct iq_timeline_options {
	bool utc;
	bool colour;
	bool raw;	    /* bodies are not cut */
	size_t width;	    /* columns of the terminal; 0 = 100 */
	int64_t context_ns; /* logs of other sources this long around the session; 0: only warnings and worse, around 1
			       s */
};
/* The conversation like a chat log: times from its start, arrows for directions, logs beside it, and what `result` (may
 * be NULL) found missing drawn where it should have been. IQ_ERR_NOT_FOUND where there is no such session. */
int iq_timeline(struct iq_store *store, uint32_t session_no, const struct iq_check_result *result,
		const struct iq_timeline_options *options, struct iq_buf *out, struct iq_error *error);

/* What the timeline has beside a session from elsewhere: log lines that name it, HTTP requests that share a cookie or a token of its
 * handshake, with their responses. Ids, ascending. Caller owns; release with free(). IQ_ERR_NOT_FOUND where there is no such session. */
int iq_session_beside(struct iq_store *store, uint32_t session_no, uint64_t **ret_ids, size_t *ret_count,
		      struct iq_error *error);

/* The same of several sessions, each id once. */
int iq_sessions_beside(struct iq_store *store, const uint32_t *sessions, size_t session_count, uint64_t **ret_ids,
		       size_t *ret_count, struct iq_error *error);

/* ---- SQL ------------------------------------------------------------------------------------------------- */

/* Opens an in-memory database with the tables of the store at `store_path` under an authorizer that allows reading and
 * TEMP tables only, with the limits of docs/security.md. `timeout_ns` 0 = none. Caller owns; release with
 * iq_sql_close(). */
struct iq_sql;
int iq_sql_open(const char *store_path, int64_t timeout_ns, struct iq_sql **ret_sql, struct iq_error *error);
/* The same with the verdicts and findings of a spec, which must outlive it; NULL: of the built-in lifecycles that fit. */
int iq_sql_open_judged(const char *store_path, const struct iq_spec *spec, int64_t timeout_ns, struct iq_sql **ret_sql,
		       struct iq_error *error);
void iq_sql_close(struct iq_sql *sql);
/* aligned(source, ts) gives times with the skews of `store`, which must outlive `sql`; without this, as they are. */
int iq_sql_align_by(struct iq_sql *sql, const struct iq_store *store);

enum iq_sql_format { IQ_SQL_TABLE, IQ_SQL_CSV, IQ_SQL_JSON, IQ_SQL_NDJSON, IQ_SQL_MARKDOWN };
/* Runs one or more statements and hands each piece of output to `write` (the result of every SELECT in `format`). Text
 * is made safe for its format; for IQ_SQL_TABLE for a terminal as well. */
int iq_sql_run(struct iq_sql *sql, struct iq_view statements, enum iq_sql_format format,
	       int (*write)(void *context, struct iq_view text), void *context, struct iq_error *error);
/* Does `text` end in a complete statement? For the interactive shell. */
bool iq_sql_complete(const char *text);

#endif
