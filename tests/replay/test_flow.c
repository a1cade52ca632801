/* Conversations with a known graph of values: what came from where, in which form, is decided by a seed, so what has to be bound is
 * known, and so is what has to be sent when the server makes other values. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "replay/flow.h"

#define NONCES 6
#define SHAPES 20
#define SEEDS 20

/* ---- Forms: how a value stands in a message ---- */

static void plain(struct iq_buf *out, const char *value)
{
	(void)iq_buf_appendf(out, "{\"type\":\"agent_started\",\"id\":\"%s\",\"status\":\"ok\"}", value);
}

static void deep(struct iq_buf *out, const char *value)
{
	(void)iq_buf_appendf(out, "{\"type\":\"welcome\",\"data\":{\"session\":{\"token\":\"%s\",\"retry\":true}}}",
			     value);
}

static void in_array(struct iq_buf *out, const char *value)
{
	(void)iq_buf_appendf(out, "{\"type\":\"items\",\"items\":[{\"n\":1},{\"n\":2,\"ref\":\"%s\"}]}", value);
}

static void nested(struct iq_buf *out, const char *value)
{
	struct iq_buf inner = IQ_BUF_INIT;

	(void)iq_buf_appendf(&inner, "{\"call\":\"%s\",\"ok\":true}", value);
	(void)iq_buf_append_cstr(out, "{\"type\":\"tool_call\",\"arguments\":");
	(void)iq_json_append_string(out, iq_buf_view(&inner));
	(void)iq_buf_append_cstr(out, "}");
	iq_buf_release(&inner);
}

static void twice_nested(struct iq_buf *out, const char *value)
{
	struct iq_buf inner = IQ_BUF_INIT;

	nested(&inner, value);
	(void)iq_buf_append_cstr(out, "{\"type\":\"frame\",\"payload\":");
	(void)iq_json_append_string(out, iq_buf_view(&inner));
	(void)iq_buf_append_cstr(out, "}");
	iq_buf_release(&inner);
}

static void in_base64(struct iq_buf *out, const char *value)
{
	struct iq_buf inner = IQ_BUF_INIT;

	(void)iq_buf_appendf(&inner, "{\"cursor\":\"%s\",\"page\":2}", value);
	(void)iq_buf_append_cstr(out, "{\"type\":\"page\",\"next\":\"");
	(void)iq_base64_encode(iq_buf_view(&inner), out);
	(void)iq_buf_append_cstr(out, "\"}");
	iq_buf_release(&inner);
}

static void bearer(struct iq_buf *out, const char *value)
{
	(void)iq_buf_appendf(out, "{\"type\":\"auth\",\"authorization\":\"Bearer %s\"}", value);
}

static void in_url(struct iq_buf *out, const char *value)
{
	(void)iq_buf_appendf(out, "{\"type\":\"join\",\"url\":\"https://chat.example/rooms/%s/messages?limit=10\"}",
			     value);
}

static void in_query(struct iq_buf *out, const char *value)
{
	(void)iq_buf_appendf(out, "{\"type\":\"upload\",\"to\":\"/upload?size=10&ticket=%s&kind=image\"}", value);
}

static void in_percents(struct iq_buf *out, const char *value)
{
	(void)iq_buf_appendf(out, "{\"type\":\"redirect\",\"to\":\"/go?next=%%2Fc%%2F%s%%2Fview&v=1\"}", value);
}

static void in_cookie(struct iq_buf *out, const char *value)
{
	(void)iq_buf_appendf(out, "{\"Cookie\":\"theme=dark; sid=%s; lang=en\"}", value);
}

static void within_word(struct iq_buf *out, const char *value)
{
	(void)iq_buf_appendf(out, "{\"type\":\"reply\",\"parent\":\"conv-%s-reply\"}", value);
}

static void as_text(struct iq_buf *out, const char *value)
{
	(void)iq_buf_appendf(out, "SUBSCRIBE topic/%s qos 1", value);
}

typedef void form(struct iq_buf *out, const char *value);

/* How the server says it, and how the client says it afterwards. */
static const struct {
	form *heard, *said;
} shapes[SHAPES] = {
	{ plain, plain },	 { deep, plain },      { plain, deep },	       { in_array, plain },
	{ plain, in_array },	 { nested, plain },    { plain, nested },      { twice_nested, nested },
	{ plain, twice_nested }, { in_base64, plain }, { plain, in_base64 },   { deep, bearer },
	{ bearer, bearer },	 { in_url, plain },    { plain, in_url },      { deep, in_query },
	{ plain, in_percents },	 { deep, in_cookie },  { plain, within_word }, { plain, as_text },
};

