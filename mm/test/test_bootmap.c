// test_bootmap.c: memory maps of any shape become zones, and every byte of them
// is accounted for.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host.h"
#include "rng.h"

#include <stdlib.h>
#include <string.h>

#define FRAME PAGE_2M_SIZE

static const struct mm_region pc_map[] = {
	{0,		   0x9fc00,	     MM_REGION_USABLE  },
	{0x9fc00,		  0x400,		 MM_REGION_RESERVED},
	{0xf0000,		  0x10000,		   MM_REGION_RESERVED},
	{1 * MIB,		  127 * MIB - 0x20000, MM_REGION_USABLE  },
	{128 * MIB - 0x20000, 0x20000,	       MM_REGION_RESERVED},
	{0xfeffc000,	     0x4000,		     MM_REGION_RESERVED},
	{0xfffc0000,	     0x40000,	      MM_REGION_RESERVED},
	{16 * MIB,		   0x123000,	     MM_REGION_IN_USE  },
};

static void start_map(const struct mm_region *map, size_t count)
{
	host_start(&(struct host_machine){.regions = map, .region_count = count});
}

static void check_accounts(void)
{
	const struct mm_boot_report *report = mm_boot_report();
	struct mm_stat_t stat = mm_stat();

	assert_int_equal(report->usable,
			 report->managed + report->rounding_loss + report->beyond_limit);
	assert_int_equal(stat.total, report->managed);
	assert_int_equal(stat.used + stat.free, stat.total);
	assert_int_equal(host_check(), 0);
}

static void a_pc(void **state)
{
	struct mm_zone_info dma, normal, unmapped;
	struct mm_frame_run run;
	struct mm_cursor cursor = {0};

	(void)state;
	start_map(pc_map, 8);
	check_accounts();
	assert_int_equal(mm_boot_report()->usable, 0x9fc00 + 127 * MIB - 0x20000);
	assert_true(mm_zone_info(0, &dma) && mm_zone_info(1, &normal) &&
		    mm_zone_info(2, &unmapped));
	assert_false(mm_zone_info(3, &dma));
	assert_int_equal(dma.frames, 7); // frame 0 holds the hole below 1 MiB
	assert_int_equal(dma.start.value, FRAME);
	assert_int_equal(dma.end.value, 16 * MIB);
	assert_int_equal(normal.frames, 55);
	assert_int_equal(unmapped.frames, 0);
	assert_int_equal(unmapped.start.value, unmapped.end.value);
	// The tables lie in the frame that the image begins, or in a partial one.
	assert_int_equal(mm_boot_report()->metadata_lost, 0);
	assert_int_equal(normal.used, 1);
	assert_int_equal(mm_visit_frames(&cursor, 0, &run), MM_VISIT_ITEM);
	assert_int_equal(run.state, MM_FRAME_RESERVED);
	assert_int_equal(run.frames, 1);
	host_stop();
}

// 64 MiB as QEMU gives them: what mm takes for itself.
static void small_machine_uses_little(void **state)
{
	static const struct mm_region map[] = {
		{0,		    0x9fc00,	     MM_REGION_USABLE  },
		{1 * MIB,		  63 * MIB - 0x20000, MM_REGION_USABLE  },
		{64 * MIB - 0x20000, 0x20000,	      MM_REGION_RESERVED},
		{16 * MIB,	   0x323000,	     MM_REGION_IN_USE  },
	};
	void *objects[KMALLOC_CLASSES];
	struct mm_stat_t stat;
	uint64_t before;

	(void)state;
	start_map(map, 4);
	before = mm_stat().used;
	for (unsigned i = 0; i < 12; i++) {
		objects[i] = kmalloc(KMALLOC_MIN_SIZE << i, 0);
		assert_non_null(objects[i]);
	}
	stat = mm_stat();
	// Every class up to 64 KiB in use: one frame, and the tables.
	assert_true(stat.used - before + mm_boot_report()->metadata <= 3 * MIB);
	for (unsigned i = 0; i < 12; i++)
		kfree(objects[i]);
	host_stop();
}

static void reserved_wins(void **state)
{
	static const struct mm_region map[] = {
		{32 * MIB, 64 * MIB, MM_REGION_USABLE  },
		 {0,	     64 * MIB, MM_REGION_USABLE  },
		{40 * MIB, 4 * MIB,  MM_REGION_RESERVED},
		 {41 * MIB, 5 * MIB,  MM_REGION_RESERVED},
		{50 * MIB, 0,	      MM_REGION_RESERVED},
		 {42 * MIB, 2 * MIB,  MM_REGION_USABLE  },
	};
	struct Page *page;

	(void)state;
	start_map(map, 6);
	check_accounts();
	assert_int_equal(mm_boot_report()->bad_regions, 1);
	assert_int_equal(mm_boot_report()->usable, 90 * MIB);
	assert_int_equal(mm_boot_report()->reserved, 6 * MIB);
	for (uint64_t at = 40 * MIB; at < 46 * MIB; at += FRAME)
		assert_null(mm_phys_to_page(mm_pa(at)));
	while ((page = alloc_pages(ZONE_NORMAL, 1, 0))) {
		uint64_t at = mm_page_to_phys(page).value;

		assert_true(at + FRAME <= 40 * MIB || at >= 46 * MIB);
	}
	host_stop();
}

