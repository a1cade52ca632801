/* Against brute force, and values worked out from the definitions in exact or high-precision arithmetic. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "query/stats.h"

#define CLOSE(a, b) cr_expect(fabs((a) - (b)) < 1e-6 * fmax(1e-3, fabs(b)), "%.9g, not %.9g", a, b)

static double ranks_p(const int64_t *first, size_t n, const int64_t *second, size_t m, double *ret_greater)
{
	int64_t a[200], b[200];
	struct iq_rank_test test;

	memcpy(a, first, n * sizeof(*a));
	memcpy(b, second, m * sizeof(*b));
	cr_assert_eq(iq_stats_ranks(a, n, b, m, &test), 0);
	*ret_greater = test.greater;
	return test.p;
}

/* All ways of dealing the values out, for a few of them. */
static double brute_force(const int64_t *values, size_t count, size_t n)
{
	double ranks[16], seen = 0, total = 0, extreme = 0;

	for (size_t i = 0; i < count; i++) {
		double below = 0, same = 0;

		for (size_t j = 0; j < count; j++) {
			below += values[j] < values[i];
			same += values[j] == values[i];
		}
		ranks[i] = below + (same + 1) / 2;
		seen += i < n ? ranks[i] : 0;
	}
	for (unsigned chosen = 0; chosen < 1u << count; chosen++) {
		double sum = 0, middle = (double)n * (double)(count + 1) / 2;

		if ((size_t)__builtin_popcount(chosen) != n)
			continue;
		for (size_t i = 0; i < count; i++)
			sum += chosen >> i & 1 ? ranks[i] : 0;
		total++;
		extreme += fabs(sum - middle) >= fabs(seen - middle) - 1e-9;
	}
	return extreme / total;
}

Test(stats, few_values_are_compared_exactly)
{
	srand(1);
	for (int round = 0; round < 50; round++) {
		int64_t values[10];
		double greater;

		for (size_t i = 0; i < 10; i++)
			values[i] = rand() % 7;
		CLOSE(ranks_p(values, 4, values + 4, 6, &greater), brute_force(values, 10, 4));
	}
}

Test(stats, nothing_and_everything)
{
	const int64_t low[] = { 1, 2, 3, 4, 5 }, high[] = { 11, 12, 13, 14, 15 };
	double greater;

	CLOSE(ranks_p(low, 5, high, 5, &greater), 2.0 / 252);
	CLOSE(greater, 1.0);
	CLOSE(ranks_p(low, 5, low, 5, &greater), 1.0);
	CLOSE(greater, 0.5);
	CLOSE(ranks_p(low, 0, high, 5, &greater), 1.0);
}

/* 100 values against 100 that are shifted by a third of their spread. */
Test(stats, many_values_are_compared_by_placements)
{
	int64_t a[100], b[100];
	double greater, p;

	for (int i = 0; i < 100; i++) {
		a[i] = i * 37 % 100;
		b[i] = i * 53 % 100 + 20;
	}
	p = ranks_p(a, 100, b, 100, &greater);
	CLOSE(greater, 0.68);
	cr_expect(fabs(p / 2.52515024486965e-6 - 1) < 1e-9, "%.17g", p);
	for (int i = 0; i < 100; i++)
		b[i] = i * 53 % 100;
	CLOSE(ranks_p(a, 100, b, 100, &greater), 1.0);
	for (int i = 0; i < 100; i++)
		b[i] += 1000;
	cr_expect(ranks_p(a, 100, b, 100, &greater) < 1e-50);
}

Test(stats, shares_by_fisher)
{
	CLOSE(iq_stats_shares(3, 4, 1, 4), 0.4857142857);
	CLOSE(iq_stats_shares(10, 12, 2, 15), 0.0004352313007582896);
	cr_expect(fabs(iq_stats_shares(31, 60, 412, 420) / 9.332253890345441e-23 - 1) < 1e-6);
	CLOSE(iq_stats_shares(0, 5, 0, 7), 1.0);
}

Test(stats, counts_by_the_binomial)
{
	CLOSE(iq_stats_counts(0, 1, 5, 1), 0.0625);
	CLOSE(iq_stats_counts(5, 1, 5, 1), 1.0);
	CLOSE(iq_stats_counts(8, 1, 2, 1), 0.109375);
	CLOSE(iq_stats_counts(0, 1, 0, 1), 1.0);
	cr_expect(iq_stats_counts(10, 10, 100, 10) < 1e-15);
	CLOSE(iq_stats_counts(10, 1, 100, 10), 1.0);
}

Test(stats, many_comparisons)
{
	double p[] = { 0.01, 0.04, 0.03, 0.005 };

	cr_assert_eq(iq_stats_correct(p, 4), 0);
	CLOSE(p[0], 0.02);
	CLOSE(p[1], 0.04);
	CLOSE(p[2], 0.04);
	CLOSE(p[3], 0.02);
}
