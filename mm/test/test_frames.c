// test_frames.c: alloc_pages and free_pages, row by row of the API, and the
// faults of the original.
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

// DMA 8 frames, NORMAL 120, UNMAPPED 64.
static const struct mm_region three_zones[] = {
	{0,	    256 * MIB, MM_REGION_USABLE},
	{8 * GIB,  128 * MIB, MM_REGION_USABLE},
	{16 * MIB, 3 * MIB,   MM_REGION_IN_USE},
};

static int start(void **state)
{
	(void)state;
	host_start(&(struct host_machine){.regions = three_zones, .region_count = 3, .cpus = 4});
	return 0;
}

static int stop(void **state)
{
	(void)state;
	host_stop();
	return 0;
}

static bool panics_with(struct Page *page, int number, const char *text)
{
	struct mm_stat_t before = mm_stat();

	if (!host_panics(free_pages(page, number)))
		return false;
	assert_true(host_stat_equal(mm_stat(), before));
	assert_int_equal(host_check(), 0);
	if (strstr(host_panic_text, text))
		return true;
	print_message("# %s\n", host_panic_text);
	return false;
}

static void constants(void **state)
{
	(void)state;
	assert_int_equal(ZONE_DMA, 1);
	assert_int_equal(ZONE_NORMAL, 2);
	assert_int_equal(ZONE_UNMAPPED_IN_PGT, 4);
	assert_int_equal(
		PAGE_PGT_MAPPED | PAGE_KERNEL_INIT | PAGE_DEVICE | PAGE_KERNEL | PAGE_SHARED, 31);
	assert_int_equal(PAGE_2M_ALIGN(1), PAGE_2M_SIZE);
	assert_int_equal(PAGE_4K_ALIGN(4096), 4096);
	assert_int_equal(PAGE_1G_SIZE, 1ul << 30);
	assert_int_equal(PAGE_4K_MASK, ~4095ul);
	assert_int_equal(EEXIST, 20);
	assert_int_equal(EFAULT, 21);
	assert_int_equal(EINVAL, 28);
	assert_int_equal(ENOMEM, 49);
	assert_int_equal(EPERM, 67);
	assert_int_equal(PAGE_OFFSET, 0xffff800000000000);
	assert_int_equal(sizeof(struct Page), 64);
	for (int status = 0; status < MM_STATUS_COUNT; status++) {
		assert_non_null(mm_status_text((enum mm_status)status));
		assert_int_equal(strncmp(mm_status_name((enum mm_status)status), "MM_", 3), 0);
	}
	assert_non_null(mm_status_text((enum mm_status)999));
}

// The original failed in DMA and UNMAPPED always.
static void every_zone_gives(void **state)
{
	static const struct {
		unsigned zone;
		uint64_t start, end;
		bool mapped;
	} rows[] = {
		{ZONE_DMA,		   0,	      16 * MIB,		true },
		{ZONE_NORMAL,	      16 * MIB, 256 * MIB,	   true },
		{ZONE_UNMAPPED_IN_PGT, 8 * GIB,	8 * GIB + 128 * MIB, false},
	};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		for (int num = 1; num <= (rows[i].zone == ZONE_DMA ? 8 : 60); num++) {
			struct Page *page = alloc_pages(rows[i].zone, num, PAGE_DEVICE);
			uint64_t at;

			assert_non_null(page);
			at = mm_page_to_phys(page).value;
			assert_true(at >= rows[i].start &&
				    at + (uint64_t)num * FRAME <= rows[i].end);
			for (int k = 0; k < num; k++) {
				assert_int_equal(mm_page_to_phys(page + k).value,
						 at + (uint64_t)k * FRAME);
				assert_int_equal(mm_page_attr(page + k),
						 PAGE_DEVICE |
							 (rows[i].mapped ? PAGE_PGT_MAPPED : 0));
				assert_int_equal(mm_page_refs(page + k), 1);
				assert_ptr_equal(mm_phys_to_page(mm_page_to_phys(page + k)),
						 page + k);
			}
			assert_int_equal(mm_page_to_virt(page).value != 0, rows[i].mapped);
			if (rows[i].mapped)
				memset(mm_ptr(mm_page_to_virt(page)), 0xa5, 64);
			assert_int_equal(host_check(), 0);
			free_pages(page, num);
			assert_int_equal(mm_page_attr(page), 0);
			assert_int_equal(mm_page_refs(page), 0);
		}
	}
}

