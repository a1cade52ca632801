/* What is taken for a secret, what is not, and that equal secrets are equal tags. */
#include <criterion/criterion.h>

#include "event/event.h"

static const uint8_t key[IQ_REDACT_KEY_SIZE] = "a key that is used in tests only";

static struct iq_redactor *make(uint32_t presets)
{
	struct iq_redactor *redactor;

	cr_assert_eq(iq_redactor_new(key, presets, &redactor), 0);
	return redactor;
}

/* The redacted text; the tag's digits are left out: `‹jwt›`. */
static void redact(uint32_t presets, struct iq_view text, struct iq_buf *out)
{
	struct iq_redactor *redactor = make(presets);
	struct iq_buf scratch = IQ_BUF_INIT;
	struct iq_view redacted;

	iq_buf_clear(out);
	cr_assert_eq(iq_redactor_text(redactor, text, &scratch, &redacted), 0);
	while (redacted.len > 0) {
		const size_t tag = iq_view_find(redacted, IQ_LIT("‹"));
		struct iq_view rest = iq_view_from(redacted, tag == SIZE_MAX ? redacted.len : tag);
		const size_t colon = iq_view_find(rest, IQ_LIT(":"));

		(void)iq_buf_append(out, iq_view_make(redacted.data, redacted.len - rest.len));
		if (rest.len == 0)
			break;
		cr_assert(colon != SIZE_MAX && rest.len >= colon + 24);
		(void)iq_buf_append(out, iq_view_make(rest.data, colon));
		(void)iq_buf_append(out, IQ_LIT("›"));
		redacted = iq_view_from(rest, colon + 1 + 20 + 3);
	}
	iq_buf_release(&scratch);
	iq_redactor_free(redactor);
}

static void expect(const char *text, const char *wanted)
{
	struct iq_buf out = IQ_BUF_INIT;

	redact(IQ_REDACT_ALL, iq_view_cstr(text), &out);
	cr_expect(iq_view_eq(iq_buf_view(&out), iq_view_cstr(wanted)), "%s\nbecame %.*s\nwanted %s", text,
		  IQ_VIEW_ARG(iq_buf_view(&out)), wanted);
	iq_buf_release(&out);
}

Test(redact, members_at_any_depth)
{
	expect("{\"password\":\"x\\\"y\",\"user\":\"u\"}", "{\"password\":\"‹secret›\",\"user\":\"u\"}");
	expect("{\"b\":\"{\\\"password\\\":\\\"x\\\\\\\"y\\\",\\\"n\\\":1}\"}",
	       "{\"b\":\"{\\\"password\\\":\\\"‹secret›\\\",\\\"n\\\":1}\"}");
	expect("{\"secret\":12,\"token\":null,\"apiKey\":true}",
	       "{\"secret\":\"‹secret›\",\"token\":null,\"apiKey\":true}");
	expect("{\"credentials\":{\"user\":\"u\",\"n\":[1,\"b\"]},\"z\":1}",
	       "{\"credentials\":{\"user\":\"‹secret›\",\"n\":[\"‹secret›\",\"‹secret›\"]},\"z\":1}");
	expect("{'client_secret': 'x', 'n': 1}", "{'client_secret': '‹secret›', 'n': 1}");
	expect("{\"password\":\"cut off", "{\"password\":\"‹secret›");
	expect("{\"token\":\"x\\\\\",\"n\":1}", "{\"token\":\"‹secret›\",\"n\":1}");
	expect("{\"a\\u0022:1,\"x\":\"\\u0022password\\u0022:\\u0022x\\u0022\"}",
	       "{\"a\\u0022:1,\"x\":\"\\u0022password\\u0022:\\u0022‹secret›\\u0022\"}");
}

Test(redact, names_in_texts)
{
	expect("login password=hunter2 ok", "login password=‹secret› ok");
	expect("DB_PASSWORD=\"hunter two\"", "DB_PASSWORD=\"‹secret›\"");
	expect("--password hunter2 --verbose", "--password ‹secret› --verbose");
	expect("<password>hunter2</password>", "<password>‹secret›</password>");
	expect("%7B%22password%22%3A%22h%5C%22x%22%7D", "%7B%22password%22%3A%22‹secret›%22%7D");
	expect("token\\u003dabc\\u0026x\\u003d1", "token\\u003d‹secret›\\u0026x\\u003d1");
}

