/* tests/fuzz/fuzz_parser.h - what every evidence parser has to hold for any bytes at all.
 */
#ifndef IQ_TESTS_FUZZ_PARSER_H
#define IQ_TESTS_FUZZ_PARSER_H

#include "ingest/ingest.h"

/* Aborts unless feeding the bytes whole and in pieces gives the same, each byte lies in the range of an event or gap,
 * no range leaves the input, and attrs are valid JSON. The first byte chooses the size of the pieces and the line
 * limit. */
int fuzz_parser(const struct iq_format *format, const uint8_t *data, size_t size);

#endif
