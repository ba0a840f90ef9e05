/*
 * Interrupts of devices: ISA lines, PCI lines and message-signalled ones, over local APIC and
 * IOAPIC, or over the two 8259s where the machine has no APICs.
 *
 * A handler runs with interrupts off on the CPU that the interrupt was sent to; the EOI is sent for
 * it, then thread_preempt_point() is called. It must not sleep.
 */
#ifndef KERNEL_IRQ_H
#define KERNEL_IRQ_H

#include <stdbool.h>
#include <stdint.h>

typedef void (*irq_handler_fn)(void *context);

/* Finds the controllers (ACPI MADT) and masks every line. After paging_init(), before any
 * irq_request(). Interrupts stay off. */
void irq_init(void);

/*
 * Attaches a handler to ISA line 0..15 (COM1 4, COM2 3; source overrides of the MADT are followed)
 * and unmasks it. False, said in the log: no such line, taken, or no vector free. The timer's line
 * 0 belongs to the clock. Not from interrupts.
 */
bool irq_request(unsigned line, irq_handler_fn handler, void *context);
void irq_release(unsigned line);

/* The same for a PCI line, by the number in the device's interrupt-line register (a global system
 * interrupt): level-triggered, active low, may be shared by up to four handlers, each of which asks
 * its own device. */
bool irq_request_pci(unsigned gsi, irq_handler_fn handler, void *context);

/* What to write into an MSI or MSI-X entry. */
struct msi_message {
	uint64_t address;
	uint32_t data;
};
/* Takes a free vector for a message-signalled interrupt to this CPU. False: none free, or the
 * machine has no local APIC. */
bool irq_request_msi(irq_handler_fn handler, void *context, struct msi_message *message);

/* "x2APIC and IOAPIC", "xAPIC and IOAPIC", "8259". Never NULL. */
const char *irq_controller_name(void);

/* Interrupts that came on a vector nobody asked for. */
uint64_t irq_unexpected(void);

#endif
