// query.c: what an address is, what a free of it would say, and how to say it.
#include "state.h"

static bool in_direct_map(uint64_t address)
{
	return address - mm_machine.direct_base < mm_machine.direct_limit;
}

static bool query_slot(uint64_t address, struct mm_object *out)
{
	mm_irq_t irq = mm_port_irq_save();
	struct slot slot;
	bool found = in_direct_map(address) && mm_slot_lock(address, &slot);

	if (found) {
		out->used = mm_slot_live(&slot);
		out->kind = slot.slab->cls == CLASS_TABLE && out->used ? MM_OBJECT_TABLE
								       : MM_OBJECT_SLAB;
		out->base = slot.base;
		out->size = UINT64_C(1) << slot.slab->shift;
		mm_note_read(&slot, out);
		mm_unlock(&slot.slab->lock);
	}
	mm_port_irq_restore(irq);
	if (found && !(out->site && out->freed_site))
		mm_log_find(out->base, &out->site, &out->freed_site);
	return found;
}

static void query_frame(const struct Page *page, struct mm_object *out)
{
	enum mm_frame_state state = mm_frame_state(page);
	unsigned left = 1;
	const struct Page *head = mm_run_head(page, &left);
	bool in_run = head != NULL;

	head = in_run ? head : page;
	out->kind = state == MM_FRAME_KERNEL ? MM_OBJECT_IMAGE : MM_OBJECT_FRAME;
	out->base = head->frame << MM_FRAME_SHIFT;
	out->size = ((uint64_t)(page - head) + left) << MM_FRAME_SHIFT;
	out->used = state != MM_FRAME_FREE;
	if (in_run && mm_peek(head->site)) {
		out->has_note = true;
		out->site = mm_peek(head->site);
		out->birth_us = mm_peek(head->birth_us);
	}
}

void mm_query_phys(paddr_t address, struct mm_object *out)
{
	const struct Page *page = mm_phys_to_page(address);

	*out = (struct mm_object){.kind = MM_OBJECT_NONE};
	if (!page)
		return;
	if (page->zone != MM_ZONE_UNMAPPED &&
	    query_slot(mm_machine.direct_base + address.value, out))
		return;
	query_frame(page, out);
}

void mm_query_virt(vaddr_t address, struct mm_object *out)
{
	*out = (struct mm_object){.kind = MM_OBJECT_NONE};
	if (in_direct_map(address.value))
		mm_query_phys(mm_pa(address.value - mm_machine.direct_base), out);
}

enum mm_status mm_query_free(const void *address, struct mm_object *out)
{
	uint64_t value = (uintptr_t)address;
	enum mm_status verdict = MM_ERR_FOREIGN;
	mm_irq_t irq;
	struct slot slot;

	if (out)
		mm_query_virt(mm_va(value), out);
	if (!address)
		return MM_ERR_NULL;
	irq = mm_port_irq_save();
	if (in_direct_map(value) && mm_slot_lock(value, &slot)) {
		verdict = mm_slot_verdict(&slot, value);
		if (verdict == MM_OK)
			verdict = mm_note_verify(&slot, mm_switches());
		mm_unlock(&slot.slab->lock);
	}
	mm_port_irq_restore(irq);
	return verdict;
}

enum mm_status mm_query_free_pages(const struct Page *page, int number, struct mm_object *out)
{
	enum mm_status verdict = mm_frames_verdict(page, number);

	if (out) {
		*out = (struct mm_object){.kind = MM_OBJECT_NONE};
		if (verdict != MM_ERR_NULL && verdict != MM_ERR_COUNT &&
		    verdict != MM_ERR_NOT_FRAME)
			query_frame(page, out);
	}
	return verdict;
}

// --- in words -----------------------------------------------------------------
static void add_pair(struct text *text, const char *before, uint64_t value)
{
	mm_text_str(text, before);
	mm_text_hex(text, value);
}

static void add_object(struct text *text, const struct mm_object *object)
{
	static const char *const kinds[] = {
		[MM_OBJECT_NONE] = "nothing of mm lies there",
		[MM_OBJECT_SLAB] = "object ",
		[MM_OBJECT_TABLE] = "page table ",
		[MM_OBJECT_FRAME] = "frames at physical ",
		[MM_OBJECT_IMAGE] = "the kernel's own frame at physical ",
	};

	mm_text_str(text, "; ");
	mm_text_str(text, kinds[object->kind]);
	if (object->kind == MM_OBJECT_NONE)
		return;
	mm_text_hex(text, object->base);
	mm_text_str(text, " of ");
	mm_text_dec(text, object->size);
	mm_text_str(text, object->used ? " B, in use" : " B, free");
	if (object->site)
		add_pair(text, ", allocated by ", object->site);
	if (object->has_note) {
		mm_text_str(text, " at ");
		mm_text_dec(text, object->birth_us);
		mm_text_str(text, " us");
	}
	if (object->freed_site)
		add_pair(text, ", last freed by ", object->freed_site);
}

size_t mm_describe_free(char *text, size_t size, const void *address, enum mm_status verdict,
			const struct mm_object *object)
{
	struct text out;

	mm_text_init(&out, text, size);
	add_pair(&out, verdict == MM_ERR_POISON ? "kmalloc: object " : "kfree(",
		 (uintptr_t)address);
	mm_text_str(&out, verdict == MM_ERR_POISON ? ": " : "): ");
	mm_text_str(&out, mm_status_text(verdict));
	if (verdict == MM_ERR_INTERIOR && object)
		add_pair(&out, ", at offset ", (uintptr_t)address - object->base);
	if (object)
		add_object(&out, object);
	return out.used;
}

// The first frame of the range that the verdict is about.
static const struct Page *culprit(const struct Page *page, int number, enum mm_status verdict)
{
	for (int i = 0; i < number; i++)
		if (mm_frames_verdict(page + i, 1) == verdict)
			return page + i;
	return page;
}

size_t mm_describe_free_pages(char *text, size_t size, const struct Page *page, int number,
			      enum mm_status verdict, uint64_t site)
{
	struct text out;

	mm_text_init(&out, text, size);
	add_pair(&out, "free_pages(", (uintptr_t)page);
	mm_text_str(&out, number < 0 ? ", -" : ", ");
	mm_text_dec(&out, number < 0 ? -(uint64_t)(int64_t)number : (uint64_t)number);
	mm_text_str(&out, "): ");
	mm_text_str(&out, mm_status_text(verdict));
	if (verdict == MM_ERR_FRAME_FREE || verdict == MM_ERR_FRAME_SLAB ||
	    verdict == MM_ERR_FRAME_KERN) {
		const struct Page *bad = culprit(page, number, verdict);

		add_pair(&out, "; frame at physical ", bad->frame << MM_FRAME_SHIFT);
		mm_text_str(&out, " in ");
		mm_text_str(&out, mm_zone_names[bad->zone]);
	}
	add_pair(&out, "; called from ", site);
	return out.used;
}
