#include "ingest/journal.h"

#define MAX_NAME 64
#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const struct iq_view source_fields[IQ_JOURNAL_SOURCES] = {
	{ "CONTAINER_NAME", 14 }, { "_SYSTEMD_UNIT", 13 }, { "SYSLOG_IDENTIFIER", 17 },
	{ "_COMM", 5 },		  { "_TRANSPORT", 10 },
};

void iq_journal_begin(struct iq_journal_entry *entry, struct iq_record *record, struct iq_buf *attrs)
{
	*entry = (struct iq_journal_entry){ .record = record, .attrs = attrs, .received = IQ_TIME_NONE };
}

/* ---- Fields: each setter returns false where the field is to be kept among the attrs as well ---- */

static bool set_message(struct iq_journal_entry *entry, struct iq_view value)
{
	entry->record->event.body = value.len > 0 ? value : IQ_LIT("");
	entry->has_message = true;
	return true;
}

static bool read_us(struct iq_view value, int64_t *ret_ns)
{
	int64_t us;

	if (!iq_view_to_int64(value, &us) || us < 0 || us > INT64_MAX / 1000)
		return false;
	*ret_ns = us * 1000;
	return true;
}

static bool set_ts(struct iq_journal_entry *entry, struct iq_view value)
{
	return read_us(value, &entry->record->event.ts);
}

static bool set_received(struct iq_journal_entry *entry, struct iq_view value)
{
	return read_us(value, &entry->received);
}

/* Levels of syslog (RFC 5424, section 6.2.1). */
static bool set_priority(struct iq_journal_entry *entry, struct iq_view value)
{
	static const enum iq_severity of_level[] = {
		IQ_SEVERITY_CRITICAL, IQ_SEVERITY_CRITICAL, IQ_SEVERITY_CRITICAL, IQ_SEVERITY_ERROR,
		IQ_SEVERITY_WARNING,  IQ_SEVERITY_NOTICE,   IQ_SEVERITY_INFO,	  IQ_SEVERITY_DEBUG,
	};

	if (value.len != 1 || value.data[0] < '0' || value.data[0] > '7')
		return false;
	entry->record->event.severity = of_level[value.data[0] - '0'];
	return true;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool iq_journal_cursor_seqnum(struct iq_view cursor, uint64_t *ret_seqnum)
{
	const char *place = memmem(cursor.data, cursor.len, ";i=", 3);
	uint64_t seqnum = 0;
	size_t digits = 0;

	if (!place)
		return false;
	for (const char *c = place + 3; c < cursor.data + cursor.len && *c != ';'; c++, digits++) {
		const int digit = hex_digit(*c);

		if (digit < 0 || digits == 16)
			return false;
		seqnum = seqnum << 4 | (uint64_t)digit;
	}
	*ret_seqnum = seqnum;
	return digits > 0;
}

/* What __SEQNUM says, which older versions do not write, comes after it. */
static bool set_cursor(struct iq_journal_entry *entry, struct iq_view value)
{
	uint64_t seqnum;

	if (iq_journal_cursor_seqnum(value, &seqnum) && seqnum <= INT64_MAX &&
	    entry->record->event.seq == IQ_NUMBER_NONE)
		entry->record->event.seq = (int64_t)seqnum;
	return false;
}

static bool set_seq(struct iq_journal_entry *entry, struct iq_view value)
{
	return iq_view_to_int64(value, &entry->record->event.seq);
}

static bool set_partial(struct iq_journal_entry *entry, struct iq_view value)
{
	entry->record->unfinished = iq_view_eq(value, IQ_LIT("true"));
	return entry->record->unfinished;
}

static bool set_stream(struct iq_journal_entry *entry, struct iq_view value)
{
	entry->record->stream = value;
	return false;
}

static const struct {
	struct iq_view name;
	bool (*set)(struct iq_journal_entry *entry, struct iq_view value);
} setters[] = {
	{ { "MESSAGE", 7 }, set_message },
	{ { "_SOURCE_REALTIME_TIMESTAMP", 26 }, set_ts },
	{ { "__REALTIME_TIMESTAMP", 20 }, set_received },
	{ { "PRIORITY", 8 }, set_priority },
	{ { "__SEQNUM", 8 }, set_seq },
	{ { "__CURSOR", 8 }, set_cursor },
	{ { "CONTAINER_PARTIAL_MESSAGE", 25 }, set_partial },
	{ { "CONTAINER_ID_FULL", 17 }, set_stream },
};

void iq_journal_field(struct iq_journal_entry *entry, struct iq_view name, struct iq_view value)
{
	for (size_t i = 0; i < IQ_JOURNAL_SOURCES; i++)
		if (iq_view_eq(name, source_fields[i]))
			entry->sources[i] = value;
	for (size_t i = 0; i < COUNT(setters); i++)
		if (iq_view_eq(name, setters[i].name) && setters[i].set(entry, value))
			return;
	iq_attrs_text(entry->attrs, name, value);
}

const char *iq_journal_end(struct iq_journal_entry *entry)
{
	struct iq_event *event = &entry->record->event;

	if (entry->received == IQ_TIME_NONE)
		return "no __REALTIME_TIMESTAMP: not an entry of a journal";
	event->observed = entry->received;
	if (event->ts == IQ_TIME_NONE)
		event->ts = entry->received;
	for (size_t i = IQ_JOURNAL_SOURCES; i-- > 0;)
		if (entry->sources[i].len > 0)
			event->source = entry->sources[i];
	if (!entry->has_message)
		event->body = IQ_VIEW_NULL;
	return NULL;
}

bool iq_journal_name_valid(struct iq_view name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.data[i];

		if (!((c >= 'A' && c <= 'Z') || c == '_' || (c >= '0' && c <= '9' && i > 0)))
			return false;
	}
	return name.len > 0 && name.len <= MAX_NAME;
}
