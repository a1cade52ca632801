/* The option table of the whole program. */
#include "cli/cli.h"
#include "ingest/ingest.h"

#define SPEC_OPTION \
	{ \
		CLI_OPTION_SPEC, "FILE|preset:NAME", \
			"lifecycles to judge by; may be given several times. Default: every preset whose " \
			"events occur", \
			NULL, true \
	}
#define UTC_OPTION \
	{ \
		CLI_OPTION_UTC, NULL, "print times in UTC instead of local time", NULL, false \
	}
#define REST_OPTION \
	{ \
		CLI_OPTION_REST, NULL, \
			"answer from what is whole of a damaged store; what is left out is told, exit status 3", NULL, \
			false \
	}
#define SKEW_OPTION \
	{ \
		CLI_OPTION_SKEW, "SOURCE=SHIFT", \
			"compare the times of a source as if they were later, or earlier: api=+120ms, api=-2s, or api=-1s..+1s where it is only known to lie between; no time changes; " \
			"`inquest sources` estimates it. May be given several times", \
			NULL, true \
	}
#define HELP_OPTION \
	{ \
		CLI_OPTION_HELP, NULL, "this help", NULL, false \
	}
#define END \
	{ \
		CLI_OPTION_END, NULL, NULL, NULL, false \
	}

#define CASE_TEXT \
	"CASE is a store, a single segment file, or plain evidence (files and directories; a temporary store is then " \
	"made on the " \
	"spot). Left out, it is $INQUEST_STORE, else ./case."

static const struct cli_option check_options[] = {
	SPEC_OPTION,
	{ CLI_OPTION_LIST_PRESETS, NULL, "what --spec preset:NAME knows, one a line", NULL, false },
	{ CLI_OPTION_EXPLAIN_SPEC, NULL,
	  "say what the specs demand, and check nothing: in words and as drawings, or with --format text, dot or mermaid one "
	  "of them",
	  NULL, false },
	{ CLI_OPTION_FORMAT, "FORMAT", "what to print: text (default), json or junit; dot, mermaid: see --explain-spec",
	  "text|json|junit|dot|mermaid", false },
	{ CLI_OPTION_JSON, "FILE", "write the JSON report there as well", NULL, false },
	{ CLI_OPTION_JUNIT, "FILE", "write the JUnit XML report there as well", NULL, false },
	{ CLI_OPTION_FAIL_ON, "VERDICT",
	  "violated: exit 0 when nothing is worse than undetermined; undetermined: exit 1 for that too",
	  "violated|undetermined", false },
	UTC_OPTION,
	REST_OPTION,
	SKEW_OPTION,
	HELP_OPTION,
	END,
};

static const struct cli_option diff_options[] = {
	{ CLI_OPTION_SPEC, "FILE|preset:NAME",
	  "compare instances of these lifecycles; may be given several times. Default: sessions, by the types of their events",
	  NULL, true },
	{ CLI_OPTION_FORMAT, "FORMAT", "text (default) or json", "text|json", false },
	HELP_OPTION,
	END,
};

static const struct cli_option learn_options[] = {
	{ CLI_OPTION_SESSION, "S",
	  "learn from this session (s3, or its name in the evidence); may be given several times", NULL, true },
	{ CLI_OPTION_GOOD, "FILE|WHERE",
	  "learn from the sessions that a file lists, one a line, or for which a condition on the table of sessions holds: "
	  "\"state = 'closed' AND events > 5\"; 1 is all of them",
	  NULL, true },
	{ CLI_OPTION_INSTANCE, "FIELD",
	  "a field that tells instances apart: /run_id, key, or session; may be given several times. Default: it is found",
	  NULL, true },
	{ CLI_OPTION_NOISE, "PERCENT",
	  "what so few instances do, one step behind another, is taken for noise and not learned from; 0 learns from all. "
	  "Default: 3%",
	  NULL, false },
	{ CLI_OPTION_OUTPUT, "FILE",
	  "write the draft there, and the report to standard output. Default: both, the report as comments", NULL,
	  false },
	REST_OPTION,
	HELP_OPTION,
	END,
};

static const struct cli_option sources_options[] = {
	{ CLI_OPTION_FORMAT, "FORMAT", "text (default), or ndjson: one object a line", "text|ndjson", false },
	SKEW_OPTION,
	REST_OPTION,
	HELP_OPTION,
	END,
};

static const struct cli_option collect_options[] = {
	{ CLI_OPTION_PRINT, "WHAT", "the script to print: for docker, kubectl or gcloud", "docker|kubectl|gcloud",
	  false },
	HELP_OPTION,
	END,
};

