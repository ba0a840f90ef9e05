/*
 * Any bytes as a command line, a size and a glob: nothing is read or written out of bounds, each
 * fault is reported as a text, what is accepted lies within its range, and parsing twice is the
 * same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <kernel/log.h>
#include <kernel/panic.h>
#include <kernel/params.h>
#include <kernel/selftest.h>

#include "fuzz_seed.h"

static void must(int condition)
{
	if (!condition)
		abort();
}

static void count(const char *text, void *context)
{
	must(strlen(text) > 0);
	++*(unsigned *)context;
}

static void check(const struct kernel_params *p)
{
	must(p->directmap_bytes >= 32ull << 20 && p->directmap_bytes % (2 << 20) == 0);
	must(p->zone_dma_bytes >= 2ull << 20 && p->zone_dma_bytes <= 4ull << 30);
	must(p->inspect <= INSPECT_FULL && p->serial <= SERIAL_MUX && p->panic <= PANIC_EXIT);
	must(p->loglevel <= LOG_DEBUG);
	must(memchr(p->workload, 0, sizeof(p->workload)) != NULL);
	must(memchr(p->weaken, 0, sizeof(p->weaken)) != NULL);
	must(memchr(p->selftest_pattern, 0, sizeof(p->selftest_pattern)) != NULL);
	must(p->selftest_pattern[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kernel_params once, twice;
	unsigned faults = 0, again = 0;
	uint64_t bytes;
	char *line = malloc(size + 1);

	memcpy(line, data, size);
	line[size] = '\0';
	params_defaults(&once);
	params_defaults(&twice);
	must(params_parse(line, &once, count, &faults) == faults);
	check(&once);
	must(params_parse(line, &twice, count, &again) == again && again == faults);
	must(memcmp(&once, &twice, sizeof(once)) == 0);
	(void)parse_size(line, &bytes);
	must(edit_distance(line, "workload", 3) <= 4);
	if (size > 1) {
		line[size / 2] = '\0';
		(void)glob_match(line, line + size / 2 + 1);
	}
	free(line);
	return 0;
}

size_t fuzz_seed(unsigned n, uint8_t *buf, size_t size)
{
	static const char *const good[] = {
		"directmap=1G zone_dma=16M inspect=full serial=mux loglevel=3 poison=1",
		"workload=churn:rate=5,leak trace=on panic=exit gdbwait redzone=1",
		"selftest=mm.*,boot.* weaken=wx workloat=none",
		"0x1000",
	};
	size_t bytes = n < sizeof(good) / sizeof(*good) ? strlen(good[n]) : 0;

	if (bytes > size)
		abort();
	memcpy(buf, good[n < sizeof(good) / sizeof(*good) ? n : 0], bytes);
	return bytes;
}
