/* The past of one model as pages, and into another model. */
#include "private.h"

#include <inspect/protocol.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <memviz/base.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIXED	     9 /* time, gen and the seven figures */
#define COLUMNS_MAX  (FIXED + MV_MAX_ZONES + 3 * MV_MAX_CACHES)
#define EVENTS_MOST  1000
#define PAGE_DEFAULT 500

bool mv_model_arriving(const struct mv_model *m)
{
	return m->priv->frames_arriving || m->priv->mappings_arriving;
}

/* ---- rows ---- */

/* A sample as a flat row; returns the number of columns. */
static size_t flatten(const struct mv_sample *s, size_t zones, size_t caches, uint64_t *row)
{
	size_t n = 0;
	row[n++] = s->time_us;
	row[n++] = s->gen;
	row[n++] = s->stat.total;
	row[n++] = s->stat.used;
	row[n++] = s->stat.free;
	row[n++] = s->stat.shared;
	row[n++] = s->stat.cache_used;
	row[n++] = s->stat.cache_free;
	row[n++] = s->stat.available;
	for (size_t i = 0; i < zones; i++)
		row[n++] = s->zone_free[i];
	for (size_t i = 0; i < caches; i++)
		row[n++] = s->cache_used[i];
	for (size_t i = 0; i < caches; i++)
		row[n++] = s->cache_allocs[i];
	for (size_t i = 0; i < caches; i++)
		row[n++] = s->cache_frees[i];
	return n;
}

static void unflatten(const uint64_t *row, size_t zones, size_t caches, struct mv_sample *s)
{
	*s = (struct mv_sample){
		.time_us = row[0],
		.gen = row[1],
		.stat = {row[2], row[3], row[4], row[5], row[6], row[7], row[8]}
	};
	row += FIXED;
	memcpy(s->zone_free, row, zones * sizeof *row);
	memcpy(s->cache_used, row + zones, caches * sizeof *row);
	memcpy(s->cache_allocs, row + zones + caches, caches * sizeof *row);
	memcpy(s->cache_frees, row + zones + 2 * caches, caches * sizeof *row);
}

/* ---- out ---- */

static void add_happenings(const struct mv_model *m, struct json_object *page)
{
	struct json_object *events = mv_model_topic(m, "events"), *log = mv_model_topic(m, "log");
	struct json_object *list = mv_json_array(events, INSP_F_EVENTS);
	size_t n = json_object_array_length(list);
	if (n > EVENTS_MOST)
		json_object_array_del_idx(list, 0, n - EVENTS_MOST);
	json_object_object_add(page, INSP_F_EVENTS, json_object_get(list));
	json_object_object_add(page, INSP_F_LINES,
			       json_object_get(mv_json_array(log, INSP_F_LINES)));
	json_object_put(events);
	json_object_put(log);
}

static struct json_object *row_json(const uint64_t *row, const uint64_t *before, size_t n)
{
	struct json_object *o = json_object_new_array_ext((int)n);
	for (size_t i = 0; i < n; i++)
		json_object_array_add(
			o, json_object_new_int64((int64_t)(row[i] - (before ? before[i] : 0))));
	return o;
}

/* The cursor is the time of the next sample: it stays right while the ring moves. */
struct json_object *mv_model_history(const struct mv_model *m, uint64_t since_us, size_t limit,
				     const char *cursor, struct mv_error *e)
{
	uint64_t from = since_us, row[2][COLUMNS_MAX];
	char *end = NULL;
	if (cursor)
		from = strtoull(cursor, &end, 10);
	if (cursor && (end == cursor || *end)) {
		mv_fail(e, MV_REFUSED, "cursor: not one that hub.history gave");
		return NULL;
	}
	struct json_object *page = json_object_new_object(), *list = json_object_new_array();
	mv_json_add_u64(page, INSP_F_ZONES, m->zone_count);
	mv_json_add_u64(page, INSP_F_CACHES, m->cache_count);
	json_object_object_add(page, "samples", list);
	if (!cursor)
		add_happenings(m, page);
	size_t i = 0, n = mv_model_samples(m), taken = 0;
	if (!limit || limit > PAGE_DEFAULT)
		limit = PAGE_DEFAULT;
	while (i < n && mv_model_sample(m, i)->time_us < from)
		i++;
	for (; i < n && taken < limit; i++, taken++) {
		uint64_t *now = row[taken & 1], *before = row[~taken & 1];
		size_t columns = flatten(mv_model_sample(m, i), m->zone_count, m->cache_count, now);
		json_object_array_add(list, row_json(now, taken ? before : NULL, columns));
	}
	if (i < n) {
		char text[24];
		snprintf(text, sizeof text, "%" PRIu64, mv_model_sample(m, i)->time_us);
		mv_json_add_str(page, INSP_F_NEXT, text);
	} else {
		json_object_object_add(page, INSP_F_NEXT, NULL);
	}
	return page;
}