static const struct cli_option export_options[] = {
	{ CLI_OPTION_FORMAT, "FORMAT",
	  "raw (the evidence, byte for byte), segment (a golden recording, one file) or ndjson (events, one a line)",
	  "raw|segment|ndjson", false },
	{ CLI_OPTION_OUTPUT, "PATH",
	  "directory for raw (default ./evidence), file for segment, for ndjson as well (default: stdout); - is stdout",
	  NULL, false },
	{ CLI_OPTION_EVIDENCE, "N", "raw: only this evidence, by its number in `inquest store ls`", NULL, false },
	{ CLI_OPTION_SESSION, "S", "segment, ndjson: only this session; may be given several times", NULL, true },
	{ CLI_OPTION_NAME, "N", "segment: what its one session is called from now on, in JUnit as well", NULL, false },
	{ CLI_OPTION_REDACT, "[PRESET,...]", "segment: replace secrets by keyed tags, as `inquest help ingest` says",
	  "all|authorization|cookies|bearer|jwt|pem|vendor|fields|email", false },
	{ CLI_OPTION_REDACT_KEY, "FILE", "segment: the key of the tags", NULL, false },
	REST_OPTION,
	HELP_OPTION,
	END,
};

static const struct cli_option help_options[] = {
	{ CLI_OPTION_MAN, NULL, "print the man page (troff)", NULL, false },
	{ CLI_OPTION_COMPLETION, "SHELL", "print the completion script for a shell", "bash|zsh|fish", false },
	HELP_OPTION,
	END,
};

#define STORE_OPTION \
	{ \
		CLI_OPTION_STORE, "DIR", \
			"the store to fill; made if it is not there. Default: $INQUEST_STORE, else ./case", NULL, \
			false \
	}
/* What is known of the evidence, and what of it is not to be kept. */
#define KEEPING_OPTIONS \
	{ CLI_OPTION_COVERS, "FROM..TO", \
	  "the evidence is complete for this time, though its records begin later or end earlier: " \
	  "2026-11-24T03:00:00Z..2026-11-24T04:00:00Z", \
	  NULL, false }, \
		{ CLI_OPTION_REDACT, "[PRESET,...]", \
		  "replace secrets by keyed tags and keep no raw bytes of files; without PRESET all of them: authorization, cookies, bearer " \
		  "(tokens in URLs and Sec-WebSocket-Protocol), jwt, pem, vendor (known key prefixes), fields (password, token, ...), " \
		  "email", \
		  "all|authorization|cookies|bearer|jwt|pem|vendor|fields|email", false }, \
	{ \
		CLI_OPTION_REDACT_KEY, "FILE", \
			"the key of the tags: 64 hexadecimal digits; made if it is not there. Default: redact.key in " \
			"$XDG_CONFIG_HOME/inquest, else ~/.config/inquest", \
			NULL, false \
	}
#define DOCKER_OPTIONS \
	{ CLI_OPTION_PROJECT, "P", "docker: the containers of this Compose project; may be given several times", NULL, \
	  true }, \
		{ CLI_OPTION_CONTAINER, "C", "docker: this container, by name or id; may be given several times", \
		  NULL, true }, \
	{ \
		CLI_OPTION_SINCE, "TIME", \
			"docker: nothing before that: 2026-11-24T03:00:00Z, or 30m ago. Default: all that the Engine has", \
			NULL, false \
	}

static const struct cli_option ingest_options[] = {
	STORE_OPTION,
	{ CLI_OPTION_FORMAT, "NAME",
	  "of the evidence: do not detect it; or json: what became of each file, for programs (docs/formats.md)",
	  &("|json" IQ_FORMATS(IQ_FORMAT_NAME))[1], false },
	{ CLI_OPTION_JSON, "FILE", "write what --format json prints there", NULL, false },
	{ CLI_OPTION_DIALECT, "NAME",
	  "what all sessions speak; left out, it is told by their handshakes and messages (docs/dialects.md)",
	  IQ_DIALECT_NAMES, false },
	{ CLI_OPTION_EXTRACT, "FILE|preset:NAME",
	  "rules for what log lines say (docs/extract.md): a file, or the built-in glog, ids, java, pino or python; may be "
	  "given several times",
	  NULL, true },
	{ CLI_OPTION_SOURCE, "NAME", "name of what produced the evidence, where the records name none", NULL, false },
	KEEPING_OPTIONS,
	DOCKER_OPTIONS,
	{ CLI_OPTION_MAX_LINE, "BYTES",
	  "of a line or text kept in its event, which is whole in the evidence all the same. Default: 1048576", NULL,
	  false },
	{ CLI_OPTION_ZONE, "ZONE", "of times that name none: UTC (default), +01:00", NULL, false },
	{ CLI_OPTION_ALL, NULL, "a row for each file at the end, however many there are", NULL, false },
	HELP_OPTION,
	END,
};