static void wrong_requests(void **state)
{
	static const struct {
		unsigned zone;
		int num;
		ul flags;
		enum mm_status why;
	} rows[] = {
		{0,	    1,	       0,	  MM_ERR_ZONE  },
		{3,	    1,	       0,	  MM_ERR_ZONE  },
		{5,	    1,	       0,	  MM_ERR_ZONE  },
		{6,	    1,	       0,	  MM_ERR_ZONE  },
		{7,	    1,	       0,	  MM_ERR_ZONE  },
		{8,	    1,	       0,	  MM_ERR_ZONE  },
		{0x80000000u, 1,	 0,    MM_ERR_ZONE  },
		{ZONE_NORMAL, 0,	 0,    MM_ERR_COUNT },
		{ZONE_NORMAL, -1,	  0,    MM_ERR_COUNT },
		{ZONE_NORMAL, 64,	  0,    MM_ERR_COUNT },
		{ZONE_NORMAL, 1000,	    0,    MM_ERR_COUNT },
		{ZONE_NORMAL, INT32_MIN, 0,    MM_ERR_COUNT },
		{ZONE_NORMAL, 1,	 32,   MM_ERR_FLAGS },
		{ZONE_NORMAL, 2,	 32,   MM_ERR_FLAGS },
		{ZONE_NORMAL, 1,	 ~0ul, MM_ERR_FLAGS },
		{ZONE_DMA,	   9,	      0,	 MM_ERR_NO_RUN},
	};
	struct mm_stat_t before = mm_stat();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t gen = mm_generation();

		assert_int_equal(
			mm_query_alloc_pages(rows[i].zone, rows[i].num, rows[i].flags, NULL),
			rows[i].why);
		assert_int_equal(mm_generation(), gen);
		assert_null(alloc_pages(rows[i].zone, rows[i].num, rows[i].flags));
		assert_true(mm_generation() != gen); // counted
		assert_true(host_stat_equal(mm_stat(), before));
	}
}

// Two runs of 20 frames side by side, with these attributes.
static struct Page *neighbours(ul left, ul right)
{
	struct Page *run = alloc_pages(ZONE_NORMAL, 40, left);
	struct Page *second = run + 20;

	assert_non_null(run);
	free_pages(second, 20);
	assert_ptr_equal(alloc_pages(ZONE_NORMAL, 20, right), second);
	return run;
}

static void parts_of_runs(void **state)
{
	struct mm_stat_t start = mm_stat();
	struct Page *a = neighbours(PAGE_SHARED, PAGE_DEVICE);
	struct Page *b = a + 20;

	(void)state;
	assert_int_equal(mm_stat().shared, 20 * FRAME);
	free_pages(a + 5, 5); // in the middle
	assert_int_equal(mm_stat().shared, 15 * FRAME);
	assert_int_equal(host_check(), 0);
	assert_int_equal(mm_page_attr(a + 4), PAGE_SHARED | PAGE_PGT_MAPPED);
	assert_int_equal(mm_page_attr(a + 5), 0);
	assert_int_equal(mm_page_attr(a + 19), PAGE_SHARED | PAGE_PGT_MAPPED);
	assert_int_equal(mm_page_refs(a + 10), 1);
	free_pages(a + 16, 8); // across the border of two runs
	assert_int_equal(mm_stat().shared, 11 * FRAME);
	assert_int_equal(mm_page_attr(b + 4), PAGE_DEVICE | PAGE_PGT_MAPPED);
	assert_int_equal(host_check(), 0);
	free_pages(a + 1, 4); // leaves a run of one at its head
	assert_int_equal(host_check(), 0);
	free_pages(a + 11, 5); // and one behind
	assert_int_equal(host_check(), 0);
	free_pages(a, 1);
	free_pages(a + 10, 1);
	free_pages(b + 4, 16);
	assert_int_equal(host_check(), 0);
	assert_true(host_stat_equal(mm_stat(), start));
}

