/*
 * The inspector's wire protocol, version 1: its names, its numbers and nothing else.
 *
 * Shared by the kernel (kernel/inspect) and the host (memviz, which sees only this header). The
 * normative text is docs/protocol.md; docs/openrpc.json describes every method in full.
 *
 * What a client must know beyond the names:
 *
 * Record, kernel to host:  RS {"jsonrpc":"2.0",...,"seq":N,"crc":"xxxxxxxx"} LF
 * Record, host to kernel:  [RS] {"jsonrpc":"2.0","id":N,"method":"...","params":{...}
 *                          [,"session":"..."][,"crc":"xxxxxxxx"]} LF
 *   `crc` is the last member. It covers the bytes from `{` up to, not including, `,"crc":`.
 *   LF ends a record: a request is one line. Members other than the six above are refused.
 *
 * Session. `hello` starts one (and ends the link's former one with its watches), unless it
 *   repeats the running session's `token`: then it continues it. So: choose a random token, send
 *   hello with it until an answer echoes that token. A request that carries `session` beside `id`
 *   may be repeated until it is answered: a method that changes state runs once, and its answer
 *   comes from the reply cache. For that `id` is an integer that grows with each new request of
 *   the session, and no more than INSP_REPLY_WINDOW ids behind the newest. A session that is over
 *   is refused with INSP_E_BUSY: say hello again. A session whose hello carried a `crc` takes only
 *   records that carry one. Requests without `session` run each time they arrive.
 *
 * Pages. `limit` is a number of elements, `cursor` the string that came as `next`. A page may hold
 *   fewer than `limit` elements; the end is where `next` is null.
 *
 * Watching. A notification's params are
 *     {"id":W,"topic":T,"full":B,"gen":G[,"more":true][,"hz":N],"data":D}
 *   full  true: forget what you had of this topic, D is the state; false: D is merged into it.
 *   more  true: this state is not complete yet, further records (full:false) follow.
 *   hz    the rate that the line now carries for this watch, said when it changes.
 *   D by topic, in full and in part:
 *   stat      the figures of mm.stat. In part, only those that changed, and of these only what does
 *             not follow: free = total - used always; when cache_used comes without cache_free,
 *             the sum of both is what it was; available = free + cache_free always.
 *   zones     {"zones":[...]} as mm.zones; in part the zones that changed: `name` and the members
 *             that changed.
 *   caches    {"caches":[...]} likewise; the key is `size`.
 *   frames    {"runs":[...]} as mm.frames; in part each run overwrites the frames that it covers.
 *   mappings  {"removed":[{"space","va","len"}],"added":[{"space","va","pa","len","page",
 *             "flags"}]}: take out what lies in the removed ranges first (they may be larger than
 *             what was there; a run across their ends is cut), then lay the added runs over what
 *             is there. Merge neighbours by the rule of mm.mappings. The kernel's half (va >=
 *             INSP_KERNEL_HALF) is common to all spaces and sent once, with space 0.
 *   events    {"lost":N,"events":[[t_us,op,addr,size,site,arg],...]}: lost counts what had to be
 *             dropped since the last record. op is one of INSP_EVENT_NAMES; addr is a string:
 *             the object (kmalloc, kfree), the first frame (alloc_pages, free_pages), the virtual
 *             address (map, unmap), "0x0" for a failure; size in bytes; site a string, "0x0" when
 *             not known; arg: the space's id (map, unmap), the zone's index (alloc_pages,
 *             free_pages), for `fail` the index in INSP_EVENT_NAMES of what failed, else 0.
 *   log       {"lost":N,"lines":[{"seq","t_us","level","text"}]}
 *   A gap in `seq` means a lost record: send watch.start again with `id`; that watch then begins
 *   anew with full states.
 */
#ifndef INSPECT_PROTOCOL_H
#define INSPECT_PROTOCOL_H

#define INSP_PROTOCOL_VERSION 1
#define INSP_NAME	      "Vitrine"
#define INSP_VIRTIO_PORT      "org.vitrine.inspect"

