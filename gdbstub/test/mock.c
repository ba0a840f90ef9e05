#include "mock.h"

#include <stdlib.h>
#include <string.h>

#define RFLAGS_ZF (UINT64_C(1) << 6)
#define RFLAGS_TF (UINT64_C(1) << 8)
#define RFLAGS_IF (UINT64_C(1) << 9)
#define RFLAGS_RF (UINT64_C(1) << 16)

/* An endless program: a loop of 100, a store, PUSHF/POPF with CLI/STI, and a call. */
const uint8_t mock_program[] = {
	0x48, 0xc7, 0xc1, 100,	0,    0,    0,		/* 00 mov $100, %rcx */
	0x48, 0xff, 0xc9,				/* 07 dec %rcx */
	0x75, 0xfb,					/* 0a jnz 07 */
	0x48, 0xff, 0x04, 0x25, 0x00, 0x40, 0x10, 0x00, /* 0c incq 0x104000 */
	0x9c,						/* 14 pushf */
	0xfa,						/* 15 cli */
	0x90,						/* 16 nop */
	0x9d,						/* 17 popf */
	0xfb,						/* 18 sti */
	0xf4,						/* 19 hlt */
	0xe8, 0x10, 0x00, 0x00, 0x00,			/* 1a call 2f */
	0x48, 0x8b, 0x04, 0x25, 0x00, 0x40, 0x10, 0x00, /* 1f mov 0x104000, %rax */
	0xeb, 0xd7,					/* 27 jmp 00 */
	0x0f, 0x0b,					/* 29 ud2 */
	0xcc,						/* 2b int3 */
	0x90, 0xeb, 0xfd,				/* 2c nop; 2d jmp 2c */
	0x55,						/* 2f push %rbp */
	0x5d,						/* 30 pop %rbp */
	0xc3,						/* 31 ret */
	0x48, 0xcf,					/* 32 iretq */
};
const size_t mock_program_len = sizeof mock_program;

/* ---- memory ---- */

static uint8_t *ram(struct mock *mock, enum gdbstub_space space, uint64_t address, size_t *left)
{
	uint64_t base = space == GDBSTUB_PHYSICAL ? MOCK_PHYSICAL : MOCK_BASE;
	if (space == GDBSTUB_VIRTUAL && address >= MOCK_TOP) {
		*left = (size_t)(UINT64_MAX - address) + 1;
		return mock->ram + MOCK_BYTES - *left;
	}
	if (address < base || address - base >= MOCK_BYTES)
		return NULL;
	*left = MOCK_BYTES - (size_t)(address - base);
	return mock->ram + (address - base);
}

size_t gdbstub_port_read_memory(void *target, enum gdbstub_space space, uint64_t address, void *out,
				size_t len_bytes)
{
	size_t left;
	const uint8_t *at = ram(target, space, address, &left);
	if (!at)
		return 0;
	size_t len = len_bytes < left ? len_bytes : left;
	memcpy(out, at, len);
	return len;
}

size_t gdbstub_port_write_memory(void *target, enum gdbstub_space space, uint64_t address,
				 const void *bytes, size_t len_bytes)
{
	size_t left;
	uint8_t *at = ram(target, space, address, &left);
	if (!at)
		return 0;
	size_t len = len_bytes < left ? len_bytes : left;
	memcpy(at, bytes, len);
	return len;
}

bool gdbstub_port_region(void *target, uint64_t address, struct gdbstub_region *region)
{
	struct mock *mock = target;
	uint64_t end = MOCK_BASE + MOCK_BYTES;
	*region = (struct gdbstub_region){.permanent = mock->complete_map};
	if (address < MOCK_BASE) {
		region->last = MOCK_BASE - 1;
	} else if (address < end) {
		region->start = MOCK_BASE;
		region->last = end - 1;
		region->mapped = region->readable = region->writable = region->executable = true;
		strcpy(region->name, "ram");
	} else {
		region->start = end;
		region->last = UINT64_MAX;
	}
	return true;
}