Test(redact, headers)
{
	expect("Authorization: Bearer abc\nAccept: x", "Authorization: Bearer ‹secret›\nAccept: x");
	expect("{\"Authorization\":[\"Bearer abc\"]}", "{\"Authorization\":[\"Bearer ‹secret›\"]}");
	expect("{\"name\":\"Authorization\",\"value\":\"Basic dXNlcjpw\"}",
	       "{\"name\":\"Authorization\",\"value\":\"Basic ‹secret›\"}");
	expect("[{\"value\":\"Bearer abc\",\"name\":\"Authorization\"},{\"value\":\"v\",\"name\":\"Accept\"}]",
	       "[{\"value\":\"Bearer ‹secret›\",\"name\":\"Authorization\"},{\"value\":\"v\",\"name\":\"Accept\"}]");
	expect("{ \"value\" : \"a=b; c=d\" , \"name\" : \"Cookie\" }",
	       "{ \"value\" : \"a=‹secret›; c=‹secret›\" , \"name\" : \"Cookie\" }");
	expect("\"{\\\"value\\\":\\\"h\\\",\\\"key\\\":\\\"api_key\\\"}\"",
	       "\"{\\\"value\\\":\\\"‹secret›\\\",\\\"key\\\":\\\"api_key\\\"}\"");
	expect("[\"Cookie\",\"a=b; c=d\",\"Accept\",\"x\"]",
	       "[\"Cookie\",\"a=‹secret›; c=‹secret›\",\"Accept\",\"x\"]");
	expect("Set-Cookie: sid=\"a b\"; Path=/; HttpOnly", "Set-Cookie: sid=‹secret›; Path=/; HttpOnly");
	expect("{\"cookies\":[{\"name\":\"sid\",\"value\":\"x\",\"path\":\"/\"}]}",
	       "{\"cookies\":[{\"name\":\"sid\",\"value\":\"‹secret›\",\"path\":\"/\"}]}");
	expect("Authorization: Digest username=\"m\", response=\"6629\"", "Authorization: Digest ‹secret›");
	expect("sent Bearer 0123456789abcdef to it", "sent Bearer ‹secret› to it");
	expect("Sec-WebSocket-Protocol: bearer, abc, graphql-transport-ws",
	       "Sec-WebSocket-Protocol: bearer, ‹secret›, graphql-transport-ws");
	expect("{\"subprotocols\":[\"realtime\",\"openai-insecure-api-key.sk-abcdefghijklmnopqrstu\"]}",
	       "{\"subprotocols\":[\"realtime\",\"openai-insecure-api-key.‹vendor›\"]}");
}

Test(redact, urls)
{
	expect("wss://h/ws?access_token=abc&x=1", "wss://h/ws?access_token=‹secret›&x=1");
	expect("ws://h/?a=1&ticket=abc#f", "ws://h/?a=1&ticket=‹secret›#f");
	expect("u=ws%3A%2F%2Fh%3Ftoken%3Dabc%26x%3D1", "u=ws%3A%2F%2Fh%3Ftoken%3D‹secret›%26x%3D1");
	expect("postgres://user:p:w@db:5432/x", "postgres://user:‹secret›@db:5432/x");
}

Test(redact, forms)
{
	expect("a eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdefgh. b", "a ‹jwt›. b");
	expect("eyJhbGciOiJIUzI1NiJ9cutoff", "‹jwt›");
	expect("AKIAABCDEFGHIJKLMNOP", "‹vendor›");
	expect("key ghp_abcdefghijklmnopqrstuvwxyz0123456789,", "key ‹vendor›,");
	expect("-----BEGIN PRIVATE KEY-----\\nMIIab\\n-----END PRIVATE KEY-----\\n.", "‹pem›\\n.");
	expect("-----BEGIN CERTIFICATE-----\nMIIab\n-----END CERTIFICATE-----",
	       "-----BEGIN CERTIFICATE-----\nMIIab\n-----END CERTIFICATE-----");
	expect("<a.b+c@x.example.com>, \\nd@x.org e%40x.org", "<‹email›>, \\n‹email› ‹email›");
	expect("jos\\u00e9@x.org \\u003cf\\u0040x.org", "‹email› \\u003c‹email›");
}

