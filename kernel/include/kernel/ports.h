/*
 * Where the portable units join the kernel: one kernel/port_UNIT.c each, which implements the
 * unit's port.h and brings the unit up.
 */
#ifndef KERNEL_PORTS_H
#define KERNEL_PORTS_H

/*
 * Hands all memory to mm/: the map of boot_info as it is now, the live page tables, and from then
 * on every later mapping and kernel stack. Ends early_alloc(). After paging_init() and
 * params_init(), once, on the boot CPU with interrupts off. Panics with the reason when mm/
 * refuses: there is no running without memory.
 */
void port_mm_init(void);

/* Logs what mm/ made of the memory map. */
void port_mm_report(void);

#endif
