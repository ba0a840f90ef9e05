// SPDX-License-Identifier: MIT
#include "slabdata.h"

#include "app.h"

#include <json-c/json.h>
#include <memviz/base.h>
#include <stdlib.h>

static bool add_run(struct mv_slab *s, int64_t first, int64_t count)
{
	if (first < 0 || count <= 0 || first + count > s->objects)
		return false;
	if (s->run_count == s->run_capacity) {
		size_t more = s->run_capacity ? s->run_capacity * 2 : 8;
		void *runs = realloc(s->runs, more * sizeof(*s->runs));

		if (!runs)
			return false;
		s->runs = runs;
		s->run_capacity = more;
	}
	s->runs[s->run_count][0] = (uint32_t)first;
	s->runs[s->run_count++][1] = (uint32_t)count;
	return true;
}

static struct mv_slab *slab_for(struct mv_slab_set *set, uint64_t addr)
{
	if (set->count && set->slab[set->count - 1].addr == addr)
		return &set->slab[set->count - 1];
	if (set->count == set->capacity) {
		size_t more = set->capacity ? set->capacity * 2 : 16;
		struct mv_slab *slab = realloc(set->slab, more * sizeof(*slab));

		if (!slab)
			return NULL;
		set->slab = slab;
		set->capacity = more;
	}
	set->slab[set->count] = (struct mv_slab){.addr = addr};
	return &set->slab[set->count++];
}

static void add_item(struct mv_slab_set *set, struct json_object *o, uint64_t from, uint64_t to)
{
	uint64_t addr = mv_get_addr(o, "addr", 0);
	int64_t size = mv_get_int(o, "size", 0), objects = mv_get_int(o, "objects", 0);
	struct json_object *runs = mv_json_array(o, "used_runs");

	if (addr < from || addr >= to || size <= 0 || objects <= 0 || objects > 1 << 24)
		return;
	struct mv_slab *s = slab_for(set, addr);

	if (!s)
		return;
	s->size = (uint64_t)size;
	s->objects = (uint32_t)objects;
	s->used = (uint32_t)mv_get_int(o, "used", 0);
	for (size_t i = 0; i < mv_get_count(o, "used_runs"); i++) {
		struct json_object *pair = json_object_array_get_idx(runs, i);

		if (json_object_is_type(pair, json_type_array) &&
		    json_object_array_length(pair) == 2)
			add_run(s, json_object_get_int64(json_object_array_get_idx(pair, 0)),
				json_object_get_int64(json_object_array_get_idx(pair, 1)));
	}
}

void mv_slabs_add(struct mv_slab_set *s, struct json_object *result, uint64_t from, uint64_t to)
{
	for (size_t i = 0; i < mv_get_count(result, "slabs"); i++)
		add_item(s, mv_get_item(result, "slabs", i), from, to);
}

void mv_slabs_clear(struct mv_slab_set *s)
{
	for (size_t i = 0; i < s->count; i++)
		free(s->slab[i].runs);
	free(s->slab);
	*s = (struct mv_slab_set){0};
}

const struct mv_slab *mv_slabs_find(const struct mv_slab_set *s, uint64_t addr)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->slab[i].addr == addr)
			return &s->slab[i];
	return NULL;
}

uint32_t mv_slab_used_in(const struct mv_slab *s, uint32_t first, uint32_t count)
{
	uint32_t used = 0, end = first + count;

	for (size_t i = 0; i < s->run_count; i++) {
		uint32_t a = s->runs[i][0], b = a + s->runs[i][1];

		a = a > first ? a : first;
		b = b < end ? b : end;
		used += b > a ? b - a : 0;
	}
	return used;
}

bool mv_slab_object_used(const struct mv_slab *s, uint32_t index)
{
	return mv_slab_used_in(s, index, 1) == 1;
}
