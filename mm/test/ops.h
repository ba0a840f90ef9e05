// ops.h: sequences of operations on mm, run against a shadow that knows what must
// be true. Any bytes are a sequence, so that random tests, their shrinking and
// the fuzzer share one interpreter.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OP_BYTES 6

struct ops_result {
	bool failed;
	size_t step; // the operation that failed
	char text[300];
};

// Starts a machine, runs size / OP_BYTES operations, frees everything, and stops
// it. check_every: mm_check() after so many steps, 0 only at the end.
void ops_run(const uint8_t *bytes, size_t size, unsigned check_every, struct ops_result *result);

// One operation in words.
void ops_describe(const uint8_t op[OP_BYTES], char *text, size_t size);
