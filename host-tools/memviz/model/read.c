/*
 * Elements of the protocol as the model's structures. Nothing is guessed: a
 * missing or odd member makes the whole record malformed, and the model stays
 * as it was. Members that we do not know are skipped, so that a newer kernel
 * can say more.
 */
#include "private.h"

#include <inspect/protocol.h>
#include <json-c/json.h>
#include <memviz/base.h>
#include <memviz/format.h>
#include <stdlib.h>
#include <string.h>

enum mv_applied malformed(struct mv_error *e, const char *what)
{
	mv_fail(e, MV_LINK, "the kernel's answer is not what the protocol says: %s", what);
	return MV_MALFORMED;
}

static bool bad(struct mv_error *e, const char *what)
{
	malformed(e, what);
	return false;
}

/* ---- tables of numeric members ---- */

struct member {
	const char *name;
	size_t offset; /* of a uint64_t */
	bool hex;
};

/* Reads the members that are there; with `all`, every one must be. Returns false
 * when one has another type, or is missing though it must not. */
static bool read_members(const struct member *table, size_t n, struct json_object *o, void *out,
			 bool all, struct mv_error *e)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t v;
		bool got = table[i].hex ? mv_json_hex(o, table[i].name, &v)
					: mv_json_u64(o, table[i].name, &v);
		if (got)
			memcpy((char *)out + table[i].offset, &v, sizeof v);
		else if (all || mv_json_get(o, table[i].name))
			return bad(e, table[i].name);
	}
	return true;
}

#define COUNT(table) (sizeof(table) / sizeof *(table))
#define FIGURE(type, name)                         \
	{                                          \
#name, offsetof(type, name), false \
	}
#define ADDRESS(type, name)                       \
	{                                         \
#name, offsetof(type, name), true \
	}

static const struct member stat_members[] = {
	FIGURE(struct mv_stat, total),	    FIGURE(struct mv_stat, used),
	FIGURE(struct mv_stat, free),	    FIGURE(struct mv_stat, shared),
	FIGURE(struct mv_stat, cache_used), FIGURE(struct mv_stat, cache_free),
	FIGURE(struct mv_stat, available),
};
static const struct member zone_members[] = {
	ADDRESS(struct mv_zone, start),
	ADDRESS(struct mv_zone, end),
	FIGURE(struct mv_zone, frames),
	FIGURE(struct mv_zone, free),
	FIGURE(struct mv_zone, used),
	FIGURE(struct mv_zone, reserved),
	FIGURE(struct mv_zone, largest_free_run),
};
static const struct member cache_members[] = {
	FIGURE(struct mv_cache, slabs), FIGURE(struct mv_cache, objects),
	FIGURE(struct mv_cache, used),	FIGURE(struct mv_cache, free),
	FIGURE(struct mv_cache, bytes), FIGURE(struct mv_cache, allocs),
	FIGURE(struct mv_cache, frees), FIGURE(struct mv_cache, failed),
};

/* ---- stat ---- */

bool read_stat(struct mv_stat *st, struct json_object *data, bool full, struct mv_error *e)
{
	uint64_t cache_bytes = st->cache_used + st->cache_free;
	if (!read_members(stat_members, COUNT(stat_members), data, st, full, e))
		return false;
	if (full)
		return true;
	/* What follows from the rest is not sent. */
	if (st->used > st->total)
		return bad(e, "used exceeds total");
	st->free = st->total - st->used;
	if (mv_json_get(data, INSP_F_CACHE_USED) && !mv_json_get(data, INSP_F_CACHE_FREE)) {
		if (st->cache_used > cache_bytes)
			return bad(e, "cache_used exceeds the slabs");
		st->cache_free = cache_bytes - st->cache_used;
	}
	st->available = st->free + st->cache_free;
	return true;
}

/* ---- zones ---- */

static struct mv_zone *zone_named(struct mv_zone *zones, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(zones[i].name, name) == 0)
			return &zones[i];
	return NULL;
}

bool read_zones(struct mv_model *m, struct json_object *data, bool full, struct mv_error *e)
{
	struct mv_zone zones[MV_MAX_ZONES] = {0};
	size_t count = full ? 0 : m->zone_count;
	struct json_object *list = mv_json_array(data, INSP_F_ZONES);
	if (!list)
		return bad(e, "zones");
	if (count)
		memcpy(zones, m->zones, count * sizeof *zones);
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		const char *name = mv_json_str(o, INSP_F_NAME);
		if (!name)
			return bad(e, "name of a zone");
		struct mv_zone *z = zone_named(zones, count, name);
		bool fresh = !z;
		if (fresh) {
			if (count == MV_MAX_ZONES)
				return bad(e, "more zones than memviz knows");
			z = &zones[count++];
			mv_format_safe(name, z->name, sizeof z->name);
		}
		if (!read_members(zone_members, COUNT(zone_members), o, z, fresh, e))
			return false;
	}
	memcpy(m->zones, zones, sizeof zones);
	m->zone_count = count;
	return true;
}

/* ---- caches ---- */

