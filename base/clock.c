#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/view.h"

#define TIME_NONE INT64_MIN

static int64_t read_clock(clockid_t id)
{
	struct timespec now;

	if (clock_gettime(id, &now) != 0)
		return TIME_NONE;
	return (int64_t)now.tv_sec * IQ_NS_PER_S + now.tv_nsec;
}

int64_t iq_clock_now(void)
{
	return read_clock(CLOCK_REALTIME);
}

int64_t iq_clock_monotonic(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar (H. Hinnant, "chrono-Compatible Low-Level Date
 * Algorithms"). */
static int64_t days_from_civil(int64_t year, unsigned month, unsigned day)
{
	int64_t era;
	unsigned year_of_era, day_of_year, day_of_era;

	year -= month <= 2;
	era = (year >= 0 ? year : year - 399) / 400;
	year_of_era = (unsigned)(year - era * 400);
	day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
	return era * 146097 + (int64_t)day_of_era - 719468;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Takes exactly `count` digits off the front of `text`. */
static bool take_digits(struct iq_view *text, size_t count, unsigned *ret_value)
{
	unsigned value = 0;

	if (text->len < count)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!is_digit(text->data[i]))
			return false;
		value = value * 10 + (unsigned)(text->data[i] - '0');
	}
	*text = iq_view_from(*text, count);
	*ret_value = value;
	return true;
}

static bool take_char(struct iq_view *text, const char *set)
{
	if (text->len == 0)
		return false;
	while (*set && *set != text->data[0])
		set++;
	if (!*set)
		return false;
	*text = iq_view_from(*text, 1);
	return true;
}

/* The digits at the front of `text` as a fraction of one, in ns. At least one digit. */
static bool take_fraction(struct iq_view *text, int64_t *ret_ns)
{
	int64_t ns = 0, unit = IQ_NS_PER_S;
	size_t i = 0;

	for (; i < text->len && is_digit(text->data[i]); i++) {
		unit /= 10;
		ns += unit * (text->data[i] - '0');
	}
	*text = iq_view_from(*text, i);
	*ret_ns = ns;
	return i > 0;
}

static bool is_date(unsigned year, unsigned month, unsigned day)
{
	static const unsigned lengths[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month >= 1 && month <= 12 && day >= 1 && day <= lengths[month - 1] && (month != 2 || day != 29 || leap);
}

static bool take_date(struct iq_view *text, int64_t *ret_days)
{
	unsigned year, month, day;

	if (!take_digits(text, 4, &year) || !take_char(text, "-") || !take_digits(text, 2, &month) ||
	    !take_char(text, "-") || !take_digits(text, 2, &day))
		return false;
	if (!is_date(year, month, day))
		return false;
	*ret_days = days_from_civil(year, month, day);
	return true;
}

static bool take_time_of_day(struct iq_view *text, int64_t *ret_ns)
{
	unsigned hour, minute, second;
	int64_t fraction = 0;

	if (!take_digits(text, 2, &hour) || !take_char(text, ":") || !take_digits(text, 2, &minute) ||
	    !take_char(text, ":") || !take_digits(text, 2, &second) || hour > 23 || minute > 59 || second > 60)
		return false;
	if (take_char(text, ".,") && !take_fraction(text, &fraction))
		return false;
	*ret_ns = (int64_t)(hour * 3600 + minute * 60 + second) * IQ_NS_PER_S + fraction;
	return true;
}

/* The zone's offset from UTC in ns; nothing at all is UTC. */
static bool take_zone(struct iq_view *text, int64_t *ret_offset)
{
	unsigned hour, minute;
	bool west;

	*ret_offset = 0;
	if (text->len == 0 || take_char(text, "Zz"))
		return true;
	west = text->data[0] == '-';
	if (!take_char(text, "+-") || !take_digits(text, 2, &hour))
		return false;
	(void)take_char(text, ":");
	if (!take_digits(text, 2, &minute) || hour > 23 || minute > 59)
		return false;
	*ret_offset = (int64_t)(hour * 3600 + minute * 60) * IQ_NS_PER_S * (west ? -1 : 1);
	return true;
}

/* False if it does not fit. */
static bool add_days(int64_t days, int64_t ns, int64_t *ret_ns)
{
	int64_t result;

	if (__builtin_mul_overflow(days, 86400 * IQ_NS_PER_S, &result) || __builtin_add_overflow(result, ns, &result) ||
	    result == TIME_NONE)
		return false;
	*ret_ns = result;
	return true;
}

bool iq_time_parse(struct iq_view text, int64_t *ret_ns)
{
	int64_t days, time_of_day, offset;

	if (!take_date(&text, &days) || !take_char(&text, "Tt ") || !take_time_of_day(&text, &time_of_day) ||
	    !take_zone(&text, &offset) || text.len > 0)
		return false;
	return add_days(days, time_of_day - offset, ret_ns);
}

bool iq_time_from_civil(const struct iq_civil *civil, int64_t *ret_ns)
{
	const int64_t second = (int64_t)civil->hour * 3600 + civil->minute * 60 + civil->second - civil->zone;

	if (!is_date(civil->year, civil->month, civil->day) || civil->hour > 23 || civil->minute > 59 ||
	    civil->second > 60 || civil->nanosecond >= IQ_NS_PER_S)
		return false;
	return add_days(days_from_civil(civil->year, civil->month, civil->day),
			second * IQ_NS_PER_S + civil->nanosecond, ret_ns);
}

/* ns in one unit of a number since the epoch, told by the size of its whole part. */
static int64_t epoch_unit(int64_t whole)
{
	if (whole < INT64_C(100000000000))
		return IQ_NS_PER_S;
	if (whole < INT64_C(100000000000000))
		return IQ_NS_PER_MS;
	if (whole < INT64_C(100000000000000000))
		return IQ_NS_PER_US;
	return 1;
}

/* A number in exponent form; doubles hold it well enough. */
static bool parse_epoch_double(struct iq_view number, int64_t *ret_ns)
{
	double value;

	if (!iq_view_to_double(number, &value) || value < 0 || value >= 9.2e18)
		return false;
	value *= (double)epoch_unit((int64_t)value);
	if (value >= 9.2e18)
		return false;
	*ret_ns = (int64_t)value;
	return true;
}

bool iq_time_parse_epoch(struct iq_view number, int64_t *ret_ns)
{
	struct iq_view rest = number;
	int64_t whole, unit, fraction = 0, result;

	while (rest.len > 0 && is_digit(rest.data[0]))
		rest = iq_view_from(rest, 1);
	if (!iq_view_to_int64(iq_view_make(number.data, number.len - rest.len), &whole))
		return parse_epoch_double(number, ret_ns);
	if (take_char(&rest, ".") && !take_fraction(&rest, &fraction))
		return false;
	if (rest.len > 0)
		return parse_epoch_double(number, ret_ns);
	unit = epoch_unit(whole);
	if (__builtin_mul_overflow(whole, unit, &result) ||
	    __builtin_add_overflow(result, fraction / (IQ_NS_PER_S / unit), &result))
		return false;
	*ret_ns = result;
	return true;
}

static const struct {
	const char *name;
	int64_t ns;
} duration_units[] = {
	{ "ns", 1 },
	{ "us", IQ_NS_PER_US },
	{ "ms", IQ_NS_PER_MS },
	{ "s", IQ_NS_PER_S },
	{ "m", 60 * IQ_NS_PER_S },
	{ "h", 3600 * IQ_NS_PER_S },
	{ "d", 86400 * IQ_NS_PER_S },
};

bool iq_duration_parse(struct iq_view text, int64_t *ret_ns)
{
	size_t digits = 0;
	double value;

	while (digits < text.len && (is_digit(text.data[digits]) || text.data[digits] == '.'))
		digits++;
	if (!iq_view_to_double(iq_view_make(text.data, digits), &value))
		return false;
	for (size_t i = 0; i < sizeof(duration_units) / sizeof(duration_units[0]); i++) {
		if (!iq_view_eq(iq_view_from(text, digits), iq_view_cstr(duration_units[i].name)))
			continue;
		if (value >= 9.2e18 / (double)duration_units[i].ns)
			return false;
		*ret_ns = (int64_t)(value * (double)duration_units[i].ns + 0.5); /* 0.1ms is no number of its own */
		return true;
	}
	return false;
}

/* Splits into whole seconds (rounded down) and the ns above them. */
static time_t split_seconds(int64_t ns, int64_t *ret_fraction)
{
	int64_t seconds = ns / IQ_NS_PER_S;

	*ret_fraction = ns % IQ_NS_PER_S;
	if (*ret_fraction < 0) {
		*ret_fraction += IQ_NS_PER_S;
		seconds--;
	}
	return (time_t)seconds;
}

unsigned iq_time_year(int64_t ns)
{
	int64_t fraction;
	time_t seconds = split_seconds(ns, &fraction);
	struct tm parts;

	(void)gmtime_r(&seconds, &parts);
	return (unsigned)(parts.tm_year + 1900);
}

const char *iq_time_format(int64_t ns, char ret_text[IQ_RFC3339_SIZE])
{
	int64_t fraction;
	time_t seconds;
	struct tm parts;

	if (ns == TIME_NONE)
		return strcpy(ret_text, "-");
	seconds = split_seconds(ns, &fraction);
	(void)gmtime_r(&seconds, &parts);
	(void)snprintf(ret_text, IQ_RFC3339_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%09" PRId64 "Z",
		       (unsigned)(parts.tm_year + 1900) % 10000, (unsigned)(parts.tm_mon + 1) % 100,
		       (unsigned)parts.tm_mday % 100, (unsigned)parts.tm_hour % 100, (unsigned)parts.tm_min % 100,
		       (unsigned)parts.tm_sec % 100, fraction);
	return ret_text;
}

const char *iq_time_format_short(int64_t ns, bool utc, char ret_text[IQ_RFC3339_SIZE])
{
	int64_t fraction;
	time_t seconds;
	struct tm parts;

	if (ns == TIME_NONE)
		return strcpy(ret_text, "-");
	seconds = split_seconds(ns, &fraction);
	(void)(utc ? gmtime_r(&seconds, &parts) : localtime_r(&seconds, &parts));
	(void)snprintf(ret_text, IQ_RFC3339_SIZE, "%02u:%02u:%02u.%03u", (unsigned)parts.tm_hour % 100,
		       (unsigned)parts.tm_min % 100, (unsigned)parts.tm_sec % 100,
		       (unsigned)(fraction / IQ_NS_PER_MS) % 1000);
	return ret_text;
}

const char *iq_duration_format(int64_t ns, char ret_text[IQ_RFC3339_SIZE])
{
	int64_t seconds = ns / IQ_NS_PER_S;

	if (ns == TIME_NONE)
		return strcpy(ret_text, "-");
	if (ns > -IQ_NS_PER_S && ns < IQ_NS_PER_S)
		(void)snprintf(ret_text, IQ_RFC3339_SIZE, "%" PRId64 "ms", ns / IQ_NS_PER_MS);
	else if (seconds < 60)
		(void)snprintf(ret_text, IQ_RFC3339_SIZE, "%" PRId64 ".%" PRId64 "s", seconds,
			       ns / (IQ_NS_PER_S / 10) % 10);
	else if (seconds < 3600)
		(void)snprintf(ret_text, IQ_RFC3339_SIZE, "%" PRId64 "m%02" PRId64 "s", seconds / 60, seconds % 60);
	else
		(void)snprintf(ret_text, IQ_RFC3339_SIZE, "%" PRId64 "h%02" PRId64 "m", seconds / 3600,
			       seconds / 60 % 60);
	return ret_text;
}

int64_t iq_time_shift(int64_t ts, int64_t ns)
{
	int64_t shifted;

	return ts == TIME_NONE || __builtin_add_overflow(ts, ns, &shifted) || shifted == TIME_NONE ? ts : shifted;
}

bool iq_duration_parse_signed(struct iq_view text, int64_t *ret_ns)
{
	const bool negative = iq_view_starts_with(text, IQ_LIT("-"));
	const bool has_sign = negative || iq_view_starts_with(text, IQ_LIT("+"));
	int64_t ns;

	if (!iq_duration_parse(iq_view_from(text, has_sign), &ns))
		return false;
	*ret_ns = negative ? -ns : ns;
	return true;
}