/* ---- in ---- */

static struct mv_sample *read_rows(struct json_object *list, size_t zones, size_t caches,
				   size_t *count)
{
	size_t n = json_object_array_length(list), columns = FIXED + zones + 3 * caches;
	struct mv_sample *out = mv_alloc((n + 1) * sizeof *out);
	uint64_t row[COLUMNS_MAX] = {0};
	for (size_t i = 0; i < n; i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		if (!json_object_is_type(o, json_type_array) ||
		    json_object_array_length(o) != columns) {
			free(out);
			return NULL;
		}
		for (size_t k = 0; k < columns; k++)
			row[k] += (uint64_t)json_object_get_int64(json_object_array_get_idx(o, k));
		unflatten(row, zones, caches, &out[i]);
	}
	*count = n;
	return out;
}

/* Old and new samples by time; where both have an instant, ours stays. */
static void merge_samples(struct mv_model *m, const struct mv_sample *in, size_t n)
{
	struct ring *ring = &m->priv->samples;
	struct ring old = *ring;
	*ring = (struct ring){.size = old.size, .limit = old.limit};
	size_t i = 0, k = 0;
	for (;;) {
		const struct mv_sample *ours = k < old.count ? ring_at(&old, k) : NULL;
		const struct mv_sample *theirs = i < n ? &in[i] : NULL;
		if (!ours && !theirs)
			break;
		if (ours && theirs && ours->time_us == theirs->time_us) {
			i++;
			continue;
		}
		bool take_ours = ours && (!theirs || ours->time_us < theirs->time_us);
		*(struct mv_sample *)ring_push(ring) = take_ours ? *ours : *theirs;
		if (take_ours)
			k++;
		else
			i++;
	}
	free(old.data);
}

/* What happened before the first thing that we heard ourselves. */
static void prepend_events(struct mv_model *m, struct json_object *list)
{
	struct ring *ring = &m->priv->events, old = *ring;
	uint64_t first = old.count ? ((const struct mv_event *)ring_at(&old, 0))->t_us : UINT64_MAX;
	*ring = (struct ring){.size = old.size, .limit = old.limit};
	uint64_t heard = m->events_seen;
	struct json_object *data = json_object_new_object();
	json_object_object_add(data, INSP_F_EVENTS, json_object_get(list));
	model_add_events(m, data, first);
	json_object_put(data);
	for (size_t i = 0; i < old.count; i++)
		*(struct mv_event *)ring_push(ring) = *(const struct mv_event *)ring_at(&old, i);
	/* Numbers follow the new order. */
	m->events_seen = heard > ring->count ? heard : ring->count;
	for (size_t i = 0; i < ring->count; i++)
		((struct mv_event *)ring_at(ring, i))->number = m->events_seen - ring->count + i +
								1;
	free(old.data);
}

static void prepend_log(struct mv_model *m, struct json_object *list)
{
	struct ring *ring = &m->priv->log, old = *ring;
	*ring = (struct ring){.size = old.size, .limit = old.limit};
	struct json_object *data = json_object_new_object();
	json_object_object_add(data, INSP_F_LINES, json_object_get(list));
	read_log(m, data, false, NULL);
	json_object_put(data);
	for (size_t i = 0; i < old.count; i++) {
		const struct mv_log_line *line = ring_at(&old, i);
		const struct mv_log_line *last = ring->count ? ring_at(ring, ring->count - 1)
							     : NULL;
		if (!last || line->seq > last->seq)
			*(struct mv_log_line *)ring_push(ring) = *line;
	}
	free(old.data);
}

enum mv_applied mv_model_apply_history(struct mv_model *m, struct json_object *page,
				       struct mv_error *e)
{
	uint64_t zones, caches;
	size_t n = 0;
	struct json_object *list = mv_json_array(page, "samples");
	if (!list || !mv_json_u64(page, INSP_F_ZONES, &zones) || zones > MV_MAX_ZONES ||
	    !mv_json_u64(page, INSP_F_CACHES, &caches) || caches > MV_MAX_CACHES)
		return malformed(e, "hub.history");
	struct mv_sample *rows = read_rows(list, zones, caches, &n);
	if (!rows)
		return malformed(e, "a row of hub.history");
	merge_samples(m, rows, n);
	free(rows);
	struct json_object *events = mv_json_array(page, INSP_F_EVENTS);
	struct json_object *lines = mv_json_array(page, INSP_F_LINES);
	if (events)
		prepend_events(m, events);
	if (lines)
		prepend_log(m, lines);
	model_touch(m, MV_PART_HISTORY);
	model_touch(m, MV_PART_EVENTS);
	model_touch(m, MV_PART_LOG);
	return MV_APPLIED;
}
