#include <kernel/virtqueue.h>

enum { DESC_WRITE = 2, AVAIL_NO_INTERRUPT = 1, USED_NO_NOTIFY = 1, NO_DESC = 0xffff };

void vq_init(struct virtqueue *queue, struct vq_memory *shared, uint16_t size)
{
	*queue = (struct virtqueue){.shared = shared, .size = size, .free_count = size};
	for (uint16_t i = 0; i < size; i++)
		queue->next_free[i] = (uint16_t)(i + 1 < size ? i + 1 : NO_DESC);
}

bool vq_add(struct virtqueue *queue, uint64_t physical, uint32_t bytes, bool device_writes,
	    void *token)
{
	uint16_t id = queue->free_first;
	volatile struct vq_desc *desc;

	if (queue->broken || queue->free_count == 0)
		return false;
	desc = &queue->shared->desc[id];
	queue->free_first = queue->next_free[id];
	queue->free_count--;
	queue->tokens[id] = token;
	queue->lengths[id] = device_writes ? bytes : 0;
	desc->address = physical;
	desc->bytes = bytes;
	desc->flags = device_writes ? DESC_WRITE : 0;
	desc->next = 0;
	queue->shared->avail.ring[queue->avail_index % queue->size] = id;
	queue->avail_index++;
	/* The entry must be there before the index says so. */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	queue->shared->avail.index = queue->avail_index;
	return true;
}

bool vq_should_notify(struct virtqueue *queue)
{
	/* The index must be out before the device's wish is read, or both sides may sleep. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return !queue->broken && (queue->shared->used.flags & USED_NO_NOTIFY) == 0;
}

static enum vq_result give_up(struct virtqueue *queue)
{
	queue->broken = true;
	return VQ_BROKEN;
}

enum vq_result vq_get(struct virtqueue *queue, void **token, uint32_t *written)
{
	uint16_t index, pending;
	uint32_t id, bytes;

	if (queue->broken)
		return VQ_BROKEN;
	index = queue->shared->used.index;
	pending = (uint16_t)(index - queue->used_index);
	if (pending == 0)
		return VQ_NONE;
	if (pending > queue->size - queue->free_count)
		return give_up(queue);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	/* Read once: the device may change it under our hands. */
	id = queue->shared->used.ring[queue->used_index % queue->size].id;
	bytes = queue->shared->used.ring[queue->used_index % queue->size].bytes;
	if (id >= queue->size || queue->tokens[id] == NULL)
		return give_up(queue);
	/* QEMU reports the length of what it read as well; only what it wrote counts. */
	if (queue->lengths[id] > 0 && bytes > queue->lengths[id])
		return give_up(queue);
	*token = queue->tokens[id];
	*written = queue->lengths[id] > 0 ? bytes : 0;
	queue->tokens[id] = NULL;
	queue->next_free[id] = queue->free_count > 0 ? queue->free_first : (uint16_t)NO_DESC;
	queue->free_first = (uint16_t)id;
	queue->free_count++;
	queue->used_index++;
	return VQ_GOT;
}

void vq_want_interrupts(struct virtqueue *queue, bool want)
{
	if (queue->broken)
		return;
	queue->shared->avail.flags = want ? 0 : AVAIL_NO_INTERRUPT;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

const char *vq_check(const struct virtqueue *queue)
{
	unsigned steps = 0, on_their_way = 0;

	for (uint16_t id = queue->free_first; steps < queue->free_count; steps++) {
		if (id >= queue->size)
			return "the list of free descriptors leaves the queue";
		if (queue->tokens[id] != NULL)
			return "a free descriptor is on its way";
		id = queue->next_free[id];
	}
	for (uint16_t id = 0; id < queue->size; id++)
		on_their_way += queue->tokens[id] != NULL;
	if (on_their_way + queue->free_count != queue->size)
		return "descriptors are neither free nor on their way";
	return NULL;
}
