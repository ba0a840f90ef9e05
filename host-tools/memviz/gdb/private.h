/* A guest behind a GDB stub: the remote serial protocol, page tables read through
 * it, and the structures of a Vitrine kernel's memory manager in its memory. */
#ifndef MEMVIZ_GDB_PRIVATE_H
#define MEMVIZ_GDB_PRIVATE_H

#include <memviz/base.h>
#include <memviz/link.h>
#include <memviz/model.h>

/* ---- guard.c: who resumes the guest when we cannot ---- */

struct guard {
	int pair; /* to the second process; -1: none */
};
/* Connects through the second process; the descriptor as of mv_transport_open(). */
int guard_open(struct guard *g, const struct mv_target *t, bool *connecting, struct mv_error *e);
/* The guest was stopped before we came: it stays so, whatever happens. */
void guard_leave_stopped(struct guard *g);
/* We are about to resume it ourselves. */
void guard_resuming(struct guard *g);
/* Done: the guest runs, or stays stopped as it was. Otherwise the second process does
 * what it can, after this has returned. */
void guard_end(struct guard *g, bool done);

/* ---- rsp.c: the protocol. Blocking, each wait bounded by the timeout ---- */

struct rsp {
	int fd;
	double timeout_s;
	const char *target; /* for messages */
	bool no_ack;
	bool physical;	  /* PhyMemMode is on */
	bool heard;	  /* somebody is there */
	unsigned marks;	  /* how often bytes got lost */
	bool closed;	  /* the link is gone */
	bool broken;	  /* ... or bytes of it are */
	bool was_stopped; /* before we came: it is left so */
	struct guard guard;
	size_t packet_bytes;
	struct mv_buf in;
	struct mv_buf xml; /* the target description, once it was asked for */
};

enum mv_status rsp_open(struct rsp *r, const struct mv_target *t, double timeout_s,
			struct mv_error *e);
/* Leaves physical mode, lets the guest go on if it ran before, and closes. */
void rsp_close(struct rsp *r);
/* One packet and its reply (unescaped, run lengths spread), in `reply`. */
enum mv_status rsp_ask(struct rsp *r, const char *packet, struct mv_buf *reply, struct mv_error *e);
/* Whole object of qXfer, e.g. "features:read:target.xml". */
enum mv_status rsp_transfer(struct rsp *r, const char *object, struct mv_buf *out,
			    struct mv_error *e);
/* Value of a register by its name in the target description. */
enum mv_status rsp_register(struct rsp *r, const char *name, uint64_t *value, struct mv_error *e);
/* What the stub's monitor says to a command (qRcmd), as text. */
enum mv_status rsp_monitor(struct rsp *r, const char *command, struct mv_buf *text,
			   struct mv_error *e);
/* `count` pages of 4 KiB at these physical addresses, pipelined. One that cannot
 * be read in whole is zero there, and false in `good` (which may be NULL). */
enum mv_status rsp_pages(struct rsp *r, const uint64_t *addresses, size_t count,
			 uint64_t (*pages)[512], bool *good, struct mv_error *e);

/* ---- description.c: which number a register has ---- */

/* Number of register `name` in a target description with its includes spread
 * out; -1 when it has none. */
long description_register(const char *xml, const char *name);

/* ---- walk.c: page tables ---- */

struct table_page {
	uint64_t pa;
	uint64_t entry[512];
};
struct leaf_run {
	uint64_t va, pa, len;
	uint32_t page;
	uint8_t flags; /* MV_MAP_*, effective */
};
struct leaf_list {
	struct leaf_run *runs; /* by va */
	size_t count, capacity;
};
struct walk {
	uint64_t cr0, cr3, cr4, efer;
	unsigned levels;	   /* 4 or 5 */
	struct table_page *tables; /* by pa */
	size_t table_count, table_capacity, tables_of_cr3;
	bool too_many;		 /* why reading failed */
	struct leaf_list leaves; /* of cr3 */
};
/* Where pages come from: a stub, or a test's memory. One that cannot be read is
 * all zero, and false in `good` (NULL: nobody asks). */
typedef enum mv_status (*read_pages_fn)(void *user, const uint64_t *addresses, size_t count,
					uint64_t (*pages)[512], bool *good, struct mv_error *e);
/* Reads all tables below cr3, level by level, and lists the leaves as runs. */
enum mv_status walk_read(struct walk *w, read_pages_fn read, void *user, struct mv_error *e);
/* The same for the lower half of another root; its leaves go to `out`. */
enum mv_status walk_user_half(struct walk *w, uint64_t root, struct leaf_list *out,
			      read_pages_fn read, void *user, struct mv_error *e);
const struct table_page *walk_table(const struct walk *w, uint64_t pa);
/* The run that maps an address, by the leaves of cr3; NULL. */
const struct leaf_run *walk_leaf(const struct walk *w, uint64_t va);
void walk_free(struct walk *w);

/* ---- guest.c: memory by virtual address, in pages that are read once ---- */

