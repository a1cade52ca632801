/* wire/wire.h - the door of wire/: WebSocket frames, HTTP, URLs, whole conversations of both as a witness hears them, and a WebSocket client on
 * an event loop. Codecs are free of I/O: bytes in, frames out, fed whole, byte by byte or split anywhere with the same result.
 * Depends on base/.
 */
#ifndef IQ_WIRE_WIRE_H
#define IQ_WIRE_WIRE_H

#include "wire/conversation.h"
#include "wire/http.h"
#include "wire/link.h"
#include "wire/listen.h"
#include "wire/url.h"
#include "wire/ws_client.h"
#include "wire/ws_frame.h"

#endif
