// test_slab.c: kmalloc and kfree, row by row of the API, and what visitors say.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host.h"
#include "rng.h"

#include <stdlib.h>
#include <string.h>

static int start(void **state)
{
	(void)state;
	host_start_plain(256 * MIB);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	host_stop();
	return 0;
}

static bool panics_with(void *address, const char *text)
{
	struct mm_stat_t before = mm_stat();

	if (!host_panics(kfree(address)))
		return false;
	assert_true(host_stat_equal(mm_stat(), before));
	assert_int_equal(host_check(), 0);
	if (strstr(host_panic_text, text))
		return true;
	print_message("# %s\n", host_panic_text);
	return false;
}

static bool all_zero(const uint8_t *at, size_t size)
{
	return !size || (!at[0] && !memcmp(at, at + 1, size - 1));
}

static uint64_t class_of(uint64_t size)
{
	uint64_t class = 32;

	while (class < size)
		class *= 2;
	return class;
}

static void sizes_and_alignment(void **state)
{
	(void)state;
	for (uint64_t size = 0; size <= 1 << 20; size += size < 300 ? 1 : size / 7) {
		uint8_t *object = kmalloc(size, 0);
		struct mm_object what;

		assert_non_null(object);
		assert_int_equal((uintptr_t)object % class_of(size), 0);
		assert_int_equal(mm_class_size(size), class_of(size));
		mm_query_virt(mm_va_of(object + class_of(size) - 1), &what);
		assert_int_equal(what.kind, MM_OBJECT_SLAB);
		assert_int_equal(what.base, (uintptr_t)object);
		assert_int_equal(what.size, class_of(size));
		assert_true(what.used);
		memset(object, 0xff, class_of(size));
		assert_int_equal(kfree(object), 0);
	}
	assert_int_equal(mm_class_size((1 << 20) + 1), 0);
	assert_int_equal(host_check(), 0);
}

static void wrong_requests(void **state)
{
	static const struct {
		unsigned long size;
		gfp_t gfp;
		enum mm_status why;
	} rows[] = {
		{(1ul << 20) + 1,  0,		     MM_ERR_SIZE},
		{1ul << 21,	    0,	       MM_ERR_SIZE},
		{1ul << 32,	    0,	       MM_ERR_SIZE},
		{1ul << 63,	    0,	       MM_ERR_SIZE},
		{(1ul << 63) + 16, 0,	      MM_ERR_SIZE},
		{~0ul,	       0,		  MM_ERR_SIZE},
		{32,		     2,		MM_ERR_GFP },
		{32,		     3,		MM_ERR_GFP },
		{32,		     (gfp_t)1 << 63, MM_ERR_GFP },
	};
	struct mm_stat_t before = mm_stat();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t gen = mm_generation();

		assert_null(kmalloc(rows[i].size, rows[i].gfp));
		assert_true(mm_generation() != gen);
		assert_null(kzalloc(rows[i].size, rows[i].gfp & ~__GFP_ZERO));
		assert_int_equal(mm_query_kmalloc(rows[i].size, rows[i].gfp, NULL), rows[i].why);
		assert_true(host_stat_equal(mm_stat(), before));
	}
}

// The original left the tail behind the requested size dirty.
static void zeroed_to_the_end(void **state)
{
	(void)state;
	for (uint64_t size = 1; size <= 1 << 20; size = size * 2 + 1) {
		uint64_t class = class_of(size);
		void *object = kmalloc(size, 0);

		memset(object, 0xee, class);
		kfree(object);
		object = size % 3 ? kzalloc(size, 0) : kmalloc(size, __GFP_ZERO);
		assert_true(all_zero(object, class));
		kfree(object);
		object = kzalloc(size, __GFP_ZERO);
		assert_true(all_zero(object, class));
		kfree(object);
	}
}

static void null_is_nothing(void **state)
{
	uint64_t gen = mm_generation();

	(void)state;
	assert_int_equal(kfree(NULL), 0);
	assert_int_equal(mm_generation(), gen);
	assert_int_equal(mm_try_kfree(NULL), MM_ERR_NULL);
}

static void wrong_frees(void **state)
{
	(void)state;
	for (uint64_t size = 32; size <= 1 << 20; size *= 2) {
		uint8_t *object = kmalloc(size, 0);
		uint8_t *other = kmalloc(size, 0);
		uint64_t offsets[] = {1, 8, 16, size / 2, size - 1};

		for (int i = 0; i < 5; i++) {
			assert_true(panics_with(object + offsets[i], "points into an object"));
			assert_int_equal(mm_query_free(object + offsets[i], NULL), MM_ERR_INTERIOR);
		}
		kfree(object);
		// Objects over 32 KiB have a slab each, which may be gone by now.
		if (size < 64 << 10)
			assert_true(panics_with(object, "double free"));
		else
			assert_true(panics_with(object, ""));
		kfree(other);
		assert_true(panics_with(other, "double free"));
		mm_trim();
		assert_true(panics_with(other, "or its slab has gone back"));
	}
}

