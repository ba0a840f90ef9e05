/*
 * Answers that a recording holds of methods whose results are no part of the state: which objects
 * of a class are in use, who holds memory. The newest of each is kept, and told as it was given.
 */
#include "private.h"

#include <inspect/protocol.h>
#include <json-c/json.h>
#include <memviz/base.h>
#include <memviz/format.h>
#include <stdio.h>
#include <string.h>

typedef struct json_object json;

#define RECORDED_US "recorded_us"
#define CUT	    "cut" /* the recorder asked for no more than the first */

/* ---- keeping ---- */

/* "mm.slabs 64", "trace.sites"; false: of no use here. */
static bool key_of(const char *method, json *params, char *out, size_t size)
{
	uint64_t object_bytes;
	if (strcmp(method, INSP_M_TRACE_SITES) == 0 || strcmp(method, INSP_M_TRACE_LEAKS) == 0)
		return mv_copy(out, size, method);
	if (strcmp(method, INSP_M_SLABS) != 0 || !mv_json_u64(params, INSP_F_SIZE, &object_bytes))
		return false;
	return snprintf(out, size, "%s %llu", method, (unsigned long long)object_bytes) < (int)size;
}

static struct kept *find(const struct mv_model *m, const char *key)
{
	struct mv_model_private *p = m->priv;
	for (size_t i = 0; i < p->kept_count; i++)
		if (strcmp(p->kept[i].key, key) == 0)
			return &p->kept[i];
	return NULL;
}

void mv_model_keep_answer(struct mv_model *m, const char *method, json *params, json *result,
			  uint64_t time_us)
{
	char key[sizeof m->priv->kept->key];
	if (!key_of(method, params, key, sizeof key))
		return;
	struct kept *k = find(m, key);
	if (!k && m->priv->kept_count == KEPT_MAX)
		return;
	if (!k) {
		k = &m->priv->kept[m->priv->kept_count++];
		mv_copy(k->key, sizeof k->key, key);
	}
	json_object_put(k->result);
	k->result = json_object_get(result);
	k->time_us = time_us;
	model_touch(m, MV_PART_CACHES); /* what shows it looks at these */
	model_touch(m, MV_PART_EVENTS);
}

void kept_clear(struct mv_model_private *p)
{
	for (size_t i = 0; i < p->kept_count; i++)
		json_object_put(p->kept[i].result);
	p->kept_count = 0;
}

void kept_copy(struct mv_model_private *to, const struct mv_model_private *from)
{
	memcpy(to->kept, from->kept, sizeof to->kept);
	to->kept_count = from->kept_count;
	for (size_t i = 0; i < to->kept_count; i++)
		json_object_get(to->kept[i].result);
}

/* ---- telling ---- */

static json *untold(struct mv_error *e, const char *what)
{
	mv_fail(e, MV_REFUSED, "the recording does not hold %s up to this moment", what);
	return NULL;
}

/* A kept answer as an answer of its own, with this list, which is taken over. */
static json *tell(const struct kept *k, const char *key, json *list)
{
	json *o = json_object_new_object(), *was_cut = mv_json_get(k->result, CUT);
	json_object_object_add(o, key, list);
	json_object_object_add(o, INSP_F_NEXT, NULL);
	mv_json_add_u64(o, RECORDED_US, k->time_us);
	if (was_cut)
		json_object_object_add(o, CUT, json_object_get(was_cut));
	return o;
}

static json *tell_whole(const struct kept *k, const char *key)
{
	return tell(k, key, json_object_get(mv_json_array(k->result, key)));
}

json *answer_slabs(const struct mv_model *m, json *params, struct mv_error *e)
{
	char key[sizeof m->priv->kept->key];
	const struct kept *k = key_of(INSP_M_SLABS, params, key, sizeof key) ? find(m, key) : NULL;
	return k && mv_json_array(k->result, INSP_F_SLABS) ? tell_whole(k, INSP_F_SLABS)
							   : untold(e, "these slabs");
}

json *answer_sites(const struct mv_model *m, json *params, struct mv_error *e)
{
	const struct kept *k = find(m, INSP_M_TRACE_SITES);
	(void)params;
	return k && mv_json_array(k->result, INSP_F_SITES) ? tell_whole(k, INSP_F_SITES)
							   : untold(e, "who holds memory");
}

/* How much older everything has become since the answer was given. */
static uint64_t passed(const struct mv_model *m, const struct kept *k)
{
	return m->time_us > k->time_us ? m->time_us - k->time_us : 0;
}

static json *aged(json *object, uint64_t more_us)
{
	json *copy = json_object_new_object();
	uint64_t age = 0;
	json_object_object_foreach(object, name, value)
	{
		json_object_object_add(copy, name, json_object_get(value));
	}
	mv_json_u64(object, INSP_F_AGE_US, &age);
	mv_json_add_u64(copy, INSP_F_AGE_US, age + more_us);
	return copy;
}