bool gdbstub_port_is_protected(void *target, uint64_t address, uint64_t len_bytes)
{
	(void)target;
	return address < MOCK_PROTECTED + 256 && address + len_bytes > MOCK_PROTECTED;
}

/* ---- threads ---- */

bool gdbstub_port_next_thread(void *target, uint64_t after_id, struct gdbstub_thread *thread)
{
	static const struct gdbstub_thread threads[] = {
		{MOCK_MAIN,    0,  true,  "main",	     "running"},
		{MOCK_IDLE,    1,  true,  "idle/1",    "running"},
		{MOCK_BLOCKED, -1, false, "a<b&\"c\"", "waiting"},
	};
	const struct mock *mock = target;
	for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
		if (threads[i].id <= after_id)
			continue;
		*thread = threads[i];
		if (mock->switched && thread->id != MOCK_IDLE) {
			thread->running = thread->id == MOCK_BLOCKED;
			thread->cpu = thread->running ? 0 : -1;
		}
		return true;
	}
	return false;
}

static struct gdbstub_registers *registers_of(struct mock *mock, uint64_t id)
{
	if (id == MOCK_MAIN || id == MOCK_BLOCKED)
		return (id == MOCK_BLOCKED) == mock->switched ? &mock->main : &mock->blocked;
	return id == MOCK_IDLE ? &mock->idle : NULL;
}

bool gdbstub_port_read_registers(void *target, uint64_t thread_id, struct gdbstub_registers *regs)
{
	const struct gdbstub_registers *from = registers_of(target, thread_id);
	if (from)
		*regs = *from;
	return from != NULL;
}

bool gdbstub_port_write_registers(void *target, uint64_t thread_id,
				  const struct gdbstub_registers *regs)
{
	struct mock *mock = target;
	struct gdbstub_registers *to = registers_of(mock, thread_id);
	bool canonical = (uint64_t)((int64_t)(regs->rip << 16) >> 16) == regs->rip;
	if (!to || mock->reject_registers || !canonical || regs->segment[GDBSTUB_CS] == 0xbad)
		return false;
	*to = *regs;
	return true;
}

void gdbstub_port_set_debug_registers(void *target, const struct gdbstub_debug_registers *regs)
{
	((struct mock *)target)->debug = *regs;
}

/* ---- the line ---- */

static int scripted_byte(struct mock *mock)
{
	return mock->input_at < mock->input_len ? mock->input[mock->input_at++]
						: GDBSTUB_LINE_SILENT;
}

static int line_byte(struct mock *mock, uint32_t wait_ms)
{
	return mock->next_byte ? mock->next_byte(mock, wait_ms) : scripted_byte(mock);
}

static void check(struct mock *mock)
{
	const char *broken = gdbstub_check(&mock->stub);
	if (broken && !mock->broken)
		mock->broken = broken;
}

int gdbstub_port_read_byte(void *target, uint32_t wait_ms)
{
	struct mock *mock = target;
	if (wait_ms)
		check(mock);
	/* A script's bytes are for the moments when the stub waits, or for one that runs too long.
	 */
	if (wait_ms)
		mock->run_start = mock->instructions;
	else if (!mock->next_byte && mock->instructions - mock->run_start <= MOCK_PATIENCE)
		return GDBSTUB_LINE_SILENT;
	int byte = mock->ended ? GDBSTUB_LINE_LOST : line_byte(mock, wait_ms);
	if (mock->next_byte || byte >= 0)
		return byte;
	if (mock->quiet_end && wait_ms != GDBSTUB_FOREVER) {
		mock->silence_ms += wait_ms;
		return GDBSTUB_LINE_SILENT;
	}
	mock->abandoned |= wait_ms != 0;
	return GDBSTUB_LINE_LOST;
}

