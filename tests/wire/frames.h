/* Frames for tests, also such as must not be. */
#ifndef IQ_TESTS_FRAMES_H
#define IQ_TESTS_FRAMES_H

#include "wire/wire.h"

/* Appends a frame whose first byte is `first`. */
void frames_append(struct iq_buf *buf, uint8_t first, struct iq_view payload, const uint8_t *mask);
/* Appends `count` frames at random, most of them such as are allowed. */
void frames_append_random(struct iq_buf *buf, bool from_server, bool compress, size_t count);
/* Deflates as a sender does, without the last four bytes. */
void frames_deflate(struct iq_view plain, int bits, struct iq_buf *buf);

#endif
