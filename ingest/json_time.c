#include "ingest/json_time.h"

#include "ingest/members.h"
#include "ingest/times.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* The best comes first. */
static const struct iq_view time_names[] = {
	{ "ts", 2 },	      { "time", 4 },	      { "timestamp", 9 },   { "@timestamp", 10 }, { "t", 1 },
	{ "@t", 2 },	      { "datetime", 8 },      { "date", 4 },	    { "asctime", 7 },	  { "eventTime", 9 },
	{ "instant", 7 },     { "Timestamp", 9 },     { "Time", 4 },	    { "timeMillis", 10 }, { "created", 7 },
	{ "created_at", 10 }, { "time_iso8601", 12 }, { "time_local", 10 }, { "msec", 4 },	  { "EventTime", 9 },
};

/* Seconds and nanoseconds, as log4j and Google's agents write them. */
static bool read_parts(struct iq_view object, int64_t *ret_ts)
{
	static const struct iq_view names[][2] = { { { "epochSecond", 11 }, { "nanoOfSecond", 12 } },
						   { { "seconds", 7 }, { "nanos", 5 } } };
	int64_t seconds, nanos;

	for (size_t i = 0; i < COUNT(names) && object.len > 0 && object.data[0] == '{'; i++)
		if (iq_view_to_int64(iq_member_find(object, names[i][0]), &seconds) &&
		    iq_view_to_int64(iq_member_find(object, names[i][1]), &nanos) && seconds > 0 &&
		    seconds < INT64_MAX / IQ_NS_PER_S && nanos >= 0 && nanos < IQ_NS_PER_S) {
			*ret_ts = seconds * IQ_NS_PER_S + nanos;
			return true;
		}
	return false;
}

static bool read_value(const struct iq_member *member, const struct iq_parser_options *options, struct iq_buf *scratch,
		       int64_t *ret_ts)
{
	struct iq_json_value nested;
	struct iq_time time;

	if (iq_member_time(member, scratch, ret_ts))
		return true;
	if (member->value.type == IQ_JSON_STRING && iq_time_read(iq_member_text(member, scratch), options, &time)) {
		*ret_ts = time.ns;
		return true;
	}
	if (read_parts(member->raw, ret_ts))
		return true;
	/* MongoDB */
	nested = iq_json_pointer(member->raw, IQ_LIT("/$date"), scratch);
	return nested.type == IQ_JSON_STRING && iq_time_parse(nested.text, ret_ts);
}

/* Any other name of a time: `requestReceivedTimestamp`, `start_time`, `finishedAt`. Only what is written as one is. */
#define RANK_OTHER COUNT(time_names)
#define RANK_NONE (COUNT(time_names) + 1)

static bool sounds_like_time(const struct iq_member *member)
{
	static const struct iq_view endings[] = { { "ime", 3 }, { "imestamp", 8 }, { "_ts", 3 },
						  { "_at", 3 }, { "At", 2 },	   { "ate", 3 } };
	const struct iq_view name = member->name;

	/* A mere number may be how long it took. */
	if (member->value.type != IQ_JSON_STRING || iq_view_find(member->value.raw, IQ_LIT(":")) == SIZE_MAX)
		return false;
	for (size_t i = 0; i < COUNT(endings); i++)
		if (name.len >= endings[i].len && iq_view_eq(iq_view_from(name, name.len - endings[i].len), endings[i]))
			return true;
	return false;
}

static size_t rank_of(const struct iq_member *member)
{
	size_t rank = 0;

	while (rank < COUNT(time_names) && !iq_view_eq(time_names[rank], member->name))
		rank++;
	return rank < COUNT(time_names) ? rank : sounds_like_time(member) ? RANK_OTHER : RANK_NONE;
}

bool iq_json_time(struct iq_view text, bool cut, const struct iq_parser_options *options, struct iq_buf *scratch,
		  int64_t *ret_ts)
{
	size_t best = RANK_NONE;
	struct iq_members members;
	struct iq_member member;
	int64_t ts;
	int rc;

	if (!iq_members_open(&members, text, cut))
		return false;
	while ((rc = iq_members_next(&members, &member)) > 0) {
		const size_t rank = rank_of(&member);

		if (rank < best && read_value(&member, options, scratch, &ts)) {
			*ret_ts = ts;
			best = rank;
		}
	}
	return rc == 0;
}

bool iq_text_time(struct iq_view text, const struct iq_parser_options *options, struct iq_buf *scratch,
		  struct iq_time *ret_time)
{
	*ret_time = (struct iq_time){ .ns = IQ_TIME_NONE, .severity = IQ_SEVERITY_NONE };
	if (text.len == 0 || text.data[0] != '{')
		return iq_time_find(text, options, ret_time);
	return iq_json_time(text, false, options, scratch, &ret_time->ns) && ret_time->ns != IQ_TIME_NONE;
}
