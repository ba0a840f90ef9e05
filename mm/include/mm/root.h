// mm/root.h: mm's structures as they look from outside, for a reader that has the
// memory of a kernel and nothing else: a debugger's stub, a dump, a machine that
// hangs or is dead. memviz is one (host-tools/memviz/gdb).
//
// Theory. mm_root is constant data in the image: a table of named entries that
// says where each structure lies, how large it is and where in it the fields are
// that tell the state of memory. A reader takes offsets and sizes from here and
// not from mm's headers, so that it reads any layout of the same version. What the
// fields MEAN is the version: it rises when a reader that follows the table would
// come to wrong figures. Entries may be added without that; a reader skips names
// that it does not know.
//
// The kernel publishes the address of mm_root in an ELF note (docs/porting.md):
// owner "Vitrine", type MM_ROOT_NOTE, four 64-bit words: the virtual address of
// mm_root, of the image's first byte, of the byte behind it, and of a symbol table
// or 0. To be found without the ELF file it begins in the first page of a mapping in
// the top 2 GiB. A symbol table is a 32-bit count n, n ascending offsets from the
// image's first byte, n places of names, and then the names, each ended by a NUL.
//
// The meaning, version 1. Everything is little-endian; pointers are virtual.
// - A frame number is a physical address >> frame.shift. `extents` points to
//   extent_count sorted, disjoint stretches of frames: of zone extent.zone, where
//   their first frame has the number extent.bit, or, if that is negative, reserved.
//   Between extents there is no memory.
// - Frame n of a zone is bit n % 64 of zone.word[n / 64]. It is allocated when
//   word.alloc has the bit or page.run_frames of its zone.pages[n] is 1, else of the
//   slab (word.slab) or the kernel's own (word.kernel), else free. A run's attr, refs,
//   site and birth_us stand in its first page, the one with a run_frames.
// - In use are zone.given - zone.returned frames of zone.frames.
// - Class c has objects of 1 << (c + 1) bytes from class.first to class.last;
//   class.table is page tables of 1 << page.shift. Objects in use are the sum over
//   the CPUs of cpu.allocs[c] less that of cpu.frees[c + 1]; tables use one index
//   for both. A slab has 1 << granule.shift bytes, or one object if that is larger.
// - The granule at virtual address v has the descriptor number (v >> granule.shift)
//   & (slab_mask / size of slab) of `slabs`. State slab.head begins a slab at
//   slab.start, slab.body belongs to the one that begins there. slab.bits points
//   to one bit per object, 1 = free, and remote.cell words on (remote.word, if it
//   points to slab.word itself) to those that another CPU freed.
// - page.notes of a slab frame, unless 0, points to one pointer per granule, and
//   that, unless 0, to one note per object; it counts if note.requested has
//   note.born. note.site is an index into `sites`, 0 for unknown; there are none
//   when that is 0.
// - spaces_first is the list of spaces, linked by space.next.
// - The generation is gen_extra + all allocs and frees + zone.given, zone.returned
//   and zone.failed of every zone.
#pragma once

#include <stdint.h>

#define MM_ROOT_MAGIC	"mm root" // with the NUL
#define MM_ROOT_VERSION 1
#define MM_ROOT_NOTE	1 // type of the ELF note

enum mm_root_kind {
	MM_ROOT_VALUE = 1,    // `where` is the value itself
	MM_ROOT_VARIABLE = 2, // `where` is its virtual address
	MM_ROOT_STRUCT = 3,   // has `bytes`; its fields are named NAME.FIELD
	MM_ROOT_FIELD = 4,    // `where` is its offset in the structure
};

struct mm_root_entry {
	char name[20]; // filled up with NUL; at least one
	uint32_t kind;
	uint64_t where;
	uint32_t bytes; // of one element
	uint32_t count; // of elements, one behind the other
};

struct mm_root {
	char magic[8];
	uint32_t version;
	uint32_t bytes;	     // of this structure
	uint64_t self;	     // its own virtual address: a copy elsewhere is none
	uint64_t table;	     // virtual address of the first entry
	uint32_t entries;    // how many
	uint32_t entry_size; // bytes from one to the next
};

// Never changes; readable in any context.
extern const struct mm_root mm_root;
