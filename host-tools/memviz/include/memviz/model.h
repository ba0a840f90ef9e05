/*
 * The model: what the kernel said, and nothing else.
 *
 * Records go in (full states, deltas, results of reading methods), state comes
 * out. The model knows no sockets and no screens. All of it is plain data that
 * a reader may look at directly between two calls of mv_model_apply_*(); only
 * this module writes it.
 *
 * Invariants (mv_model_check()): frame runs and the mapping runs of each space
 * are sorted, do not overlap, and no two neighbours could be merged; counts
 * agree with the arrays; the rings hold at most their limits, oldest first.
 * A delta applied to a full state equals the next full state.
 *
 * Every change of a part raises that part's counter in `rev`, so that a reader
 * redraws only what moved. Nothing here is thread-safe; one thread owns a model.
 */
#ifndef MEMVIZ_MODEL_H
#define MEMVIZ_MODEL_H

#include <memviz/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_object;

#define MV_MAX_ZONES   8
#define MV_MAX_CACHES  16
#define MV_MAX_SPACES  256
#define MV_NAME	       32
#define MV_PAGE_BYTES  4096ull
#define MV_FRAME_BYTES 0x200000ull

/* ---- what the kernel is ---- */

struct mv_hello {
	bool known;
	char name[MV_NAME];
	char version[MV_NAME];
	char session[40];
	char build_id[72];
	char access[8]; /* "off" "read" "alloc" "full" */
	int protocol;
	unsigned cpus;
	uint64_t page_size_bytes, frame_size_bytes, tsc_hz, max_record_bytes;
	char features[256]; /* space separated */
};

/* ---- memory state ---- */

struct mv_stat { /* bytes */
	uint64_t total, used, free, shared, cache_used, cache_free, available;
};

struct mv_zone {
	char name[MV_NAME];
	uint64_t start, end; /* physical addresses, end exclusive */
	uint64_t frames, free, used, reserved;
	uint64_t largest_free_run; /* frames */
};

struct mv_cache {
	uint64_t size; /* bytes of one object */
	uint64_t slabs, objects, used, free, bytes;
	uint64_t allocs, frees, failed; /* since boot */
};

enum mv_frame_state {
	MV_FRAME_FREE,
	MV_FRAME_KERNEL,
	MV_FRAME_SLAB,
	MV_FRAME_ALLOCATED,
	MV_FRAME_RESERVED,
	MV_FRAME_HOLE,
	MV_FRAME_UNKNOWN, /* nobody said; also the state of a word we do not know */
	MV_FRAME_STATES
};

/* Attribute bits of a frame, numbered as the API numbers them. */
enum {
	MV_ATTR_PGT_MAPPED = 1 << 0,
	MV_ATTR_KERNEL_INIT = 1 << 1,
	MV_ATTR_DEVICE = 1 << 2,
	MV_ATTR_KERNEL = 1 << 3,
	MV_ATTR_SHARED = 1 << 4,
};

struct mv_frame_run {
	uint64_t pa;	/* of the first frame */
	uint64_t count; /* frames */
	int8_t zone;	/* index into zones[], -1 for none */
	uint8_t state;	/* enum mv_frame_state */
	uint8_t attr;	/* MV_ATTR_* */
	uint32_t refs;
};

/* Memory ends far below a PiB, and so does a run of it. */
#define MV_MAPPING_LEN_BITS 50
#define MV_MAPPING_LEN_MAX  ((1ull << MV_MAPPING_LEN_BITS) - 1)

/* Effective rights of a mapping. */
enum {
	MV_MAP_WRITE = 1 << 0,
	MV_MAP_EXEC = 1 << 1,
	MV_MAP_USER = 1 << 2,
	MV_MAP_GLOBAL = 1 << 3,
	MV_MAP_WRITE_THROUGH = 1 << 4,
	MV_MAP_CACHE_DISABLED = 1 << 5,
	MV_MAP_ACCESSED = 1 << 6, /* only in answers to `ad` */
	MV_MAP_DIRTY = 1 << 7,
};

/* 24 bytes: a space may have hundreds of thousands of them. */
struct mv_mapping {
	uint64_t va, pa;
	uint64_t len : MV_MAPPING_LEN_BITS; /* bytes */
	uint64_t page_shift : 6;	    /* leaf size as a power of two: 12, 21, 30 */
	uint64_t flags : 8;		    /* MV_MAP_* */
};

