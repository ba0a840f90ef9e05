/*
 * A fuzz target of memviz is one function and some seeds. libFuzzer drives it
 * (make fuzz T=memviz-fuzz-...), and so does smoke.c: the same mutations each
 * time, as a part of the test suite.
 */
#ifndef MEMVIZ_FUZZ_H
#define MEMVIZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
extern const char *const fuzz_seeds[]; /* NULL ends them */

#define FUZZ_ASSERT(condition)            \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

#endif