json *answer_leaks(const struct mv_model *m, json *params, struct mv_error *e)
{
	const struct kept *k = find(m, INSP_M_TRACE_LEAKS);
	json *objects = k ? mv_json_array(k->result, INSP_F_OBJECTS) : NULL;
	uint64_t older = 0, age;
	if (!objects)
		return untold(e, "who holds which object");
	mv_json_u64(params, INSP_F_OLDER_THAN_US, &older);
	json *list = json_object_new_array();
	for (size_t i = 0; i < json_object_array_length(objects); i++) {
		json *object = json_object_array_get_idx(objects, i);
		if (mv_json_u64(object, INSP_F_AGE_US, &age) && age + passed(m, k) >= older)
			json_object_array_add(list, aged(object, passed(m, k)));
	}
	return tell(k, INSP_F_OBJECTS, list);
}

/* ---- one object ---- */

static bool in_runs(json *runs, uint64_t index)
{
	for (size_t i = 0; i < json_object_array_length(runs); i++) {
		json *pair = json_object_array_get_idx(runs, i);
		if (!json_object_is_type(pair, json_type_array) ||
		    json_object_array_length(pair) != 2)
			continue;
		uint64_t first = json_object_get_uint64(json_object_array_get_idx(pair, 0));
		uint64_t count = json_object_get_uint64(json_object_array_get_idx(pair, 1));
		if (index >= first && index - first < count)
			return true;
	}
	return false;
}

static json *describe(const char *kind, uint64_t base, uint64_t size, bool used)
{
	json *o = json_object_new_object();
	mv_json_add_str(o, INSP_F_KIND, kind);
	mv_json_add_hex(o, INSP_F_BASE, base);
	mv_json_add_u64(o, INSP_F_SIZE, size);
	mv_json_add_str(o, INSP_F_STATE, used ? "used" : "free");
	return o;
}

/* The object at `addr` of a slab that is told in one element of mm.slabs; NULL: not of this one. */
static json *object_in(json *slab, uint64_t addr)
{
	uint64_t base, size, objects;
	json *runs = mv_json_array(slab, INSP_F_USED_RUNS);
	if (!mv_json_hex(slab, INSP_F_ADDR, &base) || !mv_json_u64(slab, INSP_F_SIZE, &size) ||
	    !mv_json_u64(slab, INSP_F_OBJECTS, &objects) || !runs || !size || addr < base ||
	    (addr - base) / size >= objects)
		return NULL;
	uint64_t index = (addr - base) / size;
	return describe("slab", base + index * size, size, in_runs(runs, index));
}

static json *object_of_slabs(const struct mv_model *m, uint64_t addr)
{
	for (size_t i = 0; i < m->priv->kept_count; i++) {
		const struct kept *k = &m->priv->kept[i];
		json *slabs = mv_json_array(k->result, INSP_F_SLABS);
		for (size_t n = 0; slabs && n < json_object_array_length(slabs); n++) {
			json *o = object_in(json_object_array_get_idx(slabs, n), addr);
			if (o)
				mv_json_add_u64(o, RECORDED_US, k->time_us);
			if (o)
				return o;
		}
	}
	return NULL;
}

static json *object_of_frames(const struct mv_model *m, uint64_t addr)
{
	const struct mv_mapping *map = mv_model_mapping_at(m, MV_SPACE_KERNEL, addr);
	const struct mv_frame_run *f = map ? mv_model_frame_at(m, map->pa + (addr - map->va))
					   : NULL;
	if (!f || (f->state != MV_FRAME_FREE && f->state != MV_FRAME_ALLOCATED))
		return NULL;
	return describe("frame", addr & ~(MV_FRAME_BYTES - 1), MV_FRAME_BYTES,
			f->state == MV_FRAME_ALLOCATED);
}

/* Who asked for it, from the list of what lives. */
static void add_owner(const struct mv_model *m, json *o, uint64_t base)
{
	const struct kept *k = find(m, INSP_M_TRACE_LEAKS);
	json *objects = k ? mv_json_array(k->result, INSP_F_OBJECTS) : NULL;
	uint64_t addr, age = 0;
	for (size_t i = 0; objects && i < json_object_array_length(objects); i++) {
		json *owner = json_object_array_get_idx(objects, i);
		if (!mv_json_hex(owner, INSP_F_ADDR, &addr) || addr != base)
			continue;
		json_object_object_add(o, INSP_F_SITE,
				       json_object_get(mv_json_get(owner, INSP_F_SITE)));
		json_object_object_add(o, INSP_F_SYMBOL,
				       json_object_get(mv_json_get(owner, INSP_F_SYMBOL)));
		mv_json_u64(owner, INSP_F_AGE_US, &age);
		mv_json_add_u64(o, INSP_F_AGE_US, age + passed(m, k));
		return;
	}
}

json *answer_object(const struct mv_model *m, json *params, struct mv_error *e)
{
	uint64_t addr, base = 0;
	if (!mv_json_hex(params, INSP_F_ADDR, &addr)) {
		mv_fail(e, MV_REFUSED, "addr: \"0x...\" is missing");
		return NULL;
	}
	json *o = object_of_slabs(m, addr);
	if (!o)
		o = object_of_frames(m, addr);
	if (!o)
		return untold(e, "what lies there");
	mv_json_add_hex(o, INSP_F_ADDR, addr);
	mv_json_hex(o, INSP_F_BASE, &base);
	add_owner(m, o, base);
	return o;
}
