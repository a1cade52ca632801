#include "query/stats.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

/* Terms of a continued fraction; it is there long before. */
#define MAX_TERMS 300
/* What is as likely as what was seen, but for rounding. */
#define ALIKE (1 + 1e-7)

/* ---- Distributions ---- */

/* The continued fraction of the incomplete beta function (modified Lentz; Numerical Recipes names it betacf). */
static double beta_fraction(double a, double b, double x)
{
	double c = 1, d = 1 - (a + b) * x / (a + 1), result;

	d = 1 / (fabs(d) < DBL_MIN ? DBL_MIN : d);
	result = d;
	for (int m = 1; m <= MAX_TERMS; m++) {
		const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
		const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
		const double terms[2] = { even, odd };
		double change = 1;

		for (int i = 0; i < 2; i++) {
			d = 1 + terms[i] * d;
			c = 1 + terms[i] / c;
			d = 1 / (fabs(d) < DBL_MIN ? DBL_MIN : d);
			c = fabs(c) < DBL_MIN ? DBL_MIN : c;
			change = d * c;
			result *= change;
		}
		if (fabs(change - 1) < 1e-14)
			break;
	}
	return result;
}

/* The regularised incomplete beta function. */
static double beta(double a, double b, double x)
{
	double front;

	if (x <= 0 || x >= 1)
		return x <= 0 ? 0 : 1;
	front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
	return x < (a + 1) / (a + b + 2) ? front * beta_fraction(a, b, x) / a
					 : 1 - front * beta_fraction(b, a, 1 - x) / b;
}

/* Both tails of Student's distribution. */
static double student(double t, double freedom)
{
	return beta(freedom / 2, 0.5, freedom / (freedom + t * t));
}

static double log_choose(double n, double k)
{
	return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1);
}

/* ---- Ranks ---- */

