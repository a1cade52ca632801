#include <inquest/inquest.h>
#include <strings.h>

#include "event/event.h"

const char *iq_version(void)
{
	return IQ_VERSION;
}

static const char *const kind_names[IQ_KIND_COUNT] = {
	[IQ_KIND_WS_OPEN] = "ws.open",
	[IQ_KIND_WS_MESSAGE] = "ws.message",
	[IQ_KIND_WS_PING] = "ws.ping",
	[IQ_KIND_WS_PONG] = "ws.pong",
	[IQ_KIND_WS_CLOSE] = "ws.close",
	[IQ_KIND_HTTP_REQUEST] = "http.request",
	[IQ_KIND_HTTP_RESPONSE] = "http.response",
	[IQ_KIND_SSE_MESSAGE] = "sse.message",
	[IQ_KIND_NET_ERROR] = "net.error",
	[IQ_KIND_LOG] = "log",
	[IQ_KIND_CONTAINER] = "container",
	[IQ_KIND_PROBE] = "probe",
	[IQ_KIND_CLOCK] = "clock",
	[IQ_KIND_GAP] = "gap",
};

const char *iq_kind_name(enum iq_kind kind)
{
	return kind < IQ_KIND_COUNT ? kind_names[kind] : NULL;
}

bool iq_kind_parse(struct iq_view name, enum iq_kind *ret_kind)
{
	for (unsigned kind = 0; kind < IQ_KIND_COUNT; kind++) {
		if (iq_view_eq(name, iq_view_cstr(kind_names[kind]))) {
			*ret_kind = (enum iq_kind)kind;
			return true;
		}
	}
	return false;
}

/* A spelling and the value it stands for. */
struct spelling {
	const char *name;
	unsigned value;
};

static bool parse_spelling(struct iq_view name, const struct spelling *spellings, unsigned *ret_value)
{
	for (; spellings->name; spellings++) {
		if (strlen(spellings->name) == name.len && strncasecmp(spellings->name, name.data, name.len) == 0) {
			*ret_value = spellings->value;
			return true;
		}
	}
	return false;
}

static const struct spelling directions[] = {
	{ "client", IQ_DIRECTION_CLIENT },   { "server", IQ_DIRECTION_SERVER },	  { "send", IQ_DIRECTION_CLIENT },
	{ "receive", IQ_DIRECTION_SERVER },  { "sent", IQ_DIRECTION_CLIENT },	  { "received", IQ_DIRECTION_SERVER },
	{ "recv", IQ_DIRECTION_SERVER },     { "out", IQ_DIRECTION_CLIENT },	  { "in", IQ_DIRECTION_SERVER },
	{ "outgoing", IQ_DIRECTION_CLIENT }, { "incoming", IQ_DIRECTION_SERVER }, { "outbound", IQ_DIRECTION_CLIENT },
	{ "inbound", IQ_DIRECTION_SERVER },  { "request", IQ_DIRECTION_CLIENT },  { "response", IQ_DIRECTION_SERVER },
	{ "c2s", IQ_DIRECTION_CLIENT },	     { "s2c", IQ_DIRECTION_SERVER },	  { NULL, 0 },
};

const char *iq_direction_name(enum iq_direction direction)
{
	static const char *const names[] = { NULL, "client", "server" };

	return direction <= IQ_DIRECTION_SERVER ? names[direction] : NULL;
}

bool iq_direction_parse(struct iq_view name, enum iq_direction *ret_direction)
{
	unsigned value;

	if (!parse_spelling(name, directions, &value))
		return false;
	*ret_direction = (enum iq_direction)value;
	return true;
}

static const struct spelling severities[] = {
	{ "trace", IQ_SEVERITY_TRACE },	       { "debug", IQ_SEVERITY_DEBUG },	  { "info", IQ_SEVERITY_INFO },
	{ "informational", IQ_SEVERITY_INFO }, { "notice", IQ_SEVERITY_NOTICE },  { "warning", IQ_SEVERITY_WARNING },
	{ "warn", IQ_SEVERITY_WARNING },       { "error", IQ_SEVERITY_ERROR },	  { "err", IQ_SEVERITY_ERROR },
	{ "critical", IQ_SEVERITY_CRITICAL },  { "crit", IQ_SEVERITY_CRITICAL },  { "fatal", IQ_SEVERITY_CRITICAL },
	{ "panic", IQ_SEVERITY_CRITICAL },     { "alert", IQ_SEVERITY_CRITICAL }, { "emergency", IQ_SEVERITY_CRITICAL },
	{ "emerg", IQ_SEVERITY_CRITICAL },     { "verbose", IQ_SEVERITY_DEBUG },  { "information", IQ_SEVERITY_INFO },
	{ "trc", IQ_SEVERITY_TRACE },	       { "dbg", IQ_SEVERITY_DEBUG },	  { "inf", IQ_SEVERITY_INFO },
	{ "wrn", IQ_SEVERITY_WARNING },	       { "ftl", IQ_SEVERITY_CRITICAL },	  { "severe", IQ_SEVERITY_ERROR },
	{ "eror", IQ_SEVERITY_ERROR },	       { "note", IQ_SEVERITY_NOTICE },	  { NULL, 0 },
};

const char *iq_severity_name(enum iq_severity severity)
{
	static const char *const names[] = { NULL, "trace", "debug", "info", "notice", "warning", "error", "critical" };

	return severity <= IQ_SEVERITY_CRITICAL ? names[severity] : NULL;
}

bool iq_severity_parse(struct iq_view name, enum iq_severity *ret_severity)
{
	unsigned value;

	if (!parse_spelling(name, severities, &value))
		return false;
	*ret_severity = (enum iq_severity)value;
	return true;
}
