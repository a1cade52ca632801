#include "ingest/times.h"

#include <strings.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define DAY_NS (86400 * IQ_NS_PER_S)

/* What stands in a pattern:
 *	%Y year  %m %d %H %M %S two digits  %e %k day and hour, one digit or two, perhaps after a space
 *	%b month's name  %a weekday's name  %T between date and time  %p AM or PM  %L severity letter  %s number since the epoch
 *	%f fraction, if there is one  %z zone, if there is one  %Z zone by name
 *	a space is one or more  any other character is itself
 * A pattern that has more comes before one that it begins like. */
static const char *const patterns[] = {
	"%Y-%m-%d%T%H:%M:%S%f%z",    /* RFC 3339, ISO 8601, Python, log4j, logback, PostgreSQL */
	"%Y/%m/%d %H:%M:%S%f%z",     /* nginx error log, Go */
	"%Y.%m.%d %H:%M:%S%f%z",     /* ClickHouse */
	"%d/%b/%Y:%H:%M:%S%f%z",     /* Apache and nginx access logs, HAProxy */
	"%d/%b/%Y %H:%M:%S%f%z",     /* Django, Werkzeug */
	"%a %b %e %H:%M:%S%f %Z %Y", /* date */
	"%a %b %e %H:%M:%S%f %Y%z",  /* asctime, Apache error log */
	"%a, %e %b %Y %H:%M:%S%f%z", /* RFC 5322, HTTP */
	"%b %e, %Y %k:%M:%S%f %p%z", /* java.util.logging */
	"%b %e %Y %H:%M:%S%f%z",     /* Cisco */
	"%b %e %H:%M:%S%f",	     /* RFC 3164 */
	"%d-%b-%Y %H:%M:%S%f%z",     /* PHP, Tomcat, BIND */
	"%e %b %Y %H:%M:%S%f%z",     /* Redis */
	"%L%m%d %H:%M:%S%f",	     /* klog, glog */
	"%Y%m%d%T%H%M%S%f%z",	     /* ISO 8601, basic form */
	"%Y%m%d %H:%M:%S%f%z",	     "%s",
};

static const char *const months[] = {
	"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"
};
static const char *const weekdays[] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" };

/* Names of zones that mean one thing only, and those of RFC 5322, in minutes. */
static const struct {
	const char *name;
	int minutes;
} zones[] = {
	{ "UTC", 0 },	 { "GMT", 0 },	  { "CET", 60 },   { "CEST", 120 }, { "EET", 120 },  { "EEST", 180 },
	{ "MSK", 180 },	 { "JST", 540 },  { "EST", -300 }, { "EDT", -240 }, { "CST", -360 }, { "CDT", -300 },
	{ "MST", -420 }, { "MDT", -360 }, { "PST", -480 }, { "PDT", -420 },
};

/* What has been read. */
struct scan {
	struct iq_view rest;
	struct iq_civil civil;
	bool has_year;
	bool has_zone;
	bool has_epoch;
	int64_t epoch;
	enum iq_severity severity;
};

/* ---- Parts ---- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool word_ends(struct iq_view rest, size_t at)
{
	return at >= rest.len || !is_word(rest.data[at]);
}

static bool take_number(struct scan *scan, size_t min, size_t max, unsigned *ret_value)
{
	unsigned value = 0;
	size_t len = 0;

	while (len < max && len < scan->rest.len && is_digit(scan->rest.data[len]))
		value = value * 10 + (unsigned)(scan->rest.data[len++] - '0');
	*ret_value = value;
	scan->rest = iq_view_from(scan->rest, len);
	return len >= min;
}

static void skip_spaces(struct scan *scan)
{
	while (scan->rest.len > 0 && scan->rest.data[0] == ' ')
		scan->rest = iq_view_from(scan->rest, 1);
}

/* The first three letters decide; the rest of a name that is written out is passed. */
static bool take_name(struct scan *scan, const char *const *names, size_t count, unsigned *ret_index)
{
	for (size_t i = 0; i < count && scan->rest.len >= 3; i++) {
		if (strncasecmp(scan->rest.data, names[i], 3) != 0)
			continue;
		*ret_index = (unsigned)i;
		scan->rest = iq_view_from(scan->rest, 3);
		while (scan->rest.len > 0 && scan->rest.data[0] >= 'a' && scan->rest.data[0] <= 'z')
			scan->rest = iq_view_from(scan->rest, 1);
		return true;
	}
	return false;
}

