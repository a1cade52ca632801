/* ingest/engine_io.h - Engine.IO's long polling (docs of socket.io: engine.io-protocol, revisions 3 and 4): what a WebSocket would carry as
 * frames, as bodies of HTTP requests and responses. Free of I/O; views point into the body.
 *
 *	4	packets with 0x1E between them; `b` and base64 for bytes
 *	3	LENGTH:PACKET..., the length in UTF-16 units; `b4` and base64 for bytes. Or bytes: 0 or 1 (text or bytes), the length in decimal
 *		digits of a byte each, 255, the packet
 */
#ifndef IQ_INGEST_ENGINE_IO_H
#define IQ_INGEST_ENGINE_IO_H

#include "base/base.h"

/* What a URL says. */
struct iq_engine_io {
	unsigned revision; /* 0: it is none of Engine.IO */
	bool is_polling;
	struct iq_view sid; /* of the session; NULL: it begins */
};
struct iq_engine_io iq_engine_io_of(struct iq_view url);

struct iq_engine_packet {
	struct iq_view text;
	bool is_binary;
	bool is_base64; /* `text` is that, without what marks it; in revision 3 a WebSocket has a byte 4 before what it is */
};
/* The next packet is taken off `body`. 1; 0: there are no more; IQ_ERR_FORMAT: this is no payload. */
int iq_engine_io_next(struct iq_view *body, unsigned revision, struct iq_engine_packet *ret_packet);
/* Is the body nothing but packets, and at least one? */
bool iq_engine_io_is_payload(struct iq_view body, unsigned revision);
/* The id of the session that a payload opens, as it stands in its JSON; the NULL view if it opens none. */
struct iq_view iq_engine_io_opened(struct iq_view body, unsigned revision);

#endif
