/* Columns come back as they went in, and damaged ones are refused. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

#include "store/codec.h"

static int64_t random_number(unsigned shape)
{
	switch (shape % 4) {
	case 0:
		return rand() % 10;
	case 1:
		return INT64_C(1795403232000000000) + rand();
	case 2:
		return rand() % 2 ? INT64_MIN : INT64_MAX;
	default:
		return (int64_t)((uint64_t)rand() << 33 ^ (uint64_t)rand());
	}
}

Test(codec, gives_numbers_back)
{
	/* What is coded is borrowed until the next call, so that another one decodes it. */
	struct iq_codec *codec = iq_codec_new(), *other = iq_codec_new();
	unsigned seed = (unsigned)time(NULL);
	int64_t values[500], decoded[500];
	struct iq_coded coded;

	srand(seed);
	for (unsigned round = 0; round < 400; round++) {
		size_t count = (size_t)rand() % 500;

		for (size_t i = 0; i < count; i++)
			values[i] = random_number(round);
		cr_assert_eq(iq_codec_encode_numbers(codec, values, count, &coded), 0);
		cr_assert_eq(iq_codec_decode_numbers(other, &coded, decoded, count), 0, "seed %u round %u", seed,
			     round);
		cr_assert(count == 0 || memcmp(values, decoded, count * sizeof(*values)) == 0, "seed %u round %u", seed,
			  round);
	}
	iq_codec_free(codec);
	iq_codec_free(other);
}

Test(codec, gives_strings_back)
{
	static const char alphabet[] = "ab\0\xff{}";
	struct iq_codec *codec = iq_codec_new(), *other = iq_codec_new();
	struct iq_arena arena = IQ_ARENA_INIT;
	unsigned seed = (unsigned)time(NULL);
	struct iq_view values[300], decoded[300];
	char bytes[64];
	struct iq_coded coded;

	srand(seed);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = alphabet[(size_t)rand() % (sizeof(alphabet) - 1)];
	for (unsigned round = 0; round < 400; round++) {
		size_t count = (size_t)rand() % 300, variety = 1 + (size_t)rand() % 60;

		for (size_t i = 0; i < count; i++)
			values[i] = rand() % 5
					    ? iq_view_make(bytes + (size_t)rand() % variety % 32, (size_t)rand() % 32)
					    : IQ_VIEW_NULL;
		cr_assert_eq(iq_codec_encode_strings(codec, values, count, &coded), 0);
		cr_assert_eq(iq_codec_decode_strings(other, &coded, &arena, decoded, count), 0, "seed %u round %u",
			     seed, round);
		for (size_t i = 0; i < count; i++) {
			cr_assert_eq(values[i].data == NULL, decoded[i].data == NULL,
				     "seed %u round %u: NULL is not empty", seed, round);
			cr_assert(iq_view_eq(values[i], decoded[i]), "seed %u round %u", seed, round);
		}
		iq_arena_clear(&arena);
	}
	iq_arena_release(&arena);
	iq_codec_free(codec);
	iq_codec_free(other);
}

/* Whatever the bytes, decoding ends with a status; the sanitizers see to the rest. */
Test(codec, refuses_damage)
{
	struct iq_codec *codec = iq_codec_new(), *other = iq_codec_new();
	struct iq_arena arena = IQ_ARENA_INIT;
	unsigned seed = (unsigned)time(NULL);
	struct iq_view values[50], decoded[50];
	int64_t numbers[50];
	struct iq_coded coded;
	size_t refused = 0;

	srand(seed);
	for (size_t i = 0; i < 50; i++)
		values[i] = i % 7 ? IQ_LIT("agent_started") : IQ_LIT("x");
	for (unsigned round = 0; round < 2000; round++) {
		char *copy;

		cr_assert_eq(iq_codec_encode_strings(codec, values, 50, &coded), 0);
		copy = malloc(coded.data.len);
		memcpy(copy, coded.data.data, coded.data.len);
		copy[(size_t)rand() % coded.data.len] ^= (char)(1 << rand() % 8);
		coded.data.data = copy;
		coded.layout = (uint8_t)(rand() % 4 ? coded.layout : rand() % 32);
		coded.data.len -= (size_t)rand() % 2;
		refused += iq_codec_decode_strings(other, &coded, &arena, decoded, 50) < 0;
		refused += iq_codec_decode_numbers(other, &coded, numbers, 50) < 0;
		iq_arena_clear(&arena);
		free(copy);
	}
	cr_expect_gt(refused, 2000, "seed %u", seed);
	iq_arena_release(&arena);
	iq_codec_free(codec);
	iq_codec_free(other);
}