/* Leaf size in bytes: 4096, 2097152, 1073741824. */
static inline uint64_t mv_mapping_page(const struct mv_mapping *m)
{
	return 1ull << m->page_shift;
}

/* The kernel's half (from MV_KERNEL_HALF on) is common to all spaces and kept
 * once, in space MV_SPACE_KERNEL; the other spaces hold their user half. */
#define MV_KERNEL_HALF	0xffff800000000000ull
#define MV_SPACE_KERNEL 0

struct mv_space {
	int64_t id;
	char name[MV_NAME];
	uint64_t root; /* physical address of the top table */
	bool current;
	uint64_t tables, mapped_bytes;
	bool mappings_known;	 /* false: ask mm.mappings of this space */
	struct mv_mapping *maps; /* by va */
	size_t map_count;
	size_t map_capacity;   /* private to the model, */
	unsigned *map_sharers; /* so is this: how many copies of the space share `maps` */
};

/* ---- things that happen ---- */

enum mv_event_op {
	MV_EVENT_KMALLOC,
	MV_EVENT_KFREE,
	MV_EVENT_ALLOC_PAGES,
	MV_EVENT_FREE_PAGES,
	MV_EVENT_MAP,
	MV_EVENT_UNMAP,
	MV_EVENT_FAIL,
	MV_EVENT_OTHER, /* a name that we do not know */
	MV_EVENT_OPS
};

struct mv_event {
	uint64_t t_us;	 /* since boot */
	uint64_t number; /* counts events in this model, from 1 */
	uint64_t addr;	 /* object, first frame or virtual address; 0 when none */
	uint64_t size;	 /* bytes */
	uint64_t site;	 /* code address; 0 when not known */
	uint64_t arg;	 /* space of map and unmap, zone index of alloc_pages and free_pages,
			  * the mv_event_op that failed of `fail` */
	uint8_t op;	 /* enum mv_event_op */
};

struct mv_log_line {
	uint64_t seq, t_us;
	char level[12];
	char text[228];
};

/* One instant of the history. Times are of the host (CLOCK_REALTIME, us) for a
 * live link and of the recording for a replay. */
struct mv_sample {
	uint64_t time_us;
	uint64_t gen;
	struct mv_stat stat;
	uint64_t zone_free[MV_MAX_ZONES];   /* frames */
	uint64_t cache_used[MV_MAX_CACHES]; /* objects */
	uint64_t cache_allocs[MV_MAX_CACHES];
	uint64_t cache_frees[MV_MAX_CACHES];
};

struct mv_range {
	int64_t space; /* of virtual addresses; physical ones: 0 */
	uint64_t first, last;
};

/* ---- the whole ---- */

struct mv_model_limits {  /* 0 takes the default */
	size_t samples;	  /* 6000: ten minutes at 10 Hz */
	size_t events;	  /* 4096 */
	size_t log_lines; /* 2000 */
};

enum mv_part {
	MV_PART_HELLO,
	MV_PART_STAT,
	MV_PART_ZONES,
	MV_PART_CACHES,
	MV_PART_FRAMES,
	MV_PART_SPACES,
	MV_PART_MAPPINGS,
	MV_PART_EVENTS,
	MV_PART_LOG,
	MV_PART_HISTORY,
	MV_PARTS
};

struct mv_model {
	struct mv_hello hello;
	uint64_t gen;	    /* of the newest state that was applied */
	uint64_t time_us;   /* of the newest record: host clock, or the recording's */
	uint64_t uptime_us; /* newest time since boot that the kernel spoke of; 0 unknown */

	bool stat_known, zones_known, caches_known, frames_known, spaces_known;
	bool mappings_known; /* of every space, by watching */
	struct mv_stat stat;
	struct mv_zone zones[MV_MAX_ZONES];
	size_t zone_count;
	struct mv_cache caches[MV_MAX_CACHES];
	size_t cache_count;
	struct mv_frame_run *frames;
	size_t frame_run_count;
	size_t frame_run_capacity; /* private */
	struct mv_space *spaces;   /* space_count of them, by id */
	size_t space_count;

	uint64_t rev[MV_PARTS]; /* raised at each change of the part */

