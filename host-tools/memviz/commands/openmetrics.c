/*
 * A state as OpenMetrics text. Names begin with vitrine_ (the kernel) and
 * memviz_ (the link); sizes are in bytes, as the format wants base units.
 */
#include <inttypes.h>
#include <memviz/base.h>
#include <memviz/command.h>
#include <string.h>

/* Label values: backslash, quote and line feed are escaped. */
static void label(struct mv_buf *b, const char *text)
{
	for (; *text; text++) {
		if (*text == '\\' || *text == '"')
			mv_buf_printf(b, "\\%c", *text);
		else if (*text == '\n')
			mv_buf_text(b, "\\n");
		else
			mv_buf_add(b, text, 1);
	}
}

static void family(struct mv_buf *b, const char *name, const char *type, const char *unit,
		   const char *help)
{
	mv_buf_printf(b, "# TYPE %s %s\n", name, type);
	if (unit[0])
		mv_buf_printf(b, "# UNIT %s %s\n", name, unit);
	mv_buf_printf(b, "# HELP %s %s\n", name, help);
}

static void single(struct mv_buf *b, const char *name, const char *help, uint64_t value)
{
	family(b, name, "gauge", "bytes", help);
	mv_buf_printf(b, "%s %" PRIu64 "\n", name, value);
}

static void stat_metrics(const struct mv_model *m, struct mv_buf *b)
{
	const struct mv_stat *s = &m->stat;
	if (!m->stat_known)
		return;
	single(b, "vitrine_memory_total_bytes", "All memory that the kernel manages.", s->total);
	single(b, "vitrine_memory_used_bytes", "Memory in frames that are in use.", s->used);
	single(b, "vitrine_memory_free_bytes", "Memory in free frames.", s->free);
	single(b, "vitrine_memory_shared_bytes", "Memory in frames with PAGE_SHARED.", s->shared);
	single(b, "vitrine_memory_cache_used_bytes", "Slab objects in use.", s->cache_used);
	single(b, "vitrine_memory_cache_free_bytes", "Slab objects that are free.", s->cache_free);
	single(b, "vitrine_memory_available_bytes", "Free frames and free slab objects.",
	       s->available);
}

static void zone_metrics(const struct mv_model *m, struct mv_buf *b)
{
	static const struct {
		const char *state;
		size_t offset;
	} states[] = {
		{"free",	 offsetof(struct mv_zone, free)    },
		{"used",	 offsetof(struct mv_zone, used)    },
		{"reserved", offsetof(struct mv_zone, reserved)}
	};
	if (!m->zone_count)
		return;
	family(b, "vitrine_zone_frames", "gauge", "", "Frames of 2 MiB of a zone, by state.");
	for (size_t i = 0; i < m->zone_count; i++) {
		for (size_t k = 0; k < sizeof states / sizeof *states; k++) {
			uint64_t n;
			memcpy(&n, (const char *)&m->zones[i] + states[k].offset, sizeof n);
			mv_buf_text(b, "vitrine_zone_frames{zone=\"");
			label(b, m->zones[i].name);
			mv_buf_printf(b, "\",state=\"%s\"} %" PRIu64 "\n", states[k].state, n);
		}
	}
	family(b, "vitrine_zone_largest_free_run_frames", "gauge", "frames",
	       "Longest run of free frames of a zone.");
	for (size_t i = 0; i < m->zone_count; i++) {
		mv_buf_text(b, "vitrine_zone_largest_free_run_frames{zone=\"");
		label(b, m->zones[i].name);
		mv_buf_printf(b, "\"} %" PRIu64 "\n", m->zones[i].largest_free_run);
	}
}

/* What a counter is called is the one thing in which the two formats differ:
 * OpenMetrics types the family `x` with samples `x_total`, the older text format
 * types `x_total`. Without a type both read it alike. */
static void counter_head(struct mv_buf *b, const char *name, const char *help,
			 enum metrics_flavor flavor)
{
	const char *suffix = flavor == METRICS_OPEN ? "" : "_total";
	if (flavor != METRICS_BOTH)
		mv_buf_printf(b, "# TYPE %s%s counter\n", name, suffix);
	mv_buf_printf(b, "# HELP %s%s %s\n", name, suffix, help);
}

