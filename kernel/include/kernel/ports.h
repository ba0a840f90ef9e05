/*
 * Where the portable units join the kernel: one kernel/port_UNIT.c each, which implements the
 * unit's port.h and brings the unit up.
 */
#ifndef KERNEL_PORTS_H
#define KERNEL_PORTS_H

#include <stdbool.h>

struct insp;

/*
 * Hands all memory to mm/: the map of boot_info as it is now, the live page tables, and from then
 * on every later mapping and kernel stack. Ends early_alloc(). After paging_init() and
 * params_init(), once, on the boot CPU with interrupts off. Panics with the reason when mm/
 * refuses: there is no running without memory.
 */
void port_mm_init(void);

/* Logs what mm/ made of the memory map. */
void port_mm_report(void);

/*
 * With serial=mux: from now on console text is such that nobody takes it for a record or a packet.
 * After params_init(), before the inspector and the stub.
 */
void port_mux_init(void);

/*
 * Starts the inspector on COM2 (serial=mux: on COM1) and on the virtio port org.vitrine.inspect,
 * whichever are there, at the access level of inspect=. After threads, drivers and mm/. Thread
 * context, once.
 */
void port_inspect_init(void);

/* The running inspector, NULL when there is none: for the stub's `monitor`. */
struct insp *port_inspect_instance(void);

/*
 * Starts the GDB stub on COM3 (serial=mux: on COM1): from now on Ctrl-C, breakpoints and faults
 * reach a debugger. After uart_init_interrupts(). With gdbwait: stops in it.
 */
void port_gdbstub_init(void);

/* Enters the stub now, as a breakpoint would. False: there is no stub or nobody to talk to. */
bool port_gdbstub_break(void);

#endif
