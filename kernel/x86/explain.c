/*
 * Why did it trap? The cause in words, for people: what was accessed, how, why it was refused, and
 * what lies at that address.
 */
#include <kernel/canary.h>
#include <kernel/cpu.h>
#include <kernel/image.h>
#include <kernel/ksyms.h>
#include <kernel/paging.h>
#include <kernel/printf.h>
#include <kernel/stacks.h>
#include <kernel/traps.h>

static const char *const trap_names[TRAP_FIRST_INTERRUPT] = {
	[TRAP_DIVIDE] = "division error",
	[TRAP_DEBUG] = "debug trap",
	[TRAP_NMI] = "non-maskable interrupt",
	[TRAP_BREAKPOINT] = "breakpoint",
	[TRAP_OVERFLOW] = "overflow trap",
	[TRAP_BOUND] = "bound range exceeded",
	[TRAP_INVALID_OPCODE] = "invalid opcode",
	[TRAP_NO_DEVICE] = "FPU not available",
	[TRAP_DOUBLE_FAULT] = "double fault",
	[TRAP_INVALID_TSS] = "invalid task state segment",
	[TRAP_SEGMENT_MISSING] = "segment not present",
	[TRAP_STACK_SEGMENT] = "stack segment fault",
	[TRAP_PROTECTION] = "general protection fault",
	[TRAP_PAGE_FAULT] = "page fault",
	[TRAP_FLOATING_POINT] = "x87 floating-point error",
	[TRAP_ALIGNMENT] = "alignment check",
	[TRAP_MACHINE_CHECK] = "machine check",
	[TRAP_SIMD] = "SIMD floating-point error",
	[20] = "virtualization exception",
	[21] = "control protection exception",
	[28] = "hypervisor injection exception",
	[29] = "VMM communication exception",
	[30] = "security exception",
};

const char *trap_name(uint64_t vector)
{
	if (vector >= TRAP_FIRST_INTERRUPT)
		return "interrupt";
	return trap_names[vector] ? trap_names[vector] : "reserved exception";
}

/* The first and the last page are the ones that broken pointers are near to. */
#define NEAR_NULL 65536u

static void describe_stack(struct text *out, const struct kstack_place *place)
{
	if (place->guard)
		text_add(out, "It is the guard page of the %s: the stack overflowed. ",
			 place->stack);
	else
		text_add(out, "It lies in the %s. ", place->stack);
}

static void describe_image(struct text *out, uint64_t address)
{
	char symbol[KSYMS_TEXT_MAX];
	const char *what = "data";

	if (in_text(address))
		what = "code";
	else if ((address >= (uintptr_t)rodata_start && address < (uintptr_t)rodata_end) ||
		 (address >= (uintptr_t)ksyms_start && address < (uintptr_t)ksyms_end))
		what = "constants";
	text_add(out, "It lies in the kernel's %s (%s). ", what,
		 ksyms_format(symbol, sizeof(symbol), address));
}

/* What lies at an address that could not be accessed. */
static void describe_place(struct text *out, uint64_t address)
{
	struct kstack_place place;

	if (address < NEAR_NULL)
		text_add(out, "A null pointer, or a field at offset 0x%llx of one. ",
			 (unsigned long long)address);
	else if (address >= UINT64_MAX - NEAR_NULL)
		text_add(out, "Minus %llu: an error number or a negative index used as a pointer. ",
			 (unsigned long long)(0 - address));
	else if (kstack_find(address, &place))
		describe_stack(out, &place);
	else if (in_image(address))
		describe_image(out, address);
	else if (address < UINT64_C(1) << 47)
		text_add(out, "A user address. ");
	else if (address >= DIRECT_MAP_BASE && address < DEVICE_WINDOW_BASE)
		text_add(out, "In the direct map it would be physical 0x%llx. ",
			 (unsigned long long)(address - DIRECT_MAP_BASE));
	else if (address >= DEVICE_WINDOW_BASE && address < STACK_WINDOW_BASE)
		text_add(out, "It lies in the device window. ");
}

static const char *page_bytes_name(uint64_t bytes)
{
	return bytes == 4096 ? "4 KiB" : bytes == UINT64_C(1) << 21 ? "2 MiB" : "1 GiB";
}

/* Which right was missing, by the entry that maps the page and the control registers. */
static void describe_refusal(struct text *out, const struct trap_frame *frame)
{
	struct paging_entry entry;
	bool found = paging_lookup(frame->cr2, &entry);
	bool user = (frame->error & PF_USER) != 0;

	if (frame->error & PF_RESERVED) {
		text_add(out,
			 "An entry of its page tables has a reserved bit set: they are corrupt. ");
		return;
	}
	if (!found) {
		text_add(out, "Its page is mapped by now. ");
		return;
	}
	text_add(out, "The %s page there is %s%s, %s%s. ", page_bytes_name(entry.bytes),
		 entry.writable ? "writable" : "read-only",
		 entry.executable ? ", executable" : ", no-execute",
		 entry.user ? "a user page" : "a kernel page", entry.cacheable ? "" : ", uncached");
	if (frame->error & PF_FETCH)
		text_add(out, entry.executable && entry.user && !user
				      ? "The kernel may not execute user pages (SMEP). "
				      : "It may not be executed. ");
	else if (entry.user && !user && (entry.writable || !(frame->error & PF_WRITE)))
		text_add(out, "The kernel may not access user pages unasked (SMAP). ");
	else if (!entry.user && user)
		text_add(out, "Ring 3 may not access it. ");
	else if ((frame->error & PF_WRITE) && !entry.writable)
		text_add(out, "It may not be written. ");
}

