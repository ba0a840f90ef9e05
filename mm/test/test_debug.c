// test_debug.c: events, attribution, poison, redzone, random placement, the log
// of last calls, failures on purpose.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host.h"

#include <stdlib.h>
#include <string.h>

static int start(void **state)
{
	(void)state;
	host_start_plain(128 * MIB);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	assert_int_equal(host_check(), 0);
	mm_hook_set(NULL, NULL);
	mm_switches_set(0, MM_SWITCH_ALL);
	host_clock_us = 0;
	host_stop();
	return 0;
}

static bool kfree_panics(void *address, const char *text)
{
	if (!host_panics(kfree(address)))
		return false;
	if (strstr(host_panic_text, text))
		return true;
	print_message("# %s\n", host_panic_text);
	return false;
}

// --- events ----------------------------------------------------------------
static struct mm_event events[64];
static unsigned event_count;

static void keep(const struct mm_event *event, void *context)
{
	assert_ptr_equal(context, events);
	if (event_count < 64)
		events[event_count++] = *event;
}

static void events_arrive(void **state)
{
	uint64_t here = (uintptr_t)events_arrive;
	struct Page *page;
	void *object;

	(void)state;
	event_count = 0;
	host_clock_us = 777;
	kfree(kmalloc(1, 0));
	assert_int_equal(event_count, 0);
	mm_hook_set(keep, events);
	object = kmalloc(100, 0);
	kfree(object);
	page = alloc_pages(ZONE_NORMAL, 2, PAGE_SHARED);
	free_pages(page, 2);
	page = alloc_pages(ZONE_NORMAL, 1, 0);
	free_pages(page, 1);
	assert_null(kmalloc(2 << 20, 0));
	assert_null(alloc_pages(ZONE_NORMAL, 64, 0));
	assert_int_equal(mm_try_kfree(object), MM_ERR_FREE);
	assert_int_equal(mm_try_free_pages(page, 1), MM_ERR_FRAME_FREE);
	mm_hook_set(NULL, NULL);
	kfree(kmalloc(1, 0));
	assert_int_equal(event_count, 10);
	assert_int_equal(events[0].type, MM_EVENT_KMALLOC);
	assert_int_equal(events[0].address, (uintptr_t)object);
	assert_int_equal(events[0].size, 128);
	assert_int_equal(events[0].aux, 100);
	assert_int_equal(events[0].time_us, 777);
	assert_true(events[0].site - here < 4096);
	assert_int_equal(events[1].type, MM_EVENT_KFREE);
	assert_int_equal(events[1].address, (uintptr_t)object);
	assert_int_equal(events[1].size, 128);
	assert_int_equal(events[2].type, MM_EVENT_ALLOC_PAGES);
	assert_int_equal(events[2].size, 2 * PAGE_2M_SIZE);
	assert_int_equal(events[2].flags, ZONE_NORMAL);
	assert_int_equal(events[3].type, MM_EVENT_FREE_PAGES);
	assert_int_equal(events[3].address, events[2].address);
	assert_int_equal(events[4].size, PAGE_2M_SIZE);
	assert_int_equal(events[6].type, MM_EVENT_FAILURE);
	assert_int_equal(events[6].failed, MM_EVENT_KMALLOC);
	assert_int_equal(events[6].status, MM_ERR_SIZE);
	assert_int_equal(events[7].failed, MM_EVENT_ALLOC_PAGES);
	assert_int_equal(events[7].status, MM_ERR_COUNT);
	assert_int_equal(events[8].status, MM_ERR_FREE);
	assert_int_equal(events[9].status, MM_ERR_FRAME_FREE);
	for (unsigned i = 0; i < event_count; i++)
		assert_true(events[i].site - here < 4096);
}

// --- attribution --------------------------------------------------------------
static __attribute__((noinline)) void *site_a(uint64_t size)
{
	void *object = kmalloc(size, 0);

	__asm__ volatile("" : : "r"(object) : "memory");
	return object;
}

static bool site_is(uint64_t site, const void *function)
{
	return site - (uintptr_t)function < 256;
}

