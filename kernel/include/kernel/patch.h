/*
 * Instructions that exist only on some CPUs: STAC and CLAC are no-ops in the file and are written
 * over them when SMAP is switched on.
 */
#ifndef KERNEL_PATCH_H
#define KERNEL_PATCH_H

#ifndef __ASSEMBLY__

/* Writes the real instructions into all sites. Boot CPU, once, interrupts off. */
void patch_smap(void);

#else

.macro patch_site opcode:req
771:	.byte 0x0f, 0x1f, 0x00          /* nopl (%rax), three bytes */
	.pushsection .patches, "a"
	.long 771b - .
	.long \opcode
	.popsection
.endm

.macro clac_where_smap
	patch_site 0xca010f
.endm

.macro stac_where_smap
	patch_site 0xcb010f
.endm

#endif
#endif
