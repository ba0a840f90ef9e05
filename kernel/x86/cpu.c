/*
 * What the processor can do, and the protections that are switched on with it.
 */
#include <kernel/cpu.h>
#include <kernel/patch.h>
#include <kernel/printf.h>
#include <kernel/weaken.h>

#include <string.h>

struct cpu_features cpu_features;

static bool bit(uint32_t word, unsigned number)
{
	return (word >> number & 1) != 0;
}

static void put_words(char *dst, const uint32_t *words, size_t count)
{
	memcpy(dst, words, count * sizeof(*words));
	dst[count * sizeof(*words)] = '\0';
}

static void read_identity(struct cpu_features *f, uint32_t signature)
{
	f->family = signature >> 8 & 15;
	f->model = signature >> 4 & 15;
	f->stepping = signature & 15;
	if (f->family == 6 || f->family == 15)
		f->model |= (signature >> 16 & 15) << 4;
	if (f->family == 15)
		f->family += signature >> 20 & 255;
}

static void read_basic(struct cpu_features *f)
{
	struct cpuid_result leaf0 = cpuid(0, 0), leaf1 = cpuid(1, 0);

	put_words(f->vendor, (uint32_t[]){leaf0.ebx, leaf0.edx, leaf0.ecx}, 3);
	read_identity(f, leaf1.eax);
	f->apic_id = leaf1.ebx >> 24;
	f->apic = bit(leaf1.edx, 9);
	f->x2apic = bit(leaf1.ecx, 21);
	f->tsc_deadline = bit(leaf1.ecx, 24);
	f->pcid = bit(leaf1.ecx, 17);
	f->popcnt = bit(leaf1.ecx, 23);
	f->xsave = bit(leaf1.ecx, 26);
	f->rdrand = bit(leaf1.ecx, 30);
	f->pge = bit(leaf1.edx, 13);
	f->mce = bit(leaf1.edx, 7);
	f->mca = bit(leaf1.edx, 14);
	if (bit(leaf1.ecx, 31)) {
		struct cpuid_result hv = cpuid(0x40000000, 0);

		put_words(f->hypervisor, (uint32_t[]){hv.ebx, hv.ecx, hv.edx}, 3);
	}
	if (leaf0.eax >= 7) {
		struct cpuid_result leaf7 = cpuid(7, 0);

		f->fsgsbase = bit(leaf7.ebx, 0);
		f->bmi1 = bit(leaf7.ebx, 3);
		f->smep = bit(leaf7.ebx, 7);
		f->bmi2 = bit(leaf7.ebx, 8);
		f->invpcid = bit(leaf7.ebx, 10);
		f->smap = bit(leaf7.ebx, 20);
		f->umip = bit(leaf7.ecx, 2);
	}
}

static void read_extended(struct cpu_features *f)
{
	uint32_t top = cpuid(0x80000000, 0).eax;
	struct cpuid_result leaf1 = cpuid(0x80000001, 0);

	f->nx = bit(leaf1.edx, 20);
	f->page_1g = bit(leaf1.edx, 26);
	f->lzcnt = bit(leaf1.ecx, 5);
	f->physical_bits = 36;
	f->virtual_bits = 48;
	if (top >= 0x80000004)
		for (uint32_t i = 0; i < 3; i++) {
			struct cpuid_result name = cpuid(0x80000002 + i, 0);

			memcpy(f->brand + i * sizeof(name), &name, sizeof(name));
		}
	if (top >= 0x80000007)
		f->tsc_invariant = bit(cpuid(0x80000007, 0).edx, 8);
	if (top >= 0x80000008) {
		uint32_t widths = cpuid(0x80000008, 0).eax;

		f->physical_bits = widths & 255;
		f->virtual_bits = widths >> 8 & 255;
	}
	/* The entry format ends at bit 51; less than 32 is a misreport. */
	if (f->physical_bits < 32 || f->physical_bits > 52)
		f->physical_bits = 36;
}

void cpu_init(void)
{
	read_basic(&cpu_features);
	read_extended(&cpu_features);
}

static uint64_t wanted_cr4(const struct cpu_features *f)
{
	uint64_t cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;

	cr4 |= f->pge ? CR4_PGE : 0;
	cr4 |= f->mce ? CR4_MCE : 0;
	cr4 |= f->smep && !weakened(WEAKEN_SMEP) ? CR4_SMEP : 0;
	cr4 |= f->smap && !weakened(WEAKEN_SMAP) ? CR4_SMAP : 0;
	cr4 |= f->umip && !weakened(WEAKEN_UMIP) ? CR4_UMIP : 0;
	return cr4;
}

void cpu_protect(void)
{
	uint64_t cr0 = read_cr0();

	write_cr4(wanted_cr4(&cpu_features));
	write_cr0(weakened(WEAKEN_WP) ? cr0 & ~CR0_WP : cr0 | CR0_WP);
	if (cpu_features.nx)
		wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
	/* User code sees %fs and %gs bases of zero, never the kernel's. */
	wrmsr(MSR_KERNEL_GS, 0);
	if (read_cr4() & CR4_SMAP)
		patch_smap();
}

const char *cpu_describe_protections(char *buf, size_t size)
{
	uint64_t cr4 = read_cr4();

	ksnprintf(buf, size, "%s%s%s%s%s%s%s", read_cr0() & CR0_WP ? "WP" : "no WP",
		  rdmsr(MSR_EFER) & EFER_NXE ? " NX" : " no-NX", cr4 & CR4_SMEP ? " SMEP" : "",
		  cr4 & CR4_SMAP ? " SMAP" : "", cr4 & CR4_UMIP ? " UMIP" : "",
		  cr4 & CR4_PGE ? " PGE" : "", cpu_features.page_1g ? " 1G-pages" : "");
	return buf;
}

void tlb_flush_all(void)
{
	uint64_t flags = irq_save(), cr4 = read_cr4();

	if (cr4 & CR4_PGE) {
		write_cr4(cr4 & ~CR4_PGE);
		write_cr4(cr4);
	} else {
		tlb_flush_space();
	}
	irq_restore(flags);
}

void fpu_save(struct fpu_state *state)
{
	__asm__ volatile("fxsave64 %0" : "=m"(*state));
}

void fpu_restore(const struct fpu_state *state)
{
	__asm__ volatile("fxrstor64 %0" : : "m"(*state));
}