static void attribution_tells_who(void **state)
{
	struct mm_stat_t before = mm_stat();
	void *early = site_a(64), *objects[10];
	struct mm_cursor cursor = {0};
	struct mm_live_object live;
	struct mm_object what;
	struct mm_site_info site;
	enum mm_visit visit;
	unsigned found = 0, old = 0;

	(void)state;
	host_clock_us = 1000;
	assert_int_equal(mm_switches_set(MM_SWITCH_ATTRIBUTION, 0), MM_OK);
	assert_int_equal(mm_switches(), MM_SWITCH_ATTRIBUTION);
	for (unsigned i = 0; i < 10; i++) {
		objects[i] = site_a(64);
		host_clock_us += 10;
	}
	mm_query_virt(mm_va_of(objects[3]), &what);
	assert_true(what.has_note && what.used);
	assert_true(site_is(what.site, site_a));
	assert_int_equal(what.birth_us, 1030);
	mm_query_virt(mm_va_of(early), &what);
	assert_true(what.used && !what.has_note);
	kfree(objects[3]);
	mm_query_virt(mm_va_of(objects[3]), &what);
	assert_false(what.used);
	assert_true(site_is(what.site, site_a));
	assert_true(what.freed_site - (uintptr_t)attribution_tells_who < 4096);
	while ((visit = mm_visit_objects(&cursor, 0, &live)) != MM_VISIT_END)
		found += visit == MM_VISIT_ITEM && live.has_note && live.size == 64;
	assert_int_equal(found, 9);
	cursor = (struct mm_cursor){0};
	while ((visit = mm_visit_objects(&cursor, 1050, &live)) != MM_VISIT_END)
		old += visit == MM_VISIT_ITEM;
	assert_int_equal(old, 4);
	cursor = (struct mm_cursor){0};
	found = 0;
	while ((visit = mm_visit_sites(&cursor, &site)) != MM_VISIT_END) {
		if (visit != MM_VISIT_ITEM || !site_is(site.site, site_a))
			continue;
		found++;
		assert_int_equal(site.allocs, 10);
		assert_int_equal(site.frees, 1);
		assert_int_equal(site.live_objects, 9);
		assert_int_equal(site.live_bytes, 9 * 64);
	}
	assert_int_equal(found, 1);
	for (unsigned i = 0; i < 10; i++)
		if (i != 3)
			kfree(objects[i]);
	assert_int_equal(host_check(), 0);
	mm_switches_set(0, MM_SWITCH_ATTRIBUTION);
	kfree(early);
	mm_trim();
	assert_true(host_stat_equal(mm_stat(), before));
	cursor = (struct mm_cursor){0};
	assert_int_equal(mm_visit_sites(&cursor, &site), MM_VISIT_END);
}

static void attribution_of_frames(void **state)
{
	struct mm_cursor cursor = {0};
	struct mm_site_info site;
	struct Page *page;
	uint64_t bytes = 0;

	(void)state;
	mm_switches_set(MM_SWITCH_ATTRIBUTION, 0);
	page = alloc_pages(ZONE_NORMAL, 5, 0);
	free_pages(page + 1, 2);
	while (mm_visit_sites(&cursor, &site) == MM_VISIT_ITEM)
		if (site.site - (uintptr_t)attribution_of_frames < 4096)
			bytes += site.live_bytes;
	assert_int_equal(bytes, 3 * PAGE_2M_SIZE);
	assert_true(page[3].site - (uintptr_t)attribution_of_frames < 4096);
	mm_switches_set(0, MM_SWITCH_ATTRIBUTION);
	free_pages(page, 1);
	free_pages(page + 3, 2);
}

// On and off in the middle of everything, in all sizes.
static void switches_come_and_go(void **state)
{
	void *objects[160];
	struct mm_stat_t before;

	(void)state;
	mm_trim();
	before = mm_stat();
	for (unsigned round = 0; round < 40; round++) {
		unsigned mask = round * 7 % 32;

		assert_int_equal(mm_switches_set(mask, MM_SWITCH_ALL & ~mask), MM_OK);
		for (unsigned i = 0; i < 160; i++) {
			uint64_t size = (32ul << i % 16) - round % 3;

			objects[i] = i % 2 ? kzalloc(size, 0) : kmalloc(size, 0);
			assert_non_null(objects[i]);
			memset(objects[i], 0x11, size);
		}
		mask = round * 11 % 32;
		assert_int_equal(mm_switches_set(mask, MM_SWITCH_ALL & ~mask), MM_OK);
		assert_int_equal(host_check(), 0);
		for (unsigned i = 0; i < 160; i++)
			kfree(objects[(i * 7) % 160]);
		assert_int_equal(host_check(), 0);
	}
	mm_switches_set(0, MM_SWITCH_ALL);
	mm_trim();
	assert_true(host_stat_equal(mm_stat(), before));
	assert_int_equal(mm_switches_set(64, 0), MM_ERR_FLAGS);
	assert_int_equal(mm_switches_set(1, 1), MM_ERR_FLAGS);
}