static void explain_page_fault(struct text *out, const struct trap_frame *frame)
{
	const char *verb = frame->error & PF_FETCH   ? "execute"
			   : frame->error & PF_WRITE ? "write to"
						     : "read";

	text_add(out, "%s tried to %s 0x%llx: ", frame->error & PF_USER ? "ring 3" : "the kernel",
		 verb, (unsigned long long)frame->cr2);
	if (frame->error & PF_PRESENT)
		describe_refusal(out, frame);
	else
		text_add(out, "nothing is mapped there. ");
	describe_place(out, frame->cr2);
}

/* The registers that hold an address no CPU can use: one of them is usually the culprit. */
static void name_non_canonical(struct text *out, const struct trap_frame *frame)
{
	const struct {
		const char *name;
		uint64_t value;
	} registers[] = {
		{"rax", frame->rax},
		     {"rbx", frame->rbx},
		  {"rcx", frame->rcx},
		       {"rdx", frame->rdx},
		{"rsi", frame->rsi},
		     {"rdi", frame->rdi},
		  {"rbp", frame->rbp},
		       {"rsp", frame->rsp},
		{"r8",  frame->r8 },
		     {"r9",  frame->r9 },
		  {"r10", frame->r10},
		       {"r11", frame->r11},
		{"r12", frame->r12},
		     {"r13", frame->r13},
		  {"r14", frame->r14},
		       {"r15", frame->r15},
	};

	for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++)
		if (!paging_canonical(registers[i].value))
			text_add(out, "%s = 0x%llx is no canonical address. ", registers[i].name,
				 (unsigned long long)registers[i].value);
}

static void explain_protection(struct text *out, const struct trap_frame *frame)
{
	static const char *const tables[] = {"GDT", "IDT", "LDT", "IDT"};

	if (frame->error != 0) {
		text_add(out, "selector 0x%llx, entry %llu of the %s%s. ",
			 (unsigned long long)(frame->error & 0xfff8),
			 (unsigned long long)(frame->error >> 3 & 0x1fff),
			 tables[frame->error >> 1 & 3],
			 frame->error & 1 ? ", while an interrupt was delivered" : "");
		return;
	}
	if (trap_from_user(frame))
		text_add(out, "ring 3 used a privileged instruction or a bad address. ");
	else
		text_add(out, "a bad address or a bad operand of a privileged instruction. ");
	name_non_canonical(out, frame);
}

static void explain_double_fault(struct text *out, const struct trap_frame *frame)
{
	struct kstack_place place;

	text_add(out, "a fault could not be delivered. ");
	if (kstack_find(frame->cr2, &place) && place.guard)
		describe_stack(out, &place);
	else if (kstack_find(frame->rsp, &place))
		describe_stack(out, &place);
	else
		text_add(out, "The stack pointer 0x%llx points at no kernel stack. ",
			 (unsigned long long)frame->rsp);
}

static void explain_opcode(struct text *out, const struct trap_frame *frame)
{
	if (canary_failed_at(frame->rip))
		text_add(out, "a function wrote past the end of a buffer on its stack (the stack "
			      "protector's canary is overwritten); it is the next one in the "
			      "backtrace. ");
	else
		text_add(out, "the CPU does not know this instruction, or the compiler marked this "
			      "place as never reached (ud2). ");
}

static void explain_machine_check(struct text *out, const struct trap_frame *frame)
{
	(void)frame;
	text_add(out, "the hardware reports an error of its own. ");
}

static const struct {
	uint8_t vector;
	void (*explain)(struct text *out, const struct trap_frame *frame);
} explanations[] = {
	{TRAP_PAGE_FAULT,	  explain_page_fault   },
	  {TRAP_PROTECTION,	    explain_protection   },
	{TRAP_STACK_SEGMENT,   explain_protection   },
	  {TRAP_SEGMENT_MISSING, explain_protection   },
	{TRAP_INVALID_TSS,	   explain_protection   },
	  {TRAP_DOUBLE_FAULT,    explain_double_fault },
	{TRAP_INVALID_OPCODE,  explain_opcode	    },
	  {TRAP_MACHINE_CHECK,   explain_machine_check},
};

const char *trap_explain(const struct trap_frame *frame, char *buf, size_t size)
{
	struct text out = {buf, size, 0, 0};

	text_add(&out, "%s", trap_name(frame->vector));
	if (frame->vector >= TRAP_FIRST_INTERRUPT)
		text_add(&out, " %llu", (unsigned long long)frame->vector);
	for (size_t i = 0; i < sizeof(explanations) / sizeof(explanations[0]); i++) {
		if (explanations[i].vector != frame->vector)
			continue;
		text_add(&out, ": ");
		explanations[i].explain(&out, frame);
	}
	while (out.len > 0 && buf[out.len - 1] == ' ')
		buf[--out.len] = '\0';
	return buf;
}
