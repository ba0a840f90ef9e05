// mm/port.h: all that mm needs from outside. Twelve functions; seven of them
// are inline and come from <mm/port_impl.h>, which each port supplies:
//
//   mm_irq_t                          an integer type: the interrupt state
//   struct mm_cpu *mm_port_cpu(void)  what mm_cpu_attach() returned for the CPU
//                                     that runs this. Called with interrupts
//                                     off, and by readers with them on.
//   mm_irq_t mm_port_irq_save(void)   interrupts (and preemption) off on this
//                                     CPU; nests; the former state
//   void mm_port_irq_restore(mm_irq_t)
//   bool mm_port_test_and_set_bit(uint64_t *bits, uint64_t nr)
//                                     sets bit nr of the array (nr may pass 63)
//                                     and tells its former value. Atomic
//                                     against interrupts of this CPU only.
//   void mm_port_count(uint64_t *counter)
//                                     adds 1 to a counter that only this CPU
//                                     writes and others may read. Atomic
//                                     against interrupts of this CPU only.
//   void mm_port_relax(void)          once per turn of a waiting loop
//   void mm_port_entry_write(uint64_t *entry, uint64_t value)
//                                     stores a page-table entry: one 8-byte
//                                     store the compiler neither splits nor
//                                     moves
#pragma once

#include <mm/types.h>

// What has to leave the TLBs. A request concerns all CPUs unless it says so.
enum mm_tlb_kind {
	MM_TLB_PAGE, // the translation of `address`, one page of any size
	MM_TLB_ROOT, // all non-global translations of the space `root`
	MM_TLB_ALL,  // everything, global translations too
};

struct mm_tlb_request {
	enum mm_tlb_kind kind;
	vaddr_t address; // MM_TLB_PAGE: any address in the page
	paddr_t root;	 // the space it belongs to: a port may skip CPUs that do not
			 // run it, unless `kernel`
	bool kernel;	 // a translation of the kernel half, alive in every space
};

// Purpose:  carries out `count` requests on every CPU that may hold such a
//           translation, paging-structure caches included.
// Context:  called with no mm lock held and interrupts as the caller of mm had
//           them; must work with interrupts off.
// Returns:  when no CPU can use the old translations any more.
void mm_port_tlb_flush(const struct mm_tlb_request *requests, size_t count);

// The root table of the space that this CPU runs in (CR3 without its low bits).
paddr_t mm_port_root(void);
// Switches this CPU to `root`. Interrupts are off.
void mm_port_root_set(paddr_t root);

// Microseconds since boot; never runs backwards. Any context.
uint64_t mm_port_clock_us(void);

// Purpose:  ends everything with `message` (one line or more, NUL-ended, ours).
// Returns:  not in a kernel. A test port may leave by longjmp: every caller in
//           mm has let go of its locks and changed nothing before it calls.
void mm_port_panic(const char *message) __attribute__((noreturn));

#include <mm/port_impl.h>
