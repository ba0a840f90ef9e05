// test_random.c: seeded random sequences of operations against the shadow of
// ops.c. A sequence that fails is shrunk and printed.
// usage: mm-random [SEED [OPERATIONS [CHECK_EVERY]]] runs one sequence.
#include "ops.h"
#include "rng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void fill(uint8_t *bytes, size_t size, uint64_t seed)
{
	struct rng rng = {seed};

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)rng_next(&rng);
	// Some seeds fill the machine, others keep it nearly empty or call few sizes.
	for (size_t i = 0; i < size; i += OP_BYTES) {
		if (seed % 5 == 1 && bytes[i] % 32 >= 10 && bytes[i] % 32 <= 16 && i % 4)
			bytes[i] = (uint8_t)(bytes[i] % 3);
		if (seed % 5 == 2)
			bytes[i + 1] = (uint8_t)(bytes[i + 1] % 8 + (bytes[i] % 32 < 10 ? 5 : 0));
		if (seed % 5 == 3 && bytes[i] % 32 >= 29)
			bytes[i] = 20;
	}
}

static bool still_fails(const uint8_t *bytes, size_t size)
{
	struct ops_result result;

	ops_run(bytes, size, 16, &result);
	return result.failed;
}

#define SHRINK_SECONDS 60 // long sequences shrink slowly; what is left is shown

// Leaves out ever smaller parts as long as it still fails.
static size_t shrink(uint8_t *bytes, size_t size)
{
	uint8_t *trial = malloc(size);
	time_t end = time(NULL) + SHRINK_SECONDS;

	for (size_t part = size / OP_BYTES / 2; part; part /= 2) {
		for (size_t at = 0; at + part * OP_BYTES <= size && time(NULL) < end;) {
			size_t cut = part * OP_BYTES;

			memcpy(trial, bytes, at);
			memcpy(trial + at, bytes + at + cut, size - at - cut);
			if (still_fails(trial, size - cut)) {
				size -= cut;
				memcpy(bytes, trial, size);
			} else {
				at += cut;
			}
		}
	}
	free(trial);
	return size;
}

static void tell(uint8_t *bytes, size_t size)
{
	struct ops_result result;
	char text[200];

	size = shrink(bytes, size);
	ops_run(bytes, size, 1, &result);
	printf("# shrunk to %zu operations: %s\n", size / OP_BYTES, result.text);
	for (size_t at = 0; at < size && at < 300 * OP_BYTES; at += OP_BYTES) {
		ops_describe(bytes + at, text, sizeof(text));
		printf("#   %s\n", text);
	}
}

static bool passes(uint64_t seed, size_t operations, unsigned check_every)
{
	size_t size = operations * OP_BYTES;
	uint8_t *bytes = malloc(size);
	struct ops_result result;

	fill(bytes, size, seed);
	ops_run(bytes, size, check_every, &result);
	if (result.failed) {
		printf("# seed %lu, step %zu: %s\n", seed, result.step, result.text);
		tell(bytes, (result.step + 1) * OP_BYTES);
	}
	free(bytes);
	return !result.failed;
}

int main(int argc, char **argv)
{
	static const struct {
		uint64_t seeds;
		size_t operations;
		unsigned check_every;
	} plan[] = {
		{60, 400,	  1   },
		      {20, 5000,	 64  },
		      {3,  60000, 4096}
	      };
	bool good = true;

	if (argc > 1)
		return !passes(strtoull(argv[1], NULL, 0),
			       argc > 2 ? strtoul(argv[2], NULL, 0) : 10000,
			       argc > 3 ? (unsigned)strtoul(argv[3], NULL, 0) : 64);
	printf("1..3\n");
	for (unsigned i = 0; i < 3; i++) {
		bool ok = true;

		for (uint64_t seed = 1; ok && seed <= plan[i].seeds; seed++)
			ok = passes(seed + i * 1000, plan[i].operations, plan[i].check_every);
		printf("%sok %u - %lu random sequences of %zu operations\n", ok ? "" : "not ",
		       i + 1, plan[i].seeds, plan[i].operations);
		good &= ok;
	}
	return !good;
}
