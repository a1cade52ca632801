#include "base/literals.h"

#include <stdlib.h>

#include "base/view.h"

/* Bytes that occur in no literal are one class, so that the table stays in the cache. */
struct iq_literals {
	uint8_t class_of[256];
	size_t classes;
	size_t states;
	size_t capacity;
	uint16_t *next;	  /* [state * classes + class]; while it is built, 0 is "none" */
	uint16_t *found;  /* by state: 1 + the literal that ends here, 0 for none */
	uint16_t *suffix; /* by state: the longest other state that is an end of this one */
};

static void classify(struct iq_literals *literals, const struct iq_view *texts, size_t count)
{
	literals->classes = 1;
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < texts[i].len; j++) {
			uint8_t *class = &literals->class_of[(unsigned char)texts[i].data[j]];

			if (*class == 0)
				*class = (uint8_t)literals->classes++;
		}
	for (unsigned c = 'A'; c <= 'Z'; c++)
		literals->class_of[c] = literals->class_of[c + ('a' - 'A')];
}

static uint16_t *step(const struct iq_literals *literals, size_t state, unsigned char c)
{
	return &literals->next[state * literals->classes + literals->class_of[c]];
}

static int add(struct iq_literals *literals, struct iq_view text, size_t number)
{
	size_t state = 0;

	for (size_t i = 0; i < text.len; i++) {
		uint16_t *next = step(literals, state, (unsigned char)text.data[i]);

		if (*next == 0)
			*next = (uint16_t)literals->states++;
		state = *next;
	}
	literals->found[state] = (uint16_t)(number + 1);
	return state == 0 ? IQ_ERR_USAGE : 0;
}

/* Breadth first: what is missing in a state is what its longest end does. */
static int complete(struct iq_literals *literals)
{
	uint16_t *queue = calloc(literals->states, sizeof(*queue));
	size_t head = 0, tail = 0;
	int rc = queue ? 0 : IQ_ERR_NOMEM;

	for (size_t class = 0; rc == 0 && class < literals->classes; class ++)
		if (literals->next[class])
			queue[tail++] = literals->next[class];
	while (rc == 0 && head < tail) {
		const size_t state = queue[head++], suffix = literals->suffix[state];

		if (literals->found[suffix])
			rc = IQ_ERR_USAGE;
		for (size_t class = 0; class < literals->classes; class ++) {
			uint16_t *next = &literals->next[state * literals->classes + class];
			const uint16_t other = literals->next[suffix * literals->classes + class];

			if (*next) {
				literals->suffix[*next] = other;
				queue[tail++] = *next;
			} else {
				*next = other;
			}
		}
	}
	free(queue);
	return rc;
}

static int build(struct iq_literals *literals, const struct iq_view *texts, size_t count)
{
	int rc = 0;

	classify(literals, texts, count);
	literals->next = calloc(literals->capacity * literals->classes, sizeof(*literals->next));
	literals->found = calloc(literals->capacity, sizeof(*literals->found));
	literals->suffix = calloc(literals->capacity, sizeof(*literals->suffix));
	if (!literals->next || !literals->found || !literals->suffix)
		return IQ_ERR_NOMEM;
	literals->states = 1;
	for (size_t i = 0; i < count && rc == 0; i++)
		rc = add(literals, texts[i], i);
	return rc == 0 ? complete(literals) : rc;
}

int iq_literals_new(const struct iq_view *texts, size_t count, struct iq_literals **ret_literals)
{
	struct iq_literals *literals;
	size_t bytes = 0;
	int rc;

	for (size_t i = 0; i < count; i++) {
		if (texts[i].len > IQ_LITERALS_MAX_BYTES - bytes)
			return IQ_ERR_LIMIT;
		bytes += texts[i].len;
	}
	literals = calloc(1, sizeof(*literals));
	if (!literals)
		return IQ_ERR_NOMEM;
	literals->capacity = bytes + 1;
	rc = build(literals, texts, count);
	if (rc < 0)
		iq_literals_free(literals);
	else
		*ret_literals = literals;
	return rc;
}

void iq_literals_free(struct iq_literals *literals)
{
	if (!literals)
		return;
	free(literals->next);
	free(literals->found);
	free(literals->suffix);
	free(literals);
}

size_t iq_literals_next(const struct iq_literals *literals, struct iq_view text, struct iq_literals_place *place)
{
	size_t state = place->state;

	for (size_t pos = place->pos; pos < text.len; pos++) {
		state = *step(literals, state, (unsigned char)text.data[pos]);
		if (!literals->found[state])
			continue;
		place->pos = pos + 1;
		place->state = (uint16_t)state;
		return literals->found[state] - 1u;
	}
	place->pos = text.len;
	place->state = (uint16_t)state;
	return IQ_LITERALS_NONE;
}