static void runs_do_not_cross_holes_or_zones(void **state)
{
	static const struct mm_region map[] = {
		{2 * MIB,  22 * MIB, MM_REGION_USABLE  }, // DMA 14, NORMAL 8
		{26 * MIB, 10 * MIB, MM_REGION_USABLE  }, // behind a hole
		{0,	    64,	MM_REGION_RESERVED},
	};

	(void)state;
	start_map(map, 3);
	assert_null(alloc_pages(ZONE_DMA, 8, 0));
	assert_non_null(alloc_pages(ZONE_DMA, 7, 0));
	assert_null(alloc_pages(ZONE_NORMAL, 6, 0));
	assert_non_null(alloc_pages(ZONE_NORMAL, 4, 0));
	host_stop();
}

static void nonsense_is_refused(void **state)
{
	struct mm_region wrap[] = {
		{UINT64_MAX - 100, 1000,	 MM_REGION_USABLE},
		{1ul << 62,	    1ul << 62, MM_REGION_USABLE}
	};
	struct mm_region tiny = {3 * MIB, 1 * MIB, MM_REGION_USABLE};
	struct host_machine machine = {.regions = wrap, .region_count = 0};

	(void)state;
	assert_int_equal(host_try_start(&machine), MM_ERR_BAD_CONFIG);
	machine.region_count = 2;
	assert_int_equal(host_try_start(&machine), MM_ERR_MAP_EMPTY);
	machine.regions = &tiny;
	machine.region_count = 1;
	assert_int_equal(host_try_start(&machine), MM_ERR_MAP_EMPTY);
	machine.dma_limit = 8 * GIB;
	assert_int_equal(host_try_start(&machine), MM_ERR_BAD_CONFIG);
	machine.dma_limit = 0;
	machine.cpus = 65;
	assert_int_equal(host_try_start(&machine), MM_ERR_BAD_CONFIG);
}

// A reservation that runs past the end of the address space still reserves.
static void endless_reservation(void **state)
{
	static const struct mm_region map[] = {
		{2 * GIB, 256 * MIB,  MM_REGION_USABLE  },
		{0,	    256 * MIB,  MM_REGION_USABLE  },
		{1 * GIB, UINT64_MAX, MM_REGION_RESERVED},
	};

	(void)state;
	start_map(map, 3);
	check_accounts();
	assert_int_equal(mm_boot_report()->managed, 256 * MIB);
	assert_int_equal(mm_boot_report()->bad_regions, 1);
	host_stop();
}

// Thousands of entries of every kind, order and overlap, against a byte map of
// the first frames at 64 KiB resolution.
#define CELL	   (64 * 1024ul)
#define CELLS	   (256 * MIB / CELL)
#define REGION_MAX 3000

// The longest stretch above 1 MiB that is free for use: the tables fit there or not.
static uint64_t longest_usable(const uint8_t *cells)
{
	uint64_t longest = 0, run = 0;

	for (size_t i = MIB / CELL; i < CELLS; i++) {
		run = cells[i] == 1 ? run + CELL : 0;
		longest = run > longest ? run : longest;
	}
	return longest;
}

