/*
 * The registers as clients number them: one table, from which come the target description, LLDB's
 * register list, and the encoding of every register packet. The order is that of GDB's x86_64
 * features `core` and `sse`, followed by the segment bases and the control registers.
 */
#include "registers.h"

#include <string.h>

#include "internal.h"

#define GPR(n, i, t)                           \
	{                                      \
		n, t, REG_CORE, REG_GPR, 64, i \
	}
#define SEGMENT(n, i)                                  \
	{                                              \
		n, "int", REG_CORE, REG_SEGMENT, 32, i \
	}
#define ST(n, i)                                       \
	{                                              \
		n, "i387_ext", REG_CORE, REG_ST, 80, i \
	}
#define X87(n, i)                                  \
	{                                          \
		n, "int", REG_CORE, REG_X87, 32, i \
	}
#define XMM(n, i)                                     \
	{                                             \
		n, "vec128", REG_SSE, REG_XMM, 128, i \
	}

const struct register_row register_table[] = {
	GPR("rax", GDBSTUB_RAX, "int64"),
	GPR("rbx", GDBSTUB_RBX, "int64"),
	GPR("rcx", GDBSTUB_RCX, "int64"),
	GPR("rdx", GDBSTUB_RDX, "int64"),
	GPR("rsi", GDBSTUB_RSI, "int64"),
	GPR("rdi", GDBSTUB_RDI, "int64"),
	GPR("rbp", GDBSTUB_RBP, "data_ptr"),
	GPR("rsp", GDBSTUB_RSP, "data_ptr"),
	GPR("r8", GDBSTUB_R8, "int64"),
	GPR("r9", GDBSTUB_R9, "int64"),
	GPR("r10", GDBSTUB_R10, "int64"),
	GPR("r11", GDBSTUB_R11, "int64"),
	GPR("r12", GDBSTUB_R12, "int64"),
	GPR("r13", GDBSTUB_R13, "int64"),
	GPR("r14", GDBSTUB_R14, "int64"),
	GPR("r15", GDBSTUB_R15, "int64"),
	{"rip",	"code_ptr",    REG_CORE,     REG_RIP,     64, 0	    },
	{"eflags",  "i386_eflags", REG_CORE,	    REG_RFLAGS,	32, 0	     },
	SEGMENT("cs", GDBSTUB_CS),
	SEGMENT("ss", GDBSTUB_SS),
	SEGMENT("ds", GDBSTUB_DS),
	SEGMENT("es", GDBSTUB_ES),
	SEGMENT("fs", GDBSTUB_FS),
	SEGMENT("gs", GDBSTUB_GS),
	ST("st0", 0),
	ST("st1", 1),
	ST("st2", 2),
	ST("st3", 3),
	ST("st4", 4),
	ST("st5", 5),
	ST("st6", 6),
	ST("st7", 7),
	X87("fctrl", X87_CONTROL),
	X87("fstat", X87_STATUS),
	X87("ftag", X87_TAG),
	X87("fiseg", X87_CODE_SEGMENT),
	X87("fioff", X87_CODE_OFFSET),
	X87("foseg", X87_DATA_SEGMENT),
	X87("fooff", X87_DATA_OFFSET),
	X87("fop", X87_OPCODE),
	XMM("xmm0", 0),
	XMM("xmm1", 1),
	XMM("xmm2", 2),
	XMM("xmm3", 3),
	XMM("xmm4", 4),
	XMM("xmm5", 5),
	XMM("xmm6", 6),
	XMM("xmm7", 7),
	XMM("xmm8", 8),
	XMM("xmm9", 9),
	XMM("xmm10", 10),
	XMM("xmm11", 11),
	XMM("xmm12", 12),
	XMM("xmm13", 13),
	XMM("xmm14", 14),
	XMM("xmm15", 15),
	{"mxcsr",	  "i386_mxcsr",	REG_SSE,	 REG_X87,	  32, X87_MXCSR   },
	{"fs_base", "int64",	     REG_SEGMENTS, REG_BASE,    64, 0		  },
	{"gs_base", "int64",	     REG_SEGMENTS, REG_BASE,    64, 1		  },
	{"cr0",	"cr0_flags",   REG_SYSTEM,	 REG_CONTROL, 64, GDBSTUB_CR0 },
	{"cr2",	"data_ptr",    REG_SYSTEM,	REG_CONTROL, 64, GDBSTUB_CR2 },
	{"cr3",	"int64",	 REG_SYSTEM,   REG_CONTROL, 64, GDBSTUB_CR3 },
	{"cr4",	"cr4_flags",   REG_SYSTEM,	 REG_CONTROL, 64, GDBSTUB_CR4 },
	{"cr8",	"int64",	 REG_SYSTEM,   REG_CONTROL, 64, GDBSTUB_CR8 },
	{"efer",	 "efer_flags",  REG_SYSTEM,   REG_CONTROL, 64, GDBSTUB_EFER},
};
const unsigned register_count = sizeof register_table / sizeof *register_table;

