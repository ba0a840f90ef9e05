/* PCI Local Bus 3.0: configuration mechanism 1 (3.2.2.3.2), BARs (6.2.5), MSI-X (6.8.2). */
#include <string.h>

#include <kernel/io.h>
#include <kernel/irq.h>
#include <kernel/log.h>
#include <kernel/paging.h>
#include <kernel/pci.h>
#include <kernel/sync.h>

enum { CONFIG_ADDRESS = 0xcf8, CONFIG_DATA = 0xcfc };
enum {
	REG_VENDOR = 0x00,
	REG_COMMAND = 0x04,
	REG_STATUS = 0x06,
	REG_CLASS = 0x08,
	REG_HEADER = 0x0e,
	REG_BAR0 = 0x10,
	REG_SECONDARY_BUS = 0x19,
	REG_SUBSYSTEM = 0x2e,
	REG_CAPABILITIES = 0x34,
	REG_INTERRUPT_LINE = 0x3c,
	REG_INTERRUPT_PIN = 0x3d,
};
enum { COMMAND_IO = 0x1, COMMAND_MEMORY = 0x2, COMMAND_MASTER = 0x4, COMMAND_NO_INTX = 0x400 };
enum { STATUS_CAPABILITIES = 0x10 };
enum { HEADER_BRIDGE = 1, HEADER_MULTI = 0x80 };
enum { CAP_MSIX = 0x11, MSIX_ENABLE = 0x8000, MSIX_MASK_ALL = 0x4000, MSIX_ENTRY_BYTES = 16 };

static struct pci_device devices[PCI_DEVICES_MAX];
static size_t device_count, functions_seen;
static struct spinlock lock = SPINLOCK_INIT("pci configuration");

/* ---- configuration space --------------------------------------------------------------------- */

static uint32_t address_of(const struct pci_device *d, uint8_t offset)
{
	return 0x80000000u | (uint32_t)d->bus << 16 | (uint32_t)d->slot << 11 |
	       (uint32_t)d->function << 8 | (offset & 0xfcu);
}

uint32_t pci_read32(const struct pci_device *device, uint8_t offset)
{
	irq_flags_t flags = spin_lock_irqsave(&lock);
	uint32_t value;

	outl(CONFIG_ADDRESS, address_of(device, offset));
	value = inl(CONFIG_DATA);
	spin_unlock_irqrestore(&lock, flags);
	return value;
}

void pci_write32(const struct pci_device *device, uint8_t offset, uint32_t value)
{
	irq_flags_t flags = spin_lock_irqsave(&lock);

	outl(CONFIG_ADDRESS, address_of(device, offset));
	outl(CONFIG_DATA, value);
	spin_unlock_irqrestore(&lock, flags);
}

uint16_t pci_read16(const struct pci_device *device, uint8_t offset)
{
	return (uint16_t)(pci_read32(device, offset) >> (offset & 2) * 8);
}

uint8_t pci_read8(const struct pci_device *device, uint8_t offset)
{
	return (uint8_t)(pci_read32(device, offset) >> (offset & 3) * 8);
}

/* Narrow writes go out narrow: a status register beside a command clears bits that are written. */
void pci_write16(const struct pci_device *device, uint8_t offset, uint16_t value)
{
	irq_flags_t flags = spin_lock_irqsave(&lock);

	outl(CONFIG_ADDRESS, address_of(device, offset));
	outw((uint16_t)(CONFIG_DATA + (offset & 2)), value);
	spin_unlock_irqrestore(&lock, flags);
}

void pci_write8(const struct pci_device *device, uint8_t offset, uint8_t value)
{
	irq_flags_t flags = spin_lock_irqsave(&lock);

	outl(CONFIG_ADDRESS, address_of(device, offset));
	outb((uint16_t)(CONFIG_DATA + (offset & 3)), value);
	spin_unlock_irqrestore(&lock, flags);
}

/* ---- finding devices ---------------------------------------------------------------------------
 */

/* Buses still to walk; each is walked once, whatever the bridges say. */
struct walk {
	uint64_t seen[4];
	uint8_t todo[256];
	size_t todo_count;
};

