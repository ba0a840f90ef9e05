/*
 * What the inspector needs of the kernel it shows. A kernel that implements these functions has
 * the whole protocol; docs/porting.md walks through it.
 *
 * Contexts. All functions are called only from insp_poll(), insp_call_text() and insp_init(): from
 * one thread at a time, or, after insp_panicked(), from the
 * one CPU that is left, with interrupts off. They never sleep for long; reading ones
 * allocate nothing from the allocators that they show and change nothing. After a panic the
 * reading ones must still work: no lock that a dead thread may hold is waited for (return
 * INSP_BUSY instead).
 *
 * Words: frame = 2 MiB of physical memory; page = 4 KiB; leaf = an entry that maps; space = one
 * root table; site = the code address that asked; gen = counter of changes. Sizes are bytes unless
 * the name says otherwise; times are microseconds since boot.
 */
#ifndef INSPECT_PORT_H
#define INSPECT_PORT_H

#include <inspect/protocol.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INSP_REASON_MAX 160 /* bytes of a reason, with its terminator */
#define INSP_TEXT_MAX	256 /* bytes of a log line or of a fault's description, likewise */
#define INSP_SYMBOL_MAX 96  /* bytes of "name+0x12", likewise */
#define INSP_RUNS_MAX	64  /* used runs that one slab item carries */
#define INSP_NONE	UINT64_MAX

/* What a port function answers. insp_status_text() (inspect.h) gives each in words. */
enum insp_status {
	INSP_OK,
	INSP_END,     /* insp_port_next: no further item */
	INSP_BUSY,    /* not now; the client may ask again */
	INSP_STALE,   /* the cursor points at something that is gone */
	INSP_NO_SUCH, /* no such space, class, workload ... */
	INSP_REFUSED, /* the allocator or mapper said no: error and reason say why */
	INSP_FAULT,   /* unreadable memory */
	INSP_ABSENT,  /* this kernel does not have that */
};

enum insp_access { INSP_ACCESS_OFF, INSP_ACCESS_READ, INSP_ACCESS_ALLOC, INSP_ACCESS_FULL };

/* ---- the kernel itself ---- */

struct insp_info {
	char version[32];
	char build_id[48]; /* hex */
	uint32_t cpus;
	uint64_t tsc_hz;
	enum insp_access access;
	/* Where requests at level `alloc` may map in the kernel's half, [va, va + len). len 0:
	 * nowhere. Page-aligned; nothing else of the kernel lives there. */
	uint64_t window_va, window_len;
	uint64_t seed; /* differs from boot to boot; makes sessions unlike each other */
};

/* What others make of the CPU that the inspector runs on. */
struct insp_load {
	bool wanted;	  /* right now somebody waits for it */
	uint64_t idle_us; /* how long it had nothing to do, since boot */
};

/* ---- items of insp_port_next(), one struct per kind ---- */

enum insp_kind {
	INSP_KIND_ZONES,    /* struct insp_zone, by address */
	INSP_KIND_FRAMES,   /* struct insp_frames: runs of like frames, by address, merged as far as
			     * the   state, attributes, zone and refs agree, from the frame of
			     * visit->from to the   frame of visit->to; holes between usable memory
			     * appear as INSP_FRAME_HOLE   runs. A run is cut at from and to. */
	INSP_KIND_CACHES,   /* struct insp_cache, by size */
	INSP_KIND_SLABS,    /* struct insp_slab of the class visit->size */
	INSP_KIND_SPACES,   /* struct insp_space, the kernel's own (id 0) first */
	INSP_KIND_MAPPINGS, /* struct insp_mapping of visit->space: maximal runs, by va (kernel half
			     * after user half), cut at visit->from and at visit->to (inclusive) */
	INSP_KIND_RMAP,	  /* struct insp_rmap: mappings of [visit->from, visit->to], cut at both */
	INSP_KIND_LEVELS, /* struct insp_level: the entries that translate visit->from in
			   * visit->space, top level first, down to the first that is absent or a
			   * leaf */
	INSP_KIND_SITES,  /* struct insp_site, in any stable order; attribution must be on */
	INSP_KIND_LEAKS, /* struct insp_live: live objects born before visit->before_us; attribution
			  */
	INSP_KIND_FAULTS,    /* struct insp_text: what the last INSP_OP_CHECK found broken */
	INSP_KIND_WORKLOADS, /* struct insp_workload */
	INSP_KIND_LOG,	     /* struct insp_line: log lines from number visit->from on */
	INSP_KINDS
};

