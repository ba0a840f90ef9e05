/* Switching stacks: the contract is in <kernel/switch.h>. */

	.text

	.globl context_switch
	.type context_switch, @function
context_switch:
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, (%rdi)
	movq	%rsi, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	ret
	.size context_switch, . - context_switch

/* The first thing a new thread executes: context_prepare() left entry in %rbx, argument in %r12.
 * Debuggers learn that nobody called it: backtraces end here. */
	.globl context_start
	.type context_start, @function
	.cfi_sections .debug_frame
	.cfi_startproc
	.cfi_undefined rip
context_start:
	movq	%r12, %rdi
	xorl	%ebp, %ebp
	call	*%rbx
	ud2
	.cfi_endproc
	.size context_start, . - context_start

	.section .note.GNU-stack, "", @progbits