static void foreign_pointers(void **state)
{
	struct Page *page = alloc_pages(ZONE_NORMAL, 1, 0);
	uint8_t *object = kmalloc(64, 0);
	int local = 0;

	(void)state;
	assert_true(panics_with(&local, "not an object of kmalloc"));
	assert_true(panics_with((void *)1, "not an object of kmalloc"));
	assert_true(panics_with((void *)~0ul, "not an object of kmalloc"));
	assert_true(panics_with((void *)(1ul << 63), "not an object of kmalloc"));
	assert_true(panics_with(host_virt(0), "not an object of kmalloc"));
	assert_true(panics_with(mm_ptr(mm_page_to_virt(page)), "frames at physical"));
	assert_true(panics_with(host_virt(16 * MIB), "kernel's own frame"));
	// Addresses whose granule number is that of a slab, modulo the table.
	for (unsigned shift = 28; shift < 47; shift++) {
		assert_true(panics_with(object + (1ul << shift), "not an object of kmalloc"));
		assert_true(panics_with(object - (1ul << shift), "not an object of kmalloc"));
	}
	kfree(object);
	free_pages(page, 1);
}

// A second free is refused: as such, or, if the slab went with the first, as foreign.
static bool is_free(void *object)
{
	enum mm_status verdict = mm_try_kfree(object);

	assert_int_equal(mm_query_free(object, NULL), verdict);
	return verdict == MM_ERR_FREE || verdict == MM_ERR_FOREIGN;
}

// Every object of several slabs, in several orders of freeing.
static void fill_and_free(uint64_t size, int count, int order)
{
	uint8_t **objects = calloc((size_t)count, sizeof(*objects));
	struct rng rng = {(uint64_t)order};

	for (int i = 0; i < count; i++) {
		objects[i] = kmalloc(size, 0);
		assert_non_null(objects[i]);
		memset(objects[i], i, size < 64 ? size : 64);
	}
	for (int i = 0; i < count; i++) {
		assert_int_equal(objects[i][0], (uint8_t)i);
	}
	assert_int_equal(host_check(), 0);
	for (int i = 0; i < count; i++) {
		int at = order == 0   ? i
			 : order == 1 ? count - 1 - i
				      : i + (int)rng_below(&rng, (uint64_t)(count - i));
		uint8_t *object = objects[at];

		if (order == 2)
			objects[at] = objects[i];
		kfree(object);
		if (i % 97 == 0) {
			assert_true(is_free(object));
			assert_int_equal(host_check(), 0);
		}
	}
	free(objects);
	assert_int_equal(host_check(), 0);
}

static void many_objects(void **state)
{
	(void)state;
	for (int order = 0; order < 3; order++)
		for (uint64_t size = 32; size <= 1 << 20; size *= 4)
			fill_and_free(size, size < 4096 ? 5000 : 60, order);
}

static void exhaust_and_come_back(void **state)
{
	static void *objects[4200000];
	struct mm_stat_t before, full;

	(void)state;
	mm_trim();
	before = mm_stat();
	for (uint64_t size = 64; size <= 1 << 20; size *= 16) {
		uint64_t count = 0;

		while ((objects[count] = kmalloc(size, 0)))
			count++;
		full = mm_stat();
		// No memory is refused while a frame is free.
		assert_int_equal(full.free, 0);
		// The slab's own bitmaps may take 1 %.
		assert_true(count * size >= before.free / 100 * 98);
		assert_int_equal(full.cache_used, before.cache_used + count * size);
		assert_int_equal(host_check(), 0);
		while (count)
			kfree(objects[--count]);
		// Idle memory has gone back but for a small bound.
		assert_true(mm_stat().free + 6 * MIB >= before.free);
		mm_trim();
		assert_true(host_stat_equal(mm_stat(), before));
	}
}

static void figures_agree(void **state)
{
	void *objects[100];
	struct mm_stat_t stat;
	uint64_t used = 0, bytes = 0;

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		objects[i] = kmalloc(32u << i % 16, 0);
	stat = mm_stat();
	for (unsigned i = 0; i < KMALLOC_CLASSES; i++) {
		struct mm_cache_info cache;

		assert_true(mm_cache_info(i, &cache));
		assert_int_equal(cache.size, 32ul << i);
		assert_int_equal(cache.used + cache.free, cache.objects);
		assert_int_equal(cache.allocs - cache.frees, cache.used);
		assert_int_equal(cache.objects * cache.size, cache.bytes);
		used += cache.used * cache.size;
		bytes += cache.bytes;
	}
	assert_false(mm_cache_info(16, &(struct mm_cache_info){0}));
	assert_int_equal(stat.cache_used, used);
	assert_true(bytes <= stat.cache_used + stat.cache_free);
	assert_true(stat.cache_used + stat.cache_free <= stat.used);
	assert_int_equal(stat.available, stat.free + stat.cache_free);
	for (unsigned i = 0; i < 100; i++)
		kfree(objects[i]);
	for (unsigned i = 0; i < 3; i++)
		assert_null(kmalloc((2ul << 20) + i, 0));
}

