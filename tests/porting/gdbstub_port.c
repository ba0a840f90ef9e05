/* gdbstub/port.h for the smallest machine there is. Freestanding: no C library. */
#include "gdbstub_port.h"

#include <string.h>

/* ---- the line: a UART's data register would stand here ---- */

int gdbstub_port_read_byte(void *target, uint32_t wait_ms)
{
	struct port_target *t = target;

	(void)wait_ms; /* no byte will come later */
	if (!t->in_len)
		return GDBSTUB_LINE_LOST;
	t->in_len--;
	return *t->in++;
}

void gdbstub_port_write(void *target, const void *bytes, size_t len_bytes)
{
	struct port_target *t = target;

	if (len_bytes > sizeof t->out - t->out_len)
		return;
	memcpy(t->out + t->out_len, bytes, len_bytes);
	t->out_len += len_bytes;
}

/* ---- one thread ---- */

bool gdbstub_port_next_thread(void *target, uint64_t after_id, struct gdbstub_thread *thread)
{
	(void)target;
	if (after_id >= 1)
		return false;
	*thread = (struct gdbstub_thread){.id = 1, .running = true, .name = "main"};
	return true;
}

bool gdbstub_port_read_registers(void *target, uint64_t thread_id, struct gdbstub_registers *regs)
{
	struct port_target *t = target;

	*regs = t->regs;
	return thread_id == 1;
}

bool gdbstub_port_write_registers(void *target, uint64_t thread_id,
				  const struct gdbstub_registers *regs)
{
	struct port_target *t = target;

	if (thread_id != 1)
		return false;
	t->regs = *regs;
	return true;
}

/* ---- memory: what is outside of RAM is not there ---- */

static size_t in_ram(uint64_t address, size_t len_bytes)
{
	size_t size = sizeof((struct port_target *)0)->ram;

	if (address < PORT_RAM_AT || address - PORT_RAM_AT >= size)
		return 0;
	size -= (size_t)(address - PORT_RAM_AT);
	return len_bytes < size ? len_bytes : size;
}

size_t gdbstub_port_read_memory(void *target, enum gdbstub_space space, uint64_t address, void *out,
				size_t len_bytes)
{
	struct port_target *t = target;
	size_t len = in_ram(address, len_bytes);

	(void)space; /* no paging: both are the same */
	if (len)
		memcpy(out, t->ram + (address - PORT_RAM_AT), len);
	return len;
}

size_t gdbstub_port_write_memory(void *target, enum gdbstub_space space, uint64_t address,
				 const void *bytes, size_t len_bytes)
{
	struct port_target *t = target;
	size_t len = in_ram(address, len_bytes);

	(void)space;
	if (len)
		memcpy(t->ram + (address - PORT_RAM_AT), bytes, len);
	return len;
}

/* ---- what a target may do without ---- */

bool gdbstub_port_region(void *target, uint64_t address, struct gdbstub_region *region)
{
	(void)target, (void)address, (void)region;
	return false;
}

bool gdbstub_port_is_protected(void *target, uint64_t address, uint64_t len_bytes)
{
	(void)target, (void)address, (void)len_bytes;
	return false; /* the stub's own code is not in this RAM */
}

void gdbstub_port_set_debug_registers(void *target, const struct gdbstub_debug_registers *regs)
{
	(void)target, (void)regs;
}

bool gdbstub_port_monitor(void *target, struct gdbstub *stub, const char *command)
{
	static const char text[] = "no commands\n";

	(void)target, (void)command;
	gdbstub_print(stub, text, sizeof text - 1);
	return false;
}

void gdbstub_port_end(void *target, enum gdbstub_end how)
{
	(void)target, (void)how;
}