void gdbstub_port_write(void *target, const void *bytes, size_t len_bytes)
{
	struct mock *mock = target;
	mock->writes++;
	if (mock->send) {
		mock->send(mock, bytes, len_bytes);
		return;
	}
	if (mock->output_len + len_bytes > mock->output_cap) {
		mock->output_cap = (mock->output_len + len_bytes) * 2;
		mock->output = realloc(mock->output, mock->output_cap);
		if (!mock->output)
			abort();
	}
	memcpy(mock->output + mock->output_len, bytes, len_bytes);
	mock->output_len += len_bytes;
}

/* ---- control ---- */

bool gdbstub_port_monitor(void *target, struct gdbstub *stub, const char *command)
{
	(void)target;
	if (!strcmp(command, "help")) {
		gdbstub_print(stub, "echo TEXT\nflood\n", 16);
		return true;
	}
	if (!strncmp(command, "echo ", 5)) {
		gdbstub_print(stub, command + 5, strlen(command + 5));
		return true;
	}
	if (!strcmp(command, "flood")) {
		for (int i = 0; i < 5000; i++)
			gdbstub_print(stub, "0123456789", 10);
		return true;
	}
	gdbstub_print(stub, "unknown command\n", 16);
	return false;
}

void gdbstub_port_end(void *target, enum gdbstub_end how)
{
	struct mock *mock = target;
	mock->ended = how == GDBSTUB_KILL;
	mock->restarted = how == GDBSTUB_RESTART;
}

/* ---- the CPU ---- */

static void note_access(struct mock *mock, uint64_t address, unsigned len, bool write)
{
	for (unsigned n = 0; n < 4; n++) {
		static const unsigned lengths[] = {1, 2, 8, 4};
		unsigned type = mock->debug.dr7 >> (16 + 4 * n) & 3;
		unsigned watched = lengths[mock->debug.dr7 >> (18 + 4 * n) & 3];
		uint64_t at = mock->debug.address[n];
		if ((mock->debug.dr7 >> 2 * n & 3) && (type == 3 || (type == 1 && write)) &&
		    address < at + watched && at < address + len)
			mock->dr6 |= 1u << n;
	}
}

static bool load(struct mock *mock, uint64_t address, uint64_t *value)
{
	note_access(mock, address, 8, false);
	return gdbstub_port_read_memory(mock, GDBSTUB_VIRTUAL, address, value, 8) == 8;
}

static bool store(struct mock *mock, uint64_t address, uint64_t value)
{
	note_access(mock, address, 8, true);
	return gdbstub_port_write_memory(mock, GDBSTUB_VIRTUAL, address, &value, 8) == 8;
}

static bool push(struct mock *mock, uint64_t value)
{
	if (!store(mock, mock->main.gpr[GDBSTUB_RSP] - 8, value))
		return false;
	mock->main.gpr[GDBSTUB_RSP] -= 8;
	return true;
}

static bool pop(struct mock *mock, uint64_t *value)
{
	if (!load(mock, mock->main.gpr[GDBSTUB_RSP], value))
		return false;
	mock->main.gpr[GDBSTUB_RSP] += 8;
	return true;
}

static void set_zero(struct mock *mock, uint64_t value)
{
	mock->main.rflags = (mock->main.rflags & ~RFLAGS_ZF) | (value ? 0 : RFLAGS_ZF);
}

enum outcome { RAN, TRAP_INT3, FAULT_OPCODE, FAULT_PAGE };

static int32_t immediate(const uint8_t *at)
{
	int32_t value;
	memcpy(&value, at, sizeof value);
	return value;
}

