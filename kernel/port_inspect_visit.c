/*
 * The inspector's port.h on this kernel: items. One row per kind turns mm/'s visitors, the
 * workloads and the log into the structures that the inspector knows.
 *
 * A visit's two cursor words are mm/'s cursor where mm/ has a visitor, else an index.
 */
#include "port_inspect.h"

#include <kernel/log.h>
#include <kernel/workload.h>
#include <mm/space.h>
#include <mm/visit.h>
#include <string.h>

#define FRAME_BYTES UINT64_C(0x200000)

static enum insp_status status_of(enum mm_visit visit)
{
	switch (visit) {
	case MM_VISIT_ITEM:
		return INSP_OK;
	case MM_VISIT_AGAIN:
		return INSP_BUSY;
	default:
		return INSP_END;
	}
}

static struct mm_cursor cursor_in(const struct insp_visit *visit)
{
	return (struct mm_cursor){.at = visit->cursor[0], .sub = visit->cursor[1]};
}

static void cursor_out(struct insp_visit *visit, const struct mm_cursor *cursor)
{
	visit->cursor[0] = cursor->at;
	visit->cursor[1] = cursor->sub;
}

static uint32_t space_id(uint32_t space)
{
	return space == INSP_SPACE_CURRENT ? MM_SPACE_CURRENT : space;
}

static bool space_exists(uint32_t space)
{
	struct mm_space_info info;

	return mm_space_info(space_id(space), &info) == MM_OK;
}

static void copy_name(char *to, size_t size, const char *from)
{
	size_t len = strnlen(from, size - 1);

	memcpy(to, from, len);
	to[len] = '\0';
}

static enum insp_status next_zone(struct insp_visit *visit, void *item)
{
	struct insp_zone *zone = item;
	struct mm_zone_info info;

	if (visit->cursor[0] >= ZONE_COUNT || !mm_zone_info((unsigned)visit->cursor[0], &info))
		return INSP_END;
	*zone = (struct insp_zone){.index = (uint32_t)visit->cursor[0]++,
				   .start = info.start.value,
				   .end = info.end.value,
				   .frames = info.frames,
				   .free = info.free,
				   .used = info.used,
				   .reserved = info.reserved,
				   .largest_free_run = info.largest_free_run};
	copy_name(zone->name, sizeof(zone->name), info.name);
	return INSP_OK;
}

static struct insp_frames frames_of(const struct mm_frame_run *run)
{
	static const enum insp_frame_state states[] = {
		[MM_FRAME_FREE] = INSP_FRAME_FREE,
		[MM_FRAME_KERNEL] = INSP_FRAME_KERNEL,
		[MM_FRAME_SLAB] = INSP_FRAME_SLAB,
		[MM_FRAME_ALLOCATED] = INSP_FRAME_ALLOCATED,
		[MM_FRAME_RESERVED] = INSP_FRAME_RESERVED,
		[MM_FRAME_HOLE] = INSP_FRAME_HOLE,
	};

	return (struct insp_frames){.pa = run->start.value,
				    .count = run->frames,
				    .zone = run->zone < 0 ? UINT32_MAX : (uint32_t)run->zone,
				    .state = states[run->state],
				    .attr = run->attr & INSP_ATTR_ALL,
				    .refs = run->refs};
}

static bool frames_continue(const struct insp_frames *a, const struct insp_frames *b)
{
	return a->pa + a->count * FRAME_BYTES == b->pa && a->zone == b->zone &&
	       a->state == b->state && a->attr == b->attr && a->refs == b->refs;
}

/* cursor[0]: the frame number to go on with; 0 also means the start. */
static enum insp_status next_frames(struct insp_visit *visit, void *item)
{
	struct insp_frames *frames = item, more;
	uint64_t end = visit->to / FRAME_BYTES + 1, next;
	struct mm_cursor cursor = {.at = visit->cursor[0]};
	struct mm_frame_run run;
	enum mm_visit got;

	if (cursor.at < visit->from / FRAME_BYTES)
		cursor.at = visit->from / FRAME_BYTES;
	if (cursor.at >= end)
		return INSP_END;
	got = mm_visit_frames(&cursor, 0, &run);
	if (got != MM_VISIT_ITEM) {
		visit->cursor[0] = cursor.at;
		return status_of(got);
	}
	*frames = frames_of(&run);
	next = frames->pa / FRAME_BYTES + frames->count;
	/* mm/ tells allocated runs apart; here what looks alike is one item. */
	while (next < end && (got = mm_visit_frames(&cursor, 0, &run)) != MM_VISIT_END) {
		if (got == MM_VISIT_AGAIN)
			continue;
		more = frames_of(&run);
		if (!frames_continue(frames, &more))
			break;
		frames->count += more.count;
		next += more.count;
	}
	if (frames->pa / FRAME_BYTES >= end)
		return INSP_END;
	if (next > end) {
		frames->count -= next - end;
		next = end;
	}
	visit->cursor[0] = next;
	return INSP_OK;
}

