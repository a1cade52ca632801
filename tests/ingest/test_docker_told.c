#include <criterion/criterion.h>

#include "ingest/docker_told.h"

#define SECOND IQ_NS_PER_S
#define MS (IQ_NS_PER_S / 1000)
#define AT (1795549086 * SECOND)

static struct iq_docker_action happening(const char *action, int64_t ts, bool by_state)
{
	return (struct iq_docker_action){ .of.id = IQ_LIT(
						  "a1714667e3165d8581fdcd3a421169327ad1dc9b138521239b09b22e393bc4fa"),
					  .action = iq_view_cstr(action),
					  .ts = ts,
					  .exit_code = IQ_NUMBER_NONE,
					  .restarts = IQ_NUMBER_NONE,
					  .by_state = by_state };
}

static bool again(struct iq_docker_told *told, const char *action, int64_t ts, bool by_state, uint32_t evidence)
{
	const struct iq_docker_action tells = happening(action, ts, by_state);
	return iq_docker_told_again(told, &tells, evidence);
}

Test(docker_told, an_event_tells_what_a_state_told_a_little_before)
{
	struct iq_docker_told *told = iq_docker_told_new();

	cr_assert(!again(told, "start", AT + 7 * MS, true, 1));
	cr_assert(!again(told, "start", AT + 6 * MS, false, 2), "another start before it");
	cr_assert(again(told, "start", AT + 9 * MS, false, 2));
	cr_assert(!again(told, "start", AT + 20 * MS, false, 2), "only the first");
	cr_assert(!again(told, "die", AT + 9 * MS, false, 2));
	iq_docker_told_free(told);
}

Test(docker_told, a_state_tells_what_an_event_told)
{
	struct iq_docker_told *told = iq_docker_told_new();

	/* The event may lie in the next span of time. */
	for (int64_t ms = 0; ms < 20000; ms += 500) {
		const int64_t ts = AT + 3600 * SECOND * ms + ms * MS;

		cr_assert(!again(told, "die", ts + 600 * MS, false, 1));
		cr_assert(again(told, "die", ts, true, 2), "%lld ms", (long long)ms);
		cr_assert(again(told, "die", ts, true, 3), "and once more");
		cr_assert(!again(told, "die", ts - 11 * SECOND, true, 2), "too long before");
		cr_assert(!again(told, "die", ts + 700 * MS, true, 2), "after it");
	}
	iq_docker_told_free(told);
}

Test(docker_told, an_event_without_nanoseconds_is_true_to_a_second)
{
	struct iq_docker_told *told = iq_docker_told_new();

	cr_assert(!again(told, "start", AT + 400 * MS, true, 1));
	cr_assert(again(told, "start", AT, false, 2));
	cr_assert(!again(told, "kill", AT, false, 2));
	cr_assert(!again(told, "kill", AT, false, 2), "two within one second, by the same");
	cr_assert(again(told, "kill", AT, false, 3), "who else tells of the second tells the same");
	iq_docker_told_free(told);
}

Test(docker_told, the_same_event_is_the_same)
{
	struct iq_docker_told *told = iq_docker_told_new();
	struct iq_docker_action other = happening("die", AT + 1, false);

	cr_assert(!again(told, "die", AT + 1, false, 1));
	cr_assert(again(told, "die", AT + 1, false, 1));
	cr_assert(again(told, "die", AT + 1, false, 2));
	other.of.id = IQ_LIT("b1714667e316");
	cr_assert(!iq_docker_told_again(told, &other, 1), "another container");
	cr_assert(!again(told, "health_check", AT + 1, true, 1));
	cr_assert(again(told, "health_check", AT + 1, true, 2));
	cr_assert(!again(told, "history", IQ_TIME_NONE, false, 1));
	cr_assert(!again(told, "history", IQ_TIME_NONE, false, 1), "what has no time is nothing that happened");
	iq_docker_told_free(told);
}

/* Hostile: each is compared with a few others only. */
Test(docker_told, many_at_once_are_no_work, .timeout = 60)
{
	struct iq_docker_told *told = iq_docker_told_new();

	for (int64_t i = 0; i < 2 * (int64_t)IQ_DOCKER_TOLD_MAX; i++)
		(void)again(told, "start", AT + i, i % 2 != 0, 1);
	iq_docker_told_free(told);
}
