/* One container: it is asked for what it is (`/containers/ID/json`), then for its log. When the log ends it is asked again, and that says
 * what the end means: it stopped, and its log is complete; or it runs, and the log has to be asked for where it broke off. */
#include <stdio.h>
#include <stdlib.h>

#include "ingest/docker_recorder.h"
#include "ingest/record.h"

/* A log that ends sooner, of a container that runs, is not asked for again before the next tick. */
#define SHORT_LOG_NS (IQ_DOCKER_RETRY_MS * IQ_NS_PER_MS)
/* What happens to a container waits so long for lines that were logged before it. */
#define HELD_NS (200 * IQ_NS_PER_MS)
/* An event of the Engine comes at most so long after the time that the state has for the same thing. */
#define SAME_NS (2 * IQ_NS_PER_S)

/* What is told by the state as well as by events. */
enum told { TOLD_CREATE, TOLD_START, TOLD_DIE, TOLD_CHECK, TOLD_COUNT };
static const char *const told_names[TOLD_COUNT] = { "create", "start", "die", "health_check" };

struct last {
	int64_t ts;
	bool by_state;
};

struct iq_docker_container {
	struct iq_docker_recorder *recorder;
	struct iq_docker_container *next;
	struct iq_view id;
	struct iq_docker_names names;
	struct iq_view source;
	bool known;	  /* what it is */
	bool catching_up; /* with the events that waited for that */
	bool selected;	  /* it is recorded */
	bool gone;	  /* the Engine has it no more */
	bool mute;	  /* its log cannot be read */
	bool tty;
	bool has_health_check;
	bool started_again; /* while it was asked for */
	bool log_before;    /* it had ended so before it was asked for again */
	bool log_complete;  /* the log ended as it should */
	bool look_again;    /* its log ended too soon: at the next tick */
	struct iq_engine_request *look;
	struct iq_engine_request *log;
	int64_t log_begun;
	struct iq_buf answer;
	struct iq_buf waiting; /* events, one a line, until it is known */
	struct iq_docker_stream stream;
	struct iq_docker_seen seen;
	int64_t log_asked; /* when its log was asked for, by the Engine's clock */
	int64_t log_ended; /* when it last did as it should, likewise */
	struct last told[TOLD_COUNT];
	struct iq_docker_action *held; /* not written yet, in the order of time */
	size_t held_count;
	size_t held_capacity;
	struct iq_arena held_memory;
	int64_t held_since;		    /* when something came last, by the monotonic clock */
	char attrs[IQ_DOCKER_STREAMS][320]; /* of a line; empty where they do not fit */
};

/* The answer for a container that is being removed. */
#define IQ_HTTP_NOT_FOUND 404
#define IQ_HTTP_CONFLICT 409

static void look(struct iq_docker_container *container);
static void end_log(struct iq_docker_container *container);
static void open_log(struct iq_docker_container *container);

/* ---- Which it is ---- */

static bool is_named(const struct iq_docker_container *container, const char *given)
{
	const struct iq_view name = iq_view_cstr(given);

	return iq_view_eq(container->names.name, name) ||
	       (name.len >= IQ_DOCKER_ID_DIGITS && iq_view_starts_with(container->id, name)) ||
	       iq_view_eq(container->source, name);
}

static bool is_selected(const struct iq_docker_container *container)
{
	const struct iq_docker_options *options = container->recorder->options;

	if (options->project_count == 0 && options->container_count == 0)
		return true;
	for (size_t i = 0; i < options->project_count; i++)
		if (iq_view_eq(container->names.project, iq_view_cstr(options->projects[i])))
			return true;
	for (size_t i = 0; i < options->container_count; i++)
		if (is_named(container, options->containers[i]))
			return true;
	return false;
}

static void describe_line(struct iq_docker_container *container, unsigned stream, struct iq_buf *attrs)
{
	static const struct iq_view names[IQ_DOCKER_STREAMS] = {
		{ "stdin", 5 }, { "stdout", 6 }, { "stderr", 6 }, { "engine", 6 }
	};

	iq_buf_clear(attrs);
	iq_attrs_text(attrs, IQ_LIT("stream"), names[stream]);
	iq_docker_names_describe(&container->names, attrs);
}

