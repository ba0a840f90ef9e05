/*
 * Breakpoints as data, and the moments at which they become INT3s and debug registers.
 *
 * The debugger's Z packets only fill the tables (after a trial write, so that it hears at once of
 * an address that cannot take one). They enter the machine when it resumes and leave it when it
 * stops, so stopped memory is always the program's own, and nothing is left when the debugger is
 * not there to take it out. The tables outlive a debugger that was lost, until a new one begins.
 *
 * Debug registers watch 1, 2, 4 or 8 aligned bytes each; any other range is made of such pieces.
 * x86 cannot watch reads alone: a read watchpoint also sees writes, and GDB sorts those out by
 * comparing the value.
 */
#include "internal.h"

#include <string.h>

/* ---- INT3 ---- */

const struct gdbstub_breakpoint *breakpoint_at(const struct gdbstub *stub, uint64_t address)
{
	for (size_t i = 0; i < stub->breakpoints_used; i++)
		if (stub->breakpoints[i].address == address)
			return &stub->breakpoints[i];
	return NULL;
}

static bool read_code(struct gdbstub *stub, uint64_t address, uint8_t *byte)
{
	return gdbstub_port_read_memory(stub->target, GDBSTUB_VIRTUAL, address, byte, 1) == 1;
}

static bool write_code(struct gdbstub *stub, uint64_t address, uint8_t byte)
{
	return gdbstub_port_write_memory(stub->target, GDBSTUB_VIRTUAL, address, &byte, 1) == 1;
}

static enum reply breakpoint_set(struct gdbstub *stub, uint64_t address)
{
	uint8_t byte;
	if (breakpoint_at(stub, address))
		return REPLY_OK;
	if (stub->breakpoints_used == GDBSTUB_BREAKPOINTS_MAX)
		return reply_error(stub, WIRE_NO_SPACE, "256 breakpoints are all there are");
	if (!read_code(stub, address, &byte) || !write_code(stub, address, byte))
		return reply_error(stub, WIRE_FAULT, "no breakpoint can be written there");
	stub->breakpoints[stub->breakpoints_used++] =
		(struct gdbstub_breakpoint){.address = address};
	return REPLY_OK;
}

static enum reply breakpoint_unset(struct gdbstub *stub, uint64_t address)
{
	for (size_t i = 0; i < stub->breakpoints_used; i++) {
		if (stub->breakpoints[i].address != address)
			continue;
		stub->breakpoints[i] = stub->breakpoints[--stub->breakpoints_used];
		break;
	}
	return REPLY_OK;
}

/* ---- debug registers ---- */

#define DR7_FIXED	(UINT64_C(1) << 10)
#define DR7_GLOBAL(n)	(UINT64_C(2) << 2 * (n))
#define DR7_TYPE(n, rw) ((uint64_t)(rw) << (16 + 4 * (n)))
#define DR7_LEN(n, len) ((uint64_t)(len) << (18 + 4 * (n)))

static uint32_t piece_bytes(uint64_t address, uint64_t left)
{
	uint32_t bytes = 8;
	while (bytes > left || address % bytes)
		bytes /= 2;
	return bytes;
}

/* R/W and LEN fields of DR7, by the digit of the packet and by size. */
static const uint8_t dr7_type[] = {[1] = 0, [2] = 1, [3] = 3, [4] = 3};
static const uint8_t dr7_len[] = {[1] = 0, [2] = 1, [4] = 3, [8] = 2};

