/* inquest/inquest.h - the whole public interface. */
#ifndef INQUEST_INQUEST_H
#define INQUEST_INQUEST_H

#include <inquest/base.h>
#include <inquest/event.h>
#include <inquest/sql.h>
#include <inquest/store.h>

/* "0.1.0". Static. */
IQ_API const char *iq_version(void);

#endif