/* ---- Values ---- */

static unsigned draw(unsigned *state, unsigned below)
{
	*state = *state * 1103515245u + 12345u;
	return (*state >> 16) % below;
}

/* As servers make them: hex, a UUID, with a prefix, capitals and small letters mixed. */
static void make_nonce(unsigned *state, unsigned kind, char out[48])
{
	static const char hex[] = "0123456789abcdef", mixed[] = "abcXYZ012defUVW345ghiRST678jklOPQ9";
	size_t len = 0;

	if (kind == 1)
		len = (size_t)sprintf(out, "conv_");
	for (size_t i = 0; i < (kind == 2 ? 36 : 14); i++) {
		if (kind == 2 && (i == 8 || i == 13 || i == 18 || i == 23))
			out[len++] = '-';
		else
			out[len++] = kind == 3 ? mixed[draw(state, sizeof(mixed) - 1)] : hex[draw(state, 16)];
	}
	/* A digit, as good as always. */
	out[len - 1] = '7';
	out[len] = '\0';
}

static const char *const chatter[] = {
	"{\"type\":\"agent_thinking\",\"model\":\"small-chat\",\"ok\":true,\"n\":1}",
	"{\"type\":\"protocol\",\"version\":\"2024-11-05\",\"server\":\"chat-server\",\"release\":\"1.12.3\"}",
	"{\"type\":\"token\",\"text\":\"the weather is\",\"done\":false}",
	"{\"type\":\"status\",\"status\":\"completed\",\"language\":\"en\",\"mime\":\"text/plain\"}",
};

/* Says what the server said, where that was no value. */
static const char *const echoes[] = {
	"{\"type\":\"ack\",\"event\":\"agent_thinking\",\"ok\":true}",
	"{\"type\":\"hello\",\"version\":\"2024-11-05\",\"model\":\"small-chat\",\"release\":\"1.12.3\"}",
	"{\"type\":\"ask\",\"text\":\"what is the weather\",\"n\":1}",
	"{\"type\":\"set\",\"status\":\"completed\",\"mime\":\"text/plain\",\"language\":\"en\"}",
};

/* ---- A conversation ---- */

struct turn {
	bool heard;
	struct iq_buf text;
};

struct talk {
	struct turn turns[NONCES * 4];
	size_t count;
	char nonces[NONCES][48];
};

static struct iq_buf *next_turn(struct talk *talk, bool heard)
{
	talk->turns[talk->count].heard = heard;
	return &talk->turns[talk->count++].text;
}

/* The same structure for the same seed, with other values for another `life`. */
static void make_talk(struct talk *talk, unsigned shape, unsigned seed, unsigned life, bool dependent)
{
	unsigned structure = seed, values = seed * 7919u + life * 104729u;

	memset(talk, 0, sizeof(*talk));
	for (unsigned i = 0; i < NONCES; i++) {
		const unsigned one = (shape + draw(&structure, 3) * 7) % SHAPES;
		char other[48];

		make_nonce(&values, draw(&structure, 4), talk->nonces[i]);
		make_nonce(&structure, 0, other);
		(void)iq_buf_append_cstr(next_turn(talk, true), chatter[draw(&structure, 4)]);
		shapes[one].heard(next_turn(talk, true), talk->nonces[i]);
		(void)iq_buf_append_cstr(next_turn(talk, false), echoes[draw(&structure, 4)]);
		/* Without dependencies the client says values of its own, the same in each life. */
		shapes[one].said(next_turn(talk, false), dependent ? talk->nonces[i] : other);
	}
}

static void release_talk(struct talk *talk)
{
	for (size_t i = 0; i < talk->count; i++)
		iq_buf_release(&talk->turns[i].text);
}

static void tell_talk(struct iq_flow *flow, const struct talk *talk)
{
	size_t uses;

	iq_flow_init(flow);
	for (uint32_t i = 0; i < talk->count; i++) {
		const struct iq_view text = iq_buf_view(&talk->turns[i].text);

		if (talk->turns[i].heard)
			cr_assert_geq(iq_flow_hear(flow, i, IQ_SLOT_BODY, text), 0);
		else
			cr_assert_geq(iq_flow_say(flow, i, IQ_SLOT_BODY, IQ_LIT("x"), text, IQ_TIME_NONE, &uses), 0);
	}
}

