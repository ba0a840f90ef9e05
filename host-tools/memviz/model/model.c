/* The model's life, its rings and its look-ups. */
#include "private.h"

#include <memviz/base.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLES_DEFAULT 6000
#define EVENTS_DEFAULT	4096
#define LOG_DEFAULT	2000
/* Samples closer than this replace each other: a burst of topics is one instant. */
#define SAMPLE_MIN_US 20000
#define SYMBOLS_MAX   8192

/* ---- rings ---- */

void *ring_push(struct ring *r)
{
	if (r->count < r->limit && r->count == r->capacity) {
		/* Grows only while head is 0, so that no element moves out of order. */
		size_t want = r->capacity ? r->capacity * 2 : 64;
		if (want > r->limit)
			want = r->limit;
		r->data = mv_realloc(r->data, want * r->size);
		r->capacity = want;
	}
	size_t slot;
	if (r->count < r->capacity) {
		slot = r->count++;
	} else {
		slot = r->head;
		r->head = r->head + 1 < r->capacity ? r->head + 1 : 0;
	}
	void *p = (char *)r->data + slot * r->size;
	memset(p, 0, r->size);
	return p;
}

const void *ring_at(const struct ring *r, size_t i)
{
	return (const char *)r->data + (r->head + i) % r->capacity * r->size;
}

static void ring_clear(struct ring *r)
{
	free(r->data);
	r->data = NULL;
	r->capacity = r->count = r->head = 0;
}

/* ---- life ---- */

struct mv_model *mv_model_new(const struct mv_model_limits *limits)
{
	struct mv_model *m = mv_alloc(sizeof *m);
	struct mv_model_private *p = mv_alloc(sizeof *p);
	if (limits)
		m->limits = *limits;
	if (!m->limits.samples)
		m->limits.samples = SAMPLES_DEFAULT;
	if (!m->limits.events)
		m->limits.events = EVENTS_DEFAULT;
	if (!m->limits.log_lines)
		m->limits.log_lines = LOG_DEFAULT;
	p->samples = (struct ring){.size = sizeof(struct mv_sample), .limit = m->limits.samples};
	p->events = (struct ring){.size = sizeof(struct mv_event), .limit = m->limits.events};
	p->log = (struct ring){.size = sizeof(struct mv_log_line), .limit = m->limits.log_lines};
	m->priv = p;
	return m;
}

void spaces_free(struct mv_space *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		space_drop_maps(&list[i]);
	free(list);
}

static void clear_contents(struct mv_model *m)
{
	struct mv_model_private *p = m->priv;
	free(m->frames);
	spaces_free(m->spaces, m->space_count);
	spaces_free(p->spaces_stage, p->spaces_stage_count);
	free(p->frames_stage.data);
	free(p->symbols);
	ring_clear(&p->samples);
	ring_clear(&p->events);
	ring_clear(&p->log);
	kept_clear(p);
}

void mv_model_free(struct mv_model *m)
{
	if (!m)
		return;
	clear_contents(m);
	free(m->priv);
	free(m);
}

void mv_model_reset(struct mv_model *m)
{
	clear_contents(m);
	struct mv_model_private *p = m->priv;
	*p = (struct mv_model_private){.samples = p->samples, .events = p->events, .log = p->log};
	struct mv_model fresh = {.limits = m->limits, .priv = p};
	for (unsigned i = 0; i < MV_PARTS; i++)
		fresh.rev[i] = m->rev[i] + 1;
	*m = fresh;
}

struct mv_model *mv_model_clone(const struct mv_model *m)
{
	struct mv_model_limits small = {1, 1, 1};
	struct mv_model *c = mv_model_new(&small);
	struct mv_model_private *p = c->priv;
	*c = *m;
	c->priv = p;
	c->limits = small;
	c->frames = mv_alloc((m->frame_run_count + 1) * sizeof *c->frames);
	c->frame_run_capacity = m->frame_run_count + 1;
	if (m->frame_run_count)
		memcpy(c->frames, m->frames, m->frame_run_count * sizeof *c->frames);
	c->spaces = mv_alloc((m->space_count + 1) * sizeof *c->spaces);
	for (size_t i = 0; i < m->space_count; i++) {
		struct mv_space *s = &c->spaces[i];
		*s = m->spaces[i];
		space_share_maps(s, &m->spaces[i]);
	}
	kept_copy(p, m->priv);
	return c;
}

void model_touch(struct mv_model *m, enum mv_part part)
{
	m->rev[part]++;
}

/* ---- spaces ---- */

