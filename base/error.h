/* base/error.h - filling struct iq_error.
 *
 *	return iq_error_set(error, IQ_ERR_FORMAT, "%s: not a HAR file", path);
 *
 * `error` may be NULL everywhere. The first error is kept: a later one does not overwrite it.
 */
#ifndef IQ_BASE_ERROR_H
#define IQ_BASE_ERROR_H

#include <inquest/base.h>

/* Stores the formatted message and returns `status`. */
int iq_error_set(struct iq_error *error, enum iq_status status, const char *format, ...) IQ_PRINTF(3, 4);
/* As iq_error_set(), with ": " and the text of `errno` appended. */
int iq_error_errno(struct iq_error *error, enum iq_status status, const char *format, ...) IQ_PRINTF(3, 4);
/* Out of memory; returns IQ_ERR_NOMEM. */
int iq_error_nomem(struct iq_error *error);
/* Back to IQ_ERROR_INIT, for using the object again. */
void iq_error_clear(struct iq_error *error);
/* A short name for a status: "not found". Static. */
const char *iq_status_text(int status);

#endif