/* Digits behind a point or a comma, or three behind a colon. */
static bool take_fraction(struct scan *scan)
{
	const struct iq_view rest = scan->rest;
	int64_t unit = IQ_NS_PER_S;
	size_t len = 1;

	if (rest.len < 2 || !strchr(".,:", rest.data[0]) || !is_digit(rest.data[1]))
		return true;
	while (len < rest.len && is_digit(rest.data[len])) {
		unit /= 10;
		scan->civil.nanosecond += (uint32_t)(unit * (rest.data[len++] - '0'));
	}
	if (rest.data[0] == ':' && len != 4)
		scan->civil.nanosecond = 0;
	else
		scan->rest = iq_view_from(rest, len);
	return true;
}

static bool take_zone_name(struct scan *scan)
{
	for (size_t i = 0; i < COUNT(zones); i++) {
		const struct iq_view name = iq_view_cstr(zones[i].name);

		if (!iq_view_starts_with(scan->rest, name) || !word_ends(scan->rest, name.len))
			continue;
		scan->civil.zone = zones[i].minutes * 60;
		scan->has_zone = true;
		scan->rest = iq_view_from(scan->rest, name.len);
		return true;
	}
	return false;
}

/* `+01:00`, `+0100`; `+01` only right behind the time. */
static bool take_offset(struct scan *scan, bool spaced)
{
	const bool west = scan->rest.len > 0 && scan->rest.data[0] == '-';
	unsigned hours, minutes = 0;
	bool has_minutes;

	if (scan->rest.len == 0 || (!west && scan->rest.data[0] != '+'))
		return false;
	scan->rest = iq_view_from(scan->rest, 1);
	if (!take_number(scan, 2, 2, &hours))
		return false;
	if (scan->rest.len > 0 && scan->rest.data[0] == ':')
		scan->rest = iq_view_from(scan->rest, 1);
	has_minutes = take_number(scan, 2, 2, &minutes);
	if (hours > 23 || minutes > 59 || (spaced && !has_minutes) || !word_ends(scan->rest, 0))
		return false;
	scan->civil.zone = (int32_t)(hours * 3600 + minutes * 60) * (west ? -1 : 1);
	scan->has_zone = true;
	return true;
}

static bool take_zone(struct scan *scan)
{
	const struct iq_view before = scan->rest;
	const bool spaced = before.len > 0 && before.data[0] == ' ';

	if (spaced)
		scan->rest = iq_view_from(before, 1);
	if (!spaced && before.len > 0 && (before.data[0] | 0x20) == 'z' && word_ends(before, 1)) {
		scan->rest = iq_view_from(before, 1);
		scan->has_zone = true;
	} else if (!take_zone_name(scan) && !take_offset(scan, spaced)) {
		scan->rest = before;
	}
	return true;
}

static bool take_half(struct scan *scan)
{
	const bool has = scan->rest.len >= 2 && (scan->rest.data[1] | 0x20) == 'm' && word_ends(scan->rest, 2);
	const char half = has ? (char)(scan->rest.data[0] | 0x20) : '\0';

	if ((half != 'a' && half != 'p') || scan->civil.hour < 1 || scan->civil.hour > 12)
		return false;
	scan->civil.hour = scan->civil.hour % 12 + (half == 'p' ? 12 : 0);
	scan->rest = iq_view_from(scan->rest, 2);
	return true;
}

static bool take_severity(struct scan *scan)
{
	static const char letters[] = "IWEF";
	static const enum iq_severity severities[] = { IQ_SEVERITY_INFO, IQ_SEVERITY_WARNING, IQ_SEVERITY_ERROR,
						       IQ_SEVERITY_CRITICAL };
	const char *letter = scan->rest.len > 0 && scan->rest.data[0] ? strchr(letters, scan->rest.data[0]) : NULL;

	if (!letter)
		return false;
	scan->severity = severities[letter - letters];
	scan->rest = iq_view_from(scan->rest, 1);
	return true;
}

/* Of this century: at least ten digits of seconds, which a count or an id rarely has at the beginning of a line. */
static bool take_epoch(struct scan *scan)
{
	const struct iq_view rest = scan->rest;
	size_t len = 0;

	while (len < rest.len && is_digit(rest.data[len]))
		len++;
	/* `SET timestamp=1795490879;` is a statement. */
	if ((len != 10 && len != 13 && len != 16 && len != 19) || (len < rest.len && rest.data[len] == ';'))
		return false;
	if (len + 1 < rest.len && rest.data[len] == '.' && is_digit(rest.data[len + 1]))
		for (len++; len < rest.len && is_digit(rest.data[len]);)
			len++;
	scan->has_epoch = scan->has_year = scan->has_zone = true;
	scan->rest = iq_view_from(rest, len);
	return iq_time_parse_epoch(iq_view_make(rest.data, len), &scan->epoch);
}