/* Group of known registers that each kind belongs to; 0: always there (rip) or by its own bit. */
static const uint32_t kind_group[] = {
	[REG_GPR] = 0,
	[REG_RIP] = 0,
	[REG_RFLAGS] = GDBSTUB_HAS_RFLAGS,
	[REG_SEGMENT] = GDBSTUB_HAS_SEGMENTS,
	[REG_BASE] = GDBSTUB_HAS_BASES,
	[REG_CONTROL] = GDBSTUB_HAS_CONTROLS,
	[REG_ST] = GDBSTUB_HAS_FXSAVE,
	[REG_X87] = GDBSTUB_HAS_FXSAVE,
	[REG_XMM] = GDBSTUB_HAS_FXSAVE,
};

static bool known(const struct gdbstub_registers *regs, const struct register_row *row)
{
	if (row->kind == REG_GPR)
		return regs->gprs_known >> row->index & 1;
	return (regs->groups & kind_group[row->kind]) == kind_group[row->kind];
}

/* ---- the FXSAVE image ---- */

#define FX_ST  32u
#define FX_XMM 160u
#define FX_TAG 4u

/* Where each x87 register lies in the image, and how many bytes of it. */
static const struct {
	uint8_t offset, bytes;
} x87_place[] = {
	[X87_CONTROL] = {0,	    2},
	     [X87_STATUS] = {2,	2},
	   [X87_TAG] = {FX_TAG, 1},
	[X87_OPCODE] = {6,	   2},
	     [X87_CODE_OFFSET] = {8,	     4},
	   [X87_CODE_SEGMENT] = {12,     2},
	[X87_DATA_OFFSET] = {16,	 4},
	     [X87_DATA_SEGMENT] = {20,     2},
	   [X87_MXCSR] = {24,     4},
};

static uint64_t load_le(const uint8_t *at, size_t bytes)
{
	uint64_t value = 0;
	memcpy(&value, at, bytes);
	return value;
}

/* FXSAVE keeps one bit a register (in use or not); clients want the two that FSAVE stored. */
static uint32_t tag_word(const uint8_t *fxsave)
{
	unsigned top = fxsave[3] >> 3 & 7;
	uint32_t tags = 0;
	for (unsigned physical = 0; physical < 8; physical++) {
		const uint8_t *st = fxsave + FX_ST + 16 * ((physical + 8 - top) % 8);
		uint64_t mantissa = load_le(st, 8), exponent = load_le(st + 8, 2) & 0x7fff;
		uint32_t tag = 0;
		if (!(fxsave[FX_TAG] >> physical & 1))
			tag = 3;
		else if (!exponent && !mantissa)
			tag = 1;
		else if (!exponent || exponent == 0x7fff || !(mantissa >> 63))
			tag = 2;
		tags |= tag << 2 * physical;
	}
	return tags;
}

