/*
 * Self-tests of the protections. Each one does the forbidden thing and expects the fault; each
 * fails when its protection is off (boot parameter weaken=), which tests/boot/security.bats sees
 * to.
 */
#include <kernel/canary.h>
#include <kernel/cpu.h>
#include <kernel/image.h>
#include <kernel/paging.h>
#include <kernel/percpu.h>
#include <kernel/safe_access.h>
#include <kernel/selftest.h>
#include <kernel/stacks.h>
#include <kernel/thread.h>
#include <kernel/traps.h>
#include <kernel/user.h>

#include <string.h>

#define ULL(value) ((unsigned long long)(value))

/* ---- doing what is forbidden ---- */

struct access {
	uintptr_t address;
	bool write;
	uint8_t value; /* written */
};

static void touch(void *argument)
{
	const struct access *access = argument;
	volatile uint8_t *at = (volatile uint8_t *)access->address;

	if (access->write)
		*at = access->value;
	else
		(void)*at;
}

static void execute(void *argument)
{
	((void (*)(void))(uintptr_t)argument)();
}

static bool try_access(uintptr_t address, bool write, struct trap_frame *trap)
{
	struct access access = {address, write, 0};

	memset(trap, 0, sizeof(*trap));
	/* What is there stays there, should the write succeed. */
	(void)safe_read(&access.value, address, 1);
	preempt_disable();

	bool survived = trap_try(touch, &access, trap);

	preempt_enable();
	return survived;
}

static bool try_execute(uintptr_t address, struct trap_frame *trap)
{
	memset(trap, 0, sizeof(*trap));
	preempt_disable();

	bool survived = trap_try(execute, (void *)address, trap);

	preempt_enable();
	return survived;
}

/* Expects a page fault at `address` with the error bits `set` set and `clear` clear. */
static void expect_page_fault(bool survived, const struct trap_frame *trap, uintptr_t address,
			      uint32_t set, uint32_t clear, const char *what)
{
	if (!ST_EXPECT(!survived, "%s at 0x%llx did not fault", what, ULL(address)))
		return;
	ST_EXPECT(trap->vector == TRAP_PAGE_FAULT && trap->cr2 == address &&
			  (trap->error & set) == set && (trap->error & clear) == 0,
		  "%s at 0x%llx: trap %llu, error 0x%llx, cr2 0x%llx", what, ULL(address),
		  ULL(trap->vector), ULL(trap->error), ULL(trap->cr2));
}

/* ---- the tables as they are ---- */

static bool overlaps(const struct paging_entry *entry, const char *start, const char *end)
{
	uint64_t from = virt_to_phys(start).value, to = from + (uint64_t)(end - start);

	return entry->physical.value < to && from < entry->physical.value + entry->bytes;
}

static void check_leaf(const struct paging_entry *entry)
{
	bool constant = overlaps(entry, text_start, rodata_end) ||
			overlaps(entry, ksyms_start, ksyms_end);

	ST_EXPECT(!entry->writable || !entry->executable || !cpu_features.nx,
		  "0x%llx is writable and executable", ULL(entry->start));
	ST_EXPECT(!entry->executable || in_text(entry->start) || !cpu_features.nx,
		  "0x%llx is executable and no code", ULL(entry->start));
	ST_EXPECT(!entry->writable || !constant,
		  "0x%llx is a writable address of code or constants", ULL(entry->start));
	ST_EXPECT(!entry->user, "0x%llx is open to ring 3", ULL(entry->start));
	ST_EXPECT(entry->start >= DIRECT_MAP_BASE, "0x%llx is mapped in the user half",
		  ULL(entry->start));
}

SELFTEST(wx_everywhere, "security.wx")
{
	struct paging_entry entry;
	uint64_t cursor = 0;
	unsigned leaves = 0;

	while (paging_visit(&cursor, &entry)) {
		check_leaf(&entry);
		leaves++;
	}
	ST_EXPECT(leaves > 10, "only %u leaves found", leaves);
	selftest_note("%u leaves", leaves);
}

SELFTEST(code_is_read_only, "security.code")
{
	struct trap_frame trap;
	const char *places[] = {text_start, (const char *)((uintptr_t)text_end - 1),
				(const char *)(uintptr_t)code_is_read_only};

	for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		uintptr_t address = (uintptr_t)places[i];

		expect_page_fault(try_access(address, true, &trap), &trap, address,
				  PF_PRESENT | PF_WRITE, PF_USER, "a write to code");
		address = DIRECT_MAP_BASE + virt_to_phys(places[i]).value;
		expect_page_fault(try_access(address, true, &trap), &trap, address,
				  PF_PRESENT | PF_WRITE, PF_USER, "a write to code's direct map");
	}
}

