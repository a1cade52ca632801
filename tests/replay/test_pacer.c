#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

#include "replay/pacer.h"

#define COUNT 500

struct hand {
	struct iq_due due;
	int64_t wanted;
	int came;
};

static uv_loop_t loop;
static struct iq_pacer pacer;
static struct hand hands[COUNT];
static int64_t last;
static size_t all;

static void begin(void)
{
	cr_assert_eq(uv_loop_init(&loop), 0);
	cr_assert_eq(iq_pacer_open(&pacer, &loop, NULL), 0);
}

static void end(void)
{
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	cr_expect_eq(uv_loop_close(&loop), 0);
}

static void came(void *context)
{
	struct hand *hand = context;

	cr_expect_geq(iq_clock_monotonic(), hand->wanted, "too early");
	cr_expect_geq(hand->wanted, last, "out of order");
	last = hand->wanted;
	hand->came++;
	if (++all == COUNT)
		iq_pacer_close(&pacer);
}

static void set(struct hand *hand, int64_t at)
{
	hand->due.come = came;
	hand->due.context = hand;
	hand->wanted = at;
	cr_assert_eq(iq_pacer_set(&pacer, &hand->due, at), 0);
}

Test(pacer, each_comes_once_in_order_and_never_early_however_often_it_is_moved)
{
	const unsigned seed = (unsigned)time(NULL);
	const int64_t now = iq_clock_monotonic() + 20 * IQ_NS_PER_MS;

	(void)fprintf(stderr, "seed %u\n", seed);
	srand(seed);
	begin();
	for (int i = 0; i < COUNT; i++)
		set(&hands[i], now + rand() % 20000000);
	for (int i = 0; i < 3 * COUNT; i++)
		set(&hands[rand() % COUNT], now + rand() % 20000000);
	end();
	for (int i = 0; i < COUNT; i++)
		cr_expect_eq(hands[i].came, 1);
}

static int turns;

static void again(void *context)
{
	struct iq_due *due = context;

	if (++turns == 3)
		iq_pacer_close(&pacer);
	else
		cr_assert_eq(iq_pacer_set(&pacer, due, 0), 0);
}

Test(pacer, what_is_past_comes_at_once_but_from_the_loop)
{
	struct iq_due due = { .come = again };

	begin();
	due.context = &due;
	cr_assert_eq(iq_pacer_set(&pacer, &due, 0), 0);
	cr_expect_eq(turns, 0);
	end();
	cr_expect_eq(turns, 3);
}

static void never(void *context)
{
	(void)context;
	cr_assert_fail("it comes after the pacer was closed");
}

Test(pacer, nothing_comes_after_it_is_closed)
{
	struct iq_due due = { .come = never };

	begin();
	cr_assert_eq(iq_pacer_set(&pacer, &due, iq_clock_monotonic()), 0);
	iq_pacer_close(&pacer);
	end();
}