static uint8_t tag_bits(uint32_t tags)
{
	unsigned bits = 0;
	for (unsigned physical = 0; physical < 8; physical++)
		if ((tags >> 2 * physical & 3) != 3)
			bits |= 1u << physical;
	return (uint8_t)bits;
}

/* ---- between struct and wire ---- */

static uint64_t *whole_register(struct gdbstub_registers *regs, const struct register_row *row)
{
	switch (row->kind) {
	case REG_GPR:
		return &regs->gpr[row->index];
	case REG_RIP:
		return &regs->rip;
	case REG_RFLAGS:
		return &regs->rflags;
	case REG_BASE:
		return row->index ? &regs->gs_base : &regs->fs_base;
	case REG_CONTROL:
		return &regs->control[row->index];
	default:
		return NULL;
	}
}

/* The wire bytes of a register, least significant first. */
static void encode(const struct gdbstub_registers *regs, const struct register_row *row,
		   uint8_t *out)
{
	struct gdbstub_registers *source = (struct gdbstub_registers *)(uintptr_t)regs;
	const uint64_t *whole = whole_register(source, row);
	uint32_t value = 0;
	if (whole) {
		memcpy(out, whole, row->bits / 8);
		return;
	}
	if (row->kind == REG_ST || row->kind == REG_XMM) {
		memcpy(out, regs->fxsave + (row->kind == REG_ST ? FX_ST : FX_XMM) + 16 * row->index,
		       row->bits / 8);
		return;
	}
	if (row->kind == REG_SEGMENT)
		value = regs->segment[row->index];
	else if (row->index == X87_TAG)
		value = tag_word(regs->fxsave);
	else
		value = (uint32_t)load_le(regs->fxsave + x87_place[row->index].offset,
					  x87_place[row->index].bytes);
	memcpy(out, &value, sizeof value);
}

static void decode(struct gdbstub_registers *regs, const struct register_row *row,
		   const uint8_t *in)
{
	uint64_t *whole = whole_register(regs, row);
	uint32_t value;
	if (whole) {
		*whole = load_le(in, row->bits / 8);
		return;
	}
	if (row->kind == REG_ST || row->kind == REG_XMM) {
		memcpy(regs->fxsave + (row->kind == REG_ST ? FX_ST : FX_XMM) + 16 * row->index, in,
		       row->bits / 8);
		return;
	}
	memcpy(&value, in, sizeof value);
	if (row->kind == REG_SEGMENT) {
		regs->segment[row->index] = (uint16_t)value;
		return;
	}
	if (row->index == X87_TAG)
		value = tag_bits(value);
	memcpy(regs->fxsave + x87_place[row->index].offset, &value, x87_place[row->index].bytes);
}

void register_reply(struct gdbstub *stub, const struct gdbstub_registers *regs, unsigned number)
{
	const struct register_row *row = &register_table[number];
	uint8_t bytes[16];
	if (known(regs, row)) {
		encode(regs, row, bytes);
		reply_hex_bytes(stub, bytes, row->bits / 8u);
		return;
	}
	for (unsigned i = 0; i < row->bits / 4u; i++)
		reply_char(stub, 'x');
}

/* ---- read once, written through ---- */

struct gdbstub_registers *registers_load(struct gdbstub *stub, uint64_t thread_id)
{
	if (stub->regs_valid && stub->regs_thread == thread_id)
		return &stub->regs;
	stub->regs_valid = gdbstub_port_read_registers(stub->target, thread_id, &stub->regs);
	stub->regs_thread = thread_id;
	return stub->regs_valid ? &stub->regs : NULL;
}

bool registers_store(struct gdbstub *stub)
{
	bool good = stub->regs_valid &&
		    gdbstub_port_write_registers(stub->target, stub->regs_thread, &stub->regs);
	if (!good)
		registers_forget(stub);
	return good;
}

