/*
 * Registers and backtraces as lines of text.
 */
#include <kernel/cpu.h>
#include <kernel/image.h>
#include <kernel/ksyms.h>
#include <kernel/printf.h>
#include <kernel/safe_access.h>
#include <kernel/traps.h>

#include <string.h>

#define LINE_MAX   128
#define ULL(value) ((unsigned long long)(value))

static void dump_four(const char *const names[4], const uint64_t values[4], line_fn line,
		      void *context)
{
	char buf[LINE_MAX];

	ksnprintf(buf, sizeof(buf), "%3s %016llx  %3s %016llx  %3s %016llx  %3s %016llx", names[0],
		  ULL(values[0]), names[1], ULL(values[1]), names[2], ULL(values[2]), names[3],
		  ULL(values[3]));
	line(buf, context);
}

static void dump_state(const struct trap_frame *frame, line_fn line, void *context)
{
	char buf[LINE_MAX];

	ksnprintf(buf, sizeof(buf),
		  "rip %016llx  cs %02llx  ss %02llx  rflags %08llx  trap %llu error %llx",
		  ULL(frame->rip), ULL(frame->cs), ULL(frame->ss), ULL(frame->rflags),
		  ULL(frame->vector), ULL(frame->error));
	line(buf, context);
	ksnprintf(buf, sizeof(buf), "cr0 %08llx  cr2 %016llx  cr3 %012llx  cr4 %08llx  efer %04llx",
		  ULL(read_cr0()), ULL(frame->cr2), ULL(read_cr3()), ULL(read_cr4()),
		  ULL(rdmsr(MSR_EFER)));
	line(buf, context);
}

void trap_dump_registers(const struct trap_frame *frame, line_fn line, void *context)
{
	dump_four((const char *const[]){"rax", "rbx", "rcx", "rdx"},
		  (const uint64_t[]){frame->rax, frame->rbx, frame->rcx, frame->rdx}, line,
		  context);
	dump_four((const char *const[]){"rsi", "rdi", "rbp", "rsp"},
		  (const uint64_t[]){frame->rsi, frame->rdi, frame->rbp, frame->rsp}, line,
		  context);
	dump_four((const char *const[]){"r8", "r9", "r10", "r11"},
		  (const uint64_t[]){frame->r8, frame->r9, frame->r10, frame->r11}, line, context);
	dump_four((const char *const[]){"r12", "r13", "r14", "r15"},
		  (const uint64_t[]){frame->r12, frame->r13, frame->r14, frame->r15}, line,
		  context);
	dump_state(frame, line, context);
}

/* ---- backtraces ---- */

/* Return addresses into the entry code, above which lies a trap frame. */
extern const char trap_return[], trap_return_any_gs[];

/* Above trap_dispatch()'s saved rbp and return address: the alignment word, then the frame. */
#define FRAME_ABOVE_RBP 24

void backtrace_from(struct backtrace *walk, uint64_t rip, uint64_t rbp)
{
	*walk = (struct backtrace){.rip = rip, .rbp = rbp};
}

/* Whether the bytes before a return address are an indirect call: ff /2 with a register, or with a
 * register and a byte. */
static bool is_indirect_call(const uint8_t before[5])
{
	return (before[3] == 0xff && (before[4] & 0xf8) == 0xd0) ||
	       (before[2] == 0xff && (before[3] & 0xf8) == 0x50);
}

/* Whether they are a call of the function that `rip` is in. A direct call says so exactly; an
 * indirect one is believed where that function makes no frame at once, or is none (a wild jump). */
static bool is_call_of(uint64_t rip, uint64_t return_address)
{
	uint8_t before[5], first = 0;
	struct ksym function;
	int32_t distance;

	if (!in_text(return_address) ||
	    safe_read(before, return_address - sizeof(before), sizeof(before)) != sizeof(before))
		return false;
	if (!in_text(rip) || !ksyms_lookup(rip, &function))
		return before[0] == 0xe8 || is_indirect_call(before);
	memcpy(&distance, before + 1, sizeof(distance));
	if (before[0] == 0xe8)
		return return_address + (uint64_t)(int64_t)distance == function.address;
	(void)safe_read(&first, function.address, 1);
	return first != 0x55 && is_indirect_call(before);
}

