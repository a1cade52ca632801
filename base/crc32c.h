/* base/crc32c.h - CRC-32C (Castagnoli, RFC 3720 appendix B.4): finds torn and damaged records, proves nothing.
 */
#ifndef IQ_BASE_CRC32C_H
#define IQ_BASE_CRC32C_H

#include <inquest/base.h>

/* The checksum of what `crc` is the checksum of, followed by `view`; begin with 0. By the processor's instruction where it has one. */
uint32_t iq_crc32c(uint32_t crc, struct iq_view view);
/* The same without the instruction. */
uint32_t iq_crc32c_by_table(uint32_t crc, struct iq_view view);

#endif