static void singles_in_a_row(void **state)
{
	struct Page *pages[8], *first = NULL;

	(void)state;
	for (int i = 0; i < 8; i++) {
		pages[i] = alloc_pages(ZONE_NORMAL, 1, i % 2 ? PAGE_SHARED : 0);
		assert_non_null(pages[i]);
		if (!first || pages[i] < first)
			first = pages[i];
	}
	for (int i = 0; i < 8; i++)
		assert_int_equal(mm_query_free_pages(first + i, 1, NULL), MM_OK);
	assert_true(panics_with(first, 9, "double free"));
	free_pages(first, 8); // eight runs at once
	assert_int_equal(mm_stat().shared, 0);
	assert_int_equal(host_check(), 0);
	for (int i = 0; i < 8; i++)
		assert_int_equal(mm_query_free_pages(first + i, 1, NULL), MM_ERR_FRAME_FREE);
}

static void wrong_frees(void **state)
{
	struct Page *run = alloc_pages(ZONE_NORMAL, 3, 0);
	struct Page *one = alloc_pages(ZONE_NORMAL, 1, 0);
	struct Page *image = mm_phys_to_page(mm_pa(16 * MIB));
	struct Page outside = {0};
	void *object = kmalloc(100, 0);
	struct Page *slab = NULL;
	struct mm_cursor cursor = {0};
	struct mm_frame_run frames;

	(void)state;
	assert_non_null(object);
	while (mm_visit_frames(&cursor, 0, &frames) == MM_VISIT_ITEM)
		if (frames.state == MM_FRAME_SLAB)
			slab = mm_phys_to_page(frames.start);
	assert_non_null(slab);
	assert_true(panics_with(NULL, 1, "null pointer"));
	assert_true(panics_with(run, 0, "1 to 63"));
	assert_true(panics_with(run, -5, "1 to 63"));
	assert_true(panics_with(run, 64, "1 to 63"));
	assert_true(panics_with(&outside, 1, "not a frame"));
	assert_true(panics_with((struct Page *)((char *)run + 8), 1, "not a frame"));
	assert_true(panics_with(image, 1, "belongs to the kernel"));
	assert_true(panics_with(slab, 1, "belongs to the slab"));
	free_pages(one, 1);
	assert_true(panics_with(one, 1, "double free"));
	free_pages(run, 3);
	assert_true(panics_with(run, 3, "double free"));
	assert_true(panics_with(run + 2, 1, "ZONE_NORMAL"));
	run = alloc_pages(ZONE_NORMAL, 3, 0);
	free_pages(run + 1, 1);
	assert_true(panics_with(run, 3, "double free")); // nothing half freed
	assert_int_equal(mm_try_free_pages(run, 3), MM_ERR_FRAME_FREE);
	assert_int_equal(mm_try_free_pages(NULL, 1), MM_ERR_NULL);
	assert_int_equal(mm_try_free_pages(run, 77), MM_ERR_COUNT);
	assert_int_equal(mm_try_free_pages(image, 1), MM_ERR_FRAME_KERN);
	assert_int_equal(mm_try_free_pages(slab, 1), MM_ERR_FRAME_SLAB);
	assert_int_equal(mm_try_free_pages(&outside, 1), MM_ERR_NOT_FRAME);
	assert_int_equal(mm_try_free_pages(run, 1), MM_OK);
	free_pages(run + 2, 1);
	kfree(object);
}

// Past the last frame of a zone lies no other zone.
static void ranges_that_leave_a_zone(void **state)
{
	struct Page *all = alloc_pages(ZONE_DMA, 8, 0);

	(void)state;
	assert_non_null(all);
	assert_int_equal(mm_query_free_pages(all, 9, NULL), MM_ERR_NOT_FRAME);
	assert_true(panics_with(all + 7, 2, "not a frame"));
	free_pages(all, 8);
}

