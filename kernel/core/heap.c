#include <string.h>

#include <kernel/heap.h>
#include <kernel/panic.h>
#include <kernel/sync.h>

/* Equal slots, enough for the threads of a kernel whose memory management is not there yet. */
enum { SLOTS = 64, SLOT_BYTES = 1024 };

static unsigned char slots[SLOTS][SLOT_BYTES] __attribute__((aligned(64)));
static uint64_t used;
static struct spinlock lock = SPINLOCK_INIT("early heap");

void *heap_alloc(size_t bytes)
{
	irq_flags_t flags;
	int slot;

	if (bytes > SLOT_BYTES)
		return NULL;
	flags = spin_lock_irqsave(&lock);
	slot = ~used != 0 ? __builtin_ctzll(~used) : -1;
	if (slot >= 0)
		used |= 1ull << slot;
	spin_unlock_irqrestore(&lock, flags);
	return slot >= 0 ? memset(slots[slot], 0, SLOT_BYTES) : NULL;
}

void heap_free(void *object)
{
	size_t slot = (size_t)((unsigned char *)object - slots[0]) / SLOT_BYTES;
	irq_flags_t flags;

	if (object == NULL)
		return;
	KASSERT(slot < SLOTS && object == slots[slot] && (used >> slot & 1) != 0);
	flags = spin_lock_irqsave(&lock);
	used &= ~(1ull << slot);
	spin_unlock_irqrestore(&lock, flags);
}
