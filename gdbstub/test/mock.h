/*
 * A machine small enough to be right by inspection: 64 KiB of RAM, two CPUs of which the first
 * executes a handful of x86_64 instructions with RFLAGS.TF, RFLAGS.IF, INT3, debug registers and
 * interrupts as the real ones have them, and three threads. It implements the stub's port.
 */
#ifndef GDBSTUB_TEST_MOCK_H
#define GDBSTUB_TEST_MOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gdbstub/gdbstub.h>

#define MOCK_BASE      UINT64_C(0x100000)
#define MOCK_BYTES     0x10000u
#define MOCK_PROTECTED (MOCK_BASE + 0x3000) /* 256 bytes: the stub's own path */
#define MOCK_DATA      (MOCK_BASE + 0x4000)
#define MOCK_STACK     (MOCK_BASE + 0x8000)
#define MOCK_NOISE     (MOCK_BASE + 0xa000)	    /* incompressible, up to +0xe000; zero behind */
#define MOCK_TOP       UINT64_C(0xfffffffffffffff0) /* the end of RAM once more, up to the last byte */
#define MOCK_PHYSICAL  UINT64_C(0x40000)	    /* physical address of MOCK_BASE */

enum mock_thread { MOCK_MAIN = 1, MOCK_IDLE = 2, MOCK_BLOCKED = 5 };

/* What no CPU has: an instruction after which the first CPU is in MOCK_BLOCKED, or in MOCK_MAIN
 * again, with the flags as they were. In a kernel it loads a stack pointer. */
#define MOCK_SWITCH 0xd6

struct mock {
	struct gdbstub stub;
	uint8_t ram[MOCK_BYTES];
	struct gdbstub_registers main, idle, blocked;
	bool switched; /* the first CPU is in MOCK_BLOCKED, and `blocked` are those of MOCK_MAIN */
	struct gdbstub_debug_registers debug;
	uint64_t dr6;

	/* the line: bytes by next_byte, or from `input` when that is NULL */
	int (*next_byte)(struct mock *mock, uint32_t wait_ms); /* as the port's function */
	void (*send)(struct mock *mock, const void *bytes, size_t len);
	void *line;
	const uint8_t *input;
	size_t input_len, input_at;
	uint8_t *output; /* all that was sent, malloc'd */
	size_t output_len, output_cap;
	unsigned writes; /* calls of gdbstub_port_write */

	/* A script's bytes reach a running machine only after this many instructions without a
	 * stop: a debugger waits for the stop reply before it goes on. */
#define MOCK_PATIENCE 20000u
	uint64_t run_start;
	bool abandoned;	     /* the script ended while the machine was stopped */
	bool quiet_end;	     /* a script that has ended is a silent line, not a lost one */
	uint64_t silence_ms; /* waited for in vain, by the stub's own limit */

	/* what happened */
	uint64_t instructions, interrupts, entries;
	unsigned interrupt_period; /* instructions between two; 0: none */
	bool interrupt_pending;
	bool hung;	/* HLT with interrupts off */
	bool delivered; /* a fault went to the target's own handler */
	bool ended, restarted;
	bool reject_registers; /* the port refuses every register write */
	bool complete_map;     /* regions are permanent */
	unsigned held;	       /* resumes that kept the other CPU still */
	unsigned alone;	       /* resumes without a debugger */
	const char *broken;    /* first words of gdbstub_check(), or NULL */
	uint64_t seen_rflags;  /* of the last instruction executed natively */
};

/* Fills RAM with the built-in program (or `code` at MOCK_BASE) and sets the registers. */
void mock_init(struct mock *mock, const uint8_t *code, size_t len);
void mock_free(struct mock *mock);

/* Runs up to `budget` instructions, feeding line bytes to the stub as a receive interrupt would.
 * False: the machine ended (killed, hung, its own fault handler), or the script did. */
bool mock_run(struct mock *mock, unsigned budget);

/* Stops the machine as if it had asked for it (a request before it started). */
void mock_stop(struct mock *mock, enum gdbstub_cause cause);

/* Addresses within the built-in program. */
extern const uint8_t mock_program[];
extern const size_t mock_program_len;

#endif
