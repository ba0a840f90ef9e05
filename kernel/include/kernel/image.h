/*
 * The kernel image and the windows of the kernel's half of the address space.
 */
#ifndef KERNEL_IMAGE_H
#define KERNEL_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include <kernel/boot_protocol.h>

/* Edges that vitrine.lds sets. Each section's pages have rights of their own. */
extern const char image_start[], image_end[];
extern const char text_start[], text_end[];	/* executed */
extern const char rodata_start[], rodata_end[]; /* read; the symbol table is a second one */
extern const char ksyms_start[], ksyms_end[];
extern const char data_start[], data_end[]; /* read and written, with bss and the boot stacks */
/* The linker's note: 16 bytes of name and sizes, then the SHA-1 of this very link. */
extern const unsigned char build_id_start[], build_id_end[];

/* The kernel's half of the address space. */
#define DIRECT_MAP_BASE	   0xffff800000000000ul
#define DEVICE_WINDOW_BASE 0xffffa00000000000ul
#define STACK_WINDOW_BASE  0xffffb00000000000ul

static inline bool in_image(uintptr_t address)
{
	return address >= (uintptr_t)image_start && address < (uintptr_t)image_end;
}

static inline bool in_text(uintptr_t address)
{
	return address >= (uintptr_t)text_start && address < (uintptr_t)text_end;
}

#endif
