/* base/clock.h - times: int64 nanoseconds since the epoch, UTC; IQ_TIME_NONE (INT64_MIN) for unknown.
 */
#ifndef IQ_BASE_CLOCK_H
#define IQ_BASE_CLOCK_H

#include <inquest/base.h>

#define IQ_NS_PER_US INT64_C(1000)
#define IQ_NS_PER_MS INT64_C(1000000)
#define IQ_NS_PER_S INT64_C(1000000000)

/* Room for "2026-11-23T03:07:12.418000000Z" and the NUL. */
#define IQ_RFC3339_SIZE 40

/* Wall clock now. */
int64_t iq_clock_now(void);
/* A clock for durations that never jumps, ns. */
int64_t iq_clock_monotonic(void);

/* RFC 3339 (section 5.6), leniently: `T`, `t` or a space between date and time, fraction of any length (digits past the
 * ninth are dropped), `Z`, `z`, `+hh:mm`, `+hhmm`, or no zone at all, which means UTC. The whole view must match.
 * False for anything else and for what does not fit int64 ns (years 1678 to 2261). */
bool iq_time_parse(struct iq_view text, int64_t *ret_ns);
/* A number since the epoch, its unit told by magnitude: seconds below 1e11, milliseconds below 1e14, microseconds
 * below 1e17, else nanoseconds. False for negative and non-finite numbers. Decimal text is taken exactly. */
bool iq_time_parse_epoch(struct iq_view number, int64_t *ret_ns);
/* The time so many ns later; IQ_TIME_NONE stays, and so does a time that would leave int64. */
int64_t iq_time_shift(int64_t ts, int64_t ns);
/* `+120ms`, `-2s`, `120ms`; false otherwise. */
bool iq_duration_parse_signed(struct iq_view text, int64_t *ret_ns);
/* `2h`, `30m`, `10s`, `500ms`, `1.5s`, `200us`, `7d`; false otherwise. */
bool iq_duration_parse(struct iq_view text, int64_t *ret_ns);

/* A date and a time of day, as they are written. */
struct iq_civil {
	unsigned year;
	unsigned month; /* from 1 */
	unsigned day;
	unsigned hour;
	unsigned minute;
	unsigned second; /* 60: a leap second, the same as the second after it */
	uint32_t nanosecond;
	int32_t zone; /* seconds east of UTC */
};
/* False for dates and times that are none and for what does not fit int64 ns. */
bool iq_time_from_civil(const struct iq_civil *civil, int64_t *ret_ns);
/* The year in UTC. */
unsigned iq_time_year(int64_t ns);

/* RFC 3339 in UTC with nine digits of fraction; "-" for IQ_TIME_NONE. Returns `ret_text`. */
const char *iq_time_format(int64_t ns, char ret_text[IQ_RFC3339_SIZE]);
/* Time of day with milliseconds, `03:07:12.418`, in local time or UTC; "-" for IQ_TIME_NONE. */
const char *iq_time_format_short(int64_t ns, bool utc, char ret_text[IQ_RFC3339_SIZE]);
/* A duration for people: `310ms`, `12.4s`, `3m12s`, `2h05m`. */
const char *iq_duration_format(int64_t ns, char ret_text[IQ_RFC3339_SIZE]);

#endif
