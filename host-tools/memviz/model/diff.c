/* Two states beside each other: equality, differences, and the invariants. */
#include "private.h"

#include <inttypes.h>
#include <memviz/format.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- differences ---- */

struct out {
	mv_difference_fn fn;
	void *user;
	size_t count;
};

static void tell(struct out *o, struct mv_difference *d)
{
	o->count++;
	if (o->fn)
		o->fn(o->user, d);
}

static void number(struct out *o, const char *part, const char *name, const char *what,
		   uint64_t before, uint64_t after)
{
	struct mv_difference d = {.delta = (int64_t)(after - before)};
	if (before == after)
		return;
	snprintf(d.part, sizeof d.part, "%s", part);
	snprintf(d.what, sizeof d.what, "%s%s%s", name, name[0] ? " " : "", what);
	snprintf(d.before, sizeof d.before, "%" PRIu64, before);
	snprintf(d.after, sizeof d.after, "%" PRIu64, after);
	tell(o, &d);
}

static void diff_stat(struct out *o, const struct mv_model *a, const struct mv_model *b)
{
	number(o, "stat", "", "total", a->stat.total, b->stat.total);
	number(o, "stat", "", "used", a->stat.used, b->stat.used);
	number(o, "stat", "", "free", a->stat.free, b->stat.free);
	number(o, "stat", "", "shared", a->stat.shared, b->stat.shared);
	number(o, "stat", "", "cache_used", a->stat.cache_used, b->stat.cache_used);
	number(o, "stat", "", "cache_free", a->stat.cache_free, b->stat.cache_free);
	number(o, "stat", "", "available", a->stat.available, b->stat.available);
}

static void diff_zone(struct out *o, const struct mv_zone *a, const struct mv_zone *b)
{
	const char *name = b->name[0] ? b->name : a->name;
	number(o, "zones", name, "start", a->start, b->start);
	number(o, "zones", name, "end", a->end, b->end);
	number(o, "zones", name, "frames", a->frames, b->frames);
	number(o, "zones", name, "free", a->free, b->free);
	number(o, "zones", name, "used", a->used, b->used);
	number(o, "zones", name, "reserved", a->reserved, b->reserved);
	number(o, "zones", name, "largest_free_run", a->largest_free_run, b->largest_free_run);
}

static void diff_zones(struct out *o, const struct mv_model *a, const struct mv_model *b)
{
	static const struct mv_zone none;
	for (size_t i = 0; i < a->zone_count || i < b->zone_count; i++)
		diff_zone(o, i < a->zone_count ? &a->zones[i] : &none,
			  i < b->zone_count ? &b->zones[i] : &none);
}

static void diff_cache(struct out *o, const struct mv_cache *a, const struct mv_cache *b)
{
	char name[24];
	snprintf(name, sizeof name, "%" PRIu64, b->size ? b->size : a->size);
	number(o, "caches", name, "slabs", a->slabs, b->slabs);
	number(o, "caches", name, "objects", a->objects, b->objects);
	number(o, "caches", name, "used", a->used, b->used);
	number(o, "caches", name, "free", a->free, b->free);
	number(o, "caches", name, "bytes", a->bytes, b->bytes);
	number(o, "caches", name, "allocs", a->allocs, b->allocs);
	number(o, "caches", name, "frees", a->frees, b->frees);
	number(o, "caches", name, "failed", a->failed, b->failed);
}

static void diff_caches(struct out *o, const struct mv_model *a, const struct mv_model *b)
{
	static const struct mv_cache none;
	for (size_t i = 0; i < b->cache_count; i++) {
		const struct mv_cache *old = mv_model_cache(a, b->caches[i].size);
		diff_cache(o, old ? old : &none, &b->caches[i]);
	}
	for (size_t i = 0; i < a->cache_count; i++)
		if (!mv_model_cache(b, a->caches[i].size))
			diff_cache(o, &a->caches[i], &none);
}

/* ---- ranges: two sorted lists walked at once ---- */

struct walk {
	const struct span_ops *ops;
	const char *data;
	size_t count, i;
};

static const void *walk_at(const struct walk *w)
{
	return w->i < w->count ? w->data + w->i * w->ops->size : NULL;
}

/* The part of the walk that covers `at`, and where the next edge lies. */
static const void *covering(const struct walk *w, uint64_t at, uint64_t *edge)
{
	const void *e = walk_at(w);
	if (!e)
		return NULL;
	if (w->ops->first(e) > at) {
		if (w->ops->first(e) - 1 < *edge)
			*edge = w->ops->first(e) - 1;
		return NULL;
	}
	if (w->ops->last(e) < *edge)
		*edge = w->ops->last(e);
	return e;
}

