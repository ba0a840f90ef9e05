/*
 * A split virtqueue (Virtual I/O Device 1.2, 2.7), driver's side. Pure: memory and nothing else,
 * so that host tests and a fuzzer can play the device.
 *
 * Trust: the used ring is written by the device and may hold anything. An index or id that cannot
 * be is answered with VQ_BROKEN, and the queue stays broken: nothing of it is touched any more.
 */
#ifndef KERNEL_VIRTQUEUE_H
#define KERNEL_VIRTQUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VQ_SIZE_MAX 64u /* entries; a power of two */

struct vq_desc {
	uint64_t address;
	uint32_t bytes;
	uint16_t flags, next;
};
struct vq_avail {
	uint16_t flags, index;
	uint16_t ring[VQ_SIZE_MAX];
	uint16_t used_event;
};
struct vq_used {
	uint16_t flags, index;
	struct {
		uint32_t id, bytes;
	} ring[VQ_SIZE_MAX];
	uint16_t avail_event;
};
/* What device and driver share; zeroed, aligned to 16. The rings' unused ends do no harm when the
 * queue is smaller. */
struct vq_memory {
	struct vq_desc desc[VQ_SIZE_MAX];
	struct vq_avail avail __attribute__((aligned(4)));
	struct vq_used used __attribute__((aligned(4)));
};

struct virtqueue {
	volatile struct vq_memory *shared;
	uint16_t size;
	uint16_t free_first, free_count; /* descriptors, linked by next_free */
	uint16_t next_free[VQ_SIZE_MAX];
	uint16_t avail_index, used_index;
	void *tokens[VQ_SIZE_MAX]; /* of those on their way; NULL: not ours to get back */
	uint32_t lengths[VQ_SIZE_MAX];
	bool broken;
};

/* size: a power of two, 1..VQ_SIZE_MAX. */
void vq_init(struct virtqueue *queue, struct vq_memory *shared, uint16_t size);

/*
 * Offers one buffer: to be written by the device or read by it. `token` comes back with it and is
 * not NULL. False: no descriptor free, or broken. The device may see it at once; it is told by
 * vq_should_notify() and the transport.
 */
bool vq_add(struct virtqueue *queue, uint64_t physical, uint32_t bytes, bool device_writes,
	    void *token);

/* Whether the device wants to hear of what was added. */
bool vq_should_notify(struct virtqueue *queue);

enum vq_result { VQ_NONE, VQ_GOT, VQ_BROKEN };
/* The next buffer that the device is done with, and how many bytes it wrote (at most the
 * buffer's length; 0 for those it reads). */
enum vq_result vq_get(struct virtqueue *queue, void **token, uint32_t *written);

/* Whether the device shall interrupt when it is done with a buffer. After switching on, look once
 * more: what was done before may go unannounced. */
void vq_want_interrupts(struct virtqueue *queue, bool want);

/* NULL or the first broken invariant. */
const char *vq_check(const struct virtqueue *queue);

#endif