struct guest_page {
	uint64_t number; /* physical address / 4096 */
	bool read, good; /* not read: wanted */
	uint8_t *bytes;
};
struct guest {
	const struct walk *walk;
	read_pages_fn read;
	void *user;
	struct guest_page *pages; /* open addressing by number */
	size_t capacity, count;
	size_t wanted; /* of them not read yet */
	bool overfull; /* more was wanted than is read of any guest */
	bool missed;   /* guest_read() failed, first at missed_at */
	uint64_t missed_at;
	enum mv_status status; /* MV_LINK once the link failed; nothing is read then */
	struct mv_error error;
};
void guest_free(struct guest *g);
/* Remembers to read [va, va + len); what nothing maps is left out. */
void guest_want(struct guest *g, uint64_t va, uint64_t len);
/* Reads all that is wanted, in bursts. False: see `status`. */
bool guest_fetch(struct guest *g);
/* Copies; reads first what nobody wanted. False: some of it is not mapped, cannot
 * be read, or guest_fetch() failed; `out` is zero then. */
bool guest_read(struct guest *g, uint64_t va, void *out, size_t len);

/* ---- root.c: the root descriptor, which says where what lies ---- */

#define ROOT_VERSION 1

/* What the descriptor describes and this reader needs, in the order of the table in
 * root.c: values, variables, and structures with their fields. */
enum root_part {
	R_FRAME_SHIFT,
	R_GRANULE_SHIFT,
	R_PAGE_SHIFT,
	R_CLASS_TABLE,
	R_CLASS_FIRST,
	R_CLASS_LAST,
	R_SLAB_HEAD,
	R_SLAB_BODY,
	R_REMOTE_WORD,
	R_REMOTE_CELL,
	R_NOTE_BORN,
	R_ZONE_UNMAPPED,
	R_SITE_COUNT,
	R_READY,
	R_DIRECT_BASE,
	R_DIRECT_LIMIT,
	R_MANAGED,
	R_EXTENTS,
	R_EXTENT_COUNT,
	R_ZONES,
	R_ZONE_NAMES,
	R_CPUS,
	R_CLASSES,
	R_POOL_FRAMES,
	R_SLABS,
	R_SLAB_MASK,
	R_SPACES_FIRST,
	R_GEN_EXTRA,
	R_SITES,
	R_EXTENT,
	R_EXTENT_FIRST,
	R_EXTENT_FRAMES,
	R_EXTENT_BIT,
	R_EXTENT_ZONE,
	R_ZONE,
	R_ZONE_BITS,
	R_ZONE_WORDS,
	R_ZONE_FRAMES,
	R_ZONE_PAGES,
	R_ZONE_WORD,
	R_ZONE_FIRST,
	R_ZONE_END,
	R_ZONE_GIVEN,
	R_ZONE_RETURNED,
	R_ZONE_SHARED,
	R_ZONE_FAILED,
	R_WORD,
	R_WORD_FREE,
	R_WORD_ALLOC,
	R_WORD_SLAB,
	R_WORD_KERNEL,
	R_PAGE,
	R_PAGE_ATTR,
	R_PAGE_REFS,
	R_PAGE_RUN,
	R_PAGE_SITE,
	R_PAGE_BIRTH,
	R_PAGE_NOTES,
	R_CPU,
	R_CPU_ALLOCS,
	R_CPU_FREES,
	R_CPU_FRAME,
	R_CLASS,
	R_CLASS_SLABS,
	R_CLASS_FAILED,
	R_SLAB,
	R_SLAB_START,
	R_SLAB_BITS,
	R_SLAB_SHIFT,
	R_SLAB_STATE,
	R_SLAB_CLASS,
	R_SLAB_WORDS,
	R_NOTE,
	R_NOTE_SITE,
	R_NOTE_REQUESTED,
	R_NOTE_BIRTH,
	R_SITE,
	R_SITE_SITE,
	R_SITE_ALLOCS,
	R_SITE_FREES,
	R_SITE_OBJECTS,
	R_SITE_BYTES,
	R_SPACE,
	R_SPACE_ID,
	R_SPACE_ROOT,
	R_SPACE_ACTIVE,
	R_SPACE_TABLES,
	R_SPACE_MAPPED,
	R_SPACE_NAME,
	R_SPACE_NEXT,
	R_PARTS
};

struct root {
	bool found; /* a note points to it; `why` says what is wrong with it, or "" */
	char why[160];
	uint64_t at, image_start, image_end, symbols; /* of the note */
	char build_id[72];
	struct {
		uint64_t where; /* value, address, or offset */
		uint32_t bytes, count;
	} part[R_PARTS];
};
/* Looks for the note at the beginnings of the mappings of the top 2 GiB, reads the
 * descriptor and checks it: afterwards each field lies in its structure, and each
 * size is one that this reader takes. MV_LINK: the link broke. Otherwise MV_OK, and
 * `why` says whether the descriptor can be used. */
enum mv_status root_find(struct root *r, struct guest *g, struct mv_error *e);
/* Element `i` of a field, of a structure whose bytes lie at `row`. */
uint64_t root_field(const struct root *r, const uint8_t *row, enum root_part field, unsigned i);
/* Bytes of an array of `count` structures, read; NULL when it cannot be. */
uint8_t *root_rows(const struct root *r, struct guest *g, enum root_part type, uint64_t at,
		   uint64_t count);

