#include <criterion/criterion.h>
#include <stdlib.h>

#include "replay/minimize.h"

#define UNITS 40

/* Fails while all of `needed` are kept. */
struct failure {
	bool needed[UNITS];
	unsigned tries;
	unsigned most; /* then it gives up */
};

static int fails(void *context, const bool *kept)
{
	struct failure *failure = context;

	if (failure->most && failure->tries >= failure->most)
		return IQ_ERR_LIMIT;
	failure->tries++;
	for (size_t i = 0; i < UNITS; i++)
		if (failure->needed[i] && !kept[i])
			return 0;
	return 1;
}

static void fill(bool kept[UNITS])
{
	for (size_t i = 0; i < UNITS; i++)
		kept[i] = true;
}

Test(minimize, leaves_nothing_that_could_go)
{
	for (unsigned seed = 0; seed < 200; seed++) {
		struct failure failure = { .tries = 0 };
		bool kept[UNITS];
		unsigned state = seed;

		for (size_t i = 0; i < UNITS; i++) {
			state = state * 1103515245u + 12345u;
			failure.needed[i] = (state >> 16) % 40 < seed % 8;
		}
		fill(kept);
		cr_assert_eq(iq_minimize(kept, UNITS, fails, &failure), 0);
		for (size_t i = 0; i < UNITS; i++)
			cr_expect_eq(kept[i], failure.needed[i], "seed %u, unit %zu", seed, i);
		cr_expect_leq(failure.tries, UNITS * UNITS, "seed %u", seed);
	}
}

Test(minimize, keeps_what_it_has_when_the_budget_ends_it)
{
	struct failure failure = { .needed = { [3] = true }, .most = 3 };
	bool kept[UNITS];
	size_t count = 0;

	fill(kept);
	cr_expect_eq(iq_minimize(kept, UNITS, fails, &failure), IQ_ERR_LIMIT);
	for (size_t i = 0; i < UNITS; i++)
		count += kept[i];
	cr_expect(kept[3]);
	cr_expect_lt(count, UNITS, "what was found so far is not lost");
}