static bool is_nonce(const struct talk *talk, struct iq_view value)
{
	for (unsigned i = 0; i < NONCES; i++)
		if (iq_view_find(value, iq_view_cstr(talk->nonces[i])) != SIZE_MAX)
			return true;
	return false;
}

/* Sends what the recorded client would have sent in the other life. How many texts are right? */
static unsigned live_again(const struct iq_flow *flow, const struct talk *recorded, const struct talk *now,
			   unsigned shape, unsigned seed)
{
	struct iq_values values;
	unsigned right = 0;

	cr_assert_eq(iq_values_init(&values, flow), 0);
	for (uint32_t i = 0; i < recorded->count; i++) {
		const struct iq_binding *missing;
		struct iq_buf out = IQ_BUF_INIT;

		if (recorded->turns[i].heard) {
			cr_assert_eq(iq_values_learn(&values, i, IQ_SLOT_BODY, iq_buf_view(&now->turns[i].text)), 0);
			continue;
		}
		cr_expect_eq(
			iq_values_fill(&values, i, IQ_LIT("x"), iq_buf_view(&recorded->turns[i].text), &out, &missing),
			0);
		right += iq_view_eq(iq_buf_view(&out), iq_buf_view(&now->turns[i].text));
		if (!iq_view_eq(iq_buf_view(&out), iq_buf_view(&now->turns[i].text)))
			(void)fprintf(stderr, "shape %u seed %u: %s\n  not %s\n", shape, seed, out.data,
				      now->turns[i].text.data);
		iq_buf_release(&out);
	}
	iq_values_release(&values);
	return right;
}

Test(flow, binds_what_came_from_the_server_and_nothing_else)
{
	unsigned bound = 0, wrong = 0, right = 0, texts = 0;

	for (unsigned shape = 0; shape < SHAPES; shape++)
		for (unsigned seed = 1; seed <= SEEDS; seed++) {
			struct talk recorded, now;
			struct iq_flow flow;

			make_talk(&recorded, shape, seed, 1, true);
			make_talk(&now, shape, seed, 2, true);
			tell_talk(&flow, &recorded);
			for (size_t i = 0; i < flow.binding_count; i++) {
				const struct iq_view value = flow.sources[flow.bindings[i]].value;

				bound += is_nonce(&recorded, value);
				wrong += !is_nonce(&recorded, value);
				cr_expect(is_nonce(&recorded, value), "shape %u seed %u: %.*s", shape, seed,
					  IQ_VIEW_ARG(value));
			}
			right += live_again(&flow, &recorded, &now, shape, seed);
			texts += NONCES * 2;
			iq_flow_release(&flow);
			release_talk(&recorded);
			release_talk(&now);
		}
	cr_expect_eq(wrong, 0);
	cr_expect_geq(bound * 100, SHAPES * SEEDS * NONCES * 95, "%u of %u", bound, SHAPES * SEEDS * NONCES);
	cr_expect_geq(right * 100, texts * 98, "%u of %u texts", right, texts);
}

Test(flow, binds_nothing_where_nothing_depends)
{
	for (unsigned shape = 0; shape < SHAPES; shape++)
		for (unsigned seed = 1; seed <= SEEDS; seed++) {
			struct talk talk;
			struct iq_flow flow;

			make_talk(&talk, shape, seed, 1, false);
			tell_talk(&flow, &talk);
			cr_expect_eq(flow.binding_count, 0, "shape %u seed %u: %.*s", shape, seed,
				     IQ_VIEW_ARG(flow.sources[flow.bindings[0]].value));
			iq_flow_release(&flow);
			release_talk(&talk);
		}
}

/* ---- One thing at a time ---- */

struct one {
	const char *heard, *said;
	bool bound;
};

