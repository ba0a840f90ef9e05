/* The simulated memory manager; see model.h. Simple rather than fast. */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FRAME	   0x200000ull
#define DIRECT	   0xffff800000000000ull
#define IMAGE	   0xffffffff80000000ull
#define IMAGE_PA   0x1000000ull
#define IMAGE_LEN  0x600000ull
#define WINDOW	   0xffffb00000000000ull
#define USER_LAST  0x00007fffffffffffull
#define SPAN	   0x10000ull /* backing of a slab of small objects */
#define ZONES	   3
#define CLASSES	   16
#define MAX_SPACES 256
#define LOG_LINES  256
#define SITES	   12
#define WORKLOADS  6
#define HELD	   4096

struct frame {
	uint8_t state, attr;
	uint32_t refs;
	uint32_t run;	/* allocated runs: which, so that each is one item */
	uint32_t spans; /* of a shared slab frame: bits of 64 KiB spans in use */
};

struct object_note {
	uint64_t site, birth_us;
};

struct slab {
	uint64_t va;
	uint64_t bytes, size;
	uint32_t objects, used;
	uint64_t *bits;
	struct object_note *notes;
};

struct cache {
	struct slab **slabs;
	size_t count, room;
	uint64_t allocs, frees, failed;
};

struct space {
	uint32_t id;
	char name[INSP_NAME_MAX];
	uint64_t root;
	struct model_leaf *leaf;
	size_t leaves, room;
};

struct workload {
	const char *name, *meaning;
	struct insp_setting setting[3];
	uint32_t settings;
	bool running;
	uint64_t operations, failures, next_us;
	uint64_t held[HELD];
	uint32_t count;
};

static struct {
	struct model_options options;
	struct insp *insp;
	uint32_t listen, muted;
	uint64_t missed[INSP_EV_OPS];
	uint64_t epoch_ns, clock_us, clock_cost_us, idle_us, random;
	bool clock_set, busy, never_mutes;
	struct frame *frame;
	uint64_t frames;
	uint64_t zone_start[ZONES], zone_end[ZONES];
	uint32_t next_run;
	struct cache cache[CLASSES];
	struct space space[MAX_SPACES];
	uint32_t spaces, next_space;
	bool tracing;
	struct insp_site site[SITES];
	struct insp_gens gens;
	struct insp_line log[LOG_LINES];
	uint64_t fail_after[4], fail_count[4];
	struct workload workload[WORKLOADS];
	struct model_counts counts;
	uint32_t busy_every, move_every, calls;
	uint64_t held[512]; /* of model_random_step() */
	uint32_t held_count;
} m;

static const char *const zone_names[ZONES] = {"ZONE_DMA", "ZONE_NORMAL", "ZONE_UNMAPPED_IN_PGT"};
static const char *const site_names[SITES] = {
	"churn_run+0x4c",	"ramp_run+0x31",  "leak_run+0x2a",	"fragment_run+0x77",
	"maps_run+0x58",	"mixed_run+0x90", "thread_create+0x6d", "log_init+0x1f",
	"insp_do_kmalloc+0x3b", "uart_init+0x22", "pci_scan+0x101",	"kernel_main+0x5e"};