	uint64_t events_seen;	 /* in all */
	uint64_t events_dropped; /* the kernel's ring was full */
	uint64_t log_dropped;
	struct mv_model_private *priv; /* rings, symbols, states that are still arriving */
	struct mv_model_limits limits;
};

/* Returns an empty model; never NULL (memviz ends when memory does). */
struct mv_model *mv_model_new(const struct mv_model_limits *limits);
void mv_model_free(struct mv_model *m);

/* Forgets all, as when another kernel answers; `rev` keeps rising. The history,
 * events and log go too. */
void mv_model_reset(struct mv_model *m);

/* A deep copy of the state without history, events and log: what `x` marks. */
struct mv_model *mv_model_clone(const struct mv_model *m);

enum mv_applied {
	MV_APPLIED,   /* state is newer now */
	MV_UNCHANGED, /* well-formed, nothing new (also: a topic we do not keep) */
	MV_NEED_FULL, /* a delta for a state that we do not have: ask again */
	MV_MALFORMED, /* not what the protocol says; the model is as it was */
};

/* `params` of a `watch` notification: {"id","topic","full","gen","data"}.
 * Whole or nothing: on MV_MALFORMED `e` says what was wrong. */
enum mv_applied mv_model_apply_watch(struct mv_model *m, struct json_object *params,
				     uint64_t time_us, struct mv_error *e);

/* The complete result (all pages merged) of a reading method: hello, mm.stat,
 * mm.zones, mm.frames, mm.caches, mm.spaces, mm.mappings (params say which
 * space; a partial range replaces that range), sys.log, trace.sites (symbols).
 * Others: MV_UNCHANGED. */
enum mv_applied mv_model_apply_result(struct mv_model *m, const char *method,
				      struct json_object *params, struct json_object *result,
				      uint64_t time_us, struct mv_error *e);

/* The whole state as one JSON object that mv_model_apply_keyframe() takes; what
 * a recording begins each block with, and what `diff` and `export` read. The
 * caller owns it (json_object_put). */
struct json_object *mv_model_keyframe(const struct mv_model *m);
enum mv_applied mv_model_apply_keyframe(struct mv_model *m, struct json_object *keyframe,
					uint64_t time_us, struct mv_error *e);

/* The `data` of a full state of `topic` ("stat" ... "log"), NULL when it is not
 * known. The caller owns it. */
struct json_object *mv_model_topic(const struct mv_model *m, const char *topic);

/* The part of topic "frames" or "mappings" that lies in these ranges, as the data
 * of an update that makes another model equal to this one there. */
struct json_object *mv_model_topic_ranges(const struct mv_model *m, const char *topic,
					  const struct mv_range *ranges, size_t n);

/* True while a full state that comes in several records is not complete. */
bool mv_model_arriving(const struct mv_model *m);

/* ---- the past, as a hub hands it on (method hub.history) ----
 * {"zones":Z,"caches":C,"samples":[row,...],"events":[..],"lines":[..],"next":CURSOR|null}
 * row: [time_us, gen, the seven of mm.stat, zone_free x Z, cache_used x C,
 * cache_allocs x C, cache_frees x C]; the first row of a page is absolute, each
 * other is the difference to the one before. Samples come oldest first; events
 * and lines come with the first page, as in `watch`. */
struct json_object *mv_model_history(const struct mv_model *m, uint64_t since_us, size_t limit,
				     const char *cursor, struct mv_error *e);
enum mv_applied mv_model_apply_history(struct mv_model *m, struct json_object *page,
				       struct mv_error *e);

/* Keeps an answer that a recording holds of a method whose result is no part of the state:
 * mm.slabs, trace.sites, trace.leaks. mv_model_answer() tells the newest of each, with
 * "recorded_us": when it was given. mm.object is answered from all of them. Other methods: nothing
 * happens. */
void mv_model_keep_answer(struct mv_model *m, const char *method, struct json_object *params,
			  struct json_object *result, uint64_t time_us);

/* One element as the protocol writes it. */
struct json_object *mv_stat_json(const struct mv_stat *s);
struct json_object *mv_zone_json(const struct mv_zone *z);
struct json_object *mv_cache_json(const struct mv_cache *c);
/* @zone: the name of the run's zone; NULL for none. */
struct json_object *mv_frame_run_json(const struct mv_frame_run *r, const char *zone);
struct json_object *mv_event_json(const struct mv_event *e);