Test(flow, binds_short_values_only_where_both_places_are_called_alike)
{
	static const struct one cases[] = {
		{ "{\"run_id\":\"r7\"}", "{\"run_id\":\"r7\"}", true },
		{ "{\"runId\":42}", "{\"run_id\":42}", true },
		{ "{\"id\":\"c9\"}", "{\"conversation_id\":\"c9\"}", true },
		{ "{\"user_id\":10}", "{\"room_id\":10}", false },
		{ "{\"count\":12}", "{\"count\":12}", false },
		{ "{\"id\":1}", "{\"id\":1}", false },
		{ "{\"ok_id\":true}", "{\"ok_id\":true}", false },
		{ "{\"valid\":\"abc\"}", "{\"valid\":\"abc\"}", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct iq_flow flow;
		size_t uses;

		iq_flow_init(&flow);
		cr_assert_geq(iq_flow_hear(&flow, 0, IQ_SLOT_BODY, iq_view_cstr(cases[i].heard)), 0);
		cr_assert_geq(iq_flow_say(&flow, 1, IQ_SLOT_BODY, IQ_LIT("x"), iq_view_cstr(cases[i].said),
					  IQ_TIME_NONE, &uses),
			      0);
		cr_expect_eq(flow.binding_count, cases[i].bound, "%s", cases[i].heard);
		iq_flow_release(&flow);
	}
}

Test(flow, leaves_alone_what_the_client_said_first_and_what_other_sessions_have)
{
	struct iq_flow flow;
	size_t uses;

	iq_flow_init(&flow);
	cr_assert_geq(iq_flow_constant(&flow, IQ_LIT("{\"build\":\"a81f22c9d0\"}")), 0);
	cr_assert_geq(iq_flow_say(&flow, 0, IQ_SLOT_BODY, IQ_LIT("ask"), IQ_LIT("{\"n\":\"f00dfeed77\"}"), IQ_TIME_NONE,
				  &uses),
		      0);
	cr_assert_geq(iq_flow_hear(&flow, 1, IQ_SLOT_BODY, IQ_LIT("{\"n\":\"f00dfeed77\",\"build\":\"a81f22c9d0\"}")),
		      0);
	cr_assert_geq(iq_flow_say(&flow, 2, IQ_SLOT_BODY, IQ_LIT("ask"),
				  IQ_LIT("{\"n\":\"f00dfeed77\",\"b\":\"a81f22c9d0\"}"), IQ_TIME_NONE, &uses),
		      0);
	cr_expect_eq(flow.binding_count, 0);
	cr_expect_eq(uses, 0);
	iq_flow_release(&flow);
}

Test(flow, makes_what_the_client_made_anew_and_puts_in_what_is_supplied)
{
	const int64_t at = INT64_C(1764000000) * IQ_NS_PER_S;
	const struct iq_view said = IQ_LIT(
		"{\"request_id\":\"7d444840-9dc0-11d1-b245-5ffdce74fad2\",\"sent\":1764000001,\"password\":\"\xe2\x80\xb9secret:0011223344556677889a\xe2\x80\xba\"}");
	struct iq_supplied supplied = { IQ_LIT("login.password"), IQ_LIT("hunter\"2"), false };
	const struct iq_binding *missing;
	struct iq_buf out = IQ_BUF_INIT;
	struct iq_values values;
	struct iq_flow flow;
	size_t uses;

	iq_flow_init(&flow);
	cr_assert_geq(iq_flow_say(&flow, 0, IQ_SLOT_BODY, IQ_LIT("login"), said, at, &uses), 0);
	cr_assert_eq(flow.mint_count, 2);
	cr_expect_eq(flow.mints[1].kind, IQ_MINT_SECONDS);
	cr_assert_eq(flow.secret_count, 1);
	cr_expect(iq_view_eq(flow.secrets[0].name, supplied.name), "%.*s", IQ_VIEW_ARG(flow.secrets[0].name));
	cr_assert_eq(iq_values_init(&values, &flow), 0);
	cr_expect_eq(iq_values_fill(&values, 0, IQ_LIT("login"), said, &out, &missing), IQ_ERR_NOT_FOUND,
		     "a tag is never sent");
	values.supplied = &supplied;
	values.supplied_count = 1;
	values.fresh = true;
	values.shift = 100 * IQ_NS_PER_S;
	iq_buf_clear(&out);
	cr_assert_eq(iq_values_fill(&values, 0, IQ_LIT("login"), said, &out, &missing), 0);
	cr_expect(strstr(out.data, "\"sent\":1764000101,"), "%s", out.data);
	cr_expect(strstr(out.data, "\"password\":\"hunter\\\"2\""), "%s", out.data);
	cr_expect(!strstr(out.data, "7d444840"), "%s", out.data);
	iq_buf_release(&out);
	iq_values_release(&values);
	iq_flow_release(&flow);
}