static enum insp_status next_cache(struct insp_visit *visit, void *item)
{
	struct insp_cache *cache = item;
	struct mm_cache_info info;

	if (visit->cursor[0] >= INSP_CACHES_MAX ||
	    !mm_cache_info((unsigned)visit->cursor[0], &info))
		return INSP_END;
	visit->cursor[0]++;
	*cache = (struct insp_cache){info.size,	 info.slabs,  info.objects, info.used,	info.free,
				     info.bytes, info.allocs, info.frees,   info.failed};
	return INSP_OK;
}

static bool is_live(const struct mm_slab_info *slab, unsigned object)
{
	return slab->live[object / 64] >> object % 64 & 1;
}

/* Collects the used runs from object `from` on; returns the first object it did not look at. */
static unsigned collect_runs(const struct mm_slab_info *info, unsigned from, struct insp_slab *slab)
{
	unsigned object = from;

	while (object < info->objects) {
		unsigned first = object;

		if (!is_live(info, object)) {
			object++;
			continue;
		}
		if (slab->runs == INSP_RUNS_MAX)
			return object;
		while (object < info->objects && is_live(info, object))
			object++;
		slab->run[slab->runs][0] = first;
		slab->run[slab->runs++][1] = object - first;
	}
	return object;
}

/* The upper half of cursor[1]: objects of the slab at the cursor that were told already. */
static enum insp_status next_slab(struct insp_visit *visit, void *item)
{
	struct insp_slab *slab = item;
	struct mm_cursor here = {visit->cursor[0], visit->cursor[1] & UINT32_MAX}, next = here;
	unsigned told = (unsigned)(visit->cursor[1] >> 32);
	struct mm_slab_info info;
	enum mm_visit got = mm_visit_slabs(&next, visit->size, &info);

	if (got != MM_VISIT_ITEM) {
		cursor_out(visit, &next);
		return status_of(got);
	}
	*slab = (struct insp_slab){.addr = info.start.value,
				   .size = info.object_size,
				   .objects = info.objects,
				   .used = info.used};
	slab->covered = collect_runs(&info, told < info.objects ? told : 0, slab);
	if (slab->covered < info.objects) {
		visit->cursor[0] = here.at;
		visit->cursor[1] = here.sub | (uint64_t)slab->covered << 32;
	} else {
		cursor_out(visit, &next);
	}
	return INSP_OK;
}

static enum insp_status next_space(struct insp_visit *visit, void *item)
{
	struct insp_space *space = item;
	struct mm_cursor cursor = cursor_in(visit);
	struct mm_space_info info;
	enum mm_visit got = mm_visit_spaces(&cursor, &info);

	cursor_out(visit, &cursor);
	if (got != MM_VISIT_ITEM)
		return status_of(got);
	*space = (struct insp_space){.id = info.id,
				     .root = info.root.value,
				     .current = info.current,
				     .tables = info.tables,
				     .mapped_bytes = info.mapped_bytes};
	copy_name(space->name, sizeof(space->name), info.name);
	return INSP_OK;
}

static enum insp_status next_mapping(struct insp_visit *visit, void *item)
{
	struct mm_mapping_filter filter = {.space = space_id(visit->space),
					   .from = mm_va(visit->from),
					   .to = mm_va(visit->to),
					   .accessed_dirty = visit->ad};
	struct insp_mapping *mapping = item;
	struct mm_cursor cursor = cursor_in(visit);
	struct mm_mapping found;
	size_t count = 0;

	if (!cursor.at && !cursor.sub && !space_exists(visit->space))
		return INSP_NO_SUCH;
	enum mm_visit got = mm_visit_mappings(&cursor, &filter, &found, 1, &count);
	cursor_out(visit, &cursor);
	if (!count)
		return status_of(got);
	/* mm/ cuts at pages, the inspector's contract at bytes. */
	uint64_t first = found.va.value, last = first + found.length - 1;
	uint64_t skip = first < visit->from ? visit->from - first : 0;

	last = last > visit->to ? visit->to : last;
	*mapping = (struct insp_mapping){.va = first + skip,
					 .pa = found.pa.value + skip,
					 .len = last - first - skip + 1,
					 .page = (uint32_t)found.page_bytes,
					 .flags = inspect_rights(found.flags)};
	return INSP_OK;
}

static enum insp_status next_rmap(struct insp_visit *visit, void *item)
{
	struct insp_rmap *rmap = item;
	struct mm_cursor cursor = cursor_in(visit);
	struct mm_rmap found;
	size_t count = 0;
	enum mm_visit got = mm_visit_rmap(&cursor, mm_pa(visit->from), visit->to - visit->from + 1,
					  &found, 1, &count);

