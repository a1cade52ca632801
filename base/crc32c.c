#include "base/crc32c.h"

#include <string.h>

uint32_t iq_crc32c_by_table(uint32_t crc, struct iq_view view)
{
	static const uint32_t nibbles[16] = {
		0x00000000u, 0x105ec76fu, 0x20bd8edeu, 0x30e349b1u, 0x417b1dbcu, 0x5125dad3u, 0x61c69362u, 0x7198540du,
		0x82f63b78u, 0x92a8fc17u, 0xa24bb5a6u, 0xb21572c9u, 0xc38d26c4u, 0xd3d3e1abu, 0xe330a81au, 0xf36e6f75u,
	};

	crc = ~crc;
	for (size_t i = 0; i < view.len; i++) {
		crc ^= (uint8_t)view.data[i];
		crc = nibbles[crc & 15] ^ crc >> 4;
		crc = nibbles[crc & 15] ^ crc >> 4;
	}
	return ~crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t crc, struct iq_view view)
{
	uint64_t wide = crc, word;
	size_t at = 0;

	for (; view.len - at >= sizeof(word); at += sizeof(word)) {
		memcpy(&word, view.data + at, sizeof(word));
		wide = __builtin_ia32_crc32di(wide, word);
	}
	crc = (uint32_t)wide;
	for (; at < view.len; at++)
		crc = __builtin_ia32_crc32qi(crc, (unsigned char)view.data[at]);
	return crc;
}
#endif

uint32_t iq_crc32c(uint32_t crc, struct iq_view view)
{
	if (view.len == 0)
		return crc;
#ifdef __x86_64__
	if (__builtin_cpu_supports("sse4.2"))
		return ~by_instruction(~crc, view);
#endif
	return iq_crc32c_by_table(crc, view);
}