Test(redact, what_is_no_secret_stays)
{
	static const char *const texts[] = {
		"{\"max_tokens\":512,\"tokens\":[1],\"token_type\":\"Bearer\",\"total_tokens\":5}",
		"bypass the password check; pass: 3 of 4, compass=1",
		"nginx@sha256:0123 react@18.2.0 user@localhost @decorator a@b",
		"the bearer token is missing; Basic auth",
		"https://host:8080/path@x?monkey=1&page=2",
		"{\"key\":\"value\",\"primary_key\":7,\"cookie_count\":2}",
		"sk-learn eyJust AKIA ghp_short SG.x",
		"",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		expect(texts[i], texts[i]);
}

static void expect_same_tag(struct iq_redactor *redactor, const char *text, struct iq_view wanted)
{
	struct iq_buf scratch = IQ_BUF_INIT;
	struct iq_view redacted;

	cr_assert_eq(iq_redactor_text(redactor, iq_view_cstr(text), &scratch, &redacted), 0);
	cr_expect(iq_view_find(redacted, wanted) != SIZE_MAX, "%s: %.*s", text, IQ_VIEW_ARG(redacted));
	iq_buf_release(&scratch);
}

Test(redact, a_secret_is_one_tag_wherever_it_stands)
{
	static const char *const texts[] = {
		"{\"token\":\"a+b/c\\\"1\"}",	   "{\"b\":\"{\\\"token\\\":\\\"a+b\\\\/c\\\\\\\"1\\\"}\"}",
		"Authorization: Bearer a+b/c%221", "{\"Authorization\":\"Bearer a+b\\u002fc\\\"1\"}",
		"ws://h/?token=a%2Bb%2Fc%221&x",
	};
	struct iq_redactor *redactor = make(IQ_REDACT_ALL), *other;
	struct iq_buf tag = IQ_BUF_INIT, scratch = IQ_BUF_INIT;
	struct iq_view redacted;
	uint8_t other_key[IQ_REDACT_KEY_SIZE] = "another";

	cr_assert_eq(iq_redactor_text(redactor, iq_view_cstr("{\"token\":\"a+b/c\\\"1\"}"), &tag, &redacted), 0);
	redacted = iq_view_make(redacted.data + 10, redacted.len - 12);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		expect_same_tag(redactor, texts[i], redacted);
	cr_assert_eq(iq_redactor_new(other_key, IQ_REDACT_ALL, &other), 0);
	cr_expect_not(iq_view_eq(iq_redactor_label(redactor), iq_redactor_label(other)));
	cr_assert_eq(iq_redactor_text(other, iq_view_cstr(texts[0]), &scratch, &redacted), 0);
	cr_expect(iq_view_find(iq_buf_view(&tag), iq_view_make(redacted.data + 10, 30)) == SIZE_MAX);
	iq_redactor_free(redactor);
	iq_redactor_free(other);
	iq_buf_release(&tag);
	iq_buf_release(&scratch);
}

Test(redact, only_what_was_asked_for)
{
	struct iq_buf out = IQ_BUF_INIT;
	uint32_t presets;

	cr_assert(iq_redact_parse_presets(IQ_LIT("jwt,email"), &presets));
	redact(presets, IQ_LIT("password=x a@b.org AKIAABCDEFGHIJKLMNOP"), &out);
	cr_expect(iq_view_eq(iq_buf_view(&out), IQ_LIT("password=x ‹email› AKIAABCDEFGHIJKLMNOP")), "%s", out.data);
	cr_expect(iq_redact_parse_presets(IQ_LIT("all"), &presets) && presets == IQ_REDACT_ALL);
	cr_expect_not(iq_redact_parse_presets(IQ_LIT("jwt,mail"), &presets));
	cr_expect_not(iq_redact_parse_presets(IQ_LIT("jwt,"), &presets));
	iq_buf_release(&out);
}

/* ---- Events ---- */

struct seen {
	struct iq_buf text;
};

static int see_event(void *context, const struct iq_event *event, struct iq_error *error)
{
	struct seen *seen = context;

	(void)error;
	(void)iq_event_append_ndjson(&seen->text, event);
	return 0;
}

static int see_gap(void *context, const struct iq_gap *gap, struct iq_error *error)
{
	struct seen *seen = context;

	(void)error;
	(void)iq_buf_append(&seen->text, gap->session);
	return iq_buf_append(&seen->text, gap->reason);
}

static void give(const struct iq_sink *sink, const char *source, const char *body)
{
	struct iq_event event = IQ_EVENT_INIT;

	event.source = iq_view_cstr(source);
	event.body = iq_view_cstr(body);
	cr_assert_eq(sink->event(sink->context, &event, NULL), 0);
}

static bool holds(const struct seen *seen, const char *text)
{
	return iq_view_find(iq_buf_view(&seen->text), iq_view_cstr(text)) != SIZE_MAX;
}

Test(redact, a_key_whose_lines_are_events)
{
	struct seen seen = { IQ_BUF_INIT };
	const struct iq_sink next = { see_event, see_gap, &seen };
	struct iq_redactor *redactor = make(IQ_REDACT_ALL);
	const struct iq_sink *sink = iq_redactor_sink(redactor, &next);

	give(sink, "a", "-----BEGIN EC PRIVATE KEY-----");
	give(sink, "a", "MHcCAQEEIfirst");
	give(sink, "b", "MHcCAQEEIothers");
	give(sink, "a", "12:03 app | MHcCAQEEIsecond==");
	give(sink, "a", "-----END EC PRIVATE KEY-----");
	give(sink, "a", "MHcCAQEEIafter");
	cr_expect_not(holds(&seen, "first"));
	cr_expect_not(holds(&seen, "second"));
	cr_expect(holds(&seen, "others") && holds(&seen, "after") && holds(&seen, "12:03 app"));
	iq_redactor_free(redactor);
	iq_buf_release(&seen.text);
}

Test(redact, what_a_body_holds_as_a_secret_is_none_of_the_events_names)
{
	struct seen seen = { IQ_BUF_INIT };
	const struct iq_sink next = { see_event, see_gap, &seen };
	struct iq_redactor *redactor = make(IQ_REDACT_ALL);
	const struct iq_sink *sink = iq_redactor_sink(redactor, &next);
	struct iq_event event = IQ_EVENT_INIT;
	struct iq_gap gap = IQ_GAP_INIT;

	event.source = IQ_LIT("of a@b.org");
	event.session = event.key = IQ_LIT("opaque-1");
	event.type = IQ_LIT("login");
	event.attrs = IQ_LIT("{\"headers\":{\"authorization\":\"Bearer opaque-1\"}}");
	cr_assert_eq(sink->event(sink->context, &event, NULL), 0);
	gap.session = IQ_LIT("ws://h/?token=opaque-1");
	gap.reason = IQ_LIT("a@b.org left");
	cr_assert_eq(sink->gap(sink->context, &gap, NULL), 0);
	cr_expect_not(holds(&seen, "opaque-1"));
	cr_expect_not(holds(&seen, "a@b.org"));
	cr_expect(holds(&seen, "\"type\":\"login\"") && holds(&seen, " left"));
	iq_redactor_free(redactor);
	iq_buf_release(&seen.text);
}

/* Each of these made some naive way of looking quadratic or worse. */
Test(redact, hostile_texts_take_linear_time, .timeout = 20)
{
	static const char *const pieces[] = { "\"token\":",
					      "{\"secret\":",
					      "cookie: ",
					      "subprotocol:",
					      "eyJ.",
					      "@a.",
					      "\\\\\\\"token\\\\\\\":",
					      "://a:",
					      "-----BEGIN PRIVATE KEY-----",
					      "password=",
					      "bearer ",
					      "%40",
					      "token\":\"a\\",
					      "basic a" };
	struct iq_buf text = IQ_BUF_INIT, out = IQ_BUF_INIT;

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		iq_buf_clear(&text);
		while (text.len < 1u << 20)
			(void)iq_buf_append_cstr(&text, pieces[i]);
		redact(IQ_REDACT_ALL, iq_buf_view(&text), &out);
	}
	iq_buf_release(&text);
	iq_buf_release(&out);
}
