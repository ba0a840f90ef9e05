#include "picture.h"

#include <inspect/protocol.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 2, 3))) static void broken(const struct picture *p, const char *fmt,
							 ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	p->broken(text);
	abort();
}

void picture_init(struct picture *p, void (*broken_fn)(const char *what))
{
	*p = (struct picture){.broken = broken_fn};
	p->frame = calloc(PICTURE_FRAMES, sizeof(*p->frame));
	p->leaf = calloc(PICTURE_LEAVES, sizeof(*p->leaf));
}

/* ---- members ---- */

static struct json_object *get(const struct picture *p, struct json_object *o, const char *name)
{
	struct json_object *v = NULL;

	if (!json_object_object_get_ex(o, name, &v))
		broken(p, "no %s in %s", name, json_object_to_json_string(o));
	return v;
}

static int64_t number(const struct picture *p, struct json_object *o, const char *name)
{
	struct json_object *v = get(p, o, name);

	if (!json_object_is_type(v, json_type_int))
		broken(p, "%s is no number in %s", name, json_object_to_json_string(o));
	return json_object_get_int64(v);
}

static uint64_t address(const struct picture *p, struct json_object *o, const char *name)
{
	return strtoull(json_object_get_string(get(p, o, name)), NULL, 16);
}

static void forget(struct picture *p, int topic)
{
	struct json_object **kept[] = {&p->stat, &p->zones, &p->caches};

	if (topic < 3) {
		json_object_put(*kept[topic]);
		*kept[topic] = NULL;
	} else if (topic == 3) {
		memset(p->frame, 0, PICTURE_FRAMES * sizeof(*p->frame));
	} else if (topic == 4) {
		p->leaves = 0;
	}
}

void picture_free(struct picture *p)
{
	for (int i = 0; i < 3; i++)
		forget(p, i);
	free(p->frame);
	free(p->leaf);
}

/* ---- stat, zones, caches ---- */

static void merge_members(struct json_object *into, struct json_object *from)
{
	json_object_object_foreach(from, name, value)
		json_object_object_add(into, name, json_object_get(value));
}

static void set_int(struct json_object *o, const char *name, int64_t value)
{
	json_object_object_add(o, name, json_object_new_int64(value));
}

static void apply_stat(struct picture *p, struct json_object *data)
{
	if (!p->stat)
		p->stat = json_object_new_object();
	bool known = json_object_object_get_ex(p->stat, "cache_used", NULL);
	int64_t backing =
		known ? number(p, p->stat, "cache_used") + number(p, p->stat, "cache_free") : 0;
	merge_members(p->stat, data);
	if (json_object_object_get_ex(data, "cache_used", NULL) &&
	    !json_object_object_get_ex(data, "cache_free", NULL))
		set_int(p->stat, "cache_free", backing - number(p, p->stat, "cache_used"));
	set_int(p->stat, "free", number(p, p->stat, "total") - number(p, p->stat, "used"));
	set_int(p->stat, "available",
		number(p, p->stat, "free") + number(p, p->stat, "cache_free"));
}

static void apply_keyed(struct picture *p, struct json_object **list, struct json_object *items,
			const char *key)
{
	if (!*list)
		*list = json_object_new_array();
	for (size_t i = 0; i < json_object_array_length(items); i++) {
		struct json_object *item = json_object_array_get_idx(items, i), *old = NULL;
		for (size_t k = 0; k < json_object_array_length(*list); k++)
			if (json_object_equal(get(p, json_object_array_get_idx(*list, k), key),
					      get(p, item, key)))
				old = json_object_array_get_idx(*list, k);
		if (old)
			merge_members(old, item);
		else
			json_object_array_add(*list, json_object_get(item));
	}
}

/* ---- frames ---- */

static uint64_t frame_hash(const struct picture *p, struct json_object *run)
{
	struct json_object *zone = get(p, run, "zone");
	uint64_t h = 0xcbf29ce484222325ull; /* FNV-1a */
	char text[256];

	snprintf(text, sizeof(text), "%s %s %s %d", zone ? json_object_get_string(zone) : "-",
		 json_object_get_string(get(p, run, "state")),
		 json_object_to_json_string(get(p, run, "attr")), (int)number(p, run, "refs"));
	for (const char *c = text; *c; c++)
		h = (h ^ (unsigned char)*c) * 0x100000001b3ull;
	return h;
}

/* The first frame of a run, which must fit with all of its frames. */
static uint64_t first_frame(const struct picture *p, struct json_object *run)
{
	uint64_t first = address(p, run, "pa") / 2097152;

	if (first + (uint64_t)number(p, run, "count") > PICTURE_FRAMES)
		broken(p, "more frames than there is room for");
	return first;
}

