// test_more.c: what breaking the code on purpose (mutate, alloc.mutations) showed to be untested.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "host.h"
#include "state.h"

// --- who listens to what -----------------------------------------------------------
static unsigned heard[MM_EVENT_TYPES];

static void count_event(const struct mm_event *event, void *context)
{
	assert_ptr_equal(context, heard);
	heard[event->type]++;
}

// One of each: kmalloc, kfree, alloc_pages, free_pages, and a failure.
static void one_of_each(void)
{
	struct Page *page;
	void *object;

	memset(heard, 0, sizeof(heard));
	object = kmalloc(80, 0);
	assert_non_null(object);
	kfree(object);
	page = alloc_pages(ZONE_NORMAL, 2, 0);
	assert_non_null(page);
	free_pages(page, 2);
	assert_null(kmalloc(KMALLOC_MAX_SIZE + 1, 0));
}

static void test_mask_chooses(void **state)
{
	(void)state;
	host_start_plain(64 * MIB);
	for (unsigned type = 0; type < MM_EVENT_TYPES; type++) {
		mm_hook_set_mask(count_event, heard, 1u << type);
		one_of_each();
		for (unsigned other = 0; other < MM_EVENT_TYPES; other++) {
			bool occurs = other != MM_EVENT_MAP && other != MM_EVENT_UNMAP;

			assert_int_equal(heard[other], other == type && occurs ? 1 : 0);
		}
	}
	mm_hook_set(count_event, heard);
	one_of_each();
	assert_int_equal(heard[MM_EVENT_KMALLOC], 1);
	assert_int_equal(heard[MM_EVENT_FAILURE], 1);
	mm_hook_set_mask(count_event, heard, 1u << MM_EVENT_TYPES); // no event has this bit
	one_of_each();
	for (unsigned type = 0; type < MM_EVENT_TYPES; type++)
		assert_int_equal(heard[type], 0);
	mm_hook_set(NULL, NULL);
	assert_int_equal(host_check(), 0);
	host_stop();
}

// What nobody listens to stays on the fast paths: they look at nothing but these words.
static void test_mask_keeps_fast_paths(void **state)
{
	(void)state;
	host_start_plain(64 * MIB);
	mm_hook_set_mask(count_event, heard,
			 1u << MM_EVENT_MAP | 1u << MM_EVENT_UNMAP | 1u << MM_EVENT_FAILURE);
	one_of_each();
	assert_int_equal(mm_cpus[0]->slow, 0);
	assert_int_equal(mm_cpus[0]->token, 1);
	assert_int_equal(mm_flags, 0);
	mm_hook_set_mask(count_event, heard, 1u << MM_EVENT_ALLOC_PAGES);
	one_of_each();
	assert_int_equal(mm_cpus[0]->slow, 0);
	host_cpu_use(3); // a CPU that comes up while somebody listens
	assert_int_equal(mm_cpus[3]->slow, 0);
	assert_int_equal(mm_cpus[3]->token, 4);
	mm_hook_set_mask(count_event, heard, 1u << MM_EVENT_KFREE);
	assert_int_not_equal(mm_cpus[0]->slow, 0);
	mm_hook_set_mask(count_event, heard, 1u << MM_EVENT_FREE_PAGES);
	assert_int_equal(mm_cpus[0]->slow, 0);
	mm_hook_set(NULL, NULL);
	assert_int_equal(mm_flags, 0);
	host_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mask_chooses),
		cmocka_unit_test(test_mask_keeps_fast_paths),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("mm-more", tests, NULL, NULL);
}
