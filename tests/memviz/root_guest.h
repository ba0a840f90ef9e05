// root_guest.h: a kernel that is nothing but mm/ on the host's port, and its memory as
// memviz reads it behind a stub. The only place that sees both ends of <mm/root.h>.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "private.h" // of memviz's gdb/

// Where the host's memory lies for the reader: physical addresses from here on are the
// host's own; lower ones are mm's.
#define ROOT_HOST_PHYS (UINT64_C(1) << 48)

// What stands for the kernel's image: the note, and a symbol table of `first` at 0x10 and
// `second` at 0x200.
#define ROOT_SYMBOLS 1024
extern uint8_t root_image[4096];

// Seen instead of what lies in the host's memory at `at`.
struct root_patch {
	uint64_t at;
	uint8_t bytes[64];
	size_t len;
};

struct root_guest {
	struct walk walk;
	struct guest guest;
	struct kernel kernel;
	const struct root_patch *patch;
	size_t patches;
	// May change any page that is read; `order` counts them.
	void (*spoil)(uint8_t page[4096], unsigned order, void *context);
	void *context;
	unsigned pages;
};

// A machine with something in every zone, in slabs of all sizes, and attribution on.
void root_machine_start(uint64_t seed, unsigned operations);
void root_machine_work(uint64_t seed, unsigned operations);
void root_machine_stop(void);

// Reads that kernel, as behind a stub that was just opened. True: kernel_read() did.
bool root_guest_read(struct root_guest *g);
void root_guest_free(struct root_guest *g);