static const struct cli_option record_options[] = {
	{ CLI_OPTION_LISTEN, "ADDR",
	  "ws: where clients connect: 9000, 127.0.0.1:9000 or [::1]:9000; a port alone is on loopback, port 0 any that is free",
	  NULL, false },
	{ CLI_OPTION_UPSTREAM, "URL", "ws: the server behind it: ws://HOST[:PORT], or wss://, http://, https://", NULL,
	  false },
	{ CLI_OPTION_MAP, "ADDR=URL",
	  "ws: both in one, for several servers at once: 9000=ws://localhost:8000; may be given several times", NULL,
	  true },
	{ CLI_OPTION_KEEP_HOST, NULL, "ws: leave the Host header as clients send it; else it becomes the upstream's",
	  NULL, false },
	{ CLI_OPTION_ALLOW_ORIGIN, "ORIGIN",
	  "ws: requests with this Origin (http://localhost:3000) go on with the upstream's own instead", NULL, false },
	{ CLI_OPTION_CA, "FILE", "ws: trust upstreams by these certificates, in PEM form. Default: those of the system",
	  NULL, false },
	{ CLI_OPTION_INSECURE, NULL, "ws: trust any upstream, whatever its certificate", NULL, false },
	{ CLI_OPTION_CERT, "FILE",
	  "ws: clients connect with TLS, and get this certificate chain, in PEM form; `inquest record ca` makes one",
	  NULL, false },
	{ CLI_OPTION_KEY, "FILE", "ws: the key of --cert, in PEM form", NULL, false },
	{ CLI_OPTION_ROTATE, "TIME|SIZE",
	  "ws: make a segment each hour (1h), or of so much (1GiB); may be given for both. SIGHUP makes one at once. Default: "
	  "64MiB",
	  NULL, true },
	STORE_OPTION,
	{ CLI_OPTION_SPEC, "FILE|preset:NAME",
	  "check these lifecycles meanwhile, tell each instance once it is violated, and exit 1 at the end if any is; may be given several "
	  "times",
	  NULL, true },
	{ CLI_OPTION_EXEC, "COMMAND",
	  "with --spec: have a shell run this for instances that are violated, which it reads from standard input, a JSON object a line",
	  NULL, false },
	KEEPING_OPTIONS,
	DOCKER_OPTIONS,
	HELP_OPTION,
	END,
};

static const struct cli_option mock_options[] = {
	{ CLI_OPTION_LISTEN, "ADDR",
	  "where clients find it: 9000, 127.0.0.1:9000 or [::1]:9000; port 0 is any that is free", NULL, false },
	{ CLI_OPTION_SESSION, "S", "only this recorded session: s3; may be given several times. Default: all", NULL,
	  true },
	HELP_OPTION,
	END,
};

static const struct cli_option replay_options[] = {
	{ CLI_OPTION_TARGET, "[HOST=]URL",
	  "the server to drive: ws://HOST:PORT[/PATH]; without a path the recorded one is used. HOST=: only for what went to that recorded "
	  "host; may be given several times",
	  NULL, true },
	{ CLI_OPTION_SESSION, "S", "only this recorded session: s3; may be given several times. Default: all", NULL,
	  true },
	SPEC_OPTION,
	{ CLI_OPTION_COMPARE, "WHAT",
	  "shape (default: types, fields, order), values (and what the fields hold) or none", "shape|values|none",
	  false },
	{ CLI_OPTION_IGNORE, "POINTER",
	  "a JSON Pointer below which nothing is compared: /answer/text; may be given several times", NULL, true },
	{ CLI_OPTION_TOLERANCE, "N", "values: how far numbers may be off: 5%", NULL, false },
	{ CLI_OPTION_MAX_SLOWDOWN, "N",
	  "an answer may take N times as long as it was recorded: 2x. Default: it may take any time", NULL, false },
	{ CLI_OPTION_SET, "NAME=VALUE",
	  "what the client sends under that name: a redacted password, login.password=env:CHAT_PW, =@FILE or the value itself; --plan "
	  "says which are needed",
	  NULL, true },
	{ CLI_OPTION_FRESH, NULL,
	  "make UUIDs and times of the client anew, for servers that refuse what they had before", NULL, false },
	{ CLI_OPTION_PACE, "PACE",
	  "causal (default: each message as soon as what came before it has come), recorded, a factor like 2x, or max",
	  NULL, false },
	{ CLI_OPTION_CONCURRENCY, "N", "at most so many sessions at a time. Default: 64; with recorded pace all", NULL,
	  false },
	{ CLI_OPTION_REPEAT, "N", "each session so many times", NULL, false },
	{ CLI_OPTION_RAMP, "TIME", "begin the sessions evenly over this time", NULL, false },
	{ CLI_OPTION_TIMEOUT, "TIME", "longest wait for an answer before the next message. Default: 30s", NULL, false },
	{ CLI_OPTION_WAIT, "TIME", "try so long to reach a target that is still starting", NULL, false },
	{ CLI_OPTION_RUN, "DIR", "the new store that the run is recorded into. Default: ./run-TIME", NULL, false },
	{ CLI_OPTION_UPDATE, NULL,
	  "accept: what the target answers now becomes the golden recording, a segment file; not with CI=true", NULL,
	  false },
	{ CLI_OPTION_REDACT, "[PRESET,...]", "update: replace secrets by keyed tags, as `inquest help ingest` says",
	  "all|authorization|cookies|bearer|jwt|pem|vendor|fields|email", false },
	{ CLI_OPTION_REDACT_KEY, "FILE", "update: the key of the tags", NULL, false },
	{ CLI_OPTION_MINIMIZE, "FILE",
	  "where something is violated: look for the fewest messages that still fail in the same way, and write them to this segment file",
	  NULL, false },
	{ CLI_OPTION_BUDGET, "TIME", "minimize: look no longer than this. Default: 5m", NULL, false },
	{ CLI_OPTION_PLAN, NULL,
	  "send nothing; print which values are put in, from where, why, and which secrets are needed", NULL, false },
	{ CLI_OPTION_DRY_RUN, NULL, "send nothing; print what would be sent", NULL, false },
	{ CLI_OPTION_CA, "FILE",
	  "certificates in PEM form that wss:// and https:// targets are believed by, instead of the system's", NULL,
	  false },
	{ CLI_OPTION_INSECURE, NULL, "believe any wss:// and https:// target", NULL, false },
	{ CLI_OPTION_ALLOW_HOST, "NAME", "a target that is not this machine must be named here as well", NULL, true },
	{ CLI_OPTION_FORMAT, "FORMAT", "what to print: text (default), json, junit or tap", "text|json|junit|tap",
	  false },
	{ CLI_OPTION_JSON, "FILE", "write the results there as JSON as well", NULL, false },
	{ CLI_OPTION_JUNIT, "FILE", "write the results there as JUnit XML as well", NULL, false },
	{ CLI_OPTION_TAP, "FILE", "write the results there as TAP as well", NULL, false },
	{ CLI_OPTION_GITHUB, NULL, "print annotations for GitHub Actions, and add to the step's summary", NULL, false },
	UTC_OPTION,
	HELP_OPTION,
	END,
};