static enum outcome rex_instruction(struct mock *mock, const uint8_t *code)
{
	struct gdbstub_registers *r = &mock->main;
	uint64_t value;
	if (code[1] == 0xff && (code[2] & 0xf0) == 0xc0) { /* inc, dec */
		uint64_t *reg = &r->gpr[code[2] & 7];
		*reg += code[2] & 8 ? UINT64_MAX : 1;
		set_zero(mock, *reg);
		r->rip += 3;
	} else if (code[1] == 0xc7 && (code[2] & 0xf8) == 0xc0) {
		r->gpr[code[2] & 7] = (uint64_t)(int64_t)immediate(code + 3);
		r->rip += 7;
	} else if (code[1] == 0x89 && code[2] == 0xe5) {
		r->gpr[GDBSTUB_RBP] = r->gpr[GDBSTUB_RSP];
		r->rip += 3;
	} else if (code[1] == 0xff && code[2] == 0x04 && code[3] == 0x25) {
		uint64_t at = (uint64_t)(int64_t)immediate(code + 4);
		if (!load(mock, at, &value) || !store(mock, at, value + 1))
			return FAULT_PAGE;
		set_zero(mock, value + 1);
		r->rip += 8;
	} else if ((code[1] == 0x8b || code[1] == 0x89) && code[2] == 0x04 && code[3] == 0x25) {
		uint64_t at = (uint64_t)(int64_t)immediate(code + 4);
		if (code[1] == 0x8b ? !load(mock, at, &r->gpr[GDBSTUB_RAX])
				    : !store(mock, at, r->gpr[GDBSTUB_RAX]))
			return FAULT_PAGE;
		r->rip += 8;
	} else if (code[1] == 0xcf) {
		uint64_t frame[5];
		for (int i = 0; i < 5; i++)
			if (!load(mock, r->gpr[GDBSTUB_RSP] + 8 * (uint64_t)i, &frame[i]))
				return FAULT_PAGE;
		r->rip = frame[0];
		r->segment[GDBSTUB_CS] = (uint16_t)frame[1];
		r->rflags = frame[2] | 2;
		r->gpr[GDBSTUB_RSP] = frame[3];
		r->segment[GDBSTUB_SS] = (uint16_t)frame[4];
	} else {
		return FAULT_OPCODE;
	}
	return RAN;
}

static enum outcome stack_instruction(struct mock *mock, const uint8_t *code)
{
	struct gdbstub_registers *r = &mock->main;
	uint64_t value;
	if (code[0] < 0x58) {
		if (!push(mock, r->gpr[code[0] & 7]))
			return FAULT_PAGE;
	} else {
		if (!pop(mock, &value))
			return FAULT_PAGE;
		r->gpr[code[0] & 7] = value;
	}
	r->rip++;
	return RAN;
}

static enum outcome jump(struct mock *mock, const uint8_t *code)
{
	struct gdbstub_registers *r = &mock->main;
	bool zero = r->rflags & RFLAGS_ZF;
	bool taken = code[0] == 0xeb || (code[0] == 0x75 ? !zero : zero);
	r->rip += 2 + (uint64_t)(taken ? (int64_t)(int8_t)code[1] : 0);
	return RAN;
}

static enum outcome flag_instruction(struct mock *mock, uint8_t opcode)
{
	struct gdbstub_registers *r = &mock->main;
	uint64_t value;
	if (opcode == 0x9c && !push(mock, r->rflags & ~RFLAGS_RF))
		return FAULT_PAGE;
	if (opcode == 0x9d) {
		if (!pop(mock, &value))
			return FAULT_PAGE;
		r->rflags = value | 2;
	}
	if (opcode == 0xfa)
		r->rflags &= ~RFLAGS_IF;
	if (opcode == 0xfb)
		r->rflags |= RFLAGS_IF;
	r->rip++;
	return RAN;
}