/* The same for nearly all lines, so it is written once. */
static void prepare_attrs(struct iq_docker_container *container)
{
	struct iq_buf attrs = IQ_BUF_INIT;

	for (unsigned i = 0; i < IQ_DOCKER_STREAMS; i++) {
		describe_line(container, i, &attrs);
		(void)iq_attrs_end(&attrs);
		container->attrs[i][0] = '\0';
		if (!attrs.failed && attrs.len < sizeof(container->attrs[i]))
			memcpy(container->attrs[i], attrs.data, attrs.len + 1);
	}
	iq_buf_release(&attrs);
}

static void set_names(struct iq_docker_container *container, const struct iq_docker_names *names)
{
	struct iq_arena *memory = &container->recorder->memory;

	container->names = (struct iq_docker_names){ .id = container->id,
						     .name = iq_arena_copy(memory, names->name),
						     .image = iq_arena_copy(memory, names->image),
						     .project = iq_arena_copy(memory, names->project),
						     .service = iq_arena_copy(memory, names->service),
						     .number = iq_arena_copy(memory, names->number) };
	container->source = iq_docker_source(container->recorder, &container->names);
	prepare_attrs(container);
}

/* ---- What happened ---- */

static bool is_action(const struct iq_docker_action *action, const char *name)
{
	return iq_view_eq(action->action, iq_view_cstr(name));
}

/* A stream of events is read in its order: what happened to the container is put between its lines by time. */
static void release_held(struct iq_docker_container *container, int64_t until)
{
	size_t i = 0;

	for (; i < container->held_count && container->held[i].ts <= until; i++)
		iq_docker_write_action(container->recorder, &container->held[i], container->source);
	if (i == 0)
		return;
	container->held_count -= i;
	memmove(container->held, container->held + i, container->held_count * sizeof(*container->held));
	if (container->held_count == 0)
		iq_arena_clear(&container->held_memory);
}

static int make_held(struct iq_docker_container *container)
{
	const size_t capacity = container->held_capacity ? 2 * container->held_capacity : 8;
	struct iq_docker_action *held;

	if (container->held_count < container->held_capacity)
		return 0;
	held = realloc(container->held, capacity * sizeof(*held));
	if (!held)
		return IQ_ERR_NOMEM;
	container->held = held;
	container->held_capacity = capacity;
	return 0;
}

static void hold(struct iq_docker_container *container, const struct iq_docker_action *action)
{
	struct iq_docker_action copy;
	size_t i = container->held_count;

	if (make_held(container) < 0 || iq_docker_action_copy(action, &container->held_memory, &copy) < 0) {
		iq_docker_finish(container->recorder, iq_error_nomem(container->recorder->error));
		return;
	}
	copy.of.project = container->names.project;
	copy.of.service = container->names.service;
	for (; i > 0 && container->held[i - 1].ts > copy.ts; i--)
		container->held[i] = container->held[i - 1];
	container->held[i] = copy;
	container->held_count++;
	container->held_since = iq_clock_monotonic();
}

/* ---- Lines ---- */

static struct iq_view line_attrs(struct iq_docker_container *container, const struct iq_docker_line *line,
				 struct iq_buf *attrs)
{
	if (!line->partial && line->bytes == line->text.len && container->attrs[line->stream][0])
		return iq_view_cstr(container->attrs[line->stream]);
	describe_line(container, line->stream, attrs);
	if (line->partial)
		iq_attrs_raw(attrs, IQ_LIT("partial"), IQ_LIT("true"));
	if (line->bytes > line->text.len)
		iq_attrs_number(attrs, IQ_LIT("body_bytes"), line->bytes);
	return iq_attrs_end(attrs);
}

