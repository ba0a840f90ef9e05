/* The register table, shared by the packets that carry registers and those that describe them. */
#ifndef GDBSTUB_REGISTERS_H
#define GDBSTUB_REGISTERS_H

#include <stdint.h>

enum register_feature { REG_CORE, REG_SSE, REG_SEGMENTS, REG_SYSTEM, REG_FEATURES };
enum register_kind {
	REG_GPR,
	REG_RIP,
	REG_RFLAGS,
	REG_SEGMENT,
	REG_BASE,
	REG_CONTROL,
	REG_ST,
	REG_X87,
	REG_XMM
};
enum x87_register {
	X87_CONTROL,
	X87_STATUS,
	X87_TAG,
	X87_CODE_SEGMENT,
	X87_CODE_OFFSET,
	X87_DATA_SEGMENT,
	X87_DATA_OFFSET,
	X87_OPCODE,
	X87_MXCSR
};

struct register_row {
	const char *name, *type;
	uint8_t feature; /* enum register_feature */
	uint8_t kind;	 /* enum register_kind */
	uint8_t bits;
	uint8_t index; /* within its kind */
};
extern const struct register_row register_table[];

#endif