bool read_caches(struct mv_model *m, struct json_object *data, bool full, struct mv_error *e)
{
	struct mv_cache caches[MV_MAX_CACHES] = {0};
	size_t count = full ? 0 : m->cache_count;
	struct json_object *list = mv_json_array(data, INSP_F_CACHES);
	if (!list)
		return bad(e, "caches");
	if (count)
		memcpy(caches, m->caches, count * sizeof *caches);
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		uint64_t size;
		if (!mv_json_u64(o, INSP_F_SIZE, &size))
			return bad(e, "size of a cache");
		size_t k = 0;
		while (k < count && caches[k].size != size)
			k++;
		if (k == MV_MAX_CACHES)
			return bad(e, "more caches than memviz knows");
		bool fresh = k == count;
		if (fresh)
			caches[count++].size = size;
		if (!read_members(cache_members, COUNT(cache_members), o, &caches[k], fresh, e))
			return false;
	}
	memcpy(m->caches, caches, sizeof caches);
	m->cache_count = count;
	return true;
}

/* ---- frames ---- */

static bool read_attr(struct json_object *o, uint8_t *attr)
{
	static const char *const names[] = {INSP_FRAME_ATTRS};
	struct json_object *list = mv_json_array(o, INSP_F_ATTR);
	*attr = 0;
	if (!list)
		return false;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		const char *word = json_object_get_string(json_object_array_get_idx(list, i));
		for (size_t k = 0; word && k < COUNT(names); k++)
			if (strcmp(word, names[k]) == 0)
				*attr = (uint8_t)(*attr | 1u << k);
	}
	return true;
}

bool read_frame_run(const struct mv_model *m, struct json_object *o, struct mv_frame_run *out,
		    struct mv_error *e)
{
	*out = (struct mv_frame_run){.zone = -1};
	uint64_t refs;
	const char *state = mv_json_str(o, INSP_F_STATE), *zone = mv_json_str(o, INSP_F_ZONE);
	if (!mv_json_hex(o, INSP_F_PA, &out->pa) || out->pa % MV_FRAME_BYTES)
		return bad(e, "pa of a run of frames");
	if (!mv_json_u64(o, INSP_F_COUNT, &out->count) || !out->count ||
	    out->count > (UINT64_MAX - out->pa) / MV_FRAME_BYTES)
		return bad(e, "count of a run of frames");
	if (!state)
		return bad(e, "state of a run of frames");
	out->state = (uint8_t)mv_frame_state_parse(state);
	if (mv_json_get(o, INSP_F_ATTR) && !read_attr(o, &out->attr))
		return bad(e, "attr of a run of frames");
	if (mv_json_u64(o, INSP_F_REFS, &refs))
		out->refs = refs > UINT32_MAX ? UINT32_MAX : (uint32_t)refs;
	for (size_t i = 0; zone && i < m->zone_count; i++)
		if (strcmp(m->zones[i].name, zone) == 0)
			out->zone = (int8_t)i;
	/* The zones may come after the frames: their place tells the zone then. */
	return true;
}

/* ---- mappings ---- */

bool read_mapping(struct json_object *o, struct mv_mapping *out, struct mv_error *e)
{
	uint64_t page, len;
	uint8_t rights;
	const char *flags = mv_json_str(o, INSP_F_FLAGS);
	*out = (struct mv_mapping){0};
	if (!mv_json_hex(o, INSP_F_VA, &out->va) || out->va % MV_PAGE_BYTES)
		return bad(e, "va of a mapping");
	if (!mv_json_hex(o, INSP_F_PA, &out->pa) || out->pa % MV_PAGE_BYTES)
		return bad(e, "pa of a mapping");
	if (!mv_json_u64(o, INSP_F_LEN, &len) || !len || len % MV_PAGE_BYTES ||
	    len > MV_MAPPING_LEN_MAX || len - 1 > UINT64_MAX - out->va)
		return bad(e, "len of a mapping");
	out->len = len & MV_MAPPING_LEN_MAX;
	if (!mv_json_u64(o, INSP_F_PAGE, &page) ||
	    (page != 4096 && page != 2097152 && page != 1073741824))
		return bad(e, "page of a mapping");
	out->page_shift = page == 4096 ? 12 : page == 2097152 ? 21 : 30;
	if (!flags || !mv_map_flags_parse(flags, &rights))
		return bad(e, "flags of a mapping");
	out->flags = rights;
	if (out->va < MV_KERNEL_HALF && out->va + (len - 1) >= MV_KERNEL_HALF)
		return bad(e, "a mapping across the two halves");
	return true;
}

/* ---- spaces ---- */

