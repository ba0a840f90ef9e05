#include "root_guest.h"

#include "host.h" // of mm's tests
#include "rng.h"

#include <mm/root.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEPT 600
#define RUNS 40

// --- the machine ----------------------------------------------------------------
static void *object[KEPT];
static struct Page *run[RUNS];
static int run_frames[RUNS];

static void one_object(struct rng *rng)
{
	unsigned i = (unsigned)rng_below(rng, KEPT);

	host_cpu_use((unsigned)rng_below(rng, 4));
	if (object[i])
		kfree(object[i]);
	object[i] = kmalloc(1 + rng_below(rng, 1ul << rng_below(rng, 18)), 0);
}

static void one_run(struct rng *rng)
{
	static const unsigned zones[] = {ZONE_DMA, ZONE_NORMAL, ZONE_UNMAPPED_IN_PGT};
	unsigned i = (unsigned)rng_below(rng, RUNS);

	if (run[i])
		free_pages(run[i], run_frames[i]);
	run_frames[i] = 1 + (int)rng_below(rng, 1ul << rng_below(rng, 5));
	run[i] = alloc_pages(zones[rng_below(rng, 3)], run_frames[i],
			     rng_below(rng, 2) ? PAGE_SHARED : PAGE_DEVICE);
}

void root_machine_work(uint64_t seed, unsigned operations)
{
	struct rng rng = {seed};

	for (unsigned i = 0; i < operations; i++)
		rng_below(&rng, 4) ? one_object(&rng) : one_run(&rng);
}

void root_machine_start(uint64_t seed, unsigned operations)
{
	static const struct mm_region regions[] = {
		{0,	    640 << 10, MM_REGION_USABLE  },
		{1 * MIB,	  700 * MIB, MM_REGION_USABLE  },
		{16 * MIB,  2 * MIB,   MM_REGION_IN_USE  },
		{300 * MIB, 9 * MIB,   MM_REGION_RESERVED},
		{4 * GIB,	  300 * MIB, MM_REGION_USABLE  },
	};

	memset(object, 0, sizeof(object));
	memset(run, 0, sizeof(run));
	host_start(&(struct host_machine){.regions = regions, .region_count = 5, .cpus = 4});
	if (mm_switches_set(MM_SWITCH_ATTRIBUTION, 0) != MM_OK)
		abort();
	root_machine_work(seed, operations);
}

void root_machine_stop(void)
{
	host_stop();
}

// --- its memory -------------------------------------------------------------------
uint8_t root_image[4096] __attribute__((aligned(4096)));

static void write_note(void)
{
	static const uint32_t head[] = {8, 32, MM_ROOT_NOTE};
	static const uint32_t symbols[] = {2, 0x10, 0x200, 0, 6};
	uint64_t image = (uintptr_t)root_image;
	uint64_t words[] = {(uintptr_t)&mm_root, image, image + sizeof(root_image),
			    image + ROOT_SYMBOLS};

	// Not at the very beginning.
	memcpy(root_image + 64, head, sizeof(head));
	memcpy(root_image + 64 + 12, "Vitrine", 8);
	memcpy(root_image + 64 + 20, words, sizeof(words));
	memcpy(root_image + ROOT_SYMBOLS, symbols, sizeof(symbols));
	memcpy(root_image + ROOT_SYMBOLS + sizeof(symbols), "first\0second", 13);
}

static void apply(const struct root_guest *g, uint64_t at, uint8_t *page)
{
	for (size_t i = 0; i < g->patches; i++)
		for (size_t k = 0; k < g->patch[i].len; k++)
			if (g->patch[i].at + k - at < 4096)
				page[g->patch[i].at + k - at] = g->patch[i].bytes[k];
}

static enum mv_status read_host(void *user, const uint64_t *addresses, size_t count,
				uint64_t (*pages)[512], bool *good, struct mv_error *e)
{
	struct root_guest *g = user;
	static int memory = -1;

	(void)e;
	if (memory < 0)
		memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	for (size_t i = 0; i < count; i++) {
		uint64_t at = addresses[i] >= ROOT_HOST_PHYS ? addresses[i] - ROOT_HOST_PHYS
							     : (uintptr_t)host_virt(addresses[i]);
		bool there = pread(memory, pages[i], 4096, (off_t)at) == 4096;

		if (!there)
			memset(pages[i], 0, 4096);
		if (good)
			good[i] = there;
		apply(g, at, (uint8_t *)pages[i]);
		if (g->spoil)
			g->spoil((uint8_t *)pages[i], g->pages, g->context);
		g->pages++;
	}
	return MV_OK;
}

bool root_guest_read(struct root_guest *g)
{
	struct leaf_run leaves[] = {
		{.va = 4096, .pa = ROOT_HOST_PHYS + 4096, .len = (UINT64_C(1) << 47) - 8192},
		{.va = 0xffffffff80000000,	   .len = 4096	      },
	};

	write_note();
	leaves[1].pa = ROOT_HOST_PHYS + (uintptr_t)root_image;
	g->walk = (struct walk){.levels = 4, .cr3 = mm_port_root().value};
	g->walk.leaves.runs = mv_alloc(sizeof(leaves));
	g->walk.leaves.count = 2;
	memcpy(g->walk.leaves.runs, leaves, sizeof(leaves));
	g->guest = (struct guest){.walk = &g->walk, .read = read_host, .user = g};
	return kernel_read(&g->kernel, &g->guest, &g->walk, KERNEL_SLABS | KERNEL_SYMBOLS);
}

void root_guest_free(struct root_guest *g)
{
	kernel_free(&g->kernel);
	guest_free(&g->guest);
	walk_free(&g->walk);
}
