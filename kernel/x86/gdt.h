/*
 * Descriptor tables of each CPU. Private to kernel/x86.
 */
#ifndef KERNEL_X86_GDT_H
#define KERNEL_X86_GDT_H

#include <stdint.h>

#include <kernel/boot_protocol.h>
#include <kernel/percpu.h>

/* Intel SDM volume 3, figure 8-11. */
struct tss {
	uint32_t reserved0;
	uint64_t rsp[3]; /* rsp[0]: where a trap from ring 3 arrives */
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3, io_bitmap;
} __attribute__((packed));

/* Numbers in the interrupt stack table, 1..7; 0 means "stay on this stack". */
#define IST_NMI		  1
#define IST_DOUBLE_FAULT  2
#define IST_MACHINE_CHECK 3
#define IST_COUNT	  3

/* The stacks of the boot CPU, in the image, ascending: the first is the one that entry.S runs on
 * (it knows the layout), the others are those of the interrupt stack table. */
struct image_stack {
	unsigned char guard[GUARD_BYTES];
	unsigned char stack[KSTACK_BYTES];
} __attribute__((aligned(4096)));
#define BOOT_STACKS (1 + IST_COUNT)
extern struct image_stack boot_stacks[BOOT_STACKS];

/* Loads a GDT and a TSS of its own for this CPU; ist_ends are the ends of the IST stacks. */
void gdt_init(struct percpu *area, const uint64_t ist_ends[IST_COUNT]);

/* Builds the IDT (the boot CPU, once) and loads it. */
void idt_build(void);
void idt_load(void);

#endif
