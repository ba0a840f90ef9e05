/*
 * Plays a hostile device: between the driver's steps any bytes of the shared memory may change.
 * The driver must keep its own invariants and never hand out a token that it did not put in.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <kernel/virtqueue.h>

#include "fuzz_seed.h"

static void must(int condition)
{
	if (!condition)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vq_memory memory;
	static char tokens[VQ_SIZE_MAX];
	uint64_t out[VQ_SIZE_MAX] = {0};
	struct virtqueue queue;
	unsigned next = 0;

	if (size < 1)
		return 0;
	memset(&memory, 0, sizeof(memory));
	vq_init(&queue, &memory, (uint16_t)(1u << data[0] % 7));
	for (size_t i = 1; i + 3 < size; i += 4) {
		uint32_t where = data[i + 1] | (uint32_t)data[i + 2] << 8, written = 0;
		void *token = NULL;

		switch (data[i] % 5) {
		case 0:
			if (out[next] == 0 &&
			    vq_add(&queue, where, data[i + 3], true, &tokens[next]))
				out[next] = 1 + (uint64_t)data[i + 3];
			next = (next + 1) % VQ_SIZE_MAX;
			break;
		case 1:
			if (vq_get(&queue, &token, &written) == VQ_GOT) {
				size_t index = (size_t)((char *)token - tokens);

				must(index < VQ_SIZE_MAX && out[index] != 0);
				must(written < out[index]);
				out[index] = 0;
			}
			break;
		case 2:
			((uint8_t *)&memory)[where % sizeof(memory)] = data[i + 3];
			break;
		case 3: /* an honest step, or the fuzzer would hardly get anywhere */
			memory.used.ring[memory.used.index % queue.size].id = data[i + 1];
			memory.used.ring[memory.used.index % queue.size].bytes = data[i + 2];
			memory.used.index++;
			break;
		default:
			vq_want_interrupts(&queue, data[i + 3] & 1);
			(void)vq_should_notify(&queue);
		}
		must(vq_check(&queue) == NULL);
	}
	return 0;
}

/* Each kind of step many times over, honest ones more often than lies. */
size_t fuzz_seed(unsigned n, uint8_t *buf, size_t size)
{
	static const uint8_t steps[] = {0, 3, 1, 0, 0, 3, 3, 1, 1, 4, 2};
	size_t bytes = 1 + 4 * 200;

	if (n > 6 || bytes > size)
		return 0;
	buf[0] = (uint8_t)n;
	for (size_t i = 1; i < bytes; i += 4) {
		buf[i] = steps[i / 4 % sizeof(steps)];
		buf[i + 1] = (uint8_t)(i / 4 % 8);
		buf[i + 2] = 0;
		buf[i + 3] = (uint8_t)(i * 7);
	}
	return bytes;
}
