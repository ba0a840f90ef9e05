/*
 * From the loader to kernel_main() in long mode.
 *
 * Both entries (PVH and Multiboot2) arrive in 32-bit protected mode without paging, with flat
 * segments and no stack. The code runs wherever the loader put it: every address is taken relative
 * to %ebp, the physical address of image_start. It builds the early tables (
 * identity and direct map of the first 4 GiB in 2 MiB leaves, and the image in the top 2 GiB),
 * turns long mode on, jumps up, and drops the identity map. Final rights come with paging_init().
 */
#include <kernel/boot_protocol.h>
#include <kernel/percpu_offsets.h>

#define PTE_P      0x001
#define PTE_W      0x002
#define PTE_PS     0x080
#define PTE_TABLE  (PTE_P | PTE_W)
#define PTE_LEAF   (PTE_P | PTE_W | PTE_PS)

#define CR0_PE     0x00000001
#define CR0_MP     0x00000002
#define CR0_NE     0x00000020
#define CR0_WP     0x00010000
#define CR0_PG     0x80000000
#define CR4_PAE    0x020
#define CR4_PGE    0x080
#define CR4_FXSR   0x200
#define CR4_XMM    0x400
#define MSR_EFER   0xc0000080
#define EFER_LME   0x100
#define EFER_NXE   0x800

/* Leaves that map the image: 16 MiB, the most vitrine.lds lets it be. */
#define IMAGE_LEAVES 8

/* The only descriptor of boot_gdt. */
#define BOOT_CS 8

#define BOOT_TABLES_BYTES (8 * 4096)

/* A symbol's offset in the image: what to add to %ebp. */
#define OFF(symbol) ((symbol) - IMAGE_VIRT)

	.section .boot.header, "a"
	.balign 8
multiboot2_header:
	.long MULTIBOOT2_HEADER_MAGIC
	.long 0
	.long multiboot2_header_end - multiboot2_header
	.long -(MULTIBOOT2_HEADER_MAGIC + (multiboot2_header_end - multiboot2_header))

	/* Load us at any 2 MiB from 16 MiB on, the lowest that is free. */
	.balign 8
	.short 10, 0
	.long 24
	.long 0x01000000, 0xfe000000, 0x00200000, 1

	.balign 8
	.short 0, 0
	.long 8
multiboot2_header_end:

	.section .note.Xen, "a", @note
	.balign 4
	.long 4
	.long 8
	.long 18                        /* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.quad pvh_entry_phys

	/* Where mm/'s structures are, for readers of memory: <mm/root.h>. */
	.section .note.Vitrine, "a", @note
	.balign 4
	.long 8
	.long 32
	.long 1                         /* MM_ROOT_NOTE */
	.asciz "Vitrine"
	.quad mm_root, image_start, image_end, ksyms_start

	.section .boot.text, "ax"
	.code32

/* Where am I? A call needs a stack; the one word we know to be ours to borrow is in the loader's
 * structure at (%ebx) + 4, which is put back. */
.macro find_image
	movl	4(%ebx), %edi
	leal	8(%ebx), %esp
	call	1f
1:	popl	%ebp
	movl	%edi, 4(%ebx)
	subl	$OFF(1b), %ebp
.endm

	.globl pvh_entry
pvh_entry:
	cli
	cld
	find_image
	movl	$BOOT_PROTOCOL_PVH, %esi
	jmp	start32

	.globl multiboot2_entry
multiboot2_entry:
	cli
	cld
	movl	%eax, %ecx
	find_image
	movl	$BOOT_PROTOCOL_MULTIBOOT2, %esi
	cmpl	$MULTIBOOT2_LOADER_MAGIC, %ecx
	je	start32
	movl	$BOOT_PROTOCOL_UNKNOWN, %esi

/* %ebp image, %ebx loader's information, %esi protocol. */
start32:
	leal	OFF(boot_stacks) + GUARD_BYTES + KSTACK_BYTES(%ebp), %esp
	movl	%esi, OFF(boot_handoff) + HANDOFF_PROTOCOL(%ebp)
	movl	%ebx, OFF(boot_handoff) + HANDOFF_INFO(%ebp)
	movl	%ebp, OFF(boot_handoff) + HANDOFF_IMAGE(%ebp)
	rdtsc
	movl	%eax, OFF(boot_handoff) + HANDOFF_TSC(%ebp)
	movl	%edx, OFF(boot_handoff) + HANDOFF_TSC + 4(%ebp)

	/* Long mode, or a reason on COM1. */
	movl	$0x80000000, %eax
	cpuid
	cmpl	$0x80000001, %eax
	jb	no_long_mode
	movl	$0x80000001, %eax
	cpuid
	btl	$29, %edx
	jnc	no_long_mode
	movl	%edx, %esi

	call	build_tables

	movl	$(CR4_PAE | CR4_FXSR | CR4_XMM), %eax
	movl	%eax, %cr4
	leal	OFF(boot_pml4)(%ebp), %eax
	movl	%eax, %cr3

	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$EFER_LME, %eax
	btl	$20, %esi               /* NX where the CPU has it */
	jnc	1f
	orl	$EFER_NXE, %eax
