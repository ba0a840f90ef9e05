/*
 * The one table of methods. Parameter checks, access levels, rpc.discover, docs/openrpc.json, the
 * table in docs/protocol.md and the JSON Schema of every result come from it.
 */
#include "internal.h"

#define OFF(type, member) .offset = offsetof(struct type, member)
#define WORDS(array)	  .words = (array), .word_count = INSP_COUNT(array)
#define PARAMS(array)	  .params = (array), .param_count = INSP_COUNT(array)

#define SAFE_MAX 9007199254740991ull /* 2^53 - 1: numbers that every JSON reader keeps exact */
#define ID_MAX	 0xfffffffeull

const char *const insp_topic_names[] = {INSP_TOPIC_NAMES};
const char *const insp_event_names[] = {INSP_EVENT_NAMES};
const char *const insp_access_names[] = {INSP_ACCESS_NAMES};
static const char *const attr_names[] = {INSP_FRAME_ATTRS};
static const char *const state_names[] = {INSP_STATE_NAMES};
static const char *const kind_names[] = {INSP_OBJECT_KINDS};
static const char *const used_names[] = {INSP_OBJECT_STATES};
static const char *const sort_names[] = {INSP_SORT_NAMES};
static const char *const fault_names[] = {INSP_FAULT_NAMES};
static const char *const level_names[] = {INSP_LEVEL_NAMES};
static const char *const feature_names[] = {INSP_FEATURES};

/* ---- items ---- */

const struct insp_field insp_f_zone[] = {
	INSP_FIELD("name", TEXT, OFF(insp_zone, name)),
	INSP_FIELD("start", HEX, OFF(insp_zone, start), .meaning = "physical address"),
	INSP_FIELD("end", HEX, OFF(insp_zone, end), .meaning = "physical address, exclusive"),
	INSP_FIELD("frames", U64, OFF(insp_zone, frames),
		   .meaning = "frames of 2 MiB that are managed"),
	INSP_FIELD("free", U64, OFF(insp_zone, free), .meaning = "frames"),
	INSP_FIELD("used", U64, OFF(insp_zone, used), .meaning = "frames"),
	INSP_FIELD("reserved", U64, OFF(insp_zone, reserved),
		   .meaning = "frames between start and end that are not managed"),
	INSP_FIELD("largest_free_run", U64, OFF(insp_zone, largest_free_run), .meaning = "frames"),
	INSP_FIELDS_END,
};

const struct insp_field insp_f_frames[] = {
	INSP_FIELD("pa", HEX, OFF(insp_frames, pa), .meaning = "of the first frame"),
	INSP_FIELD("count", U64, OFF(insp_frames, count), .meaning = "frames of 2 MiB"),
	INSP_FIELD("zone", ZONE, OFF(insp_frames, zone), .meaning = "null outside every zone"),
	INSP_FIELD("state", WORD, OFF(insp_frames, state), WORDS(state_names)),
	INSP_FIELD("attr", ATTRS, OFF(insp_frames, attr), WORDS(attr_names)),
	INSP_FIELD("refs", U32, OFF(insp_frames, refs), .meaning = "references to each of them"),
	INSP_FIELDS_END,
};

const struct insp_field insp_f_cache[] = {
	INSP_FIELD("size", U64, OFF(insp_cache, size), .meaning = "bytes of one object"),
	INSP_FIELD("slabs", U64, OFF(insp_cache, slabs)),
	INSP_FIELD("objects", U64, OFF(insp_cache, objects), .meaning = "used and free"),
	INSP_FIELD("used", U64, OFF(insp_cache, used), .meaning = "objects"),
	INSP_FIELD("free", U64, OFF(insp_cache, free), .meaning = "objects"),
	INSP_FIELD("bytes", U64, OFF(insp_cache, bytes), .meaning = "of backing"),
	INSP_FIELD("allocs", U64, OFF(insp_cache, allocs), .meaning = "since boot"),
	INSP_FIELD("frees", U64, OFF(insp_cache, frees), .meaning = "since boot"),
	INSP_FIELD("failed", U64, OFF(insp_cache, failed), .meaning = "since boot"),
	INSP_FIELDS_END,
};

static const struct insp_field f_slab[] = {
	INSP_FIELD("addr", HEX, OFF(insp_slab, addr), .meaning = "of the first object"),
	INSP_FIELD("size", U64, OFF(insp_slab, size), .meaning = "bytes of one object"),
	INSP_FIELD("objects", U32, OFF(insp_slab, objects)),
	INSP_FIELD("used", U32, OFF(insp_slab, used), .meaning = "objects"),
	INSP_FIELD("used_runs", USED,
		   .meaning = "[first, count] of used objects by index; a slab with "
			      "more than 64 runs goes on in the next element"),
	INSP_FIELDS_END,
};

