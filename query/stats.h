/* query/stats.h - the statistics by which two recordings are compared. Pure functions; probabilities are those of seeing as much or more
 * of a difference where there is none ("p").
 *
 *  - durations: ranks, not means. Up to IQ_STATS_EXACT values together the exact permutation distribution of the rank sum, ties as they
 *    are (F. Wilcoxon, 1945); above that E. Brunner and U. Munzel, "The Nonparametric Behrens-Fisher Problem", 2000, which
 *    allows for different spreads. The effect is the chance that a value of the second is larger than one of the first.
 *  - shares (how many of so many): R. Fisher's exact test.
 *  - counts over different exposures: the exact conditional binomial test.
 *  - many comparisons: Y. Benjamini and Y. Hochberg, 1995.
 */
#ifndef IQ_QUERY_STATS_H
#define IQ_QUERY_STATS_H

#include "base/base.h"

#define IQ_STATS_EXACT 60u

struct iq_rank_test {
	double p;	/* 1 where there is nothing to compare */
	double greater; /* chance that a value of the second is larger, ties half */
	int64_t median[2];
	int64_t high[2]; /* 95th percentile */
};

/* Sorts both. 0 or IQ_ERR_NOMEM. */
int iq_stats_ranks(int64_t *first, size_t first_count, int64_t *second, size_t second_count,
		   struct iq_rank_test *ret_test);
/* Two-sided: a of n against b of m. */
double iq_stats_shares(uint64_t a, uint64_t n, uint64_t b, uint64_t m);
/* Two-sided: counts a and b, where the exposures are x and y. */
double iq_stats_counts(uint64_t a, double x, uint64_t b, double y);
/* Replaces each p by the smallest rate of false discoveries at which it would still count. 0 or IQ_ERR_NOMEM. */
int iq_stats_correct(double *p, size_t count);

#endif
