// test_more.c: what breaking the code on purpose (mutate, alloc.mutations) showed to be untested.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "host.h"
#include "rng.h"
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

// A log of calls that is on sends every operation the long way, past the listener.
static void test_mask_holds_beside_the_log(void **state)
{
	struct mm_call call;

	(void)state;
	host_start_plain(64 * MIB);
	mm_hook_set_mask(count_event, heard, 1u << MM_EVENT_KFREE);
	assert_int_equal(mm_switches_set(MM_SWITCH_LAST_CALLER, 0), MM_OK);
	one_of_each();
	for (unsigned type = 0; type < MM_EVENT_TYPES; type++)
		assert_int_equal(heard[type], type == MM_EVENT_KFREE ? 1 : 0);
	assert_int_equal(mm_last_calls(&call, 1), 1);
	assert_int_equal(call.type, MM_EVENT_FAILURE);
	mm_hook_set(NULL, NULL);
	assert_int_equal(mm_switches_set(0, MM_SWITCH_LAST_CALLER), MM_OK);
	host_stop();
}

// --- what is not heard is counted --------------------------------------------------
static void mute_at_first(const struct mm_event *event, void *context)
{
	count_event(event, context);
	mm_hook_mute(1u << MM_EVENT_KMALLOC | 1u << MM_EVENT_KFREE);
}

// A listener that has heard enough says so from within, and the fast paths are back.
static void test_mute(void **state)
{
	(void)state;
	host_start_plain(64 * MIB);
	mm_hook_set(mute_at_first, heard);
	one_of_each();
	assert_int_equal(heard[MM_EVENT_KMALLOC], 1);
	assert_int_equal(heard[MM_EVENT_KFREE], 0);
	assert_int_equal(heard[MM_EVENT_ALLOC_PAGES], 1);
	assert_int_equal(heard[MM_EVENT_FAILURE], 1);
	mm_hook_mute(1u << MM_EVENT_ALLOC_PAGES | 1u << MM_EVENT_FREE_PAGES);
	one_of_each();
	assert_int_equal(heard[MM_EVENT_ALLOC_PAGES], 0);
	assert_int_equal(heard[MM_EVENT_FAILURE], 1);
	assert_int_equal(mm_cpus[0]->slow, 0);
	assert_int_equal(mm_cpus[0]->token, 1);
	assert_int_equal(mm_flags, 0);
	mm_hook_set_mask(count_event, heard, 1u << MM_EVENT_KFREE);
	one_of_each();
	assert_int_equal(heard[MM_EVENT_KFREE], 1);
	mm_hook_set(NULL, NULL);
	mm_hook_mute(UINT32_MAX);
	assert_int_equal(host_check(), 0);
	host_stop();
}

enum { COUNTED = 4, HELD = 200 };
static void *held[HELD];
static struct Page *held_run[HELD];
static uint64_t made[COUNTED];

// Whole, or its last `behind` frames first.
static void free_run_of(struct Page *run, unsigned frames, unsigned behind)
{
	free_pages(run + frames - behind, (int)behind);
	if (behind < frames)
		free_pages(run, (int)(frames - behind));
	made[MM_EVENT_FREE_PAGES] += behind < frames ? 2 : 1;
}

static void random_call(struct rng *rng)
{
	unsigned i = (unsigned)rng_below(rng, HELD), frames = i % 2 ? 3 : 1;

	if (rng_below(rng, 2)) {
		if (held[i]) {
			kfree(held[i]);
			made[MM_EVENT_KFREE]++;
			held[i] = NULL;
		} else {
			held[i] = kmalloc(rng_below(rng, 5000), 0);
			made[MM_EVENT_KMALLOC] += held[i] != NULL;
		}
	} else if (held_run[i]) {
		free_run_of(held_run[i], frames, 1 + (unsigned)rng_below(rng, frames));
		held_run[i] = NULL;
	} else {
		held_run[i] = alloc_pages(ZONE_NORMAL, (int)frames, 0);
		made[MM_EVENT_ALLOC_PAGES] += held_run[i] != NULL;
	}
}