/*
 * Which items, and how far we are. The inspector zeroes it, sets the filter members that the kind
 * names and leaves cursor zero for the start; insp_port_next() moves cursor on. cursor travels
 * through the client and back, so any value may come in: a cursor that points nowhere is
 * INSP_STALE or simply goes on at the next valid place, never a wild access.
 */
struct insp_visit {
	uint64_t from, to; /* addresses, `to` inclusive; everything is 0 to INSP_NONE */
	uint64_t size;	   /* INSP_KIND_SLABS: the class in bytes */
	uint64_t before_us;
	uint32_t space; /* or INSP_SPACE_CURRENT */
	bool ad; /* INSP_KIND_MAPPINGS: tell runs apart by accessed and dirty, and show them */
	uint64_t cursor[2];
};
#define INSP_SPACE_CURRENT UINT32_MAX

enum { /* frame attributes, numbered as the API numbers them; INSP_FRAME_ATTRS are the names */
       INSP_ATTR_PGT_MAPPED = 1 << 0,
       INSP_ATTR_KERNEL_INIT = 1 << 1,
       INSP_ATTR_DEVICE = 1 << 2,
       INSP_ATTR_KERNEL = 1 << 3,
       INSP_ATTR_SHARED = 1 << 4,
       INSP_ATTR_ALL = 0x1f
};
enum { /* a mapping's rights, in the order of INSP_FLAG_LETTERS */
       INSP_MAP_W = 1 << 0,
       INSP_MAP_X = 1 << 1,
       INSP_MAP_U = 1 << 2,
       INSP_MAP_G = 1 << 3,
       INSP_MAP_T = 1 << 4,
       INSP_MAP_C = 1 << 5,
       INSP_MAP_A = 1 << 6,
       INSP_MAP_D = 1 << 7
};
enum insp_frame_state {
	INSP_FRAME_FREE,
	INSP_FRAME_KERNEL,
	INSP_FRAME_SLAB,
	INSP_FRAME_ALLOCATED,
	INSP_FRAME_RESERVED,
	INSP_FRAME_HOLE
};
enum insp_object_kind {
	INSP_OBJECT_SLAB,  /* a kmalloc object, used or free */
	INSP_OBJECT_FRAME, /* in a frame that is no slab */
	INSP_OBJECT_IMAGE, /* the kernel's own code and data */
	INSP_OBJECT_TABLE, /* a page-table page */
	INSP_OBJECT_NONE   /* not memory that the manager knows */
};

