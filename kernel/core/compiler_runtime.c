/* What the compiler calls where the CPU that we build for has no instruction for it. */
#include <stdint.h>

int __popcountdi2(int64_t value);

/* Bits are added in pairs, fours and eights; the multiplication adds the eight bytes (Warren,
 * "Hacker's Delight", 5-1). */
int __popcountdi2(int64_t value)
{
	uint64_t x = (uint64_t)value;

	x -= x >> 1 & 0x5555555555555555ull;
	x = (x & 0x3333333333333333ull) + (x >> 2 & 0x3333333333333333ull);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0full;
	return (int)(x * 0x0101010101010101ull >> 56);
}
