/*
 * Measurements of mm/ in the kernel: `selftest=bench.mm.*` under QEMU's -icount shift=0, where the
 * difference of two TSC readings is the number of instructions between them. Interrupts stay on,
 * as they are when the kernel runs; the smallest of several rounds is the figure, so that a timer
 * tick does not count. Peers' figures are in tests/bench/mm-kernel.
 */
#include <kernel/cpu.h>
#include <kernel/printf.h>
#include <kernel/selftest.h>
#include <mm/mm.h>
#include <mm/pgtable.h>
#include <mm/slab.h>

#define ROUNDS 7u
#define WINDOW UINT64_C(0xffffd10000000000)

/* Runs `round` several times; the smallest count, less what an empty one costs. */
static uint64_t smallest(uint64_t (*round)(void *), void *argument)
{
	uint64_t best = UINT64_MAX;

	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t count = round(argument);

		if (count < best)
			best = count;
	}
	return best;
}

static uint64_t empty_loop(unsigned turns)
{
	uint64_t start = rdtsc();

	for (unsigned i = 0; i < turns; i++)
		__asm__ volatile("" : : : "memory");
	return rdtsc() - start;
}

static void figure(const char *name, uint64_t count, uint64_t operations)
{
	uint64_t hundredths = operations ? (count * 100 + operations / 2) / operations : 0;

	selftest_figure_hundredths(name, hundredths, "instructions");
}

/* ---- objects ---- */

#define PAIRS 512u

static uint64_t pair_round(void *argument)
{
	unsigned long size = *(unsigned long *)argument;
	uint64_t start = rdtsc(), overhead;

	for (unsigned i = 0; i < PAIRS; i++) {
		void *object = kmalloc(size, 0);

		__asm__ volatile("" : : "r"(object) : "memory");
		kfree(object);
	}
	overhead = rdtsc() - start;
	return overhead - empty_loop(PAIRS);
}

SELFTEST_TIMED(bench_pairs, "bench.mm.kmalloc_kfree", 60000)
{
	for (unsigned long size = KMALLOC_MIN_SIZE; size <= KMALLOC_MAX_SIZE; size *= 2) {
		char name[48];

		ksnprintf(name, sizeof(name), "mm.kmalloc_kfree.%lu", size);
		figure(name, smallest(pair_round, &size), PAIRS);
	}
}

#define LIVE 4096u
static void *live[LIVE];

static uint64_t bulk_alloc_count, bulk_free_count;

static uint64_t bulk_round(void *argument)
{
	uint64_t start = rdtsc(), middle, end;

	(void)argument;
	for (unsigned i = 0; i < LIVE; i++)
		live[i] = kmalloc(32, 0);
	middle = rdtsc();
	for (unsigned i = 0; i < LIVE; i++)
		kfree(live[i]);
	end = rdtsc();
	if (middle - start < bulk_alloc_count)
		bulk_alloc_count = middle - start;
	if (end - middle < bulk_free_count)
		bulk_free_count = end - middle;
	return 0;
}

SELFTEST_TIMED(bench_bulk, "bench.mm.bulk", 60000)
{
	bulk_alloc_count = bulk_free_count = UINT64_MAX;
	smallest(bulk_round, NULL);
	figure("mm.kmalloc_bulk.32", bulk_alloc_count, LIVE);
	figure("mm.kfree_bulk.32", bulk_free_count, LIVE);
}

/* ---- frames ---- */

static uint64_t frames_round(void *argument)
{
	int frames = *(int *)argument;
	uint64_t start = rdtsc(), total;

	for (unsigned i = 0; i < 64; i++) {
		struct Page *page = alloc_pages(ZONE_NORMAL, frames, PAGE_KERNEL);

		if (page)
			free_pages(page, frames);
	}
	total = rdtsc() - start;
	return total - empty_loop(64);
}

SELFTEST_TIMED(bench_frames, "bench.mm.frames", 60000)
{
	static const int sizes[] = {1, 2, 16, 63};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		int frames = sizes[i];
		char name[48];

		ksnprintf(name, sizeof(name), "mm.alloc_free_frames.%d", frames);
		figure(name, smallest(frames_round, &frames), 64);
	}
}

/* ---- mappings ---- */

#define MAP_BYTES (UINT64_C(64) << 20)
static uint64_t map_count, unmap_count;

static uint64_t map_round(void *argument)
{
	struct Page *page = argument;
	uint64_t start = rdtsc(), middle, end;
	int result = mm_map_phys_addr(WINDOW, mm_page_to_phys(page).value, MAP_BYTES,
				      1ul << PAGE_R_W | 1ul << PAGE_XD, true);

	middle = rdtsc();
	mm_unmap_addr(WINDOW, MAP_BYTES);
	end = rdtsc();
	ST_EQUAL(result, 0);
	if (middle - start < map_count)
		map_count = middle - start;
	if (end - middle < unmap_count)
		unmap_count = end - middle;
	return 0;
}

SELFTEST_TIMED(bench_map, "bench.mm.map", 60000)
{
	struct Page *page = alloc_pages(ZONE_NORMAL, 32, PAGE_KERNEL);

	ST_REQUIRE(page, "no run of 64 MiB");
	map_count = unmap_count = UINT64_MAX;
	smallest(map_round, page);
	figure("mm.map_4k_per_page", map_count, MAP_BYTES / 4096);
	figure("mm.unmap_4k_per_page", unmap_count, MAP_BYTES / 4096);
	free_pages(page, 32);
}
