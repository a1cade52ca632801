/* ingest/tls_hello.h - what the two sides of a TLS connection say before it is encrypted: ClientHello and ServerHello (RFC 8446, section 4.1;
 * RFC 5246, section 7.4.1), with the extensions server_name (RFC 6066), ALPN (RFC 7301) and supported_versions. Free of I/O.
 */
#ifndef IQ_INGEST_TLS_HELLO_H
#define IQ_INGEST_TLS_HELLO_H

#include "base/base.h"

/* Of a direction, within which its hello ends. */
#define IQ_TLS_MAX_HELLO (64u << 10)
/* Names of protocols of an offer that are kept. */
#define IQ_TLS_MAX_PROTOCOLS 16u

struct iq_tls_hello {
	bool is_server;
	uint16_t version; /* the highest one offered, or the one chosen: 0x0304 is TLS 1.3 */
	uint16_t cipher;  /* chosen; 0: an offer */
	struct iq_view server_name;
	struct iq_view protocols[IQ_TLS_MAX_PROTOCOLS]; /* offered, or the one chosen where that is not encrypted */
	size_t protocol_count;
};

/* Could a direction that begins with these bytes be TLS? */
bool iq_tls_probe(struct iq_view bytes);
/* Reads the hello that a direction begins with: 1; 0 while it is not complete; IQ_ERR_FORMAT; IQ_ERR_NOMEM. `scratch` is emptied, and has what
 * the views point to. Borrowed until it changes. */
int iq_tls_read_hello(struct iq_view bytes, struct iq_buf *scratch, struct iq_tls_hello *ret);
/* `TLS 1.3`; NULL for a version that is none. Static. */
const char *iq_tls_version_text(uint16_t version);

#endif
