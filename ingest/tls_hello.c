#include "ingest/tls_hello.h"

#include "ingest/bytes.h"

#define RECORD_HEADER 5u
#define RECORD_MAX (16384u + 2048u)
#define RECORD_HANDSHAKE 22
#define MESSAGE_HEADER 4u
#define CLIENT_HELLO 1
#define SERVER_HELLO 2
#define RANDOM_SIZE 32u

enum { EXTENSION_SERVER_NAME = 0, EXTENSION_PROTOCOLS = 16, EXTENSION_VERSIONS = 43 };

/* ---- Taking from the front: false where it is not there ---- */

static bool take_bytes(struct iq_view *from, size_t len, struct iq_view *ret)
{
	if (from->len < len)
		return false;
	*ret = iq_view_make(from->data, len);
	*from = iq_view_from(*from, len);
	return true;
}

static bool take_number(struct iq_view *from, size_t size, size_t *ret)
{
	struct iq_view bytes;

	*ret = 0;
	if (!take_bytes(from, size, &bytes))
		return false;
	for (size_t i = 0; i < size; i++)
		*ret = *ret << 8 | (uint8_t)bytes.data[i];
	return true;
}

/* Bytes behind their length, which has `size` bytes. */
static bool take_vector(struct iq_view *from, size_t size, struct iq_view *ret)
{
	size_t len;

	return take_number(from, size, &len) && take_bytes(from, len, ret);
}

/* ---- Extensions ---- */

/* What GREASE (RFC 8701) puts among the versions is none. */
static bool is_version(size_t version)
{
	return version >= 0x0300 && version <= 0x0304;
}

static void read_server_name(struct iq_view data, struct iq_tls_hello *hello)
{
	struct iq_view list, name;
	size_t type;

	if (!take_vector(&data, 2, &list))
		return;
	while (take_number(&list, 1, &type) && take_vector(&list, 2, &name))
		if (type == 0 && !hello->server_name.data)
			hello->server_name = name;
}

static void read_protocols(struct iq_view data, struct iq_tls_hello *hello)
{
	struct iq_view list, name;

	if (!take_vector(&data, 2, &list))
		return;
	while (hello->protocol_count < IQ_TLS_MAX_PROTOCOLS && take_vector(&list, 1, &name))
		hello->protocols[hello->protocol_count++] = name;
}

static void read_versions(struct iq_view data, struct iq_tls_hello *hello)
{
	struct iq_view list = data;
	size_t version, best = 0;

	/* A server names the one, a client a list. */
	if (!hello->is_server && !take_vector(&data, 1, &list))
		return;
	while (take_number(&list, 2, &version))
		if (is_version(version) && version > best)
			best = version;
	if (best > 0)
		hello->version = (uint16_t)best;
}

static void read_extensions(struct iq_view list, struct iq_tls_hello *hello)
{
	static const struct {
		size_t type;
		void (*read)(struct iq_view data, struct iq_tls_hello *hello);
	} extensions[] = {
		{ EXTENSION_SERVER_NAME, read_server_name },
		{ EXTENSION_PROTOCOLS, read_protocols },
		{ EXTENSION_VERSIONS, read_versions },
	};
	struct iq_view data;
	size_t type;

	while (take_number(&list, 2, &type) && take_vector(&list, 2, &data))
		for (size_t i = 0; i < sizeof(extensions) / sizeof(extensions[0]); i++)
			if (extensions[i].type == type)
				extensions[i].read(data, hello);
}

/* ---- The message ---- */

static bool read_choice(struct iq_view *body, struct iq_tls_hello *hello)
{
	size_t cipher, compression;

	if (!take_number(body, 2, &cipher) || !take_number(body, 1, &compression))
		return false;
	hello->cipher = (uint16_t)cipher;
	return true;
}

static bool read_offer(struct iq_view *body)
{
	struct iq_view ciphers, compressions;

	return take_vector(body, 2, &ciphers) && take_vector(body, 1, &compressions);
}

static bool read_body(struct iq_view body, struct iq_tls_hello *hello)
{
	struct iq_view random, session, extensions;
	size_t version;

	if (!take_number(&body, 2, &version) || !is_version(version) || !take_bytes(&body, RANDOM_SIZE, &random) ||
	    !take_vector(&body, 1, &session))
		return false;
	hello->version = (uint16_t)version;
	if (hello->is_server ? !read_choice(&body, hello) : !read_offer(&body))
		return false;
	/* The oldest have no extensions. */
	if (take_vector(&body, 2, &extensions))
		read_extensions(extensions, hello);
	return true;
}

/* ---- Records ---- */

static bool is_record(struct iq_view bytes)
{
	return (uint8_t)bytes.data[0] == RECORD_HANDSHAKE && (uint8_t)bytes.data[1] == 3 &&
	       (uint8_t)bytes.data[2] <= 4 && iq_be16(bytes.data + 3) > 0 && iq_be16(bytes.data + 3) <= RECORD_MAX;
}

bool iq_tls_probe(struct iq_view bytes)
{
	return bytes.len > RECORD_HEADER && is_record(bytes) &&
	       ((uint8_t)bytes.data[RECORD_HEADER] == CLIENT_HELLO ||
		(uint8_t)bytes.data[RECORD_HEADER] == SERVER_HELLO);
}

/* What the records at the front have in them of handshakes: complete when 1. */
static int gather(struct iq_view bytes, struct iq_buf *scratch)
{
	while (bytes.len >= RECORD_HEADER) {
		const size_t size = iq_be16(bytes.data + 3);
		const struct iq_view part = iq_view_from(bytes, RECORD_HEADER);

		if (!is_record(bytes))
			return IQ_ERR_FORMAT;
		if (iq_buf_append(scratch, iq_view_make(part.data, part.len < size ? part.len : size)) < 0)
			return IQ_ERR_NOMEM;
		if (scratch->len >= MESSAGE_HEADER &&
		    scratch->len - MESSAGE_HEADER >= (iq_be32(scratch->data) & 0xffffff))
			return 1;
		if (part.len < size)
			return 0;
		bytes = iq_view_from(part, size);
	}
	return 0;
}

int iq_tls_read_hello(struct iq_view bytes, struct iq_buf *scratch, struct iq_tls_hello *ret)
{
	struct iq_view body;
	int rc;

	memset(ret, 0, sizeof(*ret));
	iq_buf_clear(scratch);
	rc = gather(bytes, scratch);
	if (rc <= 0)
		return rc;
	if (scratch->data[0] != CLIENT_HELLO && scratch->data[0] != SERVER_HELLO)
		return IQ_ERR_FORMAT;
	ret->is_server = scratch->data[0] == SERVER_HELLO;
	body = iq_view_make(scratch->data + MESSAGE_HEADER, iq_be32(scratch->data) & 0xffffff);
	return read_body(body, ret) ? 1 : IQ_ERR_FORMAT;
}

const char *iq_tls_version_text(uint16_t version)
{
	static const char *const texts[] = { "SSL 3.0", "TLS 1.0", "TLS 1.1", "TLS 1.2", "TLS 1.3" };

	return is_version(version) ? texts[version - 0x0300] : NULL;
}
