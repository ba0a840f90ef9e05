/*
 * The inspector's port.h on this kernel: deeds. One row per operation.
 *
 * What comes in is hostile. mm/ checks all of it and answers with a status; here only the kernel's
 * own half of the address space is added to what a request may not touch.
 */
#include "port_inspect.h"

#include <kernel/log.h>
#include <kernel/panic.h>
#include <kernel/ports.h>
#include <kernel/printf.h>
#include <kernel/workload.h>
#include <mm/check.h>
#include <mm/hooks.h>
#include <mm/query.h>
#include <mm/slab.h>
#include <mm/space.h>
#include <string.h>

#define FRAME_BYTES UINT64_C(0x200000)

struct inspect_faults inspect_faults;

static const char *error_name(enum mm_status status)
{
	switch (status) {
	case MM_ERR_NO_MEMORY:
	case MM_ERR_NO_RUN:
	case MM_ERR_TABLE_MEM:
	case MM_ERR_INJECTED:
	case MM_ERR_LIMIT:
		return "ENOMEM";
	case MM_ERR_MAPPED:
		return "EEXIST";
	case MM_ERR_TABLE:
	case MM_ERR_FRAME_SLAB:
	case MM_ERR_FRAME_KERN:
	case MM_ERR_SHARED:
		return "EPERM";
	case MM_ERR_CANONICAL:
	case MM_ERR_WRAP:
	case MM_ERR_PHYS:
	case MM_ERR_UNMAPPED:
	case MM_ERR_FOREIGN:
	case MM_ERR_NOT_FRAME:
		return "EFAULT";
	default:
		return "EINVAL";
	}
}

static enum insp_status refuse(struct insp_act *act, enum mm_status status)
{
	act->error = error_name(status);
	ksnprintf(act->reason, sizeof(act->reason), "%s", mm_status_text(status));
	return INSP_REFUSED;
}

static enum insp_status refuse_saying(struct insp_act *act, const char *error, const char *reason)
{
	act->error = error;
	ksnprintf(act->reason, sizeof(act->reason), "%s", reason);
	return INSP_REFUSED;
}

static enum insp_status no_such(struct insp_act *act, const char *reason)
{
	ksnprintf(act->reason, sizeof(act->reason), "%s", reason);
	return INSP_NO_SUCH;
}

/* ---- memory ---- */

static enum insp_status act_kmalloc(struct insp_act *act)
{
	void *object = act->zero ? kzalloc(act->bytes, 0) : kmalloc(act->bytes, 0);

	if (!object) {
		enum mm_status why = mm_query_kmalloc(act->bytes, 0, NULL);

		return refuse(act, why == MM_OK ? MM_ERR_NO_MEMORY : why);
	}
	act->addr = (uintptr_t)object;
	act->bytes = mm_class_size(act->bytes);
	return INSP_OK;
}

static enum insp_status act_kfree(struct insp_act *act)
{
	void *address = (void *)(uintptr_t)act->addr;
	struct mm_object object;
	enum mm_status status = mm_query_free(address, &object);

	if (status == MM_OK)
		status = mm_try_kfree(address);
	if (status != MM_OK)
		return refuse(act, status);
	act->bytes = object.size;
	return INSP_OK;
}

static enum insp_status act_alloc_pages(struct insp_act *act)
{
	unsigned zone = act->zone < ZONE_COUNT ? 1u << act->zone : 0;
	paddr_t pa = {0};
	enum mm_status status = mm_query_alloc_pages(zone, (int)act->num,
						     act->flags & PAGE_ATTR_KNOWN, &pa);
	struct Page *page = NULL;

	/* A real request may also get what is idle in caches: only it can tell. */
	if ((status == MM_OK || status == MM_ERR_NO_RUN) && !act->dry_run) {
		page = alloc_pages(zone, (int)act->num, act->flags & PAGE_ATTR_KNOWN);
		status = page ? MM_OK : MM_ERR_NO_RUN;
	}
	if (status != MM_OK)
		return refuse(act, status);
	page = act->dry_run ? mm_phys_to_page(pa) : page;
	vaddr_t va = page ? mm_page_to_virt(page) : mm_va(0);
	act->pa = page ? mm_page_to_phys(page).value : pa.value;
	act->addr = va.value ? va.value : INSP_NONE;
	return INSP_OK;
}