static const struct insp_field f_space[] = {
	INSP_FIELD("id", U32, OFF(insp_space, id), .meaning = "0 is the kernel's own"),
	INSP_FIELD("name", TEXT, OFF(insp_space, name)),
	INSP_FIELD("root", HEX, OFF(insp_space, root), .meaning = "physical address"),
	INSP_FIELD("current", BOOL, OFF(insp_space, current)),
	INSP_FIELD("tables", U64, OFF(insp_space, tables), .meaning = "table pages of its own"),
	INSP_FIELD("mapped_bytes", U64, OFF(insp_space, mapped_bytes)),
	INSP_FIELDS_END,
};

const struct insp_field insp_f_mapping[] = {
	INSP_FIELD("va", HEX, OFF(insp_mapping, va)),
	INSP_FIELD("pa", HEX, OFF(insp_mapping, pa)),
	INSP_FIELD("len", U64, OFF(insp_mapping, len), .meaning = "bytes"),
	INSP_FIELD("page", U32, OFF(insp_mapping, page), .meaning = "4096, 2097152 or 1073741824"),
	INSP_FIELD("flags", RIGHTS, OFF(insp_mapping, flags), .meaning = "effective rights"),
	INSP_FIELDS_END,
};

static const struct insp_field f_rmap[] = {
	INSP_FIELD("space", U32, OFF(insp_rmap, space)),
	INSP_FIELD("va", HEX, OFF(insp_rmap, va)),
	INSP_FIELD("pa", HEX, OFF(insp_rmap, pa)),
	INSP_FIELD("len", U64, OFF(insp_rmap, len), .meaning = "bytes"),
	INSP_FIELDS_END,
};

static const struct insp_field f_site[] = {
	INSP_FIELD("addr", HEX, OFF(insp_site, addr), .meaning = "code address"),
	INSP_FIELD("symbol", SYMBOL, OFF(insp_site, addr)),
	INSP_FIELD("allocs", U64, OFF(insp_site, allocs)),
	INSP_FIELD("frees", U64, OFF(insp_site, frees)),
	INSP_FIELD("live_objects", U64, OFF(insp_site, live_objects)),
	INSP_FIELD("live_bytes", U64, OFF(insp_site, live_bytes)),
	INSP_FIELDS_END,
};

static const struct insp_field f_live[] = {
	INSP_FIELD("addr", HEX, OFF(insp_live, addr)),
	INSP_FIELD("size", U64, OFF(insp_live, size), .meaning = "bytes of the class"),
	INSP_FIELD("site", ADDR_IF, OFF(insp_live, site), .meaning = "who allocated it"),
	INSP_FIELD("symbol", SYMBOL, OFF(insp_live, site)),
	INSP_FIELD("age_us", AGE_IF, OFF(insp_live, birth_us)),
	INSP_FIELDS_END,
};

static const struct insp_field f_workload[] = {
	INSP_FIELD("name", TEXT, OFF(insp_workload, name)),
	INSP_FIELD("meaning", TEXT, OFF(insp_workload, meaning)),
	INSP_FIELD("running", BOOL, OFF(insp_workload, running)),
	INSP_FIELD("operations", U64, OFF(insp_workload, operations)),
	INSP_FIELD("failures", U64, OFF(insp_workload, failures)),
	INSP_FIELD("params", SETTINGS, .meaning = "what workload.start takes in params"),
	INSP_FIELDS_END,
};

const struct insp_field insp_f_line[] = {
	INSP_FIELD("seq", U64, OFF(insp_line, seq)),
	INSP_FIELD("t_us", U64, OFF(insp_line, t_us), .meaning = "since boot"),
	INSP_FIELD("level", WORD, OFF(insp_line, level), WORDS(level_names)),
	INSP_FIELD("text", TEXT, OFF(insp_line, text)),
	INSP_FIELDS_END,
};

/* ---- results ---- */

#define GEN  INSP_FIELD("gen", GEN, .meaning = "generation of the state shown")
#define NEXT INSP_FIELD("next", NEXT, .meaning = "cursor of the next page, null at the end")

static const struct insp_field r_window[] = {
	INSP_FIELD("va", HEX), INSP_FIELD("len", NUMBER, .meaning = "bytes"), INSP_FIELDS_END};

