#include <criterion/criterion.h>

#include "wire/wire.h"

static int parse(const char *text, struct iq_url *ret_url, struct iq_error *error)
{
	return iq_url_parse_server(iq_view_cstr(text), ret_url, error);
}

Test(url, takes_addresses_apart)
{
	static const struct {
		const char *text, *host, *path;
		uint16_t port;
		bool is_ipv6;
	} cases[] = {
		{ "ws://chat", "chat", "", 80, false },
		{ "WS://chat:8000/ws?room=1&x=%2F", "chat", "/ws?room=1&x=%2F", 8000, false },
		{ "ws://[::1]:8000/ws", "::1", "/ws", 8000, true },
		{ "ws://[fe80::1]", "fe80::1", "", 80, true },
		{ "ws://chat?room=1", "chat", "?room=1", 80, false },
		{ "ws://chat/ws#part", "chat", "/ws", 80, false },
		{ "ws://chat:65535", "chat", "", 65535, false },
		{ "wss://chat", "chat", "", 443, false },
		{ "https://chat/login", "chat", "/login", 443, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct iq_error error = IQ_ERROR_INIT;
		struct iq_url url = { 0 };

		cr_assert_eq(parse(cases[i].text, &url, &error), 0, "%s: %s", cases[i].text, error.message);
		cr_expect(iq_view_eq(url.host, iq_view_cstr(cases[i].host)), "%s", cases[i].text);
		cr_expect(iq_view_eq(url.path, iq_view_cstr(cases[i].path)), "%s", cases[i].text);
		cr_expect_eq(url.port, cases[i].port, "%s", cases[i].text);
		cr_expect_eq(url.is_ipv6, cases[i].is_ipv6, "%s", cases[i].text);
	}
}

Test(url, refuses_everything_else_and_says_what_to_write)
{
	static const struct {
		const char *text, *advice;
	} cases[] = {
		{ "ftp://chat/ws", "write ws://" },
		{ "chat:8000", "write ws://" },
		{ "", "write ws://" },
		{ "ws://", "write ws://" },
		{ "ws:///ws", "write ws://" },
		{ "ws://[::1", "write ws://" },
		{ "ws://[::1]8000", "write ws://" },
		{ "ws://user@chat", "write ws://" },
		{ "ws://chat/a b", "write ws://" },
		{ "ws://chat/a\r\nX: y", "write ws://" },
		{ "ws://chat:0", "port" },
		{ "ws://chat:65536", "port" },
		{ "ws://chat:80a", "port" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct iq_error error = IQ_ERROR_INIT;
		struct iq_url url;

		cr_expect_eq(parse(cases[i].text, &url, &error), IQ_ERR_USAGE, "%s", cases[i].text);
		cr_expect(strstr(error.message, cases[i].advice), "%s: %s", cases[i].text, error.message);
	}
}

Test(url, knows_this_machine_by_its_address)
{
	static const struct {
		const char *text;
		bool is_loopback;
	} cases[] = {
		{ "ws://127.0.0.1", true },
		{ "ws://127.255.0.9:1", true },
		{ "ws://[::1]", true },
		{ "ws://LocalHost", true },
		{ "ws://128.0.0.1", false },
		{ "ws://[::2]", false },
		{ "ws://127.0.0.1.example", false },
		{ "ws://localhost.example", false },
		{ "ws://[::ffff:10.0.0.1]", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct iq_url url;

		cr_assert_eq(parse(cases[i].text, &url, NULL), 0, "%s", cases[i].text);
		cr_expect_eq(iq_url_is_loopback(&url), cases[i].is_loopback, "%s", cases[i].text);
	}
}