struct mv_space *space_get(struct mv_space **list, size_t *count, int64_t id, bool create)
{
	size_t i = 0;
	while (i < *count && (*list)[i].id < id)
		i++;
	if (i < *count && (*list)[i].id == id)
		return &(*list)[i];
	if (!create || *count >= MV_MAX_SPACES)
		return NULL;
	*list = mv_realloc(*list, (*count + 1) * sizeof **list);
	memmove(*list + i + 1, *list + i, (*count - i) * sizeof **list);
	memset(*list + i, 0, sizeof **list);
	(*list)[i].id = id;
	++*count;
	return &(*list)[i];
}

void space_drop_maps(struct mv_space *s)
{
	if (!s->map_sharers || --*s->map_sharers == 0) {
		free(s->map_sharers);
		free(s->maps);
	}
	s->maps = NULL;
	s->map_sharers = NULL;
	s->map_count = s->map_capacity = 0;
}

static void take_maps(struct mv_space *to, const struct mv_space *from)
{
	to->maps = from->maps;
	to->map_count = from->map_count;
	to->map_capacity = from->map_capacity;
	to->map_sharers = from->map_sharers;
}

void space_move_maps(struct mv_space *to, struct mv_space *from)
{
	space_drop_maps(to);
	take_maps(to, from);
	from->maps = NULL;
	from->map_sharers = NULL;
	from->map_count = from->map_capacity = 0;
}

void space_share_maps(struct mv_space *to, struct mv_space *from)
{
	if (!from->map_sharers) {
		from->map_sharers = mv_alloc(sizeof *from->map_sharers);
		*from->map_sharers = 1;
	}
	++*from->map_sharers;
	take_maps(to, from);
}

static void own_maps(struct mv_space *s)
{
	struct mv_space shared = *s;
	if (!s->map_sharers || *s->map_sharers == 1)
		return;
	s->map_sharers = NULL;
	s->map_capacity = s->map_count + 1;
	s->maps = mv_alloc(s->map_capacity * sizeof *s->maps);
	if (s->map_count)
		memcpy(s->maps, shared.maps, s->map_count * sizeof *s->maps);
	space_drop_maps(&shared);
}

struct span_list space_spans(struct mv_space *s)
{
	own_maps(s);
	return (struct span_list){s->maps, s->map_count, s->map_capacity};
}

void space_set_spans(struct mv_space *s, const struct span_list *l)
{
	s->maps = l->data;
	s->map_count = l->count;
	s->map_capacity = l->capacity;
}

/* ---- history ---- */

void model_sample(struct mv_model *m, uint64_t time_us)
{
	struct mv_model_private *p = m->priv;
	struct mv_sample *s = NULL;
	if (!m->stat_known)
		return;
	if (p->samples.count) {
		s = (struct mv_sample *)ring_at(&p->samples, p->samples.count - 1);
		if (time_us >= s->time_us + SAMPLE_MIN_US)
			s = NULL;
		else
			time_us = s->time_us;
	}
	if (!s)
		s = ring_push(&p->samples);
	*s = (struct mv_sample){.time_us = time_us, .gen = m->gen, .stat = m->stat};
	for (size_t i = 0; i < m->zone_count; i++)
		s->zone_free[i] = m->zones[i].free;
	for (size_t i = 0; i < m->cache_count; i++) {
		s->cache_used[i] = m->caches[i].used;
		s->cache_allocs[i] = m->caches[i].allocs;
		s->cache_frees[i] = m->caches[i].frees;
	}
	model_touch(m, MV_PART_HISTORY);
}

size_t mv_model_samples(const struct mv_model *m)
{
	return m->priv->samples.count;
}

const struct mv_sample *mv_model_sample(const struct mv_model *m, size_t i)
{
	return ring_at(&m->priv->samples, i);
}

size_t mv_model_events(const struct mv_model *m)
{
	return m->priv->events.count;
}

const struct mv_event *mv_model_event(const struct mv_model *m, size_t i)
{
	return ring_at(&m->priv->events, i);
}

size_t mv_model_log_lines(const struct mv_model *m)
{
	return m->priv->log.count;
}

const struct mv_log_line *mv_model_log_line(const struct mv_model *m, size_t i)
{
	return ring_at(&m->priv->log, i);
}

static double rate(const struct mv_model *m, size_t cache, uint64_t window_us, bool frees)
{
	size_t n = mv_model_samples(m);
	if (n < 2 || cache >= m->cache_count)
		return 0;
	const struct mv_sample *now = mv_model_sample(m, n - 1);
	/* The state may be quiet since the last sample: the window ends now. */
	uint64_t end = m->time_us > now->time_us ? m->time_us : now->time_us;
	size_t i = n - 1;
	while (i > 0 && mv_model_sample(m, i)->time_us + window_us > end)
		i--;
	const struct mv_sample *then = mv_model_sample(m, i);
	if (end <= then->time_us)
		return 0;
	uint64_t a = frees ? then->cache_frees[cache] : then->cache_allocs[cache];
	uint64_t b = frees ? now->cache_frees[cache] : now->cache_allocs[cache];
	return b > a ? (double)(b - a) * 1e6 / (double)(end - then->time_us) : 0;
}

