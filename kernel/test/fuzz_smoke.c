/*
 * A short, always equal walk of a fuzz target: its good inputs, each of their truncations, and many
 * random changes of them. Finding nothing is the one test here; a fault ends the program.
 */
#include "fuzz_seed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX 4096
#define CHANGED	  20000u

static uint64_t random_state = 0x9e3779b97f4a7c15;

static uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* A copy of its own for each run: ASan sees the first byte behind it. */
static void run(const uint8_t *data, size_t bytes)
{
	uint8_t *copy = malloc(bytes ? bytes : 1);

	memcpy(copy, data, bytes);
	(void)LLVMFuzzerTestOneInput(copy, bytes);
	free(copy);
}

static void change(uint8_t *data, size_t bytes)
{
	static const uint8_t edges[] = {0, 1, 7, 8, 0x7f, 0x80, 0xff};

	for (uint64_t n = 1 + next_random() % 4; n > 0; n--) {
		size_t at = next_random() % bytes;

		data[at] = next_random() % 2 ? edges[next_random() % sizeof(edges)]
					     : (uint8_t)next_random();
	}
}

int main(void)
{
	uint8_t seed[INPUT_MAX], data[INPUT_MAX];
	unsigned seeds = 0;
	size_t bytes;

	for (; (bytes = fuzz_seed(seeds, seed, sizeof(seed))) > 0; seeds++) {
		for (size_t cut = 0; cut <= bytes; cut++)
			run(seed, cut);
		for (unsigned i = 0; i < CHANGED; i++) {
			memcpy(data, seed, bytes);
			change(data, bytes);
			run(data, bytes);
		}
	}
	printf("1..1\n%sok 1 - %u good inputs, cut and changed\n", seeds ? "" : "not ", seeds);
	return seeds ? 0 : 1;
}
