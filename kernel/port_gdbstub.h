/*
 * What the files of the GDB stub's port share.
 *
 *   port_gdbstub.c         ways in: traps, the line, panic, gdbwait, sys.break; ways out; monitor
 *   port_gdbstub_state.c   registers and threads
 *   port_gdbstub_memory.c  memory, regions, the stub's own path
 */
#ifndef KERNEL_PORT_GDBSTUB_H
#define KERNEL_PORT_GDBSTUB_H

#include <gdbstub/gdbstub.h>
#include <kernel/traps.h>
#include <stdbool.h>
#include <stdint.h>

struct stub_target {
	struct gdbstub stub;
	bool ready;	  /* there is a line */
	bool mux;	  /* it is shared with console and inspector */
	unsigned uart;	  /* its index */
	bool stop_wanted; /* the line asked for a stop; the next way out of its interrupt makes it
			   */
	bool in_record;	  /* mux: within a record of the inspector's */
	bool carrier;	  /* at the last look a modem line spoke of another side */
	bool lost;	  /* the debugger is gone and the log does not say so yet */

	/* the stop */
	bool active;
	struct trap_frame *frame; /* of the stopped thread */
	uint64_t thread_id;
	struct gdbstub_registers before; /* as they were, to tell a change of what cannot change */
	const char *cause;		 /* NULL, or why an INT3 of our own was executed */
	bool forced;			 /* stop although nobody is attached */

	/* after a panic */
	bool panicked;
	struct trap_frame panic_frame;
};

/* Reads the registers of the stopped thread anew; at every stop. */
void stub_note_registers(struct stub_target *target);

/* Prepares the page through which physical memory outside the direct map is reached. */
void stub_window_init(void);

#endif
