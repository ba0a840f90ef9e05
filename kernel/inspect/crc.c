/*
 * CRC-32 with the reflected polynomial 0xEDB88320 (IEEE 802.3, ITU-T V.42), eight bytes per step:
 * table[k][b] is the CRC of byte b followed by k zero bytes, so that eight look-ups advance the
 * register by 64 bits ("slicing-by-8", Kounavis and Berry, 2005).
 */
#include "internal.h"

#include <string.h>

void insp_crc_init(uint32_t table[8][256])
{
	for (uint32_t b = 0; b < 256; b++) {
		uint32_t c = b;
		for (int bit = 0; bit < 8; bit++)
			c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
		table[0][b] = c;
	}
	for (int k = 1; k < 8; k++)
		for (uint32_t b = 0; b < 256; b++)
			table[k][b] = table[k - 1][b] >> 8 ^ table[0][table[k - 1][b] & 0xff];
}

uint32_t insp_crc(const uint32_t table[8][256], const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	uint32_t c = 0xffffffffu;

	for (; len >= 8; len -= 8, p += 8) {
		uint64_t v;
		__builtin_memcpy(&v, p, 8);
		v ^= c;
		c = table[7][v & 0xff] ^ table[6][v >> 8 & 0xff] ^ table[5][v >> 16 & 0xff] ^
		    table[4][v >> 24 & 0xff] ^ table[3][v >> 32 & 0xff] ^ table[2][v >> 40 & 0xff] ^
		    table[1][v >> 48 & 0xff] ^ table[0][v >> 56];
	}
	for (; len; len--, p++)
		c = table[0][(c ^ *p) & 0xff] ^ c >> 8;
	return ~c;
}
