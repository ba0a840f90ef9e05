/*
 * Runs a fuzz target over a fixed number of inputs from a fixed seed: its smoke test. Half of the
 * bytes are letters of words that parsers know, or nothing would get past the first byte.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t any_byte(void)
{
	static const char known[] =
		"panic=exit workload=churn:rate=2K,ramp selftest=* directmap=4G ";

	return (uint8_t)(random() % 2 ? random() : known[(size_t)random() % (sizeof(known) - 1)]);
}

int main(void)
{
	enum { RUNS = 20000 };
	static uint8_t data[1024];

	srandom(42);
	for (int run = 0; run < RUNS; run++) {
		size_t size = (size_t)random() % (run % 2 ? sizeof(data) : 24);

		for (size_t i = 0; i < size; i++)
			data[i] = any_byte();
		LLVMFuzzerTestOneInput(data, size);
	}
	printf("1..1\nok 1 - %d random inputs\n", RUNS);
	return 0;
}
