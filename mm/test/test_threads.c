// test_threads.c: real threads as CPUs, for ThreadSanitizer: objects and frames
// given out here and freed there, watched, checked and switched meanwhile.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host.h"
#include "rng.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define CPUS   4
#define SLOTS  256
#define ROUNDS 12000

// Anyone may put an object into an empty slot, and free what lies in one.
static void *slots[SLOTS];
static struct Page *frame_slots[32];
static bool stop_watching;

struct worker {
	pthread_t thread;
	unsigned cpu;
	uint64_t allocated, freed;
};

static void object_turn(struct worker *worker, struct rng *rng)
{
	unsigned slot = (unsigned)rng_below(rng, SLOTS);
	uint64_t size = 8ul << rng_below(rng, rng_below(rng, 8) ? 8 : 16);
	uint64_t *mine = rng_below(rng, 3) ? kmalloc(size, 0) : kzalloc(size, 0);
	uint64_t *old;

	if (mine) {
		worker->allocated++;
		*mine = (uintptr_t)mine ^ 0x5555;
	}
	old = __atomic_exchange_n(&slots[slot], mine, __ATOMIC_ACQ_REL);
	if (!old)
		return;
	if (*old != ((uintptr_t)old ^ 0x5555))
		abort();
	*old = 0;
	kfree(old);
	worker->freed++;
}

static void frame_turn(struct rng *rng)
{
	unsigned slot = (unsigned)rng_below(rng, 32);
	int frames = rng_below(rng, 2) ? 1 : 1 + (int)rng_below(rng, 7);
	struct Page *page = alloc_pages(1u << rng_below(rng, 3), frames, PAGE_SHARED);
	struct Page *old = __atomic_exchange_n(&frame_slots[slot], page, __ATOMIC_ACQ_REL);

	if (!old)
		return;
	frames = __atomic_load_n(&old->run_frames, __ATOMIC_RELAXED);
	if (frames > 2) {
		free_pages(old + 1, 1);
		free_pages(old + 2, frames - 2);
		frames = 1;
	}
	free_pages(old, frames);
}

static void *work(void *argument)
{
	struct worker *worker = argument;
	struct rng rng = {worker->cpu + 99};

	host_cpu_use(worker->cpu);
	for (unsigned i = 0; i < ROUNDS; i++) {
		object_turn(worker, &rng);
		if (i % 8 == 0)
			frame_turn(&rng);
		if (i % 1000 == 0)
			mm_trim();
	}
	return NULL;
}

// Looks at everything all the time; what it sees must make sense.
static void *watch(void *argument)
{
	(void)argument;
	while (!__atomic_load_n(&stop_watching, __ATOMIC_RELAXED)) {
		struct mm_stat_t stat = mm_stat();
		struct mm_cursor cursor = {0};
		struct mm_slab_info slab;
		struct mm_frame_run run;

		if (stat.used + stat.free != stat.total || stat.shared > stat.used ||
		    stat.cache_used + stat.cache_free > stat.used)
			abort();
		while (mm_visit_slabs(&cursor, 0, &slab) != MM_VISIT_END)
			;
		cursor = (struct mm_cursor){0};
		while (mm_visit_frames(&cursor, 0, &run) != MM_VISIT_END)
			;
		for (unsigned i = 0; i < SLOTS; i += 16)
			mm_query_free(__atomic_load_n(&slots[i], __ATOMIC_RELAXED), NULL);
	}
	return NULL;
}

static void *check(void *argument)
{
	(void)argument;
	while (!__atomic_load_n(&stop_watching, __ATOMIC_RELAXED))
		if (host_check())
			abort();
	return NULL;
}

static void trim_everywhere(void)
{
	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		host_cpu_use(cpu);
		mm_trim();
	}
	host_cpu_use(0);
	mm_trim();
}

static void start_machine(void)
{
	static const struct mm_region map[] = {
		{0,	    512 * MIB, MM_REGION_USABLE},
		{8 * GIB,  128 * MIB, MM_REGION_USABLE},
		{16 * MIB, 3 * MIB,   MM_REGION_IN_USE},
	};

	host_start(&(struct host_machine){
		.regions = map, .region_count = 3, .direct_limit = GIB, .cpus = CPUS + 2});
	for (unsigned cpu = 0; cpu < CPUS + 2; cpu++)
		host_cpu_use(cpu);
	trim_everywhere();
}

static void run_workers(void)
{
	struct worker workers[CPUS];

	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		workers[cpu] = (struct worker){.cpu = cpu};
		pthread_create(&workers[cpu].thread, NULL, work, &workers[cpu]);
	}
	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		pthread_join(workers[cpu].thread, NULL);
}

