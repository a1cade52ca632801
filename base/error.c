#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool take(struct iq_error *error, enum iq_status status)
{
	if (!error || error->status != IQ_OK)
		return false;
	error->status = status;
	return true;
}

int iq_error_set(struct iq_error *error, enum iq_status status, const char *format, ...)
{
	va_list args;

	if (take(error, status)) {
		va_start(args, format);
		(void)vsnprintf(error->message, sizeof(error->message), format, args);
		va_end(args);
	}
	return status;
}

int iq_error_errno(struct iq_error *error, enum iq_status status, const char *format, ...)
{
	int code = errno;
	size_t used;
	va_list args;

	if (take(error, status)) {
		va_start(args, format);
		(void)vsnprintf(error->message, sizeof(error->message), format, args);
		va_end(args);
		used = strlen(error->message);
		(void)snprintf(error->message + used, sizeof(error->message) - used, ": %s", strerror(code));
	}
	return status;
}

int iq_error_nomem(struct iq_error *error)
{
	return iq_error_set(error, IQ_ERR_NOMEM, "out of memory");
}

void iq_error_clear(struct iq_error *error)
{
	if (error)
		*error = (struct iq_error)IQ_ERROR_INIT;
}

const char *iq_status_text(int status)
{
	static const char *const texts[] = {
		"ok",
		"out of memory",
		"input/output error",
		"not found",
		"wrong usage",
		"bad specification",
		"not in the expected format",
		"corrupt",
		"newer version",
		"limit reached",
		"busy",
		"network error",
		"interrupted",
	};
	size_t index = status <= 0 ? (size_t)-status : 0;

	return index < sizeof(texts) / sizeof(texts[0]) ? texts[index] : "unknown error";
}
