// pt_rig.h: what the tests of page tables share: boot tables to adopt, a walker
// of raw tables that owes nothing to mm, a TLB that caches everything it may and
// never forgets by itself, and a shadow of what should be mapped.
#pragma once

#include <mm/check.h>
#include <mm/hooks.h>
#include <mm/mm.h>
#include <mm/pgtable.h>
#include <mm/space.h>

#define RIG_SPACES 4 // the kernel's and three more

struct rig_options {
	bool no_1g, no_nx;
	uint64_t memory_bytes; // 0: 64 MiB
};

// Starts mm on the host's memory and adopts boot tables.
void rig_start(struct rig_options options);
// The opposite, so that another machine may start.
void rig_stop(void);
// What a failed expectation does: prints and aborts unless this is set.
extern void (*rig_on_failure)(const char *message);
void rig_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
#define rig_expect(condition, ...) ((condition) ? (void)0 : rig_fail(__VA_ARGS__))

// --- raw tables ----------------------------------------------------------------------
struct rig_leaf {
	uint64_t va, pa, bytes;
	uint64_t flags; // effective rights, the leaf's other flags, A, D
	uint64_t raw;
};
// The leaf that translates va from a root, the way a processor finds it.
bool rig_translate(paddr_t root, uint64_t va, struct rig_leaf *leaf);
// Every leaf of a root in [from, to], in order.
void rig_leaves(paddr_t root, uint64_t from, uint64_t to,
		void (*leaf)(const struct rig_leaf *leaf, void *context), void *context);
// A hash over every entry of every table of every space.
uint64_t rig_digest(void);
// How many tables a root reaches in its user half, itself included.
uint64_t rig_tables(paddr_t root);
// Pointer to the entry of this level that va uses; NULL.
uint64_t *rig_entry(paddr_t root, uint64_t va, unsigned level);
paddr_t rig_root(uint32_t space);

// --- the TLB ---------------------------------------------------------------------------
// Caches every translation of every space, as if CPUs ran in all of them, and
// remembers every table as if paging-structure caches did.
void rig_tlb_fill(void);
void rig_tlb_forget(void);
// Every translation that was not flushed since must still be true; a table that
// was freed before the first flush is reported when the flush comes.
void rig_tlb_verify(void);
struct rig_flushes {
	unsigned calls, pages, roots, alls;
};
extern struct rig_flushes rig_flushes; // since rig_tlb_fill()

// --- operations against the shadow ----------------------------------------------------------
#define RIG_OP_BYTES 12
// Does the operation that these bytes describe (any bytes describe one), and
// compares everything with the shadow.
void rig_op(const uint8_t bytes[RIG_OP_BYTES]);
// The same in words, for failures.
void rig_op_describe(const uint8_t bytes[RIG_OP_BYTES], char *text, size_t size);
// Makes the n-th table allocation of every operation fail once before it is done.
extern bool rig_fail_each;
// The visitor shows every run of a space as the raw tables have it.
void rig_compare_visitor(uint32_t space);
// Destroys the spaces and unmaps the windows; all must be as after rig_start().
void rig_reset(void);