/* The text of the event; of a line that was cut, without the part of a character. */
static struct iq_view line_body(const struct iq_docker_line *line)
{
	return line->bytes > line->text.len ? iq_body_trim(line->text) : line->text;
}

static void write_line(struct iq_docker_container *container, const struct iq_docker_line *line)
{
	struct iq_docker_recorder *recorder = container->recorder;
	struct iq_event event = IQ_EVENT_INIT;

	event.ts = line->ts;
	event.source = container->source;
	event.body = line_body(line);
	event.attrs = line_attrs(container, line, &recorder->attrs);
	recorder->result.lines++;
	iq_docker_write_event(recorder, &event);
}

/* The first line after an interruption that was not had before it: was the one before the interruption still there? */
static void check_unbroken(struct iq_docker_container *container, int64_t ts)
{
	if (container->seen.proved)
		return;
	container->seen.proved = true;
	iq_docker_write_gap(container->recorder, container->source, container->seen.latest, ts,
			    "its log was rotated away while it could not be read: lines may be missing");
}

/* Of a line of the store, or of the Engine, as the store will have it. How long it was before it was redacted the store does not say. */
static uint64_t hash_line(const struct iq_docker_container *container, const struct iq_docker_line *line)
{
	const uint64_t bytes = container->recorder->options->redactor ? 0 : line->bytes;

	return iq_docker_hash(container->recorder, line_body(line)) ^ (line->stream * 0x9E3779B97F4A7C15u) ^ bytes;
}

static int take_line(void *context, const struct iq_docker_line *line, struct iq_error *error)
{
	struct iq_docker_container *container = context;
	struct iq_docker_recorder *recorder = container->recorder;
	const uint64_t hash = hash_line(container, line);

	if (recorder->ended)
		return IQ_ERR_INTERRUPTED;
	if (line->ts == IQ_TIME_NONE) {
		struct iq_buf reason = IQ_BUF_INIT;

		(void)iq_buf_appendf(&reason, "the Engine, instead of its log: %.*s",
				     (int)(line->text.len < 200 ? line->text.len : 200), line->text.data);
		iq_docker_write_gap(recorder, container->source, IQ_TIME_NONE, IQ_TIME_NONE,
				    reason.data ? reason.data : "");
		iq_buf_release(&reason);
		return 0;
	}
	if (iq_docker_seen_again(&container->seen, line->ts, hash)) {
		recorder->result.again++;
		return 0;
	}
	check_unbroken(container, line->ts);
	release_held(container, line->ts);
	if (iq_docker_seen_add(&container->seen, line->ts, hash, iq_docker_stream_oldest(&container->stream)) < 0)
		return iq_error_nomem(error);
	write_line(container, line);
	return 0;
}

/* ---- The log ---- */

static void on_log_bytes(void *context, struct iq_view bytes)
{
	struct iq_docker_container *container = context;
	struct iq_docker_recorder *recorder = container->recorder;
	struct iq_error error = IQ_ERROR_INIT;
	int rc;

	if (recorder->ended)
		return;
	recorder->last_bytes = iq_clock_now();
	container->held_since = iq_clock_monotonic();
	rc = iq_docker_stream_feed(&container->stream, bytes, &error);
	if (rc == IQ_ERR_FORMAT) {
		/* What follows cannot be read; the log is asked for again, from the last line on. */
		iq_docker_tell(recorder, "%.*s: %s", IQ_VIEW_ARG(container->source), error.message);
		iq_engine_cancel(container->log);
		container->log = NULL;
		container->look_again = true;
	} else if (rc < 0 && rc != IQ_ERR_INTERRUPTED) {
		iq_docker_finish(recorder, iq_error_nomem(recorder->error));
	}
}

static void cannot_be_read(struct iq_docker_container *container, const char *trouble)
{
	char reason[320];

	container->mute = true;
	(void)snprintf(reason, sizeof(reason), "its log cannot be read: %s", trouble);
	iq_docker_write_gap(container->recorder, container->source, IQ_TIME_NONE, IQ_TIME_NONE, reason);
}