static const struct insp_field r_hello[] = {
	INSP_FIELD("name", STRING),
	INSP_FIELD("version", STRING),
	INSP_FIELD("protocol", NUMBER),
	INSP_FIELD("session", STRING, .meaning = "beside id it makes a request repeatable"),
	INSP_FIELD("token", STRING_NULL, .meaning = "as given"),
	INSP_FIELD("build_id", STRING),
	INSP_FIELD("cpus", NUMBER),
	INSP_FIELD("page_size", NUMBER, .meaning = "bytes"),
	INSP_FIELD("frame_size", NUMBER, .meaning = "bytes"),
	INSP_FIELD("tsc_hz", NUMBER),
	INSP_FIELD("max_record", NUMBER, .meaning = "bytes"),
	INSP_FIELD("t_us", NUMBER, .meaning = "now, since boot"),
	INSP_FIELD("access", WORD, WORDS(insp_access_names)),
	INSP_FIELD("features", WORDS, WORDS(feature_names)),
	INSP_FIELD("remote_window", GROUP, .sub = r_window, .meaning = "where level alloc may map"),
	INSP_FIELDS_END,
};

static const struct insp_field r_any[] = {INSP_FIELD("", DOCUMENT), INSP_FIELDS_END};

static const struct insp_field r_discover[] = {
	INSP_FIELD("openrpc", STRING),
	INSP_FIELD("info", DOCUMENT),
	INSP_FIELD("methods", LIST, .sub = r_any, .meaning = "as many as fit"),
	NEXT,
	INSP_FIELDS_END,
};

#define STAT_FIELDS                                                                               \
	INSP_FIELD("total", U64, OFF(insp_stat, total), .meaning = "bytes of usable memory"),     \
		INSP_FIELD("used", U64, OFF(insp_stat, used),                                     \
			   .meaning = "bytes of frames in use"),                                  \
		INSP_FIELD("free", U64, OFF(insp_stat, free), .meaning = "bytes of free frames"), \
		INSP_FIELD("shared", U64, OFF(insp_stat, shared),                                 \
			   .meaning = "bytes of frames with PAGE_SHARED"),                        \
		INSP_FIELD("cache_used", U64, OFF(insp_stat, cache_used),                         \
			   .meaning = "bytes of used objects"),                                   \
		INSP_FIELD("cache_free", U64, OFF(insp_stat, cache_free),                         \
			   .meaning = "bytes of free objects"),                                   \
		INSP_FIELD("available", U64, OFF(insp_stat, available),                           \
			   .meaning = "free + cache_free")

const struct insp_field insp_f_stat[] = {STAT_FIELDS, INSP_FIELDS_END};
static const struct insp_field r_stat[] = {STAT_FIELDS, GEN, INSP_FIELDS_END};

static const struct insp_field r_zones[] = {INSP_FIELD("zones", LIST, .sub = insp_f_zone), GEN,
					    INSP_FIELDS_END};
static const struct insp_field r_frames[] = {INSP_FIELD("runs", LIST, .sub = insp_f_frames), NEXT,
					     GEN, INSP_FIELDS_END};
static const struct insp_field r_caches[] = {INSP_FIELD("caches", LIST, .sub = insp_f_cache), GEN,
					     INSP_FIELDS_END};
static const struct insp_field r_slabs[] = {INSP_FIELD("slabs", LIST, .sub = f_slab), NEXT, GEN,
					    INSP_FIELDS_END};

static const struct insp_field r_object[] = {
	INSP_FIELD("addr", HEX, OFF(insp_object, addr), .meaning = "as asked"),
	INSP_FIELD("kind", WORD, OFF(insp_object, kind), WORDS(kind_names)),
	INSP_FIELD("base", ADDR, OFF(insp_object, base),
		   .meaning = "of the object, frame or image"),
	INSP_FIELD("size", U64, OFF(insp_object, size), .meaning = "bytes"),
	INSP_FIELD("state", STATE, OFF(insp_object, used), WORDS(used_names)),
	INSP_FIELD("site", ADDR_IF, OFF(insp_object, site), .meaning = "who allocated it"),
	INSP_FIELD("symbol", SYMBOL, OFF(insp_object, named),
		   .meaning = "of the site; of addr itself in the image"),
	INSP_FIELD("age_us", AGE_IF, OFF(insp_object, birth_us)),
	GEN,
	INSP_FIELDS_END,
};

static const struct insp_field r_spaces[] = {INSP_FIELD("spaces", LIST, .sub = f_space), NEXT, GEN,
					     INSP_FIELDS_END};
static const struct insp_field r_mappings[] = {INSP_FIELD("runs", LIST, .sub = insp_f_mapping),
					       NEXT, GEN, INSP_FIELDS_END};
static const struct insp_field r_rmap[] = {INSP_FIELD("runs", LIST, .sub = f_rmap), NEXT, GEN,
					   INSP_FIELDS_END};

