#include <inttypes.h>

#include "event/event.h"

/* One JSON object in the making. */
struct object {
	struct iq_buf *buf;
	bool first;
};

static void name(struct object *object, const char *key)
{
	(void)iq_buf_append_char(object->buf, object->first ? '{' : ',');
	object->first = false;
	(void)iq_json_append_string(object->buf, iq_view_cstr(key));
	(void)iq_buf_append_char(object->buf, ':');
}

static void text(struct object *object, const char *key, struct iq_view value)
{
	if (!value.data)
		return;
	name(object, key);
	(void)iq_json_append_string(object->buf, value);
}

static void instant(struct object *object, const char *key, int64_t ns)
{
	char formatted[IQ_RFC3339_SIZE];

	if (ns != IQ_TIME_NONE)
		text(object, key, iq_view_cstr(iq_time_format(ns, formatted)));
}

static void append_body(struct object *object, const struct iq_event *event)
{
	if (!event->body.data)
		return;
	if (!event->body_is_binary) {
		text(object, "body", event->body);
		return;
	}
	name(object, "body_base64");
	(void)iq_buf_append_char(object->buf, '"');
	(void)iq_base64_encode(event->body, object->buf);
	(void)iq_buf_append_char(object->buf, '"');
}

int iq_event_append_ndjson(struct iq_buf *buf, const struct iq_event *event)
{
	struct object object = { buf, true };

	instant(&object, "ts", event->ts);
	instant(&object, "observed", event->observed);
	text(&object, "source", event->source);
	text(&object, "session", event->session);
	text(&object, "kind", iq_view_cstr(iq_kind_name(event->kind)));
	text(&object, "direction", iq_view_cstr(iq_direction_name(event->direction)));
	text(&object, "type", event->type);
	text(&object, "key", event->key);
	if (event->seq != IQ_NUMBER_NONE) {
		name(&object, "seq");
		(void)iq_buf_appendf(buf, "%" PRId64, event->seq);
	}
	text(&object, "severity", iq_view_cstr(iq_severity_name(event->severity)));
	append_body(&object, event);
	if (event->attrs.data) {
		name(&object, "attrs");
		(void)iq_buf_append(buf, event->attrs);
	}
	(void)iq_buf_append_cstr(buf, "}\n");
	return buf->failed ? IQ_ERR_NOMEM : 0;
}
