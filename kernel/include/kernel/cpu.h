/*
 * The processor: what it can do, its control registers, interrupts on and off.
 *
 * Privileged instructions live in kernel/x86 and in the inline functions here, nowhere else.
 * machine_exit(), machine_reboot() and machine_poweroff() of <kernel/panic.h> are in x86/machine.c.
 */
#ifndef KERNEL_CPU_H
#define KERNEL_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CR0_WP 0x00010000ul
#define CR0_PG 0x80000000ul

#define CR4_PSE	       0x00000010ul
#define CR4_PAE	       0x00000020ul
#define CR4_MCE	       0x00000040ul
#define CR4_PGE	       0x00000080ul
#define CR4_OSFXSR     0x00000200ul
#define CR4_OSXMMEXCPT 0x00000400ul
#define CR4_UMIP       0x00000800ul
#define CR4_PCIDE      0x00020000ul
#define CR4_SMEP       0x00100000ul
#define CR4_SMAP       0x00200000ul

#define RFLAGS_TF 0x00000100ul
#define RFLAGS_IF 0x00000200ul
#define RFLAGS_DF 0x00000400ul
#define RFLAGS_RF 0x00010000ul
#define RFLAGS_AC 0x00040000ul

#define MSR_APIC_BASE	0x0000001bu
#define MSR_EFER	0xc0000080u
#define MSR_FS_BASE	0xc0000100u
#define MSR_GS_BASE	0xc0000101u
#define MSR_KERNEL_GS	0xc0000102u
#define MSR_X2APIC_BASE 0x00000800u

#define EFER_LME 0x00000100ul
#define EFER_LMA 0x00000400ul
#define EFER_NXE 0x00000800ul

/* What this CPU offers (by CPUID) and what is switched on. */
struct cpu_features {
	char vendor[13];
	char brand[49];	     /* "" when the CPU does not say */
	char hypervisor[13]; /* "" on bare metal */
	uint32_t family, model, stepping;
	uint32_t physical_bits; /* width of physical addresses, 36..52 */
	uint32_t virtual_bits;	/* 48 or 57 */
	uint32_t apic_id;
	bool apic, x2apic, tsc_deadline, tsc_invariant;
	bool nx, page_1g, pge, pcid, invpcid;
	bool smep, smap, umip;
	bool fsgsbase, rdrand, xsave, mce, mca;
	bool popcnt, bmi1, bmi2, lzcnt;
};

/* Of the boot CPU; filled by cpu_init(), constant afterwards. */
extern struct cpu_features cpu_features;

/* Reads CPUID. Call once on the boot CPU, before anything that asks cpu_features. */
void cpu_init(void);

/* Turns on the protections the CPU has (WP, NX, SMEP, SMAP, UMIP, PGE), on this CPU, except what
 * boot parameter weaken= leaves off. After paging_init() on each CPU. */
void cpu_protect(void);

/* One line for the log: "SMEP SMAP UMIP NX PGE 1G" of what is in force. Returns buf. */
const char *cpu_describe_protections(char *buf, size_t size);

struct cpuid_result {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid_result cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid_result r;

	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(subleaf));
	return r;
}

static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return low | (uint64_t)high << 32;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
}

static inline uint64_t rdtsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return low | (uint64_t)high << 32;
}

#define CPU_CONTROL_REGISTER(n)                                                     \
	static inline uint64_t read_cr##n(void)                                     \
	{                                                                           \
		uint64_t value;                                                     \
                                                                                    \
		__asm__ volatile("movq %%cr" #n ", %0" : "=r"(value) : : "memory"); \
		return value;                                                       \
	}                                                                           \
	static inline void write_cr##n(uint64_t value)                              \
	{                                                                           \
		__asm__ volatile("movq %0, %%cr" #n : : "r"(value) : "memory");     \
	}
CPU_CONTROL_REGISTER(0)
CPU_CONTROL_REGISTER(2)
CPU_CONTROL_REGISTER(3)
CPU_CONTROL_REGISTER(4)
CPU_CONTROL_REGISTER(8)
#undef CPU_CONTROL_REGISTER

/* Drops this CPU's translation of one page; of everything but global pages; of everything. */
static inline void tlb_flush_page(uintptr_t address)
{
	__asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

static inline void tlb_flush_space(void)
{
	write_cr3(read_cr3());
}

void tlb_flush_all(void);

static inline uint64_t read_rflags(void)
{
	uint64_t flags;

	__asm__ volatile("pushfq; popq %0" : "=r"(flags) : : "memory");
	return flags;
}

/* Interrupts of this CPU. irq_save() turns them off and returns what irq_restore() wants. */
static inline bool irqs_enabled(void)
{
	return (read_rflags() & RFLAGS_IF) != 0;
}

static inline void irq_enable(void)
{
	__asm__ volatile("sti" : : : "memory");
}

static inline void irq_disable(void)
{
	__asm__ volatile("cli" : : : "memory");
}

static inline uint64_t irq_save(void)
{
	uint64_t flags = read_rflags();

	irq_disable();
	return flags;
}

static inline void irq_restore(uint64_t flags)
{
	if (flags & RFLAGS_IF)
		irq_enable();
}

/* Turns interrupts on and halts until the next one, without a gap in between. */
static inline void cpu_wait_for_interrupt(void)
{
	__asm__ volatile("sti; hlt" : : : "memory");
}

static inline void cpu_relax(void)
{
	__asm__ volatile("pause" : : : "memory");
}

/* Stops this CPU for good. */
static inline _Noreturn void cpu_halt_forever(void)
{
	for (;;)
		__asm__ volatile("cli; hlt" : : : "memory");
}

/* Lets the kernel touch user pages (and not again), where SMAP is in force; else nothing. */
void user_access_begin(void);
void user_access_end(void);

/* The SSE state as FXSAVE stores it, 512 bytes at a multiple of 16. The kernel itself never uses
 * these registers. Any context. */
struct fpu_state {
	uint8_t bytes[512];
} __attribute__((aligned(16)));
void fpu_save(struct fpu_state *state);
void fpu_restore(const struct fpu_state *state);

#endif