/* ---- framing ---- */
#define INSP_RS		     0x1e
#define INSP_LF		     0x0a
#define INSP_CRC_KEY	     ",\"crc\":"
#define INSP_RECORD_UART_MAX 4096 /* bytes from RS to LF, both counted, either way, on a UART */

/* ---- limits ---- */
#define INSP_DEPTH_MAX	  16  /* nested arrays and objects in a request */
#define INSP_TOKENS_MAX	  512 /* values and keys in one record */
#define INSP_ID_MAX	  64  /* bytes of an id's JSON text */
#define INSP_TOKEN_MAX	  64  /* bytes of hello's token */
#define INSP_REPLY_WINDOW 512 /* newest ids of a session whose requests may be repeated */
#define INSP_WATCHES_MAX  4   /* watches of one link */
#define INSP_HZ_MAX	  60
#define INSP_READ_MAX	  1024 /* bytes of one mem.read */
#define INSP_FRAMES_MAX	  63   /* frames of one alloc_pages */
#define INSP_OBJECT_MAX	  1048576
#define INSP_SETTINGS_MAX 8 /* parameters of a workload */
#define INSP_NAME_MAX	  32
#define INSP_KERNEL_HALF  0xffff800000000000
#define INSP_SPACE_KERNEL 0	/* id of the kernel's own space */
#define INSP_OWNED_MAX	  65536 /* objects, frames and spaces that remote requests may hold */

/* ---- error codes ---- */
#define INSP_E_PARSE	(-32700) /* not JSON, too long, or the CRC is wrong; id is null */
#define INSP_E_REQUEST	(-32600) /* JSON, but not a request */
#define INSP_E_METHOD	(-32601) /* unknown method */
#define INSP_E_PARAMS	(-32602) /* bad, missing or unknown parameter */
#define INSP_E_INTERNAL (-32603)
#define INSP_E_REFUSED	(-32001) /* by the allocator or mapper: data has errno and reason */
#define INSP_E_ACCESS	(-32002) /* not allowed at this access level */
#define INSP_E_BUSY	(-32003) /* busy, or the cursor or session is stale */

/* ---- methods ---- */
#define INSP_M_HELLO	      "hello"
#define INSP_M_DISCOVER	      "rpc.discover"
#define INSP_M_STAT	      "mm.stat"
#define INSP_M_ZONES	      "mm.zones"
#define INSP_M_FRAMES	      "mm.frames"
#define INSP_M_CACHES	      "mm.caches"
#define INSP_M_SLABS	      "mm.slabs"
#define INSP_M_OBJECT	      "mm.object"
#define INSP_M_SPACES	      "mm.spaces"
#define INSP_M_MAPPINGS	      "mm.mappings"
#define INSP_M_TRANSLATE      "mm.translate"
#define INSP_M_RMAP	      "mm.rmap"
#define INSP_M_KMALLOC	      "mm.kmalloc"
#define INSP_M_KFREE	      "mm.kfree"
#define INSP_M_ALLOC_PAGES    "mm.alloc_pages"
#define INSP_M_FREE_PAGES     "mm.free_pages"
#define INSP_M_MAP	      "mm.map"
#define INSP_M_UNMAP	      "mm.unmap"
#define INSP_M_CHECK	      "mm.check"
#define INSP_M_SPACE_CREATE   "space.create"
#define INSP_M_SPACE_DESTROY  "space.destroy"
#define INSP_M_READ	      "mem.read"
#define INSP_M_TRACE_START    "trace.start"
#define INSP_M_TRACE_STOP     "trace.stop"
#define INSP_M_TRACE_SITES    "trace.sites"
#define INSP_M_TRACE_LEAKS    "trace.leaks"
#define INSP_M_WATCH_START    "watch.start"
#define INSP_M_WATCH_STOP     "watch.stop"
#define INSP_M_WORKLOAD_LIST  "workload.list"
#define INSP_M_WORKLOAD_START "workload.start"
#define INSP_M_WORKLOAD_STOP  "workload.stop"
#define INSP_M_FAULT_INJECT   "fault.inject"
#define INSP_M_LOG	      "sys.log"
#define INSP_M_BREAK	      "sys.break"
#define INSP_M_PANIC	      "sys.panic"
#define INSP_M_POWEROFF	      "sys.poweroff"
#define INSP_N_WATCH	      "watch" /* the one notification */

