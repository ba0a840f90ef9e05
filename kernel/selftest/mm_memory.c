/*
 * Self-tests of mm/ on the real machine: frames and objects. What does not need the machine is
 * tested on the host, harder.
 */
#include <kernel/cpu.h>
#include <kernel/selftest.h>
#include <kernel/thread.h>
#include <kernel/time.h>
#include <mm/check.h>
#include <mm/hooks.h>
#include <mm/mm.h>
#include <mm/query.h>
#include <mm/slab.h>
#include <mm/visit.h>
#include <string.h>

static void note_fault(const char *text, void *context)
{
	(void)context;
	selftest_note("mm_check: %s", text);
}

static void expect_sound(void)
{
	ST_EQUAL(mm_check(note_fault, NULL).faults, 0);
}

SELFTEST(check_is_clean, "mm.check")
{
	struct mm_check_report report = mm_check(note_fault, NULL);

	ST_EQUAL(report.faults, 0);
	ST_EXPECT(report.frames > 0 && report.tables > 0, "it looked at nothing");
}

/* ---- exhausting every zone ---- */

/* Allocated runs are chained through their Pages by index, since there is no memory to note them
 * in: the array is what is asked for first. */
struct taken {
	struct Page *page;
	int frames;
};

/* Takes everything of a zone in the longest runs there are; how many runs. */
static size_t take_all(unsigned zone, struct taken *taken, size_t room, uint64_t *frames)
{
	size_t count = 0;

	*frames = 0;
	for (int want = MM_MAX_RUN_FRAMES; want > 0;) {
		struct Page *page = count < room ? alloc_pages(zone, want, PAGE_KERNEL) : NULL;

		if (!page) {
			want /= 2;
			continue;
		}
		taken[count++] = (struct taken){page, want};
		*frames += (uint64_t)want;
	}
	return count;
}

static void exhaust_zone(unsigned index, struct taken *taken, size_t room)
{
	struct mm_zone_info zone;
	struct mm_stat_t before, after;
	uint64_t frames;

	mm_trim();
	before = mm_stat();
	if (!mm_zone_info(index, &zone) || zone.free == 0)
		return;
	uint64_t expected = zone.free;
	size_t count = take_all(zone.selector, taken, room, &frames);
	ST_EQUAL(frames, expected);
	ST_EXPECT(!alloc_pages(zone.selector, 1, 0), "%s gave one frame too many", zone.name);
	for (size_t i = 0; i < count; i++)
		free_pages(taken[i].page, taken[i].frames);
	mm_trim();
	after = mm_stat();
	ST_EXPECT(!memcmp(&before, &after, sizeof(before)), "%s: mm_stat did not come back",
		  zone.name);
	selftest_note("%s: %llu frames in %llu runs", zone.name, (unsigned long long)frames,
		      (unsigned long long)count);
}

SELFTEST_TIMED(exhaust_zones, "mm.exhaust", 60000)
{
	enum { ROOM = 2048 };
	struct taken *taken = kmalloc(ROOM * sizeof(*taken), 0);

	ST_REQUIRE(taken, "no memory for the test");
	for (unsigned index = 0; index < ZONE_COUNT; index++)
		exhaust_zone(index, taken, ROOM);
	kfree(taken);
	expect_sound();
}

/* ---- exhausting the slab ---- */

SELFTEST_TIMED(exhaust_slab, "mm.exhaust_objects", 60000)
{
	struct mm_stat_t before, after;
	void **chain = NULL;
	uint64_t count = 0;

	mm_trim();
	before = mm_stat();
	for (;;) {
		void **object = kmalloc(KMALLOC_MAX_SIZE, 0);

		if (!object)
			break;
		*object = chain;
		chain = object;
		count++;
	}
	ST_EXPECT(count > 0, "no object of 1 MiB at all");
	while (chain) {
		void **next = *chain;

		ST_EQUAL(kfree(chain), 0);
		chain = next;
	}
	mm_trim();
	after = mm_stat();
	ST_EXPECT(!memcmp(&before, &after, sizeof(before)), "mm_stat did not come back");
	selftest_note("%llu objects of 1 MiB", (unsigned long long)count);
	expect_sound();
}

