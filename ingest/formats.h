/* ingest/formats.h - one constant for each format_x.c, for the registry in format.c.
 */
#ifndef IQ_INGEST_FORMATS_H
#define IQ_INGEST_FORMATS_H

#include "ingest/ingest.h"

#define IQ_FORMAT_DECLARE(symbol, name) extern const struct iq_format iq_format_##symbol;
IQ_FORMATS(IQ_FORMAT_DECLARE)
#undef IQ_FORMAT_DECLARE

#endif
