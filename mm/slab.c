// slab.c: objects of 32 B to 1 MiB: the fast paths. slab_slow.c has the rest.
//
// Theory
// ======
// Sixteen classes, powers of two. A slab is 64 KiB (classes up to 64 KiB) or
// one object, cut into equal objects from its first byte on, so every object is
// aligned to its size. Each slab has a bitmap out of line, one bit per object,
// 1 = free. There is no list inside free objects: writing to freed memory
// cannot hurt the allocator, and one bit answers exactly whether an object is
// live. That is what makes every double free an answer and never an accident.
//
// Finding. A descriptor of 64 bytes exists for each 64 KiB granule of the
// direct map; (address >> 16) modulo the table's size finds one for any address
// whatever. With x = address - slab.start, x rotated right by log2 of the object
// size is below slab.objects exactly for object starts of that slab: bits below
// the object size (interior pointers) turn up at the top and make it huge, and a
// foreign address gives a number past the last object. That one comparison also
// yields the number of the bit.
//
// Owning. A CPU owns one slab per class, its current one, and only there the
// two fast paths work, without atomic operations, with interrupts off:
//   kmalloc  takes the lowest set bit of the current word of the bitmap;
//   kfree    sets the bit if slab.owner is this CPU and the bit was clear.
// Everything else takes the slab's own lock:
//   - a slab nobody owns: the free sets the bit under the lock. A full slab goes
//     onto the partial list of its class, an empty one back to the pool;
//   - a slab another CPU owns: the free sets a bit in a second bitmap (remote)
//     and raises SLOW_REMOTE with the owner, who merges it at its next call.
// A CPU gives a slab up only when it is full, or empty and asked to trim. It then
// adopts the oldest partial slab of which an eighth is free; if two are not worth
// it, a new one; if there is no memory, any. So a slow path pays for an eighth of
// a slab at least, and operations cost the same with 10^3 and 10^6 live objects;
// the price is that up to an eighth of a long-lived heap may be holes.
//
// Exactness with several CPUs. A free checks both bitmaps. If owner and remote
// CPU free the same object at the same moment, the remote one looks at the free
// bit again after it has set its own behind a full barrier; if it still misses
// it, the owner's merge meets free and remote bit together. The merge precedes
// the owner's next allocation, because the raised flag sends it the slow way, so
// the object cannot have been given out again in between without being, in any
// order of the events, a stale free after reuse: the one thing that no bitmap
// can tell from a right one.
//
// Slow. One word per CPU (`slow`) gathers all that a fast path must not
// overlook: debug switches, a listener, failure injection, remote frees, trim.
// kmalloc tests it together with gfp; for kfree `token`, the value that owners
// are compared with, becomes one that never matches. So switches that are off
// cost nothing, not even a test of their own.
//
// Interrupts. Off for the 20 instructions between finding the CPU and the store
// that takes or frees the bit: preemption, migration and allocation inside an
// interrupt need no second set of structures. Locks are taken with interrupts
// off as well, so every function may be called from an interrupt. Clearing
// (kzalloc) happens with interrupts as the caller had them.
//
// Lock order: slab.lock -> class.lock -> cell_lock -> pool.lock -> zone.lock ->
// site lock. Two slabs are never locked at once (the granules of cells excepted,
// whose locks only guard their state byte).
//
// Figures move at the fast paths as two per-CPU counters per class, which only
// grow: used = allocs - frees, summed. mm_generation() is their sum.
//
// Idle memory: the current slab stays with its CPU even when it is empty, so that
// a pair of calls at the edge of a slab never creates and destroys one. Hence at
// most one slab per CPU and class (2.8 MiB if a CPU uses all sixteen), one empty
// frame and 64 KiB of cells are idle; mm_trim() returns these too.
//
// Invariants (slabs_check in check.c)
//   1  bits beyond the object count are clear; remote bits only in owned slabs,
//      and never together with the free bit.
//   2  used = objects - free bits in slabs without owner.
//   3  on the partial list exactly: no owner and 0 < used < objects; no slab
//      without owner is empty.
//   4  slabs, cells and free granules of a frame together are its 32 granules.
//   5  sum of live bits per class = sum of allocs - sum of frees.
#include "state.h"

// Top bit of (size - 1) | 31. 0 and sizes over 1 MiB give a class whose slot in
// mm_cpu.word is never filled.
static inline uint64_t class_of(unsigned long size)
{
	// 63 ^ x and not 63 - x: compilers make one instruction of it.
	return 63u ^ (unsigned)__builtin_clzll((size - 1) | (KMALLOC_MIN_SIZE - 1));
}

