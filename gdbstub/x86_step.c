/*
 * One instruction, and nothing else of the machine.
 *
 * A step runs with TF set and IF clear: no interrupt handler is entered in between. The stepped
 * code must not notice. Instructions that write those two flags are therefore emulated on the saved
 * registers (POPF, CLI, STI, and IRET within the same privilege level), and so is HLT, which with
 * IF clear would never end: it may always wake early. What PUSHF pushed is mended afterwards: it
 * cannot be emulated, since the trap's own frame may lie right below the stack pointer. An IRET to
 * elsewhere and a
 * POPF whose stack cannot be read here load RFLAGS by themselves; what they loaded is kept. Code
 * outside ring 0 cannot see IF clear without being able to set it, INT and SYSCALL enter the
 * kernel, which looks at the saved IF: these step with their own IF.
 */
#include "internal.h"

#include <string.h>

#define FLAGS_POPF   UINT64_C(0x247fd5) /* what POPF loads in ring 0, TF apart: it stays ours */
#define FLAGS_IRET   (FLAGS_POPF | UINT64_C(0x10000)) /* and RF */
#define PUSHF	     0x9cu
#define WINDOW_STEPS 256u

struct instruction {
	uint8_t opcode; /* 0: not one of those handled here */
	uint8_t second; /* behind a 0x0f */
	uint8_t len;	/* up to and including the opcode */
	bool operand16, rex_w;
};

static bool is_prefix(uint8_t byte)
{
	static const uint8_t prefixes[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65,
					   0x66, 0x67, 0xf0, 0xf2, 0xf3};
	for (size_t i = 0; i < sizeof prefixes; i++)
		if (byte == prefixes[i])
			return true;
	return false;
}

static struct instruction decode(struct gdbstub *stub, uint64_t rip)
{
	uint8_t code[15];
	struct instruction insn = {.opcode = 0};
	size_t len = gdbstub_port_read_memory(stub->target, GDBSTUB_VIRTUAL, rip, code,
					      sizeof code);
	size_t at = 0;
	for (; at < len && is_prefix(code[at]); at++)
		insn.operand16 |= code[at] == 0x66;
	for (; at < len && (code[at] & 0xf0) == 0x40; at++)
		insn.rex_w = (code[at] & 8) != 0;
	if (at >= len)
		return insn;
	insn.opcode = code[at];
	insn.second = at + 1 < len ? code[at + 1] : 0;
	insn.len = (uint8_t)(at + 1);
	return insn;
}

/* What PUSHF and POPF move. */
static uint8_t flags_bytes(const struct instruction *insn)
{
	return insn->operand16 && !insn->rex_w ? 2 : 8;
}

static bool stack_read(struct gdbstub *stub, uint64_t rsp, void *out, size_t len)
{
	return gdbstub_port_read_memory(stub->target, GDBSTUB_VIRTUAL, rsp, out, len) == len;
}

/* Each emulator changes `regs` and returns true, or changes nothing and returns false: then the
 * CPU does it, faults included. */
static bool emulate_popf(struct gdbstub *stub, struct gdbstub_registers *regs,
			 const struct instruction *insn)
{
	size_t width = flags_bytes(insn);
	uint64_t mask = width == 2 ? FLAGS_POPF & UINT64_C(0xffff) : FLAGS_POPF, flags = 0;
	if (!stack_read(stub, regs->gpr[GDBSTUB_RSP], &flags, width))
		return false;
	regs->rflags = (regs->rflags & ~mask) | (flags & mask);
	regs->gpr[GDBSTUB_RSP] += width;
	return true;
}

static bool emulate_iret(struct gdbstub *stub, struct gdbstub_registers *regs,
			 const struct instruction *insn)
{
	struct {
		uint64_t rip, cs, rflags, rsp, ss;
	} frame;
	if (!insn->rex_w || !stack_read(stub, regs->gpr[GDBSTUB_RSP], &frame, sizeof frame) ||
	    frame.cs != regs->segment[GDBSTUB_CS] || frame.ss != regs->segment[GDBSTUB_SS])
		return false;
	regs->rip = frame.rip - insn->len; /* the caller adds it */
	regs->rflags = (regs->rflags & ~FLAGS_IRET) | (frame.rflags & FLAGS_IRET);
	regs->gpr[GDBSTUB_RSP] = frame.rsp;
	return true;
}

static bool emulate_cli(struct gdbstub *stub, struct gdbstub_registers *regs,
			const struct instruction *insn)
{
	(void)stub, (void)insn;
	regs->rflags &= ~RFLAGS_IF;
	return true;
}

static bool emulate_sti(struct gdbstub *stub, struct gdbstub_registers *regs,
			const struct instruction *insn)
{
	(void)stub, (void)insn;
	regs->rflags |= RFLAGS_IF;
	return true;
}