static const struct cli_option sessions_options[] = {
	SPEC_OPTION,
	{ CLI_OPTION_VIOLATED, NULL, "only sessions with something violated", NULL, false },
	{ CLI_OPTION_STATE, "STATE", "only sessions that ended so: closed, cut, refused or open",
	  "closed|cut|refused|open", false },
	{ CLI_OPTION_SOURCE, "NAME", "only sessions of this source", NULL, false },
	{ CLI_OPTION_LIMIT, "N", "at most so many", NULL, false },
	{ CLI_OPTION_FORMAT, "FORMAT", "text (default), or ndjson: one object a line", "text|ndjson", false },
	UTC_OPTION,
	REST_OPTION,
	SKEW_OPTION,
	HELP_OPTION,
	END,
};

static const struct cli_option show_options[] = {
	SPEC_OPTION,
	{ CLI_OPTION_CONTEXT, "TIME",
	  "all log lines of other sources this long around the session; without it only warnings and "
	  "worse",
	  NULL, false },
	{ CLI_OPTION_RAW, NULL, "do not cut long bodies; for an EVENT: its bytes as they are in the evidence", NULL,
	  false },
	UTC_OPTION,
	REST_OPTION,
	SKEW_OPTION,
	HELP_OPTION,
	END,
};

static const struct cli_option sql_options[] = {
	{ CLI_OPTION_SPEC, "FILE|preset:NAME",
	  "whose verdicts and findings the tables hold; may be given several times. Default: the presets that fit",
	  NULL, true },
	{ CLI_OPTION_FORMAT, "FORMAT", "table (default), csv, json, ndjson or md", "table|csv|json|ndjson|md", false },
	{ CLI_OPTION_TIMEOUT, "TIME",
	  "stop a statement after so long; 0s: never. Default: 10s, without limit on a terminal", NULL, false },
	{ CLI_OPTION_EXTENSION_PATH, NULL, "print where inquest.so is, to load it in sqlite3 or Python", NULL, false },
	SKEW_OPTION,
	HELP_OPTION,
	END,
};

static const struct cli_option store_options[] = {
	{ CLI_OPTION_BEFORE, "TIME", "drop: what is older may go: 2026-11-24T03:00:00Z", NULL, false },
	{ CLI_OPTION_CHECKPOINT, "FILE", "sign, verify: the signed head. Default: the file checkpoint in the store",
	  NULL, false },
	{ CLI_OPTION_KEY, "FILE", "an Ed25519 key in PEM form; sign: the private one; verify: the public one", NULL,
	  false },
	{ CLI_OPTION_LEVEL, "N", "compact: zstd level, 1 to 22. Default: 19", NULL, false },
	HELP_OPTION,
	END,
};