struct insp_stat { /* bytes, one consistent instant */
	uint64_t total, used, free, shared, cache_used, cache_free, available;
};
struct insp_zone {
	char name[INSP_NAME_MAX]; /* "ZONE_DMA" ... */
	uint32_t index;		  /* what struct insp_frames.zone and act->zone mean */
	uint64_t start, end;	  /* physical, end exclusive */
	uint64_t frames, free, used, reserved, largest_free_run; /* frames */
};
struct insp_frames {
	uint64_t pa, count; /* count in frames */
	uint32_t zone;	    /* UINT32_MAX: in no zone */
	uint32_t state;	    /* enum insp_frame_state */
	uint32_t attr;	    /* INSP_ATTR_* */
	uint32_t refs;
};
struct insp_cache {
	uint64_t size; /* of one object, bytes */
	uint64_t slabs, objects, used, free;
	uint64_t bytes; /* of backing */
	uint64_t allocs, frees, failed;
};
struct insp_slab {
	uint64_t addr; /* of the first object */
	uint64_t size; /* of one object, bytes */
	uint32_t objects, used;
	/* Runs of used objects, by index. When there are more than INSP_RUNS_MAX, the item covers
	 * only the objects before `covered` and the next item continues the same slab from there;
	 * `objects` and `used` always speak of the whole slab. */
	uint32_t covered;
	uint32_t runs;
	uint32_t run[INSP_RUNS_MAX][2]; /* first, count */
};
struct insp_object {
	uint64_t addr;	   /* as asked */
	uint32_t kind;	   /* enum insp_object_kind */
	uint64_t base;	   /* of the object, frame or image; INSP_NONE for none */
	uint64_t size;	   /* bytes; 0 for none */
	bool used;	   /* false: a free object or frame */
	uint64_t site;	   /* INSP_NONE when not known */
	uint64_t birth_us; /* INSP_NONE when not known */
	uint64_t named;	   /* not the port's: the code address that the answer names */
};
struct insp_space {
	uint32_t id;
	char name[INSP_NAME_MAX];
	uint64_t root; /* physical */
	bool current;
	uint64_t tables; /* table pages of its own */
	uint64_t mapped_bytes;
};
struct insp_mapping {
	uint64_t va, pa, len; /* len 0 never */
	uint32_t page;	      /* 4096, 2097152 or 1073741824 */
	uint32_t flags;	      /* INSP_MAP_*, effective */
};
struct insp_rmap {
	uint32_t space;
	uint64_t va, pa, len;
};
struct insp_level {
	uint32_t level; /* 4 (top) .. 1 */
	uint32_t index; /* 0 .. 511 */
	uint64_t at;	/* physical address of the entry */
	uint64_t entry; /* raw */
};
struct insp_site {
	uint64_t addr;
	uint64_t allocs, frees, live_objects, live_bytes;
};
struct insp_live {
	uint64_t addr, size, site, birth_us; /* site INSP_NONE when not known */
};
struct insp_text {
	char text[INSP_TEXT_MAX];
};
struct insp_setting { /* a parameter of a workload */
	char name[INSP_NAME_MAX];
	uint64_t min, max, initial, value; /* value: now when it runs, else initial */
	char meaning[80];
};
struct insp_workload {
	char name[INSP_NAME_MAX];
	char meaning[120];
	bool running;
	uint64_t operations, failures;
	uint32_t settings;
	struct insp_setting setting[INSP_SETTINGS_MAX];
};
struct insp_line {
	uint64_t seq, t_us;
	uint32_t level; /* index in INSP_LEVEL_NAMES */
	char text[INSP_TEXT_MAX];
};

/* Counters that differ whenever the state differs; they may also move without a change. */
struct insp_gens {
	uint64_t all;	   /* any memory state: the wire's `gen` */
	uint64_t frames;   /* what INSP_KIND_FRAMES and INSP_KIND_ZONES show */
	uint64_t mappings; /* what INSP_KIND_MAPPINGS, INSP_KIND_RMAP and INSP_KIND_SPACES show */
	uint64_t log;	   /* number that the next log line will get */
};

/* ---- things to do ---- */

/* What insp_event() reports, in the order of INSP_EVENT_NAMES. */
enum insp_event_op {
	INSP_EV_KMALLOC,
	INSP_EV_KFREE,
	INSP_EV_ALLOC_PAGES,
	INSP_EV_FREE_PAGES,
	INSP_EV_MAP,
	INSP_EV_UNMAP,
	INSP_EV_FAIL,
	INSP_EV_OPS
};

enum insp_op {
	INSP_OP_KMALLOC,     /* bytes, zero -> addr, bytes (of the class) */
	INSP_OP_KFREE,	     /* addr -> bytes. Checked first: never panics, INSP_REFUSED instead */
	INSP_OP_ALLOC_PAGES, /* zone, num, flags (INSP_ATTR_*), dry_run -> pa, addr or INSP_NONE */
	INSP_OP_FREE_PAGES, /* pa, num. Checked first, all of them: never panics, nothing half freed
			     */
	INSP_OP_MAP,	    /* space, addr (va), pa, bytes, flags (INSP_MAP_*), use4k, user, flush,
			     * dry_run -> entries, tables. Refuses to touch the kernel's own image, direct
			     * map, stacks and devices */
	INSP_OP_UNMAP, /* space, addr (va), bytes, dry_run -> entries, tables, split. Likewise */
	INSP_OP_SPACE_CREATE,  /* name (may be "") -> space, pa (the root) */
	INSP_OP_SPACE_DESTROY, /* space -> tables. Refuses the kernel's and a current one */
	INSP_OP_TRIM,	/* what the allocators keep idle for their next call goes back to the zones;
			 * nothing that anybody holds changes. May do nothing */
	INSP_OP_CHECK,	/* -> ok, frames, objects, tables; INSP_KIND_FAULTS then lists */
	INSP_OP_TRACE,	/* on: attribution of objects to sites on or off */
	INSP_OP_LISTEN, /* flags: mask of 1 << enum insp_event_op that insp_event() wants to hear;
			 * 0: the hooks may be unhooked. Comes again with the same mask when
			 * insp_event() had heard enough */
	INSP_OP_WORKLOAD_START, /* name, settings -> */
	INSP_OP_WORKLOAD_STOP,	/* name -> */
	INSP_OP_FAULT_INJECT, /* fault (index in INSP_FAULT_NAMES), after, count: the after-th such
			       * operation from now on (1: the next) and the count - 1 following
			       * fail; after 0: off */
	INSP_OP_BREAK,	      /* enter the debugger stub; returns when it resumes */
	INSP_OP_PANIC,	      /* panic on purpose */
	INSP_OP_POWEROFF,
	INSP_OPS
};

