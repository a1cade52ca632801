/* ingest/formats.h - one constant for each format_x.c, for the registry in format.c. */
#ifndef IQ_INGEST_FORMATS_H
#define IQ_INGEST_FORMATS_H

#include "ingest/ingest.h"

extern const struct iq_format iq_format_cri;
extern const struct iq_format iq_format_docker_json;
extern const struct iq_format iq_format_har;
extern const struct iq_format iq_format_ndjson;

#endif