static int by_value(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* How many of the sorted values are smaller, and how many are not larger. */
static void place(const int64_t *values, size_t count, int64_t value, size_t *below, size_t *up_to)
{
	while (*below < count && values[*below] < value)
		(*below)++;
	*up_to = *up_to < *below ? *below : *up_to;
	while (*up_to < count && values[*up_to] <= value)
		(*up_to)++;
}

struct placements {
	double sum; /* of what is below each value in the other, ties half */
	double squares;
};

static struct placements place_all(const int64_t *values, size_t count, const int64_t *others, size_t other_count)
{
	struct placements placements = { 0 };
	size_t below = 0, up_to = 0;

	for (size_t i = 0; i < count; i++) {
		double at;

		place(others, other_count, values[i], &below, &up_to);
		at = (double)(below + up_to) / 2;
		placements.sum += at;
		placements.squares += at * at;
	}
	return placements;
}

static double variance(const struct placements *placements, size_t count)
{
	const double mean = placements->sum / (double)count;
	const double spread = placements->squares - (double)count * mean * mean;

	return count > 1 && spread > 0 ? spread / (double)(count - 1) : 0;
}

/* Placements are ranks in both less ranks in one: the variance of Brunner and Munzel is that of placements. */
static double brunner_munzel(const int64_t *first, size_t n, const int64_t *second, size_t m, double greater)
{
	const struct placements of_first = place_all(first, n, second, m), of_second = place_all(second, m, first, n);
	const double a = variance(&of_first, n) / ((double)m * (double)m) / (double)n;
	const double b = variance(&of_second, m) / ((double)n * (double)n) / (double)m;
	const double freedom = (a + b) * (a + b) / (a * a / (double)(n - 1) + b * b / (double)(m - 1));

	/* Nothing overlaps: as unlikely as one order of all. */
	if (a + b <= 0)
		return greater == 0.5 ? 1 : fmin(1, 2 * exp(-log_choose((double)(n + m), (double)n)));
	return student((greater - 0.5) / sqrt(a + b), freedom);
}

/* Twice the rank of each value among all, so that ties are whole numbers. */
static void double_ranks(const int64_t *all, size_t count, uint32_t *ranks)
{
	for (size_t from = 0, to; from < count; from = to) {
		for (to = from + 1; to < count && all[to] == all[from];)
			to++;
		for (size_t i = from; i < to; i++)
			ranks[i] = (uint32_t)(from + to + 1);
	}
}

/* Ways of choosing `n` of the ranks so that they add up to each sum; ways[k * (most + 1) + sum]. */
static void count_ways(const uint32_t *ranks, size_t count, size_t n, size_t most, double *ways)
{
	ways[0] = 1;
	for (size_t i = 0; i < count; i++)
		for (size_t k = n < i + 1 ? n : i + 1; k > 0; k--)
			for (size_t sum = most; sum >= ranks[i]; sum--)
				ways[k * (most + 1) + sum] += ways[(k - 1) * (most + 1) + sum - ranks[i]];
}

static int permutation(const int64_t *first, size_t n, const int64_t *second, size_t m, double *ret_p)
{
	const size_t count = n + m, most = count * (count + 1);
	int64_t all[IQ_STATS_EXACT];
	uint32_t ranks[IQ_STATS_EXACT];
	double *ways = calloc((n + 1) * (most + 1), sizeof(*ways));
	double total = 0, extreme = 0, seen = 0;
	const double middle = (double)n * (double)(count + 1);

	if (!ways)
		return IQ_ERR_NOMEM;
	memcpy(all, first, n * sizeof(*all));
	memcpy(all + n, second, m * sizeof(*all));
	qsort(all, count, sizeof(*all), by_value);
	double_ranks(all, count, ranks);
	for (size_t i = 0, at = 0; i < n; i++) {
		while (all[at] != first[i])
			at++;
		seen += ranks[at];
	}
	count_ways(ranks, count, n, most, ways);
	for (size_t sum = 0; sum <= most; sum++) {
		const double these = ways[n * (most + 1) + sum];

		total += these;
		extreme += fabs((double)sum - middle) >= fabs(seen - middle) - 0.5 ? these : 0;
	}
	free(ways);
	*ret_p = total > 0 ? extreme / total : 1;
	return 0;
}

int iq_stats_ranks(int64_t *first, size_t n, int64_t *second, size_t m, struct iq_rank_test *ret_test)
{
	*ret_test = (struct iq_rank_test){ .p = 1, .greater = 0.5 };
	if (n == 0 || m == 0)
		return 0;
	qsort(first, n, sizeof(*first), by_value);
	qsort(second, m, sizeof(*second), by_value);
	ret_test->greater = place_all(second, m, first, n).sum / ((double)n * (double)m);
	ret_test->median[0] = first[n / 2];
	ret_test->median[1] = second[m / 2];
	ret_test->high[0] = first[(n - 1) * 95 / 100];
	ret_test->high[1] = second[(m - 1) * 95 / 100];
	if (n + m <= IQ_STATS_EXACT)
		return permutation(first, n, second, m, &ret_test->p);
	if (n > 1 && m > 1)
		ret_test->p = brunner_munzel(first, n, second, m, ret_test->greater);
	return 0;
}

/* ---- Shares and counts ---- */

double iq_stats_shares(uint64_t a, uint64_t n, uint64_t b, uint64_t m)
{
	const double hits = (double)(a + b), all = (double)(n + m), whole = log_choose(all, hits);
	const double seen = log_choose((double)n, (double)a) + log_choose((double)m, (double)b) - whole;
	const uint64_t least = a + b > m ? a + b - m : 0, most = a + b < n ? a + b : n;
	double p = 0;

	for (uint64_t k = least; k <= most; k++) {
		const double log_p = log_choose((double)n, (double)k) + log_choose((double)m, hits - (double)k) - whole;

		p += log_p <= seen + log(ALIKE) ? exp(log_p) : 0;
	}
	return p < 1 ? p : 1;
}

double iq_stats_counts(uint64_t a, double x, uint64_t b, double y)
{
	const double share = x + y > 0 ? x / (x + y) : 0.5, n = (double)(a + b), k = (double)a;
	double up_to, from;

	if (a + b == 0)
		return 1;
	up_to = a + b == a ? 1 : 1 - beta(k + 1, n - k, share); /* P(at most k) */
	from = a == 0 ? 1 : beta(k, n - k + 1, share);		/* P(at least k) */
	return fmin(1, 2 * fmin(up_to, from));
}

/* ---- Many comparisons ---- */

struct ranked {
	double p;
	size_t at;
};

static int by_p(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	return (x->p > y->p) - (x->p < y->p);
}

int iq_stats_correct(double *p, size_t count)
{
	struct ranked *ranked = calloc(count + 1, sizeof(*ranked));
	double smallest = 1;

	if (!ranked)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < count; i++)
		ranked[i] = (struct ranked){ p[i], i };
	qsort(ranked, count, sizeof(*ranked), by_p);
	for (size_t i = count; i-- > 0;) {
		smallest = fmin(smallest, ranked[i].p * (double)count / (double)(i + 1));
		p[ranked[i].at] = smallest;
	}
	free(ranked);
	return 0;
}