static void exhaust_and_refill(void **state)
{
	static struct Page *pages[256];

	(void)state;
	mm_trim();
	for (unsigned zone = 1; zone <= 4; zone *= 2) {
		struct mm_stat_t before = mm_stat();

		for (int size = 1; size <= 7; size += 3) {
			int count = 0, rest = 0;

			while ((pages[count] = alloc_pages(zone, size, PAGE_SHARED)))
				count++;
			rest = count;
			while ((pages[rest] = alloc_pages(zone, 1, 0)))
				rest++;
			assert_null(alloc_pages(zone, 1, 0));
			assert_int_equal(host_check(), 0);
			for (int i = 0; i < rest; i++)
				free_pages(pages[i], i < count ? size : 1);
			assert_int_equal(host_check(), 0);
			assert_true(host_stat_equal(mm_stat(), before));
		}
	}
}

// Frames in the caches of other CPUs are still memory.
static void nothing_hides_in_caches(void **state)
{
	struct Page *pages[8], *all;

	(void)state;
	for (int i = 0; i < 8; i++)
		pages[i] = alloc_pages(ZONE_DMA, 1, 0);
	assert_null(alloc_pages(ZONE_DMA, 1, 0));
	for (int i = 0; i < 8; i++) {
		host_cpu_use((unsigned)i % 4);
		free_pages(pages[i], 1);
	}
	assert_int_equal(host_check(), 0);
	all = alloc_pages(ZONE_DMA, 8, 0);
	assert_non_null(all);
	free_pages(all, 8);
	for (int i = 0; i < 8; i++)
		assert_non_null(pages[i] = alloc_pages(ZONE_DMA, 1, 0));
	free_pages(mm_phys_to_page(mm_pa(0)), 8);
	host_cpu_use(0);
}

// The same above the direct map, where trimming the slab gains nothing.
static void nothing_hides_above(void **state)
{
	struct Page *pages[64];

	(void)state;
	for (int i = 0; i < 64; i++)
		assert_non_null(pages[i] = alloc_pages(ZONE_UNMAPPED_IN_PGT, 1, 0));
	for (int i = 0; i < 64; i++) {
		host_cpu_use((unsigned)i % 4);
		free_pages(pages[i], 1);
	}
	host_cpu_use(0);
	for (int i = 0; i < 64; i++)
		assert_non_null(pages[i] = alloc_pages(ZONE_UNMAPPED_IN_PGT, 1, 0));
	free_pages(mm_phys_to_page(mm_pa(8 * GIB)), 63);
	free_pages(mm_phys_to_page(mm_pa(8 * GIB + 63 * FRAME)), 1);
}

// The slabs that a CPU keeps although they are empty, and the empty frame of the
// pool, do not make alloc_pages fail.
static void idle_slabs_are_memory(void **state)
{
	struct mm_zone_info zone;
	uint64_t frames = 0;

	(void)state;
	mm_trim();
	assert_true(mm_zone_info(1, &zone));
	for (unsigned i = 0; i < 16; i++)
		kfree(kmalloc(32ul << i, 0));
	while (alloc_pages(ZONE_NORMAL, 1, 0))
		frames++;
	assert_int_equal(frames, zone.free);
}

// kmalloc's empty slabs give way to alloc_pages.
static void idle_slabs_give_way(void **state)
{
	void *objects[200];
	int count = 0, frames = 0;

	(void)state;
	mm_trim();
	while (count < 200 && (objects[count] = kmalloc(1 << 20, 0)))
		count++;
	assert_true(count > 100);
	while (count)
		kfree(objects[--count]);
	while (alloc_pages(ZONE_NORMAL, 1, 0))
		frames++;
	// Zone of 120 frames, less image (2) and cache of mm_cpu structures (1).
	assert_true(frames >= 116);
}

