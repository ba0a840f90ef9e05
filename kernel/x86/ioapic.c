#include "apic.h"

#include <kernel/acpi.h>
#include <kernel/io.h>
#include <kernel/log.h>
#include <kernel/paging.h>
#include <kernel/sync.h>

/* 82093AA: an index register and a window. */
#define SELECT		0x00
#define WINDOW		0x10
#define REG_VERSION	0x01
#define REG_REDIRECT(n) (0x10 + 2 * (n))
#define REDIRECT_MASKED 0x10000u
#define REDIRECT_LEVEL	0x08000u
#define REDIRECT_LOW	0x02000u

struct ioapic {
	volatile uint8_t *registers;
	uint32_t gsi_base, lines;
};

static struct {
	struct spinlock lock; /* index and window are two accesses */
	struct ioapic all[ACPI_IOAPICS_MAX];
	unsigned count;
} ioapics = {.lock = SPINLOCK_INIT("IOAPIC")};

static uint32_t read_register(const struct ioapic *ioapic, uint32_t reg)
{
	mmio_write32(ioapic->registers + SELECT, reg);
	return mmio_read32(ioapic->registers + WINDOW);
}

static void write_register(const struct ioapic *ioapic, uint32_t reg, uint32_t value)
{
	mmio_write32(ioapic->registers + SELECT, reg);
	mmio_write32(ioapic->registers + WINDOW, value);
}

/* The destination first: while the line is masked nothing can go astray. */
static void write_entry(const struct ioapic *ioapic, uint32_t line, uint32_t low, uint32_t high)
{
	irq_flags_t flags = spin_lock_irqsave(&ioapics.lock);

	write_register(ioapic, REG_REDIRECT(line), REDIRECT_MASKED);
	write_register(ioapic, REG_REDIRECT(line) + 1, high);
	write_register(ioapic, REG_REDIRECT(line), low);
	spin_unlock_irqrestore(&ioapics.lock, flags);
}

bool ioapic_add(const struct acpi_ioapic *found)
{
	struct ioapic *ioapic = &ioapics.all[ioapics.count];

	if (ioapics.count == ACPI_IOAPICS_MAX)
		return false;
	ioapic->registers = device_map(mm_pa(found->address), 4096);
	if (!ioapic->registers)
		return false;
	ioapic->gsi_base = found->gsi_base;
	ioapic->lines = (read_register(ioapic, REG_VERSION) >> 16 & 255) + 1;
	/* Absent hardware reads as all ones; no chip has more than 240 lines. */
	if (ioapic->lines > 240) {
		pr_warn("IOAPIC at 0x%x does not answer", found->address);
		return false;
	}
	for (uint32_t line = 0; line < ioapic->lines; line++)
		write_entry(ioapic, line, REDIRECT_MASKED, 0);
	ioapics.count++;
	return true;
}

static const struct ioapic *ioapic_of(uint32_t gsi)
{
	for (unsigned i = 0; i < ioapics.count; i++)
		if (gsi >= ioapics.all[i].gsi_base &&
		    gsi - ioapics.all[i].gsi_base < ioapics.all[i].lines)
			return &ioapics.all[i];
	return NULL;
}

bool ioapic_route(uint32_t gsi, uint8_t vector, uint32_t apic_id, bool active_low, bool level)
{
	const struct ioapic *ioapic = ioapic_of(gsi);

	if (!ioapic)
		return false;
	write_entry(ioapic, gsi - ioapic->gsi_base,
		    vector | (active_low ? REDIRECT_LOW : 0) | (level ? REDIRECT_LEVEL : 0),
		    apic_id << 24);
	return true;
}

void ioapic_mask(uint32_t gsi)
{
	const struct ioapic *ioapic = ioapic_of(gsi);

	if (ioapic)
		write_entry(ioapic, gsi - ioapic->gsi_base, REDIRECT_MASKED, 0);
}
