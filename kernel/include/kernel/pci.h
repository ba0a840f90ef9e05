/*
 * PCI by configuration mechanism 1 (ports 0xcf8/0xcfc): finds devices, maps their BARs, wires
 * their interrupts (MSI-X where there is one). Everything a device says is checked.
 */
#ifndef KERNEL_PCI_H
#define KERNEL_PCI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PCI_DEVICES_MAX 64u
#define PCI_BARS	6u

struct pci_device {
	uint8_t bus, slot, function;
	uint16_t vendor, device;
	uint16_t subsystem;
	uint8_t class_code, subclass, interface;
	uint8_t header_type;
};

/* Walks all buses. Call once. Returns how many functions were found (and kept, see _MAX). */
size_t pci_init(void);
/* Device `index` in the order found; NULL behind the last. */
const struct pci_device *pci_get(size_t index);
/* The first device with these ids at or after *index, which moves behind it; NULL: no more. */
const struct pci_device *pci_find(uint16_t vendor, uint16_t device, size_t *index);

uint8_t pci_read8(const struct pci_device *device, uint8_t offset);
uint16_t pci_read16(const struct pci_device *device, uint8_t offset);
uint32_t pci_read32(const struct pci_device *device, uint8_t offset);
void pci_write8(const struct pci_device *device, uint8_t offset, uint8_t value);
void pci_write16(const struct pci_device *device, uint8_t offset, uint16_t value);
void pci_write32(const struct pci_device *device, uint8_t offset, uint32_t value);

/* Offset of the next capability `id` behind `after` (0: the first), 0 when there is none. A list
 * that runs in a circle ends. */
uint8_t pci_find_capability(const struct pci_device *device, uint8_t id, uint8_t after);

/* A BAR as the device decodes it. */
struct pci_bar {
	uint64_t address; /* physical, or the I/O port */
	uint64_t bytes;	  /* 0: not implemented */
	bool io;
	bool wide; /* 64 bits: takes the next BAR too */
};
bool pci_get_bar(const struct pci_device *device, unsigned bar, struct pci_bar *out);
/* Maps a memory BAR uncached into the device window; NULL when that is not possible. */
volatile void *pci_map_bar(const struct pci_device *device, unsigned bar, uint64_t *bytes);

/* Turns on memory decoding and bus mastering. */
void pci_enable(const struct pci_device *device);
/*
 * Points MSI-X entry `entry` at a handler on this CPU. False: no MSI-X, or no vector free. The
 * handler runs in interrupt context; the EOI is sent for it.
 */
bool pci_enable_msix(const struct pci_device *device, unsigned entry,
		     void (*handler)(void *context), void *context);
/* Wires the device's interrupt pin, as firmware routed it. The line is shared: the handler asks
 * its device first. False: no pin, no route, or no vector free. */
bool pci_enable_intx(const struct pci_device *device, void (*handler)(void *context),
		     void *context);

#endif