SELFTEST(classes, "mm.classes")
{
	for (unsigned long size = KMALLOC_MIN_SIZE; size <= KMALLOC_MAX_SIZE; size *= 2) {
		unsigned char *object = kzalloc(size - 5, 0);

		ST_REQUIRE(object, "no object of %lu bytes", size);
		ST_EQUAL((uintptr_t)object & (size - 1), 0);
		for (unsigned long i = 0; i < size; i += size / 32)
			ST_EQUAL(object[i], 0);
		memset(object, 0xa5, size);
		ST_EQUAL(kfree(object), 0);
		ST_EQUAL(mm_try_kfree(object), MM_ERR_FREE);
	}
	ST_EXPECT(!kmalloc(KMALLOC_MAX_SIZE + 1, 0), "more than 1 MiB was given");
	ST_EXPECT(!kmalloc(32, 2), "an unknown gfp bit was taken");
}

SELFTEST(bad_frees, "mm.bad_frees")
{
	static char in_image[64];
	unsigned char *object = kmalloc(100, 0);

	ST_REQUIRE(object, "no memory");
	ST_EQUAL(mm_try_kfree(object + 32), MM_ERR_INTERIOR);
	ST_EQUAL(mm_try_kfree(object + 1), MM_ERR_INTERIOR);
	ST_EQUAL(mm_try_kfree(in_image), MM_ERR_FOREIGN);
	ST_EQUAL(mm_try_kfree((void *)0x1000), MM_ERR_FOREIGN);
	ST_EQUAL(mm_try_kfree((void *)0x8000000000000000), MM_ERR_FOREIGN);
	ST_EQUAL(kfree(object), 0);
	ST_EQUAL(kfree(NULL), 0);
}

/* ---- from interrupts ---- */

#define INTERRUPT_ROUNDS 2000u

struct interrupt_churn {
	struct timer timer;
	void *kept[16];
	uint32_t rounds, failed;
	bool done;
};

static void churn_in_interrupt(struct timer *timer)
{
	struct interrupt_churn *churn = (struct interrupt_churn *)timer;
	void **slot = &churn->kept[churn->rounds % 16];
	struct Page *page = alloc_pages(ZONE_NORMAL, 1, 0);

	if (*slot)
		kfree(*slot);
	*slot = kmalloc(32u << churn->rounds % 8, 0);
	churn->failed += !*slot || !page;
	if (page)
		free_pages(page, 1);
	if (++churn->rounds == INTERRUPT_ROUNDS)
		__atomic_store_n(&churn->done, true, __ATOMIC_RELEASE);
	else
		timer_set(timer, time_now_us() + 20);
}

SELFTEST_TIMED(from_interrupts, "mm.from_interrupts", 30000)
{
	static struct interrupt_churn churn;
	void *kept[64] = {NULL};
	uint64_t rounds = 0;

	churn = (struct interrupt_churn){.timer.fire = churn_in_interrupt};
	timer_set(&churn.timer, time_now_us());
	while (!__atomic_load_n(&churn.done, __ATOMIC_ACQUIRE)) {
		void **slot = &kept[rounds++ % 64];

		kfree(*slot);
		*slot = kmalloc(32u << rounds % 8, 0);
	}
	for (size_t i = 0; i < 64; i++)
		kfree(kept[i]);
	for (size_t i = 0; i < 16; i++)
		kfree(churn.kept[i]);
	ST_EQUAL(churn.failed, 0);
	selftest_note("%llu pairs in the thread while %u ran in interrupts",
		      (unsigned long long)rounds, INTERRUPT_ROUNDS);
	expect_sound();
}

/* ---- from threads that preempt each other ---- */

static void churn_thread(void *argument)
{
	uint64_t seed = (uintptr_t)argument * 7919 + 1;
	void *kept[32] = {NULL};

	for (unsigned round = 0; round < 20000; round++) {
		seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
		void **slot = &kept[seed >> 59];

		kfree(*slot);
		*slot = kmalloc(16u << (seed >> 40 & 7), 0);
		if (*slot)
			memset(*slot, (int)(uintptr_t)argument, 16);
	}
	for (size_t i = 0; i < 32; i++)
		kfree(kept[i]);
}

SELFTEST_TIMED(from_threads, "mm.from_threads", 30000)
{
	struct thread *threads[4];

	for (uintptr_t i = 0; i < 4; i++) {
		threads[i] = thread_create("mm churn", churn_thread, (void *)(i + 1),
					   THREAD_NORMAL);
		ST_REQUIRE(threads[i], "no thread");
	}
	for (size_t i = 0; i < 4; i++)
		thread_join(threads[i]);
	expect_sound();
}