static void visit_later(struct walk *walk, uint8_t bus)
{
	uint64_t bit = 1ull << (bus & 63);

	if (walk->seen[bus >> 6] & bit)
		return;
	walk->seen[bus >> 6] |= bit;
	walk->todo[walk->todo_count++] = bus;
}

static bool look_at(struct pci_device *d)
{
	uint32_t id = pci_read32(d, REG_VENDOR), class_word;

	if ((id & 0xffff) == 0xffff || (id & 0xffff) == 0)
		return false;
	class_word = pci_read32(d, REG_CLASS);
	d->vendor = (uint16_t)id;
	d->device = (uint16_t)(id >> 16);
	d->class_code = (uint8_t)(class_word >> 24);
	d->subclass = (uint8_t)(class_word >> 16);
	d->interface = (uint8_t)(class_word >> 8);
	d->header_type = pci_read8(d, REG_HEADER);
	d->subsystem = pci_read16(d, REG_SUBSYSTEM);
	return true;
}

static void keep(const struct pci_device *d)
{
	functions_seen++;
	if (device_count < PCI_DEVICES_MAX)
		devices[device_count++] = *d;
	pr_debug("pci: %02x:%02x.%u %04x:%04x class %02x%02x", d->bus, d->slot, d->function,
		 d->vendor, d->device, d->class_code, d->subclass);
}

static void walk_slot(struct walk *walk, uint8_t bus, uint8_t slot)
{
	unsigned functions = 1;

	for (unsigned function = 0; function < functions; function++) {
		struct pci_device d = {.bus = bus, .slot = slot, .function = (uint8_t)function};

		if (!look_at(&d))
			continue;
		if (function == 0 && d.header_type & HEADER_MULTI)
			functions = 8;
		keep(&d);
		if ((d.header_type & ~HEADER_MULTI) == HEADER_BRIDGE)
			visit_later(walk, pci_read8(&d, REG_SECONDARY_BUS));
	}
}

size_t pci_init(void)
{
	struct walk walk = {0};

	visit_later(&walk, 0);
	while (walk.todo_count > 0) {
		uint8_t bus = walk.todo[--walk.todo_count];

		for (uint8_t slot = 0; slot < 32; slot++)
			walk_slot(&walk, bus, slot);
	}
	if (functions_seen > device_count)
		pr_warn("pci: %zu functions found, only the first %zu are used", functions_seen,
			device_count);
	return functions_seen;
}

const struct pci_device *pci_get(size_t index)
{
	return index < device_count ? &devices[index] : NULL;
}

const struct pci_device *pci_find(uint16_t vendor, uint16_t device, size_t *index)
{
	while (*index < device_count) {
		const struct pci_device *d = &devices[(*index)++];

		if (d->vendor == vendor && d->device == device)
			return d;
	}
	return NULL;
}

/* ---- capabilities and BARs ---------------------------------------------------------------------
 */

uint8_t pci_find_capability(const struct pci_device *device, uint8_t id, uint8_t after)
{
	/* 48 of at least four bytes fit behind the header: more is a circle. */
	enum { CAPABILITIES_MAX = 48, FIRST = 0x40 };
	uint8_t at;

	if ((pci_read16(device, REG_STATUS) & STATUS_CAPABILITIES) == 0)
		return 0;
	at = pci_read8(device, after != 0 ? (uint8_t)(after + 1) : REG_CAPABILITIES) & 0xfc;
	for (int i = 0; i < CAPABILITIES_MAX && at >= FIRST; i++) {
		if (pci_read8(device, at) == id)
			return at;
		at = pci_read8(device, (uint8_t)(at + 1)) & 0xfc;
	}
	return 0;
}

/* What stays of all ones tells the size; the device must not decode meanwhile. */
static uint64_t measure(const struct pci_device *device, uint8_t reg, bool wide, uint32_t mask)
{
	uint16_t command = pci_read16(device, REG_COMMAND);
	uint32_t low = pci_read32(device, reg), high = 0;
	uint64_t ones;

	pci_write16(device, REG_COMMAND, command & (uint16_t) ~(COMMAND_IO | COMMAND_MEMORY));
	pci_write32(device, reg, 0xffffffff);
	ones = pci_read32(device, reg) & mask;
	pci_write32(device, reg, low);
	if (wide) {
		high = pci_read32(device, (uint8_t)(reg + 4));
		pci_write32(device, (uint8_t)(reg + 4), 0xffffffff);
		ones |= (uint64_t)pci_read32(device, (uint8_t)(reg + 4)) << 32;
		pci_write32(device, (uint8_t)(reg + 4), high);
	} else if (ones != 0) {
		ones |= 0xffffffff00000000ull;
	}
	pci_write16(device, REG_COMMAND, command);
	return ones & (0 - ones); /* the lowest bit that took */
}

