/* The event ring with real threads, under ThreadSanitizer: writers that lap each other and readers
 * that are overtaken never see a torn event, and every event is seen or counted. */
#include <inspect/ring.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define SLOTS	64
#define WRITERS 3
#define EVENTS	20000

static struct insp_slot slots[SLOTS];
static struct insp_ring ring;
static int writing;

/* All members follow from one number. */
static struct insp_slot event_of(uint64_t n)
{
	return (struct insp_slot){.t_us = n,
				  .addr = n * 3,
				  .size = n * 5,
				  .site = n * 7,
				  .op = (uint32_t)(n * 11),
				  .arg = (uint32_t)(n * 13)};
}

static void *write_events(void *argument)
{
	uint64_t who = (uint64_t)(uintptr_t)argument;

	for (uint64_t i = 0; i < EVENTS; i++) {
		struct insp_slot e = event_of(who << 32 | i);
		insp_ring_put(&ring, &e);
	}
	__atomic_fetch_sub(&writing, 1, __ATOMIC_RELEASE);
	return NULL;
}

struct reader {
	uint64_t seen, lost, torn;
};

static void *read_events(void *argument)
{
	struct reader *r = argument;
	struct insp_slot e;
	uint64_t place = 0;

	for (;;) {
		int more = __atomic_load_n(&writing, __ATOMIC_ACQUIRE);
		while (insp_ring_get(&ring, &place, &e, &r->lost)) {
			struct insp_slot want = event_of(e.t_us);
			r->seen++;
			r->torn += e.addr != want.addr || e.size != want.size ||
				   e.site != want.site || e.op != want.op || e.arg != want.arg;
		}
		if (!more)
			return NULL;
	}
}

static void test_threads(void **state)
{
	struct reader reader[2] = {{0}, {0}};
	pthread_t w[WRITERS], r[2];

	(void)state;
	insp_ring_init(&ring, slots, SLOTS);
	writing = WRITERS;
	for (int i = 0; i < 2; i++)
		pthread_create(&r[i], NULL, read_events, &reader[i]);
	for (uintptr_t i = 0; i < WRITERS; i++)
		pthread_create(&w[i], NULL, write_events, (void *)(i + 1));
	for (int i = 0; i < WRITERS; i++)
		pthread_join(w[i], NULL);
	for (int i = 0; i < 2; i++)
		pthread_join(r[i], NULL);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(reader[i].torn, 0);
		assert_true(reader[i].seen > 0);
		/* An event that found its slot busy stays behind as the last ones at most. */
		assert_in_range(reader[i].seen + reader[i].lost, WRITERS * EVENTS - SLOTS,
				WRITERS * EVENTS);
	}
}

static void test_lossless_until_full(void **state)
{
	struct insp_slot e;
	uint64_t place = 0, lost = 0, n = 0;

	(void)state;
	insp_ring_init(&ring, slots, SLOTS);
	for (uint64_t i = 0; i < SLOTS; i++) {
		e = event_of(i);
		insp_ring_put(&ring, &e);
	}
	for (; insp_ring_get(&ring, &place, &e, &lost); n++)
		assert_int_equal(e.t_us, n);
	assert_int_equal(n, SLOTS);
	assert_int_equal(lost, 0);
	/* One more than it holds, unread: some are lost, and all are accounted for. */
	for (uint64_t i = 0; i <= SLOTS; i++) {
		e = event_of(SLOTS + i);
		insp_ring_put(&ring, &e);
	}
	for (n = 0; insp_ring_get(&ring, &place, &e, &lost); n++)
		;
	assert_true(lost > 0);
	assert_int_equal(n + lost, SLOTS + 1);
	assert_int_equal(e.t_us, 2 * SLOTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lossless_until_full),
		cmocka_unit_test(test_threads),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
