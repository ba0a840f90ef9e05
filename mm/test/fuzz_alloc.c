// fuzz_alloc.c: any bytes as a sequence of operations (ops.c): hostile frees, runs
// in parts, failures on purpose, switches, all against the shadow.
#include "ops.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ops_result result;

	ops_run(data, size < 600 * OP_BYTES ? size : 600 * OP_BYTES, 16, &result);
	if (result.failed) {
		fprintf(stderr, "step %zu: %s\n", result.step, result.text);
		abort();
	}
	return 0;
}
