/*
 * Sites of instructions that exist only on some CPUs: see <kernel/patch.h>. Assembly only.
 */
#ifndef KERNEL_PATCH_ASM_H
#define KERNEL_PATCH_ASM_H

#ifdef __ASSEMBLY__

/* clang-format off */
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
/* clang-format on */

#endif
#endif
