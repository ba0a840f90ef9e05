// mm/slab.h: objects of 32 bytes to 1 MiB.
#pragma once

#include <mm/gfp.h>
#include <mm/types.h>

#define KMALLOC_CLASSES	 16	     // 32 B, 64 B ... 1 MiB
#define KMALLOC_MIN_SIZE 32ul	     // bytes
#define KMALLOC_MAX_SIZE (1ul << 20) // bytes

// Purpose:  an object of at least `size` bytes, of the smallest class that
//           holds it, aligned to the class size. size 0 gives a 32 B object.
// Units:    bytes.
// Context:  any, interrupts included; takes no sleeping lock. Not from NMI,
//           not from an event hook.
// Returns:  the object, which belongs to the caller until kfree; or NULL with
//           nothing changed but the failure counter (and an event) when size
//           > 1 MiB, gfp has unknown bits, or there is no memory.
void *kmalloc(unsigned long size, gfp_t gfp) __attribute__((warn_unused_result));

// kmalloc with __GFP_ZERO: all bytes of the object, not only the requested
// ones, are zero. Context and returns as kmalloc.
void *kzalloc(unsigned long size, gfp_t gfp) __attribute__((warn_unused_result));

// Purpose:  gives an object back.
// Context:  any, interrupts included, on any CPU. Not from NMI or a hook.
// Returns:  0. NULL is allowed and does nothing. A pointer that kmalloc did
//           not return, an interior pointer, a page table in use and a double
//           free are each detected exactly and end in mm_port_panic() with a
//           message that names the pointer, what it is, and who allocated and
//           freed it as far as known; nothing was changed then.
unsigned long kfree(void *address);

// Purpose:  kfree for callers who must not crash (remote requests).
// Returns:  MM_OK and the object is free; or the verdict (MM_ERR_NULL,
//           MM_ERR_FOREIGN, MM_ERR_INTERIOR, MM_ERR_FREE, MM_ERR_TABLE, and in
//           the debug modes MM_ERR_REDZONE) with nothing changed. Check and
//           free are one step: no other CPU gets between them.
// Context:  as kfree.
enum mm_status mm_try_kfree(void *address) __attribute__((warn_unused_result));

// The class size in bytes that kmalloc(size) gives, 0 when size > 1 MiB.
unsigned long mm_class_size(unsigned long size);

// Purpose:  gives memory that is idle in caches back to the zones: this CPU's
//           empty slabs, the empty frame kept by the slab, single frames kept
//           per CPU; asks the other CPUs to do
//           the same at their next call.
// Returns:  how many frames the zones have gained.
// Context:  as kfree.
unsigned long mm_trim(void);
