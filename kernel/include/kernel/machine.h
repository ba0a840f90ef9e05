/*
 * The machine as a whole. Its ends (exit, reboot, poweroff) are declared in <kernel/panic.h>.
 */
#ifndef KERNEL_MACHINE_H
#define KERNEL_MACHINE_H

/* Learns from ACPI how to reset and switch off. After acpi_init(). */
void machine_init(void);

#endif
