#include <stdlib.h>

#include "wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_inside(struct iq_view whole, struct iq_view part)
{
	require(part.len == 0 || (part.data >= whole.data && part.data + part.len <= whole.data + whole.len));
}

static void check_response(struct iq_view bytes, const struct iq_http_head *response, size_t len)
{
	require(len <= bytes.len && len <= IQ_HTTP_MAX_HEAD && response->header_count <= IQ_HTTP_MAX_HEADERS);
	check_inside(bytes, response->reason);
	for (size_t i = 0; i < response->header_count; i++) {
		require(response->headers[i].name.len > 0);
		check_inside(bytes, response->headers[i].name);
		check_inside(bytes, response->headers[i].value);
	}
	(void)iq_ws_check_response(response, "dGhlIHNhbXBsZSBub25jZQ==", IQ_LIT("chat"), true, NULL);
}

/* A head is complete at its last byte and not before, and what follows it changes nothing. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct iq_view bytes = iq_view_make((const char *)data, size);
	struct iq_http_head response;
	struct iq_url url;
	size_t len = 0, again = 0;
	int rc = iq_http_parse_response(bytes, &response, &len, NULL);

	if (rc > 0) {
		check_response(bytes, &response, len);
		require(iq_http_parse_response(iq_view_make(bytes.data, len), &response, &again, NULL) == 1 &&
			again == len);
		require(iq_http_parse_response(iq_view_make(bytes.data, len - 1), &response, &again, NULL) == 0);
	}
	if (iq_url_parse_server(bytes, &url, NULL) == 0) {
		check_inside(bytes, url.host);
		check_inside(bytes, url.path);
		(void)iq_url_is_loopback(&url);
	}
	return 0;
}
