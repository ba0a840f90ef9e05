/*
 * A stub for the GDB Remote Serial Protocol on x86_64: lets GDB and LLDB debug the code that it is
 * linked into. It knows the protocol and the instruction set; all else comes through port.h.
 *
 * Life of a session. While the target runs, its receive interrupt feeds bytes to
 * gdbstub_rx_byte(). When that returns true, and at each debug trap, breakpoint, fault or panic,
 * the target holds its CPUs still and calls gdbstub_stopped(), which talks to the debugger until
 * that lets the target go on. Breakpoints are in memory and in the debug registers only while the
 * target runs: stopped memory is always the program's own, and a debugger that detaches, dies or
 * loses its cable leaves nothing behind.
 *
 * A debugger that is gone. Few lines tell: a serial line without modem lines and QEMU's sockets do
 * not. But every debugger that reads a stop reply sends something at once, if only an
 * acknowledgement. So when a stop reply stays without any answer, nobody is there: the target goes
 * on without breakpoints, unattached. The session is kept: a debugger that was only slow goes on in
 * it and has its breakpoints back at its next resume; a new one begins a new one. Once it has
 * answered, a debugger may take as long as it likes.
 *
 * One instance serves one line. No function may be called for one instance from two CPUs at once;
 * the target's stop protocol sees to that.
 */
#ifndef GDBSTUB_GDBSTUB_H
#define GDBSTUB_GDBSTUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gdbstub/port.h>

/* Largest packet, frame included, that is taken and announced: GDB reads 8 KiB at a time with it
 * and warns about anything larger. */
#define GDBSTUB_PACKET_BYTES	16384u
#define GDBSTUB_BREAKPOINTS_MAX 256u
#define GDBSTUB_WATCHPOINTS_MAX 4u    /* debug registers */
#define GDBSTUB_COMMAND_MAX	2048u /* of a `monitor` command, terminator included */

/* Why the target stopped. */
enum gdbstub_cause {
	GDBSTUB_CAUSE_REQUEST,	  /* gdbstub_rx_byte() said so, or the target chose to wait */
	GDBSTUB_CAUSE_DEBUG,	  /* #DB: `dr6` tells what */
	GDBSTUB_CAUSE_BREAKPOINT, /* #BP: rip is behind the INT3 */
	GDBSTUB_CAUSE_FAULT,	  /* any other exception: `vector` tells which */
	GDBSTUB_CAUSE_PANIC	  /* the target gave up by itself */
};

struct gdbstub_event {
	enum gdbstub_cause cause;
	uint64_t thread_id; /* the thread that was stopped, above 0 */
	uint64_t dr6;	    /* CAUSE_DEBUG: as the trap left it (the target clears DR6 after) */
	uint8_t vector;	    /* CAUSE_FAULT */
	const char *text;   /* the cause in words for people; may be NULL; valid during the call */
};

/* How the target is to go on. */
struct gdbstub_resume {
	bool deliver; /* let the target's own handling of the fault happen (GDB passed the signal);
			 false: retry from the registers as they are */
	bool others_run; /* release the other CPUs too; false: only the stopped one, for a step */
	bool abandoned;	 /* the debugger is gone: the line is lost, or it left a stop unanswered */
};

enum gdbstub_line_state {
	GDBSTUB_LINE_IDLE,
	GDBSTUB_LINE_BODY,
	GDBSTUB_LINE_SUM_HIGH,
	GDBSTUB_LINE_SUM_LOW
};

struct gdbstub_watchpoint {
	uint64_t address;
	uint32_t len_bytes;
	uint8_t type;  /* the packet's digit: 1 execute, 2 write, 3 read, 4 access; 0 free */
	uint8_t slots; /* bit n: uses debug register n */
};

struct gdbstub_breakpoint {
	uint64_t address;
	uint8_t original; /* the byte under the INT3 while `inserted` */
	bool inserted;
};

/* What the step that is under way hides from the stepped code. */
struct gdbstub_step {
	bool active;
	bool masked;	      /* IF was cleared for the step and is owed back */
	bool flags_from_code; /* the instruction loads RFLAGS itself: keep what it loaded */
	bool unbroken;	      /* no interrupt can come between: the CPU's next trap is the step's */
	uint8_t pushed_bytes; /* the instruction pushes RFLAGS: so many bytes to put right */
	bool in_range;	      /* keep stepping while rip is in [range_start, range_end) */
	uint64_t thread_id;
	int32_t cpu; /* that the thread was on */
	uint64_t range_start, range_end;
	uint32_t steps; /* since the last one that let interrupts in */
};

/*
 * State of one stub. Its owner provides the memory (about 36 KiB, zero or not) and touches no
 * field; the layout is here only so that it can be placed without an allocator.
 */
struct gdbstub {
	void *target;
	uint32_t answer_ms; /* a stop reply without an answer for so long was read by nobody */

