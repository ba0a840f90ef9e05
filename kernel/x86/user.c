/*
 * Ring 3 for tests.
 */
#include <kernel/user.h>

#include "gdt.h"
#include "traps_internal.h"

#include <kernel/cpu.h>
#include <kernel/paging.h>
#include <kernel/panic.h>
#include <kernel/thread.h>

#include <string.h>

typedef uint64_t table_t[512] __attribute__((aligned(4096)));

static struct {
	table_t root, level3, level2, level1;
	uint8_t code[USER_PAGE], data[USER_PAGE], stack[USER_PAGE];
	uint64_t kernel_root;
} user;

#define RIGHTS_TABLE (ENTRY_PRESENT | ENTRY_WRITE | ENTRY_USER)
#define RIGHTS_DATA  (ENTRY_PRESENT | ENTRY_WRITE | ENTRY_USER | ENTRY_NX)
#define RIGHTS_CODE  (ENTRY_PRESENT | ENTRY_USER)

static void map_page(uint64_t at, const uint8_t *page, uint64_t rights)
{
	if (!cpu_features.nx)
		rights &= ~ENTRY_NX;
	user.level1[at >> 12 & 511] = virt_to_phys(page).value | rights;
}

static void build_tables(void)
{
	const uint64_t *kernel = direct_map(mm_pa(user.kernel_root));

	memcpy(&user.root[256], &kernel[256], 256 * sizeof(kernel[0]));
	user.root[0] = virt_to_phys(user.level3).value | RIGHTS_TABLE;
	user.level3[0] = virt_to_phys(user.level2).value | RIGHTS_TABLE;
	user.level2[USER_CODE >> 21] = virt_to_phys(user.level1).value | RIGHTS_TABLE;
	map_page(USER_CODE, user.code, RIGHTS_CODE);
	map_page(USER_DATA, user.data, RIGHTS_DATA);
	map_page(USER_STACK, user.stack, RIGHTS_DATA);
}

void user_open(const void *code, size_t bytes)
{
	KASSERT(bytes <= USER_PAGE);
	preempt_disable();
	memset(user.code, 0xcc, USER_PAGE); /* int3 everywhere else */
	memcpy(user.code, code, bytes);
	memset(user.data, 0, USER_PAGE);
	user.kernel_root = read_cr3() & ENTRY_ADDRESS;
	build_tables();
	write_cr3(virt_to_phys(user.root).value);
}

void user_close(void)
{
	write_cr3(user.kernel_root);
	preempt_enable();
}

static void enter(void *argument)
{
	user_enter(USER_CODE, USER_STACK + USER_PAGE, *(const uint64_t *)argument, percpu()->tss);
}

void user_run(uint64_t argument, struct trap_frame *report)
{
	(void)trap_try(enter, &argument, report);
	percpu()->tss->rsp[0] = percpu()->kernel_stack;
}
