/*
 * What the stub needs from the machine it debugs: twelve functions, supplied by whoever links it.
 *
 * Every function gets the `target` pointer that was given to gdbstub_init(). Unless noted, each is
 * called only from gdbstub_stopped(): interrupts off and every other CPU held still. None may
 * allocate, sleep, take a lock that stopped code may hold, or fault.
 */
#ifndef GDBSTUB_PORT_H
#define GDBSTUB_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gdbstub;

/* ---- the line ------------------------------------------------------------------------------- */

#define GDBSTUB_LINE_LOST   (-1)
#define GDBSTUB_LINE_SILENT (-2)
#define GDBSTUB_FOREVER	    UINT32_MAX

/*
 * Waits for the next byte from the debugger, at most `wait_ms` milliseconds by the target's clock
 * (0: not at all; GDBSTUB_FOREVER), and returns it (0..255). GDBSTUB_LINE_SILENT: none came in that
 * time. GDBSTUB_LINE_LOST: the line is known to be dead (carrier gone, the socket closed); the stub
 * then takes every breakpoint out and lets the target run. May serve other lines of the machine
 * while it waits.
 */
int gdbstub_port_read_byte(void *target, uint32_t wait_ms);

/*
 * Sends `len_bytes` bytes and returns when the line took them all, or drops them when the line is
 * dead. The stub hands over whole packets, so a burst-wise line is used to the full. The only port
 * function that gdbstub_rx_byte() calls too (one byte, from the receive interrupt).
 */
void gdbstub_port_write(void *target, const void *bytes, size_t len_bytes);

/* ---- threads and their registers --------------------------------------------------------------
 */

#define GDBSTUB_THREAD_NAME_MAX 32

struct gdbstub_thread {
	uint64_t id;  /* above 0, stable for the thread's life */
	int32_t cpu;  /* CPU the thread runs on or belongs to; below 0: none */
	bool running; /* was running on that CPU when the target stopped */
	char name[GDBSTUB_THREAD_NAME_MAX];  /* always terminated; printable ASCII */
	char state[GDBSTUB_THREAD_NAME_MAX]; /* in words, e.g. "ready"; may be empty */
};

/*
 * Fills in the thread with the smallest id above `after_id`. False: there is none. Asking for
 * id - 1 and comparing tells whether a thread exists. At least the stopped thread must be listed.
 */
bool gdbstub_port_next_thread(void *target, uint64_t after_id, struct gdbstub_thread *thread);

/* General registers by the number that the instruction set gives them. */
enum gdbstub_gpr {
	GDBSTUB_RAX,
	GDBSTUB_RCX,
	GDBSTUB_RDX,
	GDBSTUB_RBX,
	GDBSTUB_RSP,
	GDBSTUB_RBP,
	GDBSTUB_RSI,
	GDBSTUB_RDI,
	GDBSTUB_R8,
	GDBSTUB_R9,
	GDBSTUB_R10,
	GDBSTUB_R11,
	GDBSTUB_R12,
	GDBSTUB_R13,
	GDBSTUB_R14,
	GDBSTUB_R15,
	GDBSTUB_GPRS
};
enum gdbstub_segment {
	GDBSTUB_CS,
	GDBSTUB_SS,
	GDBSTUB_DS,
	GDBSTUB_ES,
	GDBSTUB_FS,
	GDBSTUB_GS,
	GDBSTUB_SEGMENTS
};
enum gdbstub_control {
	GDBSTUB_CR0,
	GDBSTUB_CR2,
	GDBSTUB_CR3,
	GDBSTUB_CR4,
	GDBSTUB_CR8,
	GDBSTUB_EFER,
	GDBSTUB_CONTROLS
};

/* Groups of registers that are known beside the general ones. */
#define GDBSTUB_HAS_RFLAGS   (1u << 0)
#define GDBSTUB_HAS_SEGMENTS (1u << 1)
#define GDBSTUB_HAS_BASES    (1u << 2)
#define GDBSTUB_HAS_CONTROLS (1u << 3)
#define GDBSTUB_HAS_FXSAVE   (1u << 4)
#define GDBSTUB_HAS_ALL	     0x1fu