void registers_forget(struct gdbstub *stub)
{
	stub->regs_valid = false;
}

/* ---- packets ---- */

static struct gdbstub_registers *meant(struct gdbstub *stub, struct cut *args)
{
	uint64_t id;
	if (!cut_thread_suffix(args, &id))
		return NULL;
	return registers_load(stub, thread_resolve(stub, id));
}

static enum reply no_thread(struct gdbstub *stub)
{
	return reply_error(stub, WIRE_SRCH, "no registers of such a thread");
}

static enum reply handle_read_all(struct gdbstub *stub, struct cut *args)
{
	const struct gdbstub_registers *regs = meant(stub, args);
	if (!regs)
		return no_thread(stub);
	if (cut_left(args))
		return REPLY_EMPTY;
	for (unsigned i = 0; i < register_count; i++)
		register_reply(stub, regs, i);
	return REPLY_WRITTEN;
}

/* Takes one register's digits. All 'x': leave it. False: not its digits. */
static bool cut_register(struct cut *cut, const struct register_row *row,
			 struct gdbstub_registers *regs)
{
	uint8_t bytes[16];
	size_t digits = row->bits / 4u, len = 0, unknown = 0;
	if (cut_left(cut) < digits)
		return false;
	struct cut own = {cut->at, cut->at + digits};
	cut->at += digits;
	while (unknown < digits && own.at[unknown] == 'x')
		unknown++;
	if (unknown == digits)
		return true;
	if (!cut_hex_bytes(&own, bytes, sizeof bytes, &len) || cut_left(&own))
		return false;
	if (known(regs, row))
		decode(regs, row, bytes);
	return true;
}

static enum reply refuse(struct gdbstub *stub, const char *text)
{
	registers_forget(stub);
	return reply_error(stub, WIRE_INVALID, text);
}

static enum reply store(struct gdbstub *stub)
{
	if (!registers_store(stub))
		return refuse(stub, "the CPU does not take such a value");
	return REPLY_OK;
}

static enum reply handle_write_all(struct gdbstub *stub, struct cut *args)
{
	struct gdbstub_registers *regs = meant(stub, args);
	if (!regs)
		return no_thread(stub);
	for (unsigned i = 0; i < register_count; i++)
		if (!cut_register(args, &register_table[i], regs))
			return refuse(stub, "registers are not hex, or too few");
	if (cut_left(args))
		return refuse(stub, "more than all registers");
	return store(stub);
}

static enum reply handle_read_one(struct gdbstub *stub, struct cut *args)
{
	uint64_t number;
	const struct gdbstub_registers *regs = meant(stub, args);
	if (!regs)
		return no_thread(stub);
	if (!cut_hex(args, &number) || cut_left(args) || number >= register_count)
		return reply_error(stub, WIRE_INVALID, "no register of this number");
	register_reply(stub, regs, (unsigned)number);
	return REPLY_WRITTEN;
}

static enum reply handle_write_one(struct gdbstub *stub, struct cut *args)
{
	uint64_t number;
	struct gdbstub_registers *regs = meant(stub, args);
	if (!regs)
		return no_thread(stub);
	if (!cut_hex(args, &number) || number >= register_count || !cut_char(args, '='))
		return reply_error(stub, WIRE_INVALID, "no register of this number");
	const struct register_row *row = &register_table[number];
	if (!known(regs, row))
		return reply_error(stub, WIRE_INVALID, "this thread's switch did not save it");
	if (!cut_register(args, row, regs) || cut_left(args))
		return refuse(stub, "the value is not as long as the register");
	return store(stub);
}

const struct packet_row register_packets[] = {
	{"g",  handle_read_all,  true },
	       {"G",  handle_write_all, true },
	      {"p",  handle_read_one,  true },
	{"P",  handle_write_one, true },
	       {NULL, NULL,		    false},
};