bool read_spaces(struct mv_model *m, struct json_object *data, struct mv_error *e)
{
	struct json_object *list = mv_json_array(data, INSP_F_SPACES);
	if (!list)
		return bad(e, "spaces");
	struct mv_space *next = NULL;
	size_t count = 0;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		int64_t id;
		const char *name = mv_json_str(o, INSP_F_NAME);
		struct mv_space *s = mv_json_i64(o, INSP_F_ID, &id) && name
					     ? space_get(&next, &count, id, true)
					     : NULL;
		if (!s || !mv_json_hex(o, INSP_F_ROOT, &s->root) ||
		    !mv_json_flag(o, INSP_F_CURRENT, &s->current) ||
		    !mv_json_u64(o, INSP_F_TABLES, &s->tables) ||
		    !mv_json_u64(o, INSP_F_MAPPED_BYTES, &s->mapped_bytes)) {
			spaces_free(next, count);
			return bad(e, "an entry of spaces");
		}
		mv_format_safe(name, s->name, sizeof s->name);
	}
	/* The mappings stay with their spaces; those of a space that is gone go. */
	for (size_t i = 0; i < count; i++) {
		struct mv_space *old = space_get(&m->spaces, &m->space_count, next[i].id, false);
		if (!old)
			continue;
		space_move_maps(&next[i], old);
		next[i].mappings_known = old->mappings_known;
	}
	spaces_free(m->spaces, m->space_count);
	m->spaces = next;
	m->space_count = count;
	m->spaces_known = true;
	return true;
}

/* ---- log ---- */

/* A full log that ends before what we have is another kernel's: ours goes. */
static void forget_older_kernel(struct ring *ring, struct json_object *list)
{
	size_t n = json_object_array_length(list);
	uint64_t last;
	if (ring->count && n &&
	    mv_json_u64(json_object_array_get_idx(list, n - 1), INSP_F_SEQ, &last) &&
	    last < ((const struct mv_log_line *)ring_at(ring, ring->count - 1))->seq)
		ring->count = ring->head = 0;
}

bool read_log(struct mv_model *m, struct json_object *data, bool full, struct mv_error *e)
{
	struct json_object *list = mv_json_array(data, INSP_F_LINES);
	struct ring *ring = &m->priv->log;
	uint64_t lost;
	if (!list)
		return bad(e, "lines");
	if (mv_json_u64(data, INSP_F_LOST, &lost))
		m->log_dropped += lost;
	if (full)
		forget_older_kernel(ring, list);
	uint64_t newest = 0;
	bool any = ring->count > 0;
	if (any)
		newest = ((const struct mv_log_line *)ring_at(ring, ring->count - 1))->seq;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		const char *level = mv_json_str(o, INSP_F_LEVEL),
			   *text = mv_json_str(o, INSP_F_TEXT);
		uint64_t seq, t_us;
		if (!mv_json_u64(o, INSP_F_SEQ, &seq) || !mv_json_u64(o, INSP_F_T_US, &t_us) ||
		    !level || !text)
			return bad(e, "a line of the log");
		if (any && seq <= newest)
			continue;
		struct mv_log_line *line = ring_push(ring);
		line->seq = newest = seq;
		any = true;
		line->t_us = t_us;
		if (t_us > m->uptime_us)
			m->uptime_us = t_us;
		mv_format_safe(level, line->level, sizeof line->level);
		mv_format_safe(text, line->text, sizeof line->text);
	}
	return true;
}

/* ---- hello ---- */

static void join_features(struct json_object *list, char *out, size_t size)
{
	struct mv_buf b = {0};
	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		const char *word = json_object_get_string(json_object_array_get_idx(list, i));
		mv_buf_printf(&b, "%s%s", i ? " " : "", word ? word : "");
	}
	mv_format_safe(b.data ? b.data : "", out, size);
	mv_buf_free(&b);
}

bool read_hello(struct mv_model *m, struct json_object *data, struct mv_error *e)
{
	struct mv_hello h = {.known = true};
	uint64_t protocol, cpus = 0;
	const struct {
		const char *key;
		char *out;
		size_t size;
	} words[] = {
		{INSP_F_NAME,     h.name,     sizeof h.name	   },
		{INSP_F_VERSION,	 h.version,  sizeof h.version },
		{INSP_F_SESSION,	 h.session,  sizeof h.session },
		{INSP_F_BUILD_ID, h.build_id, sizeof h.build_id},
		{INSP_F_ACCESS,	h.access,	  sizeof h.access	 },
	};
	if (!mv_json_u64(data, INSP_F_PROTOCOL, &protocol) || protocol > 1000000)
		return bad(e, "protocol in hello");
	for (size_t i = 0; i < COUNT(words); i++) {
		const char *text = mv_json_str(data, words[i].key);
		if (text)
			mv_format_safe(text, words[i].out, words[i].size);
	}
	h.protocol = (int)protocol;
	mv_json_u64(data, INSP_F_CPUS, &cpus);
	h.cpus = (unsigned)cpus;
	mv_json_u64(data, INSP_F_PAGE_SIZE, &h.page_size_bytes);
	mv_json_u64(data, INSP_F_FRAME_SIZE, &h.frame_size_bytes);
	mv_json_u64(data, INSP_F_TSC_HZ, &h.tsc_hz);
	mv_json_u64(data, INSP_F_MAX_RECORD, &h.max_record_bytes);
	join_features(mv_json_array(data, INSP_F_FEATURES), h.features, sizeof h.features);
	uint64_t t_us;
	/* Another kernel may be younger than the one before. */
	if (mv_json_u64(data, INSP_F_T_US, &t_us))
		m->uptime_us = t_us;
	m->hello = h;
	return true;
}
