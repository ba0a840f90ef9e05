/* A configuration is taken whole or not at all, and what is wrong is one line. */
#include "fuzz.h"

#include <memviz/config.h>
#include <string.h>

const char *const fuzz_seeds[] = {
	"{\"target\":\"unix:/x\",\"color\":\"never\",\"theme\":\"dark\",\"ascii\":true}",
	"{\"mouse\":false,\"hz\":30,\"timeout\":0.5,\"history\":60,\"screen\":\"map\"}",
	"{\"map_order\":\"hilbert\",\n\"nothing\":[1,{\"a\":null}]}",
	NULL,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mv_config c, before;
	struct mv_error e = {0};
	mv_config_default(&c);
	before = c;
	if (mv_config_parse(&c, (const char *)data, size, "x", &e) != MV_OK) {
		FUZZ_ASSERT(memcmp(&c, &before, sizeof c) == 0);
		FUZZ_ASSERT(e.message[0] && !strchr(e.message, '\n'));
		return 0;
	}
	FUZZ_ASSERT(c.hz >= 1 && c.hz <= 60);
	FUZZ_ASSERT(c.timeout_s >= 0.1 && c.timeout_s <= 60);
	return 0;
}