double mv_model_cache_alloc_rate(const struct mv_model *m, size_t cache, uint64_t window_us)
{
	return rate(m, cache, window_us, false);
}

double mv_model_cache_free_rate(const struct mv_model *m, size_t cache, uint64_t window_us)
{
	return rate(m, cache, window_us, true);
}

/* ---- looking things up ---- */

const struct mv_frame_run *mv_model_frame_at(const struct mv_model *m, uint64_t pa)
{
	return span_find(&frame_spans, m->frames, m->frame_run_count, pa);
}

const struct mv_space *mv_model_space(const struct mv_model *m, int64_t id)
{
	for (size_t i = 0; i < m->space_count; i++)
		if (m->spaces[i].id == id)
			return &m->spaces[i];
	return NULL;
}

const struct mv_space *mv_model_current_space(const struct mv_model *m)
{
	for (size_t i = 0; i < m->space_count; i++)
		if (m->spaces[i].current)
			return &m->spaces[i];
	return mv_model_space(m, MV_SPACE_KERNEL);
}

const struct mv_mapping *mv_space_mapping_at(const struct mv_space *s, uint64_t va)
{
	return span_find(&mapping_spans, s->maps, s->map_count, va);
}

const struct mv_mapping *mv_model_mapping_at(const struct mv_model *m, int64_t space, uint64_t va)
{
	const struct mv_space *s = mv_model_space(m,
						  va >= MV_KERNEL_HALF ? MV_SPACE_KERNEL : space);
	return s ? mv_space_mapping_at(s, va) : NULL;
}

const struct mv_cache *mv_model_cache(const struct mv_model *m, uint64_t size)
{
	for (size_t i = 0; i < m->cache_count; i++)
		if (m->caches[i].size == size)
			return &m->caches[i];
	return NULL;
}

const struct mv_zone *mv_model_zone_at(const struct mv_model *m, uint64_t pa)
{
	for (size_t i = 0; i < m->zone_count; i++)
		if (pa >= m->zones[i].start && pa < m->zones[i].end)
			return &m->zones[i];
	return NULL;
}

/* A gap of at most this much does not part two segments. */
#define SEGMENT_GAP_BYTES (64 * MV_FRAME_BYTES)

static bool is_memory(const struct mv_frame_run *r)
{
	return r->state != MV_FRAME_HOLE && r->state != MV_FRAME_UNKNOWN &&
	       r->state != MV_FRAME_RESERVED;
}

size_t mv_model_segments(const struct mv_model *m, struct mv_range *out, size_t most)
{
	size_t n = 0;
	for (size_t i = 0; i < m->frame_run_count; i++) {
		const struct mv_frame_run *r = &m->frames[i];
		uint64_t last = frame_spans.last(r);
		if (!is_memory(r))
			continue;
		if (n && (n == most || r->pa - out[n - 1].last <= SEGMENT_GAP_BYTES))
			out[n - 1].last = last;
		else if (n < most)
			/* What lies below the first megabytes belongs to the picture. */
			out[n++] = (struct mv_range){0, r->pa <= SEGMENT_GAP_BYTES ? 0 : r->pa,
						     last};
	}
	return n;
}

/* ---- symbols ---- */

static size_t symbol_index(const struct mv_model_private *p, uint64_t site)
{
	size_t low = 0, high = p->symbol_count;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (p->symbols[mid].site < site)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const char *mv_model_symbol(const struct mv_model *m, uint64_t site)
{
	const struct mv_model_private *p = m->priv;
	size_t i = symbol_index(p, site);
	return i < p->symbol_count && p->symbols[i].site == site ? p->symbols[i].name : NULL;
}

void model_learn_symbol(struct mv_model *m, uint64_t site, const char *name)
{
	struct mv_model_private *p = m->priv;
	size_t i = symbol_index(p, site);
	if (i == p->symbol_count || p->symbols[i].site != site) {
		if (p->symbol_count >= SYMBOLS_MAX)
			return;
		mv_grow(&p->symbols, &p->symbol_capacity, p->symbol_count + 1, sizeof *p->symbols);
		memmove(p->symbols + i + 1, p->symbols + i,
			(p->symbol_count - i) * sizeof *p->symbols);
		p->symbol_count++;
		p->symbols[i].site = site;
	}
	mv_copy(p->symbols[i].name, sizeof p->symbols[i].name, name);
}