// --- poison and redzone --------------------------------------------------------
static void poison_finds_late_writes(void **state)
{
	uint8_t *object, *again = NULL;

	(void)state;
	mm_switches_set(MM_SWITCH_POISON, 0);
	object = kmalloc(200, 0);
	memset(object, 1, 200);
	kfree(object);
	for (int i = 0; i < 256; i++)
		assert_int_equal(object[i], 0x6b);
	again = kmalloc(200, 0); // untouched: no complaint
	assert_ptr_equal(again, object);
	kfree(object);
	object[77] = 0;
	assert_true(host_panics(again = kmalloc(200, 0)));
	assert_non_null(strstr(host_panic_text, "poison"));
	assert_non_null(strstr(host_panic_text, "freed by"));
	mm_switches_set(0, MM_SWITCH_POISON);
}

static void redzone_finds_overruns(void **state)
{
	uint8_t *object;

	(void)state;
	mm_switches_set(MM_SWITCH_REDZONE, 0);
	object = kmalloc(100, 0);
	memset(object, 0, 100);
	kfree(object);
	object = kmalloc(100, 0);
	object[100] = 0;
	assert_true(kfree_panics(object, "redzone"));
	assert_int_equal(mm_query_free(object, NULL), MM_ERR_REDZONE);
	assert_int_equal(mm_try_kfree(object), MM_ERR_REDZONE);
	object[100] = 0xbb;
	kfree(object);
	object = kmalloc(1000, 0);
	object[1023]++;
	assert_true(kfree_panics(object, "redzone"));
	mm_switches_set(0, MM_SWITCH_REDZONE);
	kfree(object);
	// Zeroed memory is zero to the end, and watched there as well.
	mm_switches_set(MM_SWITCH_REDZONE, 0);
	object = kzalloc(100, 0);
	for (int i = 0; i < 128; i++)
		assert_int_equal(object[i], 0);
	object[127] = 1;
	assert_true(kfree_panics(object, "redzone"));
	object[127] = 0;
	kfree(object);
	object = kmalloc(128, 0); // no gap
	memset(object, 3, 128);
	kfree(object);
	mm_switches_set(0, MM_SWITCH_REDZONE);
}

static void placement_is_random(void **state)
{
	uintptr_t last = 0;
	int ups = 0, steps = 0;

	(void)state;
	mm_switches_set(MM_SWITCH_RANDOM, 0);
	for (int i = 0; i < 1000; i++) {
		uintptr_t at = (uintptr_t)kmalloc(32, 0);

		ups += at > last;
		steps += at == last + 32;
		last = at;
	}
	assert_true(ups > 300 && ups < 700);
	assert_true(steps < 50);
	assert_int_equal(host_check(), 0);
	mm_switches_set(0, MM_SWITCH_RANDOM);
}

static void last_calls_are_kept(void **state)
{
	struct mm_call calls[4];
	void *a, *b;

	(void)state;
	assert_int_equal(mm_last_calls(calls, 4), 0);
	mm_switches_set(MM_SWITCH_LAST_CALLER, 0);
	a = kmalloc(10, 0);
	b = kmalloc(20, 0);
	kfree(a);
	assert_int_equal(mm_last_calls(calls, 4), 3);
	assert_int_equal(calls[0].type, MM_EVENT_KFREE);
	assert_int_equal(calls[0].address, (uintptr_t)a);
	assert_int_equal(calls[1].address, (uintptr_t)b);
	assert_true(calls[1].site - (uintptr_t)last_calls_are_kept < 4096);
	// A double free is explained from the log.
	assert_true(kfree_panics(a, "last freed by"));
	for (int i = 0; i < 3000; i++)
		kfree(kmalloc(32, 0));
	assert_int_equal(mm_last_calls(calls, 4), 4);
	assert_true(calls[0].sequence > 6000);
	mm_switches_set(0, MM_SWITCH_LAST_CALLER);
	kfree(b);
}

