/*
 * The global descriptor table and the task state segment: per CPU, flat, only what long mode needs.
 */
#include "gdt.h"

#include <kernel/cpu.h>
#include <kernel/trap_offsets.h>

#include <stddef.h>

_Static_assert(offsetof(struct tss, rsp) == TSS_RSP0, "trap_entry.S relies on it");

struct descriptors {
	uint64_t gdt[7];
	struct tss tss;
} __attribute__((aligned(64)));

static struct descriptors descriptors[CPU_MAX];

#define SEGMENT_KERNEL_CODE UINT64_C(0x00af9b000000ffff)
#define SEGMENT_KERNEL_DATA UINT64_C(0x00cf93000000ffff)
#define SEGMENT_USER_DATA   UINT64_C(0x00cff3000000ffff)
#define SEGMENT_USER_CODE   UINT64_C(0x00affb000000ffff)
#define SEGMENT_TSS	    UINT64_C(0x0000890000000000)

struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

static void put_tss_descriptor(uint64_t *slot, const struct tss *tss)
{
	uint64_t base = (uint64_t)(uintptr_t)tss;

	slot[0] = SEGMENT_TSS | (sizeof(*tss) - 1) | (base & 0xffffff) << 16 |
		  (base >> 24 & 0xff) << 56;
	slot[1] = base >> 32;
}

static void load(const struct descriptors *own)
{
	struct table_pointer pointer = {sizeof(own->gdt) - 1, (uint64_t)(uintptr_t)own->gdt};

	__asm__ volatile("lgdt %0\n\t"
			 "pushq %1\n\t"
			 "leaq 1f(%%rip), %%rax\n\t"
			 "pushq %%rax\n\t"
			 "lretq\n"
			 "1:\tmovw %w2, %%ss\n\t"
			 "movw %w3, %%ds\n\t"
			 "movw %w3, %%es\n\t"
			 "ltr %w4"
			 :
			 : "m"(pointer), "i"(KERNEL_CS), "r"(KERNEL_DS), "r"(0), "r"(TSS_SEL)
			 : "rax", "memory");
}

void gdt_init(struct percpu *area, const uint64_t ist_ends[IST_COUNT])
{
	struct descriptors *own = &descriptors[area->cpu];

	own->gdt[KERNEL_CS / 8] = SEGMENT_KERNEL_CODE;
	own->gdt[KERNEL_DS / 8] = SEGMENT_KERNEL_DATA;
	own->gdt[USER_DS / 8] = SEGMENT_USER_DATA;
	own->gdt[USER_CS / 8] = SEGMENT_USER_CODE;
	own->tss.rsp[0] = area->kernel_stack;
	for (unsigned i = 0; i < IST_COUNT; i++)
		own->tss.ist[i] = ist_ends[i];
	own->tss.io_bitmap = sizeof(own->tss); /* no port is open to ring 3 */
	put_tss_descriptor(&own->gdt[TSS_SEL / 8], &own->tss);
	area->tss = &own->tss;
	load(own);
}

/* ---- interrupt descriptors ---- */

struct gate {
	uint16_t offset_0, selector;
	uint8_t ist, type;
	uint16_t offset_16;
	uint32_t offset_32, reserved;
};

#define GATE_INTERRUPT 0x8e
#define GATE_FROM_USER 0xee /* ring 3 may call it by INT */

static struct gate idt[256];

extern const char trap_stubs[];
#define STUB_BYTES 16

static uint8_t ist_of(unsigned vector)
{
	switch (vector) {
	case 2:
		return IST_NMI;
	case 8:
		return IST_DOUBLE_FAULT;
	case 18:
		return IST_MACHINE_CHECK;
	default:
		return 0;
	}
}

void idt_build(void)
{
	for (unsigned vector = 0; vector < 256; vector++) {
		uint64_t stub = (uint64_t)(uintptr_t)(trap_stubs + vector * STUB_BYTES);

		idt[vector] = (struct gate){
			.offset_0 = (uint16_t)stub,
			.selector = KERNEL_CS,
			.ist = ist_of(vector),
			/* int3 and into belong to whoever is debugged. */
			.type = vector == 3 || vector == 4 ? GATE_FROM_USER : GATE_INTERRUPT,
			.offset_16 = (uint16_t)(stub >> 16),
			.offset_32 = (uint32_t)(stub >> 32),
		};
	}
}

void idt_load(void)
{
	struct table_pointer pointer = {sizeof(idt) - 1, (uint64_t)(uintptr_t)idt};

	__asm__ volatile("lidt %0" : : "m"(pointer));
}
