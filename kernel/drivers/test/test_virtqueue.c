#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <kernel/virtqueue.h>

static struct vq_memory memory;
static struct virtqueue queue;
static char buffers[VQ_SIZE_MAX];

static int setup(void **state)
{
	(void)state;
	memset(&memory, 0, sizeof(memory));
	vq_init(&queue, &memory, 8);
	return 0;
}

/* The device's side: what is offered and not yet taken. */
static uint16_t device_seen;
static bool device_take(uint16_t *id)
{
	if (memory.avail.index == device_seen)
		return false;
	*id = memory.avail.ring[device_seen++ % queue.size];
	return true;
}

static void device_return(uint32_t id, uint32_t bytes)
{
	memory.used.ring[memory.used.index % queue.size].id = id;
	memory.used.ring[memory.used.index % queue.size].bytes = bytes;
	memory.used.index++;
}

static void a_buffer_goes_and_comes_back(void **state)
{
	uint16_t id = 0;
	void *token;
	uint32_t written;

	(void)state;
	device_seen = 0;
	assert_int_equal(vq_get(&queue, &token, &written), VQ_NONE);
	assert_true(vq_add(&queue, 0x1234000, 100, true, &buffers[3]));
	assert_null(vq_check(&queue));
	assert_true(device_take(&id));
	assert_int_equal(memory.desc[id].address, 0x1234000);
	assert_int_equal(memory.desc[id].bytes, 100);
	assert_int_equal(memory.desc[id].flags, 2);
	device_return(id, 60);
	assert_int_equal(vq_get(&queue, &token, &written), VQ_GOT);
	assert_ptr_equal(token, &buffers[3]);
	assert_int_equal(written, 60);
	assert_int_equal(vq_get(&queue, &token, &written), VQ_NONE);
	assert_null(vq_check(&queue));
}

static void what_it_reads_has_no_length(void **state)
{
	void *token;
	uint32_t written = 7;

	(void)state;
	assert_true(vq_add(&queue, 0x1000, 100, false, buffers));
	assert_int_equal(memory.desc[memory.avail.ring[0]].flags, 0);
	device_return(memory.avail.ring[0], 12345);
	assert_int_equal(vq_get(&queue, &token, &written), VQ_GOT);
	assert_int_equal(written, 0);
}

static void a_full_queue_refuses(void **state)
{
	(void)state;
	for (int i = 0; i < 8; i++)
		assert_true(vq_add(&queue, 0x1000, 1, true, buffers));
	assert_false(vq_add(&queue, 0x1000, 1, true, buffers));
	assert_null(vq_check(&queue));
}

static void notifications(void **state)
{
	(void)state;
	assert_true(vq_should_notify(&queue));
	memory.used.flags = 1;
	assert_false(vq_should_notify(&queue));
	vq_want_interrupts(&queue, false);
	assert_int_equal(memory.avail.flags, 1);
	vq_want_interrupts(&queue, true);
	assert_int_equal(memory.avail.flags, 0);
}

/* Each of these must break the queue, for good. */
static void expect_broken(void)
{
	void *token;
	uint32_t written;

	assert_int_equal(vq_get(&queue, &token, &written), VQ_BROKEN);
	assert_true(queue.broken);
	assert_false(vq_add(&queue, 0x1000, 1, true, buffers));
	assert_false(vq_should_notify(&queue));
	assert_int_equal(vq_get(&queue, &token, &written), VQ_BROKEN);
}

static void an_id_out_of_range(void **state)
{
	(void)state;
	vq_add(&queue, 0x1000, 10, true, buffers);
	device_return(8, 1);
	expect_broken();
}

static void an_id_never_offered(void **state)
{
	(void)state;
	vq_add(&queue, 0x1000, 10, true, buffers);
	device_return(memory.avail.ring[0] + 1u, 1);
	expect_broken();
}

static void the_same_twice(void **state)
{
	void *token;
	uint32_t written;

	(void)state;
	vq_add(&queue, 0x1000, 10, true, buffers);
	vq_add(&queue, 0x1000, 10, true, buffers);
	device_return(memory.avail.ring[0], 1);
	device_return(memory.avail.ring[0], 1);
	assert_int_equal(vq_get(&queue, &token, &written), VQ_GOT);
	expect_broken();
}

static void more_than_was_offered(void **state)
{
	(void)state;
	vq_add(&queue, 0x1000, 10, true, buffers);
	memory.used.index = 2;
	expect_broken();
}

static void more_bytes_than_the_buffer(void **state)
{
	(void)state;
	vq_add(&queue, 0x1000, 10, true, buffers);
	device_return(memory.avail.ring[0], 11);
	expect_broken();
}

/* Long runs in any order, past the wrap of the 16-bit indices. */
static void random_traffic(void **state)
{
	uint16_t held[8];
	unsigned holding = 0, out = 0;
	unsigned long got = 0;

	(void)state;
	device_seen = 0;
	srandom(5);
	while (got < 200000) {
		void *token;
		uint32_t written;
		uint16_t id;

		if (random() % 2 && vq_add(&queue, 0x1000, 64, true, &buffers[got % VQ_SIZE_MAX]))
			out++;
		if (random() % 2 && holding < 8 && device_take(&id))
			held[holding++] = id;
		if (random() % 2 && holding > 0) {
			unsigned pick = (unsigned)random() % holding;

			device_return(held[pick], held[pick]);
			held[pick] = held[--holding];
		}
		if (random() % 2 && vq_get(&queue, &token, &written) == VQ_GOT) {
			out--;
			got++;
		}
		assert_false(queue.broken);
		assert_null(vq_check(&queue));
		assert_int_equal(out, 8u - queue.free_count);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_buffer_goes_and_comes_back, setup),
		cmocka_unit_test_setup(what_it_reads_has_no_length, setup),
		cmocka_unit_test_setup(a_full_queue_refuses, setup),
		cmocka_unit_test_setup(notifications, setup),
		cmocka_unit_test_setup(an_id_out_of_range, setup),
		cmocka_unit_test_setup(an_id_never_offered, setup),
		cmocka_unit_test_setup(the_same_twice, setup),
		cmocka_unit_test_setup(more_than_was_offered, setup),
		cmocka_unit_test_setup(more_bytes_than_the_buffer, setup),
		cmocka_unit_test_setup(random_traffic, setup),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("virtqueue", tests, NULL, NULL);
}
