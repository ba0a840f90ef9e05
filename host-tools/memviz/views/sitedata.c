// SPDX-License-Identifier: MIT
#include "sitedata.h"

#include "app.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void mv_sites_clear(struct mv_site_list *s)
{
	free(s->site);
	*s = (struct mv_site_list){0};
}

void mv_objects_clear(struct mv_object_list *l)
{
	free(l->object);
	*l = (struct mv_object_list){0};
}

static struct mv_site *find(const struct mv_site_list *s, uint64_t addr)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->site[i].addr == addr)
			return &s->site[i];
	return NULL;
}

struct mv_site *mv_site_of(struct mv_site_list *s, uint64_t addr)
{
	struct mv_site *have = find(s, addr);

	if (have)
		return have;
	if (s->count == s->capacity) {
		size_t more = s->capacity ? s->capacity * 2 : 32;
		struct mv_site *site = realloc(s->site, more * sizeof(*site));

		if (!site)
			return NULL;
		s->site = site;
		s->capacity = more;
	}
	s->site[s->count] = (struct mv_site){.addr = addr};
	return &s->site[s->count++];
}

static void take_site(struct mv_site_list *fresh, const struct mv_site_list *old,
		      struct json_object *o, uint64_t elapsed_us)
{
	uint64_t addr = mv_get_addr(o, "addr", 0);
	const struct mv_site *before = find(old, addr);
	struct mv_site *s = mv_site_of(fresh, addr);

	if (!s)
		return;
	mv_format_safe(mv_get_text(o, "symbol", ""), s->symbol, sizeof(s->symbol));
	s->allocs = (uint64_t)mv_get_int(o, "allocs", 0);
	s->frees = (uint64_t)mv_get_int(o, "frees", 0);
	s->live_objects = (uint64_t)mv_get_int(o, "live_objects", 0);
	s->live_bytes = (uint64_t)mv_get_int(o, "live_bytes", 0);
	if (before) {
		s->oldest_us = before->oldest_us;
		s->old = before->old;
	}
	if (before && elapsed_us && s->allocs >= before->allocs)
		s->allocs_per_s = (double)(s->allocs - before->allocs) * 1e6 / (double)elapsed_us;
}

void mv_sites_take(struct mv_site_list *s, struct json_object *result, uint64_t elapsed_us)
{
	struct mv_site_list fresh = {0};

	for (size_t i = 0; i < mv_get_count(result, "sites"); i++)
		take_site(&fresh, s, mv_get_item(result, "sites", i), elapsed_us);
	mv_sites_clear(s);
	*s = fresh;
}

static struct mv_live_object *add_object(struct mv_object_list *l)
{
	if (l->count == l->capacity) {
		size_t more = l->capacity ? l->capacity * 2 : 64;
		struct mv_live_object *o = realloc(l->object, more * sizeof(*o));

		if (!o)
			return NULL;
		l->object = o;
		l->capacity = more;
	}
	return &l->object[l->count++];
}

void mv_objects_take(struct mv_object_list *l, struct json_object *result, uint64_t site)
{
	l->count = 0;
	for (size_t i = 0; i < mv_get_count(result, "objects"); i++) {
		struct json_object *j = mv_get_item(result, "objects", i);
		uint64_t from = mv_get_addr(j, "site", 0);

		if (site && from != site)
			continue;
		struct mv_live_object *o = add_object(l);

		if (!o)
			return;
		*o = (struct mv_live_object){.addr = mv_get_addr(j, "addr", 0),
					     .size = (uint64_t)mv_get_int(j, "size", 0),
					     .site = from,
					     .age_us = (uint64_t)mv_get_int(j, "age_us", 0)};
		mv_format_safe(mv_get_text(j, "symbol", ""), o->symbol, sizeof(o->symbol));
	}
}

void mv_sites_age(struct mv_site_list *s, const struct mv_object_list *l)
{
	for (size_t i = 0; i < s->count; i++)
		s->site[i].oldest_us = s->site[i].old = 0;
	for (size_t i = 0; i < l->count; i++) {
		struct mv_site *site = find(s, l->object[i].site);

		if (!site)
			continue;
		site->old++;
		if (l->object[i].age_us > site->oldest_us)
			site->oldest_us = l->object[i].age_us;
	}
}

/* ---- from events ---- */

#define TABLE_SIZE 16384 /* over twice the events that a model keeps */

struct live {
	uint64_t addr; /* 0: empty; 1: was removed */
	const struct mv_event *born;
};

static struct live *slot(struct live *table, uint64_t addr, bool insert)
{
	size_t i = (addr * 0x9e3779b97f4a7c15ull) >> 50;

	for (size_t tries = 0; tries < TABLE_SIZE; tries++, i = (i + 1) % TABLE_SIZE)
		if (table[i].addr == addr || table[i].addr == 0 || (insert && table[i].addr == 1))
			return &table[i];
	return NULL;
}

static void born(struct mv_site_list *s, struct live *table, const struct mv_model *m,
		 const struct mv_event *e)
{
	struct mv_site *site = mv_site_of(s, e->site);
	struct live *l = slot(table, e->addr, true);
	const char *symbol = mv_model_symbol(m, e->site);

	if (!site || !l)
		return;
	*l = (struct live){e->addr, e};
	if (symbol)
		snprintf(site->symbol, sizeof(site->symbol), "%s", symbol);
	site->allocs++;
	site->live_objects++;
	site->live_bytes += e->size;
}

static void died(struct mv_site_list *s, struct live *table, const struct mv_event *e)
{
	struct live *l = slot(table, e->addr, false);
	/* An empty slot has address 0, as has an event that makes no sense. */
	bool alive = l && l->born && l->addr == e->addr;
	struct mv_site *site = alive ? find(s, l->born->site) : NULL;

	if (!site)
		return;
	site->frees++;
	site->live_objects--;
	site->live_bytes -= l->born->size;
	l->addr = 1;
}

static void replay_event(struct mv_site_list *s, struct live *table, const struct mv_model *m,
			 const struct mv_event *e)
{
	if (e->op == MV_EVENT_KMALLOC || e->op == MV_EVENT_ALLOC_PAGES)
		born(s, table, m, e);
	else if (e->op == MV_EVENT_KFREE || e->op == MV_EVENT_FREE_PAGES)
		died(s, table, e);
}

static void list_live(struct mv_object_list *l, const struct live *table, const struct mv_model *m,
		      uint64_t now_us)
{
	l->count = 0;
	for (size_t i = 0; i < TABLE_SIZE; i++) {
		const struct mv_event *e = table[i].born;
		struct mv_live_object *o = table[i].addr > 1 ? add_object(l) : NULL;

		if (!o)
			continue;
		*o = (struct mv_live_object){.addr = e->addr,
					     .size = e->size,
					     .site = e->site,
					     .age_us = now_us > e->t_us ? now_us - e->t_us : 0};
		const char *symbol = mv_model_symbol(m, e->site);

		snprintf(o->symbol, sizeof(o->symbol), "%s", symbol ? symbol : "");
	}
}

void mv_sites_from_events(struct mv_site_list *s, struct mv_object_list *l,
			  const struct mv_model *m, size_t n)
{
	struct live *table = calloc(TABLE_SIZE, sizeof(*table));
	uint64_t now = n ? mv_model_event(m, n - 1)->t_us : 0;

	s->count = 0;
	if (!table)
		return;
	for (size_t i = 0; i < n; i++)
		replay_event(s, table, m, mv_model_event(m, i));
	if (l)
		list_live(l, table, m, now);
	free(table);
}
