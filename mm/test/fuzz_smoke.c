// fuzz_smoke.c: runs a fuzz target over a few fixed pseudo-random inputs, so that
// every test run sees it work. Linked with the target in place of libFuzzer.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RUNS	    300
#define LONGEST	    600
#define GOLDEN_SEED 0x9e3779b97f4a7c15ul

int main(void)
{
	static uint8_t input[LONGEST];
	uint64_t x = GOLDEN_SEED;

	printf("1..1\n");
	for (unsigned run = 0; run < RUNS; run++) {
		size_t size = run * LONGEST / RUNS;

		for (size_t i = 0; i < size; i++) {
			x ^= x << 13, x ^= x >> 7, x ^= x << 17;
			input[i] = (uint8_t)(x >> 24);
		}
		LLVMFuzzerTestOneInput(input, size); // a fault in it ends the program
	}
	printf("ok 1 - %u inputs\n", RUNS);
	return 0;
}