static bool emulate_hlt(struct gdbstub *stub, struct gdbstub_registers *regs,
			const struct instruction *insn)
{
	(void)stub, (void)regs, (void)insn;
	return true;
}

static const struct emulation {
	uint8_t opcode;
	bool loads_flags; /* when the CPU has to do it */
	bool (*emulate)(struct gdbstub *, struct gdbstub_registers *, const struct instruction *);
} emulations[] = {
	{0x9d, true,  emulate_popf},
	    {0xcf, true,	 emulate_iret},
	{0xfa, false, emulate_cli },
	{0xfb, false, emulate_sti },
	    {0xf4, false, emulate_hlt },
};

static const struct emulation *emulation_of(const struct instruction *insn)
{
	for (size_t i = 0; i < sizeof emulations / sizeof *emulations; i++)
		if (emulations[i].opcode == insn->opcode)
			return &emulations[i];
	return NULL;
}

static bool enters_kernel(const struct instruction *insn)
{
	return insn->opcode == 0xcd || insn->opcode == 0xf1 ||
	       (insn->opcode == 0x0f && (insn->second == 0x05 || insn->second == 0x34));
}

/* Tries it on a copy, so that a refusal by the port leaves all as it was. */
static bool emulate(struct gdbstub *stub, const struct emulation *emulation,
		    const struct instruction *insn)
{
	struct gdbstub_registers before = stub->regs;
	if (!emulation->emulate(stub, &stub->regs, insn))
		return false;
	stub->regs.rip += insn->len;
	stub->regs.rflags &= ~(UINT64_C(1) << 16);
	if (registers_store(stub))
		return true;
	stub->regs = before;
	return false;
}

static enum step_outcome run_natively(struct gdbstub *stub, bool kernel_code, bool own_flags)
{
	struct gdbstub_registers *regs = &stub->regs;
	struct gdbstub_step *step = &stub->step;
	struct gdbstub_thread thread;
	bool window = step->in_range && ++step->steps % WINDOW_STEPS == 0;
	step->masked = kernel_code && !window && (regs->rflags & RFLAGS_IF);
	step->flags_from_code = own_flags;
	step->unbroken = kernel_code && (step->masked || !(regs->rflags & RFLAGS_IF));
	step->cpu = thread_find(stub, step->thread_id, &thread) ? thread.cpu : -1;
	regs->rflags |= RFLAGS_TF;
	if (step->masked)
		regs->rflags &= ~RFLAGS_IF;
	if (!registers_store(stub))
		return STEP_LOST;
	step->active = true;
	return STEP_RUN;
}

enum step_outcome step_prepare(struct gdbstub *stub)
{
	struct gdbstub_registers *regs = registers_load(stub, stub->step.thread_id);
	const uint32_t needed = GDBSTUB_HAS_RFLAGS | GDBSTUB_HAS_SEGMENTS;
	if (!regs || (regs->groups & needed) != needed)
		return STEP_LOST;
	bool kernel_code = !(regs->segment[GDBSTUB_CS] & 3);
	stub->step.pushed_bytes = 0;
	if (breakpoint_wants(stub, regs->rip))
		return run_natively(stub, kernel_code, false);
	struct instruction insn = decode(stub, regs->rip);
	if (insn.opcode == PUSHF)
		stub->step.pushed_bytes = flags_bytes(&insn);
	const struct emulation *emulation = emulation_of(&insn);
	if (kernel_code && emulation && emulate(stub, emulation, &insn))
		return STEP_DONE;
	return run_natively(stub, kernel_code && !enters_kernel(&insn),
			    emulation && emulation->loads_flags);
}

/* A PUSHF was stepped: the code gets its own flags to read back. */
static void mend_pushed(struct gdbstub *stub, uint64_t rsp)
{
	const struct gdbstub_step *step = &stub->step;
	uint64_t flags = 0;
	if (!stack_read(stub, rsp, &flags, step->pushed_bytes))
		return;
	flags = (flags & ~RFLAGS_TF) | (step->masked ? RFLAGS_IF : 0);
	gdbstub_port_write_memory(stub->target, GDBSTUB_VIRTUAL, rsp, &flags, step->pushed_bytes);
}

void step_finish(struct gdbstub *stub, bool completed)
{
	struct gdbstub_step *step = &stub->step;
	struct gdbstub_registers *regs = registers_load(stub, step->thread_id);
	step->active = false;
	if (!regs)
		return; /* the thread is gone, and its flags with it */
	regs->rflags &= ~RFLAGS_TF;
	if (completed && step->pushed_bytes)
		mend_pushed(stub, regs->gpr[GDBSTUB_RSP]);
	if (step->masked && !(completed && step->flags_from_code))
		regs->rflags |= RFLAGS_IF;
	registers_store(stub);
}