static void cache_samples(const struct mv_model *m, struct mv_buf *b, const char *name,
			  const char *suffix, size_t offset)
{
	for (size_t i = 0; i < m->cache_count; i++) {
		uint64_t n;
		memcpy(&n, (const char *)&m->caches[i] + offset, sizeof n);
		mv_buf_printf(b, "%s%s{size=\"%" PRIu64 "\"} %" PRIu64 "\n", name, suffix,
			      m->caches[i].size, n);
	}
}

static const struct {
	const char *name, *unit, *help; /* unit NULL: a counter */
	size_t offset;
} cache_families[] = {
	{"vitrine_cache_used_objects",  "objects", "Objects of a slab cache in use.",
	 offsetof(struct mv_cache,										     used)	},
	{"vitrine_cache_free_objects",  "objects", "Objects of a slab cache that are free.",
	 offsetof(struct mv_cache,										     free)	},
	{"vitrine_cache_slabs",		"",	    "Slabs of a cache.",			 offsetof(struct mv_cache, slabs) },
	{"vitrine_cache_backing_bytes", "bytes",	 "Memory behind a slab cache.",
	 offsetof(struct mv_cache,										     bytes) },
	{"vitrine_cache_allocs",	 NULL,      "Allocations since boot.",
	 offsetof(struct mv_cache,										     allocs)},
	{"vitrine_cache_frees",		NULL,      "Frees since boot.",			   offsetof(struct mv_cache, frees) },
	{"vitrine_cache_failures",	   NULL,	 "Allocations that failed since boot.",
	 offsetof(struct mv_cache,										     failed)},
};

static void cache_metrics(const struct mv_model *m, struct mv_buf *b, enum metrics_flavor flavor)
{
	for (size_t i = 0; m->cache_count && i < sizeof cache_families / sizeof *cache_families;
	     i++) {
		bool counter = !cache_families[i].unit;
		if (counter)
			counter_head(b, cache_families[i].name, cache_families[i].help, flavor);
		else
			family(b, cache_families[i].name, "gauge", cache_families[i].unit,
			       cache_families[i].help);
		cache_samples(m, b, cache_families[i].name, counter ? "_total" : "",
			      cache_families[i].offset);
	}
}

static void space_metrics(const struct mv_model *m, struct mv_buf *b)
{
	if (!m->space_count)
		return;
	family(b, "vitrine_space_mapped_bytes", "gauge", "bytes", "Mapped memory of a space.");
	for (size_t i = 0; i < m->space_count; i++) {
		mv_buf_printf(b, "vitrine_space_mapped_bytes{space=\"%" PRId64 "\",name=\"",
			      m->spaces[i].id);
		label(b, m->spaces[i].name);
		mv_buf_printf(b, "\"} %" PRIu64 "\n", m->spaces[i].mapped_bytes);
	}
	family(b, "vitrine_space_tables", "gauge", "", "Table pages of a space.");
	for (size_t i = 0; i < m->space_count; i++) {
		mv_buf_printf(b, "vitrine_space_tables{space=\"%" PRId64 "\",name=\"",
			      m->spaces[i].id);
		label(b, m->spaces[i].name);
		mv_buf_printf(b, "\"} %" PRIu64 "\n", m->spaces[i].tables);
	}
}

void export_openmetrics(const struct mv_model *m, const char *target, bool up,
			enum metrics_flavor flavor, struct mv_buf *out)
{
	family(out, "memviz_up", "gauge", "", "1 while the kernel answers.");
	mv_buf_text(out, "memviz_up{target=\"");
	label(out, target);
	mv_buf_printf(out, "\"} %d\n", up);
	if (m->hello.known) {
		family(out, "vitrine_build_info", "gauge", "",
		       "The kernel that answers; always 1.");
		mv_buf_text(out, "vitrine_build_info{name=\"");
		label(out, m->hello.name);
		mv_buf_text(out, "\",version=\"");
		label(out, m->hello.version);
		mv_buf_text(out, "\",build_id=\"");
		label(out, m->hello.build_id);
		mv_buf_text(out, "\"} 1\n");
	}
	stat_metrics(m, out);
	zone_metrics(m, out);
	cache_metrics(m, out, flavor);
	space_metrics(m, out);
	mv_buf_text(out, "# EOF\n");
}