typedef void (*piece_fn)(struct out *o, const void *a, const void *b, uint64_t first, uint64_t last,
			 const void *user);

/* Calls fn for every stretch over which neither list has an edge. */
static void walk_both(struct out *o, struct walk a, struct walk b, piece_fn fn, const void *user)
{
	uint64_t at = 0;
	while (walk_at(&a) || walk_at(&b)) {
		uint64_t edge = UINT64_MAX;
		const void *x = covering(&a, at, &edge), *y = covering(&b, at, &edge);
		if (x || y)
			fn(o, x, y, at, edge, user);
		if (x && a.ops->last(x) == edge)
			a.i++;
		if (y && b.ops->last(y) == edge)
			b.i++;
		if (edge == UINT64_MAX)
			break;
		at = edge + 1;
	}
}

static void frame_text(const struct mv_frame_run *r, char *out, size_t size)
{
	char attr[96];
	out[0] = 0;
	if (!r)
		return;
	mv_frame_attr_text(r->attr, attr, sizeof attr);
	snprintf(out, size, "%s %.40s refs %u", mv_frame_state_name((enum mv_frame_state)r->state),
		 attr, r->refs);
}

static void diff_frame_piece(struct out *o, const void *a, const void *b, uint64_t first,
			     uint64_t last, const void *user)
{
	(void)user;
	const struct mv_frame_run *x = a, *y = b;
	uint64_t count = (last - first) / MV_FRAME_BYTES + 1;
	struct mv_difference d = {.delta = (int64_t)count};
	if (x && y && x->state == y->state && x->attr == y->attr && x->refs == y->refs &&
	    x->zone == y->zone)
		return;
	snprintf(d.part, sizeof d.part, "frames");
	snprintf(d.what, sizeof d.what, "0x%" PRIx64 " %" PRIu64 " frame%s", first, count,
		 count == 1 ? "" : "s");
	frame_text(x, d.before, sizeof d.before);
	frame_text(y, d.after, sizeof d.after);
	tell(o, &d);
}

static void diff_frames(struct out *o, const struct mv_model *a, const struct mv_model *b)
{
	walk_both(o, (struct walk){&frame_spans, (const char *)a->frames, a->frame_run_count, 0},
		  (struct walk){&frame_spans, (const char *)b->frames, b->frame_run_count, 0},
		  diff_frame_piece, NULL);
}

static void mapping_text(const struct mv_mapping *r, uint64_t va, char *out, size_t size)
{
	char flags[9];
	out[0] = 0;
	if (!r)
		return;
	mv_map_flags_text(r->flags, false, flags);
	snprintf(out, size, "0x%" PRIx64 " %s page %" PRIu64, r->pa + (va - r->va), flags,
		 mv_mapping_page(r));
}

static void diff_mapping_piece(struct out *o, const void *a, const void *b, uint64_t first,
			       uint64_t last, const void *user)
{
	const struct mv_mapping *x = a, *y = b;
	const int64_t *space = user;
	char len[32];
	struct mv_difference d = {.delta = (int64_t)(last - first + 1)};
	if (x && y && x->flags == y->flags && x->page_shift == y->page_shift &&
	    x->pa + (first - x->va) == y->pa + (first - y->va))
		return;
	snprintf(d.part, sizeof d.part, "mappings");
	snprintf(d.what, sizeof d.what, "space %" PRId64 " 0x%" PRIx64 " %s", *space, first,
		 mv_format_size(last - first + 1, len, sizeof len));
	mapping_text(x, first, d.before, sizeof d.before);
	mapping_text(y, first, d.after, sizeof d.after);
	tell(o, &d);
}

static void diff_space_maps(struct out *o, const struct mv_space *a, const struct mv_space *b)
{
	const struct mv_space *any = a ? a : b;
	if (!any)
		return;
	int64_t id = any->id;
	struct walk none = {&mapping_spans, NULL, 0, 0}, x = none, y = none;
	if (a)
		x.data = (const char *)a->maps, x.count = a->map_count;
	if (b)
		y.data = (const char *)b->maps, y.count = b->map_count;
	walk_both(o, x, y, diff_mapping_piece, &id);
}

static void diff_space(struct out *o, const struct mv_space *a, const struct mv_space *b)
{
	const struct mv_space *any = a ? a : b;
	char name[64];
	if (!any)
		return;
	snprintf(name, sizeof name, "%" PRId64 " %s", any->id, any->name);
	if (!a || !b) {
		struct mv_difference d = {.delta = b ? 1 : -1};
		snprintf(d.part, sizeof d.part, "spaces");
		snprintf(d.what, sizeof d.what, "%s", name);
		snprintf(d.before, sizeof d.before, "%s", a ? "there" : "");
		snprintf(d.after, sizeof d.after, "%s", b ? "there" : "");
		tell(o, &d);
		return;
	}
	number(o, "spaces", name, "root", a->root, b->root);
	number(o, "spaces", name, "tables", a->tables, b->tables);
	number(o, "spaces", name, "mapped_bytes", a->mapped_bytes, b->mapped_bytes);
	number(o, "spaces", name, "current", a->current, b->current);
}