/* Its end was seen before the Engine said so of the container, which is being removed, or is gone; and it has not run since. */
static bool was_read(const struct iq_docker_container *container, int status)
{
	return (status == IQ_HTTP_CONFLICT || status == IQ_HTTP_NOT_FOUND) && container->log_before &&
	       container->told[TOLD_START].ts <= container->log_ended;
}

static void on_log_end(void *context, int status, const char *trouble)
{
	struct iq_docker_container *container = context;
	struct iq_docker_recorder *recorder = container->recorder;

	container->log = NULL;
	container->log_complete = !trouble || was_read(container, status);
	if (!trouble)
		container->log_ended = iq_clock_now() + recorder->skew;
	if (trouble && container->log_complete) {
		end_log(container);
		iq_docker_check_done(recorder);
		return;
	}
	if (status == IQ_HTTP_NOT_FOUND)
		container->gone = true;
	if (status >= 300)
		cannot_be_read(container, status == IQ_HTTP_NOT_FOUND ? "it was removed before" : trouble);
	else if (container->started_again)
		open_log(container);
	else if (iq_clock_monotonic() - container->log_begun < SHORT_LOG_NS && recorder->options->follow)
		container->look_again = true;
	else
		look(container);
	iq_docker_check_done(recorder);
}

/* Its log is complete, or there will be no more of it. */
static void end_log(struct iq_docker_container *container)
{
	(void)iq_docker_stream_end(&container->stream, container->recorder->error);
	release_held(container, INT64_MAX);
}

/* From where the log is to be asked for. A line that began before and can not be had again is given as it is. */
static int rewind_log(struct iq_docker_container *container, int64_t *ret_since)
{
	const int64_t begun = iq_docker_stream_oldest(&container->stream);
	int rc = iq_docker_seen_rewind(&container->seen, begun, ret_since);

	if (rc == 0 && begun != IQ_TIME_NONE && begun < *ret_since)
		rc = iq_docker_stream_end(&container->stream, container->recorder->error);
	iq_docker_stream_reset(&container->stream);
	if (*ret_since == IQ_TIME_NONE)
		*ret_since = container->recorder->options->since;
	return rc;
}

static void open_log(struct iq_docker_container *container)
{
	static const struct iq_engine_answer answer = { on_log_bytes, on_log_end };
	struct iq_docker_recorder *recorder = container->recorder;
	struct iq_buf since = IQ_BUF_INIT;
	int64_t from;

	if (container->log || container->mute || recorder->ended)
		return;
	container->stream.tty = container->tty;
	if (rewind_log(container, &from) < 0) {
		iq_docker_finish(recorder, iq_error_nomem(recorder->error));
		return;
	}
	iq_docker_append_time(&since, "&since=", from);
	container->started_again = false;
	container->log_begun = iq_clock_monotonic();
	container->log_asked = iq_clock_now() + container->recorder->skew;
	container->log_before = container->log_complete;
	container->log_complete = false;
	container->log = iq_docker_get(
		recorder, &answer, container, "/containers/%.*s/logs?stdout=1&stderr=1&timestamps=1&follow=%d%s",
		IQ_VIEW_ARG(container->id), recorder->options->follow, since.data ? since.data : "");
	iq_buf_release(&since);
}

/* ---- What its state and events tell ---- */

/* Which of the told it is; TOLD_COUNT: none. */
static enum told told_of(const struct iq_docker_action *action)
{
	enum told i = 0;

	while (i < TOLD_COUNT && !is_action(action, told_names[i]))
		i++;
	return i;
}

/* What the state tells, unless an event told it, which bears a later time. */
static int take_history(void *context, const struct iq_docker_action *action)
{
	struct iq_docker_container *container = context;
	const int64_t since = container->recorder->options->since;
	struct last *last = &container->told[told_of(action)];

	if (action->ts <= last->ts || (since != IQ_TIME_NONE && action->ts < since))
		return 0;
	*last = (struct last){ action->ts, true };
	hold(container, action);
	return 0;
}

