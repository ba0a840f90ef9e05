/*
 * The guest's memory by virtual address, as its own page tables map it. Pages are
 * wanted first and fetched together, so that a stub is asked in bursts; each is read
 * once, so that all that is told comes from one reading.
 */
#include "private.h"

#include <stdlib.h>
#include <string.h>

#define PAGE	   4096u
#define BATCH	   256u
#define PAGES_MOST 65536u /* 256 MiB: more is no structure, but a wrong count */

void guest_free(struct guest *g)
{
	for (size_t i = 0; i < g->capacity; i++)
		free(g->pages[i].bytes);
	free(g->pages);
	g->pages = NULL;
	g->capacity = g->count = g->wanted = 0;
}

/* ---- the table of pages ---- */

static struct guest_page *slot_of(struct guest_page *pages, size_t capacity, uint64_t number)
{
	size_t i = (size_t)(number * 0x9e3779b97f4a7c15ull >> 20) & (capacity - 1);
	while (pages[i].bytes && pages[i].number != number)
		i = (i + 1) & (capacity - 1);
	return &pages[i];
}

static void grow(struct guest *g)
{
	size_t capacity = g->capacity ? 2 * g->capacity : 256;
	struct guest_page *pages = mv_alloc(capacity * sizeof *pages);
	for (size_t i = 0; i < g->capacity; i++)
		if (g->pages[i].bytes)
			*slot_of(pages, capacity, g->pages[i].number) = g->pages[i];
	free(g->pages);
	g->pages = pages;
	g->capacity = capacity;
}

static struct guest_page *find(const struct guest *g, uint64_t number)
{
	struct guest_page *p = g->capacity ? slot_of(g->pages, g->capacity, number) : NULL;
	return p && p->bytes ? p : NULL;
}

static void want_page(struct guest *g, uint64_t number)
{
	if (g->status != MV_OK || find(g, number))
		return;
	if (g->count >= PAGES_MOST) {
		g->overfull = true;
		return;
	}
	if (2 * (g->count + 1) > g->capacity)
		grow(g);
	struct guest_page *p = slot_of(g->pages, g->capacity, number);
	*p = (struct guest_page){.number = number, .bytes = mv_alloc(PAGE)};
	g->count++;
	g->wanted++;
}

/* ---- by virtual address ---- */

static bool translate(const struct guest *g, uint64_t va, uint64_t *pa)
{
	const struct leaf_run *leaf = walk_leaf(g->walk, va);
	if (leaf)
		*pa = leaf->pa + (va - leaf->va);
	return leaf != NULL;
}

void guest_want(struct guest *g, uint64_t va, uint64_t len)
{
	uint64_t pa, at = va - va % PAGE, last = va + (len - 1);
	if (!len || last < va)
		return;
	for (; g->status == MV_OK; at += PAGE) {
		if (translate(g, at, &pa))
			want_page(g, pa / PAGE);
		if (last - at < PAGE)
			break;
	}
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static bool fetch_batch(struct guest *g, const uint64_t *addresses, size_t n)
{
	uint64_t(*pages)[512] = mv_alloc(n * sizeof *pages);
	bool good[BATCH];
	enum mv_status st = g->read(g->user, addresses, n, pages, good, &g->error);
	for (size_t i = 0; st == MV_OK && i < n; i++) {
		struct guest_page *p = find(g, addresses[i] / PAGE);
		memcpy(p->bytes, pages[i], PAGE);
		p->read = true;
		p->good = good[i];
	}
	free(pages);
	g->status = st;
	return st == MV_OK;
}

bool guest_fetch(struct guest *g)
{
	if (g->status != MV_OK || !g->wanted)
		return g->status == MV_OK;
	uint64_t *addresses = mv_alloc(g->wanted * sizeof *addresses);
	size_t n = 0;
	for (size_t i = 0; i < g->capacity; i++)
		if (g->pages[i].bytes && !g->pages[i].read)
			addresses[n++] = g->pages[i].number * PAGE;
	qsort(addresses, n, sizeof *addresses, by_number);
	bool good = true;
	for (size_t at = 0; good && at < n; at += BATCH)
		good = fetch_batch(g, addresses + at, n - at < BATCH ? n - at : BATCH);
	free(addresses);
	g->wanted = 0;
	return good;
}

static bool copy(struct guest *g, uint64_t va, uint8_t *out, size_t len)
{
	while (len) {
		uint64_t pa, left = PAGE - va % PAGE;
		size_t n = len < left ? len : (size_t)left;
		const struct guest_page *p = translate(g, va, &pa) ? find(g, pa / PAGE) : NULL;
		if (!p || !p->good)
			return false;
		memcpy(out, p->bytes + pa % PAGE, n);
		va += n;
		out += n;
		len -= n;
	}
	return true;
}

bool guest_read(struct guest *g, uint64_t va, void *out, size_t len)
{
	guest_want(g, va, len);
	if (len && guest_fetch(g) && va + (len - 1) >= va && copy(g, va, out, len))
		return true;
	memset(out, 0, len);
	if (len && !g->missed)
		g->missed_at = va;
	g->missed = g->missed || len;
	return len == 0;
}