// Takes the object of the lowest of `bits`, which are those of the current word
// of the class.
static inline __attribute__((always_inline)) uint64_t take_fast(struct mm_cpu *cpu, uint64_t cls,
								uint64_t *word, uint64_t bits)
{
	// 32 bits hold the offset of any object from its word: 64 objects of 32 KiB.
	uint32_t index = (uint32_t)__builtin_ctzll(bits);

	mm_poke(*word, bits & ~(UINT64_C(1) << index));
	mm_port_count(&cpu->allocs[cls]);
	return cpu->base[cls] + (uint32_t)(index << 1 << cls);
}

void *kmalloc(unsigned long size, gfp_t gfp)
{
	mm_irq_t irq = mm_port_irq_save();
	struct mm_cpu *cpu = mm_port_cpu();

	if (mm_likely(!(mm_peek(cpu->slow) | gfp))) {
		uint64_t cls = class_of(size);
		uint64_t *word = cpu->word[cls];
		uint64_t bits = mm_peek(*word);

		if (mm_likely(bits)) {
			uint64_t object = take_fast(cpu, cls, word, bits);

			mm_port_irq_restore(irq);
			return (void *)(uintptr_t)object;
		}
	}
	return mm_kmalloc_slow(size, gfp, irq, MM_CALLER);
}

void *kzalloc(unsigned long size, gfp_t gfp)
{
	mm_irq_t irq = mm_port_irq_save();
	struct mm_cpu *cpu = mm_port_cpu();

	if (mm_likely(!(mm_peek(cpu->slow) | (gfp & ~__GFP_ZERO)))) {
		uint64_t cls = class_of(size);
		uint64_t *word = cpu->word[cls];
		uint64_t bits = mm_peek(*word);

		if (mm_likely(bits)) {
			uint64_t object = take_fast(cpu, cls, word, bits);

			mm_port_irq_restore(irq);
			return memset((void *)(uintptr_t)object, 0, UINT64_C(2) << cls);
		}
	}
	return mm_kmalloc_slow(size, gfp | __GFP_ZERO, irq, MM_CALLER);
}

// The number of the object that starts at the address; objects or more if none does.
static inline uint64_t number_of(const struct slab *slab, uint64_t address)
{
	uint64_t offset = address - slab->start;

	return offset >> slab->shift | offset << (64 - slab->shift);
}

// A slab that nobody owns, and which stays on the partial list: some objects are
// in use behind this free, and some were free before it. Every other case, and
// every wrong pointer, is left to the slow path; nothing has changed then.
static inline __attribute__((always_inline)) bool put_listed(struct mm_cpu *cpu, struct slab *slab,
							     uint64_t address)
{
	bool done = false;

	if (mm_unlikely(!mm_lock_try(&slab->lock)))
		return false;
	// used is 0 in descriptors that belong to no slab.
	if (mm_likely(!mm_peek(slab->owner)) && mm_likely(slab->used > 1) &&
	    mm_likely(mm_peek(slab->listed))) {
		uint64_t number = number_of(slab, address);

		if (mm_likely(number < slab->objects) &&
		    mm_likely(!mm_port_test_and_set_bit(slab->bits, number))) {
			mm_poke(slab->used, (uint16_t)(slab->used - 1));
			mm_port_count(&cpu->frees[slab->shift]);
			done = true;
		}
	}
	mm_unlock(&slab->lock);
	return done;
}

unsigned long kfree(void *address)
{
	mm_irq_t irq = mm_port_irq_save();
	struct mm_cpu *cpu = mm_port_cpu();
	struct slab *slab = mm_slab_of((uintptr_t)address);

	if (mm_likely(mm_peek(slab->owner) == mm_peek(cpu->token))) {
		uint64_t number = number_of(slab, (uintptr_t)address);

		if (mm_likely(number < slab->objects) &&
		    mm_likely(!mm_port_test_and_set_bit(slab->bits, number))) {
			mm_port_count(&cpu->frees[slab->shift]);
			mm_port_irq_restore(irq);
			return 0;
		}
	} else if (!mm_peek(cpu->slow) && put_listed(cpu, slab, (uintptr_t)address)) {
		mm_port_irq_restore(irq);
		return 0;
	}
	return mm_kfree_slow(address, irq, MM_CALLER);
}

unsigned long mm_class_size(unsigned long size)
{
	if (size > KMALLOC_MAX_SIZE)
		return 0;
	return size ? 2ul << class_of(size) : KMALLOC_MIN_SIZE;
}
