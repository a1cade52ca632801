#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>

#include "wire/wire.h"

static const char *read_as(const char *text)
{
	static char said[100];
	struct sockaddr_storage address = { 0 };
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address;
	char name[64] = "";

	if (iq_listen_address(text, &address, NULL) < 0)
		return "refused";
	if (address.ss_family == AF_INET)
		(void)inet_ntop(AF_INET, &v4->sin_addr, name, sizeof(name));
	else
		(void)inet_ntop(AF_INET6, &v6->sin6_addr, name, sizeof(name));
	(void)snprintf(said, sizeof(said), "%s %u", name, ntohs(v4->sin_port));
	return said;
}

Test(listen, is_loopback_unless_an_address_is_named)
{
	cr_expect_str_eq(read_as("9000"), "127.0.0.1 9000");
	cr_expect_str_eq(read_as(":9000"), "127.0.0.1 9000");
	cr_expect_str_eq(read_as("localhost:0"), "127.0.0.1 0");
	cr_expect_str_eq(read_as("0.0.0.0:9000"), "0.0.0.0 9000");
	cr_expect_str_eq(read_as("[::1]:65535"), "::1 65535");
}

Test(listen, refuses_what_is_no_address)
{
	static const char *const wrong[] = {
		"", "host", "chat.example:9000", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "9000x",
		/* Not loopback instead. */
		"1111111111111111111111111111111111111111111111111111111111111111111111:9000"
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_expect_str_eq(read_as(wrong[i]), "refused", "%s", wrong[i]);
}