/*
 * A function that makes no frame (or not yet) leaves %rbp to its caller, so that the chain knows
 * nothing of the caller's own address: it is the word on top of the stack.
 */
static void begin_at(struct backtrace *walk, const struct trap_frame *frame)
{
	uint64_t top = 0;

	walk->rip = frame->rip;
	walk->rbp = frame->rbp;
	if (!trap_from_user(frame) && safe_read64(frame->rsp, &top) && is_call_of(frame->rip, top))
		walk->leaf_caller = top;
}

void backtrace_from_frame(struct backtrace *walk, const struct trap_frame *frame)
{
	*walk = (struct backtrace){0};
	begin_at(walk, frame);
}

/* Moves one frame up: rbp points at the caller's rbp, behind it the address to return to. */
static void step(struct backtrace *walk)
{
	uint64_t link[2];

	walk->trap = NULL;
	if (walk->leaf_caller) {
		walk->rip = walk->leaf_caller;
		walk->leaf_caller = 0;
		return;
	}
	if (walk->rbp < UINT64_C(1) << 47 || walk->rbp % 8 != 0 ||
	    safe_read(link, walk->rbp, sizeof(link)) != sizeof(link)) {
		walk->end = true;
		return;
	}
	if (link[1] == (uintptr_t)trap_return || link[1] == (uintptr_t)trap_return_any_gs) {
		const struct trap_frame *frame =
			(const struct trap_frame *)(walk->rbp + FRAME_ABOVE_RBP);
		struct trap_frame copy;

		if (safe_read(&copy, (uintptr_t)frame, sizeof(copy)) != sizeof(copy)) {
			walk->end = true;
			return;
		}
		walk->trap = frame;
		begin_at(walk, &copy);
		return;
	}
	/* Frames lie ever higher on one stack; a chain that turns back is broken. */
	walk->end = link[1] == 0 || (link[0] <= walk->rbp && link[0] != 0);
	walk->rip = link[1];
	walk->rbp = link[0];
}

bool backtrace_next(struct backtrace *walk, uint64_t *rip)
{
	if (walk->end || walk->steps >= BACKTRACE_MAX)
		return false;
	if (walk->steps++ > 0)
		step(walk);
	*rip = walk->rip;
	return !walk->end;
}

/* A return address belongs to the call before it, which may be the last thing in its function. */
static void name_code(char *buf, size_t size, uint64_t rip, bool exact)
{
	struct ksym symbol;

	if (!in_text(rip))
		ksnprintf(buf, size, "outside of the kernel's code");
	else if (ksyms_lookup(exact ? rip : rip - 1, &symbol))
		ksnprintf(buf, size, "%s+0x%llx", symbol.name, ULL(rip - symbol.address));
	else
		ksnprintf(buf, size, "no symbol");
}

void backtrace_dump(const struct trap_frame *frame, line_fn line, void *context)
{
	struct backtrace walk;
	char buf[LINE_MAX], symbol[KSYMS_TEXT_MAX];
	uint64_t rip;

	if (frame)
		backtrace_from_frame(&walk, frame);
	else
		backtrace_from(&walk, (uintptr_t)__builtin_return_address(0),
			       *(const uint64_t *)__builtin_frame_address(0));
	for (unsigned i = 0; backtrace_next(&walk, &rip); i++) {
		bool exact = (i == 0 && frame) || walk.trap;

		if (walk.trap) {
			ksnprintf(buf, sizeof(buf), "    -- %s --", trap_name(walk.trap->vector));
			line(buf, context);
		}
		name_code(symbol, sizeof(symbol), rip, exact);
		ksnprintf(buf, sizeof(buf), "#%-2u %016llx %s", i, ULL(rip), symbol);
		line(buf, context);
	}
}