static const struct insp_field r_level[] = {
	INSP_FIELD("level", NUMBER, .meaning = "4 (top) to 1"),
	INSP_FIELD("index", NUMBER),
	INSP_FIELD("at", HEX, .meaning = "physical address of the entry"),
	INSP_FIELD("entry", HEX, .meaning = "as it stands in memory"),
	INSP_FIELDS_END,
};
static const struct insp_field r_translate[] = {
	INSP_FIELD("va", DONE_HEX),
	INSP_FIELD("pa", DONE_HEX_NULL),
	INSP_FIELD("page", NUMBER_NULL),
	INSP_FIELD("flags", STRING_NULL, .meaning = "effective rights"),
	INSP_FIELD("levels", LIST, .sub = r_level),
	GEN,
	INSP_FIELDS_END,
};

static const struct insp_field r_kmalloc[] = {
	INSP_FIELD("addr", DONE_HEX), INSP_FIELD("size", NUMBER, .meaning = "bytes of the class"),
	GEN, INSP_FIELDS_END};
static const struct insp_field r_kfree[] = {
	INSP_FIELD("size", NUMBER, .meaning = "bytes of the class"), GEN, INSP_FIELDS_END};
static const struct insp_field r_alloc_pages[] = {
	INSP_FIELD("pa", DONE_HEX),
	INSP_FIELD("va", DONE_HEX_NULL, .meaning = "in the direct map"),
	INSP_FIELD("num", NUMBER),
	GEN,
	INSP_FIELDS_END,
};
static const struct insp_field r_free_pages[] = {INSP_FIELD("num", NUMBER), GEN, INSP_FIELDS_END};
static const struct insp_field r_map[] = {
	INSP_FIELD("entries", NUMBER, .meaning = "leaves made"),
	INSP_FIELD("tables", NUMBER, .meaning = "tables made"),
	GEN,
	INSP_FIELDS_END,
};
static const struct insp_field r_unmap[] = {
	INSP_FIELD("entries", NUMBER, .meaning = "leaves removed"),
	INSP_FIELD("tables", NUMBER, .meaning = "tables freed"),
	INSP_FIELD("split", NUMBER, .meaning = "larger leaves split"),
	GEN,
	INSP_FIELDS_END,
};

static const struct insp_field r_checked[] = {INSP_FIELD("frames", NUMBER),
					      INSP_FIELD("objects", NUMBER),
					      INSP_FIELD("tables", NUMBER), INSP_FIELDS_END};
static const struct insp_field r_fault[] = {INSP_FIELD("", PLAIN), INSP_FIELDS_END};
static const struct insp_field r_check[] = {
	INSP_FIELD("ok", DONE_BOOL),
	INSP_FIELD("checked", GROUP, .sub = r_checked),
	INSP_FIELD("faults", LIST, .sub = r_fault),
	GEN,
	INSP_FIELDS_END,
};
static const struct insp_field r_space_create[] = {
	INSP_FIELD("id", NUMBER), INSP_FIELD("root", DONE_HEX, .meaning = "physical address"), GEN,
	INSP_FIELDS_END};
static const struct insp_field r_space_destroy[] = {
	INSP_FIELD("tables", NUMBER, .meaning = "tables freed"), GEN, INSP_FIELDS_END};
static const struct insp_field r_read[] = {INSP_FIELD("hex", STRING), INSP_FIELDS_END};
static const struct insp_field r_trace_start[] = {
	INSP_FIELD("events", WORDS, WORDS(insp_event_names)), INSP_FIELDS_END};
static const struct insp_field r_nothing[] = {INSP_FIELDS_END};
static const struct insp_field r_sites[] = {INSP_FIELD("sites", LIST, .sub = f_site), NEXT, GEN,
					    INSP_FIELDS_END};
static const struct insp_field r_leaks[] = {INSP_FIELD("objects", LIST, .sub = f_live), NEXT, GEN,
					    INSP_FIELDS_END};
static const struct insp_field r_watch_start[] = {INSP_FIELD("id", NUMBER),
						  INSP_FIELD("hz", NUMBER), INSP_FIELDS_END};
static const struct insp_field r_workloads[] = {INSP_FIELD("workloads", LIST, .sub = f_workload),
						NEXT, INSP_FIELDS_END};
static const struct insp_field r_log[] = {INSP_FIELD("lines", LIST, .sub = insp_f_line), NEXT,
					  INSP_FIELDS_END};

/* ---- parameters ---- */

#define LIMIT                                                                 \
	INSP_PARAM("limit", UINT, .optional = true, .min = 1, .max = 1000000, \
		   .meaning = "elements at most")
#define CURSOR INSP_PARAM("cursor", CURSOR, .optional = true, .meaning = "next of the page before")
#define SPACE(text) \
	INSP_PARAM("space", UINT, .optional = true, .min = 0, .max = ID_MAX, .meaning = text)
#define DRY_RUN \
	INSP_PARAM("dry_run", BOOL, .optional = true, .meaning = "answer as if, change nothing")