// --- failures on purpose ---------------------------------------------------------
static void the_nth_fails(void **state)
{
	struct mm_stat_t before;
	void *object;

	(void)state;
	kfree(kmalloc(50, 0));
	before = mm_stat();
	mm_fail_set(MM_FAIL_KMALLOC, 3, 2);
	for (int i = 1; i <= 6; i++) {
		object = kmalloc(50, 0);
		assert_int_equal(object == NULL, i == 3 || i == 4);
		kfree(object);
	}
	assert_int_equal(mm_fail_hits(MM_FAIL_KMALLOC), 2);
	mm_fail_set(MM_FAIL_ALLOC_PAGES, 1, 1);
	assert_null(alloc_pages(ZONE_NORMAL, 1, 0));
	mm_fail_set(MM_FAIL_KMALLOC, 1, 0);
	for (int i = 0; i < 5; i++)
		assert_null(kzalloc(50, 0));
	mm_fail_set(MM_FAIL_KMALLOC, 0, 0);
	assert_int_equal(mm_fail_set(MM_FAIL_OPS, 1, 1), MM_ERR_FLAGS);
	object = kmalloc(50, 0);
	assert_non_null(object);
	kfree(object);
	assert_true(host_stat_equal(mm_stat(), before));
}

// Every step inside kmalloc that takes memory, made to fail in turn.
static void slabs_fail_cleanly(void **state)
{
	struct mm_stat_t before;

	(void)state;
	mm_trim();
	before = mm_stat();
	for (uint64_t size = 32; size <= 1 << 20; size *= 2) {
		bool done = false;

		for (uint64_t nth = 1; !done; nth++) {
			void *object;

			mm_fail_set(MM_FAIL_SLAB, nth, 0);
			object = kmalloc(size, 0);
			done = object != NULL;
			mm_fail_set(MM_FAIL_SLAB, 0, 0);
			assert_int_equal(host_check(), 0);
			kfree(object);
			mm_trim();
			assert_true(host_stat_equal(mm_stat(), before));
			assert_true(nth < 10);
		}
	}
	mm_fail_set(MM_FAIL_SLAB, 1, 0);
	assert_int_equal(mm_switches_set(MM_SWITCH_ATTRIBUTION, 0), MM_ERR_NO_MEMORY);
	assert_int_equal(mm_switches_set(MM_SWITCH_LAST_CALLER, 0), MM_ERR_NO_MEMORY);
	assert_int_equal(mm_switches(), 0);
	mm_fail_set(MM_FAIL_SLAB, 0, 0);
	// Without memory for notes objects go without them.
	assert_int_equal(mm_switches_set(MM_SWITCH_ATTRIBUTION, 0), MM_OK);
	for (uint64_t nth = 1; nth < 6; nth++) {
		void *object;

		mm_fail_set(MM_FAIL_SLAB, nth, 0);
		object = kmalloc(32, 0);
		mm_fail_set(MM_FAIL_SLAB, 0, 0);
		kfree(object);
		mm_trim();
		assert_int_equal(host_check(), 0);
	}
	mm_switches_set(0, MM_SWITCH_ALL);
	mm_trim();
	assert_true(host_stat_equal(mm_stat(), before));
}

static void texts_are_bounded(void **state)
{
	void *object = kmalloc(64, 0);
	struct mm_object what;
	char text[256], small[20];

	(void)state;
	mm_query_virt(mm_va_of(object), &what);
	for (size_t size = 0; size < sizeof(text); size++) {
		memset(text, 0x55, sizeof(text));
		assert_true(mm_describe_free(text, size, object, MM_ERR_FREE, &what) <=
			    (size ? size - 1 : 0));
		assert_int_equal(text[size], 0x55);
		if (size)
			assert_true(memchr(text, 0, size) != NULL);
	}
	assert_int_equal(mm_describe_free(small, sizeof(small), NULL, MM_ERR_FREE, NULL), 19);
	assert_string_equal(small, "kfree(0x0): double ");
	kfree(object);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
		TEST(events_arrive),
		TEST(attribution_tells_who),
		TEST(attribution_of_frames),
		TEST(switches_come_and_go),
		TEST(poison_finds_late_writes),
		TEST(redzone_finds_overruns),
		TEST(placement_is_random),
		TEST(last_calls_are_kept),
		TEST(the_nth_fails),
		TEST(slabs_fail_cleanly),
		TEST(texts_are_bounded),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("mm: events, switches, failures", tests, NULL, NULL);
}
