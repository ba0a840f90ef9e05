/* A kernel that was read, in the words of the protocol. */
#include "private.h"

#include <inspect/protocol.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#define RUNS_PER_ITEM 64 /* a slab with more goes on in the next item */

typedef struct json_object json;

static json *list_in(json *o, const char *key)
{
	json *list = json_object_new_array();
	json_object_object_add(o, key, list);
	return list;
}

/* ---- into the model ---- */

static json *zones_data(const struct kernel *k)
{
	json *data = json_object_new_object(), *list = list_in(data, INSP_F_ZONES);
	for (size_t i = 0; i < k->zone_count; i++)
		json_object_array_add(list, mv_zone_json(&k->zones[i].shown));
	return data;
}

static json *caches_data(const struct kernel *k)
{
	json *data = json_object_new_object(), *list = list_in(data, INSP_F_CACHES);
	for (size_t i = 0; i < k->cache_count; i++)
		json_object_array_add(list, mv_cache_json(&k->caches[i]));
	return data;
}

static json *frames_data(const struct kernel *k)
{
	json *data = json_object_new_object(), *list = list_in(data, INSP_F_RUNS);
	for (size_t i = 0; i < k->frame_count; i++) {
		const struct mv_frame_run *f = &k->frames[i];
		const char *zone = f->zone >= 0 ? k->zones[f->zone].shown.name : NULL;
		json_object_array_add(list, mv_frame_run_json(f, zone));
	}
	return data;
}

static void add_leaf(json *list, int64_t space, const struct leaf_run *r)
{
	char flags[9];
	json *o = json_object_new_object();
	json_object_object_add(o, INSP_F_SPACE, json_object_new_int64(space));
	mv_json_add_hex(o, INSP_F_VA, r->va);
	mv_json_add_hex(o, INSP_F_PA, r->pa);
	mv_json_add_u64(o, INSP_F_LEN, r->len);
	mv_json_add_u64(o, INSP_F_PAGE, r->page);
	mv_map_flags_text(r->flags, false, flags);
	mv_json_add_str(o, INSP_F_FLAGS, flags);
	json_object_array_add(list, o);
}

void tell_topic(struct mv_model *m, const char *topic, json *data, uint64_t gen, uint64_t now_us)
{
	json *params = json_object_new_object();
	mv_json_add_str(params, INSP_F_TOPIC, topic);
	json_object_object_add(params, INSP_F_FULL, json_object_new_boolean(true));
	mv_json_add_u64(params, INSP_F_GEN, gen);
	json_object_object_add(params, INSP_F_DATA, data);
	mv_model_apply_watch(m, params, now_us, NULL);
	json_object_put(params);
}

void tell_spaces(struct mv_model *m, const struct kernel_space *spaces, size_t count, uint64_t gen,
		 uint64_t now_us)
{
	json *result = json_object_new_object(), *list = list_in(result, INSP_F_SPACES);
	json *data = json_object_new_object();
	json *added;
	list_in(data, INSP_F_REMOVED);
	added = list_in(data, INSP_F_ADDED);
	for (size_t i = 0; i < count; i++) {
		const struct mv_space *s = &spaces[i].shown;
		json *o = json_object_new_object();
		json_object_object_add(o, INSP_F_ID, json_object_new_int64(s->id));
		mv_json_add_str(o, INSP_F_NAME, s->name);
		mv_json_add_hex(o, INSP_F_ROOT, s->root);
		json_object_object_add(o, INSP_F_CURRENT, json_object_new_boolean(s->current));
		mv_json_add_u64(o, INSP_F_TABLES, s->tables);
		mv_json_add_u64(o, INSP_F_MAPPED_BYTES, s->mapped_bytes);
		json_object_array_add(list, o);
		for (size_t n = 0; n < spaces[i].leaves.count; n++)
			add_leaf(added, s->id, &spaces[i].leaves.runs[n]);
	}
	mv_model_apply_result(m, INSP_M_SPACES, NULL, result, now_us, NULL);
	json_object_put(result);
	tell_topic(m, "mappings", data, gen, now_us);
}

void kernel_tell(const struct kernel *k, struct mv_model *m, uint64_t now_us)
{
	tell_topic(m, "stat", mv_stat_json(&k->stat), k->gen, now_us);
	tell_topic(m, "zones", zones_data(k), k->gen, now_us);
	tell_topic(m, "caches", caches_data(k), k->gen, now_us);
	tell_topic(m, "frames", frames_data(k), k->gen, now_us);
	tell_spaces(m, k->spaces, k->space_count, k->gen, now_us);
}

/* ---- answers ---- */

static bool is_live(const struct kernel_slab *s, uint32_t i)
{
	return s->live[i / 64] >> i % 64 & 1;
}

static json *slab_item(const struct kernel_slab *s, json *list, json **runs)
{
	json *o = json_object_new_object();
	mv_json_add_hex(o, INSP_F_ADDR, s->addr);
	mv_json_add_u64(o, INSP_F_SIZE, 1ull << s->shift);
	mv_json_add_u64(o, INSP_F_OBJECTS, s->objects);
	mv_json_add_u64(o, INSP_F_USED, s->used);
	*runs = list_in(o, INSP_F_USED_RUNS);
	json_object_array_add(list, o);
	return o;
}