/* ---- members of a record ---- */
#define INSP_F_JSONRPC "jsonrpc"
#define INSP_F_ID      "id"
#define INSP_F_METHOD  "method"
#define INSP_F_PARAMS  "params"
#define INSP_F_RESULT  "result"
#define INSP_F_ERROR   "error"
#define INSP_F_CODE    "code"
#define INSP_F_MESSAGE "message"
#define INSP_F_DATA    "data"
#define INSP_F_ERRNO   "errno"
#define INSP_F_REASON  "reason"
#define INSP_F_SESSION "session"
#define INSP_F_SEQ     "seq"
#define INSP_F_CRC     "crc"

/* ---- members of params, results and data ---- */
#define INSP_F_ACCESS	     "access"
#define INSP_F_AD	     "ad"
#define INSP_F_ADDED	     "added"
#define INSP_F_ADDR	     "addr"
#define INSP_F_AFTER	     "after"
#define INSP_F_AGE_US	     "age_us"
#define INSP_F_ALLOCS	     "allocs"
#define INSP_F_AT	     "at"
#define INSP_F_ATTR	     "attr"
#define INSP_F_AVAILABLE     "available"
#define INSP_F_BASE	     "base"
#define INSP_F_BUILD_ID	     "build_id"
#define INSP_F_BYTES	     "bytes"
#define INSP_F_CACHE_FREE    "cache_free"
#define INSP_F_CACHE_USED    "cache_used"
#define INSP_F_CACHES	     "caches"
#define INSP_F_CHECKED	     "checked"
#define INSP_F_COUNT	     "count"
#define INSP_F_CPUS	     "cpus"
#define INSP_F_CURRENT	     "current"
#define INSP_F_CURSOR	     "cursor"
#define INSP_F_DRY_RUN	     "dry_run"
#define INSP_F_END	     "end"
#define INSP_F_ENTRIES	     "entries"
#define INSP_F_ENTRY	     "entry"
#define INSP_F_EVENTS	     "events"
#define INSP_F_FAILED	     "failed"
#define INSP_F_FAILURES	     "failures"
#define INSP_F_FAULTS	     "faults"
#define INSP_F_FEATURES	     "features"
#define INSP_F_FLAGS	     "flags"
#define INSP_F_FLUSH	     "flush"
#define INSP_F_FRAME_SIZE    "frame_size"
#define INSP_F_FRAMES	     "frames"
#define INSP_F_FREE	     "free"
#define INSP_F_FREES	     "frees"
#define INSP_F_FROM	     "from"
#define INSP_F_FULL	     "full"
#define INSP_F_GEN	     "gen"
#define INSP_F_HEX	     "hex"
#define INSP_F_HZ	     "hz"
#define INSP_F_INDEX	     "index"
#define INSP_F_INITIAL	     "initial"
#define INSP_F_KIND	     "kind"
#define INSP_F_LARGEST_RUN   "largest_free_run"
#define INSP_F_LEN	     "len"
#define INSP_F_LEVEL	     "level"
#define INSP_F_LEVELS	     "levels"
#define INSP_F_LIMIT	     "limit"
#define INSP_F_LINES	     "lines"
#define INSP_F_LIVE_BYTES    "live_bytes"
#define INSP_F_LIVE_OBJECTS  "live_objects"
#define INSP_F_LOST	     "lost"
#define INSP_F_MAPPED_BYTES  "mapped_bytes"
#define INSP_F_MAX	     "max"
#define INSP_F_MAX_RECORD    "max_record"
#define INSP_F_MEANING	     "meaning"
#define INSP_F_MIN	     "min"
#define INSP_F_MORE	     "more"
#define INSP_F_NAME	     "name"
#define INSP_F_NEXT	     "next"
#define INSP_F_NUM	     "num"
#define INSP_F_OBJECTS	     "objects"
#define INSP_F_OK	     "ok"
#define INSP_F_OLDER_THAN_US "older_than_us"
#define INSP_F_OP	     "op"
#define INSP_F_OPERATIONS    "operations"
#define INSP_F_PA	     "pa"
#define INSP_F_PAGE	     "page"
#define INSP_F_PAGE_SIZE     "page_size"
#define INSP_F_PROTOCOL	     "protocol"
#define INSP_F_REFS	     "refs"
#define INSP_F_REMOTE_WINDOW "remote_window" /* in hello: {"va","len"}, where `alloc` may map */
#define INSP_F_REMOVED	     "removed"
#define INSP_F_RESERVED	     "reserved"
#define INSP_F_ROOT	     "root"
#define INSP_F_RUNNING	     "running"
#define INSP_F_RUNS	     "runs"
#define INSP_F_SHARED	     "shared"
#define INSP_F_SINCE	     "since"
#define INSP_F_SITE	     "site"
#define INSP_F_SITES	     "sites"
#define INSP_F_SIZE	     "size"
#define INSP_F_SLABS	     "slabs"
#define INSP_F_SORT	     "sort"
#define INSP_F_SPACE	     "space"
#define INSP_F_SPACES	     "spaces"
#define INSP_F_SPLIT	     "split"
#define INSP_F_START	     "start"
#define INSP_F_STATE	     "state"
#define INSP_F_SYMBOL	     "symbol"
#define INSP_F_T_US	     "t_us"
#define INSP_F_TABLES	     "tables"
#define INSP_F_TEXT	     "text"
#define INSP_F_TO	     "to"
#define INSP_F_TOKEN	     "token"
#define INSP_F_TOPIC	     "topic"
#define INSP_F_TOPICS	     "topics"
#define INSP_F_TOTAL	     "total"
#define INSP_F_TSC_HZ	     "tsc_hz"
#define INSP_F_USE4K	     "use4k"
#define INSP_F_USED	     "used"
#define INSP_F_USED_RUNS     "used_runs"
#define INSP_F_USER	     "user"
#define INSP_F_VA	     "va"
#define INSP_F_VALUE	     "value"
#define INSP_F_VERSION	     "version"
#define INSP_F_WORKLOADS     "workloads"
#define INSP_F_ZERO	     "zero"
#define INSP_F_ZONE	     "zone"
#define INSP_F_ZONES	     "zones"