static enum insp_status act_free_pages(struct insp_act *act)
{
	struct Page *page = act->pa % FRAME_BYTES ? NULL : mm_phys_to_page(mm_pa(act->pa));

	if (act->pa % FRAME_BYTES)
		return refuse_saying(act, "EINVAL", "pa is not at the start of a frame (2 MiB)");
	if (!page)
		return refuse(act, MM_ERR_NOT_FRAME);
	enum mm_status status = mm_try_free_pages(page, (int)act->num);
	return status == MM_OK ? INSP_OK : refuse(act, status);
}

/* ---- mappings ---- */

/* True when [va, va + len) lies in the user half or in the remote window: nothing else may be
 * touched, at any access level. */
static bool range_is_open(uint64_t va, uint64_t len)
{
	uint64_t last = va + (len ? len - 1 : 0);

	if (last < va)
		return false;
	if (last <= MM_USER_SPACE_END)
		return true;
	return va >= REMOTE_WINDOW_BASE && last < REMOTE_WINDOW_BASE + REMOTE_WINDOW_BYTES;
}

static enum insp_status refuse_range(struct insp_act *act)
{
	return refuse_saying(act, "EPERM",
			     "the range is neither in the user half nor in the remote window "
			     "(0xffffc00000000000, 1 TiB): it holds the kernel itself");
}

static uint32_t space_id(uint32_t space)
{
	return space == INSP_SPACE_CURRENT ? MM_SPACE_CURRENT : space;
}

static enum insp_status mapping_answer(struct insp_act *act, enum mm_status status,
				       const char *reason)
{
	if (status == MM_OK)
		return INSP_OK;
	if (status == MM_ERR_SPACE)
		return no_such(act, "no such space; mm.spaces lists them");
	refuse(act, status);
	if (reason && *reason)
		ksnprintf(act->reason, sizeof(act->reason), "%s", reason);
	return INSP_REFUSED;
}

static enum insp_status act_map(struct insp_act *act)
{
	struct mm_map_request request = {
		.space = space_id(act->space),
		.va = mm_va(act->addr),
		.pa = mm_pa(act->pa),
		.length = act->bytes,
		.flags = inspect_entry_flags(act->flags),
		.user = act->user,
		.use4k = act->use4k,
		.flush = act->flush,
		.dry_run = act->dry_run,
	};
	struct mm_map_result result = {0};

	if (!range_is_open(act->addr, act->bytes))
		return refuse_range(act);
	enum mm_status status = mm_map_ex(&request, &result);
	act->entries = result.entries;
	act->tables = result.tables;
	return mapping_answer(act, status, result.reason);
}

static enum insp_status act_unmap(struct insp_act *act)
{
	struct mm_unmap_request request = {.space = space_id(act->space),
					   .va = mm_va(act->addr),
					   .length = act->bytes,
					   .dry_run = act->dry_run};
	struct mm_unmap_result result = {0};

	if (!range_is_open(act->addr, act->bytes))
		return refuse_range(act);
	enum mm_status status = mm_unmap_ex(&request, &result);
	act->entries = result.entries;
	act->tables = result.tables;
	act->split = result.split;
	return mapping_answer(act, status, result.reason);
}

static enum insp_status act_space_create(struct insp_act *act)
{
	paddr_t root;
	enum mm_status status = mm_space_create(act->name, &act->space, &root);

	if (status != MM_OK)
		return refuse(act, status);
	act->pa = root.value;
	return INSP_OK;
}

static enum insp_status act_space_destroy(struct insp_act *act)
{
	struct mm_space_info info;

	if (mm_space_info(act->space, &info) != MM_OK)
		return no_such(act, "no such space; mm.spaces lists them");
	enum mm_status status = mm_space_destroy(act->space, &act->tables);
	return status == MM_OK ? INSP_OK : refuse(act, status);
}

/* ---- looking closer ---- */

static void note_fault(const char *text, void *context)
{
	struct inspect_faults *faults = context;

	if (faults->count < INSPECT_FAULTS_MAX)
		ksnprintf(faults->fault[faults->count++].text, sizeof(struct insp_text), "%s",
			  text);
}

static enum insp_status act_trim(struct insp_act *act)
{
	(void)act;
	mm_trim();
	return INSP_OK;
}

static enum insp_status act_check(struct insp_act *act)
{
	inspect_faults.count = 0;
	struct mm_check_report report = mm_check(note_fault, &inspect_faults);