static void frames_are_told(void **state)
{
	struct Page *run = alloc_pages(ZONE_UNMAPPED_IN_PGT, 5, PAGE_SHARED);
	struct mm_cursor cursor = {0};
	uint64_t counts[6] = {0}, next = 0;
	struct mm_frame_run item;
	struct mm_zone_info zone;
	struct mm_object object;
	bool seen = false;

	(void)state;
	free_pages(run + 1, 1);
	while (mm_visit_frames(&cursor, 0, &item) == MM_VISIT_ITEM) {
		assert_int_equal(item.start.value, next);
		next += item.frames * FRAME;
		counts[item.state] += item.frames;
		if (item.start.value == mm_page_to_phys(run + 2).value) {
			seen = true;
			assert_int_equal(item.frames, 3);
			assert_int_equal(item.attr, PAGE_SHARED);
			assert_int_equal(item.refs, 1);
			assert_int_equal(item.zone, 2);
		}
	}
	assert_true(seen);
	assert_int_equal(counts[MM_FRAME_ALLOCATED], 4);
	assert_int_equal(counts[MM_FRAME_HOLE], (8 * GIB - 256 * MIB) / FRAME);
	assert_int_equal(counts[MM_FRAME_FREE] * FRAME, mm_stat().free);
	assert_true(mm_zone_info(2, &zone));
	assert_int_equal(zone.largest_free_run, 59);
	assert_int_equal(zone.used, 4);
	assert_string_equal(zone.name, "ZONE_UNMAPPED_IN_PGT");
	mm_query_phys(mm_pa(mm_page_to_phys(run + 3).value + 5), &object);
	assert_int_equal(object.kind, MM_OBJECT_FRAME);
	assert_int_equal(object.base, mm_page_to_phys(run + 2).value);
	assert_int_equal(object.size, 3 * FRAME);
	assert_true(object.used);
	mm_query_phys(mm_pa(16 * MIB), &object);
	assert_int_equal(object.kind, MM_OBJECT_IMAGE);
	mm_query_phys(mm_pa(1 * GIB), &object);
	assert_int_equal(object.kind, MM_OBJECT_NONE);
	free_pages(run, 1);
	free_pages(run + 2, 3);
}

// 1 TiB above the direct map, every other frame taken.
static void a_fragmented_tebibyte(void **state)
{
	static const struct mm_region map[] = {
		{0,	    512 * MIB, MM_REGION_USABLE},
		{8 * GIB, 1 * TIB,   MM_REGION_USABLE},
	};
	uint64_t count = TIB / FRAME;
	struct Page *first, *run;
	struct mm_zone_info zone;

	(void)state;
	host_start(&(struct host_machine){.regions = map, .region_count = 2});
	for (uint64_t i = 0; i < count; i++)
		assert_non_null(alloc_pages(ZONE_UNMAPPED_IN_PGT, 1, 0));
	assert_null(alloc_pages(ZONE_UNMAPPED_IN_PGT, 1, 0));
	first = mm_phys_to_page(mm_pa(8 * GIB));
	for (uint64_t i = 0; i < count; i += 2)
		free_pages(first + i, 1);
	assert_null(alloc_pages(ZONE_UNMAPPED_IN_PGT, 2, 0));
	for (uint64_t i = 100001; i < 100001 + 62; i += 2)
		free_pages(first + i, 1);
	run = alloc_pages(ZONE_UNMAPPED_IN_PGT, 63, 0);
	assert_ptr_equal(run, first + 100000);
	assert_null(alloc_pages(ZONE_UNMAPPED_IN_PGT, 2, 0));
	assert_int_equal(host_check(), 0);
	free_pages(run, 63);
	assert_true(mm_zone_info(2, &zone));
	assert_int_equal(zone.largest_free_run, 63);
	for (uint64_t i = 0; i < count; i++)
		if (mm_query_free_pages(first + i, 1, NULL) == MM_OK)
			free_pages(first + i, 1);
	assert_true(mm_zone_info(2, &zone));
	assert_int_equal(zone.free, count);
	assert_int_equal(zone.used, 0);
	host_stop();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(constants),	TEST(every_zone_gives),
		TEST(wrong_requests),		TEST(parts_of_runs),
		TEST(singles_in_a_row),		TEST(wrong_frees),
		TEST(ranges_that_leave_a_zone), TEST(exhaust_and_refill),
		TEST(nothing_hides_in_caches),	TEST(nothing_hides_above),
		TEST(idle_slabs_are_memory),	TEST(idle_slabs_give_way),
		TEST(frames_are_told),		cmocka_unit_test(a_fragmented_tebibyte),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("mm: frames", tests, NULL, NULL);
}
