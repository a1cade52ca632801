#include "store/stream.h"

#include <stdlib.h>
#include <string.h>
#define ZSTD_STATIC_LINKING_ONLY /* for frames without magic number */
#include <zstd.h>

/* So many values are looked at to choose a layout. */
/* Shorter streams have no dictionary, and neither have numbers that come to fewer bits each. */
#define LEAST_DICTIONARY 64u
#define WIDE_BITS 20u
/* Shorter streams have no ranks. */
#define LEAST_RECENT 256u
#define LEAST_FOLLOW 1024u
#define SAMPLE 2048u
/* Streams shorter than this are not worth a frame. */
#define LEAST_COMPRESSED 24u

struct iq_codec {
	ZSTD_CCtx *compressor;
	ZSTD_DCtx *decompressor;
	int level;
	struct iq_buf planes;
	struct iq_buf numbers; /* int64_t */
	struct iq_map *words;
};

struct iq_codec *iq_codec_new(int level)
{
	struct iq_codec *codec = calloc(1, sizeof(*codec));

	if (!codec)
		return NULL;
	codec->level = level;
	codec->compressor = ZSTD_createCCtx();
	codec->decompressor = ZSTD_createDCtx();
	if (!codec->compressor || !codec->decompressor) {
		iq_codec_free(codec);
		return NULL;
	}
	(void)ZSTD_CCtx_setParameter(codec->compressor, ZSTD_c_compressionLevel, level);
	(void)ZSTD_CCtx_setParameter(codec->compressor, ZSTD_c_contentSizeFlag, 0);
	(void)ZSTD_CCtx_setParameter(codec->compressor, ZSTD_c_format, ZSTD_f_zstd1_magicless);
	(void)ZSTD_DCtx_setParameter(codec->decompressor, ZSTD_d_format, ZSTD_f_zstd1_magicless);
	return codec;
}

void iq_codec_free(struct iq_codec *codec)
{
	if (!codec)
		return;
	ZSTD_freeCCtx(codec->compressor);
	ZSTD_freeDCtx(codec->decompressor);
	iq_buf_release(&codec->planes);
	iq_buf_release(&codec->numbers);
	free(codec);
}

void iq_codec_share_words(struct iq_codec *codec, struct iq_map *words)
{
	codec->words = words;
}

struct iq_map *iq_codec_words(const struct iq_codec *codec)
{
	return codec->words;
}

int iq_codec_level(const struct iq_codec *codec)
{
	return codec->level;
}

/* ---- Varints ---- */

static uint64_t zigzag(int64_t value)
{
	return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}

static int64_t unzigzag(uint64_t value)
{
	return (int64_t)(value >> 1 ^ (0 - (value & 1)));
}

int iq_varint_append(struct iq_buf *buf, uint64_t value)
{
	char bytes[10];
	size_t len = 0;

	while (value >= 0x80) {
		bytes[len++] = (char)(value | 0x80);
		value >>= 7;
	}
	bytes[len++] = (char)value;
	return iq_buf_append(buf, iq_view_make(bytes, len));
}

int iq_zigzag_append(struct iq_buf *buf, int64_t value)
{
	return iq_varint_append(buf, zigzag(value));
}

bool iq_varint_take(struct iq_view *rest, uint64_t *ret_value)
{
	uint64_t value = 0;

	for (size_t i = 0; i < rest->len && i < 10; i++) {
		uint64_t bits = (unsigned char)rest->data[i] & 0x7Fu;

		if (i == 9 && bits > 1)
			return false;
		value |= bits << (7 * i);
		if (((unsigned char)rest->data[i] & 0x80) == 0) {
			*rest = iq_view_from(*rest, i + 1);
			*ret_value = value;
			return true;
		}
	}
	return false;
}

bool iq_zigzag_take(struct iq_view *rest, int64_t *ret_value)
{
	uint64_t raw;

	if (!iq_varint_take(rest, &raw))
		return false;
	*ret_value = unzigzag(raw);
	return true;
}

bool iq_byte_take(struct iq_view *rest, uint8_t *ret_byte)
{
	if (rest->len == 0)
		return false;
	*ret_byte = (uint8_t)rest->data[0];
	*rest = iq_view_from(*rest, 1);
	return true;
}