static void random_listening(struct rng *rng)
{
	const unsigned switches = MM_SWITCH_ATTRIBUTION | MM_SWITCH_LAST_CALLER;

	if (rng_below(rng, 50) == 0)
		mm_hook_set_mask(count_event, heard, (uint32_t)rng_below(rng, 128));
	if (rng_below(rng, 50) == 0)
		mm_hook_mute((uint32_t)rng_below(rng, 128));
	if (rng_below(rng, 500) == 0)
		assert_int_equal(mm_switches_set(switches, 0), MM_OK);
	if (rng_below(rng, 500) == 0)
		assert_int_equal(mm_switches_set(0, switches), MM_OK);
	if (rng_below(rng, 500) == 0)
		mm_trim();
}

// Whoever listens, whatever is switched: the counts are the calls that succeeded.
static void test_event_counts(void **state)
{
	uint64_t before[COUNTED];
	struct rng rng = {7};

	(void)state;
	host_start_plain(256 * MIB);
	free_pages(alloc_pages(ZONE_NORMAL, 3, 0), 3);
	assert_int_equal(mm_event_count(MM_EVENT_FREE_PAGES), 1); // the quickest way
	for (unsigned type = 0; type < COUNTED; type++)
		before[type] = mm_event_count(type);
	for (int step = 0; step < 20000; step++) {
		random_call(&rng);
		random_listening(&rng);
		for (unsigned type = 0; type < COUNTED; type++)
			assert_int_equal(mm_event_count(type) - before[type], made[type]);
		assert_int_equal(mm_event_count(MM_EVENT_MAP), 0);
	}
	mm_hook_set(NULL, NULL);
	host_stop();
}

// --- a run that its taker has not yet written the length of -------------------------
static uint64_t frames_seen(void)
{
	struct mm_cursor cursor = {0};
	struct mm_frame_run run;
	uint64_t frames = 0;

	for (int steps = 0; mm_visit_frames(&cursor, 0, &run) == MM_VISIT_ITEM; steps++) {
		assert_in_range(steps, 0, 1000); // it gets on
		assert_int_equal(run.start.value >> MM_FRAME_SHIFT, frames);
		frames += run.frames;
	}
	return frames;
}

// A thread may be preempted there, and whoever looks must get by: it did for ever.
static void test_run_in_the_making(void **state)
{
	struct mm_object what;
	struct Page *before, *run;
	uint64_t all;

	(void)state;
	host_start_plain(256 * MIB);
	before = alloc_pages(ZONE_NORMAL, 2, 0);
	run = alloc_pages(ZONE_NORMAL, 40, 0);
	all = frames_seen();
	for (int i = 0; i < 2; i++) {
		run->run_frames = 0;
		assert_int_equal(frames_seen(), all);
		for (int frame = 0; frame < 40; frame++) {
			assert_int_equal(mm_frame_state(run + frame), MM_FRAME_FREE);
			assert_int_equal(mm_page_attr(run + frame), 0);
			assert_int_equal(mm_page_refs(run + frame), 0);
			mm_query_phys(mm_page_to_phys(run + frame), &what);
			assert_false(what.used);
			assert_int_equal(what.size, MM_FRAME_SIZE);
			assert_int_equal(mm_try_free_pages(run + frame, 1), MM_ERR_FRAME_FREE);
		}
		run->run_frames = 40;
		if (i == 0)
			free_pages(before, 2); // then nothing stands before it
	}
	assert_int_equal(host_check(), 0);
	free_pages(run, 40);
	host_stop();
}

// --- runs that are freed where no search hoped for them ----------------------------
static uint64_t live_bytes_of_sites(void)
{
	struct mm_cursor cursor = {0};
	struct mm_site_info site;
	uint64_t bytes = 0;
	enum mm_visit step;

	while ((step = mm_visit_sites(&cursor, &site)) != MM_VISIT_END)
		if (step == MM_VISIT_ITEM)
			bytes += site.live_bytes;
	return bytes;
}