static bool take_part(struct scan *scan, char part)
{
	struct iq_civil *civil = &scan->civil;
	unsigned ignored;
	bool taken;

	switch (part) {
	case 'Y':
		scan->has_year = true;
		return take_number(scan, 4, 4, &civil->year);
	case 'm':
		return take_number(scan, 2, 2, &civil->month);
	case 'b':
		taken = take_name(scan, months, COUNT(months), &civil->month);
		civil->month++;
		return taken;
	case 'a':
		return take_name(scan, weekdays, COUNT(weekdays), &ignored);
	case 'd':
		return take_number(scan, 2, 2, &civil->day);
	case 'e':
		skip_spaces(scan);
		return take_number(scan, 1, 2, &civil->day);
	case 'H':
		return take_number(scan, 2, 2, &civil->hour);
	case 'k':
		skip_spaces(scan);
		return take_number(scan, 1, 2, &civil->hour);
	case 'M':
		return take_number(scan, 2, 2, &civil->minute);
	case 'S':
		return take_number(scan, 2, 2, &civil->second);
	case 'T':
		taken = scan->rest.len > 0 && scan->rest.data[0] && strchr("Tt _", scan->rest.data[0]);
		scan->rest = iq_view_from(scan->rest, 1);
		return taken;
	case 'f':
		return take_fraction(scan);
	case 'z':
		return take_zone(scan);
	case 'Z':
		return take_zone_name(scan);
	case 'p':
		return take_half(scan);
	case 'L':
		return take_severity(scan);
	default:
		return take_epoch(scan);
	}
}

static bool take_pattern(struct scan *scan, const char *pattern)
{
	for (; *pattern; pattern++) {
		if (*pattern == '%') {
			if (!take_part(scan, *++pattern))
				return false;
			continue;
		}
		if (scan->rest.len == 0 || scan->rest.data[0] != *pattern)
			return false;
		scan->rest = iq_view_from(scan->rest, 1);
		if (*pattern == ' ')
			skip_spaces(scan);
	}
	return word_ends(scan->rest, 0);
}

/* ---- What is not said ---- */

/* The newest year in which the time is not too late; a leap day may need to go back further. */
static bool choose_year(struct iq_civil *civil, int64_t newest, int64_t *ret_ns)
{
	const int64_t limit = newest > INT64_MAX - DAY_NS ? INT64_MAX : newest + DAY_NS;

	for (unsigned back = 0, year = iq_time_year(limit); back <= 8 && back < year; back++) {
		civil->year = year - back;
		if (iq_time_from_civil(civil, ret_ns) && *ret_ns <= limit)
			return true;
	}
	return false;
}

static bool complete(struct scan *scan, const struct iq_parser_options *options, int64_t *ret_ns)
{
	struct iq_parser_notes *notes = options->notes;

	if (scan->has_epoch) {
		*ret_ns = scan->epoch;
		return true;
	}
	if (!scan->has_zone)
		scan->civil.zone = options->zone;
	if (!(scan->has_year ? iq_time_from_civil(&scan->civil, ret_ns)
			     : choose_year(&scan->civil, options->newest, ret_ns)))
		return false;
	if (notes) {
		notes->without_zone += !scan->has_zone;
		notes->without_year += !scan->has_year;
	}
	return true;
}

/* ---- The door ---- */

bool iq_time_read(struct iq_view text, const struct iq_parser_options *options, struct iq_time *ret_time)
{
	for (size_t i = 0; i < COUNT(patterns); i++) {
		struct scan scan = { .rest = text };

		if (!take_pattern(&scan, patterns[i]) || !complete(&scan, options, &ret_time->ns))
			continue;
		ret_time->at = 0;
		ret_time->len = text.len - scan.rest.len;
		ret_time->severity = scan.severity;
		return true;
	}
	return false;
}

static bool may_precede(char c)
{
	return c == ' ' || c == '\t' || c == '[' || c == '(' || c == '<' || c == '"' || c == '\'' || c == '=' ||
	       c == '|';
}

bool iq_time_find(struct iq_view text, const struct iq_parser_options *options, struct iq_time *ret_time)
{
	for (size_t at = 0; at < text.len && at < IQ_TIME_REACH; at++) {
		if ((at > 0 && !may_precede(text.data[at - 1])) || !is_word(text.data[at]))
			continue;
		if (iq_time_read(iq_view_from(text, at), options, ret_time)) {
			ret_time->at = at;
			return true;
		}
	}
	return false;
}

bool iq_zone_parse(struct iq_view text, int32_t *ret_seconds)
{
	struct scan scan = { .rest = text };

	(void)take_zone(&scan);
	if (!scan.has_zone || scan.rest.len > 0)
		return false;
	*ret_seconds = scan.civil.zone;
	return true;
}