/* Was it told by the state a moment before? */
static bool is_told(struct iq_docker_container *container, const struct iq_docker_action *action)
{
	const enum told told = told_of(action);
	struct last *last = &container->told[told];
	bool known;

	if (told == TOLD_COUNT)
		return false;
	known = last->by_state && action->ts >= last->ts && action->ts - last->ts < SAME_NS;
	if (action->ts > last->ts)
		*last = (struct last){ action->ts, false };
	return known;
}

static void rename_container(struct iq_docker_container *container, struct iq_view name)
{
	struct iq_docker_names names = container->names;

	names.name = name;
	set_names(container, &names);
}

/* It is gone, and what it wrote while it was recorded with it; what was over before is none of the recording's. */
static void miss_log(struct iq_docker_container *container, bool was_recorded)
{
	if (was_recorded && !container->log_complete && !container->mute)
		iq_docker_write_gap(container->recorder, container->source, container->seen.latest, IQ_TIME_NONE,
				    "it was removed before all of its log could be read");
	container->mute = container->mute || was_recorded;
}

static void act(struct iq_docker_container *container, const struct iq_docker_action *action)
{
	/* Each probe of a health check is three of these. */
	if (is_told(container, action) ||
	    (container->has_health_check && iq_view_starts_with(action->action, IQ_LIT("exec_"))))
		return;
	hold(container, action);
	if (is_action(action, "rename"))
		rename_container(container, action->of.name);
	if (is_action(action, "destroy"))
		container->gone = true;
	if (!container->recorder->options->follow || container->catching_up)
		return;
	/* It may be removed again before it is looked at. */
	if (is_action(action, "start") && container->gone)
		miss_log(container, action->ts > container->recorder->began);
	else if (is_action(action, "start") && (container->look || container->log))
		container->started_again = true;
	else if (is_action(action, "start"))
		open_log(container);
	else if (is_action(action, "health_status") && !container->gone)
		look(container);
}

static void give_waiting(struct iq_docker_container *container)
{
	struct iq_buf waiting = container->waiting;
	struct iq_view rest = iq_buf_view(&waiting);

	container->waiting = (struct iq_buf)IQ_BUF_INIT;
	container->catching_up = true;
	while (rest.len > 0 && container->selected) {
		const size_t len = iq_view_find(rest, IQ_LIT("\n"));
		struct iq_arena memory = IQ_ARENA_INIT;
		struct iq_docker_action action;

		if (iq_docker_action_read(&action, iq_view_make(rest.data, len), &memory))
			act(container, &action);
		iq_arena_release(&memory);
		rest = iq_view_from(rest, len + 1);
	}
	container->catching_up = false;
	iq_buf_release(&waiting);
}

void iq_docker_container_action(struct iq_docker_container *container, const struct iq_docker_action *action)
{
	if (container->known) {
		if (container->selected)
			act(container, action);
		return;
	}
	/* Should it be gone before it can be asked, this is all that is known of it. */
	if (!container->names.name.data)
		set_names(container, &action->of);
	(void)iq_buf_append(&container->waiting, action->raw);
	(void)iq_buf_append_char(&container->waiting, '\n');
	if (container->waiting.failed)
		iq_docker_finish(container->recorder, iq_error_nomem(container->recorder->error));
}

/* ---- Looking at it ---- */

static int remember_line(void *context, const struct iq_docker_line *line, struct iq_error *error)
{
	struct iq_docker_container *container = context;

	return iq_docker_seen_add(&container->seen, line->ts, hash_line(container, line), IQ_TIME_NONE) < 0
		       ? iq_error_nomem(error)
		       : 0;
}

/* What the store has of it already. */
static void remember(struct iq_docker_container *container)
{
	struct iq_docker_recorder *recorder = container->recorder;
	int rc;

	for (enum told i = 0; i < TOLD_COUNT; i++)
		container->told[i].ts = iq_docker_known_told(recorder, container->id, told_names[i]);
	rc = iq_docker_known_lines(recorder, container->source, container->id, remember_line, container,
				   recorder->error);
	if (rc < 0)
		iq_docker_finish(recorder, rc);
}

