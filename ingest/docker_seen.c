#include "ingest/docker_seen.h"

#include <stdlib.h>

void iq_docker_seen_release(struct iq_docker_seen *seen)
{
	free(seen->records);
	free(seen->again);
	free(seen->again_used);
}

static struct iq_docker_seen_record *record_at(const struct iq_docker_seen *seen, size_t i)
{
	return &seen->records[(seen->first + i) & (seen->capacity - 1)];
}

static int grow(struct iq_docker_seen *seen)
{
	const size_t capacity = seen->capacity ? 2 * seen->capacity : 64;
	struct iq_docker_seen_record *records = malloc(capacity * sizeof(*records));

	if (!records)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < seen->count; i++)
		records[i] = *record_at(seen, i);
	free(seen->records);
	seen->records = records;
	seen->capacity = capacity;
	seen->first = 0;
	return 0;
}

static void forget_oldest(struct iq_docker_seen *seen)
{
	const int64_t ts = record_at(seen, 0)->ts;

	if (ts >= seen->floor)
		seen->floor = ts + 1;
	seen->first = (seen->first + 1) & (seen->capacity - 1);
	seen->count--;
}

/* From where on it would be asked for again. */
static int64_t rewind_to(const struct iq_docker_seen *seen, int64_t begun)
{
	const int64_t since = seen->latest > IQ_DOCKER_SEEN_NS ? seen->latest - IQ_DOCKER_SEEN_NS : 0;

	return begun != IQ_TIME_NONE && begun < since ? begun : since;
}

int iq_docker_seen_add(struct iq_docker_seen *seen, int64_t ts, uint64_t hash, int64_t begun)
{
	if (ts > seen->latest)
		seen->latest = ts;
	while (seen->count > 0 &&
	       (seen->count == IQ_DOCKER_SEEN_MAX || record_at(seen, 0)->ts < rewind_to(seen, begun)))
		forget_oldest(seen);
	if (seen->count == seen->capacity && grow(seen) < 0)
		return IQ_ERR_NOMEM;
	*record_at(seen, seen->count++) = (struct iq_docker_seen_record){ ts, hash };
	seen->last = hash;
	return 0;
}

/* ---- Again ---- */

static int compare(const void *a, const void *b)
{
	const struct iq_docker_seen_record *x = a, *y = b;

	if (x->ts != y->ts)
		return x->ts < y->ts ? -1 : 1;
	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static int begin_again(struct iq_docker_seen *seen, int64_t since)
{
	struct iq_docker_seen_record *again = realloc(seen->again, (seen->count + 1) * sizeof(*again));
	uint8_t *used;

	if (!again)
		return IQ_ERR_NOMEM;
	seen->again = again;
	used = realloc(seen->again_used, seen->count + 1);
	if (!used)
		return IQ_ERR_NOMEM;
	seen->again_used = memset(used, 0, seen->count + 1);
	seen->again_count = 0;
	for (size_t i = 0; i < seen->count; i++)
		if (record_at(seen, i)->ts >= since)
			again[seen->again_count++] = *record_at(seen, i);
	qsort(again, seen->again_count, sizeof(*again), compare);
	seen->again_left = seen->again_count;
	return 0;
}

int iq_docker_seen_rewind(struct iq_docker_seen *seen, int64_t begun, int64_t *ret_since)
{
	const int64_t since = seen->latest == IQ_TIME_NONE ? IQ_TIME_NONE : rewind_to(seen, begun);

	seen->again_left = 0;
	*ret_since = since < seen->floor ? seen->floor : since;
	if (seen->latest == IQ_TIME_NONE)
		return 0;
	seen->proved = false;
	return begin_again(seen, *ret_since);
}

/* The first of these in the sorted array. */
static size_t lower_bound(const struct iq_docker_seen *seen, const struct iq_docker_seen_record *wanted)
{
	size_t low = 0, high = seen->again_count;

	while (low < high) {
		const size_t middle = (low + high) / 2;

		if (compare(&seen->again[middle], wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool iq_docker_seen_again(struct iq_docker_seen *seen, int64_t ts, uint64_t hash)
{
	const struct iq_docker_seen_record wanted = { ts, hash };

	if (seen->again_left == 0)
		return false;
	for (size_t i = lower_bound(seen, &wanted); i < seen->again_count && compare(&seen->again[i], &wanted) == 0;
	     i++) {
		if (seen->again_used[i])
			continue;
		seen->again_used[i] = 1;
		seen->again_left--;
		if (hash == seen->last)
			seen->proved = true;
		return true;
	}
	return false;
}
