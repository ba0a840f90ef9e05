/*
 * Interrupt controllers. Private to kernel/x86.
 */
#ifndef KERNEL_X86_APIC_H
#define KERNEL_X86_APIC_H

#include <stdbool.h>
#include <stdint.h>

/* Vectors. 32..47 are the ISA lines in both kinds of controller. */
#define VECTOR_ISA	  32
#define VECTOR_DYNAMIC	  48 /* PCI lines and MSI: up to, not including, VECTOR_TIMER */
#define VECTOR_TIMER	  0xec
#define VECTOR_APIC_ERROR 0xfe

/* ---- local APIC ---- */
#define LAPIC_ID	    0x020
#define LAPIC_VERSION	    0x030
#define LAPIC_TPR	    0x080
#define LAPIC_EOI	    0x0b0
#define LAPIC_SPURIOUS	    0x0f0
#define LAPIC_ERROR	    0x280
#define LAPIC_COMMAND_LOW   0x300
#define LAPIC_COMMAND_HIGH  0x310
#define LAPIC_LVT_TIMER	    0x320
#define LAPIC_LVT_LINT0	    0x350
#define LAPIC_LVT_LINT1	    0x360
#define LAPIC_LVT_ERROR	    0x370
#define LAPIC_TIMER_INITIAL 0x380
#define LAPIC_TIMER_CURRENT 0x390
#define LAPIC_TIMER_DIVIDE  0x3e0

#define LVT_MASKED   0x10000u
#define LVT_PERIODIC 0x20000u
#define LVT_NMI	     0x00400u

/* Switches the local APIC of this CPU on, as x2APIC where that is offered. False: there is none.
 * `address`: where the MADT puts its registers; 0: ask the CPU. */
bool lapic_init(uint64_t address);
bool lapic_present(void);
bool lapic_is_x2apic(void);
uint32_t lapic_read(uint32_t reg);
void lapic_write(uint32_t reg, uint32_t value);
uint32_t lapic_id(void);
void lapic_eoi(void);
/* Sends a non-maskable interrupt to a CPU, this one included. */
void lapic_send_nmi(uint32_t apic_id);

/* ---- IOAPIC ---- */
struct acpi_ioapic;
/* Takes over one IOAPIC and masks all its lines. */
bool ioapic_add(const struct acpi_ioapic *ioapic);
/* Points a global system interrupt at a vector on the CPU with this APIC id, unmasked. False: no
 * IOAPIC has that line. */
bool ioapic_route(uint32_t gsi, uint8_t vector, uint32_t apic_id, bool active_low, bool level);
void ioapic_mask(uint32_t gsi);

/* ---- the two 8259s ---- */
/* Moves them to VECTOR_ISA and masks everything. */
void pic_init(void);
void pic_unmask(unsigned line);
void pic_mask(unsigned line);
/* Answers an interrupt on a line. False: it was spurious and has no handler to run. */
bool pic_eoi(unsigned line);

/* ---- the 8254 ---- */
#define PIT_HZ 1193182u
/* Starts counter 2 (the speaker's, gate open, output off) to count `ticks` down once. */
void pit_start_countdown(uint16_t ticks);
/* True once it reached 0. */
bool pit_countdown_done(void);
/* One interrupt on ISA line 0 after 1..65535 ticks; or one every `ticks`; or none any more. */
void pit_arm(uint16_t ticks);
void pit_periodic(uint16_t ticks);
void pit_stop(void);

/* Runs a registered interrupt for the clock, which owns its vector. */
typedef void (*irq_handler_fn)(void *context);
bool irq_request_timer(irq_handler_fn handler, void *context, bool lapic);

#endif
