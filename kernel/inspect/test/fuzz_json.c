/* libFuzzer: our JSON reader against json-c. */
#include "compare_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size <= 65536)
		compare_json(data, size);
	return 0;
}
