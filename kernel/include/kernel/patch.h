/*
 * Instructions that exist only on some CPUs: STAC and CLAC are no-ops in the file and are written
 * over them when SMAP is switched on. Assembly lays the sites down: <kernel/patch_asm.h>.
 */
#ifndef KERNEL_PATCH_H
#define KERNEL_PATCH_H

/* Writes the real instructions into all sites. Boot CPU, once, interrupts off. */
void patch_smap(void);

#endif