/* Deals the registers out to the watchpoints in their order. False: there are too few. */
static bool plan(struct gdbstub *stub, struct gdbstub_debug_registers *regs)
{
	unsigned slot = 0;
	*regs = (struct gdbstub_debug_registers){.dr7 = 0};
	for (size_t i = 0; i < GDBSTUB_WATCHPOINTS_MAX; i++) {
		struct gdbstub_watchpoint *watch = &stub->watchpoints[i];
		watch->slots = 0;
		for (uint32_t done = 0; watch->type && done < watch->len_bytes; slot++) {
			if (slot == GDBSTUB_WATCHPOINTS_MAX)
				return false;
			uint64_t at = watch->address + done;
			uint32_t bytes = piece_bytes(at, watch->len_bytes - done);
			regs->address[slot] = at;
			regs->dr7 |= DR7_FIXED | DR7_GLOBAL(slot) |
				     DR7_TYPE(slot, dr7_type[watch->type]) |
				     DR7_LEN(slot, dr7_len[bytes]);
			watch->slots |= (uint8_t)(1u << slot);
			done += bytes;
		}
	}
	return true;
}

static struct gdbstub_watchpoint *watchpoint_find(struct gdbstub *stub,
						  const struct gdbstub_watchpoint *like)
{
	for (size_t i = 0; i < GDBSTUB_WATCHPOINTS_MAX; i++) {
		struct gdbstub_watchpoint *watch = &stub->watchpoints[i];
		if (watch->type == like->type &&
		    (!like->type ||
		     (watch->address == like->address && watch->len_bytes == like->len_bytes)))
			return watch;
	}
	return NULL;
}

static enum reply watchpoint_set(struct gdbstub *stub, const struct gdbstub_watchpoint *want)
{
	static const struct gdbstub_watchpoint none = {.type = 0};
	struct gdbstub_debug_registers regs;
	if (watchpoint_find(stub, want))
		return REPLY_OK;
	struct gdbstub_watchpoint *place = watchpoint_find(stub, &none);
	if (place)
		*place = *want;
	if (place && plan(stub, &regs))
		return REPLY_OK;
	if (place) {
		*place = none;
		plan(stub, &regs);
	}
	return reply_error(stub, WIRE_NO_SPACE, "the four debug registers are taken");
}

static enum reply watchpoint_unset(struct gdbstub *stub, const struct gdbstub_watchpoint *want)
{
	struct gdbstub_debug_registers regs;
	struct gdbstub_watchpoint *watch = watchpoint_find(stub, want);
	if (watch)
		watch->type = 0;
	plan(stub, &regs);
	return REPLY_OK;
}

const struct gdbstub_watchpoint *watchpoint_hit(const struct gdbstub *stub, uint64_t dr6)
{
	for (size_t i = 0; i < GDBSTUB_WATCHPOINTS_MAX; i++)
		if (stub->watchpoints[i].type && (stub->watchpoints[i].slots & dr6 & 15))
			return &stub->watchpoints[i];
	return NULL;
}

/* ---- in and out of the machine ---- */

void breakpoints_insert(struct gdbstub *stub)
{
	struct gdbstub_debug_registers regs;
	for (size_t i = 0; i < stub->breakpoints_used; i++) {
		struct gdbstub_breakpoint *breakpoint = &stub->breakpoints[i];
		if (!breakpoint->inserted)
			breakpoint->inserted = read_code(stub, breakpoint->address,
							 &breakpoint->original) &&
					       write_code(stub, breakpoint->address, INT3);
	}
	plan(stub, &regs);
	gdbstub_port_set_debug_registers(stub->target, &regs);
}

void breakpoints_remove(struct gdbstub *stub)
{
	static const struct gdbstub_debug_registers off = {.dr7 = 0};
	gdbstub_port_set_debug_registers(stub->target, &off);
	for (size_t i = 0; i < stub->breakpoints_used; i++) {
		struct gdbstub_breakpoint *breakpoint = &stub->breakpoints[i];
		uint8_t now;
		/* Code that was written over meanwhile is the program's and stays. */
		if (breakpoint->inserted && read_code(stub, breakpoint->address, &now) &&
		    now == INT3)
			write_code(stub, breakpoint->address, breakpoint->original);
		breakpoint->inserted = false;
	}
}

