// test_tables.c: objects that serve as page tables are nobody's to free, as long
// as they do; and mm_check() names what is broken. Needs mm's own header.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host.h"
#include "state.h"

#include <stdlib.h>
#include <string.h>

static int start(void **state)
{
	(void)state;
	host_start_plain(128 * MIB);
	host_cpu_use(1);
	host_cpu_use(0);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	host_stop();
	return 0;
}

// While a CPU owns the slab, and when nobody does.
static void tables_are_not_freed_by_hand(void **state)
{
	static void *tables[100];
	struct mm_cache_info cache;
	struct mm_object what;

	(void)state;
	for (int i = 0; i < 100; i++) {
		tables[i] = mm_table_alloc(1);
		assert_non_null(tables[i]);
		assert_int_equal((uintptr_t)tables[i] % 4096, 0);
		for (int word = 0; word < 512; word++)
			assert_int_equal(((uint64_t *)tables[i])[word], 0);
		memset(tables[i], 0xff, 4096);
	}
	mm_table_free(tables[1]); // its slab is on the partial list then
	for (int i = 0; i < 100; i++) {
		if (i == 1)
			continue;
		assert_true(mm_table_is((char *)tables[i] + 100));
		assert_int_equal(mm_try_kfree(tables[i]), MM_ERR_TABLE);
		assert_true(host_panics(kfree(tables[i])));
		assert_non_null(strstr(host_panic_text, "a page table in use"));
		mm_query_virt(mm_va_of(tables[i]), &what);
		assert_int_equal(what.kind, MM_OBJECT_TABLE);
	}
	assert_false(mm_table_is(tables[1]));
	assert_true(mm_cache_info(7, &cache));
	assert_int_equal(cache.size, 4096);
	assert_true(cache.used >= 99);
	host_cpu_use(1); // another CPU's slab
	assert_int_equal(mm_try_kfree(tables[99]), MM_ERR_TABLE);
	mm_table_free(tables[99]);
	host_cpu_use(0);
	for (int i = 0; i < 99; i++)
		if (i != 1)
			mm_table_free(tables[i]);
	assert_true(host_panics(mm_table_free(tables[50])));
	assert_int_equal(host_check(), 0);
}

static void objects_are_no_tables(void **state)
{
	void *object = kmalloc(4096, 0);

	(void)state;
	assert_false(mm_table_is(object));
	assert_true(host_panics(mm_table_free(object)));
	assert_int_equal(mm_query_free(object, NULL), MM_OK);
	kfree(object);
	mm_fail_set(MM_FAIL_TABLE, 1, 1);
	assert_null(mm_table_alloc(0));
	object = mm_table_alloc(0);
	assert_non_null(object);
	mm_table_free(object);
}

// --- the checker ----------------------------------------------------------------
static char faults[4000];

static void note_fault(const char *text, void *context)
{
	(void)context;
	strncat(faults, text, sizeof(faults) - strlen(faults) - 1);
}

static bool check_says(const char *text)
{
	faults[0] = '\0';
	mm_check(note_fault, NULL);
	if (strstr(faults, text))
		return true;
	print_message("# %s\n", faults);
	return false;
}

#define BREAK(lvalue, value, text)                  \
	do {                                        \
		__typeof__(lvalue) held = (lvalue); \
		(lvalue) = (value);                 \
		assert_true(check_says(text));      \
		(lvalue) = held;                    \
		assert_int_equal(host_check(), 0);  \
	} while (0)

static void broken_frames_are_named(void **state)
{
	struct zone *zone = &mm_zones[MM_ZONE_NORMAL];
	struct Page *run = alloc_pages(ZONE_NORMAL, 4, PAGE_SHARED);
	uint32_t bit = mm_page_bit(zone, run);
	struct frame_word *word = &zone->word[bit / 64];

	(void)state;
	BREAK(word->free, word->free | 1ul << bit % 64, "two states");
	BREAK(word->alloc, word->alloc & ~(1ul << bit % 64), "allocated bit and runs");
	BREAK(word->promised, 0ul, "not promised");
	BREAK(word->hint, 1, "hint of a word below");
	BREAK(zone->buckets, 0ul, "mask of the buckets");
	BREAK(zone->given, zone->given + 1, "count of taken frames");
	BREAK(zone->shared, zone->shared + 1, "count of shared frames");
	BREAK(run->run_frames, 3, "allocated bit and runs");
	BREAK(run[1].run_frames, 2, "runs overlap");
	BREAK(run[2].refs, 1, "references without a run");
	free_pages(run, 4);
}

static void broken_slabs_are_named(void **state)
{
	void *objects[3000];
	struct slab *slab, *owned;
	struct Page *page;

	(void)state;
	for (int i = 0; i < 3000; i++)
		objects[i] = kmalloc(32, 0);
	kfree(objects[5]);
	slab = mm_slab_of((uintptr_t)objects[0]);
	owned = mm_slab_of((uintptr_t)objects[2999]);
	page = mm_phys_to_page(mm_virt_to_phys(objects[0]));
	assert_int_equal(slab->owner, 0);
	assert_int_equal(owned->owner, 1);
	BREAK(slab->used, 7, "count of used objects");
	BREAK(slab->listed, 0, "on the partial list");
	BREAK(slab->bits[0], slab->bits[0] | 1, "count of used objects");
	BREAK(slab->bits[32], 4ul, "remote bits without an owner");
	BREAK(owned->bits[1], owned->bits[1] ^ 2, "objects in use by the counters");
	BREAK(slab->cls, 9, "class and object size differ");
	BREAK(slab->start, slab->start + 4096, "another address");
	BREAK(page->granules, page->granules ^ 1u << 31, "free granule in use");
	BREAK(mm_pool.nonempty, 0u, "mask of the lists");
	BREAK(mm_pool.frames, mm_pool.frames + 1, "count of frames");
	BREAK(mm_classes[4].slabs, 77ul, "count of slabs");
	BREAK(mm_classes[4].head, MM_NIL, "partial list");
	BREAK(mm_cpus[0]->allocs[4], 0ul, "objects in use by the counters");
	for (int i = 0; i < 3000; i++)
		if (i != 5)
			kfree(objects[i]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
		TEST(tables_are_not_freed_by_hand),
		TEST(objects_are_no_tables),
		TEST(broken_frames_are_named),
		TEST(broken_slabs_are_named),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("mm: tables and the checker", tests, NULL, NULL);
}