bool iq_bytes_take(struct iq_view *rest, uint64_t len, struct iq_view *ret_bytes)
{
	if (len > rest->len)
		return false;
	*ret_bytes = iq_view_make(rest->data, (size_t)len);
	*rest = iq_view_from(*rest, (size_t)len);
	return true;
}

/* ---- Bytes ---- */

static int append_plain(struct iq_view bytes, struct iq_buf *out)
{
	(void)iq_varint_append(out, (uint64_t)bytes.len << 1);
	return iq_buf_append(out, bytes);
}

/* Room for the packed length is left before the frame, which is moved up where the varint is shorter. */
static int append_packed(struct iq_codec *codec, struct iq_view bytes, struct iq_buf *out)
{
	size_t start = out->len, bound = ZSTD_compressBound(bytes.len), packed;
	struct iq_buf head = IQ_BUF_INIT;

	if (iq_buf_reserve(out, bound + 32) < 0)
		return IQ_ERR_NOMEM;
	packed = ZSTD_compress2(codec->compressor, out->data + start + 20, bound, bytes.data, bytes.len);
	if (ZSTD_isError(packed))
		return IQ_ERR_NOMEM;
	if (packed + 4 >= bytes.len)
		return append_plain(bytes, out);
	(void)iq_varint_append(&head, (uint64_t)bytes.len << 1 | 1);
	(void)iq_varint_append(&head, packed);
	if (!head.failed) {
		memcpy(out->data + start, head.data, head.len);
		memmove(out->data + start + head.len, out->data + start + 20, packed);
		out->len = start + head.len + packed;
		out->data[out->len] = '\0';
	}
	iq_buf_release(&head);
	return out->len > start ? 0 : IQ_ERR_NOMEM;
}

int iq_stream_append_bytes(struct iq_codec *codec, struct iq_view bytes, struct iq_buf *out)
{
	return bytes.len < LEAST_COMPRESSED ? append_plain(bytes, out) : append_packed(codec, bytes, out);
}

int iq_stream_take_bytes(struct iq_codec *codec, struct iq_view *rest, struct iq_arena *arena,
			 struct iq_view *ret_bytes)
{
	uint64_t head, packed;
	struct iq_view frame;
	size_t size, got;
	char *data;

	if (!iq_varint_take(rest, &head) || head >> 1 > IQ_STREAM_MAX_BYTES)
		return IQ_ERR_CORRUPT;
	size = (size_t)(head >> 1);
	if ((head & 1) == 0)
		return iq_bytes_take(rest, size, ret_bytes) ? 0 : IQ_ERR_CORRUPT;
	if (!iq_varint_take(rest, &packed) || !iq_bytes_take(rest, packed, &frame))
		return IQ_ERR_CORRUPT;
	/* zstd cannot do better than this: a smaller frame that claims more is not given memory. */
	if (size / 40000 > frame.len)
		return IQ_ERR_CORRUPT;
	data = iq_arena_alloc(arena, size + 1);
	if (!data)
		return IQ_ERR_NOMEM;
	got = ZSTD_decompressDCtx(codec->decompressor, data, size, frame.data, frame.len);
	if (ZSTD_isError(got) || got != size)
		return IQ_ERR_CORRUPT;
	data[size] = '\0';
	*ret_bytes = iq_view_make(data, size);
	return 0;
}

/* ---- Packed numbers ---- */

struct span {
	uint64_t base;
	uint64_t scale;
	unsigned width;
};