bool gdbstub_lift(struct gdbstub *stub, uint64_t address)
{
	for (size_t i = 0; i < stub->breakpoints_used; i++) {
		struct gdbstub_breakpoint *breakpoint = &stub->breakpoints[i];
		if (breakpoint->address != address || !breakpoint->inserted)
			continue;
		breakpoint->inserted = false;
		return write_code(stub, address, breakpoint->original);
	}
	return false;
}

void breakpoints_clear(struct gdbstub *stub)
{
	stub->breakpoints_used = 0;
	memset(stub->watchpoints, 0, sizeof stub->watchpoints);
}

bool breakpoint_wants(const struct gdbstub *stub, uint64_t rip)
{
	for (size_t i = 0; i < GDBSTUB_WATCHPOINTS_MAX; i++)
		if (stub->watchpoints[i].type == 1 && stub->watchpoints[i].address == rip)
			return true;
	return breakpoint_at(stub, rip) != NULL;
}

/* ---- packets ---- */

static enum reply apply(struct gdbstub *stub, const struct gdbstub_watchpoint *want, bool set)
{
	if (!want->type)
		return set ? breakpoint_set(stub, want->address)
			   : breakpoint_unset(stub, want->address);
	return set ? watchpoint_set(stub, want) : watchpoint_unset(stub, want);
}

static enum reply handle_z(struct gdbstub *stub, struct cut *args, bool set)
{
	uint64_t type, address, kind;
	if (!cut_hex(args, &type) || !cut_char(args, ',') || !cut_hex(args, &address) ||
	    !cut_char(args, ',') || !cut_hex(args, &kind))
		return reply_error(stub, WIRE_INVALID, "expected type,address,kind in hex");
	if (type > 4 || cut_left(args))
		return REPLY_EMPTY;
	bool code = type < 2;
	if (code ? kind != 1 : !kind || kind > 8u * GDBSTUB_WATCHPOINTS_MAX)
		return reply_error(stub, WIRE_INVALID,
				   code ? "a breakpoint is one byte long"
					: "a watchpoint is 1 to 32 bytes long");
	if (set && gdbstub_port_is_protected(stub->target, address, kind))
		return reply_error(stub, WIRE_PERM, "that is on the stub's own path");
	struct gdbstub_watchpoint want = {
		.address = address, .len_bytes = (uint32_t)kind, .type = (uint8_t)type};
	return apply(stub, &want, set);
}

static enum reply handle_insert(struct gdbstub *stub, struct cut *args)
{
	return handle_z(stub, args, true);
}

static enum reply handle_remove(struct gdbstub *stub, struct cut *args)
{
	return handle_z(stub, args, false);
}

const struct packet_row breakpoint_packets[] = {
	{"Z",  handle_insert, true },
	{"z",  handle_remove, true },
	{NULL, NULL,	     false},
};

const char *breakpoints_check(const struct gdbstub *stub)
{
	uint8_t slots = 0;
	if (stub->breakpoints_used > GDBSTUB_BREAKPOINTS_MAX)
		return "more breakpoints than there is room for";
	for (size_t i = 0; i < stub->breakpoints_used; i++) {
		const struct gdbstub_breakpoint *breakpoint = &stub->breakpoints[i];
		if (breakpoint_at(stub, breakpoint->address) != breakpoint)
			return "two breakpoints at one address";
		if (breakpoint->inserted && stub->stopped)
			return "a breakpoint is in memory while the target is stopped";
	}
	for (size_t i = 0; i < GDBSTUB_WATCHPOINTS_MAX; i++) {
		const struct gdbstub_watchpoint *watch = &stub->watchpoints[i];
		if (watch->type > 4 || (watch->type && !watch->slots))
			return "a watchpoint without a debug register";
		if (watch->type && (watch->slots & slots))
			return "a debug register serves two watchpoints";
		slots |= watch->type ? watch->slots : 0;
	}
	return NULL;
}