static void become_known(struct iq_docker_container *container)
{
	container->known = true;
	container->selected = is_selected(container);
	if (container->selected) {
		container->recorder->result.containers++;
		remember(container);
	}
	give_waiting(container);
}

/* The Engine has it no more, or not for long. What came and went before anybody could look is known by its events only. */
static void take_gone(struct iq_docker_container *container)
{
	const bool was_known = container->known;

	if (!was_known)
		become_known(container);
	container->gone = true;
	if (!container->selected)
		return;
	miss_log(container, was_known || container->told[TOLD_START].ts > container->recorder->began);
	end_log(container);
}

/* Its log may be refused from now on; whether something is missed is a matter of when it began. */
static void take_removal(struct iq_docker_container *container, const struct iq_docker_state *state)
{
	set_names(container, &state->of);
	take_gone(container);
}

static void take_state(struct iq_docker_container *container, const struct iq_docker_state *state, struct iq_view json)
{
	const bool first = !container->known;
	const bool running = state->running || container->started_again;

	container->started_again = false;
	if (first)
		set_names(container, &state->of);
	container->tty = state->tty;
	container->has_health_check = state->has_health_check;
	if (first)
		become_known(container);
	if (!container->selected)
		return;
	(void)iq_docker_state_history(json, take_history, container);
	/* A log that ended as it should is complete, unless the container runs, or has run again. */
	if (container->log_complete &&
	    !(container->recorder->options->follow && (running || state->started > container->log_asked)))
		end_log(container);
	else
		open_log(container);
}

static void on_look_bytes(void *context, struct iq_view bytes)
{
	struct iq_docker_container *container = context;

	container->recorder->last_bytes = iq_clock_now();
	(void)iq_buf_append(&container->answer, bytes);
}

static void on_look_end(void *context, int status, const char *trouble)
{
	struct iq_docker_container *container = context;
	struct iq_docker_recorder *recorder = container->recorder;
	struct iq_arena memory = IQ_ARENA_INIT;
	struct iq_docker_state state;

	container->look = NULL;
	if (status == IQ_HTTP_NOT_FOUND)
		take_gone(container);
	else if (trouble)
		iq_docker_went_away(recorder, trouble);
	else if (!iq_docker_state_read(&state, iq_buf_view(&container->answer), &memory))
		cannot_be_read(container, "the Engine does not say what it is");
	else if (state.being_removed && !container->known)
		take_removal(container, &state);
	else
		take_state(container, &state, iq_buf_view(&container->answer));
	iq_arena_release(&memory);
	iq_docker_check_done(recorder);
}

static void look(struct iq_docker_container *container)
{
	static const struct iq_engine_answer answer = { on_look_bytes, on_look_end };

	container->look_again = false;
	if (container->look || container->recorder->ended || container->recorder->away)
		return;
	iq_buf_clear(&container->answer);
	container->look = iq_docker_get(container->recorder, &answer, container, "/containers/%.*s/json",
					IQ_VIEW_ARG(container->id));
}

/* ---- All of them ---- */

static struct iq_docker_container *new_container(struct iq_docker_recorder *recorder, struct iq_view id)
{
	struct iq_docker_container *container = calloc(1, sizeof(*container));

	if (!container)
		return NULL;
	container->recorder = recorder;
	container->seen = (struct iq_docker_seen)IQ_DOCKER_SEEN_INIT;
	for (enum told i = 0; i < TOLD_COUNT; i++)
		container->told[i].ts = IQ_TIME_NONE;
	iq_docker_stream_init(&container->stream, false, recorder->max_line, take_line, container);
	container->id = iq_arena_copy(&recorder->memory, id);
	container->names.id = container->id;
	if (!container->id.data || iq_map_set(&recorder->ids, id, (uint64_t)(uintptr_t)container) < 0) {
		free(container);
		return NULL;
	}
	container->next = recorder->containers;
	recorder->containers = container;
	return container;
}