/* ---- kernel.c: the memory manager as it lies in memory ---- */

struct kernel_slab {
	uint64_t addr;
	uint64_t live[32]; /* bit i: object i is in use */
	uint32_t objects, used;
	uint8_t shift; /* log2 of an object's size */
	bool table;    /* of page tables */
};
struct kernel_zone {
	struct mv_zone shown;
	uint64_t pages_at, taken, shared, failed, given, returned;
	uint64_t cached; /* free frames that CPUs keep */
	uint64_t bits;
	uint8_t *words; /* rows of R_WORD */
};
struct kernel_extent {
	uint64_t first, frames, bit;
	int zone; /* -1: reserved */
};
struct kernel_space {
	struct mv_space shown; /* without its mappings */
	struct leaf_list leaves;
};
struct kernel_site {
	uint64_t site, allocs, frees, live_objects, live_bytes;
};
/* What lies at an address: an answer to mm.object. */
struct kernel_object {
	uint64_t addr;
	const char *kind; /* as the protocol names it */
	uint64_t base, size;
	bool used, has_base, has_note;
	uint64_t site, birth_us;
};
/* What mm_check() would say. */
struct kernel_check {
	bool done;
	uint64_t frames, objects, tables, faults;
	size_t fault_count; /* of them told */
	char fault[64][160];
};
#define KERNEL_CLASSES 32

struct kernel_symbols {
	uint8_t *bytes; /* the table as it lies in the image */
	size_t len, count;
};
struct kernel {
	struct root root;
	uint64_t direct_base, direct_limit, gen;
	struct mv_stat stat;
	struct kernel_zone zones[MV_MAX_ZONES];
	size_t zone_count;
	struct mv_cache caches[MV_MAX_CACHES];
	size_t cache_count;
	uint64_t class_live[KERNEL_CLASSES], class_slabs[KERNEL_CLASSES]; /* by the counters */
	struct kernel_extent *extents;
	size_t extent_count;
	struct mv_frame_run *frames;
	size_t frame_count, frame_capacity;
	struct kernel_slab *slabs; /* by address */
	size_t slab_count, slab_capacity;
	char slabs_why[160];
	struct kernel_space *spaces;
	size_t space_count, space_capacity;
	struct kernel_site *sites;
	size_t site_count;
	bool sites_open;
	struct kernel_symbols symbols;
	unsigned cpus;
};
/* What most questions do not need, and is most of the bytes. */
enum { KERNEL_SLABS = 1, KERNEL_SYMBOLS = 2 };

/* Reads it all, and the tables of its spaces into the walk that the guest uses. False:
 * `why` of its root says what is wrong (also when there is no root), and the rest is
 * empty; or the link broke (the guest's status). `slabs_why` says it when only the slabs
 * are damaged. */
bool kernel_read(struct kernel *k, struct guest *g, struct walk *walk, unsigned extras);
void kernel_free(struct kernel *k);
/* Frame `bit` of a zone; its run's first frame, with that one's page. */
void kernel_frame(const struct kernel *k, struct guest *g, int zone, uint64_t bit,
		  struct mv_frame_run *f);
uint64_t kernel_run_head(const struct root *r, struct guest *g, const struct kernel_zone *z,
			 uint64_t bit, uint8_t *page);
uint64_t kernel_page_at(const struct root *r, const struct kernel_zone *z, uint64_t bit);
/* False: it is free, the slab's or the kernel's own, and its page says nothing more. */
bool kernel_page_matters(const struct root *r, const struct kernel_zone *z, uint64_t bit);

/* ---- check.c ---- */

/* The slabs are there. */
void kernel_check(const struct kernel *k, struct guest *g, struct kernel_check *c);

/* ---- objects.c ---- */

/* The slabs are there. Reads the object's note. */
void kernel_object_at(const struct kernel *k, struct guest *g, uint64_t va,
		      struct kernel_object *out);
void kernel_read_symbols(struct kernel *k, struct guest *g);
/* "name+0x12" of a code address in `out`; NULL where nothing is known. */
const char *kernel_symbol(const struct kernel *k, uint64_t address, char *out, size_t size);

/* ---- tell.c: a kernel that was read, as the inspector would tell it ---- */

struct json_object;
/* A full state of a topic; takes `data` over. */
void tell_topic(struct mv_model *m, const char *topic, struct json_object *data, uint64_t gen,
		uint64_t now_us);
/* Spaces, and what they map. */
void tell_spaces(struct mv_model *m, const struct kernel_space *spaces, size_t count, uint64_t gen,
		 uint64_t now_us);
void kernel_tell(const struct kernel *k, struct mv_model *m, uint64_t now_us);
/* Result objects, the caller's. */
struct json_object *kernel_slabs_json(const struct kernel *k, uint64_t size);
struct json_object *kernel_object_json(const struct kernel *k, const struct kernel_object *o);
struct json_object *kernel_check_json(const struct kernel *k, const struct kernel_check *c);
struct json_object *kernel_sites_json(const struct kernel *k, const char *sort, uint64_t limit);

#endif