static const struct insp_param p_hello[] = {
	INSP_PARAM("token", TEXT, .optional = true, .min = 1, .max = INSP_TOKEN_MAX,
		   .meaning = "echoed; the running session's continues it")};
static const struct insp_param p_discover[] = {CURSOR};
static const struct insp_param p_frames[] = {
	INSP_PARAM("zone", ZONE, .optional = true, .meaning = "only this zone"),
	INSP_PARAM("from", ADDR, .optional = true, .meaning = "physical address to begin at"),
	LIMIT,
	CURSOR,
};
static const struct insp_param p_slabs[] = {
	INSP_PARAM("size", UINT, .min = 32, .max = INSP_OBJECT_MAX,
		   .meaning = "class: 32, 64 ... 1048576"),
	LIMIT,
	CURSOR,
};
static const struct insp_param p_object[] = {
	INSP_PARAM("addr", ADDR, .meaning = "any virtual address")};
static const struct insp_param p_page[] = {LIMIT, CURSOR};
static const struct insp_param p_mappings[] = {
	SPACE("id of the space; the current one when absent"),
	INSP_PARAM("from", ADDR, .optional = true, .meaning = "first virtual address"),
	INSP_PARAM("to", ADDR, .optional = true, .meaning = "last virtual address"),
	INSP_PARAM("ad", BOOL, .optional = true, .meaning = "tell accessed and dirty leaves apart"),
	LIMIT,
	CURSOR,
};
static const struct insp_param p_translate[] = {
	INSP_PARAM("va", ADDR), SPACE("id of the space; the current one when absent")};
static const struct insp_param p_rmap[] = {
	INSP_PARAM("pa", ADDR),
	INSP_PARAM("len", UINT, .optional = true, .min = 1, .max = SAFE_MAX,
		   .meaning = "bytes, 1 when absent"),
	LIMIT,
	CURSOR,
};
static const struct insp_param p_kmalloc[] = {
	INSP_PARAM("size", UINT, .min = 0, .max = SAFE_MAX,
		   .meaning = "bytes; the allocator takes up to 1048576"),
	INSP_PARAM("zero", BOOL, .optional = true, .meaning = "clear the whole object"),
};
static const struct insp_param p_kfree[] = {
	INSP_PARAM("addr", ADDR, .meaning = "as kmalloc gave it")};
static const struct insp_param p_alloc_pages[] = {
	INSP_PARAM("zone", ZONE),
	INSP_PARAM("num", UINT, .min = 1, .max = INSP_FRAMES_MAX, .meaning = "frames of 2 MiB"),
	INSP_PARAM("flags", WORDS, .optional = true, WORDS(attr_names), .meaning = "attributes"),
	DRY_RUN,
};
static const struct insp_param p_free_pages[] = {
	INSP_PARAM("pa", ADDR, .meaning = "of the first frame"),
	INSP_PARAM("num", UINT, .min = 1, .max = INSP_FRAMES_MAX, .meaning = "frames"),
};
static const struct insp_param p_map[] = {
	INSP_PARAM("va", ADDR),
	INSP_PARAM("pa", ADDR),
	INSP_PARAM("len", UINT, .min = 0, .max = SAFE_MAX, .meaning = "bytes"),
	INSP_PARAM("flags", RIGHTS, .meaning = "letters w x u g t c"),
	INSP_PARAM("use4k", BOOL, .optional = true, .meaning = "4 KiB leaves only"),
	SPACE("id of the space; the current one when absent"),
	INSP_PARAM("user", BOOL, .optional = true, .meaning = "as letter u"),
	INSP_PARAM("flush", BOOL, .optional = true, .meaning = "flush the TLB; true when absent"),
	DRY_RUN,
};
static const struct insp_param p_unmap[] = {
	INSP_PARAM("va", ADDR),
	INSP_PARAM("len", UINT, .min = 0, .max = SAFE_MAX, .meaning = "bytes"),
	SPACE("id of the space; the current one when absent"),
	DRY_RUN,
};
static const struct insp_param p_space_create[] = {
	INSP_PARAM("name", TEXT, .optional = true, .min = 0, .max = INSP_NAME_MAX - 1)};
static const struct insp_param p_space_destroy[] = {
	INSP_PARAM("id", UINT, .min = 0, .max = ID_MAX)};
static const struct insp_param p_read[] = {
	INSP_PARAM("va", ADDR, .optional = true, .meaning = "virtual; or"),
	INSP_PARAM("pa", ADDR, .optional = true, .meaning = "physical"),
	INSP_PARAM("len", UINT, .min = 1, .max = INSP_READ_MAX, .meaning = "bytes"),
	SPACE("that va is in; the current one when absent"),
};
static const struct insp_param p_trace_start[] = {INSP_PARAM(
	"events", WORDS, .optional = true, WORDS(insp_event_names), .meaning = "all when absent")};