	act->ok = report.faults == 0;
	act->frames = report.frames;
	act->objects = report.objects;
	act->tables = report.tables;
	return INSP_OK;
}

static enum insp_status act_trace(struct insp_act *act)
{
	enum mm_status status = mm_switches_set(act->on ? MM_SWITCH_ATTRIBUTION : 0,
						act->on ? 0 : MM_SWITCH_ATTRIBUTION);

	return status == MM_OK ? INSP_OK : refuse(act, status);
}

static enum insp_status act_listen(struct insp_act *act)
{
	inspect_listen(act->flags);
	return INSP_OK;
}

static enum insp_status act_fault_inject(struct insp_act *act)
{
	static const enum mm_fail_op ops[] = {MM_FAIL_KMALLOC, MM_FAIL_ALLOC_PAGES, MM_FAIL_SLAB,
					      MM_FAIL_TABLE};

	if (act->fault >= sizeof(ops) / sizeof(*ops))
		return no_such(act, "no such operation to fail");
	enum mm_status status = mm_fail_set(ops[act->fault], act->after, act->count);
	return status == MM_OK ? INSP_OK : refuse(act, status);
}

/* ---- the system ---- */

static enum insp_status act_workload_start(struct insp_act *act)
{
	const struct workload *workload = workload_find(act->name);
	uint64_t values[WORKLOAD_PARAMS_MAX];
	char why[WORKLOAD_REASON_MAX] = "";

	if (!workload)
		return no_such(act, "no such workload; workload.list names them");
	if (!workload_parse(workload, NULL, values, why))
		return refuse_saying(act, "EINVAL", why);
	for (uint32_t i = 0; i < act->settings; i++)
		if (!workload_set(workload, act->setting[i].name, act->setting[i].value, values,
				  why))
			return refuse_saying(act, "EINVAL", why);
	if (!workload_start(act->name, values, why))
		return refuse_saying(act, "EINVAL", why);
	pr_info("workload %s started by request", act->name);
	return INSP_OK;
}

static enum insp_status act_workload_stop(struct insp_act *act)
{
	char why[WORKLOAD_REASON_MAX] = "";

	if (!workload_find(act->name))
		return no_such(act, "no such workload; workload.list names them");
	if (!workload_stop(act->name, why))
		return refuse_saying(act, "EINVAL", why);
	pr_info("workload %s stopped by request", act->name);
	return INSP_OK;
}

static enum insp_status act_break(struct insp_act *act)
{
	(void)act;
	inspect_flush();
	return port_gdbstub_break() ? INSP_OK : INSP_ABSENT;
}

static enum insp_status act_panic(struct insp_act *act)
{
	(void)act;
	inspect_flush();
	panic("asked for by sys.panic");
}

static enum insp_status act_poweroff(struct insp_act *act)
{
	(void)act;
	pr_info("power off, asked for by sys.poweroff");
	inspect_flush();
	machine_poweroff();
}

enum insp_status insp_port_act(struct insp_act *act)
{
	static enum insp_status (*const acts[INSP_OPS])(struct insp_act *) = {
		[INSP_OP_KMALLOC] = act_kmalloc,
		[INSP_OP_KFREE] = act_kfree,
		[INSP_OP_ALLOC_PAGES] = act_alloc_pages,
		[INSP_OP_FREE_PAGES] = act_free_pages,
		[INSP_OP_MAP] = act_map,
		[INSP_OP_UNMAP] = act_unmap,
		[INSP_OP_SPACE_CREATE] = act_space_create,
		[INSP_OP_SPACE_DESTROY] = act_space_destroy,
		[INSP_OP_TRIM] = act_trim,
		[INSP_OP_CHECK] = act_check,
		[INSP_OP_TRACE] = act_trace,
		[INSP_OP_LISTEN] = act_listen,
		[INSP_OP_WORKLOAD_START] = act_workload_start,
		[INSP_OP_WORKLOAD_STOP] = act_workload_stop,
		[INSP_OP_FAULT_INJECT] = act_fault_inject,
		[INSP_OP_BREAK] = act_break,
		[INSP_OP_PANIC] = act_panic,
		[INSP_OP_POWEROFF] = act_poweroff,
	};

	return acts[act->op] ? acts[act->op](act) : INSP_ABSENT;
}
