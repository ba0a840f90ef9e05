/*
 * Kernel stacks: those in the image (the boot stack and the ones for double fault, NMI and machine
 * check), and a window where each slot holds a stack above unmapped pages.
 */
#include <kernel/stacks.h>

#include "gdt.h"

#include <kernel/early.h>
#include <kernel/image.h>
#include <kernel/paging.h>
#include <kernel/panic.h>
#include <kernel/printf.h>
#include <kernel/sync.h>

#include <string.h>

__attribute__((section(".bss.stacks"))) struct image_stack boot_stacks[BOOT_STACKS];

static const char *const image_stack_names[BOOT_STACKS] = {
	[0] = "boot stack",
	[IST_NMI] = "NMI stack of CPU 0",
	[IST_DOUBLE_FAULT] = "double fault stack of CPU 0",
	[IST_MACHINE_CHECK] = "machine check stack of CPU 0",
};

/* ---- the window ---- */

#define SLOT_BYTES (2ul * KSTACK_BYTES)
#define SLOTS	   1024u

struct slot {
	void *memory; /* direct-map address; NULL while the slot is free */
	const char *owner;
	bool early; /* of the early allocator: mm/ would not take it back */
};

static struct {
	struct spinlock lock;
	uint64_t used[SLOTS / 64];
	void *spare; /* early stacks that were given back, linked by their first word */
} window = {.lock = SPINLOCK_INIT("kernel stacks")};

static struct slot slots[SLOTS];

static uintptr_t slot_base(size_t slot)
{
	return STACK_WINDOW_BASE + slot * SLOT_BYTES + (SLOT_BYTES - KSTACK_BYTES);
}

/* Takes the lowest free slot; SLOTS when there is none. */
static size_t take_slot(void)
{
	irq_flags_t flags = spin_lock_irqsave(&window.lock);
	size_t slot = SLOTS;

	for (size_t i = 0; i < SLOTS / 64 && slot == SLOTS; i++) {
		if (~window.used[i] == 0)
			continue;
		slot = i * 64 + (size_t)__builtin_ctzll(~window.used[i]);
		window.used[i] |= UINT64_C(1) << slot % 64;
	}
	spin_unlock_irqrestore(&window.lock, flags);
	return slot;
}

static void give_slot(size_t slot)
{
	irq_flags_t flags = spin_lock_irqsave(&window.lock);

	slots[slot] = (struct slot){0};
	window.used[slot / 64] &= ~(UINT64_C(1) << slot % 64);
	spin_unlock_irqrestore(&window.lock, flags);
}

static void *take_spare(void)
{
	irq_flags_t flags = spin_lock_irqsave(&window.lock);
	void **spare = window.spare;

	if (spare)
		window.spare = *spare;
	spin_unlock_irqrestore(&window.lock, flags);
	return spare ? memset(spare, 0, KSTACK_BYTES) : NULL;
}

static void give_spare(void **memory)
{
	irq_flags_t flags = spin_lock_irqsave(&window.lock);

	*memory = window.spare;
	window.spare = memory;
	spin_unlock_irqrestore(&window.lock, flags);
}

static struct slot take_memory(void)
{
	void *spare = take_spare();

	if (spare)
		return (struct slot){.memory = spare, .early = true};
	if (paging_mapper())
		return (struct slot){.memory = paging_mapper()->alloc(KSTACK_BYTES)};
	return (struct slot){.memory = early_alloc(KSTACK_BYTES, KSTACK_BYTES), .early = true};
}

static void give_memory(struct slot slot)
{
	if (slot.early)
		give_spare(slot.memory);
	else
		paging_mapper()->free(slot.memory);
}

bool kstack_create(struct kstack *stack)
{
	size_t slot = take_slot();

	if (slot == SLOTS)
		return false;

	struct slot content = take_memory();
	uintptr_t base = slot_base(slot);

	if (!content.memory) {
		give_slot(slot);
		return false;
	}
	if (!paging_map_stack(mm_va(base), virt_to_phys(content.memory), KSTACK_BYTES)) {
		give_memory(content);
		give_slot(slot);
		return false;
	}
	slots[slot] = content;
	*stack = (struct kstack){base, base + KSTACK_BYTES};
	return true;
}

static size_t slot_of(const struct kstack *stack)
{
	size_t slot = (stack->base - STACK_WINDOW_BASE) / SLOT_BYTES;

	KASSERT(slot < SLOTS && stack->base == slot_base(slot) && slots[slot].memory);
	return slot;
}

void kstack_set_owner(const struct kstack *stack, const char *name)
{
	slots[slot_of(stack)].owner = name;
}

void kstack_destroy(struct kstack *stack)
{
	size_t slot = slot_of(stack);

	paging_unmap_stack(mm_va(stack->base), KSTACK_BYTES);
	give_memory(slots[slot]);
	give_slot(slot);
	*stack = (struct kstack){0};
}

/* ---- looking ---- */

static void describe_image_stack(size_t i, struct kstack_place *place)
{
	ksnprintf(place->stack, sizeof(place->stack), "%s", image_stack_names[i]);
	place->guard = false;
	place->base = (uintptr_t)boot_stacks[i].stack;
	place->end = place->base + KSTACK_BYTES;
}

static void describe_slot(size_t slot, struct kstack_place *place)
{
	const char *owner = slots[slot].owner;

	if (owner)
		ksnprintf(place->stack, sizeof(place->stack), "stack of thread '%s'", owner);
	else
		ksnprintf(place->stack, sizeof(place->stack), "stack in slot %u", (unsigned)slot);
	place->guard = false;
	place->base = slot_base(slot);
	place->end = place->base + KSTACK_BYTES;
}

bool kstack_visit(size_t *cursor, struct kstack_place *place)
{
	size_t i = *cursor;

	for (; i < BOOT_STACKS + SLOTS; i++) {
		if (i < BOOT_STACKS)
			describe_image_stack(i, place);
		else if (slots[i - BOOT_STACKS].memory)
			describe_slot(i - BOOT_STACKS, place);
		else
			continue;
		*cursor = i + 1;
		return true;
	}
	*cursor = i;
	return false;
}

bool kstack_find(uintptr_t address, struct kstack_place *place)
{
	size_t slot = (address - STACK_WINDOW_BASE) / SLOT_BYTES;

	for (size_t i = 0; i < BOOT_STACKS; i++) {
		describe_image_stack(i, place);
		place->guard = address < place->base;
		if (address >= place->base - GUARD_BYTES && address < place->end)
			return true;
	}
	if (address < STACK_WINDOW_BASE || slot >= SLOTS || !slots[slot].memory)
		return false;
	describe_slot(slot, place);
	place->guard = address < place->base;
	return true;
}