static void hostile(uint64_t seed)
{
	static struct mm_region map[REGION_MAX];
	static uint8_t cells[CELLS]; // 1 usable, 2 in use, 4 reserved
	struct rng rng = {seed};
	size_t count = 1 + rng_below(&rng, seed % 3 ? 60 : REGION_MAX);
	uint64_t usable = 0, reserved = 0, managed = 0;
	struct host_machine machine = {.regions = map, .region_count = count, .cpus = 2};

	memset(cells, 0, sizeof(cells));
	map[0] = (struct mm_region){32 * MIB, 100 * MIB, MM_REGION_USABLE};
	for (size_t i = 1; i < count; i++) {
		uint64_t start = rng_below(&rng, CELLS);
		uint64_t room = rng_below(&rng, 4) ? 64 : CELLS;
		uint64_t length = rng_below(&rng, CELLS - start < room ? CELLS - start : room);

		map[i] = (struct mm_region){start * CELL, length * CELL,
					    (enum mm_region_kind)rng_below(&rng, 3)};
		if (rng_below(&rng, 4) && map[i].kind == MM_REGION_RESERVED)
			map[i].kind = MM_REGION_USABLE;
	}
	for (size_t i = 0; i < count; i++)
		for (uint64_t at = 0; at < map[i].length / CELL; at++)
			cells[map[i].base / CELL + at] |= map[i].kind == MM_REGION_USABLE   ? 1
							  : map[i].kind == MM_REGION_IN_USE ? 2
											    : 4;
	for (size_t i = 0; i < CELLS; i++) {
		bool bad = cells[i] & 4 || cells[i] == 2;

		usable += !bad && cells[i] ? CELL : 0;
		reserved += bad ? CELL : 0;
	}
	for (size_t frame = 0; frame < CELLS / 32; frame++) {
		bool whole = true;

		for (size_t i = frame * 32; i < frame * 32 + 32; i++)
			whole &= !(cells[i] & 4) && cells[i] & 1;
		managed += whole ? FRAME : 0;
	}
	if (host_try_start(&machine) != MM_OK) {
		assert_true(!managed || longest_usable(cells) < 10 * CELL);
		return;
	}
	check_accounts();
	assert_int_equal(mm_boot_report()->usable, usable);
	assert_int_equal(mm_boot_report()->reserved, reserved);
	assert_int_equal(mm_boot_report()->managed, managed);
	// What is given out is usable, and in use by nobody.
	for (unsigned zone = 1; zone <= 4; zone *= 2) {
		struct Page *page;

		while ((page = alloc_pages(zone, 1, 0)))
			for (size_t i = 0; i < 32; i++)
				assert_int_equal(cells[page->frame * 32 + i], 1);
	}
	host_stop();
}

static void hostile_maps(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++)
		hostile(seed);
}

static void regions_above_a_tebibyte(void **state)
{
	static const struct mm_region map[] = {
		{1 * TIB + 5 * GIB, 1 * GIB,   MM_REGION_USABLE},
		{0,		    256 * MIB, MM_REGION_USABLE},
		{40 * TIB,	   64 * MIB,  MM_REGION_USABLE},
		{100 * TIB,	    64 * MIB,  MM_REGION_USABLE}, // beyond 46 bits
	};
	struct mm_zone_info unmapped;

	(void)state;
	start_map(map, 4);
	check_accounts();
	assert_int_equal(mm_boot_report()->beyond_limit, 64 * MIB);
	assert_true(mm_zone_info(2, &unmapped));
	assert_int_equal(unmapped.frames, 544);
	// The hole costs nothing.
	assert_true(mm_boot_report()->metadata < 1 * MIB);
	assert_int_equal(mm_phys_to_page(mm_pa(40 * TIB + 3 * MIB))->frame, 40 * TIB / FRAME + 1);
	assert_null(mm_phys_to_page(mm_pa(40 * TIB - 1)));
	host_stop();
}

static void boot_memory_comes_back(void **state)
{
	static const struct mm_region map[] = {
		{0,	    128 * MIB, MM_REGION_USABLE},
		{16 * MIB, 3 * MIB,   MM_REGION_IN_USE}, // image: frames 8, 9
		{32 * MIB, 16 * MIB,  MM_REGION_IN_USE}, // a boot module
	};
	uint64_t free;

	(void)state;
	start_map(map, 3);
	free = mm_stat().free;
	assert_int_equal(mm_release_boot_memory(mm_pa(32 * MIB + 1), 8 * MIB), 3);
	assert_int_equal(mm_release_boot_memory(mm_pa(32 * MIB), 16 * MIB), 5);
	assert_int_equal(mm_release_boot_memory(mm_pa(32 * MIB), 16 * MIB), 0);
	assert_int_equal(mm_stat().free, free + 16 * MIB);
	assert_int_equal(host_check(), 0);
	// mm's own tables stay where they are, whatever is said about them.
	mm_release_boot_memory(mm_pa(0), 128 * MIB);
	assert_int_equal(host_check(), 0);
	assert_true(mm_stat().used >= FRAME);
	host_stop();
}

static void starts_once(void **state)
{
	(void)state;
	start_map(pc_map, 8);
	assert_int_equal(mm_init(&(struct mm_config){0}), MM_ERR_STATE);
	host_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pc),
		cmocka_unit_test(small_machine_uses_little),
		cmocka_unit_test(reserved_wins),
		cmocka_unit_test(runs_do_not_cross_holes_or_zones),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(endless_reservation),
		cmocka_unit_test(hostile_maps),
		cmocka_unit_test(regions_above_a_tebibyte),
		cmocka_unit_test(boot_memory_comes_back),
		cmocka_unit_test(starts_once),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("mm: memory maps", tests, NULL, NULL);
}