/* ---- words that values are made of, in the order of the kernel's enums ---- */
#define INSP_ACCESS_NAMES  "off", "read", "alloc", "full"
#define INSP_TOPIC_NAMES   "stat", "zones", "caches", "frames", "mappings", "events", "log"
#define INSP_STATE_NAMES   "free", "kernel", "slab", "allocated", "reserved", "hole" /* frames */
#define INSP_OBJECT_KINDS  "slab", "frame", "image", "table", "none"
#define INSP_OBJECT_STATES "used", "free"
#define INSP_EVENT_NAMES   "kmalloc", "kfree", "alloc_pages", "free_pages", "map", "unmap", "fail"
#define INSP_FAULT_NAMES   "kmalloc", "alloc_pages", "slab", "table" /* what fault.inject takes */
#define INSP_LEVEL_NAMES   "error", "warn", "info", "debug"
#define INSP_SORT_NAMES	   "live_bytes", "live_objects", "allocs", "frees", "addr"
#define INSP_ERRNO_NAMES   "EEXIST", "EFAULT", "EINVAL", "ENOMEM", "EPERM"
#define INSP_FRAME_ATTRS \
	"PAGE_PGT_MAPPED", "PAGE_KERNEL_INIT", "PAGE_DEVICE", "PAGE_KERNEL", "PAGE_SHARED"
#define INSP_FEATURES "batch", "crc", "events", "log", "trace", "watch", "workload"
/* A mapping's effective rights, each letter or '-' in this order; a and d only on demand. */
#define INSP_FLAG_LETTERS "wxugtcad"

#endif