const struct cli_verb cli_verbs[] = {
	{ "ingest", "PATH... | docker://", "take evidence into a store",
	  "Takes in files, directories (every file below them) or - (standard input). The format is detected from the "
	  "content (docs/formats.md): logs of containers, syslog, access logs, JSON lines, text, HAR files, NDJSON events; "
	  "what is compressed is opened, and so are tar and zip, also from a pipe. Turns of a rotated log are read oldest first. What is in the "
	  "store already is "
	  "recognised by its content and taken in once. A file that cannot be taken in does not stop the others: it is "
	  "listed at the end, and the exit status is 3. "
	  "Interrupted at any point, by Ctrl-C, a signal or a power cut, give the same command again: it goes on at the last "
	  "commit, which is no more than 256 MiB of evidence away (Ctrl-C makes one). Nothing is lost and nothing is taken in "
	  "twice, from files, compressed files and pipes alike. A file that has grown since continues where it ended, also "
	  "when it was renamed or compressed; one that differs anywhere in what was taken in is new evidence. On a terminal "
	  "a bar shows how far it is. Memory stays below 256 MiB. docker:// takes what a Docker Engine has now of its containers' logs, of their "
	  "states and of its events; see `inquest help record`.",
	  "inquest ingest logs/ browser.har        # into ./case\n"
	  "inquest ingest /var/log/app/            # daily: adds what is new\n"
	  "docker logs api 2>&1 | inquest ingest - --source api --store incident\n",
	  ingest_options, 1, UINT32_MAX, "what shall be taken in? name files, directories or -", cli_run_ingest },
	{ "record", "docker|ws|ca [NAME...]", "record containers, or a WebSocket and the HTTP around it, as they run",
	  "docker: follows the containers of a Docker Engine, those that appear later too, until it is interrupted (Ctrl-C): each line that "
	  "they write, and each start, end, kill, health check, out of memory. What the Engine has of them from before is taken first. Lines that "
	  "are longer than 16 KiB, which Docker cuts, are joined again. Where the Engine is restarted or the connection breaks, it is waited "
	  "for, and every line is recorded once; a gap says where something can be missing. The Engine is that of DOCKER_HOST: "
	  "unix:///var/run/docker.sock (the default), tcp://HOST:PORT (with TLS as DOCKER_TLS_VERIFY and DOCKER_CERT_PATH say) or "
	  "ssh://USER@HOST.\n"
	  "ws: a tap between clients and a server. Bytes are relayed as they are, WebSockets and the HTTP around them, and what they say is "
	  "recorded: handshakes, messages with their fragments, pings, closes, requests and responses, server-sent events, and upstreams that "
	  "refuse, do not resolve or break off. Recording trouble never holds up the traffic (docs/record.md).\n"
	  "ca: makes a certificate authority for this machine, and a certificate by it for localhost and each NAME, to be used with ws --cert and "
	  "--key.\n"
	  "The store can be read meanwhile.",
	  "inquest record ws --listen 127.0.0.1:9000 --upstream ws://localhost:8000 --store incident\n"
	  "inquest record ws --map 9000=ws://localhost:8000 --map 9081=http://localhost:8081\n"
	  "inquest record docker --project chat --store incident\n"
	  "inquest record ws --listen 9000 --upstream ws://localhost:8000 --spec chat.yaml --exec 'mail -s chat ops'\n"
	  "DOCKER_HOST=ssh://ops@host inquest record docker --container api --since 1h\n",
	  record_options, 1, UINT32_MAX, "what shall be recorded? `inquest record docker`, or `inquest record ws`",
	  cli_run_record },
	{ "collect", "--print WHAT", "a script that collects evidence where inquest is not",
	  "Prints a POSIX shell script that changes nothing where it runs, and writes one tar to standard output: logs with their times, "
	  "states, events as far back as they are remembered, versions, the host's clock, what could not be had, and a manifest with the "
	  "size and SHA-256 of each file. Read it before it is run: its comments say what it takes and how to take less. What containers were "
	  "given as environment is in the states, secrets included.",
	  "inquest collect --print docker | ssh host sh | inquest ingest -\n"
	  "inquest collect --print docker | ssh host COLLECT_SINCE=2h sh -s -- api worker > host.tar\n"
	  "inquest collect --print kubectl | sh -s -- shop > shop.tar\n",
	  collect_options, 0, 0, NULL, cli_run_collect },
	{ "sessions", "[CASE]", "one line a session: who, when, how long, how it ended, verdict", CASE_TEXT,
	  "inquest sessions --violated\n"
	  "inquest sessions incident --state cut --utc\n",
	  sessions_options, 0, UINT32_MAX, NULL, cli_run_sessions },
	{ "sources", "[CASE]", "one line a source: what it covers, what is missing, how its clock stands",
	  "For each source: its first and last record (or what was said with ingest --covers), how many events, how long its gaps "
	  "are. Where the same message was seen at two sources, by its payload, the clocks can be compared: what the client sent was "
	  "seen first nearer to the client, what the server sent nearer to the server. That gives the bounds of a shift, which "
	  "is shown with the --skew that would correct it, and never applied unasked. " CASE_TEXT,
	  "inquest sources\n"
	  "inquest check incident --skew api=+112ms\n",
	  sources_options, 0, UINT32_MAX, NULL, cli_run_sources },
	{ "show", "[CASE] [SESSION | EVENT]", "a conversation as a timeline, with what is missing in its place",
	  "Shows a session (s41), or one event by its number with everything that is known of it. Without either, the "
	  "session with the "
	  "worst verdict. -> is sent by the client, <- by the server, -- is the connection, .. a log line beside it, "
	  "!! a finding, ?? "
	  "something that was not recorded. " CASE_TEXT,
	  "inquest show s41\n"
	  "inquest show incident 20763 --raw       # the event's bytes in the evidence\n",
	  show_options, 0, UINT32_MAX, NULL, cli_run_show },
	{ "check", "[CASE]", "verdicts and findings",
	  "Judges every run, call or session in the evidence by lifecycles: rules of what must happen in which order. "
	  "Three verdicts: ok "
	  "and violated are proofs; what depends on something that was not recorded is undetermined. " CASE_TEXT,
	  "inquest check evidence/ --spec agent.yaml\n"
	  "inquest check incident --spec agent.yaml --junit result.xml --fail-on violated\n"
	  "inquest check --spec agent.yaml --explain-spec --format dot | dot -Tsvg > agent.svg\n",
	  check_options, 0, UINT32_MAX, NULL, cli_run_check },
	{ "learn", "[CASE]", "draft a lifecycle from sessions that went well",
	  "Finds the ids by which events belong together (a run, a call within it), what is ordered in which way within each, and how long "
	  "it takes, and writes a spec for `inquest check --spec`: a draft, to be read and changed. It accepts everything that it was "
	  "learned from; the report says so, and what it rejects of the rest. Left to itself it learns from the sessions that ended by a "
	  "close and that no error names, neither their own nor one in a log beside them. " CASE_TEXT,
	  "inquest learn incident > draft.yaml\n"
	  "inquest learn yesterday --output draft.yaml && inquest check today --spec draft.yaml\n"
	  "inquest learn incident --good \"started < '2026-11-24T03:00:00Z' AND state = 'closed'\"\n"
	  "inquest learn orders.xes.gz --session 'case 1' --session 'case 5'\n",
	  learn_options, 0, UINT32_MAX, NULL, cli_run_learn },
	{ "diff", "BASE INCIDENT", "what changed from one recording to another",
	  "Says which steps are reached less often, between which steps more time passes, which log lines, container events, close codes and "
	  "statuses are new, gone, more or less often, and what the sessions that fail have in common. Times are compared by rank, shares and "
	  "counts exactly, and what is called certain allows for how much was compared; what may be chance is marked with ?. Each change "
	  "names events to look at. BASE and INCIDENT are stores, segment files or plain evidence. Exit status 1: something certainly is "
	  "worse.",
	  "inquest diff yesterday today\n"
	  "inquest diff base.store incident.store --spec agent.yaml --format json\n"
	  "inquest show today 20763                # one of the events it names\n",
	  diff_options, 2, 2, "compare what? `inquest diff BASE INCIDENT`", cli_run_diff },
	{ "sql", "[CASE] [QUERY]", "SQL over the evidence",
	  "Tables: events, sessions, sources, evidence, gaps, templates, findings (.tables shows their columns); event_counts('type') and event_aggregates('type', 'length') add up without giving rows. "
	  "Times compare with text: ts > '2026-11-23T03:07:00Z'. LIKE, GLOB, REGEXP (PCRE2) and has(body, 'bytes') search "
	  "bodies; EXPLAIN QUERY PLAN says what a statement reads. Evidence is only read; TEMP tables and views are allowed. Without QUERY, "
	  "statements are read "
	  "from standard input. " CASE_TEXT,
	  "inquest sql \"SELECT type, count(*) FROM events GROUP BY type\"\n"
	  "inquest sql incident \"SELECT time, body FROM events WHERE session = 's41'\" --format csv\n",
	  sql_options, 0, UINT32_MAX, NULL, cli_run_sql },
	{ "replay", "[CASE] --target URL", "drive recorded sessions against a server again, and judge its answers",
	  "Sends what the clients sent. A message waits until what the server had sent before it has come again, matched by type and key; "
	  "then it goes at once. Ids and tokens that the server made are found by where they come from, and replaced by those that it makes "
	  "now. The run is recorded into a store of its own and judged: by lifecycles like any other, and by what the answers looked like. " CASE_TEXT,
	  "inquest replay golden.seg --target ws://127.0.0.1:8000 --spec agent.yaml --junit results.xml --wait 60s\n"
	  "inquest replay incident --session s3 --plan\n"
	  "inquest replay golden.seg --target ws://127.0.0.1:8000 --set login.password=env:CHAT_PW\n"
	  "inquest replay golden.seg --target ws://127.0.0.1:8000 --repeat 1000 --ramp 10s --compare none\n",
	  replay_options, 0, UINT32_MAX, NULL, cli_run_replay },
	{ "mock", "[CASE] --listen ADDR", "play the recorded server to a client under test",
	  "Each connection is given the next recorded session with its path. A message of the client is looked for among the recorded ones by "
	  "what it says, and what the server had answered is sent; one that is only most alike is told, one like nothing that was recorded is "
	  "told and not answered, and then the exit status is 3. HTTP requests get the response that was recorded. Ctrl-C ends it. " CASE_TEXT,
	  "inquest mock golden.seg --listen 9000\n", mock_options, 0, UINT32_MAX, NULL, cli_run_mock },
	{ "export", "[CASE] --format raw|segment|ndjson",
	  "give evidence back, byte for byte, a golden recording, or events as NDJSON",
	  "A segment is one file that is a case everywhere: sessions for a repository, to be replayed in CI, with their events' numbers, "
	  "the HTTP requests around them, and what is known to be missing. " CASE_TEXT,
	  "inquest export incident --format raw --output copy/\n"
	  "inquest export incident --format segment --session s41 --name first-answer --redact --output golden.seg\n"
	  "inquest export incident --format ndjson --session s41 > s41.ndjson\n",
	  export_options, 0, UINT32_MAX, NULL, cli_run_export },
	{ "store", "ls|verify|sign|compact|drop [CASE]", "list, prove and look after the segments of a store",
	  "ls lists the segments, with what each holds and how small it is, and the evidence. "
	  "verify decodes everything in the store and compares it with its hashes: segments with the manifest, chunks "
	  "and raw bytes with "
	  "their SHA-256, evidence with its accounting. Anything damaged is named, with what is lost by it, and the "
	  "exit status is 3. "
	  "sign signs the head of the manifest, which stands for all that the store holds; verify --key checks that "
	  "signature, and says what came or went since. Keep the checkpoint, or a copy of it, where nobody who can write the "
	  "store can write. "
	  "compact merges small segments and compresses them as well as it can, which takes its time. Every event, number "
	  "and byte stays; the new segments are compared with the old ones before they take their place, and whatever "
	  "interrupts it, the store is as it was or compacted. What reads the store goes on. "
	  "drop removes the segments all of whose events are older than --before; those that hold newer ones too stay as they "
	  "are. A gap says what is gone, and whatever depends on it is undetermined. The evidence keeps its number and its "
	  "hash, so it is not taken in again. "
	  "CASE is a store (ls: or plain evidence). Left out, it is $INQUEST_STORE, else ./case.",
	  "inquest store ls incident\n"
	  "inquest store verify incident\n"
	  "openssl genpkey -algorithm ed25519 -out key.pem; openssl pkey -in key.pem -pubout -out key.pub\n"
	  "inquest store sign incident --key key.pem --checkpoint elsewhere/incident.checkpoint\n"
	  "inquest store verify incident --key key.pub --checkpoint elsewhere/incident.checkpoint\n"
	  "inquest store compact incident\n"
	  "inquest store drop incident --before 2026-11-01T00:00:00Z\n",
	  store_options, 1, UINT32_MAX, "ls, verify, sign, compact or drop?", cli_run_store },
	{ "help", "[VERB]", "help on a verb; the man page; shell completions", "",
	  "inquest help check\n"
	  "inquest help --completion bash > /etc/bash_completion.d/inquest\n",
	  help_options, 0, 1, NULL, cli_run_help },
	{ 0 },
};

