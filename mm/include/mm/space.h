// mm/space.h: address spaces. A space is a root table: the user half is its own,
// the kernel half (entries 256..511 of the root) is the same in all of them,
// always: what is mapped there in one is mapped in every other at once.
//
// Contexts are those of <mm/pgtable.h>. Spaces are named by ids, which are never
// used again; the kernel's own is MM_SPACE_KERNEL.
#pragma once

#include <mm/pgtable.h>

#define MM_SPACE_NAME_BYTES 32 // with the NUL

struct mm_space_info {
	uint32_t id;
	char name[MM_SPACE_NAME_BYTES];
	paddr_t root;
	bool current;	       // some CPU runs in it now (the kernel's: this CPU)
	uint64_t tables;       // its own table pages, root included; the kernel's: those
			       // of the shared half too
	uint64_t mapped_bytes; // by its own tables, likewise
};

// Purpose:  takes over the tables that start-up code made, as the kernel's space.
//           They stay where they are and are never freed; tables that are added
//           later are mm's own. Rights that upper levels withheld move down into
//           the leaves, so that from then on only leaves restrict.
// Pre:      once, after mm_init, on the boot CPU, interrupts off or nobody else
//           running; the tables lie in the direct map and can be written there.
//           `root` is what this CPU runs on.
// Returns:  MM_OK; MM_ERR_STATE (twice, or before mm_init); MM_ERR_ROOT: a table
//           lies outside the direct map or is pointed to twice; MM_ERR_TABLE_MEM:
//           no memory for the reserve. The machine cannot go on without it.
enum mm_status mm_space_adopt_kernel(paddr_t root) __attribute__((warn_unused_result));

// Purpose:  forgets every space, before mm_exit().
// Pre:      nobody uses a space; their tables are lost with mm's memory.
void mm_space_exit(void);

// Purpose:  a new space with an empty user half. `name` (NULL: none) is cut to fit.
// Returns:  MM_OK with *id and *root (either may be NULL) set; MM_ERR_TABLE_MEM,
//           MM_ERR_NO_MEMORY; MM_ERR_STATE before adoption; MM_ERR_LIMIT when the
//           ids are used up.
enum mm_status mm_space_create(const char *name, uint32_t *id, paddr_t *root)
	__attribute__((warn_unused_result));

// Purpose:  ends a space and frees its tables; waits for those who look at it.
//           Data frames that it mapped stay whose they are.
// Returns:  MM_OK with *tables (may be NULL) freed, root included; MM_ERR_SPACE:
//           no such space, the kernel's, or a CPU runs in it.
enum mm_status mm_space_destroy(uint32_t id, uint64_t *tables);

// Purpose:  lets this CPU run in the space. Switching to the current one is free.
// Context:  any; the caller's thread stays on this CPU or expects to be followed.
// Returns:  MM_OK; MM_ERR_SPACE: no such space.
enum mm_status mm_space_switch(uint32_t id);

// The space this CPU runs in, or MM_SPACE_CURRENT when its root is none's.
uint32_t mm_space_current(void);

// The space with this root table. MM_OK or MM_ERR_ROOT.
enum mm_status mm_space_by_root(paddr_t root, uint32_t *id);

// True while some thread is inside a call that changes page tables or spaces, with
// its interrupts on or off: a debugger that stopped it there must not make such a
// call itself, for it would wait for that thread. Any context.
bool mm_space_changing(void);

// MM_OK, MM_ERR_SPACE; id may be MM_SPACE_CURRENT.
enum mm_status mm_space_info(uint32_t id, struct mm_space_info *out);

// Every space, by id. The cursor is an id: any value is valid.
enum mm_visit mm_visit_spaces(struct mm_cursor *cursor, struct mm_space_info *out);
