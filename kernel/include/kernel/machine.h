/*
 * The machine as a whole. Its ends (exit, reboot, poweroff) are declared in <kernel/panic.h>.
 */
#ifndef KERNEL_MACHINE_H
#define KERNEL_MACHINE_H

#include <stdint.h>

/* Learns from ACPI how to reset and switch off. After acpi_init(). */
void machine_init(void);

/* The port of ACPI's PM timer; 0: none, or not known yet. */
uint16_t machine_timer_port(void);

#endif