	/* the line */
	enum gdbstub_line_state line_state;
	bool packet_ready; /* rx holds a whole, checked packet of rx_len bytes */
	bool overlong;	   /* the packet does not fit; only its checksum is followed */
	uint8_t sum, sum_sent;
	size_t rx_len;
	size_t tx_len;	 /* reply under construction, then the frame for a retransmission */
	bool tx_overrun; /* the reply did not fit */
	bool tx_escapes; /* it holds escape pairs */

	/* the session */
	bool attached; /* a debugger has spoken since the last detach and was not lost */
	bool kept;     /* not attached, but the session is that of a debugger that was lost */
	bool no_ack;
	bool supported_seen;
	bool extended;
	bool physical_memory;
	bool binary_upload; /* the client asked for the `b` form of `x` */
	bool plain_x;	    /* LLDB's form of `x` */
	bool error_text;    /* E.text is understood */
	bool error_strings; /* LLDB's Exx;hex is understood */
	bool thread_suffix;
	bool threads_in_stop_reply;
	bool swbreak, hwbreak; /* the client understands these stop reasons */
	bool awaiting_stop;    /* the debugger resumed the target and waits for the stop reply */
	bool unanswered;       /* that went out, and nothing came since */

	/* the stop */
	bool stopped;
	struct gdbstub_event event;
	uint8_t signal;
	uint8_t reason; /* enum stop_reason, internal */
	uint64_t reason_address;
	uint64_t general_thread;       /* of Hg */
	uint64_t continue_thread;      /* of Hc; 0 any */
	struct gdbstub_registers regs; /* of regs_thread when regs_valid */
	uint64_t regs_thread;
	bool regs_valid;
	struct gdbstub_resume resume;
	struct gdbstub_step step;

	size_t breakpoints_used;
	struct gdbstub_breakpoint breakpoints[GDBSTUB_BREAKPOINTS_MAX];
	struct gdbstub_watchpoint watchpoints[GDBSTUB_WATCHPOINTS_MAX];
	struct gdbstub_thread scan_thread; /* of qfThreadInfo */

	char command[GDBSTUB_COMMAND_MAX];
	uint8_t scratch[4096];
	uint8_t rx[GDBSTUB_PACKET_BYTES + 1];
	uint8_t tx[GDBSTUB_PACKET_BYTES + 16];
};

#define GDBSTUB_ANSWER_MS 5000u /* far more than a debugger takes, or its own patience with us */

/*
 * Makes `stub` ready; nobody is attached. `target` is handed to every port function. A debugger
 * that leaves a stop reply without any answer for `answer_ms` is gone; GDBSTUB_FOREVER: never.
 */
void gdbstub_init(struct gdbstub *stub, void *target, uint32_t answer_ms);

/*
 * Takes one received byte while the target runs; from the receive interrupt, never while
 * gdbstub_stopped() is active on any CPU (that reads by itself). True: stop the target and call
 * gdbstub_stopped() with CAUSE_REQUEST, because Ctrl-C or a whole valid packet has come. Noise
 * never stops the target; nor does, while nobody is attached, anything but a packet that a debugger
 * begins with (qSupported, QStartNoAckMode, ?, !, H, vCont?): the line may be shared. A packet with
 * a bad checksum is refused (one byte sent) right here.
 */
bool gdbstub_rx_byte(struct gdbstub *stub, uint8_t byte);

/*
 * The target has stopped; serves the debugger until it resumes the target, detaches, or the line
 * is lost. Interrupts off, all other CPUs held still. Steps that the stub makes for itself (range
 * steps, emulated instructions, traps that were nobody's) return at once without a word to the
 * debugger. With nobody attached it waits for a debugger to come: the target decides beforehand
 * (gdbstub_attached()) whether it wants that. A fault whose stop nobody answered is delivered.
 * It reads only as far as it must: bytes that the target already took from its line and that the
 * stub did not read go to gdbstub_rx_byte() when it returns, like those that come later.
 */
struct gdbstub_resume gdbstub_stopped(struct gdbstub *stub, const struct gdbstub_event *event);

/* Whether a debugger is attached. Any context. */
bool gdbstub_attached(const struct gdbstub *stub);

/*
 * Output of a `monitor` command: from gdbstub_port_monitor() only. Any length; goes out in as many
 * packets as it takes. The text may hold any byte.
 */
void gdbstub_print(struct gdbstub *stub, const char *text, size_t len_bytes);

/*
 * The debugger is gone: takes every breakpoint out of the machine, ends a step; nobody is attached.
 * For a target that learns by other ways that its line is lost. Same context as gdbstub_stopped().
 */
void gdbstub_lose(struct gdbstub *stub);

/*
 * The target's own way into or out of gdbstub_stopped() ran into an INT3 at `address`. True: it was
 * one of the stub's breakpoints and is out of memory until the target resumes next time: execute
 * the instruction again. Calls the port's write_memory only. For the breakpoint trap's handler.
 */
bool gdbstub_lift(struct gdbstub *stub, uint64_t address);

/* Walks all invariants; NULL, or the first broken one in words. Same context. */
const char *gdbstub_check(const struct gdbstub *stub);

#endif
