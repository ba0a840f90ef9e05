/*
 * Memory access with a way out: each access has a line in the exception table (section .extable),
 * which tells trap_dispatch() where to go on when that very instruction faults.
 */
#include <kernel/patch_asm.h>

.macro on_fault from:req, to:req
	.pushsection .extable, "a"
	.long \from - .
	.long \to - .
	.popsection
.endm

	.text

/* size_t copy_with_recovery(void *dst, const void *src, size_t bytes): bytes not copied. */
	.globl copy_with_recovery
	.type copy_with_recovery, @function
copy_with_recovery:
	pushq	%rbp
	movq	%rsp, %rbp
	pushfq
	movq	%rdx, %rcx
	stac_where_smap
1:	rep movsb
2:	popfq                           /* puts AC back, too */
	movq	%rcx, %rax
	popq	%rbp
	ret
	.size copy_with_recovery, . - copy_with_recovery
	on_fault 1b, 2b

/* bool safe_read64(uintptr_t address, uint64_t *value) */
	.globl safe_read64
	.type safe_read64, @function
safe_read64:
	pushq	%rbp
	movq	%rsp, %rbp
	pushfq
	xorl	%eax, %eax
	stac_where_smap
1:	movq	(%rdi), %rdx
	movl	$1, %eax
	movq	%rdx, (%rsi)
2:	popfq
	popq	%rbp
	ret
	.size safe_read64, . - safe_read64
	on_fault 1b, 2b

/* void user_access_begin(void), user_access_end(void) */
	.globl user_access_begin
	.type user_access_begin, @function
user_access_begin:
	stac_where_smap
	ret
	.size user_access_begin, . - user_access_begin

	.globl user_access_end
	.type user_access_end, @function
user_access_end:
	clac_where_smap
	ret
	.size user_access_end, . - user_access_end

	.section .note.GNU-stack, "", @progbits
