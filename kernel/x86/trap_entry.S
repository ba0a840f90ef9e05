/*
 * Where every trap enters: 256 stubs of 16 bytes, which bring the stack to the shape of struct
 * trap_frame, and two ways on to trap_dispatch().
 *
 * The common way knows from the saved %cs whether %gs must be swapped. A double fault, NMI or
 * machine check may hit before that was done, so their way looks at the %gs base itself: the
 * kernel's is a negative number, ring 3 can only load positive ones.
 */
#include <kernel/patch_asm.h>
#include <kernel/trap_offsets.h>

	.section .text.entry, "ax"

	.balign 16
	.globl trap_stubs
trap_stubs:
	vector = 0
	.rept 256
	.balign 16
	/* The CPU pushes an error code for 8, 10-14, 17, 21, 29 and 30. */
	.if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30)
	pushq	$0
	.endif
	pushq	$vector
	.if vector == 2 || vector == 8 || vector == 18
	jmp	trap_any_gs
	.else
	jmp	trap_common
	.endif
	vector = vector + 1
	.endr

.macro save_registers
	pushq	$0                      /* cr2 */
	pushq	%rax
	pushq	%rbx
	pushq	%rcx
	pushq	%rdx
	pushq	%rsi
	pushq	%rdi
	pushq	%rbp
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	cld
	clac_where_smap
.endm

.macro restore_and_return
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rbp
	popq	%rdi
	popq	%rsi
	popq	%rdx
	popq	%rcx
	popq	%rbx
	popq	%rax
	addq	$24, %rsp               /* cr2, vector, error */
	iretq
.endm

/*
 * What debuggers need to see the interrupted code as the caller of trap_dispatch: where the frame
 * that %rsp points at (and 8 bytes more) keeps each register. The canonical frame address is the
 * frame's end, and the interrupted %rsp one of the registers in it. (Not marked as a signal's frame:
 * GDB 13 then stops there.)
 */
	.cfi_sections .debug_frame
.macro call_trap_dispatch
	.cfi_startproc simple
	.cfi_def_cfa %rsp, 8 + FRAME_BYTES
	.set	slot, -FRAME_BYTES
	.irp	register, r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax
	.cfi_offset \register, slot
	.set	slot, slot + 8
	.endr
	.cfi_offset rip, FRAME_RIP - FRAME_BYTES
	.cfi_offset rsp, FRAME_RSP - FRAME_BYTES
	call	trap_dispatch
	.cfi_endproc
.endm

	.balign 16
trap_common:
	save_registers
	testb	$3, FRAME_CS(%rsp)
	jz	1f
	swapgs
1:	movq	%rsp, %rdi
	subq	$8, %rsp                /* keep the ABI's alignment */
	call_trap_dispatch
	.globl trap_return
trap_return:
	addq	$8, %rsp
	testb	$3, FRAME_CS(%rsp)
	jz	1f
	swapgs
1:	restore_and_return

	.balign 16
trap_any_gs:
	save_registers
	xorl	%ebx, %ebx
	movl	$0xc0000101, %ecx       /* MSR_GS_BASE */
	rdmsr
	testl	%edx, %edx
	js	1f
	swapgs
	incl	%ebx
1:	movq	%rsp, %rdi
	subq	$8, %rsp
	call_trap_dispatch
	.globl trap_return_any_gs
trap_return_any_gs:
	addq	$8, %rsp
	testl	%ebx, %ebx
	jz	1f
	swapgs
1:	restore_and_return
	.globl trap_entry_end
trap_entry_end:

	.text
/*
 * bool trap_try_call(void (*fn)(void *), void *argument, struct trap_try *try)
 * Notes where to come back to, calls fn. A trap returns to trap_try_landing with that stack.
 */
	.globl trap_try_call
	.type trap_try_call, @function
trap_try_call:
	pushq	%rbp
	movq	%rsp, %rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	subq	$8, %rsp
	movq	%rsp, TRY_RSP(%rdx)
	movq	%rdi, %rax
	movq	%rsi, %rdi
	call	*%rax
	movl	$1, %eax
	jmp	1f
	.globl trap_try_landing
trap_try_landing:
	xorl	%eax, %eax
1:	addq	$8, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	ret
	.size trap_try_call, . - trap_try_call

/*
 * void user_enter(uint64_t rip, uint64_t rsp, uint64_t argument, struct tss *tss)
 * Goes to ring 3 with interrupts on and all registers clear but %rdi, the argument. Traps arrive
 * below the caller's frame. Comes back only through trap_try().
 */
	.globl user_enter
	.type user_enter, @function
user_enter:
	movq	%rsp, TSS_RSP0(%rcx)
	pushq	$USER_DS
	pushq	%rsi
	pushq	$0x202
	pushq	$USER_CS
	pushq	%rdi
	movq	%rdx, %rdi
	xorl	%eax, %eax
	xorl	%ebx, %ebx
	xorl	%ecx, %ecx
	xorl	%edx, %edx
	xorl	%esi, %esi
	xorl	%ebp, %ebp
	xorl	%r8d, %r8d
	xorl	%r9d, %r9d
	xorl	%r10d, %r10d
	xorl	%r11d, %r11d
	xorl	%r12d, %r12d
	xorl	%r13d, %r13d
	xorl	%r14d, %r14d
	xorl	%r15d, %r15d
	swapgs
	iretq
	.size user_enter, . - user_enter

	.section .note.GNU-stack, "", @progbits