// Fills the zone with runs of 20, so that searches fail and give up all hope, and
// frees every second: each of these is worth looking for again.
static void test_whole_runs_come_back(void **state)
{
	struct Page *run[200], *again;
	unsigned count = 0;

	(void)state;
	host_start_plain(8 * GIB);
	assert_int_equal(mm_switches_set(MM_SWITCH_ATTRIBUTION, 0), MM_OK);
	while ((run[count] = alloc_pages(ZONE_UNMAPPED_IN_PGT, 20, PAGE_SHARED)))
		count++;
	assert_int_equal(count, 2048 / 20);
	assert_int_equal(live_bytes_of_sites(), count * 20 * PAGE_2M_SIZE);
	for (unsigned i = 0; i < count; i += 2) {
		free_pages(run[i], 20);
		assert_int_equal(mm_frame_state(run[i]), MM_FRAME_FREE);
	}
	assert_int_equal(live_bytes_of_sites(), count / 2 * 20 * PAGE_2M_SIZE);
	assert_int_equal(mm_stat().shared, count / 2 * 20 * PAGE_2M_SIZE);
	assert_int_equal(host_check(), 0);
	for (unsigned i = 0; i < count; i += 2) {
		again = alloc_pages(ZONE_UNMAPPED_IN_PGT, 20, 0);
		assert_non_null(again);
	}
	assert_null(alloc_pages(ZONE_UNMAPPED_IN_PGT, 20, 0));
	assert_int_equal(mm_switches_set(0, MM_SWITCH_ATTRIBUTION), MM_OK);
	assert_int_equal(host_check(), 0);
	host_stop();
}

// --- verdicts ----------------------------------------------------------------------
static void test_queries_change_nothing(void **state)
{
	struct mm_object object;
	uint64_t before;
	struct Page *page;
	char *it;

	(void)state;
	host_start_plain(64 * MIB);
	it = kmalloc(80, 0);
	page = alloc_pages(ZONE_NORMAL, 3, 0);
	before = mm_generation();
	assert_int_equal(mm_query_free(NULL, &object), MM_ERR_NULL);
	assert_int_equal(mm_query_free(it, &object), MM_OK);
	assert_int_equal(object.kind, MM_OBJECT_SLAB);
	assert_true(object.used);
	assert_int_equal(object.size, 128);
	assert_int_equal(mm_query_free(it + 8, &object), MM_ERR_INTERIOR);
	assert_ptr_equal((void *)object.base, it);
	assert_int_equal(mm_query_free(&object, NULL), MM_ERR_FOREIGN);
	assert_int_equal(mm_query_free_pages(page + 1, 2, &object), MM_OK);
	assert_int_equal(object.kind, MM_OBJECT_FRAME);
	assert_int_equal(object.base, mm_page_to_phys(page).value);
	assert_int_equal(object.size, 3 * PAGE_2M_SIZE);
	assert_int_equal(mm_query_free_pages(page, 4, NULL), MM_ERR_FRAME_FREE);
	mm_query_phys(mm_pa(16 * MIB), &object);
	assert_int_equal(object.kind, MM_OBJECT_IMAGE);
	mm_query_phys(mm_pa(64 * MIB), &object);
	assert_int_equal(object.kind, MM_OBJECT_NONE);
	mm_query_virt(mm_va(0), &object);
	assert_int_equal(object.kind, MM_OBJECT_NONE);
	assert_int_equal(mm_generation(), before);
	kfree(it);
	assert_int_equal(mm_query_free(it, &object), MM_ERR_FREE);
	assert_false(object.used);
	free_pages(page, 3);
	assert_int_equal(mm_query_free_pages(page, 3, &object), MM_ERR_FRAME_FREE);
	assert_false(object.used);
	host_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mask_chooses),
		cmocka_unit_test(test_mask_keeps_fast_paths),
		cmocka_unit_test(test_mask_holds_beside_the_log),
		cmocka_unit_test(test_mute),
		cmocka_unit_test(test_event_counts),
		cmocka_unit_test(test_run_in_the_making),
		cmocka_unit_test(test_whole_runs_come_back),
		cmocka_unit_test(test_queries_change_nothing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("mm-more", tests, NULL, NULL);
}
