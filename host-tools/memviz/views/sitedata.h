/* SPDX-License-Identifier: MIT */
/* Who holds memory: from the kernel's own attribution, or from the events that were seen. */
#ifndef VIEWS_SITEDATA_H
#define VIEWS_SITEDATA_H

#include <memviz/model.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_object;

struct mv_site {
	uint64_t addr;
	char symbol[64];
	uint64_t allocs, frees, live_objects, live_bytes;
	double allocs_per_s;
	uint64_t oldest_us; /* age of the oldest live object known; 0: none known */
	uint64_t old;	    /* objects older than the leak age */
};

struct mv_live_object {
	uint64_t addr, size, site, age_us;
	char symbol[64];
};

struct mv_site_list {
	struct mv_site *site;
	size_t count, capacity;
};

struct mv_object_list {
	struct mv_live_object *object;
	size_t count, capacity;
};

void mv_sites_clear(struct mv_site_list *s);
void mv_objects_clear(struct mv_object_list *l);
/* The entry of @addr, made when it is new; NULL on no memory. */
struct mv_site *mv_site_of(struct mv_site_list *s, uint64_t addr);
/* Replaces *s by the sites of a trace.sites result; rates come from the difference to what *s
 * held @elapsed_us before. */
void mv_sites_take(struct mv_site_list *s, struct json_object *result, uint64_t elapsed_us);
/* Replaces *l by the objects of a trace.leaks result. @site 0: all, else only that site's. */
void mv_objects_take(struct mv_object_list *l, struct json_object *result, uint64_t site);
/* Fills in each site's oldest object and how many are in the list. */
void mv_sites_age(struct mv_site_list *s, const struct mv_object_list *l);
/*
 * Both from the first @n events of a model, for a recording: what was allocated and not freed
 * among them. Objects from before the first event are not known. @l may be NULL.
 */
void mv_sites_from_events(struct mv_site_list *s, struct mv_object_list *l,
			  const struct mv_model *m, size_t n);

#endif
