/*
 * Measurements of the inspector inside the kernel: `selftest=bench.inspect.*` under -icount shift=0
 * gives instructions. What the line costs is measured from outside, by tests/bench/inspect.
 */
#include <inspect/inspect.h>
#include <kernel/cpu.h>
#include <kernel/ports.h>
#include <kernel/selftest.h>
#include <mm/hooks.h>
#include <mm/mm.h>
#include <string.h>

#define ROUNDS 64u

static uint64_t call_cost(struct insp *insp, const char *request)
{
	static char answer[65536];
	uint64_t best = UINT64_MAX;
	size_t len;

	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t start = rdtsc();
		bool good = insp_call_text(insp, request, strlen(request), INSP_ACCESS_FULL, answer,
					   sizeof(answer), &len);
		uint64_t took = rdtsc() - start;

		ST_EXPECT(good, "%s: %s", request, answer);
		best = took < best ? took : best;
	}
	return best;
}

SELFTEST_TIMED(bench_calls, "bench.inspect.calls", 60000)
{
	static const char *const requests[] = {"mm.stat", "mm.zones", "mm.caches", "mm.mappings"};
	static const char *const names[] = {"inspect.call.mm.stat", "inspect.call.mm.zones",
					    "inspect.call.mm.caches", "inspect.call.mm.mappings"};
	struct insp *insp = port_inspect_instance();

	if (!insp) {
		selftest_skip("no line, no inspector");
		return;
	}
	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++)
		selftest_figure(names[i], call_cost(insp, requests[i]), "instructions");
}

SELFTEST_TIMED(bench_figures, "bench.inspect.figures", 60000)
{
	uint64_t start = rdtsc(), middle, end;

	for (unsigned i = 0; i < ROUNDS; i++)
		(void)mm_stat();
	middle = rdtsc();
	for (unsigned i = 0; i < ROUNDS; i++)
		(void)mm_generation();
	end = rdtsc();
	selftest_figure("mm.stat", (middle - start) / ROUNDS, "instructions");
	selftest_figure("mm.generation", (end - middle) / ROUNDS, "instructions");
}