static void add_slab(const struct kernel_slab *s, json *list)
{
	json *runs;
	slab_item(s, list, &runs);
	for (uint32_t i = 0; i < s->objects; i++) {
		uint32_t first = i;
		if (!is_live(s, i))
			continue;
		while (i < s->objects && is_live(s, i))
			i++;
		if (json_object_array_length(runs) == RUNS_PER_ITEM)
			slab_item(s, list, &runs);
		json *pair = json_object_new_array();
		json_object_array_add(pair, json_object_new_int64(first));
		json_object_array_add(pair, json_object_new_int64(i - first));
		json_object_array_add(runs, pair);
	}
}

static void add_symbol(const struct kernel *k, json *o, uint64_t site)
{
	char name[160];
	if (kernel_symbol(k, site, name, sizeof name))
		mv_json_add_str(o, INSP_F_SYMBOL, name);
}

static json *ended(const struct kernel *k, json *o)
{
	json_object_object_add(o, INSP_F_NEXT, NULL);
	mv_json_add_u64(o, INSP_F_GEN, k->gen);
	return o;
}

json *kernel_slabs_json(const struct kernel *k, uint64_t size)
{
	json *o = json_object_new_object(), *list = list_in(o, INSP_F_SLABS);
	for (size_t i = 0; i < k->slab_count; i++)
		if (1ull << k->slabs[i].shift == size)
			add_slab(&k->slabs[i], list);
	return ended(k, o);
}

json *kernel_object_json(const struct kernel *k, const struct kernel_object *object)
{
	json *o = json_object_new_object();
	mv_json_add_hex(o, INSP_F_ADDR, object->addr);
	mv_json_add_str(o, INSP_F_KIND, object->kind);
	if (object->has_base)
		mv_json_add_hex(o, INSP_F_BASE, object->base);
	else
		json_object_object_add(o, INSP_F_BASE, NULL);
	mv_json_add_u64(o, INSP_F_SIZE, object->size);
	mv_json_add_str(o, INSP_F_STATE, object->used ? "used" : "free");
	/* How long ago is not told: no clock lies in memory. */
	if (object->has_note) {
		mv_json_add_hex(o, INSP_F_SITE, object->site);
		add_symbol(k, o, object->site);
	} else if (strcmp(object->kind, "image") == 0) {
		add_symbol(k, o, object->addr);
	}
	mv_json_add_u64(o, INSP_F_GEN, k->gen);
	return o;
}

json *kernel_check_json(const struct kernel *k, const struct kernel_check *c)
{
	json *o = json_object_new_object(), *checked = json_object_new_object(), *list;
	json_object_object_add(o, INSP_F_OK, json_object_new_boolean(!c->faults));
	mv_json_add_u64(checked, INSP_F_FRAMES, c->frames);
	mv_json_add_u64(checked, INSP_F_OBJECTS, c->objects);
	mv_json_add_u64(checked, INSP_F_TABLES, c->tables);
	json_object_object_add(o, INSP_F_CHECKED, checked);
	list = list_in(o, INSP_F_FAULTS);
	for (size_t i = 0; i < c->fault_count; i++)
		json_object_array_add(list, json_object_new_string(c->fault[i]));
	mv_json_add_u64(o, INSP_F_GEN, k->gen);
	return o;
}

static uint64_t sort_key(const struct kernel_site *s, size_t sort)
{
	const uint64_t keys[] = {s->live_bytes, s->live_objects, s->allocs, s->frees, ~s->site};
	return keys[sort];
}

static int by_key(const void *a, const void *b, void *sort)
{
	const struct kernel_site *x = *(const struct kernel_site *const *)a;
	const struct kernel_site *y = *(const struct kernel_site *const *)b;
	uint64_t p = sort_key(x, *(size_t *)sort), q = sort_key(y, *(size_t *)sort);
	if (p != q)
		return p > q ? -1 : 1;
	return x->site < y->site ? -1 : x->site > y->site;
}

json *kernel_sites_json(const struct kernel *k, const char *sort, uint64_t limit)
{
	const struct kernel_site **order = mv_alloc((k->site_count + 1) * sizeof *order);
	json *o = json_object_new_object(), *list = list_in(o, INSP_F_SITES);
	static const char *const sorts[] = {INSP_SORT_NAMES};
	size_t n = 0, by = 0;
	for (size_t i = 0; i < k->site_count; i++)
		if (k->sites[i].allocs)
			order[n++] = &k->sites[i];
	for (size_t i = 0; sort && i < sizeof sorts / sizeof *sorts; i++)
		by = strcmp(sorts[i], sort) == 0 ? i : by;
	qsort_r(order, n, sizeof *order, by_key, &by);
	for (size_t i = 0; i < n && i < limit; i++) {
		json *site = json_object_new_object();
		mv_json_add_hex(site, INSP_F_ADDR, order[i]->site);
		add_symbol(k, site, order[i]->site);
		mv_json_add_u64(site, INSP_F_ALLOCS, order[i]->allocs);
		mv_json_add_u64(site, INSP_F_FREES, order[i]->frees);
		mv_json_add_u64(site, INSP_F_LIVE_OBJECTS, order[i]->live_objects);
		mv_json_add_u64(site, INSP_F_LIVE_BYTES, order[i]->live_bytes);
		json_object_array_add(list, site);
	}
	free(order);
	return ended(k, o);
}