static const struct {
	const char *name;
	char letter;
} option_names[CLI_OPTION_COUNT] = {
	[CLI_OPTION_ALL] = { "all", 0 },
	[CLI_OPTION_ALLOW_HOST] = { "allow-host", 0 },
	[CLI_OPTION_ALLOW_ORIGIN] = { "allow-origin", 0 },
	[CLI_OPTION_BEFORE] = { "before", 0 },
	[CLI_OPTION_CERT] = { "cert", 0 },
	[CLI_OPTION_CHECKPOINT] = { "checkpoint", 0 },
	[CLI_OPTION_COMPLETION] = { "completion", 0 },
	[CLI_OPTION_CONTAINER] = { "container", 0 },
	[CLI_OPTION_CONTEXT] = { "context", 'C' },
	[CLI_OPTION_COVERS] = { "covers", 0 },
	[CLI_OPTION_DIALECT] = { "dialect", 0 },
	[CLI_OPTION_EVIDENCE] = { "evidence", 0 },
	[CLI_OPTION_EXEC] = { "exec", 0 },
	[CLI_OPTION_EXPLAIN_SPEC] = { "explain-spec", 0 },
	[CLI_OPTION_EXTENSION_PATH] = { "extension-path", 0 },
	[CLI_OPTION_EXTRACT] = { "extract", 0 },
	[CLI_OPTION_FAIL_ON] = { "fail-on", 0 },
	[CLI_OPTION_FORMAT] = { "format", 'f' },
	[CLI_OPTION_GOOD] = { "good", 0 },
	[CLI_OPTION_HELP] = { "help", 'h' },
	[CLI_OPTION_INSTANCE] = { "instance", 0 },
	[CLI_OPTION_JSON] = { "json", 0 },
	[CLI_OPTION_JUNIT] = { "junit", 0 },
	[CLI_OPTION_KEY] = { "key", 0 },
	[CLI_OPTION_KEEP_HOST] = { "keep-host", 0 },
	[CLI_OPTION_LEVEL] = { "level", 0 },
	[CLI_OPTION_LIMIT] = { "limit", 'n' },
	[CLI_OPTION_LIST_PRESETS] = { "list-presets", 0 },
	[CLI_OPTION_LISTEN] = { "listen", 0 },
	[CLI_OPTION_MAN] = { "man", 0 },
	[CLI_OPTION_MAP] = { "map", 0 },
	[CLI_OPTION_MAX_LINE] = { "max-line", 0 },
	[CLI_OPTION_NOISE] = { "noise", 0 },
	[CLI_OPTION_NAME] = { "name", 0 },
	[CLI_OPTION_OUTPUT] = { "output", 'o' },
	[CLI_OPTION_PRINT] = { "print", 0 },
	[CLI_OPTION_PROJECT] = { "project", 0 },
	[CLI_OPTION_RAW] = { "raw", 0 },
	[CLI_OPTION_REDACT] = { "redact", 0 },
	[CLI_OPTION_REDACT_KEY] = { "redact-key", 0 },
	[CLI_OPTION_REST] = { "rest", 0 },
	[CLI_OPTION_ROTATE] = { "rotate", 0 },
	[CLI_OPTION_RUN] = { "run", 0 },
	[CLI_OPTION_SESSION] = { "session", 0 },
	[CLI_OPTION_SINCE] = { "since", 0 },
	[CLI_OPTION_SKEW] = { "skew", 0 },
	[CLI_OPTION_SOURCE] = { "source", 0 },
	[CLI_OPTION_ZONE] = { "zone", 0 },
	[CLI_OPTION_SPEC] = { "spec", 's' },
	[CLI_OPTION_STATE] = { "state", 0 },
	[CLI_OPTION_STORE] = { "store", 0 },
	[CLI_OPTION_TARGET] = { "target", 0 },
	[CLI_OPTION_TIMEOUT] = { "timeout", 0 },
	[CLI_OPTION_UPSTREAM] = { "upstream", 0 },
	[CLI_OPTION_UTC] = { "utc", 0 },
	[CLI_OPTION_VIOLATED] = { "violated", 0 },
	[CLI_OPTION_CA] = { "ca", 0 },
	[CLI_OPTION_INSECURE] = { "insecure", 0 },
	[CLI_OPTION_BUDGET] = { "budget", 0 },
	[CLI_OPTION_MINIMIZE] = { "minimize", 0 },
	[CLI_OPTION_UPDATE] = { "update", 0 },
	[CLI_OPTION_COMPARE] = { "compare", 0 },
	[CLI_OPTION_CONCURRENCY] = { "concurrency", 0 },
	[CLI_OPTION_DRY_RUN] = { "dry-run", 0 },
	[CLI_OPTION_FRESH] = { "fresh", 0 },
	[CLI_OPTION_GITHUB] = { "github", 0 },
	[CLI_OPTION_IGNORE] = { "ignore", 0 },
	[CLI_OPTION_MAX_SLOWDOWN] = { "max-slowdown", 0 },
	[CLI_OPTION_PACE] = { "pace", 0 },
	[CLI_OPTION_PLAN] = { "plan", 0 },
	[CLI_OPTION_RAMP] = { "ramp", 0 },
	[CLI_OPTION_REPEAT] = { "repeat", 0 },
	[CLI_OPTION_SET] = { "set", 0 },
	[CLI_OPTION_TAP] = { "tap", 0 },
	[CLI_OPTION_TOLERANCE] = { "tolerance", 0 },
	[CLI_OPTION_WAIT] = { "wait", 0 },
};

const char *cli_option_name(enum cli_option_id id)
{
	return option_names[id].name;
}

char cli_option_letter(enum cli_option_id id)
{
	return option_names[id].letter;
}

const struct cli_verb *cli_find_verb(const char *name)
{
	for (const struct cli_verb *verb = cli_verbs; verb->name; verb++)
		if (strcmp(verb->name, name) == 0)
			return verb;
	return NULL;
}
