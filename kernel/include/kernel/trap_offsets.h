/*
 * Offsets and selectors that assembly and C share; traps.c checks the offsets. Preprocessor only.
 */
#ifndef KERNEL_TRAP_OFFSETS_H
#define KERNEL_TRAP_OFFSETS_H

/* In struct trap_frame. */
#define FRAME_RIP   144
#define FRAME_CS    152
#define FRAME_RSP   168
#define FRAME_BYTES 184
/* In struct trap_try. */
#define TRY_RSP 0
/* In struct tss. */
#define TSS_RSP0 4

/* Selectors of each CPU's GDT: gdt.c. */
#define KERNEL_CS 0x08
#define KERNEL_DS 0x10
#define USER_DS	  0x1b
#define USER_CS	  0x23
#define TSS_SEL	  0x28

#endif