uint64_t model_random(void)
{
	uint64_t x = m.random += 0x9e3779b97f4a7c15ull;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

static uint64_t below(uint64_t bound)
{
	return model_random() % bound;
}

static uint64_t site_address(uint32_t site)
{
	return IMAGE + 0x1000 * (site + 1) + 0x4c;
}

static uint64_t now_us(void)
{
	struct timespec t;

	if (m.clock_set)
		return m.clock_us += m.clock_cost_us;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return ((uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec - m.epoch_ns) / 1000;
}

static void event(enum insp_event_op op, uint64_t addr, uint64_t size, uint64_t site, uint32_t arg)
{
	const struct insp_event what = {now_us(), addr, size, site, op, arg};

	if (!m.insp || !(m.listen >> op & 1))
		return;
	if (m.muted >> op & 1)
		m.missed[op]++;
	else if (!insp_event(m.insp, &what) && !m.never_mutes) {
		m.muted = INSP_EVENTS_MANY;
		insp_event_muted(m.insp);
	}
}

static void listen_to(uint32_t events)
{
	for (int op = 0; op < INSP_EV_OPS; op++) {
		if (m.listen >> op & 1)
			insp_event_missed(m.insp, (enum insp_event_op)op, m.missed[op]);
		m.missed[op] = 0;
	}
	m.listen = events;
	m.muted = 0;
}

/* ---- frames ---- */

static int zone_of(uint64_t frame)
{
	for (int z = 0; z < ZONES; z++)
		if (frame * FRAME >= m.zone_start[z] && frame * FRAME < m.zone_end[z])
			return z;
	return -1;
}

static void frames_changed(void)
{
	m.gens.all++;
	m.gens.frames++;
}

static bool fails(int op)
{
	if (!m.fail_after[op])
		return false;
	if (m.fail_after[op] > 1) {
		m.fail_after[op]--;
		return false;
	}
	if (m.fail_count[op] && --m.fail_count[op] == 0)
		m.fail_after[op] = 0;
	return true;
}

static uint64_t find_run(uint32_t zone, uint32_t num)
{
	uint64_t run = 0;

	for (uint64_t f = m.zone_start[zone] / FRAME; f < m.zone_end[zone] / FRAME; f++) {
		run = m.frame[f].state == INSP_FRAME_FREE ? run + 1 : 0;
		if (run == num)
			return f + 1 - num;
	}
	return INSP_NONE;
}

static uint64_t take_run(uint32_t zone, uint32_t num, uint8_t state, uint8_t attr)
{
	uint64_t first = find_run(zone, num);

	if (first == INSP_NONE)
		return INSP_NONE;
	m.next_run++;
	for (uint64_t f = first; f < first + num; f++)
		m.frame[f] = (struct frame){state,
					    (uint8_t)(attr | (zone < 2 ? INSP_ATTR_PGT_MAPPED : 0)),
					    1, m.next_run, 0};
	frames_changed();
	return first;
}

static void give_run(uint64_t first, uint64_t num)
{
	for (uint64_t f = first; f < first + num; f++)
		m.frame[f] = (struct frame){INSP_FRAME_FREE, 0, 0, 0, 0};
	frames_changed();
}

/* ---- objects ---- */

static uint32_t class_of(uint64_t size)
{
	uint32_t k = 0;

	while (size > 32ull << k)
		k++;
	return k;
}

/* A 64 KiB span of a shared slab frame, or a whole frame for large classes; 0: no memory. */
static uint64_t take_backing(uint32_t class)
{
	if ((32ull << class) < SPAN) {
		for (uint64_t f = 0; f < m.frames; f++) {
			struct frame *frame = &m.frame[f];
			if (frame->state != INSP_FRAME_SLAB || !~frame->spans || !frame->spans)
				continue;
			uint32_t span = (uint32_t)__builtin_ctz(~frame->spans);
			frame->spans |= 1u << span;
			return DIRECT + f * FRAME + span * SPAN;
		}
	}
	uint64_t f = take_run(1, 1, INSP_FRAME_SLAB, INSP_ATTR_KERNEL);
	if (f == INSP_NONE)
		return 0;
	m.frame[f].run = 0;
	if ((32ull << class) < SPAN)
		m.frame[f].spans = 1;
	return DIRECT + f * FRAME;
}

static void give_backing(const struct slab *slab)
{
	uint64_t at = slab->va - DIRECT;
	struct frame *frame = &m.frame[at / FRAME];

	if (slab->bytes == SPAN) {
		frame->spans &= ~(1u << (at % FRAME / SPAN));
		if (frame->spans)
			return;
	}
	give_run(at / FRAME, 1);
}

static struct slab *add_slab(uint32_t class)
{
	struct cache *c = &m.cache[class];
	uint64_t va = fails(2) ? 0 : take_backing(class);

	if (!va)
		return NULL;
	struct slab *s = calloc(1, sizeof(*s));
	s->va = va;
	s->size = 32ull << class;
	s->bytes = s->size < SPAN ? SPAN : FRAME;
	s->objects = (uint32_t)(s->bytes / s->size);
	s->bits = calloc(s->objects / 64 + 1, 8);
	s->notes = calloc(s->objects, sizeof(*s->notes));
	if (c->count == c->room) {
		c->room = c->room * 2 + 8;
		c->slabs = realloc(c->slabs, c->room * sizeof(*c->slabs));
	}
	/* By address, so that a cursor by address is stable. */
	size_t at = c->count++;
	while (at && c->slabs[at - 1]->va > va) {
		c->slabs[at] = c->slabs[at - 1];
		at--;
	}
	c->slabs[at] = s;
	return s;
}

static void free_slab(struct slab *s)
{
	free(s->bits);
	free(s->notes);
	free(s);
}

static struct slab *roomy_slab(uint32_t class)
{
	struct cache *c = &m.cache[class];

	for (size_t i = 0; i < c->count; i++)
		if (c->slabs[i]->used < c->slabs[i]->objects)
			return c->slabs[i];
	return add_slab(class);
}

static void note_alloc(struct slab *s, uint32_t i, uint32_t site)
{
	s->notes[i] = (struct object_note){INSP_NONE, INSP_NONE};
	if (!m.tracing)
		return;
	s->notes[i] = (struct object_note){site_address(site), now_us()};
	m.site[site].addr = site_address(site);
	m.site[site].allocs++;
	m.site[site].live_objects++;
	m.site[site].live_bytes += s->size;
}

static void note_free(struct slab *s, uint32_t i)
{
	for (uint32_t k = 0; k < SITES; k++) {
		if (s->notes[i].site == site_address(k)) {
			m.site[k].frees++;
			m.site[k].live_objects--;
			m.site[k].live_bytes -= s->size;
		}
	}
}

static uint64_t object_alloc(uint64_t size, uint32_t site)
{
	struct slab *s = size > INSP_OBJECT_MAX || fails(0) ? NULL : roomy_slab(class_of(size));

	if (!s) {
		if (size <= INSP_OBJECT_MAX)
			m.cache[class_of(size)].failed++;
		m.gens.all++;
		event(INSP_EV_FAIL, 0, size, site_address(site), INSP_EV_KMALLOC);
		return 0;
	}
	uint32_t word = 0;
	while (!~s->bits[word])
		word++;
	uint32_t i = word * 64 + (uint32_t)__builtin_ctzll(~s->bits[word]);
	if (i >= s->objects)
		abort();
	s->bits[word] |= 1ull << i % 64;
	s->used++;
	note_alloc(s, i, site);
	m.cache[class_of(s->size)].allocs++;
	m.gens.all++;
	event(INSP_EV_KMALLOC, s->va + i * s->size, s->size, site_address(site), 0);
	return s->va + i * s->size;
}

static struct slab *slab_at(uint64_t va, uint32_t *class, size_t *index)
{
	for (uint32_t k = 0; k < CLASSES; k++) {
		for (size_t i = 0; i < m.cache[k].count; i++) {
			struct slab *s = m.cache[k].slabs[i];
			if (va - s->va < s->bytes) {
				*class = k;
				*index = i;
				return s;
			}
		}
	}
	return NULL;
}

/* NULL: freed; otherwise why not. */
static const char *object_free(uint64_t va, uint32_t site, uint64_t *size)
{
	uint32_t class;
	size_t index;
	struct slab *s = slab_at(va, &class, &index);

	if (!s)
		return "not a kmalloc object";
	uint32_t i = (uint32_t)((va - s->va) / s->size);
	if ((va - s->va) % s->size)
		return "an interior pointer, not the start of an object";
	if (!(s->bits[i / 64] >> i % 64 & 1))
		return "double free: the object is free already";
	s->bits[i / 64] &= ~(1ull << i % 64);
	s->used--;
	note_free(s, i);
	m.cache[class].frees++;
	m.gens.all++;
	*size = s->size;
	event(INSP_EV_KFREE, va, s->size, site_address(site), 0);
	/* One empty slab is kept. */
	for (size_t k = 0; !s->used && k < m.cache[class].count; k++) {
		if (k != index && !m.cache[class].slabs[k]->used) {
			struct cache *c = &m.cache[class];
			give_backing(s);
			memmove(c->slabs + index, c->slabs + index + 1,
				(c->count - index - 1) * sizeof(*c->slabs));
			c->count--;
			free_slab(s);
			break;
		}
	}
	return NULL;
}

/* ---- spaces ---- */

static struct space *space_by_id(uint32_t id)
{
	if (id == INSP_SPACE_CURRENT)
		id = 0;
	for (uint32_t i = 0; i < m.spaces; i++)
		if (m.space[i].id == id)
			return &m.space[i];
	return NULL;
}

/* Index of the first leaf that ends behind va. */
static size_t leaf_index(const struct space *s, uint64_t va)
{
	size_t low = 0, high = s->leaves;

	while (low < high) {
		size_t mid = (low + high) / 2;
		if (s->leaf[mid].va + (s->leaf[mid].page - 1) < va)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void insert_leaf(struct space *s, size_t at, struct model_leaf leaf)
{
	if (s->leaves == s->room) {
		s->room = s->room * 2 + 64;
		s->leaf = realloc(s->leaf, s->room * sizeof(*s->leaf));
	}
	memmove(s->leaf + at + 1, s->leaf + at, (s->leaves - at) * sizeof(*s->leaf));
	s->leaf[at] = leaf;
	s->leaves++;
}

static void maps_changed(void)
{
	m.gens.all++;
	m.gens.mappings++;
}

static uint32_t leaf_size(uint64_t va, uint64_t pa, uint64_t left, bool use4k)
{
	if (use4k || (va | pa) % FRAME || left < FRAME)
		return 4096;
	if ((va | pa) % (1ull << 30) || left < 1ull << 30)
		return (uint32_t)FRAME;
	return 1u << 30;
}

static uint64_t map_leaves(struct space *s, uint64_t va, uint64_t pa, uint64_t len, uint32_t flags,
			   bool use4k)
{
	uint64_t count = 0;
	size_t at = leaf_index(s, va);

	while (len) {
		uint32_t page = leaf_size(va, pa, len, use4k);
		insert_leaf(s, at++, (struct model_leaf){va, pa, page, flags});
		va += page;
		pa += page;
		len -= page;
		count++;
	}
	return count;
}

static bool canonical(uint64_t va, uint64_t last)
{
	return last <= USER_LAST || va >= DIRECT;
}

static const char *space_map(struct insp_act *a)
{
	struct space *s = space_by_id(a->addr >= DIRECT ? 0 : a->space);
	uint64_t va = a->addr & ~4095ull, pa = a->pa & ~4095ull;
	uint64_t last = a->addr + a->bytes - 1;

	if (!a->bytes)
		return NULL;
	if (last < a->addr)
		return "the range wraps around";
	if (!canonical(va, last))
		return "the address is not canonical";
	if ((a->addr ^ a->pa) & 4095)
		return "virtual and physical address are unaligned in different ways";
	if (pa + (last - va) < pa || pa + (last - va) >= 1ull << 46)
		return "beyond the physical address width";
	if (last - va > 1ull << 40)
		return "no memory for the tables";
	if (va >= DIRECT && (va < WINDOW || last >= WINDOW + (1ull << 39)))
		return "the kernel itself lives there";
	size_t at = leaf_index(s, va);
	if (at < s->leaves && s->leaf[at].va <= last)
		return "part of the range is mapped already";
	if (fails(3))
		return "no memory for the tables";
	uint64_t len = (last | 4095) - va + 1;
	if (len / 4096 > 600000 && a->use4k)
		return "no memory for the tables";
	a->tables = len / FRAME + 1;
	a->entries = len / 4096;
	if (a->dry_run)
		return NULL;
	a->entries = map_leaves(s, va, pa, len, (a->flags & 0x3f) | (a->user ? INSP_MAP_U : 0),
				a->use4k);
	maps_changed();
	event(INSP_EV_MAP, va, len, site_address(8), s->id);
	return NULL;
}

/* Breaks the leaf at `at` into leaves of the next smaller size. */
static void split_leaf(struct space *s, size_t at)
{
	struct model_leaf old = s->leaf[at];
	uint32_t small = old.page / 512;

	s->leaf[at].page = small;
	for (uint32_t i = 1; i < 512; i++)
		insert_leaf(s, at + i,
			    (struct model_leaf){old.va + (uint64_t)i * small,
						old.pa + (uint64_t)i * small, small, old.flags});
}

static const char *space_unmap(struct insp_act *a)
{
	struct space *s = space_by_id(a->addr >= DIRECT ? 0 : a->space);
	uint64_t va = a->addr & ~4095ull, last = (a->addr + a->bytes - 1) | 4095;

	if (!a->bytes)
		return NULL;
	if (last < va || !canonical(va, last))
		return "the range wraps around or is not canonical";
	if (va >= DIRECT && (va < WINDOW || last >= WINDOW + (1ull << 39)))
		return "the kernel itself lives there";
	size_t at = leaf_index(s, va);
	while (at < s->leaves && s->leaf[at].va <= last) {
		struct model_leaf *leaf = &s->leaf[at];
		if (leaf->va < va || leaf->va + (leaf->page - 1) > last) {
			a->split++;
			if (a->dry_run) {
				at++;
				continue;
			}
			split_leaf(s, at);
			while (s->leaf[at].va + (s->leaf[at].page - 1) < va)
				at++;
			continue;
		}
		a->entries++;
		if (a->dry_run) {
			at++;
			continue;
		}
		memmove(leaf, leaf + 1, (s->leaves - at - 1) * sizeof(*leaf));
		s->leaves--;
	}
	if (a->dry_run)
		return NULL;
	maps_changed();
	event(INSP_EV_UNMAP, va, last - va + 1, site_address(8), s->id);
	return NULL;
}

static struct space *make_space(const char *name)
{
	if (m.spaces == MAX_SPACES)
		return NULL;
	struct space *s = &m.space[m.spaces++];
	*s = (struct space){.id = m.next_space++};
	s->root = 0x2000000 + s->id * 4096ull;
	snprintf(s->name, sizeof(s->name), "%s", name);
	maps_changed();
	return s;
}

static void end_space(struct space *s)
{
	free(s->leaf);
	*s = m.space[--m.spaces];
	/* Ids grow with the index, for the cursor. */
	for (struct space *p = s; p < m.space + m.spaces - 1 && p[1].id < p->id; p++) {
		struct space t = *p;
		*p = p[1];
		p[1] = t;
	}
	maps_changed();
}

static uint64_t count_tables(const struct space *s)
{
	uint64_t tables = 1, last[3] = {INSP_NONE, INSP_NONE, INSP_NONE};

	for (size_t i = 0; i < s->leaves; i++) {
		for (int k = 0; k < 3; k++) {
			int shift = 39 - 9 * k;
			if (s->leaf[i].page < 1ull << shift && s->leaf[i].va >> shift != last[k]) {
				last[k] = s->leaf[i].va >> shift;
				tables++;
			}
		}
	}
	return tables;
}

uint32_t model_make_space(const char *name, uint32_t leaves, uint32_t run)
{
	struct space *s = make_space(name);
	uint64_t va = 0x400000, pa = 0x40000000;

	for (uint32_t i = 0; i < leaves; i++) {
		uint32_t n = i / run;
		insert_leaf(s, s->leaves,
			    (struct model_leaf){va, pa, 4096, (n % 8) | (n & 8 ? INSP_MAP_C : 0)});
		va += 4096;
		pa += 4096;
		if ((i + 1) % run == 0) {
			pa = 0x40000000 + (uint64_t)(n * 2654435761u % 100000) * 0x10000;
			va += n % 5 == 0 ? 4096 * (1 + n % 700) : 0;
		}
	}
	maps_changed();
	return s->id;
}

size_t model_leaves(uint32_t space, const struct model_leaf **leaves)
{
	struct space *s = space_by_id(space);

	*leaves = s->leaf;
	return s->leaves;
}

/* ---- log ---- */

void model_log(uint32_t level, const char *text)
{
	struct insp_line *line = &m.log[m.gens.log % LOG_LINES];

	*line = (struct insp_line){.seq = m.gens.log, .t_us = now_us(), .level = level};
	snprintf(line->text, sizeof(line->text), "%s", text);
	m.gens.log++;
}

/* ---- workloads ---- */

static uint64_t setting(const struct workload *w, uint32_t i)
{
	return w->setting[i].value;
}

static void hold(struct workload *w, uint64_t what)
{
	if (what && what != INSP_NONE)
		w->held[w->count++] = what;
	else
		w->failures++;
}

static void drop_object(struct workload *w, uint32_t i, uint32_t site)
{
	uint64_t size;

	object_free(w->held[i], site, &size);
	w->held[i] = w->held[--w->count];
}

static void step_objects(struct workload *w, uint32_t site, uint64_t live)
{
	if (w->count < live && w->count < HELD && below(live) >= w->count / 2)
		hold(w, object_alloc(16ull << below(setting(w, 1) ? setting(w, 1) : 10), site));
	else if (w->count)
		drop_object(w, (uint32_t)below(w->count), site);
}

static void step_ramp(struct workload *w)
{
	bool up = w->operations / 200 % 2 == 0;

	if (up && w->count < 200)
		hold(w, object_alloc(65536, 1));
	else if (!up && w->count)
		drop_object(w, w->count - 1, 1);
}

static void step_fragment(struct workload *w)
{
	if (w->count < 64) {
		uint64_t f = take_run(1, 1 + (uint32_t)below(3), INSP_FRAME_ALLOCATED, 0);
		if (f != INSP_NONE)
			event(INSP_EV_ALLOC_PAGES, f * FRAME, FRAME, site_address(3), 1);
		hold(w, f);
		return;
	}
	uint32_t i = (uint32_t)below(w->count);
	uint64_t first = w->held[i], n = 0;
	uint32_t run = m.frame[first].run;
	while (first + n < m.frames && m.frame[first + n].run == run)
		n++;
	give_run(first, n);
	event(INSP_EV_FREE_PAGES, first * FRAME, n * FRAME, site_address(3), 1);
	w->held[i] = w->held[--w->count];
}

static void step_maps(struct workload *w)
{
	uint64_t slot = below(256);
	struct insp_act a = {.addr = WINDOW + (1ull << 38) + slot * 0x8000,
			     .pa = 0x10000000 + below(4096) * 4096,
			     .bytes = 4096 * (1 + below(7)),
			     .flags = (uint32_t)below(4),
			     .use4k = true};

	if (space_map(&a))
		space_unmap(&(struct insp_act){.addr = a.addr, .bytes = 0x8000});
	w->count = 0;
}

static void work(uint32_t index)
{
	struct workload *w = &m.workload[index];

	w->operations++;
	switch (index) {
	case 0:
		step_objects(w, 0, setting(w, 2));
		break;
	case 1:
		step_ramp(w);
		break;
	case 2:
		if (w->count < HELD)
			hold(w, object_alloc(64, 2));
		break;
	case 3:
		step_fragment(w);
		break;
	case 4:
		step_maps(w);
		break;
	default:
		if (below(4))
			step_objects(w, 5, 500);
		else
			step_maps(&m.workload[4]);
	}
}

uint64_t model_run(uint64_t now)
{
	uint64_t done = 0;

	for (uint32_t i = 0; i < WORKLOADS; i++) {
		struct workload *w = &m.workload[i];
		uint64_t period = 1000000 / (w->setting[0].value ? w->setting[0].value : 1);
		for (int burst = 0; w->running && w->next_us <= now && burst < 10000; burst++) {
			work(i);
			done++;
			w->next_us += period ? period : 1;
		}
		if (w->next_us < now)
			w->next_us = now;
	}
	return done;
}

static void stop_workload(uint32_t index)
{
	struct workload *w = &m.workload[index];

	w->running = false;
	while (w->count && (index == 0 || index == 1 || index == 5))
		drop_object(w, w->count - 1, index);
	while (w->count && index == 3) {
		uint32_t run = m.frame[w->held[--w->count]].run;
		uint64_t f = w->held[w->count], n = 0;
		while (f + n < m.frames && m.frame[f + n].run == run)
			n++;
		give_run(f, n);
		event(INSP_EV_FREE_PAGES, f * FRAME, n * FRAME, site_address(3), 1);
	}
	if (index == 4 || index == 5)
		space_unmap(
			&(struct insp_act){.addr = WINDOW + (1ull << 38), .bytes = 256 * 0x8000});
	w->count = 0;
}

void model_random_step(void)
{
	uint64_t size;

	switch (below(14)) {
	case 0:
	case 1:
	case 2:
	case 3:
		if (m.held_count < 512 && (m.held[m.held_count] = object_alloc(
						   1ull << below(21), (uint32_t)below(SITES))))
			m.held_count++;
		break;
	case 4:
	case 5:
	case 6:
		if (m.held_count) {
			uint32_t i = (uint32_t)below(m.held_count);
			object_free(m.held[i], (uint32_t)below(SITES), &size);
			m.held[i] = m.held[--m.held_count];
		}
		break;
	case 7:
		step_fragment(&m.workload[3]);
		break;
	case 8:
	case 9:
		step_maps(&m.workload[4]);
		break;
	case 10: {
		/* Large leaves in a user space, cut up. */
		struct space *s = &m.space[below(m.spaces)];
		struct insp_act a = {.space = s->id,
				     .addr = (1ull << 32) + below(4) * (1ull << 30) +
					     below(3) * FRAME,
				     .pa = 1ull << 30,
				     .bytes = below(2) ? 1ull << 30 : FRAME * (1 + below(5)),
				     .flags = (uint32_t)below(8)};
		a.addr = below(2) ? a.addr & ~((1ull << 30) - 1) : a.addr;
		space_map(&a);
		break;
	}
	case 11: {
		struct space *s = &m.space[below(m.spaces)];
		uint64_t shift = below(2) ? 12 : 21;
		struct insp_act a = {.space = s->id,
				     .addr = (1ull << 32) + (below(1ull << (32 - shift)) << shift),
				     .bytes = (1 + below(40)) << shift};
		space_unmap(&a);
		break;
	}
	case 12:
		if (m.spaces < 6)
			make_space("random");
		else if (m.spaces > 2)
			end_space(&m.space[1 + below(m.spaces - 1)]);
		break;
	default:
		model_log((uint32_t)below(4), "a line of \"the\" log\\");
	}
}

/* ---- starting ---- */

static void build_frames(void)
{
	uint64_t total = m.options.memory_bytes / FRAME, half = total / 2;

	/* As PCs have it: a hole below the upper half. */
	uint64_t hole = total >= 64 ? 16 : 2;
	m.frames = total + hole;
	m.frame = calloc(m.frames, sizeof(*m.frame));
	m.zone_start[0] = 0;
	m.zone_end[0] = m.zone_start[1] = 8 * FRAME;
	m.zone_end[1] = half * FRAME;
	m.zone_start[2] = (half + hole) * FRAME;
	m.zone_end[2] = m.frames * FRAME;
	m.frame[0].state = INSP_FRAME_RESERVED;
	for (uint64_t f = half; f < half + hole; f++)
		m.frame[f].state = f < half + 2 ? INSP_FRAME_RESERVED : INSP_FRAME_HOLE;
	for (uint64_t f = IMAGE_PA / FRAME; f < (IMAGE_PA + IMAGE_LEN) / FRAME; f++)
		m.frame[f] = (struct frame){
			INSP_FRAME_KERNEL,
			INSP_ATTR_KERNEL | INSP_ATTR_KERNEL_INIT | INSP_ATTR_PGT_MAPPED, 1, 0, 0};
}

static void build_kernel_space(void)
{
	struct space *s = make_space("kernel");
	uint64_t half = m.zone_end[1];

	map_leaves(s, DIRECT, 0, half, INSP_MAP_W | INSP_MAP_G, false);
	map_leaves(s, IMAGE, IMAGE_PA, 0x100000, INSP_MAP_X | INSP_MAP_G, true);
	map_leaves(s, IMAGE + 0x100000, IMAGE_PA + 0x100000, 0x80000, INSP_MAP_G, true);
	map_leaves(s, IMAGE + 0x180000, IMAGE_PA + 0x180000, 0x100000, INSP_MAP_W | INSP_MAP_G,
		   true);
	map_leaves(s, 0xffffa00000000000ull, 0xfee00000, 4096, INSP_MAP_W | INSP_MAP_C, true);
}

static void build_workloads(void)
{
	static const struct {
		const char *name, *meaning;
	} texts[WORKLOADS] = {
		{"churn",	  "allocates and frees objects of all classes"},
		{"ramp",	 "grows to a peak and shrinks again"	    },
		{"leak",	 "loses one small object after the other"	 },
		{"fragment", "frees every other run of frames"	      },
		{"maps",	 "maps and unmaps pages"			},
		{"mixed",	  "all of it"				     }
	      };

	for (uint32_t i = 0; i < WORKLOADS; i++) {
		struct workload *w = &m.workload[i];
		*w = (struct workload){
			.name = texts[i].name, .meaning = texts[i].meaning, .settings = 3};
		w->setting[0] = (struct insp_setting){"rate", 1,   100000,
						      200,    200, "operations a second"};
		w->setting[1] = (struct insp_setting){"classes", 1,  17,
						      10,	 10, "sizes up to 16 << n"};
		w->setting[2] = (struct insp_setting){"live", 1,    HELD,
						      1000,   1000, "objects at most"};
	}
}

void model_stop(void)
{
	for (uint32_t i = 0; i < m.spaces; i++)
		free(m.space[i].leaf);
	for (uint32_t k = 0; k < CLASSES; k++) {
		for (size_t i = 0; i < m.cache[k].count; i++)
			free_slab(m.cache[k].slabs[i]);
		free(m.cache[k].slabs);
	}
	free(m.frame);
	memset(&m, 0, sizeof(m));
}

void model_start(const struct model_options *options)
{
	struct timespec t;

	model_stop();
	m.options = *options;
	if (!m.options.memory_bytes)
		m.options.memory_bytes = 2ull << 30;
	m.random = options->seed;
	clock_gettime(CLOCK_MONOTONIC, &t);
	m.epoch_ns = (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
	build_frames();
	build_kernel_space();
	build_workloads();
	m.gens.all = 1000;
	for (uint32_t i = 0; i < 40; i++)
		object_alloc(32ull << i % 9, 6 + i % 6);
	model_log(2, "Vitrine model: a simulated memory manager");
	model_log(3, "no hardware was harmed");
}

void model_attach(struct insp *insp)
{
	m.insp = insp;
}

void model_set_clock(uint64_t us)
{
	m.clock_set = true;
	m.clock_us = us;
}

void model_set_clock_cost(uint64_t us)
{
	m.clock_cost_us = us;
}

void model_set_load(bool busy)
{
	m.busy = busy;
}

void model_never_mute(void)
{
	m.never_mutes = true;
}

void model_set_access(enum insp_access access)
{
	m.options.access = access;
}

void model_set_unrest(uint32_t busy_every, uint32_t move_every)
{
	m.busy_every = busy_every;
	m.move_every = move_every;
}

const struct model_counts *model_counts(void)
{
	return &m.counts;
}

/* ---- port.h: the kernel ---- */

uint64_t insp_port_clock_us(void)
{
	return now_us();
}

void insp_port_load(struct insp_load *load)
{
	load->wanted = m.busy;
	if (!m.busy)
		m.idle_us = m.clock_us;
	load->idle_us = m.idle_us;
}

void insp_port_info(struct insp_info *info)
{
	*info = (struct insp_info){.cpus = m.options.cpus ? m.options.cpus : 1,
				   .tsc_hz = 2100000000,
				   .access = m.options.access,
				   .window_va = WINDOW,
				   .window_len = 1ull << 38,
				   .seed = m.options.seed ^ m.epoch_ns};
	snprintf(info->version, sizeof(info->version), "0.1.0-model");
	snprintf(info->build_id, sizeof(info->build_id),
		 "00112233445566778899aabbccddeeff00112233");
}

void insp_port_gens(struct insp_gens *gens)
{
	*gens = m.gens;
}

enum insp_status insp_port_stat(struct insp_stat *stat)
{
	memset(stat, 0, sizeof(*stat));
	for (uint64_t f = 0; f < m.frames; f++) {
		const struct frame *frame = &m.frame[f];
		if (frame->state == INSP_FRAME_RESERVED || frame->state == INSP_FRAME_HOLE)
			continue;
		stat->total += FRAME;
		if (frame->state == INSP_FRAME_FREE)
			stat->free += FRAME;
		if (frame->attr & INSP_ATTR_SHARED)
			stat->shared += FRAME;
	}
	stat->used = stat->total - stat->free;
	for (uint32_t k = 0; k < CLASSES; k++) {
		for (size_t i = 0; i < m.cache[k].count; i++) {
			const struct slab *s = m.cache[k].slabs[i];
			stat->cache_used += s->used * s->size;
			stat->cache_free += (s->objects - s->used) * s->size;
		}
	}
	stat->available = stat->free + stat->cache_free;
	return INSP_OK;
}

/* ---- port.h: visitors. cursor[0] is always the place to go on, plus one, or 0 at the start. ----
 */

static enum insp_status next_zone(struct insp_visit *v, struct insp_zone *z)
{
	uint64_t i = v->cursor[0], run = 0;

	if (i >= ZONES)
		return INSP_END;
	v->cursor[0]++;
	*z = (struct insp_zone){
		.index = (uint32_t)i, .start = m.zone_start[i], .end = m.zone_end[i]};
	snprintf(z->name, sizeof(z->name), "%s", zone_names[i]);
	for (uint64_t f = z->start / FRAME; f < z->end / FRAME; f++) {
		uint8_t state = m.frame[f].state;
		run = state == INSP_FRAME_FREE ? run + 1 : 0;
		if (run > z->largest_free_run)
			z->largest_free_run = run;
		if (state == INSP_FRAME_RESERVED || state == INSP_FRAME_HOLE)
			z->reserved++;
		else
			z->frames++;
		z->free += state == INSP_FRAME_FREE;
	}
	z->used = z->frames - z->free;
	return INSP_OK;
}

static bool like(uint64_t a, uint64_t b)
{
	const struct frame *p = &m.frame[a], *q = &m.frame[b];

	return p->state == q->state && p->attr == q->attr && p->refs == q->refs &&
	       zone_of(a) == zone_of(b);
}

static enum insp_status next_frames(struct insp_visit *v, struct insp_frames *out)
{
	uint64_t f = v->cursor[0] ? v->cursor[0] - 1 : 0, last = v->to / FRAME;

	if (f < v->from / FRAME)
		f = v->from / FRAME;
	if (f >= m.frames || f > last)
		return INSP_END;
	uint64_t n = 1;
	while (f + n < m.frames && f + n <= last && like(f, f + n))
		n++;
	*out = (struct insp_frames){.pa = f * FRAME,
				    .count = n,
				    .zone = (uint32_t)zone_of(f),
				    .state = m.frame[f].state,
				    .attr = m.frame[f].attr,
				    .refs = m.frame[f].refs};
	v->cursor[0] = f + n + 1;
	return INSP_OK;
}

static enum insp_status next_cache(struct insp_visit *v, struct insp_cache *out)
{
	uint64_t k = v->cursor[0];

	if (k >= CLASSES)
		return INSP_END;
	v->cursor[0]++;
	const struct cache *c = &m.cache[k];
	*out = (struct insp_cache){.size = 32ull << k,
				   .slabs = c->count,
				   .allocs = c->allocs,
				   .frees = c->frees,
				   .failed = c->failed};
	for (size_t i = 0; i < c->count; i++) {
		out->objects += c->slabs[i]->objects;
		out->used += c->slabs[i]->used;
		out->bytes += c->slabs[i]->bytes;
	}
	out->free = out->objects - out->used;
	return INSP_OK;
}

/* cursor[0]: address of the slab, or of the one behind; cursor[1]: first object not covered yet. */
static enum insp_status next_slab(struct insp_visit *v, struct insp_slab *out)
{
	uint32_t class = 0;
	size_t i = 0;

	while (class < CLASSES && 32ull << class != v->size)
		class ++;
	if (class == CLASSES)
		return INSP_NO_SUCH;
	const struct cache *c = &m.cache[class];
	while (i < c->count && c->slabs[i]->va < v->cursor[0])
		i++;
	if (i == c->count)
		return INSP_END;
	const struct slab *s = c->slabs[i];
	uint64_t o = s->va == v->cursor[0] ? v->cursor[1] : 0;
	*out = (struct insp_slab){
		.addr = s->va, .size = s->size, .objects = s->objects, .used = s->used};
	for (; o < s->objects; o++) {
		if (!(s->bits[o / 64] >> o % 64 & 1))
			continue;
		uint64_t n = 1;
		while (o + n < s->objects && s->bits[(o + n) / 64] >> (o + n) % 64 & 1)
			n++;
		if (out->runs == INSP_RUNS_MAX)
			break;
		out->run[out->runs][0] = (uint32_t)o;
		out->run[out->runs++][1] = (uint32_t)n;
		o += n;
	}
	out->covered = (uint32_t)(o < s->objects ? o : s->objects);
	v->cursor[0] = o < s->objects ? s->va : s->va + 1;
	v->cursor[1] = o < s->objects ? o : 0;
	return INSP_OK;
}

static enum insp_status next_space(struct insp_visit *v, struct insp_space *out)
{
	for (uint32_t i = 0; i < m.spaces; i++) {
		const struct space *s = &m.space[i];
		if (s->id < v->cursor[0])
			continue;
		*out = (struct insp_space){.id = s->id,
					   .root = s->root,
					   .current = s->id == 0,
					   .tables = count_tables(s)};
		snprintf(out->name, sizeof(out->name), "%s", s->name);
		for (size_t k = 0; k < s->leaves; k++)
			out->mapped_bytes += s->leaf[k].page;
		v->cursor[0] = s->id + 1ull;
		return INSP_OK;
	}
	return INSP_END;
}

/* The run at or behind `from` in one half of the address space. */
static bool run_from(const struct space *s, uint64_t from, uint64_t to, struct insp_mapping *out)
{
	size_t i = leaf_index(s, from);

	if (i >= s->leaves || s->leaf[i].va > to)
		return false;
	const struct model_leaf *l = &s->leaf[i];
	uint64_t skip = from > l->va ? from - l->va : 0, end = l->va + (l->page - 1);
	*out = (struct insp_mapping){
		.va = l->va + skip, .pa = l->pa + skip, .page = l->page, .flags = l->flags};
	while (end < to && i + 1 < s->leaves && l[1].va == end + 1 && l[1].pa == l->pa + l->page &&
	       l[1].page == l->page && l[1].flags == l->flags) {
		l++;
		i++;
		end = l->va + (l->page - 1);
	}
	out->len = (end < to ? end : to) - out->va + 1;
	return true;
}

static enum insp_status next_mapping(struct insp_visit *v, struct insp_mapping *out)
{
	struct space *s = space_by_id(v->space);
	uint64_t from = v->cursor[0] > v->from ? v->cursor[0] : v->from;

	if (!s)
		return INSP_NO_SUCH;
	if (v->cursor[1])
		return INSP_END;
	bool found = (s->id == 0 || from <= USER_LAST) &&
		     run_from(s, from, s->id == 0 || v->to < USER_LAST ? v->to : USER_LAST, out);
	if (!found && s->id)
		found = v->to >= DIRECT &&
			run_from(space_by_id(0), from > DIRECT ? from : DIRECT, v->to, out);
	if (!found)
		return INSP_END;
	v->cursor[0] = out->va + out->len;
	v->cursor[1] = v->cursor[0] < out->va;
	return INSP_OK;
}

/* cursor[0]: space id; cursor[1]: virtual address to go on at. */
static enum insp_status next_rmap(struct insp_visit *v, struct insp_rmap *out)
{
	for (uint32_t i = 0; i < m.spaces; i++) {
		const struct space *s = &m.space[i];
		if (s->id < v->cursor[0])
			continue;
		for (size_t k = 0; k < s->leaves; k++) {
			const struct model_leaf *l = &s->leaf[k];
			uint64_t last = l->pa + (l->page - 1);
			if ((s->id == v->cursor[0] && l->va < v->cursor[1]) || last < v->from ||
			    l->pa > v->to)
				continue;
			uint64_t pa = l->pa > v->from ? l->pa : v->from;
			*out = (struct insp_rmap){.space = s->id,
						  .va = l->va + (pa - l->pa),
						  .pa = pa,
						  .len = (last < v->to ? last : v->to) - pa + 1};
			v->cursor[0] = s->id;
			v->cursor[1] = l->va + 1;
			return INSP_OK;
		}
	}
	return INSP_END;
}

static enum insp_status next_level(struct insp_visit *v, struct insp_level *out)
{
	struct space *s = space_by_id(v->space);
	uint64_t depth = v->cursor[0];

	if (!s)
		return INSP_NO_SUCH;
	if (depth >= 4)
		return INSP_END;
	const struct space *owner = v->from >= DIRECT ? space_by_id(0) : s;
	size_t i = leaf_index(owner, v->from);
	const struct model_leaf *l = i < owner->leaves && owner->leaf[i].va <= v->from
					     ? &owner->leaf[i]
					     : NULL;
	uint32_t level = 4 - (uint32_t)depth;
	uint64_t shift = 12 + 9 * (level - 1);
	*out = (struct insp_level){.level = level, .index = v->from >> shift & 511};
	out->at = s->root + (depth ? (v->from >> (shift + 9)) * 4096 % 0x1000000 : 0) +
		  out->index * 8;
	bool leaf = l && l->page == 1ull << shift;
	if (leaf)
		out->entry = l->pa | 1 | (l->flags & INSP_MAP_W ? 2 : 0) | (level > 1 ? 0x80 : 0);
	else if (l)
		out->entry = (s->root + (v->from >> shift) * 4096 % 0x1000000) | 3;
	v->cursor[0] = leaf || !out->entry ? 4 : depth + 1;
	return INSP_OK;
}

static enum insp_status next_site(struct insp_visit *v, struct insp_site *out)
{
	while (v->cursor[0] < SITES) {
		*out = m.site[v->cursor[0]++];
		if (out->allocs)
			return INSP_OK;
	}
	return INSP_END;
}

/* cursor[0]: address to go on at. */
static enum insp_status next_live(struct insp_visit *v, struct insp_live *out)
{
	const struct slab *best = NULL;
	uint32_t best_index = 0;

	for (uint32_t k = 0; k < CLASSES; k++) {
		for (size_t i = 0; i < m.cache[k].count; i++) {
			const struct slab *s = m.cache[k].slabs[i];
			for (uint32_t o = 0; o < s->objects; o++) {
				uint64_t va = s->va + o * s->size;
				if (va < v->cursor[0] || !(s->bits[o / 64] >> o % 64 & 1) ||
				    s->notes[o].birth_us >= v->before_us ||
				    (best && va > best->va + best_index * best->size))
					continue;
				best = s;
				best_index = o;
			}
		}
	}
	if (!best)
		return INSP_END;
	*out = (struct insp_live){.addr = best->va + best_index * best->size,
				  .size = best->size,
				  .site = best->notes[best_index].site,
				  .birth_us = best->notes[best_index].birth_us};
	v->cursor[0] = out->addr + 1;
	return INSP_OK;
}

static enum insp_status next_workload(struct insp_visit *v, struct insp_workload *out)
{
	if (v->cursor[0] >= WORKLOADS)
		return INSP_END;
	const struct workload *w = &m.workload[v->cursor[0]++];
	memset(out, 0, sizeof(*out));
	snprintf(out->name, sizeof(out->name), "%s", w->name);
	snprintf(out->meaning, sizeof(out->meaning), "%s", w->meaning);
	out->running = w->running;
	out->operations = w->operations;
	out->failures = w->failures;
	out->settings = w->settings;
	memcpy(out->setting, w->setting, sizeof(w->setting));
	return INSP_OK;
}

static enum insp_status next_line(struct insp_visit *v, struct insp_line *out)
{
	uint64_t oldest = m.gens.log > LOG_LINES ? m.gens.log - LOG_LINES : 0;
	uint64_t seq = v->cursor[0] ? v->cursor[0] - 1 : v->from;

	if (seq < oldest)
		seq = oldest;
	if (seq >= m.gens.log)
		return INSP_END;
	*out = m.log[seq % LOG_LINES];
	v->cursor[0] = seq + 2;
	return INSP_OK;
}

/* Now and then a walk is busy, and now and then the state moves under it. */
static bool unrest(void)
{
	m.calls++;
	if (m.move_every && m.calls % m.move_every == 0) {
		uint64_t size, addr = object_alloc(64, 7);
		object_free(addr, 7, &size);
		frames_changed();
		maps_changed();
	}
	return m.busy_every && m.calls % m.busy_every == 0;
}

enum insp_status insp_port_next(enum insp_kind kind, struct insp_visit *visit, void *item)
{
	if (unrest())
		return INSP_BUSY;
	switch (kind) {
	case INSP_KIND_ZONES:
		return next_zone(visit, item);
	case INSP_KIND_FRAMES:
		return next_frames(visit, item);
	case INSP_KIND_CACHES:
		return next_cache(visit, item);
	case INSP_KIND_SLABS:
		return next_slab(visit, item);
	case INSP_KIND_SPACES:
		return next_space(visit, item);
	case INSP_KIND_MAPPINGS:
		return next_mapping(visit, item);
	case INSP_KIND_RMAP:
		return next_rmap(visit, item);
	case INSP_KIND_LEVELS:
		return next_level(visit, item);
	case INSP_KIND_SITES:
		return next_site(visit, item);
	case INSP_KIND_LEAKS:
		return next_live(visit, item);
	case INSP_KIND_FAULTS:
		return INSP_END;
	case INSP_KIND_WORKLOADS:
		return next_workload(visit, item);
	case INSP_KIND_LOG:
		return next_line(visit, item);
	default:
		return INSP_ABSENT;
	}
}

static void describe_frame(uint64_t va, struct insp_object *o)
{
	uint64_t f = (va - DIRECT) / FRAME;

	if (va < DIRECT || f >= m.zone_end[1] / FRAME)
		return;
	if (m.frame[f].state == INSP_FRAME_RESERVED || m.frame[f].state == INSP_FRAME_HOLE)
		return;
	o->kind = m.frame[f].state == INSP_FRAME_KERNEL ? INSP_OBJECT_IMAGE : INSP_OBJECT_FRAME;
	o->base = DIRECT + f * FRAME;
	o->size = FRAME;
	o->used = m.frame[f].state != INSP_FRAME_FREE;
}

enum insp_status insp_port_object(uint64_t addr, struct insp_object *o)
{
	uint32_t class;
	size_t index;
	const struct slab *s = slab_at(addr, &class, &index);

	*o = (struct insp_object){.addr = addr,
				  .kind = INSP_OBJECT_NONE,
				  .base = INSP_NONE,
				  .site = INSP_NONE,
				  .birth_us = INSP_NONE};
	if (addr - IMAGE < IMAGE_LEN) {
		o->kind = INSP_OBJECT_IMAGE;
		o->base = IMAGE;
		o->size = IMAGE_LEN;
		o->used = true;
	} else if (s) {
		uint32_t i = (uint32_t)((addr - s->va) / s->size);
		o->kind = INSP_OBJECT_SLAB;
		o->base = s->va + i * s->size;
		o->size = s->size;
		o->used = s->bits[i / 64] >> i % 64 & 1;
		if (o->used && s->notes[i].site) {
			o->site = s->notes[i].site;
			o->birth_us = s->notes[i].birth_us;
		}
	} else {
		describe_frame(addr, o);
	}
	return INSP_OK;
}

/* ---- port.h: acts ---- */

static enum insp_status refuse(struct insp_act *a, const char *error, const char *reason)
{
	a->error = error;
	snprintf(a->reason, sizeof(a->reason), "%s", reason);
	return INSP_REFUSED;
}

static enum insp_status act_kmalloc(struct insp_act *a)
{
	m.counts.kmallocs++;
	if (a->bytes > INSP_OBJECT_MAX)
		return refuse(a, "EINVAL", "an object is at most 1048576 bytes");
	a->addr = object_alloc(a->bytes, 8);
	if (!a->addr)
		return refuse(a, "ENOMEM", "no memory");
	a->bytes = 32ull << class_of(a->bytes);
	return INSP_OK;
}

static enum insp_status act_kfree(struct insp_act *a)
{
	m.counts.kfrees++;
	const char *why = a->addr ? object_free(a->addr, 8, &a->bytes) : NULL;
	return why ? refuse(a, "EINVAL", why) : INSP_OK;
}

static enum insp_status act_alloc_pages(struct insp_act *a)
{
	if (a->zone >= ZONES)
		return refuse(a, "EINVAL", "no such zone");
	uint64_t first = fails(1) ? INSP_NONE : find_run(a->zone, a->num);
	if (first == INSP_NONE) {
		event(INSP_EV_FAIL, 0, a->num * FRAME, site_address(8), INSP_EV_ALLOC_PAGES);
		return refuse(a, "ENOMEM", "no such run of frames is free in the zone");
	}
	if (!a->dry_run) {
		m.counts.alloc_pages++;
		take_run(a->zone, a->num, INSP_FRAME_ALLOCATED, (uint8_t)a->flags);
		event(INSP_EV_ALLOC_PAGES, first * FRAME, a->num * FRAME, site_address(8), a->zone);
	}
	a->pa = first * FRAME;
	a->addr = a->zone < 2 ? DIRECT + a->pa : INSP_NONE;
	return INSP_OK;
}

static enum insp_status act_free_pages(struct insp_act *a)
{
	uint64_t first = a->pa / FRAME;

	for (uint64_t f = first; f < first + a->num; f++)
		if (f >= m.frames || m.frame[f].state != INSP_FRAME_ALLOCATED)
			return refuse(a, "EINVAL", "a frame of the run is not allocated");
	m.counts.free_pages++;
	int zone = zone_of(first);
	give_run(first, a->num);
	event(INSP_EV_FREE_PAGES, a->pa, a->num * FRAME, site_address(8), (uint32_t)zone);
	return INSP_OK;
}

static enum insp_status act_map(struct insp_act *a)
{
	bool map = a->op == INSP_OP_MAP;

	if (!space_by_id(a->space)) {
		snprintf(a->reason, sizeof(a->reason), "no such space: %u", a->space);
		return INSP_NO_SUCH;
	}
	const char *why = map ? space_map(a) : space_unmap(a);
	if (!why) {
		*(map ? &m.counts.maps : &m.counts.unmaps) += !a->dry_run;
		return INSP_OK;
	}
	event(INSP_EV_FAIL, 0, a->bytes, site_address(8), map ? INSP_EV_MAP : INSP_EV_UNMAP);
	return refuse(a, "EFAULT", why);
}

static enum insp_status act_space(struct insp_act *a)
{
	if (a->op == INSP_OP_SPACE_CREATE) {
		struct space *s = make_space(a->name);
		if (!s)
			return refuse(a, "ENOMEM", "too many spaces");
		a->space = s->id;
		a->pa = s->root;
		return INSP_OK;
	}
	struct space *s = space_by_id(a->space);
	if (!s) {
		snprintf(a->reason, sizeof(a->reason), "no such space: %u", a->space);
		return INSP_NO_SUCH;
	}
	if (!s->id)
		return refuse(a, "EPERM", "the kernel's own space");
	a->tables = count_tables(s);
	end_space(s);
	return INSP_OK;
}

static enum insp_status start_workload(struct insp_act *a, uint32_t index)
{
	struct workload *w = &m.workload[index];

	if (w->running)
		return refuse(a, "EEXIST", "it is running");
	for (uint32_t i = 0; i < w->settings; i++)
		w->setting[i].value = w->setting[i].initial;
	for (uint32_t i = 0; i < a->settings; i++) {
		uint32_t k = 0;
		while (k < w->settings && strcmp(w->setting[k].name, a->setting[i].name) != 0)
			k++;
		if (k == w->settings)
			return refuse(a, "EINVAL", "no such parameter");
		if (a->setting[i].value < w->setting[k].min ||
		    a->setting[i].value > w->setting[k].max)
			return refuse(a, "EINVAL", "a parameter is out of range");
		w->setting[k].value = a->setting[i].value;
	}
	w->running = true;
	w->operations = w->failures = 0;
	w->next_us = now_us();
	model_log(2, w->name);
	return INSP_OK;
}

static enum insp_status act_workload(struct insp_act *a)
{
	for (uint32_t i = 0; i < WORKLOADS; i++) {
		if (strcmp(m.workload[i].name, a->name) != 0)
			continue;
		if (a->op == INSP_OP_WORKLOAD_START)
			return start_workload(a, i);
		if (!m.workload[i].running)
			return refuse(a, "EINVAL", "it is not running");
		stop_workload(i);
		return INSP_OK;
	}
	snprintf(a->reason, sizeof(a->reason),
		 "no such workload: %.31s; there are churn, ramp, leak, fragment, maps, mixed",
		 a->name);
	return INSP_NO_SUCH;
}

static enum insp_status act_check(struct insp_act *a)
{
	a->ok = true;
	for (uint64_t f = 0; f < m.frames; f++)
		a->frames += m.frame[f].state != INSP_FRAME_HOLE;
	for (uint32_t k = 0; k < CLASSES; k++)
		for (size_t i = 0; i < m.cache[k].count; i++)
			a->objects += m.cache[k].slabs[i]->used;
	for (uint32_t i = 0; i < m.spaces; i++)
		a->tables += count_tables(&m.space[i]);
	return INSP_OK;
}

static enum insp_status act_trace(struct insp_act *a)
{
	if (a->on && !m.tracing)
		memset(m.site, 0, sizeof(m.site));
	m.tracing = a->on;
	return INSP_OK;
}

enum insp_status insp_port_act(struct insp_act *a)
{
	switch (a->op) {
	case INSP_OP_KMALLOC:
		return act_kmalloc(a);
	case INSP_OP_KFREE:
		return act_kfree(a);
	case INSP_OP_ALLOC_PAGES:
		return act_alloc_pages(a);
	case INSP_OP_FREE_PAGES:
		return act_free_pages(a);
	case INSP_OP_MAP:
	case INSP_OP_UNMAP:
		return act_map(a);
	case INSP_OP_SPACE_CREATE:
	case INSP_OP_SPACE_DESTROY:
		return act_space(a);
	case INSP_OP_TRIM: /* nothing is kept idle here */
		m.counts.trims++;
		return INSP_OK;
	case INSP_OP_CHECK:
		return act_check(a);
	case INSP_OP_TRACE:
		return act_trace(a);
	case INSP_OP_LISTEN:
		listen_to(a->flags);
		return INSP_OK;
	case INSP_OP_WORKLOAD_START:
	case INSP_OP_WORKLOAD_STOP:
		return act_workload(a);
	case INSP_OP_FAULT_INJECT:
		m.fail_after[a->fault] = a->after;
		m.fail_count[a->fault] = a->count;
		return INSP_OK;
	case INSP_OP_BREAK:
		m.counts.breaks++;
		return INSP_OK;
	case INSP_OP_PANIC:
		m.counts.panics++;
		model_log(0, "panic: on purpose");
		insp_panicked(m.insp);
		return INSP_OK;
	case INSP_OP_POWEROFF:
		m.counts.poweroffs++;
		return INSP_OK;
	default:
		return INSP_ABSENT;
	}
}

enum insp_status insp_port_read(uint32_t space, bool physical, uint64_t addr, void *buf, size_t len)
{
	unsigned char *out = buf;
	struct space *s = space_by_id(space);

	if (!physical && !s)
		return INSP_NO_SUCH;
	for (size_t i = 0; i < len; i++) {
		uint64_t pa = addr + i;
		struct insp_mapping map;
		struct insp_visit v = {.from = addr + i, .to = addr + i, .space = space};
		if (!physical) {
			if (next_mapping(&v, &map) != INSP_OK)
				return INSP_FAULT;
			pa = map.pa;
		}
		if (pa / FRAME >= m.frames || m.frame[pa / FRAME].state == INSP_FRAME_HOLE)
			return INSP_FAULT;
		out[i] = (unsigned char)(pa * 0x9e3779b1u >> 24);
	}
	return INSP_OK;
}

void insp_port_symbol(uint64_t addr, char *buf, size_t size)
{
	uint64_t index = (addr - IMAGE) / 0x1000 - 1;

	snprintf(buf, size, "%s",
		 addr - IMAGE < IMAGE_LEN && index < SITES ? site_names[index] : "");
}

size_t insp_port_link_space(void *link)
{
	struct model_line *line = link;

	return line->space(line);
}

void insp_port_link_write(void *link, const void *bytes, size_t len)
{
	struct model_line *line = link;

	line->write(line, bytes, len);
}