/* The result that the kernel would give to a reading method, from what is
 * known: how a replay answers. NULL when the recording cannot tell. The caller
 * owns it. */
struct json_object *mv_model_answer(const struct mv_model *m, const char *method,
				    struct json_object *params, struct mv_error *e);

/* True when no delta was lost: both show the same state (not the same history).
 * `why` gets the first difference. */
bool mv_model_equal(const struct mv_model *a, const struct mv_model *b, char *why, size_t why_size);
/* Walks the invariants; false with the first broken one in `why`. */
bool mv_model_check(const struct mv_model *m, char *why, size_t why_size);

/* ---- looking things up ---- */

const struct mv_frame_run *mv_model_frame_at(const struct mv_model *m, uint64_t pa);
const struct mv_space *mv_model_space(const struct mv_model *m, int64_t id);
const struct mv_space *mv_model_current_space(const struct mv_model *m); /* NULL: none known */
const struct mv_mapping *mv_space_mapping_at(const struct mv_space *s, uint64_t va);
/* The same, looking into the kernel's half for an address of that half. */
const struct mv_mapping *mv_model_mapping_at(const struct mv_model *m, int64_t space, uint64_t va);
/* "name+0x12" of a code address, learned from trace.sites; NULL when nobody said. */
const char *mv_model_symbol(const struct mv_model *m, uint64_t site);
const struct mv_cache *mv_model_cache(const struct mv_model *m, uint64_t size);
const struct mv_zone *mv_model_zone_at(const struct mv_model *m, uint64_t pa);

/* Where memory is: stretches of physical addresses that hold frames the manager
 * knows, without the large holes and reserved ranges between and behind them
 * (firmware reserves ranges near 1 TiB; no map is to scale with these). Ranges
 * end where a frame ends. Returns how many, at most `most`. */
size_t mv_model_segments(const struct mv_model *m, struct mv_range *out, size_t most);

/* Rings, oldest first: index 0 .. count-1. A pointer holds until the next
 * mv_model_apply_*() or mv_model_reset(). */
size_t mv_model_samples(const struct mv_model *m);
const struct mv_sample *mv_model_sample(const struct mv_model *m, size_t i);
size_t mv_model_events(const struct mv_model *m);
const struct mv_event *mv_model_event(const struct mv_model *m, size_t i);
size_t mv_model_log_lines(const struct mv_model *m);
const struct mv_log_line *mv_model_log_line(const struct mv_model *m, size_t i);

/* Allocations and frees per second of a cache (index), over the last `window_us`
 * of the history; 0 with too little history. */
double mv_model_cache_alloc_rate(const struct mv_model *m, size_t cache, uint64_t window_us);
double mv_model_cache_free_rate(const struct mv_model *m, size_t cache, uint64_t window_us);

/* ---- differences between two states ---- */

struct mv_difference {
	char part[16];	 /* "stat" "zones" "caches" "frames" "mappings" "spaces" */
	char what[64];	 /* "used", "ZONE_DMA free", "0x... +3 frames" */
	char before[64]; /* "" when it was not there */
	char after[64];	 /* "" when it is gone */
	int64_t delta;	 /* of numbers, 0 otherwise */
};
typedef void (*mv_difference_fn)(void *user, const struct mv_difference *d);
/* Calls `fn` for each difference, parts in the order above; returns how many. */
size_t mv_model_diff(const struct mv_model *before, const struct mv_model *after,
		     mv_difference_fn fn, void *user);

/* ---- names ---- */

const char *mv_event_op_name(enum mv_event_op op);
/* "free" ..., and one letter each: . K S A R (space) ? */
const char *mv_frame_state_name(enum mv_frame_state s);
char mv_frame_state_letter(enum mv_frame_state s);
enum mv_frame_state mv_frame_state_parse(const char *name);
/* "PAGE_SHARED PAGE_KERNEL", "-" for none. */
void mv_frame_attr_text(uint8_t attr, char *out, size_t size);
/* "w--g--", with `ad` "w--g--ad". Needs 9 bytes. */
void mv_map_flags_text(uint8_t flags, bool ad, char out[9]);
/* The letters in any order, dashes optional; false for a letter we do not know. */
bool mv_map_flags_parse(const char *text, uint8_t *flags);

#endif
