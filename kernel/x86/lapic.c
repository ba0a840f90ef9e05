#include "apic.h"

#include <kernel/cpu.h>
#include <kernel/io.h>
#include <kernel/paging.h>

#define APIC_BASE_ENABLE 0x800u
#define APIC_BASE_X2APIC 0x400u
#define SPURIOUS_ENABLE	 0x100u
#define SPURIOUS_VECTOR	 0xffu

static struct {
	volatile uint8_t *registers; /* xAPIC: in the device window */
	bool x2apic;
	bool present;
} lapic;

bool lapic_present(void)
{
	return lapic.present;
}

bool lapic_is_x2apic(void)
{
	return lapic.x2apic;
}

/* x2APIC has the same registers as MSRs, 16 bytes apart became 1. */
uint32_t lapic_read(uint32_t reg)
{
	if (lapic.x2apic)
		return (uint32_t)rdmsr(MSR_X2APIC_BASE + (reg >> 4));
	return mmio_read32(lapic.registers + reg);
}

void lapic_write(uint32_t reg, uint32_t value)
{
	if (lapic.x2apic)
		wrmsr(MSR_X2APIC_BASE + (reg >> 4), value);
	else
		mmio_write32(lapic.registers + reg, value);
}

uint32_t lapic_id(void)
{
	uint32_t id = lapic_read(LAPIC_ID);

	return lapic.x2apic ? id : id >> 24;
}

void lapic_eoi(void)
{
	lapic_write(LAPIC_EOI, 0);
}

#define COMMAND_NMI	0x4400u /* delivery mode NMI, level asserted */
#define COMMAND_PENDING 0x1000u

void lapic_send_nmi(uint32_t apic_id)
{
	if (lapic.x2apic) {
		wrmsr(MSR_X2APIC_BASE + (LAPIC_COMMAND_LOW >> 4),
		      (uint64_t)apic_id << 32 | COMMAND_NMI);
		return;
	}
	while (lapic_read(LAPIC_COMMAND_LOW) & COMMAND_PENDING)
		cpu_relax();
	lapic_write(LAPIC_COMMAND_HIGH, apic_id << 24);
	lapic_write(LAPIC_COMMAND_LOW, COMMAND_NMI);
}

/* Finds the registers, once; every CPU has them at the same place. */
static bool open_registers(uint64_t address)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);

	lapic.x2apic = cpu_features.x2apic;
	wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE | (lapic.x2apic ? APIC_BASE_X2APIC : 0));
	if (!lapic.x2apic && !lapic.registers)
		lapic.registers = device_map(mm_pa(address ? address : base & ENTRY_ADDRESS), 4096);
	return lapic.x2apic || lapic.registers;
}

bool lapic_init(uint64_t address)
{
	if (!cpu_features.apic || !open_registers(address))
		return false;
	lapic.present = true;
	lapic_write(LAPIC_TPR, 0);
	lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
	lapic_write(LAPIC_LVT_LINT0, LVT_MASKED);
	lapic_write(LAPIC_LVT_LINT1, LVT_NMI);
	lapic_write(LAPIC_LVT_ERROR, LVT_MASKED | VECTOR_APIC_ERROR);
	lapic_write(LAPIC_SPURIOUS, SPURIOUS_ENABLE | SPURIOUS_VECTOR);
	lapic_eoi();
	return true;
}