static const struct insp_param p_sites[] = {
	INSP_PARAM("sort", WORD, .optional = true, WORDS(sort_names),
		   .meaning = "largest first (addr: lowest first); live_bytes when absent"),
	LIMIT,
	CURSOR,
};
static const struct insp_param p_leaks[] = {
	INSP_PARAM("older_than_us", UINT, .min = 0, .max = SAFE_MAX), LIMIT, CURSOR};
static const struct insp_param p_watch_start[] = {
	INSP_PARAM("topics", WORDS, .min = 1, .max = 1, WORDS(insp_topic_names)),
	INSP_PARAM("hz", UINT, .min = 1, .max = INSP_HZ_MAX),
	INSP_PARAM("id", UINT, .optional = true, .min = 1, .max = ID_MAX,
		   .meaning = "a running watch to begin anew"),
};
static const struct insp_param p_watch_stop[] = {INSP_PARAM("id", UINT, .min = 1, .max = ID_MAX)};
static const struct insp_param p_workload_start[] = {
	INSP_PARAM("name", TEXT, .min = 1, .max = INSP_NAME_MAX - 1),
	INSP_PARAM("params", SETTINGS, .optional = true, .meaning = "as workload.list shows them"),
};
static const struct insp_param p_workload_stop[] = {
	INSP_PARAM("name", TEXT, .min = 1, .max = INSP_NAME_MAX - 1)};
static const struct insp_param p_fault[] = {
	INSP_PARAM("op", WORD, WORDS(fault_names)),
	INSP_PARAM("after", UINT, .min = 0, .max = SAFE_MAX,
		   .meaning = "the n-th from now fails; 0: off"),
	INSP_PARAM("count", UINT, .optional = true, .min = 0, .max = SAFE_MAX,
		   .meaning = "how many in a row, 0 for all; 1 when absent"),
};
static const struct insp_param p_log[] = {
	INSP_PARAM("since", UINT, .optional = true, .min = 0, .max = SAFE_MAX,
		   .meaning = "seq of the first line wanted"),
	LIMIT,
	CURSOR,
};

/* ---- lists ---- */

static int setup_frames(struct insp_call *call, struct insp_visit *visit)
{
	if (call->arg[1].given)
		visit->from = call->arg[1].u;
	if (!call->arg[0].given)
		return 0;
	const struct insp_zone *zone = &call->insp->zone[call->arg[0].u];
	if (visit->from < zone->start)
		visit->from = zone->start;
	visit->to = zone->end ? zone->end - 1 : 0;
	return 0;
}

static bool keep_frames(struct insp_call *call, const union insp_item *item)
{
	return !call->arg[0].given || item->frames.zone == call->insp->zone[call->arg[0].u].index;
}

static int setup_slabs(struct insp_call *call, struct insp_visit *visit)
{
	uint64_t size = call->arg[0].u;

	if (size & (size - 1))
		return insp_fail(
			call, INSP_E_PARAMS,
			"parameter size is wrong: it takes a class, a power of two from 32 to "
			"1048576");
	visit->size = size;
	return 0;
}

static int setup_mappings(struct insp_call *call, struct insp_visit *visit)
{
	const struct insp_arg *a = call->arg;

	if (a[0].given)
		visit->space = (uint32_t)a[0].u;
	if (a[1].given)
		visit->from = a[1].u;
	if (a[2].given)
		visit->to = a[2].u;
	visit->ad = call->with_ad = a[3].u;
	if (visit->from > visit->to)
		return insp_fail(call, INSP_E_PARAMS,
				 "parameter to is wrong: it takes an address not below from");
	return 0;
}

static int setup_rmap(struct insp_call *call, struct insp_visit *visit)
{
	uint64_t len = call->arg[1].given ? call->arg[1].u : 1;

	visit->from = call->arg[0].u;
	if (__builtin_add_overflow(visit->from, len - 1, &visit->to))
		return insp_fail(call, INSP_E_PARAMS,
				 "parameter len is wrong: the range runs past the last address");
	return 0;
}

static int setup_leaks(struct insp_call *call, struct insp_visit *visit)
{
	uint64_t age = call->arg[0].u;

	visit->before_us = call->now_us > age ? call->now_us - age : 0;
	return 0;
}

static int setup_log(struct insp_call *call, struct insp_visit *visit)
{
	visit->from = call->arg[0].u;
	return 0;
}

static const struct insp_list l_zones = {.kind = INSP_KIND_ZONES,
					 .name = "zones",
					 .item = insp_f_zone,
					 .gen = INSP_GEN_FRAMES,
					 .whole = true,
					 .what = "mm.zones",
					 .limit = -1,
					 .cursor = -1};