bool pci_get_bar(const struct pci_device *device, unsigned bar, struct pci_bar *out)
{
	uint8_t reg = (uint8_t)(REG_BAR0 + 4 * bar);
	uint32_t low, mask;

	*out = (struct pci_bar){0};
	if (bar >= PCI_BARS || (device->header_type & ~HEADER_MULTI) != 0)
		return false;
	low = pci_read32(device, reg);
	out->io = (low & 1) != 0;
	out->wide = !out->io && (low & 6) == 4;
	if (out->wide && bar + 1 >= PCI_BARS)
		return false;
	mask = out->io ? 0xfffffffc : 0xfffffff0;
	out->address = low & mask;
	if (out->wide)
		out->address |= (uint64_t)pci_read32(device, (uint8_t)(reg + 4)) << 32;
	out->bytes = measure(device, reg, out->wide, mask);
	return out->bytes != 0;
}

volatile void *pci_map_bar(const struct pci_device *device, unsigned bar, uint64_t *bytes)
{
	enum { BAR_BYTES_MAX = 1 << 30 };
	struct pci_bar found;

	if (!pci_get_bar(device, bar, &found) || found.io || found.address == 0 ||
	    found.bytes > BAR_BYTES_MAX)
		return NULL;
	*bytes = found.bytes;
	return device_map(mm_pa(found.address), found.bytes);
}

void pci_enable(const struct pci_device *device)
{
	uint16_t command = pci_read16(device, REG_COMMAND);

	pci_write16(device, REG_COMMAND, command | COMMAND_MEMORY | COMMAND_MASTER);
}

/* ---- interrupts
 * ---------------------------------------------------------------------------------- */

bool pci_enable_msix(const struct pci_device *device, unsigned entry, irq_handler_fn handler,
		     void *context)
{
	uint8_t cap = pci_find_capability(device, CAP_MSIX, 0);
	uint64_t bar_bytes, offset;
	volatile uint8_t *table;
	struct msi_message message;
	uint16_t control;
	uint32_t place;

	if (cap == 0)
		return false;
	control = pci_read16(device, (uint8_t)(cap + 2));
	place = pci_read32(device, (uint8_t)(cap + 4));
	table = pci_map_bar(device, place & 7, &bar_bytes);
	offset = (place & ~7u) + (uint64_t)entry * MSIX_ENTRY_BYTES;
	if (entry > (control & 0x7ffu) || table == NULL || offset + MSIX_ENTRY_BYTES > bar_bytes ||
	    !irq_request_msi(handler, context, &message))
		return false;
	pci_write16(device, (uint8_t)(cap + 2), control | MSIX_ENABLE | MSIX_MASK_ALL);
	mmio_write32(table + offset, (uint32_t)message.address);
	mmio_write32(table + offset + 4, (uint32_t)(message.address >> 32));
	mmio_write32(table + offset + 8, message.data);
	mmio_write32(table + offset + 12, 0);
	pci_write16(device, REG_COMMAND, pci_read16(device, REG_COMMAND) | COMMAND_NO_INTX);
	pci_write16(device, (uint8_t)(cap + 2), (control | MSIX_ENABLE) & (uint16_t)~MSIX_MASK_ALL);
	return true;
}

bool pci_enable_intx(const struct pci_device *device, irq_handler_fn handler, void *context)
{
	uint8_t line = pci_read8(device, REG_INTERRUPT_LINE);
	uint16_t command = pci_read16(device, REG_COMMAND);

	if (pci_read8(device, REG_INTERRUPT_PIN) == 0 || line == 0 || line == 0xff ||
	    !irq_request_pci(line, handler, context))
		return false;
	pci_write16(device, REG_COMMAND, command & (uint16_t)~COMMAND_NO_INTX);
	return true;
}