SELFTEST(constants_are_read_only, "security.wp")
{
	struct trap_frame trap;

	ST_EXPECT(read_cr0() & CR0_WP, "CR0.WP is clear");
	expect_page_fault(try_access((uintptr_t)rodata_start, true, &trap), &trap,
			  (uintptr_t)rodata_start, PF_PRESENT | PF_WRITE, PF_USER,
			  "a write to constants");
	expect_page_fault(try_access((uintptr_t)ksyms_start, true, &trap), &trap,
			  (uintptr_t)ksyms_start, PF_PRESENT | PF_WRITE, PF_USER,
			  "a write to the symbols");
}

/* RET, in data. */
static uint8_t code_in_data[16] = {0xc3};

SELFTEST(data_is_not_executed, "security.nx")
{
	uint8_t code_on_stack[16] = {0xc3};
	struct trap_frame trap;
	const uintptr_t places[] = {
		(uintptr_t)code_in_data,
		(uintptr_t)code_on_stack,
		DIRECT_MAP_BASE + virt_to_phys(code_in_data).value,
		DIRECT_MAP_BASE + virt_to_phys((const void *)(uintptr_t)cpu_init).value,
	};

	if (!cpu_features.nx) {
		selftest_skip("this CPU has no NX");
		return;
	}
	for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		/* The last one is a whole function: only fetched where it surely faults. */
		if (i < 3 || rdmsr(MSR_EFER) & EFER_NXE)
			expect_page_fault(try_execute(places[i], &trap), &trap, places[i],
					  PF_PRESENT | PF_FETCH, PF_USER | PF_WRITE, "execution");
}

SELFTEST(guard_pages_fault, "security.guard")
{
	struct kstack_place place;
	struct trap_frame trap;
	size_t cursor = 0;
	unsigned stacks = 0;

	while (kstack_visit(&cursor, &place)) {
		uintptr_t touched[] = {place.base - 1, place.base - GUARD_BYTES};

		for (unsigned i = 0; i < 2; i++) {
			expect_page_fault(try_access(touched[i], false, &trap), &trap, touched[i],
					  0, PF_PRESENT, place.stack);
			expect_page_fault(try_access(touched[i], true, &trap), &trap, touched[i],
					  PF_WRITE, PF_PRESENT, place.stack);
		}
		stacks++;
	}
	ST_EXPECT(stacks > 4, "only %u stacks found", stacks);
	selftest_note("%u stacks", stacks);
}

/* ---- the stack protector ---- */

/* Writes over its own canary what weaken=canary makes it: with a secret one, that is found out. */
static __attribute__((noinline)) void smash(void *argument)
{
	volatile uint64_t buffer[4] = {0};
	volatile uint64_t *at = buffer;
	uint64_t secret = percpu()->canary;

	(void)argument;
	__asm__("" : "+r"(at)); /* the compiler must not know how far it may go */
	/* The canary lies within a few words above the buffer. */
	for (int i = 0; i < 12; i++)
		if (at[i] == secret)
			at[i] = CANARY_WEAK;
}

SELFTEST(overrun_is_found_out, "security.canary")
{
	struct trap_frame trap = {0};
	char cause[TRAP_EXPLAIN_MAX];

	preempt_disable();

	bool survived = trap_try(smash, NULL, &trap);

	preempt_enable();
	ST_REQUIRE(!survived, "a function returned over an overwritten canary");
	ST_EXPECT(trap.vector == TRAP_INVALID_OPCODE && canary_failed_at(trap.rip),
		  "trap %llu at 0x%llx", ULL(trap.vector), ULL(trap.rip));
	ST_EXPECT(strstr(trap_explain(&trap, cause, sizeof(cause)), "stack protector"), "%s",
		  cause);
}

/* ---- the kernel and user pages ---- */

static const uint8_t just_return[] = {0xc3};

SELFTEST(kernel_executes_no_user_page, "security.smep")
{
	struct trap_frame trap;

	if (!cpu_features.smep) {
		selftest_skip("this CPU has no SMEP");
		return;
	}
	user_open(just_return, sizeof(just_return));

	bool survived = try_execute(USER_CODE, &trap);

	user_close();
	expect_page_fault(survived, &trap, USER_CODE, PF_PRESENT | PF_FETCH, PF_USER | PF_WRITE,
			  "executing a user page");
}

static void read_allowed(void *argument)
{
	user_access_begin();
	touch(argument);
	user_access_end();
}

SELFTEST(kernel_accesses_no_user_page, "security.smap")
{
	struct access read = {USER_DATA, false, 0};
	struct trap_frame on_read, on_write;

	if (!cpu_features.smap) {
		selftest_skip("this CPU has no SMAP");
		return;
	}
	user_open(just_return, sizeof(just_return));

	bool read_survived = try_access(USER_DATA, false, &on_read);
	bool write_survived = try_access(USER_DATA, true, &on_write);
	bool allowed = trap_try(read_allowed, &read, NULL);

	user_close();
	expect_page_fault(read_survived, &on_read, USER_DATA, PF_PRESENT, PF_USER | PF_WRITE,
			  "reading a user page");
	expect_page_fault(write_survived, &on_write, USER_DATA, PF_PRESENT | PF_WRITE, PF_USER,
			  "writing a user page");
	ST_EXPECT(allowed, "user_access_begin() does not open user pages");
}