static const struct insp_list l_frames = {.kind = INSP_KIND_FRAMES,
					  .name = "runs",
					  .item = insp_f_frames,
					  .gen = INSP_GEN_FRAMES,
					  .setup = setup_frames,
					  .keep = keep_frames,
					  .what = "mm.frames",
					  .limit = 2,
					  .cursor = 3};
static const struct insp_list l_caches = {.kind = INSP_KIND_CACHES,
					  .name = "caches",
					  .item = insp_f_cache,
					  .gen = INSP_GEN_ALL,
					  .whole = true,
					  .what = "mm.caches",
					  .limit = -1,
					  .cursor = -1};
static const struct insp_list l_slabs = {.kind = INSP_KIND_SLABS,
					 .name = "slabs",
					 .item = f_slab,
					 .gen = INSP_GEN_ALL,
					 .setup = setup_slabs,
					 .what = "slab class",
					 .limit = 1,
					 .cursor = 2};
static const struct insp_list l_spaces = {.kind = INSP_KIND_SPACES,
					  .name = "spaces",
					  .item = f_space,
					  .gen = INSP_GEN_MAPPINGS,
					  .what = "mm.spaces",
					  .limit = 0,
					  .cursor = 1};
static const struct insp_list l_mappings = {.kind = INSP_KIND_MAPPINGS,
					    .name = "runs",
					    .item = insp_f_mapping,
					    .gen = INSP_GEN_MAPPINGS,
					    .setup = setup_mappings,
					    .what = "space",
					    .limit = 4,
					    .cursor = 5};
static const struct insp_list l_rmap = {.kind = INSP_KIND_RMAP,
					.name = "runs",
					.item = f_rmap,
					.gen = INSP_GEN_MAPPINGS,
					.setup = setup_rmap,
					.what = "mm.rmap",
					.limit = 2,
					.cursor = 3};
static const struct insp_list l_leaks = {.kind = INSP_KIND_LEAKS,
					 .name = "objects",
					 .item = f_live,
					 .gen = INSP_GEN_NOTHING,
					 .setup = setup_leaks,
					 .what = "trace.leaks",
					 .limit = 1,
					 .cursor = 2};
static const struct insp_list l_workloads = {.kind = INSP_KIND_WORKLOADS,
					     .name = "workloads",
					     .item = f_workload,
					     .what = "workload.list",
					     .limit = 0,
					     .cursor = 1};
static const struct insp_list l_log = {.kind = INSP_KIND_LOG,
				       .name = "lines",
				       .item = insp_f_line,
				       .setup = setup_log,
				       .what = "sys.log",
				       .limit = 1,
				       .cursor = 2};

static const enum insp_op op_workload_start = INSP_OP_WORKLOAD_START;
static const enum insp_op op_workload_stop = INSP_OP_WORKLOAD_STOP;
static const enum insp_op op_break = INSP_OP_BREAK, op_panic = INSP_OP_PANIC,
			  op_poweroff = INSP_OP_POWEROFF;

/* ---- the table, sorted by name ---- */

#define METHOD(name_, summary_, who_, result_, handler_, ...)                                     \
	{                                                                                         \
		.name = name_, .summary = summary_, who_, .result = result_, .handler = handler_, \
		##__VA_ARGS__                                                                     \
	}
#define HELLO .access = INSP_ACCESS_READ, .flags = INSP_MF_LINK
#define READ  .access = INSP_ACCESS_READ, .flags = 0
#define ALLOC .access = INSP_ACCESS_ALLOC, .flags = INSP_MF_CHANGES
#define FULL  .access = INSP_ACCESS_FULL, .flags = INSP_MF_CHANGES
#define WATCH \
	.access = INSP_ACCESS_READ, .flags = INSP_MF_CHANGES | INSP_MF_AFTER_PANIC | INSP_MF_LINK
#define ALWAYS .access = INSP_ACCESS_FULL, .flags = INSP_MF_CHANGES | INSP_MF_AFTER_PANIC