static void failures_are_counted(void **state)
{
	struct mm_cache_info cache;

	(void)state;
	mm_fail_set(MM_FAIL_KMALLOC, 1, 3);
	for (int i = 0; i < 3; i++)
		assert_null(kmalloc(100, 0));
	assert_non_null(kmalloc(100, 0));
	assert_true(mm_cache_info(2, &cache));
	assert_int_equal(cache.failed, 3);
}

static unsigned popcount(const uint64_t *words)
{
	unsigned count = 0;

	for (int i = 0; i < MM_SLAB_WORDS; i++)
		count += (unsigned)__builtin_popcountll(words[i]);
	return count;
}

static void visitors_see_everything(void **state)
{
	static uint8_t *objects[3000];
	uint64_t classes[KMALLOC_CLASSES] = {0};
	struct mm_cursor cursor = {0};
	struct mm_slab_info slab;
	struct mm_live_object live;
	enum mm_visit visit;
	int seen = 0, found = 0;

	(void)state;
	for (int i = 0; i < 3000; i++)
		objects[i] = kmalloc(i % 10 ? 32 : 20000, 0);
	for (int i = 0; i < 3000; i += 3) {
		kfree(objects[i]);
		objects[i] = NULL;
	}
	while ((visit = mm_visit_slabs(&cursor, 0, &slab)) != MM_VISIT_END) {
		if (visit == MM_VISIT_AGAIN)
			continue;
		assert_int_equal(popcount(slab.live), slab.used);
		assert_int_equal(slab.objects * slab.object_size, slab.bytes);
		classes[__builtin_ctzll(slab.object_size) - 5] += slab.used;
		for (int i = 0; i < 3000; i++) {
			uint64_t at = (uintptr_t)objects[i] - slab.start.value;

			if (!objects[i] || at >= slab.bytes)
				continue;
			at /= slab.object_size;
			assert_true(slab.live[at / 64] >> at % 64 & 1);
			found++;
		}
	}
	assert_int_equal(found, 2000);
	for (unsigned i = 0; i < KMALLOC_CLASSES; i++) {
		struct mm_cache_info cache;

		mm_cache_info(i, &cache);
		assert_int_equal(cache.used, classes[i]);
	}
	cursor = (struct mm_cursor){0};
	while ((visit = mm_visit_slabs(&cursor, 32768, &slab)) != MM_VISIT_END)
		if (visit == MM_VISIT_ITEM)
			assert_int_equal(slab.object_size, 32768);
	cursor = (struct mm_cursor){0};
	found = 0;
	while ((visit = mm_visit_objects(&cursor, 0, &live)) != MM_VISIT_END) {
		if (visit == MM_VISIT_AGAIN)
			continue;
		seen++;
		for (int i = 0; i < 3000; i++)
			found += (uintptr_t)objects[i] == live.start.value;
		assert_false(live.has_note);
	}
	assert_int_equal(found, 2000);
	assert_true(seen >= 2000);
}

// One CPU allocates, others free: all of it comes back, double frees are found.
static void other_cpus_free(void **state)
{
	static uint8_t *objects[5000];
	struct mm_stat_t before;

	(void)state;
	for (unsigned cpu = 0; cpu < 4; cpu++)
		host_cpu_use(cpu);
	host_cpu_use(0);
	mm_trim();
	before = mm_stat();
	for (int i = 0; i < 5000; i++)
		objects[i] = kmalloc(64, 0);
	for (int i = 0; i < 5000; i++) {
		host_cpu_use(1 + (unsigned)i % 3);
		kfree(objects[i]);
		assert_true(is_free(objects[i]));
		host_cpu_use(2);
		assert_true(panics_with(objects[i], ""));
		host_cpu_use(0);
		if (i % 7 == 0)
			assert_true(panics_with(objects[i], ""));
		if (i % 500 == 0)
			assert_int_equal(host_check(), 0);
	}
	mm_trim();
	for (unsigned cpu = 0; cpu < 4; cpu++) {
		host_cpu_use(cpu);
		mm_trim();
	}
	host_cpu_use(0);
	assert_true(host_stat_equal(mm_stat(), before));
	assert_int_equal(host_check(), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
		TEST(sizes_and_alignment),
		TEST(wrong_requests),
		TEST(zeroed_to_the_end),
		TEST(null_is_nothing),
		TEST(wrong_frees),
		TEST(foreign_pointers),
		TEST(many_objects),
		TEST(exhaust_and_come_back),
		TEST(figures_agree),
		TEST(failures_are_counted),
		TEST(visitors_see_everything),
		TEST(other_cpus_free),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("mm: objects", tests, NULL, NULL);
}
