/* Drives a fuzz target with fixed mutations of its seeds. */
#include "fuzz.h"

#include <memviz/base.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUNS 4000u
#define MOST 4096

static uint64_t seed = 1;

static size_t pick(size_t n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return n ? (size_t)(seed >> 33) % n : 0;
}

static size_t mutate(uint8_t *data, size_t size)
{
	for (size_t n = 1 + pick(4); n; n--) {
		size_t at = pick(size), len = pick(size - at < 40 ? size - at : 40);
		switch (pick(5)) {
		case 0: /* drop */
			memmove(data + at, data + at + len, size - at - len);
			size -= len;
			break;
		case 1: /* repeat */
			if (size + len > MOST)
				break;
			memmove(data + at + len, data + at, size - at);
			size += len;
			break;
		case 2:
			size = at;
			break;
		default:
			if (size)
				data[at < size ? at : 0] = (uint8_t)pick(256);
		}
	}
	return size;
}

int main(void)
{
	uint8_t *data = mv_alloc(2 * MOST);
	size_t seeds = 0;
	while (fuzz_seeds[seeds])
		seeds++;
	for (size_t i = 0; i < seeds; i++)
		LLVMFuzzerTestOneInput((const uint8_t *)fuzz_seeds[i], strlen(fuzz_seeds[i]));
	for (unsigned i = 0; i < RUNS; i++) {
		const char *from = fuzz_seeds[pick(seeds)];
		size_t size = strlen(from) < MOST ? strlen(from) : MOST;
		memcpy(data, from, size);
		size = mutate(data, size);
		/* Exactly as long, so that a read behind the end is seen. */
		uint8_t *exact = mv_alloc(size);
		memcpy(exact, data, size);
		LLVMFuzzerTestOneInput(exact, size);
		free(exact);
	}
	free(data);
	printf("1..1\nok 1 - %u mutations of %zu seeds\n", RUNS, seeds);
	return 0;
}
