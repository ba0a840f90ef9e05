/*
 * The inspector's port.h on this kernel: facts.
 */
#include "port_inspect.h"

#include <kernel/boot.h>
#include <kernel/cpu.h>
#include <kernel/image.h>
#include <kernel/ksyms.h>
#include <kernel/log.h>
#include <kernel/page_window.h>
#include <kernel/paging.h>
#include <kernel/panic.h>
#include <kernel/params.h>
#include <kernel/percpu.h>
#include <kernel/printf.h>
#include <kernel/safe_access.h>
#include <kernel/thread.h>
#include <kernel/time.h>
#include <mm/hooks.h>
#include <mm/query.h>
#include <mm/space.h>
#include <string.h>

#define PAGE_BYTES	4096u
#define BUILD_ID_NOTE	16u /* bytes of the note before the hash */
#define VITRINE_VERSION "1.0"

uint64_t insp_port_clock_us(void)
{
	return time_now_us();
}

static void build_id_text(char *out, size_t size)
{
	const unsigned char *byte = build_id_start + BUILD_ID_NOTE;

	for (size_t used = 0; byte < build_id_end && used + 2 < size; byte++, used += 2)
		ksnprintf(out + used, size - used, "%02x", *byte);
}

void insp_port_info(struct insp_info *info)
{
	static uint64_t seed;

	if (!seed)
		seed = rdtsc() * UINT64_C(0x9e3779b97f4a7c15) | 1;
	*info = (struct insp_info){
		.version = VITRINE_VERSION,
		.cpus = cpu_count(),
		.tsc_hz = time_tsc_hz(),
		.access = (enum insp_access)kernel_params.inspect,
		.window_va = REMOTE_WINDOW_BASE,
		.window_len = REMOTE_WINDOW_BYTES,
		.seed = seed,
	};
	build_id_text(info->build_id, sizeof(info->build_id));
}

void insp_port_load(struct insp_load *load)
{
	struct thread_load now;

	thread_load(&now);
	*load = (struct insp_load){.wanted = now.wanted, .idle_us = now.idle_us};
}

void insp_port_gens(struct insp_gens *gens)
{
	uint64_t all = mm_generation();

	*gens = (struct insp_gens){
		.all = all, .frames = all, .mappings = all, .log = log_next_seq()};
}

enum insp_status insp_port_stat(struct insp_stat *stat)
{
	struct mm_stat_t now = mm_stat();

	*stat = (struct insp_stat){now.total,	   now.used,	   now.free,	 now.shared,
				   now.cache_used, now.cache_free, now.available};
	return INSP_OK;
}

static void image_object(struct insp_object *object)
{
	object->kind = INSP_OBJECT_IMAGE;
	object->base = (uintptr_t)image_start;
	object->size = (uint64_t)(image_end - image_start);
	object->used = true;
}

enum insp_status insp_port_object(uint64_t addr, struct insp_object *object)
{
	static const enum insp_object_kind kinds[] = {
		[MM_OBJECT_NONE] = INSP_OBJECT_NONE,   [MM_OBJECT_SLAB] = INSP_OBJECT_SLAB,
		[MM_OBJECT_TABLE] = INSP_OBJECT_TABLE, [MM_OBJECT_FRAME] = INSP_OBJECT_FRAME,
		[MM_OBJECT_IMAGE] = INSP_OBJECT_IMAGE,
	};
	struct mm_object found;

	*object = (struct insp_object){.addr = addr,
				       .kind = INSP_OBJECT_NONE,
				       .base = INSP_NONE,
				       .site = INSP_NONE,
				       .birth_us = INSP_NONE};
	if (in_image(addr)) {
		image_object(object);
		return INSP_OK;
	}
	mm_query_virt(mm_va(addr), &found);
	object->kind = kinds[found.kind];
	if (found.kind == MM_OBJECT_NONE)
		return INSP_OK;
	object->base = found.base;
	object->size = found.size;
	object->used = found.used;
	if (found.has_note) {
		object->site = found.site;
		object->birth_us = found.birth_us;
	}
	return INSP_OK;
}

