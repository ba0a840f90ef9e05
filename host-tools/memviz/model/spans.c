/*
 * Sorted lists of ranges. One operation does all: cut a hole, perhaps lay
 * something into it, and join what then fits together.
 */
#include "private.h"

#include <memviz/base.h>
#include <string.h>

#define ELEMENT_MAX 64 /* bytes of the largest element */

static void *at(const struct span_ops *ops, const struct span_list *l, size_t i)
{
	return (char *)l->data + i * ops->size;
}

/* Index of the first element whose last address is not below `address`. */
static size_t lower(const struct span_ops *ops, const void *data, size_t count, uint64_t address)
{
	size_t low = 0, high = count;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (ops->last((const char *)data + mid * ops->size) < address)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const void *span_find(const struct span_ops *ops, const void *data, size_t count, uint64_t address)
{
	size_t i = lower(ops, data, count, address);
	if (i == count)
		return NULL;
	const void *e = (const char *)data + i * ops->size;
	return ops->first(e) <= address ? e : NULL;
}

/* Adds to the up to five elements that replace the hole, joining with the one before. */
static void collect(const struct span_ops *ops, char *set, size_t *n, const void *element)
{
	if (*n) {
		char *before = set + (*n - 1) * ops->size;
		if (ops->joins(before, element)) {
			/* Growing the left one: its own ends say the rest. */
			char grown[ELEMENT_MAX];
			memcpy(grown, before, ops->size);
			ops->crop(grown, ops->first(before), ops->last(element));
			memcpy(before, grown, ops->size);
			return;
		}
	}
	memcpy(set + *n * ops->size, element, ops->size);
	++*n;
}

static void splice(const struct span_ops *ops, struct span_list *l, size_t from, size_t to,
		   const char *set, size_t n)
{
	size_t tail = l->count - to;
	mv_grow(&l->data, &l->capacity, l->count - (to - from) + n, ops->size);
	if (tail) /* an empty list has no data */
		memmove(at(ops, l, from + n), at(ops, l, to), tail * ops->size);
	if (n)
		memcpy(at(ops, l, from), set, n * ops->size);
	l->count = from + n + tail;
}

void span_lay(const struct span_ops *ops, struct span_list *l, uint64_t first, uint64_t last,
	      const void *element)
{
	char set[5 * ELEMENT_MAX], piece[ELEMENT_MAX];
	size_t n = 0;
	size_t from = lower(ops, l->data, l->count, first), to = from;
	while (to < l->count && ops->first(at(ops, l, to)) <= last)
		to++;
	size_t left = from, right = to;
	if (from > 0)
		collect(ops, set, &n, at(ops, l, --left));
	if (to > from && ops->first(at(ops, l, from)) < first) {
		memcpy(piece, at(ops, l, from), ops->size);
		ops->crop(piece, ops->first(piece), first - 1);
		collect(ops, set, &n, piece);
	}
	if (element)
		collect(ops, set, &n, element);
	if (to > from && ops->last(at(ops, l, to - 1)) > last) {
		memcpy(piece, at(ops, l, to - 1), ops->size);
		ops->crop(piece, last + 1, ops->last(piece));
		collect(ops, set, &n, piece);
	}
	if (to < l->count)
		collect(ops, set, &n, at(ops, l, right++));
	splice(ops, l, left, right, set, n);
}

/* ---- frames ---- */

static uint64_t frame_first(const void *e)
{
	return ((const struct mv_frame_run *)e)->pa;
}

static uint64_t frame_last(const void *e)
{
	const struct mv_frame_run *r = e;
	return r->pa + r->count * MV_FRAME_BYTES - 1;
}

static void frame_crop(void *e, uint64_t first, uint64_t last)
{
	struct mv_frame_run *r = e;
	r->pa = first;
	r->count = (last - first + 1) / MV_FRAME_BYTES;
}

static bool frame_joins(const void *left, const void *right)
{
	const struct mv_frame_run *a = left, *b = right;
	return frame_last(a) + 1 == b->pa && a->zone == b->zone && a->state == b->state &&
	       a->attr == b->attr && a->refs == b->refs;
}

const struct span_ops frame_spans = {sizeof(struct mv_frame_run), frame_first, frame_last,
				     frame_crop, frame_joins};

/* ---- mappings ---- */

static uint64_t map_first(const void *e)
{
	return ((const struct mv_mapping *)e)->va;
}

static uint64_t map_last(const void *e)
{
	const struct mv_mapping *m = e;
	return m->va + (m->len - 1);
}

static void map_crop(void *e, uint64_t first, uint64_t last)
{
	struct mv_mapping *m = e;
	m->pa += first - m->va;
	m->va = first;
	m->len = (last - first + 1) & MV_MAPPING_LEN_MAX; /* covered, so it fits */
}

static bool map_joins(const void *left, const void *right)
{
	const struct mv_mapping *a = left, *b = right;
	return map_last(a) + 1 == b->va && a->pa + a->len == b->pa &&
	       a->page_shift == b->page_shift && a->flags == b->flags &&
	       (uint64_t)a->len + b->len <= MV_MAPPING_LEN_MAX;
}

const struct span_ops mapping_spans = {sizeof(struct mv_mapping), map_first, map_last, map_crop,
				       map_joins};
_Static_assert(sizeof(struct mv_mapping) == 24, "a space may have 262,144 of them");
_Static_assert(sizeof(struct mv_frame_run) <= ELEMENT_MAX, "element");