/* ---- ring 3 ---- */

/* Runs code in ring 3 and gives the trap that ended it. */
static struct trap_frame in_ring3(const uint8_t *code, size_t bytes, uint64_t argument)
{
	struct trap_frame trap = {0};

	user_open(code, bytes);
	user_run(argument, &trap);
	user_close();
	return trap;
}

SELFTEST(ring3_reaches_no_kernel_page, "security.ring3_memory")
{
	static const uint8_t read[] = {0x48, 0x8b, 0x07, 0xcc};	 /* mov (%rdi), %rax; int3 */
	static const uint8_t write[] = {0x48, 0x89, 0x07, 0xcc}; /* mov %rax, (%rdi); int3 */
	static const uint8_t jump[] = {0xff, 0xe7};		 /* jmp *%rdi */
	static uint64_t target;					 /* may be lost */
	const uintptr_t places[] = {(uintptr_t)text_start, (uintptr_t)rodata_start,
				    (uintptr_t)&target,
				    DIRECT_MAP_BASE + virt_to_phys(&target).value};
	struct trap_frame trap;

	for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		trap = in_ring3(read, sizeof(read), places[i]);
		expect_page_fault(trap.vector == TRAP_BREAKPOINT, &trap, places[i],
				  PF_PRESENT | PF_USER, PF_WRITE, "a read from ring 3");
		trap = in_ring3(write, sizeof(write), places[i]);
		expect_page_fault(trap.vector == TRAP_BREAKPOINT, &trap, places[i],
				  PF_PRESENT | PF_USER | PF_WRITE, 0, "a write from ring 3");
	}
	trap = in_ring3(jump, sizeof(jump), (uintptr_t)text_start);
	expect_page_fault(false, &trap, (uintptr_t)text_start, PF_PRESENT | PF_USER, PF_WRITE,
			  "a jump from ring 3");
}

SELFTEST(ring3_has_no_privilege, "security.ring3_instructions")
{
	static const struct {
		const char *name;
		uint8_t code[8];
	} forbidden[] = {
		{"cli",	{0xfa}		      },
		{"hlt",	{0xf4}		      },
		{"out",	{0xe6, 0x80}	    },
		{"mov cr3",  {0x0f, 0x20, 0xd8}      },
		{"rdmsr",	  {0x0f, 0x32}	      },
		{"lgdt",	 {0x0f, 0x01, 0x14, 0x24}},
		{"int 0x20", {0xcd, 0x20}		 },
	};

	for (unsigned i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
		struct trap_frame trap = in_ring3(forbidden[i].code, sizeof(forbidden[i].code), 0);

		ST_EXPECT(trap.vector == TRAP_PROTECTION && trap_from_user(&trap),
			  "%s in ring 3: trap %llu at 0x%llx, cr2 0x%llx, error 0x%llx",
			  forbidden[i].name, ULL(trap.vector), ULL(trap.rip), ULL(trap.cr2),
			  ULL(trap.error));
	}
}

SELFTEST(ring3_sees_no_tables, "security.umip")
{
	static const struct {
		const char *name;
		uint8_t code[8];
	} forbidden[] = {
		{"sgdt", {0x0f, 0x01, 0x44, 0x24, 0xf0, 0xcc}},
		{"sidt", {0x0f, 0x01, 0x4c, 0x24, 0xf0, 0xcc}},
		{"sldt", {0x0f, 0x00, 0xc0, 0xcc}		 },
		{"str",	{0x0f, 0x00, 0xc8, 0xcc}		},
		{"smsw", {0x0f, 0x01, 0xe0, 0xcc}		 },
	};

	if (!cpu_features.umip) {
		selftest_skip("this CPU has no UMIP");
		return;
	}
	for (unsigned i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
		struct trap_frame trap = in_ring3(forbidden[i].code, sizeof(forbidden[i].code), 0);

		ST_EXPECT(trap.vector == TRAP_PROTECTION, "%s in ring 3: trap %llu",
			  forbidden[i].name, ULL(trap.vector));
	}
}

SELFTEST(ring3_stack_is_not_executed, "security.ring3_nx")
{
	/* lea -64(%rsp), %rax; jmp *%rax */
	static const uint8_t jump_to_stack[] = {0x48, 0x8d, 0x44, 0x24, 0xc0, 0xff, 0xe0};
	struct trap_frame trap;

	if (!cpu_features.nx) {
		selftest_skip("this CPU has no NX");
		return;
	}
	trap = in_ring3(jump_to_stack, sizeof(jump_to_stack), 0);
	expect_page_fault(false, &trap, USER_STACK + USER_PAGE - 64,
			  PF_PRESENT | PF_USER | PF_FETCH, PF_WRITE, "execution of a user stack");
}