	cursor_out(visit, &cursor);
	if (!count)
		return status_of(got);
	*rmap = (struct insp_rmap){found.space, found.va.value, found.pa.value, found.length};
	return INSP_OK;
}

static enum insp_status next_level(struct insp_visit *visit, void *item)
{
	struct insp_level *level = item;
	struct mm_translation at;

	switch (mm_translate(space_id(visit->space), mm_va(visit->from), &at)) {
	case MM_OK:
		break;
	case MM_ERR_SPACE:
		return INSP_NO_SUCH;
	default:
		return INSP_END;
	}
	if (visit->cursor[0] >= at.depth)
		return INSP_END;
	const struct mm_level *found = &at.levels[visit->cursor[0]++];
	*level = (struct insp_level){found->level, found->index, found->at.value, found->entry};
	return INSP_OK;
}

static enum insp_status next_site(struct insp_visit *visit, void *item)
{
	struct insp_site *site = item;
	struct mm_cursor cursor = cursor_in(visit);
	struct mm_site_info info;
	enum mm_visit got = mm_visit_sites(&cursor, &info);

	cursor_out(visit, &cursor);
	if (got == MM_VISIT_ITEM)
		*site = (struct insp_site){info.site, info.allocs, info.frees, info.live_objects,
					   info.live_bytes};
	return status_of(got);
}

static enum insp_status next_leak(struct insp_visit *visit, void *item)
{
	struct insp_live *live = item;
	struct mm_cursor cursor = cursor_in(visit);
	struct mm_live_object object;
	enum mm_visit got;

	if (!visit->before_us) /* nothing is older than the kernel; to mm/ 0 would mean all */
		return INSP_END;
	got = mm_visit_objects(&cursor, visit->before_us, &object);
	cursor_out(visit, &cursor);
	if (got == MM_VISIT_ITEM)
		*live = (struct insp_live){object.start.value, object.size,
					   object.has_note ? object.site : INSP_NONE,
					   object.birth_us};
	return status_of(got);
}

static enum insp_status next_fault(struct insp_visit *visit, void *item)
{
	if (visit->cursor[0] >= inspect_faults.count)
		return INSP_END;
	*(struct insp_text *)item = inspect_faults.fault[visit->cursor[0]++];
	return INSP_OK;
}

static enum insp_status next_workload(struct insp_visit *visit, void *item)
{
	struct insp_workload *out = item;
	struct workload_status status;

	if (!workload_status((size_t)visit->cursor[0], &status))
		return INSP_END;
	visit->cursor[0]++;
	*out = (struct insp_workload){.running = status.running,
				      .operations = status.operations,
				      .failures = status.failures};
	copy_name(out->name, sizeof(out->name), status.workload->name);
	copy_name(out->meaning, sizeof(out->meaning), status.workload->meaning);
	for (const struct workload_param *param = status.workload->params;
	     param->name && out->settings < INSP_SETTINGS_MAX; param++) {
		struct insp_setting *setting = &out->setting[out->settings];

		*setting = (struct insp_setting){
			.min = param->min,
			.max = param->max,
			.initial = param->initial,
			.value = status.running ? status.values[out->settings] : param->initial,
		};
		copy_name(setting->name, sizeof(setting->name), param->name);
		copy_name(setting->meaning, sizeof(setting->meaning), param->meaning);
		out->settings++;
	}
	return INSP_OK;
}

/* cursor[0]: the number of the line to go on with. */
static enum insp_status next_line(struct insp_visit *visit, void *item)
{
	struct insp_line *out = item;
	struct log_line line;
	uint64_t cursor = visit->cursor[0] > visit->from ? visit->cursor[0] : visit->from;

	if (!log_read(&cursor, &line))
		return INSP_END;
	visit->cursor[0] = cursor;
	*out = (struct insp_line){.seq = line.seq, .t_us = line.t_us, .level = line.level};
	copy_name(out->text, sizeof(out->text), line.text);
	return INSP_OK;
}

enum insp_status insp_port_next(enum insp_kind kind, struct insp_visit *visit, void *item)
{
	static enum insp_status (*const next[INSP_KINDS])(struct insp_visit *, void *) = {
		[INSP_KIND_ZONES] = next_zone,	 [INSP_KIND_FRAMES] = next_frames,
		[INSP_KIND_CACHES] = next_cache, [INSP_KIND_SLABS] = next_slab,
		[INSP_KIND_SPACES] = next_space, [INSP_KIND_MAPPINGS] = next_mapping,
		[INSP_KIND_RMAP] = next_rmap,	 [INSP_KIND_LEVELS] = next_level,
		[INSP_KIND_SITES] = next_site,	 [INSP_KIND_LEAKS] = next_leak,
		[INSP_KIND_FAULTS] = next_fault, [INSP_KIND_WORKLOADS] = next_workload,
		[INSP_KIND_LOG] = next_line,
	};

	return next[kind] ? next[kind](visit, item) : INSP_ABSENT;
}
