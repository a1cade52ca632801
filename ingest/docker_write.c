#include "ingest/docker_recorder.h"
#include "ingest/record.h"

/* The disk is waited for now and then: the Engine keeps what we do not read. */
static void keep_pace(struct iq_docker_recorder *recorder, size_t bytes)
{
	recorder->unflushed += bytes;
	if (recorder->unflushed < IQ_DOCKER_FLUSH_BYTES)
		return;
	recorder->unflushed = 0;
	/* What the disk does not take is lost there, and said by gaps. */
	(void)iq_live_flush(recorder->live, NULL);
}

static int take_event(void *context, const struct iq_event *event, struct iq_error *error)
{
	struct iq_docker_recorder *recorder = context;

	iq_buf_clear(&recorder->line);
	if (iq_event_append_ndjson(&recorder->line, event) < 0)
		return iq_error_nomem(error);
	(void)iq_live_event(recorder->live, event, iq_buf_view(&recorder->line));
	keep_pace(recorder, recorder->line.len);
	return 0;
}

static int take_gap(void *context, const struct iq_gap *gap, struct iq_error *error)
{
	const struct iq_docker_recorder *recorder = context;

	(void)error;
	(void)iq_live_gap(recorder->live, gap);
	return 0;
}

int iq_docker_write_begin(struct iq_docker_recorder *recorder)
{
	struct iq_redactor *redactor = recorder->options->redactor;

	recorder->sink = (struct iq_sink){ take_event, take_gap, recorder };
	recorder->describer = iq_describer_new(NULL, NULL);
	if (!recorder->describer)
		return iq_error_nomem(recorder->error);
	recorder->described = iq_describer_begin(
		recorder->describer, NULL, redactor ? iq_redactor_sink(redactor, &recorder->sink) : &recorder->sink);
	return 0;
}

uint64_t iq_docker_hash(struct iq_docker_recorder *recorder, struct iq_view text)
{
	struct iq_buf scratch = IQ_BUF_INIT;
	struct iq_view kept = text;
	uint64_t hash;

	if (recorder->options->redactor)
		(void)iq_redactor_text(recorder->options->redactor, text, &scratch, &kept);
	hash = iq_hash64(kept);
	iq_buf_release(&scratch);
	return hash;
}

void iq_docker_write_event(struct iq_docker_recorder *recorder, struct iq_event *event)
{
	int rc;

	event->observed = recorder->last_bytes;
	rc = recorder->described->event(recorder->described->context, event, recorder->error);
	if (rc < 0)
		iq_docker_finish(recorder, rc);
}

void iq_docker_write_action(struct iq_docker_recorder *recorder, const struct iq_docker_action *action,
			    struct iq_view source)
{
	struct iq_event event;

	iq_buf_clear(&recorder->attrs);
	if (iq_docker_action_event(action, &recorder->body, &recorder->attrs, &event) < 0) {
		iq_docker_finish(recorder, iq_error_nomem(recorder->error));
		return;
	}
	event.source = source;
	event.attrs = iq_attrs_end(&recorder->attrs);
	recorder->result.actions++;
	iq_docker_write_event(recorder, &event);
}

void iq_docker_write_gap(struct iq_docker_recorder *recorder, struct iq_view source, int64_t from, int64_t to,
			 const char *reason)
{
	struct iq_gap gap = IQ_GAP_INIT;

	gap.source = source;
	gap.ts_min = from;
	gap.ts_max = to;
	gap.reason = iq_view_cstr(reason);
	recorder->result.gaps++;
	(void)recorder->described->gap(recorder->described->context, &gap, recorder->error);
	iq_docker_tell(recorder, "%.*s: %s", IQ_VIEW_ARG(source), reason);
}

/* ---- Names ---- */

/* Takes the name for `owner`, or has it already. The name as it is kept; the NULL view where another one has it. */
static struct iq_view claim(struct iq_docker_recorder *recorder, struct iq_view name, uint64_t owner)
{
	const uint64_t *has = iq_map_get(&recorder->sources, name);

	if (has && *has != owner)
		return IQ_VIEW_NULL;
	if (!has && iq_map_set(&recorder->sources, name, owner) < 0)
		return IQ_VIEW_NULL;
	return iq_arena_copy(&recorder->memory, name);
}

struct iq_view iq_docker_source(struct iq_docker_recorder *recorder, const struct iq_docker_names *names)
{
	const bool composed = names->project.len > 0 && names->service.len > 0;
	struct iq_buf text = IQ_BUF_INIT;
	struct iq_view source;
	uint64_t owner;

	iq_docker_names_source(names, &text);
	owner = iq_hash64(composed ? names->project : iq_buf_view(&text)) ^ composed;
	source = claim(recorder, iq_buf_view(&text), owner);
	if (!source.data) {
		iq_buf_clear(&text);
		(void)iq_buf_appendf(&text, "%.*s",
				     IQ_VIEW_ARG(names->name.len > 0 ? names->name : iq_docker_short_id(names->id)));
		source = claim(recorder, iq_buf_view(&text), iq_hash64(iq_buf_view(&text)));
	}
	if (!source.data)
		source = iq_arena_copy(&recorder->memory, names->id);
	iq_buf_release(&text);
	return source;
}
