#include <criterion/criterion.h>

#include "replay/plan.h"
#include "scene.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static int read_plan(const struct line *lines, size_t count, uint32_t session, struct iq_plan *ret_plan,
		     struct iq_error *error)
{
	struct scene scene;
	struct iq_store *store;
	int rc;

	scene_open(&scene, lines, count);
	cr_assert_eq(iq_store_open(scene.recording, &store, NULL), 0);
	rc = iq_plan_read(store, session, NULL, 0, ret_plan, error);
	iq_store_close(store);
	scene_close(&scene);
	return rc;
}

static struct iq_view body_of(const struct iq_plan *plan, uint32_t turn)
{
	return plan->turns[turn].texts[IQ_SLOT_BODY];
}

Test(plan, keeps_the_turns_in_their_order)
{
	static const struct line lines[] = {
		OPEN("{\"url\":\"wss://chat:8000/ws?room=1#x\",\"subprotocol\":\"chat.v1\"}"),
		SERVER("{\"type\":\"welcome\"}"),
		CLIENT("{\"type\":\"ask\"}"),
		SERVER("{\"type\":\"token\"}"),
		SERVER("{\"type\":\"heartbeat\"}"),
		SERVER("{\"type\":\"token\"}"),
		CLIENT("more"),
		{ IQ_KIND_WS_CLOSE, 's', NULL, "{\"code\":4001}" },
	};
	struct iq_plan plan;

	cr_assert_eq(read_plan(lines, COUNT(lines), 1, &plan, NULL), 0);
	cr_expect(iq_view_eq(plan.name, IQ_LIT("c1")));
	cr_expect(iq_view_eq(plan.path, IQ_LIT("/ws?room=1")));
	cr_expect(iq_view_eq(plan.host, IQ_LIT("chat:8000")));
	cr_expect(iq_view_eq(plan.subprotocol, IQ_LIT("chat.v1")));
	cr_expect(iq_view_is_null(plan.incomplete));
	cr_assert_eq(plan.count, COUNT(lines));
	cr_expect_eq(plan.open, 0);
	cr_expect_eq(plan.close, 7);
	cr_expect_eq(plan.turns[7].code, 4001);
	cr_expect_eq(plan.client_messages, 2);
	cr_expect_eq(plan.server_messages, 3, "heartbeats are not expected");
	cr_expect(plan.turns[4].is_periodic);
	cr_expect_eq(plan.turns[3].next_same, 5);
	cr_expect_eq(plan.first_of_type[iq_plan_find_type(&plan, IQ_LIT("token"))], 3);
	cr_expect(iq_view_eq(body_of(&plan, 6), IQ_LIT("more")));
	iq_plan_release(&plan);
}

Test(plan, takes_the_path_out_of_the_recorded_url)
{
	static const struct {
		const char *attrs, *path;
	} cases[] = {
		{ "{\"url\":\"ws://chat?next=/home\"}", "?next=/home" },
		{ "{\"url\":\"ws://chat\"}", NULL },
		{ "{\"url\":\"/ws\"}", "/ws" },
		{ "{\"url\":7}", NULL },
		{ NULL, NULL },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct line lines[] = { OPEN(cases[i].attrs), CLIENT("x") };
		struct iq_plan plan;

		cr_assert_eq(read_plan(lines, COUNT(lines), 1, &plan, NULL), 0);
		cr_expect(iq_view_eq(plan.path, iq_view_cstr(cases[i].path)), "%.*s", IQ_VIEW_ARG(plan.path));
		iq_plan_release(&plan);
	}
}

/* The bytes tell where the evidence does not, and the opcode where the bytes cannot. */
Test(plan, tells_binary_messages_from_text)
{
	static const struct line lines[] = {
		OPEN(NULL),
		CLIENT("text"),
		CLIENT("\xff\xfe"),
		{ IQ_KIND_WS_MESSAGE, 'c', "valid", "{\"opcode\":2}" },
		{ IQ_KIND_WS_MESSAGE, 'c', "valid", "{\"opcode\":1}" },
	};
	static const bool binary[] = { false, false, true, true, false };
	struct iq_plan plan;

	cr_assert_eq(read_plan(lines, COUNT(lines), 1, &plan, NULL), 0);
	cr_assert_eq(plan.count, COUNT(binary));
	for (size_t i = 0; i < COUNT(binary); i++)
		cr_expect_eq(plan.turns[i].is_binary, binary[i], "%zu", i);
	iq_plan_release(&plan);
}

/* What cannot be judged as a whole is driven all the same. */
Test(plan, says_what_the_recording_lacks)
{
	static const struct line lines[] = { CLIENT("x"), SERVER("y") };
	struct iq_plan plan;

	cr_assert_eq(read_plan(lines, COUNT(lines), 1, &plan, NULL), 0);
	cr_assert_eq(plan.count, 3);
	cr_expect_eq(plan.open, 0, "a connection is made all the same");
	cr_expect(iq_view_eq(plan.incomplete, IQ_LIT("its beginning was not recorded")));
	iq_plan_release(&plan);
}

Test(plan, refuses_what_cannot_be_sent_again)
{
	static const struct line silent[] = { OPEN(NULL), SERVER("x") };
	static const struct line cut[] = { { IQ_KIND_WS_MESSAGE, 'c', "half of", "{\"body_bytes\":2000000}" } };
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_plan plan;

	cr_expect_eq(read_plan(silent, COUNT(silent), 2, &plan, &error), IQ_ERR_NOT_FOUND);
	cr_expect(strstr(error.message, "no session s2"), "%s", error.message);
	iq_error_clear(&error);
	cr_expect_eq(read_plan(silent, COUNT(silent), 1, &plan, &error), IQ_ERR_USAGE);
	cr_expect(strstr(error.message, "sent nothing"), "%s", error.message);
	iq_error_clear(&error);
	cr_expect_eq(read_plan(cut, COUNT(cut), 1, &plan, &error), IQ_ERR_LIMIT);
	cr_expect(strstr(error.message, "was cut"), "%s", error.message);
}

/* The messages of a batch are events of their own, without its brackets. */
Test(plan, puts_a_batch_together_again)
{
	static const struct line lines[] = {
		OPEN("{\"url\":\"ws://h/mcp\",\"subprotocol\":\"mcp\"}"),
		CLIENT("[ {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\"}, {\"jsonrpc\":\"2.0\",\"method\":\"b\"} ]"),
		CLIENT("[{\"jsonrpc\":\"2.0\",\"method\":\"c\"}]"),
	};
	struct iq_plan plan;

	cr_assert_eq(read_plan(lines, COUNT(lines), 1, &plan, NULL), 0);
	cr_assert_eq(plan.client_messages, 2);
	cr_expect(
		iq_view_eq(
			body_of(&plan, 1),
			IQ_LIT("[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\"},{\"jsonrpc\":\"2.0\",\"method\":\"b\"}]")),
		"%.*s", IQ_VIEW_ARG(body_of(&plan, 1)));
	cr_expect(iq_view_eq(body_of(&plan, 2), IQ_LIT("[{\"jsonrpc\":\"2.0\",\"method\":\"c\"}]")));
	iq_plan_release(&plan);
}