const struct insp_method insp_methods[] = {
	METHOD("fault.inject", "Makes the n-th operation of a kind fail", FULL, r_nothing,
	       insp_do_fault, PARAMS(p_fault)),
	METHOD("hello", "Starts or continues a session and says who answers", HELLO, r_hello,
	       insp_do_hello, PARAMS(p_hello)),
	METHOD("mem.read", "Reads memory without ever faulting", READ, r_read, insp_do_read,
	       PARAMS(p_read)),
	METHOD("mm.alloc_pages", "Allocates a contiguous run of frames", ALLOC, r_alloc_pages,
	       insp_do_alloc_pages, PARAMS(p_alloc_pages)),
	METHOD("mm.caches", "The sixteen object classes", READ, r_caches, insp_do_list,
	       .detail = &l_caches),
	METHOD("mm.check", "Walks every invariant of the memory manager", READ, r_check,
	       insp_do_check),
	METHOD("mm.frames", "Physical memory in runs of like frames", READ, r_frames, insp_do_list,
	       PARAMS(p_frames), .detail = &l_frames),
	METHOD("mm.free_pages", "Frees a run of frames", ALLOC, r_free_pages, insp_do_free_pages,
	       PARAMS(p_free_pages)),
	METHOD("mm.kfree", "Frees an object", ALLOC, r_kfree, insp_do_kfree, PARAMS(p_kfree)),
	METHOD("mm.kmalloc", "Allocates an object", ALLOC, r_kmalloc, insp_do_kmalloc,
	       PARAMS(p_kmalloc)),
	METHOD("mm.map", "Maps physical memory", ALLOC, r_map, insp_do_map, PARAMS(p_map)),
	METHOD("mm.mappings", "What a space maps, in runs", READ, r_mappings, insp_do_list,
	       PARAMS(p_mappings), .detail = &l_mappings),
	METHOD("mm.object", "What lies at an address", READ, r_object, insp_do_object,
	       PARAMS(p_object)),
	METHOD("mm.rmap", "Who maps a physical range", READ, r_rmap, insp_do_list, PARAMS(p_rmap),
	       .detail = &l_rmap),
	METHOD("mm.slabs", "The slabs of a class with their used objects", READ, r_slabs,
	       insp_do_list, PARAMS(p_slabs), .detail = &l_slabs),
	METHOD("mm.spaces", "All address spaces", READ, r_spaces, insp_do_list, PARAMS(p_page),
	       .detail = &l_spaces),
	METHOD("mm.stat", "The seven figures of mm_stat()", READ, r_stat, insp_do_stat),
	METHOD("mm.translate", "Walks the tables for one address, entry by entry", READ,
	       r_translate, insp_do_translate, PARAMS(p_translate)),
	METHOD("mm.unmap", "Unmaps a range", ALLOC, r_unmap, insp_do_unmap, PARAMS(p_unmap)),
	METHOD("mm.zones", "The zones", READ, r_zones, insp_do_list, .detail = &l_zones),
	METHOD("rpc.discover", "This interface as OpenRPC, in pages", READ, r_discover,
	       insp_do_discover, PARAMS(p_discover)),
	METHOD("space.create", "Makes an address space", ALLOC, r_space_create,
	       insp_do_space_create, PARAMS(p_space_create)),
	METHOD("space.destroy", "Ends an address space", ALLOC, r_space_destroy,
	       insp_do_space_destroy, PARAMS(p_space_destroy)),
	METHOD("sys.break", "Enters the debugger stub", ALWAYS, r_nothing, insp_do_later,
	       .detail = &op_break),
	METHOD("sys.log", "The kernel's log", READ, r_log, insp_do_list, PARAMS(p_log),
	       .detail = &l_log),
	METHOD("sys.panic", "Panics on purpose", FULL, r_nothing, insp_do_later,
	       .detail = &op_panic),
	METHOD("sys.poweroff", "Powers the machine off", ALWAYS, r_nothing, insp_do_later,
	       .detail = &op_poweroff),
	METHOD("trace.leaks", "Live objects of a certain age", READ, r_leaks, insp_do_list,
	       PARAMS(p_leaks), .detail = &l_leaks),
	METHOD("trace.sites", "Who allocated how much", READ, r_sites, insp_do_sites,
	       PARAMS(p_sites)),
	METHOD("trace.start", "Attributes objects to their sites, and records events", ALLOC,
	       r_trace_start, insp_do_trace_start, PARAMS(p_trace_start)),
	METHOD("trace.stop", "Ends that", ALLOC, r_nothing, insp_do_trace_stop),
	METHOD("watch.start", "Sends full states and then what changes", WATCH, r_watch_start,
	       insp_do_watch_start, PARAMS(p_watch_start)),
	METHOD("watch.stop", "Ends a watch", WATCH, r_nothing, insp_do_watch_stop,
	       PARAMS(p_watch_stop)),
	METHOD("workload.list", "The built-in programs", READ, r_workloads, insp_do_list,
	       PARAMS(p_page), .detail = &l_workloads),
	METHOD("workload.start", "Starts a built-in program", ALLOC, r_nothing, insp_do_workload,
	       PARAMS(p_workload_start), .detail = &op_workload_start),
	METHOD("workload.stop", "Stops it and waits until it has freed its memory", ALLOC,
	       r_nothing, insp_do_workload, PARAMS(p_workload_stop), .detail = &op_workload_stop),
};

const uint32_t insp_method_count = INSP_COUNT(insp_methods);
