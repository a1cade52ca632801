#include <stdlib.h>

#include "store/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* More values than an input this small is likely to hold, so that both sides of the count are met. */
#define MAX_VALUES 300u
/* Sizes beyond this are refused by other means, which take the fuzzer's time. */
#define MAX_SIZE (1u << 20)

static void check_inside(struct iq_arena *arena, struct iq_view value)
{
	struct iq_view copy = iq_arena_copy(arena, value);

	if (value.data && !iq_view_eq(copy, value))
		abort();
}

/* Byte 0 is the layout, 1 and 2 the number of values, 3 to 5 the declared size; the coded bytes follow. They are decoded to
 * values that lie in memory, or refused. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct iq_codec *codec = iq_codec_new();
	struct iq_arena arena = IQ_ARENA_INIT;
	struct iq_view strings[MAX_VALUES];
	int64_t numbers[MAX_VALUES];
	struct iq_coded coded;
	size_t count;

	if (codec && size >= 6) {
		count = ((size_t)data[1] << 8 | data[2]) % MAX_VALUES;
		coded = (struct iq_coded){
			.layout = data[0],
			.size = ((uint64_t)data[3] << 16 | (uint64_t)data[4] << 8 | data[5]) % MAX_SIZE,
			.data = iq_view_make((const char *)data + 6, size - 6),
		};
		(void)iq_codec_decode_numbers(codec, &coded, numbers, count);
		if (iq_codec_decode_strings(codec, &coded, &arena, strings, count) == 0)
			for (size_t i = 0; i < count; i++)
				check_inside(&arena, strings[i]);
	}
	iq_arena_release(&arena);
	iq_codec_free(codec);
	return 0;
}
