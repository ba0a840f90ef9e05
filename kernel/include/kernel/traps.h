/*
 * Traps: everything that interrupts the stream of instructions, faults and interrupts alike.
 *
 * Order in which a trap of the CPU's own (vector below 32) is offered around:
 *   1. the exception table: a fault inside safe_read() and its like becomes their error;
 *   2. an open trap_try() on this CPU;
 *   3. the debugger hook;
 *   4. the handler registered for the vector;
 *   5. panic, with the cause in words.
 * Interrupts (vectors 32..255) go to the handler registered for the vector, nowhere else, but for
 * trap_request_debugger().
 */
#ifndef KERNEL_TRAPS_H
#define KERNEL_TRAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRAP_DIVIDE	     0
#define TRAP_DEBUG	     1
#define TRAP_NMI	     2
#define TRAP_BREAKPOINT	     3
#define TRAP_OVERFLOW	     4
#define TRAP_BOUND	     5
#define TRAP_INVALID_OPCODE  6
#define TRAP_NO_DEVICE	     7
#define TRAP_DOUBLE_FAULT    8
#define TRAP_INVALID_TSS     10
#define TRAP_SEGMENT_MISSING 11
#define TRAP_STACK_SEGMENT   12
#define TRAP_PROTECTION	     13
#define TRAP_PAGE_FAULT	     14
#define TRAP_FLOATING_POINT  16
#define TRAP_ALIGNMENT	     17
#define TRAP_MACHINE_CHECK   18
#define TRAP_SIMD	     19
#define TRAP_VECTORS	     256
#define TRAP_FIRST_INTERRUPT 32
#define TRAP_SPURIOUS	     255

/* Bits of a page fault's error code. */
#define PF_PRESENT  0x01u /* the page is there, its rights forbid the access */
#define PF_WRITE    0x02u
#define PF_USER	    0x04u
#define PF_RESERVED 0x08u /* a reserved bit is set in an entry */
#define PF_FETCH    0x10u

/* The interrupted state, as the entry code lays it on the stack. Changing it changes what is
 * returned to. */
struct trap_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
	uint64_t rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t cr2;	 /* of a page fault; 0 otherwise */
	uint64_t vector; /* 0..255 */
	uint64_t error;	 /* the CPU's error code; 0 where it gives none */
	uint64_t rip, cs, rflags, rsp, ss;
};

static inline bool trap_from_user(const struct trap_frame *frame)
{
	return (frame->cs & 3) != 0;
}

/* GDT, TSS and IDT of this CPU, with all 256 vectors. Once per CPU, first thing. */
void traps_init(void);

/*
 * A handler runs with interrupts off, on the interrupted stack (double fault, NMI and machine check
 * have their own). True: dealt with, return to the frame. False (faults only): not mine, panic.
 */
typedef bool (*trap_handler_fn)(struct trap_frame *frame);

/* Sets the handler of a vector, on all CPUs; NULL removes it. Returns the one before. Any context.
 */
trap_handler_fn trap_set_handler(unsigned vector, trap_handler_fn handler);

/*
 * The debugger: sees int3, #DB, NMI and every fault that is nobody's expected one, before the
 * registered handlers. Same rules. One hook; NULL removes it. Returns the one before. Any context.
 */
trap_handler_fn trap_set_debugger(trap_handler_fn hook);

/*
 * The hook shall see the interrupted code at the end of the interrupt that is being handled, or of
 * the next one: with that interrupt's frame (a vector from 32 on), behind its handler and its EOI.
 * For a debugger whose line's bytes arrive in an interrupt. Any context.
 */
void trap_request_debugger(void);

/*
 * Calls fn(argument) and survives the faults it makes: true when fn returned, false when it
 * trapped, with the interrupted state in *report (may be NULL). Locks that fn took stay taken and
 * its stack frames are gone without unwinding: for tests and probes of a few lines. Preemption must
 * be off; nests. NMI and machine check are not caught.
 */
bool trap_try(void (*fn)(void *argument), void *argument, struct trap_frame *report);

/* True while this CPU handles an interrupt (not a fault). Any context. */
bool in_interrupt(void);

/* "page fault", "general protection", ...; "interrupt" from 32 on. Never NULL. */
const char *trap_name(uint64_t vector);

/* The cause of a trap in words, one or two sentences, into buf. Returns buf. Any context. */
#define TRAP_EXPLAIN_MAX 384
const char *trap_explain(const struct trap_frame *frame, char *buf, size_t size);

/* Where the lines of a dump go. */
typedef void (*line_fn)(const char *line, void *context);

/* All registers of a frame, with control registers, a handful of lines. Any context. */
void trap_dump_registers(const struct trap_frame *frame, line_fn line, void *context);

/*
 * One step of a walk by frame pointers. Start with cursor.rip and .rbp of a frame (or
 * backtrace_here()); each call yields one code address. False at the end or where the chain leaves
 * readable stack. Never faults. `trap` is the frame of a trap that the walk just crossed, or NULL.
 */
struct backtrace {
	uint64_t rip, rbp;
	const struct trap_frame *trap;
	uint64_t leaf_caller; /* of a function that was interrupted before it made a frame, or 0 */
	unsigned steps;
	bool end;
};
#define BACKTRACE_MAX 64
void backtrace_from_frame(struct backtrace *walk, const struct trap_frame *frame);
void backtrace_from(struct backtrace *walk, uint64_t rip, uint64_t rbp);
bool backtrace_next(struct backtrace *walk, uint64_t *rip);

/* The symbolised backtrace, a line each. `frame` NULL: of the caller. Any context. */
void backtrace_dump(const struct trap_frame *frame, line_fn line, void *context);

#endif