static void free_the_rest(void)
{
	for (unsigned i = 0; i < SLOTS; i++) {
		kfree(slots[i]);
		slots[i] = NULL;
	}
	for (unsigned i = 0; i < 32; i++) {
		if (frame_slots[i])
			free_pages(frame_slots[i], frame_slots[i]->run_frames);
		frame_slots[i] = NULL;
	}
}

static void everybody_at_once(void **state)
{
	struct mm_stat_t before;
	pthread_t watcher, checker;

	(void)state;
	start_machine();
	before = mm_stat();
	stop_watching = false;
	pthread_create(&watcher, NULL, watch, NULL);
	pthread_create(&checker, NULL, check, NULL);
	run_workers();
	__atomic_store_n(&stop_watching, true, __ATOMIC_RELAXED);
	pthread_join(watcher, NULL);
	pthread_join(checker, NULL);
	assert_int_equal(host_check(), 0);
	free_the_rest();
	assert_int_equal(host_check(), 0);
	trim_everywhere();
	assert_true(host_stat_equal(mm_stat(), before));
	host_stop();
}

static void count_event(const struct mm_event *event, void *context)
{
	(void)event;
	__atomic_fetch_add((uint64_t *)context, 1, __ATOMIC_RELAXED);
}

static void *toggle(void *argument)
{
	static uint64_t events;

	(void)argument;
	host_cpu_use(CPUS);
	for (unsigned i = 0; !__atomic_load_n(&stop_watching, __ATOMIC_RELAXED); i++) {
		unsigned on = i * 5 % 32;

		mm_switches_set(on, MM_SWITCH_ALL & ~on);
		mm_hook_set(i % 2 ? count_event : NULL, &events);
		for (volatile int pause = 0; pause < 20000; pause++)
			;
	}
	mm_hook_set(NULL, NULL);
	mm_switches_set(0, MM_SWITCH_ALL);
	mm_trim();
	return NULL;
}

static void switches_under_load(void **state)
{
	struct mm_stat_t before;
	pthread_t toggler;

	(void)state;
	start_machine();
	before = mm_stat();
	stop_watching = false;
	pthread_create(&toggler, NULL, toggle, NULL);
	run_workers();
	__atomic_store_n(&stop_watching, true, __ATOMIC_RELAXED);
	pthread_join(toggler, NULL);
	free_the_rest();
	assert_int_equal(host_check(), 0);
	trim_everywhere();
	assert_true(host_stat_equal(mm_stat(), before));
	host_stop();
}

// Two CPUs free the same object, or the same frame, at the same moment: one is
// right, the other is told.
static void *contested[2]; // an object, a frame
static pthread_barrier_t barrier;

static void *contend(void *argument)
{
	uint64_t *wins = argument;

	host_cpu_use(1 + (unsigned)(wins[1] % 2));
	for (unsigned i = 0; i < 3000; i++) {
		pthread_barrier_wait(&barrier);
		wins[0] += mm_try_kfree(contested[0]) == MM_OK;
		wins[0] += mm_try_free_pages(contested[1], 1) == MM_OK;
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

static void only_one_frees(void **state)
{
	uint64_t a[2] = {0, 0}, b[2] = {0, 1};
	pthread_t thread_a, thread_b;
	void *keep[3];

	(void)state;
	start_machine();
	pthread_barrier_init(&barrier, NULL, 3);
	for (int i = 0; i < 3; i++)
		keep[i] = kmalloc(64, 0);
	pthread_create(&thread_a, NULL, contend, a);
	pthread_create(&thread_b, NULL, contend, b);
	for (unsigned i = 0; i < 3000; i++) {
		host_cpu_use(i % 2 ? 0 : 3); // owned by a third CPU, or by nobody
		contested[0] = kmalloc(64, 0);
		contested[1] = alloc_pages(ZONE_NORMAL, 1, 0);
		assert_non_null(contested[0]);
		assert_non_null(contested[1]);
		pthread_barrier_wait(&barrier);
		pthread_barrier_wait(&barrier);
		assert_int_equal(a[0] + b[0], 2 * (i + 1));
	}
	pthread_join(thread_a, NULL);
	pthread_join(thread_b, NULL);
	for (int i = 0; i < 3; i++)
		kfree(keep[i]);
	assert_int_equal(host_check(), 0);
	pthread_barrier_destroy(&barrier);
	host_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everybody_at_once),
		cmocka_unit_test(switches_under_load),
		cmocka_unit_test(only_one_frees),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("mm: threads", tests, NULL, NULL);
}