static void apply_frames(struct picture *p, struct json_object *runs)
{
	for (size_t i = 0; i < json_object_array_length(runs); i++) {
		struct json_object *run = json_object_array_get_idx(runs, i);
		uint64_t first = first_frame(p, run);
		uint64_t hash = frame_hash(p, run), count = (uint64_t)number(p, run, "count");
		for (uint64_t k = 0; k < count; k++)
			p->frame[first + k] = hash;
	}
}

/* ---- mappings ---- */

static bool leaf_before(const struct picture_leaf *l, uint32_t space, uint64_t va)
{
	return l->space != space ? l->space < space : l->va + (l->len - 1) < va;
}

static size_t leaf_place(const struct picture *p, uint32_t space, uint64_t va)
{
	size_t low = 0, high = p->leaves;

	while (low < high) {
		size_t mid = (low + high) / 2;
		if (leaf_before(&p->leaf[mid], space, va))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Makes room for n leaves at `at`. */
static void open_gap(struct picture *p, size_t at, size_t n)
{
	if (p->leaves + n > PICTURE_LEAVES)
		broken(p, "more leaves than there is room for");
	memmove(p->leaf + at + n, p->leaf + at, (p->leaves - at) * sizeof(*p->leaf));
	p->leaves += n;
}

/* Cuts the leaf across `va`, if there is one, in two. */
static void cut_at(struct picture *p, uint32_t space, uint64_t va)
{
	size_t at = leaf_place(p, space, va);

	if (at == p->leaves || p->leaf[at].space != space || p->leaf[at].va >= va)
		return;
	uint64_t head = va - p->leaf[at].va;
	open_gap(p, at + 1, 1);
	p->leaf[at + 1] = p->leaf[at];
	p->leaf[at + 1].va += head;
	p->leaf[at + 1].pa += head;
	p->leaf[at + 1].len -= head;
	p->leaf[at].len = head;
}

static void clear_range(struct picture *p, uint32_t space, uint64_t va, uint64_t last)
{
	cut_at(p, space, va);
	if (last != UINT64_MAX)
		cut_at(p, space, last + 1);
	size_t at = leaf_place(p, space, va), end = at;
	while (end < p->leaves && p->leaf[end].space == space && p->leaf[end].va <= last)
		end++;
	memmove(p->leaf + at, p->leaf + end, (p->leaves - end) * sizeof(*p->leaf));
	p->leaves -= end - at;
}

/* Leaves of a run; a run may begin and end within one. */
static size_t leaves_of(const struct picture *p, struct json_object *run, uint32_t space,
			struct picture_leaf *out)
{
	uint64_t va = address(p, run, "va"), pa = address(p, run, "pa");
	uint64_t left = (uint64_t)number(p, run, "len"), page = (uint64_t)number(p, run, "page");
	size_t n = 0;

	while (left) {
		uint64_t len = page - (va & (page - 1));
		len = len < left ? len : left;
		if (out) {
			out[n] = (struct picture_leaf){space, va, pa, len, (uint32_t)page, ""};
			snprintf(out[n].flags, sizeof(out[n].flags), "%s",
				 json_object_get_string(get(p, run, "flags")));
		}
		n++;
		va += len;
		pa += len;
		left -= len;
	}
	return n;
}

static void add_run(struct picture *p, struct json_object *run)
{
	uint32_t space = (uint32_t)number(p, run, "space");
	uint64_t va = address(p, run, "va");

	clear_range(p, space, va, va + ((uint64_t)number(p, run, "len") - 1));
	size_t at = leaf_place(p, space, va);
	open_gap(p, at, leaves_of(p, run, space, NULL));
	leaves_of(p, run, space, p->leaf + at);
}

static void apply_mappings(struct picture *p, struct json_object *data)
{
	struct json_object *removed = get(p, data, "removed"), *added = get(p, data, "added");

	for (size_t i = 0; i < json_object_array_length(removed); i++) {
		struct json_object *r = json_object_array_get_idx(removed, i);
		uint64_t va = address(p, r, "va");
		clear_range(p, (uint32_t)number(p, r, "space"), va,
			    va + ((uint64_t)number(p, r, "len") - 1));
	}
	for (size_t i = 0; i < json_object_array_length(added); i++)
		add_run(p, json_object_array_get_idx(added, i));
}

/* ---- events, log ---- */

static void apply_events(struct picture *p, struct json_object *data)
{
	p->events += json_object_array_length(get(p, data, "events"));
	p->events_lost += (uint64_t)number(p, data, "lost");
}

static void apply_log(struct picture *p, struct json_object *data)
{
	struct json_object *lines = get(p, data, "lines");

	p->lines_lost += (uint64_t)number(p, data, "lost");
	p->next_line += (uint64_t)number(p, data, "lost");
	for (size_t i = 0; i < json_object_array_length(lines); i++) {
		struct json_object *line = json_object_array_get_idx(lines, i);
		if (number(p, line, "seq") != (int64_t)p->next_line++)
			broken(p, "line %llu is not where it should be",
			       (unsigned long long)p->next_line - 1);
	}
}

static int topic_of(const struct picture *p, const char *name)
{
	static const char *const names[] = {INSP_TOPIC_NAMES};

	for (int i = 0; i < PICTURE_TOPICS; i++)
		if (!strcmp(names[i], name))
			return i;
	broken(p, "topic %s", name);
	return 0;
}

void picture_apply(struct picture *p, struct json_object *record)
{
	struct json_object *params = get(p, record, "params"), *data = get(p, params, "data"), *hz;
	int topic = topic_of(p, json_object_get_string(get(p, params, "topic")));
	bool full = json_object_get_boolean(get(p, params, "full"));

	*(full ? &p->fulls[topic] : &p->parts[topic]) += 1;
	if (json_object_object_get_ex(params, "hz", &hz))
		p->told_hz = json_object_get_int64(hz);
	if (full)
		forget(p, topic);
	switch (topic) {
	case 0:
		apply_stat(p, data);
		break;
	case 1:
		apply_keyed(p, &p->zones, get(p, data, "zones"), "name");
		break;
	case 2:
		apply_keyed(p, &p->caches, get(p, data, "caches"), "size");
		break;
	case 3:
		apply_frames(p, get(p, data, "runs"));
		break;
	case 4:
		apply_mappings(p, data);
		break;
	case 5:
		apply_events(p, data);
		break;
	default:
		apply_log(p, data);
	}
}

/* ---- comparing ---- */

static void compare_members(const struct picture *p, struct json_object *ours,
			    struct json_object *theirs)
{
	json_object_object_foreach(theirs, name, value)
	{
		if (strcmp(name, "gen") != 0 && !json_object_equal(get(p, ours, name), value))
			broken(p, "%s: %s, but %s", name, json_object_to_json_string(ours),
			       json_object_to_json_string(theirs));
	}
}

void picture_compare_stat(const struct picture *p, struct json_object *stat)
{
	compare_members(p, p->stat, stat);
}

void picture_compare_list(const struct picture *p, struct json_object *ours,
			  struct json_object *theirs)
{
	if (!ours || json_object_array_length(ours) != json_object_array_length(theirs))
		broken(p, "another number of elements than %s", json_object_to_json_string(theirs));
	for (size_t i = 0; i < json_object_array_length(ours); i++)
		compare_members(p, json_object_array_get_idx(ours, i),
				json_object_array_get_idx(theirs, i));
}

void picture_compare_frames(const struct picture *p, struct json_object *runs)
{
	for (size_t i = 0; i < json_object_array_length(runs); i++) {
		struct json_object *run = json_object_array_get_idx(runs, i);
		uint64_t first = first_frame(p, run);
		uint64_t hash = frame_hash(p, run), count = (uint64_t)number(p, run, "count");
		for (uint64_t k = 0; k < count; k++)
			if (p->frame[first + k] != hash)
				broken(p, "frame %llu is another in the picture than in %s",
				       (unsigned long long)(first + k),
				       json_object_to_json_string(run));
	}
}

void picture_compare_space(const struct picture *p, uint32_t space, struct json_object *runs,
			   size_t *at)
{
	for (size_t i = 0; i < json_object_array_length(runs); i++) {
		struct json_object *run = json_object_array_get_idx(runs, i);
		size_t n = leaves_of(p, run, space, NULL);
		struct picture_leaf *want = calloc(n, sizeof(*want));
		leaves_of(p, run, space, want);
		for (size_t k = 0; k < n; k++, ++*at) {
			const struct picture_leaf *l = &p->leaf[*at], *w = &want[k];
			if (*at >= p->leaves || l->space != space || l->va != w->va ||
			    l->pa != w->pa || l->len != w->len || l->page != w->page ||
			    strcmp(l->flags, w->flags) != 0)
				broken(p,
				       "space %u: 0x%llx -> 0x%llx %u %s, in the picture %u: "
				       "0x%llx -> "
				       "0x%llx %u %s",
				       space, (unsigned long long)w->va, (unsigned long long)w->pa,
				       w->page, w->flags, l->space, (unsigned long long)l->va,
				       (unsigned long long)l->pa, l->page, l->flags);
		}
		free(want);
	}
}