typedef void (*space_pair_fn)(struct out *, const struct mv_space *, const struct mv_space *);

static void each_space(struct out *o, const struct mv_model *a, const struct mv_model *b,
		       space_pair_fn fn)
{
	for (size_t i = 0; i < a->space_count; i++)
		fn(o, &a->spaces[i], mv_model_space(b, a->spaces[i].id));
	for (size_t i = 0; i < b->space_count; i++)
		if (!mv_model_space(a, b->spaces[i].id))
			fn(o, NULL, &b->spaces[i]);
}

size_t mv_model_diff(const struct mv_model *before, const struct mv_model *after,
		     mv_difference_fn fn, void *user)
{
	struct out o = {fn, user, 0};
	diff_stat(&o, before, after);
	diff_zones(&o, before, after);
	diff_caches(&o, before, after);
	diff_frames(&o, before, after);
	each_space(&o, before, after, diff_space);
	each_space(&o, before, after, diff_space_maps);
	return o.count;
}

/* ---- equality ---- */

struct first_difference {
	char *why;
	size_t size;
	bool found;
};

static void keep_first(void *user, const struct mv_difference *d)
{
	struct first_difference *f = user;
	if (!f->found && f->why)
		snprintf(f->why, f->size, "%s: %s: \"%s\" against \"%s\"", d->part, d->what,
			 d->before, d->after);
	f->found = true;
}

bool mv_model_equal(const struct mv_model *a, const struct mv_model *b, char *why, size_t why_size)
{
	struct first_difference f = {why, why_size, false};
	mv_model_diff(a, b, keep_first, &f);
	return !f.found;
}

/* ---- invariants ---- */

static bool broken(char *why, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static bool broken(char *why, size_t size, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	if (why)
		vsnprintf(why, size, fmt, args);
	va_end(args);
	return false;
}

static bool check_spans(const struct span_ops *ops, const char *name, const char *data,
			size_t count, char *why, size_t size)
{
	for (size_t i = 0; i < count; i++) {
		const char *e = data + i * ops->size;
		if (ops->last(e) < ops->first(e))
			return broken(why, size, "%s: run %zu is empty or wraps", name, i);
		if (!i)
			continue;
		const char *before = e - ops->size;
		if (ops->first(e) <= ops->last(before))
			return broken(why, size, "%s: run %zu overlaps or is out of order", name,
				      i);
		if (ops->joins(before, e))
			return broken(why, size, "%s: runs %zu and %zu should be one", name, i - 1,
				      i);
	}
	return true;
}

static bool check_space(const struct mv_model *m, size_t i, char *why, size_t size)
{
	const struct mv_space *s = &m->spaces[i];
	char name[40];
	snprintf(name, sizeof name, "space %" PRId64, s->id);
	if (i && m->spaces[i - 1].id >= s->id)
		return broken(why, size, "%s is out of order", name);
	if (!check_spans(&mapping_spans, name, (const char *)s->maps, s->map_count, why, size))
		return false;
	for (size_t k = 0; k < s->map_count; k++)
		if (s->id != MV_SPACE_KERNEL && s->maps[k].va >= MV_KERNEL_HALF)
			return broken(why, size, "%s holds a part of the kernel's half", name);
	return true;
}

static bool check_ring(const struct ring *r, const char *name, char *why, size_t size)
{
	if (r->count > r->limit || r->capacity > r->limit || (r->head && r->count < r->capacity))
		return broken(why, size, "ring %s: %zu of %zu", name, r->count, r->limit);
	return true;
}

bool mv_model_check(const struct mv_model *m, char *why, size_t why_size)
{
	if (m->zone_count > MV_MAX_ZONES || m->cache_count > MV_MAX_CACHES)
		return broken(why, why_size, "more zones or caches than fit");
	if (!check_spans(&frame_spans, "frames", (const char *)m->frames, m->frame_run_count, why,
			 why_size))
		return false;
	for (size_t i = 0; i < m->space_count; i++)
		if (!check_space(m, i, why, why_size))
			return false;
	return check_ring(&m->priv->samples, "samples", why, why_size) &&
	       check_ring(&m->priv->events, "events", why, why_size) &&
	       check_ring(&m->priv->log, "log", why, why_size);
}
