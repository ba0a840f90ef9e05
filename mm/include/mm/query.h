// mm/query.h: verdicts without deeds. Nothing here changes anything, allocates,
// or panics; every function may be called in any context, also after a panic.
#pragma once

#include <mm/mm.h>
#include <mm/types.h>

enum mm_object_kind {
	MM_OBJECT_NONE,	 // nothing that mm knows
	MM_OBJECT_SLAB,	 // inside a slab: base and size are the object's
	MM_OBJECT_TABLE, // a slab object that serves as a page table
	MM_OBJECT_FRAME, // a frame of a zone: base and size are the run's
	MM_OBJECT_IMAGE, // a frame that the kernel itself occupies
};

struct mm_object {
	enum mm_object_kind kind;
	uint64_t base;	     // virtual for SLAB and TABLE, else physical
	uint64_t size;	     // bytes
	bool used;	     // allocated
	bool has_note;	     // site and birth_us below are known
	uint64_t site;	     // who allocated it
	uint64_t freed_site; // who freed it last, 0 if unknown
	uint64_t birth_us;   // when it was allocated
};

// What lies at a kernel virtual address (direct map) / physical address.
void mm_query_virt(vaddr_t address, struct mm_object *out);
void mm_query_phys(paddr_t address, struct mm_object *out);

// The verdict that kfree / free_pages would reach now: MM_OK or the reason.
// `out`, if not NULL, receives what the pointer is.
enum mm_status mm_query_free(const void *address, struct mm_object *out);
enum mm_status mm_query_free_pages(const struct Page *page, int number, struct mm_object *out);

// Dry runs: the answer kmalloc / alloc_pages would give now. class_size /
// address, if not NULL, receive the class in bytes / the run it would take
// (another caller may be faster).
enum mm_status mm_query_kmalloc(unsigned long size, gfp_t gfp, unsigned long *class_size);
enum mm_status mm_query_alloc_pages(unsigned int zone_select, int num, ul flags, paddr_t *address);

// Writes "kfree(0x...): double free; ..." for a verdict, at most size bytes
// with the NUL, cut if need be; how many it took without the NUL.
size_t mm_describe_free(char *text, size_t size, const void *address, enum mm_status verdict,
			const struct mm_object *object);
