// visit.c: walks that change nothing and can stop after every step.
#include "state.h"

#define VISIT_WORK 2048 // frames or granules looked at per call

const char *mm_frame_state_name(enum mm_frame_state state)
{
	static const char *const names[] = {"free",	 "kernel",   "slab",
					    "allocated", "reserved", "hole"};

	return (unsigned)state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}

// --- frames -------------------------------------------------------------------
static void describe_frame(const struct Page *page, struct mm_frame_run *out)
{
	const struct Page *head = NULL;
	unsigned left;

	*out = (struct mm_frame_run){
		.start = mm_page_to_phys(page),
		.frames = 1,
		.zone = page->zone,
		.state = mm_frame_state(page),
		.attr = (uint32_t)mm_page_attr(page),
		.refs = mm_page_refs(page),
	};
	if (out->state == MM_FRAME_ALLOCATED)
		head = mm_run_head(page, &left);
	if (head) {
		out->frames = left;
		out->site = mm_peek(head->site);
		out->birth_us = mm_peek(head->birth_us);
	}
}

static bool same_run(const struct mm_frame_run *a, const struct mm_frame_run *b)
{
	return b->state != MM_FRAME_ALLOCATED && a->state == b->state && a->attr == b->attr;
}

// Free frames of a fresh zone come by the million; whole words go in one step.
static uint32_t skip_free_words(const struct zone *zone, uint32_t bit, uint32_t end)
{
	uint32_t skipped = 0;

	while (bit % 64 == 0 && end - bit >= 64 && mm_peek(zone->word[bit / 64].free) == ~0ull) {
		bit += 64;
		skipped += 64;
	}
	return skipped;
}

static void managed_run(const struct extent *extent, uint64_t frame, struct mm_frame_run *out)
{
	const struct zone *zone = &mm_zones[extent->zone];
	uint32_t bit = extent->bit + (uint32_t)(frame - extent->first);
	uint32_t end = extent->bit + (uint32_t)extent->frames;
	mm_irq_t irq = mm_port_irq_save();

	describe_frame(&zone->pages[bit], out);
	bit += (uint32_t)out->frames;
	for (int work = 0; out->state != MM_FRAME_ALLOCATED && bit < end && work < VISIT_WORK;
	     work++) {
		uint32_t skipped = out->state == MM_FRAME_FREE ? skip_free_words(zone, bit, end)
							       : 0;
		struct mm_frame_run next;

		out->frames += skipped;
		bit += skipped;
		if (bit == end)
			break;
		describe_frame(&zone->pages[bit], &next);
		if (!same_run(out, &next))
			break;
		out->frames++;
		bit++;
	}
	mm_port_irq_restore(irq);
}

static void unmanaged_run(uint64_t frame, uint64_t end, enum mm_frame_state state,
			  struct mm_frame_run *out)
{
	*out = (struct mm_frame_run){
		.start = mm_pa(frame << MM_FRAME_SHIFT),
		.frames = end - frame,
		.zone = -1,
		.state = state,
	};
}

enum mm_visit mm_visit_frames(struct mm_cursor *cursor, unsigned zones, struct mm_frame_run *out)
{
	for (int work = 0; work < 64; work++) {
		uint64_t frame = cursor->at;
		uint32_t index = mm_extent_at(frame);
		const struct extent *extent = &mm_map.extents[index];
		uint64_t end;

		if (index == mm_map.count)
			return MM_VISIT_END;
		end = extent->first + extent->frames;
		if (frame < extent->first)
			unmanaged_run(frame, extent->first, MM_FRAME_HOLE, out);
		else if (extent->zone < 0)
			unmanaged_run(frame, end, MM_FRAME_RESERVED, out);
		else if (zones && !(zones & 1u << extent->zone))
			out->frames = end - frame, out->zone = -1;
		else
			managed_run(extent, frame, out);
		cursor->at += out->frames;
		if (!zones || out->zone >= 0)
			return MM_VISIT_ITEM;
	}
	return MM_VISIT_AGAIN;
}

// --- slabs: cursor.at is a granule number of the direct map -------------------
static uint64_t granule_address(uint64_t granule)
{
	return mm_machine.direct_base + (granule << MM_GRANULE_SHIFT);
}

// The next granule number >= at inside a frame of the slab; granules if none.
static uint64_t next_slab_granule(uint64_t at, uint64_t granules, int *work)
{
	while (at<granules && * work> 0) {
		uint64_t frame = at / MM_FRAME_GRANULES;
		uint32_t index = mm_extent_at(frame);
		const struct extent *extent = &mm_map.extents[index];
		const struct Page *page;

		(*work)--;
		if (index == mm_map.count || extent->first >= granules / MM_FRAME_GRANULES)
			return granules;
		if (frame < extent->first || extent->zone < 0) {
			frame = frame < extent->first ? extent->first
						      : extent->first + extent->frames;
			at = frame * MM_FRAME_GRANULES;
			continue;
		}
		page = mm_phys_to_page(mm_pa(frame << MM_FRAME_SHIFT));
		if (mm_frame_state(page) == MM_FRAME_SLAB)
			return at;
		at = (frame + 1) * MM_FRAME_GRANULES;
	}
	return at;
}