1:	wrmsr

	movl	$(CR0_PG | CR0_WP | CR0_NE | CR0_MP | CR0_PE), %eax
	movl	%eax, %cr0

	/* Still 32-bit code, now in compatibility mode: a far return to the 64-bit segment. */
	leal	OFF(boot_gdt)(%ebp), %eax
	movl	%eax, OFF(boot_gdt_pointer) + 2(%ebp)
	lgdt	OFF(boot_gdt_pointer)(%ebp)
	pushl	$BOOT_CS
	leal	OFF(start64)(%ebp), %eax
	pushl	%eax
	lretl

/* %ebp image; uses eax, ecx, edx, edi. */
build_tables:
	leal	OFF(boot_tables)(%ebp), %edi
	xorl	%eax, %eax
	movl	$(BOOT_TABLES_BYTES / 4), %ecx
	rep stosl

	/* PML4: identity and direct map share one PDPT; the image has its own. */
	leal	OFF(boot_pdpt_low) + PTE_TABLE(%ebp), %eax
	movl	%eax, OFF(boot_pml4)(%ebp)
	movl	%eax, OFF(boot_pml4) + 256 * 8(%ebp)
	leal	OFF(boot_pdpt_image) + PTE_TABLE(%ebp), %eax
	movl	%eax, OFF(boot_pml4) + 511 * 8(%ebp)
	leal	OFF(boot_pd_image) + PTE_TABLE(%ebp), %eax
	movl	%eax, OFF(boot_pdpt_image) + 510 * 8(%ebp)

	leal	OFF(boot_pd_low) + PTE_TABLE(%ebp), %eax
	leal	OFF(boot_pdpt_low)(%ebp), %edi
	movl	$4, %ecx
1:	movl	%eax, (%edi)
	addl	$4096, %eax
	addl	$8, %edi
	loop	1b

	leal	OFF(boot_pd_low)(%ebp), %edi
	movl	$PTE_LEAF, %eax
	movl	$2048, %ecx
1:	movl	%eax, (%edi)
	addl	$0x200000, %eax
	addl	$8, %edi
	loop	1b

	leal	OFF(boot_pd_image)(%ebp), %edi
	leal	PTE_LEAF(%ebp), %eax
	movl	$IMAGE_LEAVES, %ecx
1:	movl	%eax, (%edi)
	addl	$0x200000, %eax
	addl	$8, %edi
	loop	1b
	ret

no_long_mode:
	leal	OFF(no_long_mode_text)(%ebp), %esi
	movw	$0x3f8, %dx
1:	movb	(%esi), %al
	testb	%al, %al
	jz	2f
	outb	%al, %dx
	incl	%esi
	jmp	1b
2:	movw	$DEBUG_EXIT_PORT, %dx
	movl	$DEBUG_EXIT_FAILURE, %eax
	outl	%eax, %dx
3:	hlt
	jmp	3b

	.code64
start64:
	movq	$start_high, %rax
	jmp	*%rax

start_high:
	xorl	%eax, %eax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movw	%ax, %fs
	movw	%ax, %gs
	movq	$boot_stacks + GUARD_BYTES + KSTACK_BYTES, %rsp

	/* No identity map from here on. */
	movq	%rax, boot_pml4(%rip)
	movq	%cr3, %rax
	movq	%rax, %cr3
	lgdt	boot_gdt_pointer_high(%rip)

	/* The stack protector reads %gs:40 in the first C function: give this CPU its area. */
	movq	$boot_percpu, %rax
	movq	%rax, PERCPU_SELF(%rax)
	movq	%rax, %rdx
	shrq	$32, %rdx
	movl	$0xc0000101, %ecx       /* MSR_GS_BASE */
	wrmsr
	rdtsc
	shlq	$32, %rdx
	orq	%rdx, %rax
	movabsq	$0x9e3779b97f4a7c15, %rdx
	imulq	%rdx, %rax
	movb	$0, %al                 /* a zero byte stops string overruns */
	movq	%rax, %gs:PERCPU_CANARY

	xorl	%ebp, %ebp              /* the end of every backtrace */
	.cfi_sections .debug_frame
	.cfi_startproc
	.cfi_undefined rip
	call	kernel_main
	.cfi_endproc
1:	cli
	hlt
	jmp	1b

	.section .rodata
no_long_mode_text:
	.asciz "vitrine: this CPU has no long mode (64-bit); it needs one that does\r\n"

	.balign 8
boot_gdt_pointer_high:
	.short boot_gdt_end - boot_gdt - 1
	.quad boot_gdt

	.data
	.balign 8
boot_gdt:
	.quad 0
	.quad 0x00af9b000000ffff        /* 64-bit code */
boot_gdt_end:
	.balign 4
	.short 0
boot_gdt_pointer:
	.short boot_gdt_end - boot_gdt - 1
	.long 0

	.globl boot_handoff
	.balign 8
boot_handoff:
	.fill HANDOFF_BYTES, 1, 0

	.bss
	.balign 4096
boot_tables:
	.globl boot_pml4
boot_pml4:       .skip 4096
boot_pdpt_low:   .skip 4096
boot_pd_low:     .skip 4 * 4096
boot_pdpt_image: .skip 4096
boot_pd_image:   .skip 4096

	.section .note.GNU-stack, "", @progbits
