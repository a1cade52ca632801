#include "store/presence.h"

/* How many of the bits from `begin`, a multiple of 64, up to `end`, at most 64 later, are set. */
static uint32_t count_bits(const unsigned char *bits, size_t begin, size_t end)
{
	uint64_t word = 0;

	for (size_t byte = begin / 8; byte < end / 8; byte++)
		word = word << 8 | bits[byte];
	if (end % 8)
		word ^= (uint64_t)(bits[end / 8] & ((1u << end % 8) - 1)) << 56;
	return (uint32_t)__builtin_popcountll(word);
}

/* Among all. */
static size_t rank_of(const struct iq_presence *presence, size_t bit)
{
	return presence->ranks[bit / 64] + count_bits(presence->bits, bit / 64 * 64, bit);
}

static int add_up(struct iq_presence *presence, size_t all, struct iq_arena *arena)
{
	uint32_t *ranks = iq_arena_alloc(arena, (all / 64 + 1) * sizeof(*ranks)), sum = 0;

	if (!ranks)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i <= all / 64; i++) {
		ranks[i] = sum;
		sum += count_bits(presence->bits, i * 64, (i + 1) * 64 < all ? (i + 1) * 64 : all);
	}
	presence->ranks = ranks;
	return 0;
}

int iq_presence_take(struct iq_codec *codec, struct iq_view *rest, struct iq_window window, struct iq_arena *arena,
		     struct iq_presence *ret_presence, struct iq_window *ret_present)
{
	struct iq_presence presence = { .first = window.first };
	struct iq_view bits;
	int rc = iq_stream_take_part(codec, rest, iq_window_whole((window.all + 7) / 8), arena, &bits);

	if (rc < 0)
		return rc;
	presence.bits = (const unsigned char *)bits.data;
	rc = add_up(&presence, window.all, arena);
	if (rc < 0)
		return rc;
	presence.before = rank_of(&presence, window.first);
	*ret_present = (struct iq_window){ rank_of(&presence, window.all), presence.before,
					   rank_of(&presence, window.first + window.count) - presence.before };
	*ret_presence = presence;
	return 0;
}

size_t iq_presence_rank(const struct iq_presence *presence, size_t index)
{
	return presence->bits ? rank_of(presence, presence->first + index) - presence->before : index;
}