static enum outcome execute(struct mock *mock)
{
	struct gdbstub_registers *r = &mock->main;
	uint8_t code[16] = {0};
	uint64_t value;
	if (!gdbstub_port_read_memory(mock, GDBSTUB_VIRTUAL, r->rip, code, sizeof code))
		return FAULT_PAGE;
	switch (code[0]) {
	case 0x90:
		r->rip++;
		return RAN;
	case 0xcc:
		r->rip++;
		return TRAP_INT3;
	case 0xf4:
		mock->hung = !(r->rflags & RFLAGS_IF);
		mock->interrupt_pending = true;
		r->rip++;
		return RAN;
	case MOCK_SWITCH:
		mock->switched = !mock->switched;
		r->rip++;
		return RAN;
	case 0x9c:
	case 0x9d:
	case 0xfa:
	case 0xfb:
		return flag_instruction(mock, code[0]);
	case 0x74:
	case 0x75:
	case 0xeb:
		return jump(mock, code);
	case 0xe9:
		r->rip += 5 + (uint64_t)(int64_t)immediate(code + 1);
		return RAN;
	case 0xe8:
		if (!push(mock, r->rip + 5))
			return FAULT_PAGE;
		r->rip += 5 + (uint64_t)(int64_t)immediate(code + 1);
		return RAN;
	case 0xc3:
		if (!pop(mock, &value))
			return FAULT_PAGE;
		r->rip = value;
		return RAN;
	case 0x48:
		return rex_instruction(mock, code);
	default:
		return (code[0] & 0xf0) == 0x50 ? stack_instruction(mock, code) : FAULT_OPCODE;
	}
}

/* As on the real machine the trap's frame lies right below the stopped code's stack pointer: what
 * anybody writes there meanwhile is gone. */
static void pop_frame(struct mock *mock, uint64_t rsp)
{
	enum { FRAME_BYTES = 200 };
	if (rsp >= MOCK_BASE + 0x7000 && rsp <= MOCK_BASE + 0xa000)
		memset(mock->ram + (rsp - MOCK_BASE) - FRAME_BYTES, 0xee, FRAME_BYTES);
}

static void stop(struct mock *mock, struct gdbstub_event event)
{
	uint64_t rsp = mock->main.gpr[GDBSTUB_RSP];
	event.thread_id = mock->switched ? MOCK_BLOCKED : MOCK_MAIN;
	mock->entries++;
	struct gdbstub_resume resume = gdbstub_stopped(&mock->stub, &event);
	pop_frame(mock, rsp);
	check(mock);
	mock->held += !resume.others_run;
	mock->alone += resume.abandoned;
	if (event.cause == GDBSTUB_CAUSE_FAULT && resume.deliver)
		mock->delivered = true;
}

void mock_stop(struct mock *mock, enum gdbstub_cause cause)
{
	stop(mock, (struct gdbstub_event){.cause = cause});
}

static bool execute_breakpoint(struct mock *mock)
{
	for (unsigned n = 0; n < 4; n++)
		if ((mock->debug.dr7 >> 2 * n & 3) && !(mock->debug.dr7 >> (16 + 4 * n) & 3) &&
		    mock->debug.address[n] == mock->main.rip)
			mock->dr6 |= 1u << n;
	return mock->dr6 != 0;
}

static void debug_trap(struct mock *mock)
{
	uint64_t dr6 = mock->dr6;
	mock->dr6 = 0;
	stop(mock, (struct gdbstub_event){.cause = GDBSTUB_CAUSE_DEBUG, .dr6 = dr6});
}

/* The handler of the interrupt: runs whole, at full speed, and sees the flags of its victim. */
static void interrupt(struct mock *mock)
{
	if (mock->interrupt_period && mock->instructions % mock->interrupt_period == 0)
		mock->interrupt_pending = true;
	if (!mock->interrupt_pending || !(mock->main.rflags & RFLAGS_IF))
		return;
	mock->interrupt_pending = false;
	mock->interrupts++;
}