void insp_port_symbol(uint64_t addr, char *buf, size_t size)
{
	struct ksym symbol;

	buf[0] = '\0';
	if (ksyms_lookup(addr, &symbol))
		ksyms_format(buf, size, addr);
}

uint32_t inspect_rights(uint64_t entry_flags)
{
	return (entry_flags & ENTRY_WRITE ? INSP_MAP_W : 0u) |
	       (entry_flags & ENTRY_NX ? 0u : INSP_MAP_X) |
	       (entry_flags & ENTRY_USER ? INSP_MAP_U : 0u) |
	       (entry_flags & ENTRY_GLOBAL ? INSP_MAP_G : 0u) |
	       (entry_flags & ENTRY_WT ? INSP_MAP_T : 0u) |
	       (entry_flags & ENTRY_UNCACHED ? INSP_MAP_C : 0u) |
	       (entry_flags & ENTRY_ACCESSED ? INSP_MAP_A : 0u) |
	       (entry_flags & ENTRY_DIRTY ? INSP_MAP_D : 0u);
}

uint64_t inspect_entry_flags(uint32_t rights)
{
	return (rights & INSP_MAP_W ? ENTRY_WRITE : 0) |
	       (rights & INSP_MAP_X || !cpu_features.nx ? 0 : ENTRY_NX) |
	       (rights & INSP_MAP_U ? ENTRY_USER : 0) | (rights & INSP_MAP_G ? ENTRY_GLOBAL : 0) |
	       (rights & INSP_MAP_T ? ENTRY_WT : 0) | (rights & INSP_MAP_C ? ENTRY_UNCACHED : 0);
}

/* ---- reading memory ---- */

static struct page_window peek;

void inspect_peek_init(void)
{
	if (!page_window_open(&peek, mm_va(REMOTE_WINDOW_BASE + REMOTE_WINDOW_BYTES), false))
		pr_warn("inspect: memory above the direct map cannot be read");
}

static size_t copy_in(uintptr_t address, void *bytes, size_t len)
{
	return safe_read(bytes, address, len);
}

/* len does not pass the end of pa's page. */
static bool read_physical(uint64_t pa, void *buf, size_t len)
{
	if (!memmap_is_ram(&boot_info.memmap, pa) ||
	    !memmap_is_ram(&boot_info.memmap, pa + len - 1))
		return false;
	if (pa < paging_direct_limit())
		return copy_in((uintptr_t)direct_map(mm_pa(pa)), buf, len) == len;
	return page_window_copy(&peek, mm_pa(pa), buf, len, copy_in) == len;
}

/* INSP_OK with the physical address behind `addr`. */
static enum insp_status to_physical(uint32_t space, uint64_t addr, uint64_t *pa)
{
	uint32_t id = space == INSP_SPACE_CURRENT ? MM_SPACE_CURRENT : space;
	struct mm_translation at;

	switch (mm_translate(id, mm_va(addr), &at)) {
	case MM_OK:
		*pa = at.pa.value;
		return at.mapped ? INSP_OK : INSP_FAULT;
	case MM_ERR_SPACE:
		return INSP_NO_SUCH;
	default:
		return INSP_FAULT;
	}
}

enum insp_status insp_port_read(uint32_t space, bool physical, uint64_t addr, void *buf, size_t len)
{
	uint8_t *out = buf;

	while (len) {
		size_t room = PAGE_BYTES - addr % PAGE_BYTES, step = len < room ? len : room;
		uint64_t pa = addr;
		enum insp_status status = physical ? INSP_OK : to_physical(space, addr, &pa);

		if (status != INSP_OK)
			return status;
		if (!read_physical(pa, out, step))
			return INSP_FAULT;
		addr += step, out += step, len -= step;
	}
	return INSP_OK;
}
