/*
 * Numbers shared by kernel/boot/entry.S and the C side of booting. Preprocessor only.
 */
#ifndef KERNEL_BOOT_PROTOCOL_H
#define KERNEL_BOOT_PROTOCOL_H

/* Multiboot2 specification, version 2.0, sections 3.1.1 and 3.3. */
#define MULTIBOOT2_HEADER_MAGIC 0xe85250d6
#define MULTIBOOT2_LOADER_MAGIC 0x36d76289

/* Where the image is linked and where it is loaded unless the loader moves it: see vitrine.lds. */
#define IMAGE_VIRT 0xffffffff80000000
#define IMAGE_PHYS 0x1000000

/* Which loader entered the image. */
#define BOOT_PROTOCOL_UNKNOWN	 0
#define BOOT_PROTOCOL_PVH	 1
#define BOOT_PROTOCOL_MULTIBOOT2 2

/* Offsets in struct boot_handoff, checked against the structure in boot_info.c. */
#define HANDOFF_PROTOCOL 0
#define HANDOFF_INFO	 4
#define HANDOFF_IMAGE	 8
#define HANDOFF_TSC	 16
#define HANDOFF_BYTES	 24

/* A kernel stack, and the unmapped guard page below each. */
#define GUARD_BYTES  4096
#define KSTACK_BYTES 16384

/* QEMU's isa-debug-exit device: writing v ends QEMU with status 2v + 1. */
#define DEBUG_EXIT_PORT	   0xf4
#define DEBUG_EXIT_SUCCESS 0x10 /* status 33 */
#define DEBUG_EXIT_FAILURE 0x11 /* status 35 */
#define DEBUG_EXIT_PANIC   0x12 /* status 37 */

#endif
