# What GDB and LLDB debug on the mock machine: only instructions that it knows, one source line
# for the whole loop so that `next` has a range to step over.
	.text
	.globl _start, step_loop, work, counter, spin
	.type _start, @function
_start:
	mov $100, %rcx
step_loop:
	dec %rcx; jnz step_loop
	incq 0x104000
	pushf
	cli
	nop
	popf
	call work
	mov 0x104000, %rax
	jmp _start
	.size _start, . - _start

	.type work, @function
work:
	push %rbp
	mov %rsp, %rbp
	nop
	pop %rbp
	ret
	.size work, . - work