struct iq_docker_container *iq_docker_container_get(struct iq_docker_recorder *recorder, struct iq_view id)
{
	const uint64_t *known = iq_map_get(&recorder->ids, id);
	struct iq_docker_container *container;

	if (known)
		return (struct iq_docker_container *)(uintptr_t)*known;
	container = new_container(recorder, id);
	if (container)
		look(container);
	return container;
}

static bool is_recorded(const struct iq_docker_container *container)
{
	return !container->gone && (container->selected || !container->known);
}

/* It ran, or may have run, when the Engine stopped: what that had read from its pipe and not written into its log went with it. */
static void note_restart(struct iq_docker_container *container)
{
	const struct iq_docker_recorder *recorder = container->recorder;
	const int64_t from = recorder->lost_at > container->seen.latest ? recorder->lost_at : container->seen.latest;

	if (container->known && !container->log_complete && !container->mute)
		iq_docker_write_gap(container->recorder, container->source, from, recorder->now,
				    "the Engine was restarted: what it had read of the log and not kept is lost");
}

void iq_docker_containers_look(struct iq_docker_recorder *recorder)
{
	for (struct iq_docker_container *container = recorder->containers; container; container = container->next)
		if (is_recorded(container)) {
			if (recorder->restarted)
				note_restart(container);
			if (!container->log)
				look(container);
		}
	recorder->restarted = false;
}

static void tick(struct iq_docker_container *container, int64_t now)
{
	if (container->look_again && now - container->log_begun >= SHORT_LOG_NS)
		look(container);
	if (container->held_count > 0 && now - container->held_since >= HELD_NS)
		release_held(container, INT64_MAX);
}

void iq_docker_containers_tick(struct iq_docker_recorder *recorder)
{
	for (struct iq_docker_container *container = recorder->containers; container; container = container->next)
		tick(container, iq_clock_monotonic());
}

void iq_docker_containers_gap(struct iq_docker_recorder *recorder, int64_t from, int64_t to, const char *reason)
{
	for (const struct iq_docker_container *container = recorder->containers; container; container = container->next)
		if (is_recorded(container) && container->known)
			iq_docker_write_gap(recorder, container->source, from, to, reason);
}

bool iq_docker_containers_busy(const struct iq_docker_recorder *recorder)
{
	for (const struct iq_docker_container *container = recorder->containers; container; container = container->next)
		if (container->look || container->log || container->look_again)
			return true;
	return false;
}

/* A container that ended is waited for until its log does. */
static bool is_drained(const struct iq_docker_container *container, int64_t now)
{
	const struct iq_docker_recorder *recorder = container->recorder;
	const bool ended = container->told[TOLD_DIE].ts > container->told[TOLD_START].ts;

	if (container->look)
		return false;
	if (!container->log || container->seen.latest > recorder->stop_at)
		return true;
	return !ended && now - container->held_since > IQ_DOCKER_QUIET_NS;
}

bool iq_docker_containers_drained(const struct iq_docker_recorder *recorder)
{
	const int64_t now = iq_clock_monotonic();

	for (const struct iq_docker_container *container = recorder->containers; container; container = container->next)
		if (container->known && container->selected && !is_drained(container, now))
			return false;
	return true;
}

void iq_docker_containers_end(struct iq_docker_recorder *recorder)
{
	for (struct iq_docker_container *container = recorder->containers; container; container = container->next)
		end_log(container);
}

void iq_docker_containers_free(struct iq_docker_recorder *recorder)
{
	struct iq_docker_container *container = recorder->containers, *next;

	for (; container; container = next) {
		next = container->next;
		iq_docker_stream_release(&container->stream);
		iq_docker_seen_release(&container->seen);
		iq_buf_release(&container->answer);
		iq_buf_release(&container->waiting);
		iq_arena_release(&container->held_memory);
		free(container->held);
		free(container);
	}
}
