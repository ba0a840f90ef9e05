/* A line of a trace: read, told to be bad, or left alone; never guessed. */
#include "fuzz.h"

#include <memviz/ftrace.h>

const char *const fuzz_seeds[] = {
	"  gcc-1 [001] ..... 1421.699540: kmalloc: call_site=f+0x8 ptr=00000000165 bytes_req=512 "
	"x=1",
	"a [1] b: c-7 [000] d..1. 1.000002: kfree: call_site=x ptr=000000000000ff00",
	"x-1 [0] ..... 1.0: mm_page_alloc: page=00000000e7be132a pfn=0x158216 order=9 m=0",
	"x-1 [0] 1.0: mm_page_free: page=1 pfn=12 order=0",
	"x-1 [0] 1.0: kmem_cache_free: ptr=(null)",
	NULL,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mv_ftrace f;
	mv_ftrace_parse((const char *)data, size, &f);
	FUZZ_ASSERT(f.kind < MV_FTRACE_KINDS && f.order <= 30);
	FUZZ_ASSERT((f.kind == MV_FTRACE_BAD) == (f.bad != NULL));
	return 0;
}
