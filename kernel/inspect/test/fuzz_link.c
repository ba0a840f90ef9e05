/* libFuzzer: a hostile client on the raw byte stream. */
#include "hostile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size <= 4096)
		hostile_client(data, size);
	return 0;
}
