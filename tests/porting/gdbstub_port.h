/* The machine of gdbstub_port.c: one thread, some RAM, and a line that is two buffers. */
#pragma once

#include <gdbstub/gdbstub.h>

#define PORT_RAM_AT UINT64_C(0x1000)

struct port_target {
	struct gdbstub_registers regs;
	uint8_t ram[4096];
	const uint8_t *in; /* what the debugger sends; the line is lost at its end */
	size_t in_len;
	char out[8192]; /* what the stub sent */
	size_t out_len;
};
