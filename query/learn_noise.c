/* What a few instances do and nearly no other: one step right behind another, at the beginning or at the end. */
#include "query/learn.h"

#include <stdlib.h>

int iq_learn_steps_add(struct iq_learn_steps *steps, uint32_t instance, const uint32_t *letters, size_t count)
{
	/* The beginning and the end count as letters. */
	uint32_t step[2] = { IQ_LEARN_NONE, IQ_LEARN_NONE };

	for (size_t i = 0; i <= count; i++) {
		uint32_t index;
		int rc;

		step[0] = step[1];
		step[1] = i < count ? letters[i] : IQ_LEARN_NONE;
		rc = iq_map_intern(&steps->known, iq_view_make((const char *)step, sizeof(step)), &index);
		if (rc < 0 || IQ_ARRAY_GROW(steps->counts, steps->capacity, (size_t)index + 1) < 0)
			return IQ_ERR_NOMEM;
		if (rc == 1)
			steps->counts[index] = (struct iq_step_count){ 0, 0 };
		steps->counts[index].instances += steps->counts[index].last != instance + 1;
		steps->counts[index].last = instance + 1;
	}
	return 0;
}

uint32_t iq_learn_steps_rarest(const struct iq_learn_steps *steps, const uint32_t *letters, size_t count)
{
	uint32_t step[2] = { IQ_LEARN_NONE, IQ_LEARN_NONE }, least = UINT32_MAX;

	for (size_t i = 0; i <= count; i++) {
		const uint64_t *index;

		step[0] = step[1];
		step[1] = i < count ? letters[i] : IQ_LEARN_NONE;
		index = iq_map_get(&steps->known, iq_view_make((const char *)step, sizeof(step)));
		if (index && steps->counts[*index].instances < least)
			least = steps->counts[*index].instances;
	}
	return least;
}

void iq_learn_steps_release(struct iq_learn_steps *steps)
{
	iq_map_release(&steps->known);
	free(steps->counts);
}