static uint64_t gcd(uint64_t a, uint64_t b)
{
	while (b != 0) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

static unsigned bytes_of(uint64_t value)
{
	unsigned width = 0;

	for (; value != 0; value >>= 8)
		width++;
	return width;
}

static struct span measure(const int64_t *values, size_t count)
{
	int64_t least = values[0], most = values[0];
	uint64_t scale = 0;

	for (size_t i = 1; i < count; i++) {
		least = values[i] < least ? values[i] : least;
		most = values[i] > most ? values[i] : most;
	}
	for (size_t i = 0; i < count && scale != 1; i++)
		if (values[i] != least)
			scale = scale && ((uint64_t)values[i] - (uint64_t)least) % scale == 0
					? scale
					: gcd((uint64_t)values[i] - (uint64_t)least, scale);
	if (scale == 0)
		scale = 1;
	return (struct span){ (uint64_t)least, scale, bytes_of(((uint64_t)most - (uint64_t)least) / scale) };
}

static void split_planes(const int64_t *values, size_t count, struct span span, char *planes)
{
	for (unsigned plane = 0; plane < span.width; plane++) {
		unsigned shift = 8 * plane;
		char *out = planes + (size_t)plane * count;

		if (span.scale == 1)
			for (size_t i = 0; i < count; i++)
				out[i] = (char)(((uint64_t)values[i] - span.base) >> shift);
		else
			for (size_t i = 0; i < count; i++)
				out[i] = (char)(((uint64_t)values[i] - span.base) / span.scale >> shift);
	}
}

/* log2(n) * 16, by table: entropies are compared, not believed. */
static uint32_t log2_16(uint32_t n)
{
	static const uint8_t fraction[16] = { 0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 15 };
	unsigned whole = 31 - (unsigned)__builtin_clz(n);
	uint32_t mantissa = whole >= 4 ? n >> (whole - 4) & 15 : n << (4 - whole) & 15;

	return whole * 16 + fraction[mantissa];
}

/* Entropy of a plane, in sixteenths of bits. */
static uint64_t plane_bits(const char *plane, size_t count)
{
	uint32_t histogram[256] = { 0 };
	uint64_t bits = 0;

	for (size_t i = 0; i < count; i++)
		histogram[(unsigned char)plane[i]]++;
	for (unsigned byte = 0; byte < 256; byte++)
		if (histogram[byte])
			bits += (uint64_t)histogram[byte] * (log2_16((uint32_t)count) - log2_16(histogram[byte]));
	return bits;
}

/* A plane of noise is stored as it is. */
static int append_plane(struct iq_codec *codec, const char *plane, size_t count, struct iq_buf *out)
{
	const struct iq_view bytes = iq_view_make(plane, count);

	if (count > 256 && count <= UINT32_MAX && plane_bits(plane, count) > (uint64_t)count * (8 * 16 - 3))
		return append_plain(bytes, out);
	return iq_stream_append_bytes(codec, bytes, out);
}

static int append_numbers(struct iq_codec *codec, const int64_t *values, size_t count, struct iq_buf *out)
{
	struct span span = count ? measure(values, count) : (struct span){ 0, 1, 0 };
	int rc = 0;

	iq_buf_clear(&codec->planes);
	if (iq_buf_reserve(&codec->planes, count * span.width + 1) < 0)
		return IQ_ERR_NOMEM;
	split_planes(values, count, span, codec->planes.data);
	(void)iq_zigzag_append(out, (int64_t)span.base);
	(void)iq_varint_append(out, span.scale);
	(void)iq_buf_append_char(out, (char)span.width);
	for (unsigned plane = 0; plane < span.width && rc == 0; plane++)
		rc = append_plane(codec, codec->planes.data + plane * count, count, out);
	return rc;
}

static int take_numbers(struct iq_codec *codec, struct iq_view *rest, size_t count, int64_t *values,
			struct iq_arena *arena)
{
	struct iq_view plane;
	int64_t base;
	uint64_t scale;
	uint8_t width;

	if (!iq_zigzag_take(rest, &base) || !iq_varint_take(rest, &scale) || !iq_byte_take(rest, &width) || width > 8)
		return IQ_ERR_CORRUPT;
	for (size_t i = 0; i < count; i++)
		values[i] = 0;
	for (unsigned at = 0; at < width; at++) {
		int rc = iq_stream_take_bytes(codec, rest, arena, &plane);

		if (rc < 0 || plane.len != count)
			return rc < 0 ? rc : IQ_ERR_CORRUPT;
		for (size_t i = 0; i < count; i++)
			values[i] = (int64_t)((uint64_t)values[i] | (uint64_t)(unsigned char)plane.data[i] << (8 * at));
	}
	for (size_t i = 0; i < count; i++)
		values[i] = (int64_t)((uint64_t)base + scale * (uint64_t)values[i]);
	return 0;
}

/* ---- Integers ---- */

/* Replaces values by their differences, in place, from `from` on. */
static void to_differences(int64_t *values, size_t count, size_t from)
{
	for (size_t i = count; i-- > from;)
		values[i] = (int64_t)((uint64_t)values[i] - (uint64_t)values[i - 1]);
}

static void from_differences(int64_t *values, size_t count, size_t from)
{
	for (size_t i = from; i < count; i++)
		values[i] = (int64_t)((uint64_t)values[i] + (uint64_t)values[i - 1]);
}

/* About what the values' planes come to, in sixteenths of bits. */
static uint64_t cost(const int64_t *values, size_t count)
{
	char planes[8 * SAMPLE];
	struct span span = count ? measure(values, count) : (struct span){ 0, 1, 0 };
	uint64_t bits = 0;

	split_planes(values, count, span, planes);
	for (unsigned plane = 0; plane < span.width; plane++)
		bits += plane_bits(planes + plane * count, count);
	return bits;
}

/* ---- Recency ---- */

/* Values that came last, the last one first. */
#define RECENT 64u

struct recent {
	int64_t values[RECENT];
	unsigned count;
	int64_t next; /* the value that a rank of 0 stands for: codes are numbered as they first appear */
};

static void move_to_front(struct recent *recent, unsigned from, int64_t value)
{
	memmove(recent->values + 1, recent->values, from * sizeof(value));
	recent->values[0] = value;
}

static void put_front(struct recent *recent, int64_t value)
{
	if (recent->count < RECENT)
		recent->count++;
	move_to_front(recent, recent->count - 1, value);
}

static int64_t rank_of(struct recent *recent, int64_t value)
{
	unsigned at = 0;

	while (at < recent->count && recent->values[at] != value)
		at++;
	if (at < recent->count) {
		move_to_front(recent, at, value);
		return (int64_t)at + 1;
	}
	put_front(recent, value);
	if (value != recent->next)
		return value + RECENT + 1;
	recent->next++;
	return 0;
}

/* False beyond what was ever put in. */
static bool value_of(struct recent *recent, int64_t rank, int64_t *ret_value)
{
	if (rank < 0)
		return false;
	if (rank >= 1 && rank <= RECENT) {
		if ((unsigned)rank > recent->count)
			return false;
		*ret_value = recent->values[rank - 1];
		move_to_front(recent, (unsigned)rank - 1, *ret_value);
		return true;
	}
	*ret_value = rank == 0 ? recent->next++ : rank - (RECENT + 1);
	put_front(recent, *ret_value);
	return true;
}

/* ---- What followed what ---- */

/* Values that came last after another, the last one first. */
#define FOLLOWERS 8u
/* Larger values are not coded so. */
#define MAX_FOLLOW 8192u

struct followers {
	uint16_t values[FOLLOWERS];
	uint16_t count;
};

static void follower_to_front(struct followers *followers, unsigned from, uint16_t value)
{
	memmove(followers->values + 1, followers->values, from * sizeof(value));
	followers->values[0] = value;
}

static void follower_put(struct followers *followers, uint16_t value)
{
	if (followers->count < FOLLOWERS)
		followers->count++;
	follower_to_front(followers, followers->count - 1u, value);
}

/* A rank below FOLLOWERS is a follower, another is the value. */
static int64_t follower_rank(struct followers *followers, uint16_t value)
{
	unsigned at = 0;

	while (at < followers->count && followers->values[at] != value)
		at++;
	if (at < followers->count) {
		follower_to_front(followers, at, value);
		return at;
	}
	follower_put(followers, value);
	return (int64_t)value + FOLLOWERS;
}

static bool follower_value(struct followers *followers, int64_t rank, size_t limit, int64_t *ret_value)
{
	if (rank >= 0 && rank < (int64_t)followers->count) {
		*ret_value = followers->values[rank];
		follower_to_front(followers, (unsigned)rank, (uint16_t)*ret_value);
		return true;
	}
	*ret_value = rank - FOLLOWERS;
	if (*ret_value < 0 || (size_t)*ret_value >= limit)
		return false;
	follower_put(followers, (uint16_t)*ret_value);
	return true;
}

/* `lists`: one for each value there may be. */
static void follower_ranks(struct followers *lists, const int64_t *values, size_t count, int64_t *ranks)
{
	int64_t before = 0;

	for (size_t i = 0; i < count; i++) {
		ranks[i] = follower_rank(&lists[before], (uint16_t)values[i]);
		before = values[i];
	}
}

/* One more than the largest value; 0 where they cannot be coded so. */
static size_t follow_limit(const int64_t *values, size_t count)
{
	int64_t most = 0;

	for (size_t i = 0; i < count; i++) {
		if (values[i] < 0 || values[i] >= MAX_FOLLOW)
			return 0;
		most = values[i] > most ? values[i] : most;
	}
	return (size_t)most + 1;
}

static uint64_t follow_cost(const int64_t *sample, size_t count, size_t limit)
{
	struct followers *lists = calloc(limit, sizeof(*lists));
	int64_t ranks[SAMPLE];
	size_t half = count / 2;
	uint64_t bits = UINT64_MAX / 16;

	if (lists) {
		follower_ranks(lists, sample, count, ranks);
		bits = cost(ranks + half, count - half) * 2; /* the lists fill first */
	}
	free(lists);
	return bits;
}

static bool has_ranks(const int64_t *values, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (values[i] < 0 || values[i] > INT64_MAX - RECENT - 1)
			return false;
	return true;
}

static uint64_t recent_cost(const int64_t *sample, size_t count)
{
	struct recent recent = { .next = 0 };
	int64_t ranks[SAMPLE];

	for (size_t i = 0; i < count; i++)
		recent.next = sample[i] > recent.next ? sample[i] : recent.next;
	recent.next -= recent.next > (int64_t)count ? (int64_t)count : recent.next; /* as if it began in mid-stream */
	for (size_t i = 0; i < count; i++) {
		while (recent.next < sample[i] && recent.next < INT64_MAX && sample[i] - recent.next < (int64_t)count)
			recent.next++;
		ranks[i] = rank_of(&recent, sample[i]);
	}
	return cost(ranks, count);
}

/* ---- Choosing ---- */

struct choice {
	enum iq_ints_layout layout;
	uint64_t cost;
};

static void consider(struct choice *choice, enum iq_ints_layout layout, uint64_t bits)
{
	if (bits < choice->cost)
		*choice = (struct choice){ layout, bits };
}

static struct choice choose_layout(const int64_t *values, size_t count)
{
	int64_t sample[SAMPLE];
	size_t size = count < SAMPLE ? count : SAMPLE;
	const int64_t *from = values + (count - size) / 2;
	struct choice choice = { IQ_INTS_PLANES, UINT64_MAX };
	size_t limit;

	if (count < 4)
		return choice;
	choice.cost = cost(from, size);
	memcpy(sample, from, size * sizeof(*sample));
	to_differences(sample, size, 1);
	consider(&choice, IQ_INTS_DELTA, cost(sample + 1, size - 1));
	to_differences(sample, size, 2);
	consider(&choice, IQ_INTS_DELTA2, cost(sample + 2, size - 2));
	/* It takes longer to read, and has to pay. */
	if (count >= LEAST_RECENT && choice.cost > size && has_ranks(values, count))
		consider(&choice, IQ_INTS_RECENT, recent_cost(from, size) * 9 / 8);
	if (count >= LEAST_FOLLOW && choice.cost > size * 8 && (limit = follow_limit(values, count)) > 1 &&
	    limit < count / 16)
		consider(&choice, IQ_INTS_FOLLOW, follow_cost(from, size, limit) * 9 / 8);
	return choice;
}

uint64_t iq_stream_ints_cost(const int64_t *values, size_t count)
{
	return count < 4 ? 0 : choose_layout(values, count).cost;
}

static bool all_equal(const int64_t *values, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (values[i] != values[0])
			return false;
	return true;
}

static int append_differences(struct iq_codec *codec, const int64_t *values, size_t count, size_t order,
			      struct iq_buf *out)
{
	int64_t *numbers;

	iq_buf_clear(&codec->numbers);
	if (iq_buf_reserve(&codec->numbers, count * sizeof(*numbers)) < 0)
		return IQ_ERR_NOMEM;
	numbers = (int64_t *)(void *)codec->numbers.data;
	memcpy(numbers, values, count * sizeof(*numbers));
	for (size_t i = 1; i <= order; i++)
		to_differences(numbers, count, i);
	for (size_t i = 0; i < order; i++)
		(void)iq_zigzag_append(out, numbers[i]);
	return append_numbers(codec, numbers + order, count - order, out);
}

static int append_ranks(struct iq_codec *codec, const int64_t *values, size_t count, struct iq_buf *out)
{
	struct recent recent = { .count = 0 };
	int64_t *ranks;

	iq_buf_clear(&codec->numbers);
	if (iq_buf_reserve(&codec->numbers, count * sizeof(*ranks)) < 0)
		return IQ_ERR_NOMEM;
	ranks = (int64_t *)(void *)codec->numbers.data;
	for (size_t i = 0; i < count; i++)
		ranks[i] = rank_of(&recent, values[i]);
	return append_numbers(codec, ranks, count, out);
}

static int append_followers(struct iq_codec *codec, const int64_t *values, size_t count, struct iq_buf *out)
{
	const size_t limit = follow_limit(values, count);
	struct followers *lists = calloc(limit, sizeof(*lists));
	int rc = IQ_ERR_NOMEM;

	iq_buf_clear(&codec->numbers);
	if (lists && iq_buf_reserve(&codec->numbers, count * sizeof(int64_t)) == 0) {
		int64_t *ranks = (int64_t *)(void *)codec->numbers.data;

		follower_ranks(lists, values, count, ranks);
		(void)iq_varint_append(out, limit);
		rc = append_numbers(codec, ranks, count, out);
	}
	free(lists);
	return rc;
}

static int append_layout(struct iq_codec *codec, enum iq_ints_layout layout, const int64_t *values, size_t count,
			 struct iq_buf *out)
{
	(void)iq_buf_append_char(out, (char)layout);
	if (layout == IQ_INTS_RECENT)
		return append_ranks(codec, values, count, out);
	if (layout == IQ_INTS_FOLLOW)
		return append_followers(codec, values, count, out);
	if (layout == IQ_INTS_PLANES)
		return append_numbers(codec, values, count, out);
	return append_differences(codec, values, count, layout == IQ_INTS_DELTA ? 1 : 2, out);
}

static int append_const(int64_t value, struct iq_buf *out)
{
	(void)iq_buf_append_char(out, IQ_INTS_CONST);
	return iq_zigzag_append(out, value);
}

/* Numbers each by its first appearance. 1 where they repeat so often that a dictionary pays. */
static int number_values(const int64_t *values, size_t count, int64_t *numbers, size_t *ret_size, int64_t *codes)
{
	struct iq_map seen = IQ_MAP_INIT;
	uint32_t index;
	bool pays = true;
	int rc = 0;

	for (size_t i = 0; i < count && rc >= 0 && pays; i++) {
		rc = iq_map_intern(&seen, iq_view_make((const char *)&values[i], sizeof(values[i])), &index);
		if (rc < 0)
			break;
		codes[i] = index;
		numbers[index] = values[i];
		pays = i < LEAST_DICTIONARY || seen.count <= i / 8 * 7 + LEAST_DICTIONARY;
	}
	pays = pays && seen.count <= count / 8 * 7;
	*ret_size = seen.count;
	iq_map_release(&seen);
	return rc < 0 ? rc : pays;
}

/* Bytes that are told apart lose the repetition of whole numbers. */
static int append_dictionary(struct iq_codec *codec, const int64_t *values, size_t count, struct iq_buf *out)
{
	int64_t *numbers = malloc(2 * (count + 1) * sizeof(*numbers));
	size_t size = 0;
	int rc = numbers ? number_values(values, count, numbers, &size, numbers + count + 1) : IQ_ERR_NOMEM;

	if (rc == 1) {
		const int64_t *codes = numbers + count + 1;

		(void)iq_buf_append_char(out, IQ_INTS_DICT);
		(void)iq_varint_append(out, size);
		if (append_layout(codec, choose_layout(numbers, size).layout, numbers, size, out) < 0 ||
		    append_layout(codec, choose_layout(codes, count).layout, codes, count, out) < 0)
			rc = IQ_ERR_NOMEM;
	}
	free(numbers);
	return rc;
}

int iq_stream_append_ints(struct iq_codec *codec, const int64_t *values, size_t count, struct iq_buf *out)
{
	struct choice choice;
	int rc;

	if (all_equal(values, count))
		return append_const(count ? values[0] : 0, out);
	choice = choose_layout(values, count);
	if (count > LEAST_DICTIONARY && choice.cost > (count < SAMPLE ? count : SAMPLE) * WIDE_BITS * 16) {
		rc = append_dictionary(codec, values, count, out);
		if (rc != 0)
			return rc < 0 ? rc : 0;
	}
	return append_layout(codec, choice.layout, values, count, out);
}

/* The value that most rows of each code have, by majority vote (Boyer and Moore), and the rows that differ from it. */
static int append_given(struct iq_codec *codec, const int64_t *values, const int64_t *given, size_t given_count,
			size_t count, struct iq_buf *out, bool *ret_done)
{
	int64_t *table = calloc(given_count + 1, sizeof(*table));
	uint32_t *votes = calloc(given_count + 1, sizeof(*votes));
	int64_t *rows = malloc((count / 16 + 1) * 2 * sizeof(*rows)), *others = rows + count / 16 + 1;
	size_t differ = 0, before = 0;

	for (size_t i = 0; table && votes && i < count; i++) {
		size_t code = (size_t)given[i];

		if (votes[code] == 0)
			table[code] = values[i];
		votes[code] += table[code] == values[i] ? 1 : UINT32_MAX;
	}
	*ret_done = table && votes && rows;
	for (size_t i = 0; *ret_done && i < count; i++) {
		if (values[i] == table[given[i]])
			continue;
		if (differ == count / 16) {
			*ret_done = false;
			break;
		}
		rows[differ] = (int64_t)(i - before);
		others[differ++] = values[i];
		before = i;
	}
	if (*ret_done) {
		(void)iq_buf_append_char(out, IQ_INTS_GIVEN);
		(void)iq_varint_append(out, given_count);
		(void)iq_stream_append_ints(codec, table, given_count, out);
		(void)iq_varint_append(out, differ);
		(void)iq_stream_append_ints(codec, rows, differ, out);
		(void)iq_stream_append_ints(codec, others, differ, out);
	}
	free(table);
	free(votes);
	free(rows);
	return out->failed ? IQ_ERR_NOMEM : 0;
}

int iq_stream_append_ints_given(struct iq_codec *codec, const int64_t *values, const int64_t *given, size_t given_count,
				size_t count, struct iq_buf *out)
{
	bool done = false;
	int rc = 0;

	/* A table of codes as long as the column tells nothing. */
	if (given && given_count > 1 && given_count < count / 4 && !all_equal(values, count))
		rc = append_given(codec, values, given, given_count, count, out, &done);
	return rc < 0 || done ? rc : iq_stream_append_ints(codec, values, count, out);
}

static int take_differences(struct iq_codec *codec, struct iq_view *rest, size_t count, size_t order,
			    struct iq_arena *arena, int64_t *values)
{
	int rc;

	if (count < order)
		return IQ_ERR_CORRUPT;
	for (size_t i = 0; i < order; i++)
		if (!iq_zigzag_take(rest, &values[i]))
			return IQ_ERR_CORRUPT;
	rc = take_numbers(codec, rest, count - order, values + order, arena);
	for (size_t i = order; i > 0 && rc == 0; i--)
		from_differences(values, count, i);
	return rc;
}

static int take_ranks(struct iq_codec *codec, struct iq_view *rest, size_t count, struct iq_arena *arena,
		      int64_t *values)
{
	struct recent recent = { .count = 0 };
	int rc = take_numbers(codec, rest, count, values, arena);

	for (size_t i = 0; rc == 0 && i < count; i++)
		if (!value_of(&recent, values[i], &values[i]))
			rc = IQ_ERR_CORRUPT;
	return rc;
}

static int take_followers(struct iq_codec *codec, struct iq_view *rest, size_t count, struct iq_arena *arena,
			  int64_t *values)
{
	struct followers *lists;
	int64_t before = 0;
	uint64_t limit;
	int rc;

	if (!iq_varint_take(rest, &limit) || limit == 0 || limit > MAX_FOLLOW)
		return IQ_ERR_CORRUPT;
	lists = iq_arena_calloc(arena, (size_t)limit, sizeof(*lists));
	if (!lists)
		return IQ_ERR_NOMEM;
	rc = take_numbers(codec, rest, count, values, arena);
	for (size_t i = 0; rc == 0 && i < count; i++) {
		if (!follower_value(&lists[before], values[i], (size_t)limit, &values[i]))
			rc = IQ_ERR_CORRUPT;
		before = rc == 0 ? values[i] : 0;
	}
	return rc;
}

/* `inner`: of a dictionary, which has none itself. */
static int take_ints(struct iq_codec *codec, struct iq_view *rest, size_t count, const int64_t *given,
		     struct iq_arena *arena, bool inner, int64_t **ret_values);

static int take_dictionary(struct iq_codec *codec, struct iq_view *rest, size_t count, struct iq_arena *arena,
			   int64_t *values)
{
	uint64_t size;
	int64_t *numbers, *codes;
	int rc;

	if (!iq_varint_take(rest, &size) || size > count)
		return IQ_ERR_CORRUPT;
	rc = take_ints(codec, rest, (size_t)size, NULL, arena, true, &numbers);
	if (rc == 0)
		rc = take_ints(codec, rest, count, NULL, arena, true, &codes);
	for (size_t i = 0; rc == 0 && i < count; i++) {
		if ((uint64_t)codes[i] >= size)
			return IQ_ERR_CORRUPT;
		values[i] = numbers[codes[i]];
	}
	return rc;
}

static int take_given(struct iq_codec *codec, struct iq_view *rest, size_t count, const int64_t *given,
		      struct iq_arena *arena, int64_t *values)
{
	uint64_t codes, differ, row = 0;
	int64_t *table, *rows, *others;
	int rc;

	if (!given || !iq_varint_take(rest, &codes) || codes > IQ_STREAM_MAX_BYTES / sizeof(*table))
		return IQ_ERR_CORRUPT;
	rc = iq_stream_take_ints(codec, rest, (size_t)codes, NULL, arena, &table);
	if (rc == 0 && (!iq_varint_take(rest, &differ) || differ > count))
		rc = IQ_ERR_CORRUPT;
	if (rc == 0)
		rc = iq_stream_take_ints(codec, rest, (size_t)differ, NULL, arena, &rows);
	if (rc == 0)
		rc = iq_stream_take_ints(codec, rest, (size_t)differ, NULL, arena, &others);
	for (size_t i = 0; rc == 0 && i < count; i++) {
		if ((uint64_t)given[i] >= codes)
			return IQ_ERR_CORRUPT;
		values[i] = table[given[i]];
	}
	for (uint64_t i = 0; rc == 0 && i < differ; i++) {
		row += (uint64_t)rows[i];
		if (row >= count)
			return IQ_ERR_CORRUPT;
		values[row] = others[i];
	}
	return rc;
}

static int take_ints(struct iq_codec *codec, struct iq_view *rest, size_t count, const int64_t *given,
		     struct iq_arena *arena, bool inner, int64_t **ret_values)
{
	int64_t *values, value;
	uint8_t layout;
	int rc = 0;

	if (!iq_byte_take(rest, &layout) || layout >= IQ_INTS_LAYOUTS || count > IQ_STREAM_MAX_BYTES / sizeof(*values))
		return IQ_ERR_CORRUPT;
	values = iq_arena_alloc(arena, (count + 1) * sizeof(*values));
	if (!values)
		return IQ_ERR_NOMEM;
	if (layout == IQ_INTS_CONST) {
		if (!iq_zigzag_take(rest, &value))
			return IQ_ERR_CORRUPT;
		for (size_t i = 0; i < count; i++)
			values[i] = value;
	} else if (layout == IQ_INTS_PLANES) {
		rc = take_numbers(codec, rest, count, values, arena);
	} else if (layout == IQ_INTS_DICT) {
		rc = inner ? IQ_ERR_CORRUPT : take_dictionary(codec, rest, count, arena, values);
	} else if (layout == IQ_INTS_FOLLOW) {
		rc = take_followers(codec, rest, count, arena, values);
	} else if (layout == IQ_INTS_RECENT) {
		rc = take_ranks(codec, rest, count, arena, values);
	} else if (layout == IQ_INTS_GIVEN) {
		rc = take_given(codec, rest, count, given, arena, values);
	} else {
		rc = take_differences(codec, rest, count, layout == IQ_INTS_DELTA ? 1 : 2, arena, values);
	}
	*ret_values = values;
	return rc;
}

int iq_stream_take_ints(struct iq_codec *codec, struct iq_view *rest, size_t count, const int64_t *given,
			struct iq_arena *arena, int64_t **ret_values)
{
	return take_ints(codec, rest, count, given, arena, false, ret_values);
}
