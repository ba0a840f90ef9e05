/* A fixed number of inputs from a fixed seed through the fuzz target: its smoke test. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(void)
{
	static uint8_t data[2048];

	srandom(42);
	for (int run = 0; run < 20000; run++) {
		size_t size = (size_t)random() % sizeof(data);

		for (size_t i = 0; i < size; i++)
			data[i] = (uint8_t)random();
		LLVMFuzzerTestOneInput(data, size);
	}
	printf("1..1\nok 1 - 20000 random inputs leave the virtqueue whole\n");
	return 0;
}
