/* Any bytes as a workload's settings: refused with a reason, or all values within their ranges. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <kernel/workload.h>

#include "fuzz_seed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	memcpy(text, data, size);
	text[size] = '\0';
	for (size_t i = 0; workload_get(i) != NULL; i++) {
		const struct workload_param *params = workload_get(i)->params;
		uint64_t values[WORKLOAD_PARAMS_MAX];
		char reason[WORKLOAD_REASON_MAX] = "";
		bool good = workload_parse(workload_get(i), text, values, reason);

		if (good != (reason[0] == '\0') || strlen(reason) >= sizeof(reason))
			abort();
		for (int j = 0; params[j].name != NULL; j++) {
			if (values[j] < params[j].min || values[j] > params[j].max)
				abort();
		}
	}
	(void)workload_find(text);
	free(text);
	return 0;
}

size_t fuzz_seed(unsigned n, uint8_t *buf, size_t size)
{
	static const char *const good[] = {
		"objects=100:min=32:max=4K:rate=0:seed=7",
		"frames=4",
		"rate=1000000",
	};
	size_t bytes = n < sizeof(good) / sizeof(*good) ? strlen(good[n]) : 0;

	if (bytes > size)
		abort();
	memcpy(buf, good[n < sizeof(good) / sizeof(*good) ? n : 0], bytes);
	return bytes;
}
