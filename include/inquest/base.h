/* inquest/base.h - status codes, errors and views shared by every public header.
 *
 * Conventions of the whole interface:
 *  - A function returns 0 or a negative `enum iq_status`; iterators return 1 for an item, 0 at the end.
 *  - A function that can fail takes an optional last `struct iq_error *`; the first error is kept.
 *  - Outputs are named `ret_x` and are left untouched on failure.
 *  - Ownership is said in one of three sentences: "Caller owns; release with X.", "Borrowed until Y.",
 *    "Takes ownership on success."
 *  - The library never prints, never exits and keeps no globals. An object belongs to one thread at a time.
 */
#ifndef INQUEST_BASE_H
#define INQUEST_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define IQ_API __attribute__((visibility("default")))
#define IQ_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define IQ_API
#define IQ_PRINTF(fmt, args)
#endif

/* Failure reasons. Functions return them directly (they are negative). */
enum iq_status {
	IQ_OK = 0,
	IQ_ERR_NOMEM = -1,	 /* out of memory */
	IQ_ERR_IO = -2,		 /* the operating system said no (errno is in the message) */
	IQ_ERR_NOT_FOUND = -3,	 /* no such file, store, session, event */
	IQ_ERR_USAGE = -4,	 /* the caller asked for something that cannot be */
	IQ_ERR_SPEC = -5,	 /* a lifecycle specification does not hold together */
	IQ_ERR_FORMAT = -6,	 /* bytes that are not what they claim to be */
	IQ_ERR_CORRUPT = -7,	 /* a hash, size or schema of a segment does not match */
	IQ_ERR_VERSION = -8,	 /* written by a newer version */
	IQ_ERR_LIMIT = -9,	 /* a named limit was reached */
	IQ_ERR_BUSY = -10,	 /* another writer holds the store */
	IQ_ERR_NETWORK = -11,	 /* name, connection, handshake or transport */
	IQ_ERR_INTERRUPTED = -12 /* the caller asked to stop */
};

/* What went wrong, in one line meant for a person. `line`, `column` (from 1) and `offset` (bytes from 0)
 * are set where they mean something; 0 and -1 stand for "not known". Plain data, needs no release. */
struct iq_error {
	enum iq_status status;
	uint32_t line;
	uint32_t column;
	int64_t offset;
	char message[512];
};

#define IQ_ERROR_INIT \
	{ \
		.status = IQ_OK, .line = 0, .column = 0, .offset = -1, .message = "" \
	}

/* Bytes somebody else owns: never assumed to end in NUL, passed by value. `data` is NULL for "no value"
 * (SQL NULL), which is different from an empty string. */
struct iq_view {
	const char *data;
	size_t len;
};

#define IQ_VIEW_NULL ((struct iq_view){ NULL, 0 })

#endif