/* In and out of insp_port_act(). Members that an op does not name are zero and stay so. */
struct insp_act {
	enum insp_op op;
	uint32_t space; /* or INSP_SPACE_CURRENT */
	uint32_t zone;	/* struct insp_zone.index */
	uint32_t num;	/* frames */
	uint32_t flags;
	uint32_t fault;
	uint64_t addr, pa, bytes;
	uint64_t after, count;
	bool zero, use4k, user, flush, dry_run, on;
	char name[INSP_NAME_MAX];
	uint32_t settings;
	struct {
		char name[INSP_NAME_MAX];
		uint64_t value;
	} setting[INSP_SETTINGS_MAX];
	/* out only */
	bool ok;
	uint64_t entries, tables, frames, objects;
	uint64_t split;		      /* leaves that were split into smaller ones */
	const char *error;	      /* INSP_REFUSED: "ENOMEM", "EINVAL", "EFAULT" ...; static */
	char reason[INSP_REASON_MAX]; /* INSP_REFUSED, INSP_NO_SUCH: one sentence */
};

/* ---- the functions ---- */

/* Microseconds since boot; never goes back. */
uint64_t insp_port_clock_us(void);

/* Fills *info. What it says may change only in access level. */
void insp_port_info(struct insp_info *info);

/* Fills *load, which is zeroed before; cheap. A port that cannot tell says wanted. */
void insp_port_load(struct insp_load *load);

/* Reads the counters; cheap (called many times per record). */
void insp_port_gens(struct insp_gens *gens);

/* One consistent instant. INSP_OK or INSP_BUSY. */
enum insp_status insp_port_stat(struct insp_stat *stat);

/*
 * The next item of `kind` into *item (the struct that the kind names). Each item is consistent in
 * itself; the inspector makes records consistent by comparing gens around several calls and doing
 * them again. Bounded work per call: a walk that finds nothing for long may return INSP_BUSY with
 * the cursor moved on, and is called again.
 * INSP_OK, INSP_END, INSP_BUSY, INSP_STALE, INSP_NO_SUCH (space, class), INSP_ABSENT.
 */
enum insp_status insp_port_next(enum insp_kind kind, struct insp_visit *visit, void *item);

/* What lies at a virtual address. INSP_OK (also for kind `none`) or INSP_BUSY. */
enum insp_status insp_port_object(uint64_t addr, struct insp_object *object);

/*
 * Does act->op. Thread context; may take as long as the operation does. What it takes comes from
 * outside and was checked only for the ranges that the wire names: the port refuses all that would
 * harm the kernel. INSP_OK, INSP_REFUSED, INSP_NO_SUCH, INSP_BUSY, INSP_ABSENT. A dry run changes
 * nothing and answers as the real one would.
 */
enum insp_status insp_port_act(struct insp_act *act);

/*
 * Copies len bytes of memory at addr: physical, or virtual in `space` (or INSP_SPACE_CURRENT). Only
 * RAM: never touches device registers. INSP_OK; INSP_FAULT (nothing useful in buf), INSP_NO_SUCH.
 */
enum insp_status insp_port_read(uint32_t space, bool physical, uint64_t addr, void *buf,
				size_t len);

/* "name+0x12" of a code address, terminated, cut to fit; "" when there is no symbol. */
void insp_port_symbol(uint64_t addr, char *buf, size_t size);

/* How many bytes insp_port_link_write() would take now without waiting. `link` is what
 * insp_link_init() was given. A line with nobody at its other end may say 0. */
size_t insp_port_link_space(void *link);

/* Sends bytes; len <= what insp_port_link_space() said. Copies them before it returns. Records are
 * written whole, so that a port may start the hardware once per insp_poll(). */
void insp_port_link_write(void *link, const void *bytes, size_t len);

#endif