// Walks to the next slab head; *slab is then locked with interrupts off.
static enum mm_visit next_slab(struct mm_cursor *cursor, struct slab **slab, mm_irq_t *irq)
{
	uint64_t granules = mm_machine.direct_limit >> MM_GRANULE_SHIFT;
	int work = VISIT_WORK;

	while (work-- > 0) {
		struct slot slot;

		cursor->at = next_slab_granule(cursor->at, granules, &work);
		if (cursor->at >= granules)
			return MM_VISIT_END;
		if (work <= 0)
			break;
		*irq = mm_port_irq_save();
		if (mm_slot_lock(granule_address(cursor->at), &slot)) {
			*slab = slot.slab;
			if (slot.slab->start == granule_address(cursor->at))
				return MM_VISIT_ITEM;
			mm_unlock(&slot.slab->lock);
		}
		mm_port_irq_restore(*irq);
		cursor->at++;
	}
	return MM_VISIT_AGAIN;
}

// slab->lock held.
static void describe_slab(const struct slab *slab, struct mm_slab_info *out)
{
	const uint64_t *remote = mm_remote_bits(slab);
	uint64_t valid = mm_slab_objects(slab) >= 64 ? ~UINT64_C(0)
						     : (UINT64_C(1) << mm_slab_objects(slab)) - 1;

	memset(out, 0, sizeof(*out));
	out->start = mm_va(slab->start);
	out->bytes = MM_GRANULE_SIZE << mm_slab_order(slab);
	out->object_size = UINT64_C(1) << slab->shift;
	out->objects = mm_slab_objects(slab);
	out->tables = slab->cls == CLASS_TABLE;
	out->cpu = (int)MM_OWNER_CPU(slab->owner) - 1;
	for (unsigned i = 0; i < mm_slab_words(slab); i++) {
		out->live[i] = ~(mm_peek(slab->bits[i]) | mm_peek(remote[i])) & valid;
		out->used += (unsigned)__builtin_popcountll(out->live[i]);
	}
}

enum mm_visit mm_visit_slabs(struct mm_cursor *cursor, uint64_t object_size,
			     struct mm_slab_info *out)
{
	for (int work = 0; work < 64; work++) {
		struct slab *slab;
		mm_irq_t irq;
		enum mm_visit found = next_slab(cursor, &slab, &irq);
		bool wanted;

		if (found != MM_VISIT_ITEM)
			return found;
		wanted = !object_size || object_size == UINT64_C(1) << slab->shift;
		if (wanted)
			describe_slab(slab, out);
		mm_unlock(&slab->lock);
		mm_port_irq_restore(irq);
		cursor->at++;
		if (wanted)
			return MM_VISIT_ITEM;
	}
	return MM_VISIT_AGAIN;
}

// --- objects: cursor.sub is the number within the slab at cursor.at -----------
// slab->lock held. The first wanted object with a number >= *sub.
static bool next_object(struct slab *slab, uint64_t *sub, uint64_t born_before_us,
			struct mm_live_object *out)
{
	for (; *sub < mm_slab_objects(slab); (*sub)++) {
		struct slot slot = {slab, (unsigned)*sub, slab->start + (*sub << slab->shift)};
		struct mm_object object = {.kind = MM_OBJECT_SLAB};

		if (!mm_slot_live(&slot))
			continue;
		mm_note_read(&slot, &object);
		if (born_before_us && (!object.has_note || object.birth_us >= born_before_us))
			continue;
		*out = (struct mm_live_object){
			.start = mm_va(slot.base),
			.size = UINT64_C(1) << slab->shift,
			.has_note = object.has_note,
			.site = object.has_note ? object.site : 0,
			.birth_us = object.has_note ? object.birth_us : 0,
		};
		(*sub)++;
		return true;
	}
	return false;
}

enum mm_visit mm_visit_objects(struct mm_cursor *cursor, uint64_t born_before_us,
			       struct mm_live_object *out)
{
	for (int work = 0; work < 8; work++) {
		uint64_t before = cursor->at;
		struct slab *slab;
		mm_irq_t irq;
		enum mm_visit found = next_slab(cursor, &slab, &irq);
		bool item;

		if (cursor->at != before)
			cursor->sub = 0; // the slab that it counted in is gone
		if (found != MM_VISIT_ITEM)
			return found;
		item = slab->cls != CLASS_TABLE &&
		       next_object(slab, &cursor->sub, born_before_us, out);
		mm_unlock(&slab->lock);
		mm_port_irq_restore(irq);
		if (item)
			return MM_VISIT_ITEM;
		cursor->at++;
		cursor->sub = 0;
	}
	return MM_VISIT_AGAIN;
}

// --- sites --------------------------------------------------------------------
enum mm_visit mm_visit_sites(struct mm_cursor *cursor, struct mm_site_info *out)
{
	struct mm_site_info site;

	for (int work = 0; work < VISIT_WORK; work++) {
		if (!mm_site_read((uint32_t)cursor->at, &site))
			return MM_VISIT_END;
		cursor->at++;
		if (site.allocs) {
			*out = site;
			return MM_VISIT_ITEM;
		}
	}
	return MM_VISIT_AGAIN;
}