static void instruction(struct mock *mock)
{
	interrupt(mock);
	if (execute_breakpoint(mock)) {
		debug_trap(mock);
		return;
	}
	bool trap = mock->main.rflags & RFLAGS_TF;
	mock->seen_rflags = mock->main.rflags;
	mock->instructions++;
	struct gdbstub_registers before = mock->main;
	enum outcome outcome = execute(mock);
	if (outcome == FAULT_PAGE || outcome == FAULT_OPCODE) {
		mock->main = before;
		mock->dr6 = 0;
		stop(mock, (struct gdbstub_event){.cause = GDBSTUB_CAUSE_FAULT,
						  .vector = outcome == FAULT_PAGE ? 14 : 6,
						  .text = "page fault or bad opcode"});
	} else if (outcome == TRAP_INT3) {
		stop(mock, (struct gdbstub_event){.cause = GDBSTUB_CAUSE_BREAKPOINT});
	} else if (trap || mock->dr6) {
		mock->dr6 |= trap ? 1u << 14 : 0;
		debug_trap(mock);
	}
}

bool mock_run(struct mock *mock, unsigned budget)
{
	mock->abandoned = false;
	for (unsigned i = 0; i < budget; i++) {
		if (mock->ended || mock->hung || mock->delivered || mock->abandoned)
			return false;
		/* With TF set the receive interrupt has no chance; nor has it with IF clear. */
		bool open = (mock->main.rflags & (RFLAGS_IF | RFLAGS_TF)) == RFLAGS_IF;
		bool heard = mock->next_byte ? i % 64 == 0
					     : mock->instructions - mock->run_start > MOCK_PATIENCE;
		if (open && heard) {
			int byte = line_byte(mock, 0);
			if (byte >= 0 && gdbstub_rx_byte(&mock->stub, (uint8_t)byte))
				mock_stop(mock, GDBSTUB_CAUSE_REQUEST);
		}
		instruction(mock);
	}
	return true;
}

/* ---- setting up ---- */

static struct gdbstub_registers registers_at(uint64_t rip, uint64_t rsp)
{
	struct gdbstub_registers regs = {.rip = rip,
					 .rflags = RFLAGS_IF | 2,
					 .gprs_known = 0xffff,
					 .groups = GDBSTUB_HAS_ALL};
	for (unsigned i = 0; i < GDBSTUB_GPRS; i++)
		regs.gpr[i] = 0x1111111111111111u * i;
	regs.gpr[GDBSTUB_RSP] = rsp;
	regs.segment[GDBSTUB_CS] = 8;
	regs.segment[GDBSTUB_SS] = 16;
	regs.gs_base = 0xffff800000001000u;
	regs.control[GDBSTUB_CR0] = 0x80050033;
	regs.control[GDBSTUB_CR3] = 0x1000;
	regs.control[GDBSTUB_EFER] = 0xd01;
	regs.fxsave[0] = 0x7f;
	regs.fxsave[1] = 3;
	regs.fxsave[24] = 0x80;
	regs.fxsave[25] = 0x1f;
	return regs;
}

void mock_init(struct mock *mock, const uint8_t *code, size_t len)
{
	memset(mock, 0, sizeof *mock);
	memcpy(mock->ram, code ? code : mock_program, code ? len : sizeof mock_program);
	uint64_t seed = 0x9e3779b97f4a7c15u;
	for (uint64_t at = MOCK_NOISE - MOCK_BASE; at < 0xe000; at++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		mock->ram[at] = (uint8_t)(seed >> 56);
	}
	mock->main = registers_at(MOCK_BASE, MOCK_STACK);
	mock->idle = registers_at(MOCK_BASE + 0x19, MOCK_STACK + 0x800);
	mock->blocked = registers_at(MOCK_BASE + 0x31, MOCK_STACK + 0x1000);
	mock->blocked.groups = 0;
	mock->blocked.gprs_known = 1u << GDBSTUB_RBX | 1u << GDBSTUB_RBP | 1u << GDBSTUB_RSP;
	gdbstub_init(&mock->stub, mock, GDBSTUB_ANSWER_MS);
}

void mock_free(struct mock *mock)
{
	free(mock->output);
}