struct gdbstub_registers {
	uint64_t gpr[GDBSTUB_GPRS];
	uint64_t rip, rflags;
	uint16_t segment[GDBSTUB_SEGMENTS];
	uint64_t fs_base, gs_base;
	uint64_t control[GDBSTUB_CONTROLS];
	uint8_t fxsave[512]; /* as the FXSAVE64 instruction stores it */
	uint32_t gprs_known; /* bit n: gpr[n] is known. rip is always known */
	uint32_t groups;     /* GDBSTUB_HAS_* */
};

/*
 * Reads all registers of a thread. What is not known of a thread that is not running (its switch
 * saved only part) is left out of gprs_known and groups, and the debugger shows it as unavailable.
 * False: no such thread.
 */
bool gdbstub_port_read_registers(void *target, uint64_t thread_id, struct gdbstub_registers *regs);

/*
 * Makes `regs` the state that the thread goes on with. Groups that are not marked keep their value.
 * False, and nothing changed: no such thread, or a value that the CPU would refuse (a reserved bit
 * of a control register, a bad selector, a non-canonical rip).
 */
bool gdbstub_port_write_registers(void *target, uint64_t thread_id,
				  const struct gdbstub_registers *regs);

/* ---- memory --------------------------------------------------------------------------------- */

enum gdbstub_space {
	GDBSTUB_VIRTUAL, /* as the stopped CPU sees it */
	GDBSTUB_PHYSICAL
};

/*
 * Copies memory and returns how many bytes, from the first on, could be copied: fewer than
 * `len_bytes` when an address is not mapped, not canonical or not RAM. Never faults, whatever the
 * address. Reading must have no side effect: device registers count as unreadable. The range does
 * not wrap.
 */
size_t gdbstub_port_read_memory(void *target, enum gdbstub_space space, uint64_t address, void *out,
				size_t len_bytes);
/*
 * The same for writing. Read-only mappings are written too (breakpoints lie in code); what was
 * written is seen by instruction fetch on every CPU when the target resumes.
 */
size_t gdbstub_port_write_memory(void *target, enum gdbstub_space space, uint64_t address,
				 const void *bytes, size_t len_bytes);

struct gdbstub_region {
	uint64_t start, last; /* inclusive */
	bool mapped, readable, writable, executable;
	bool permanent;			    /* will be so as long as the target exists */
	char name[GDBSTUB_THREAD_NAME_MAX]; /* may be empty */
};
/*
 * Describes the largest run of equal rights that contains `address`; an unmapped gap is a region
 * too. False: this target cannot tell. A memory map (`qXfer:memory-map`) is offered only when every
 * region from 0 to the last address is permanent: GDB asks once and then trusts it.
 */
bool gdbstub_port_region(void *target, uint64_t address, struct gdbstub_region *region);

/*
 * True when a breakpoint or watchpoint on this range would hit the stub's own path: trap entry, the
 * stub, the driver of its line, the code behind this port.
 */
bool gdbstub_port_is_protected(void *target, uint64_t address, uint64_t len_bytes);

/* ---- control -------------------------------------------------------------------------------- */

struct gdbstub_debug_registers {
	uint64_t address[4]; /* DR0..DR3 */
	uint64_t dr7;
};
/*
 * Loads the debug registers of every CPU (the others before they resume). Called with dr7 0 when
 * the target stops and with what is set when it resumes.
 */
void gdbstub_port_set_debug_registers(void *target, const struct gdbstub_debug_registers *regs);

/*
 * Runs a `monitor` command that the stub does not know itself. `command` is what the user typed,
 * terminated. Output goes through gdbstub_print(stub, ...). False: the command failed (what went
 * wrong was printed). The stub's own `help` calls this with "help" to list the target's commands.
 */
bool gdbstub_port_monitor(void *target, struct gdbstub *stub, const char *command);

enum gdbstub_end { GDBSTUB_KILL, GDBSTUB_RESTART };
/*
 * Ends the target: powers it off (KILL) or starts it again (RESTART), as it is configured. May
 * return when that is not possible; the target then stays stopped.
 */
void gdbstub_port_end(void *target, enum gdbstub_end how);

#endif
