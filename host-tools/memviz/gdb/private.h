/* A guest behind a GDB stub: the remote serial protocol, and page tables read
 * through it. */
#ifndef MEMVIZ_GDB_PRIVATE_H
#define MEMVIZ_GDB_PRIVATE_H

#include <memviz/base.h>
#include <memviz/link.h>

/* ---- rsp.c: the protocol. Blocking, each wait bounded by the timeout ---- */

struct rsp {
	int fd;
	double timeout_s;
	const char *target; /* for messages */
	bool no_ack;
	bool physical; /* PhyMemMode is on */
	size_t packet_bytes;
	struct mv_buf in;
	struct mv_buf xml; /* the target description, once it was asked for */
};

enum mv_status rsp_open(struct rsp *r, const struct mv_target *t, double timeout_s,
			struct mv_error *e);
/* Leaves physical mode, detaches (which resumes the guest) and closes. */
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
/* `count` pages of 4 KiB at these physical addresses, pipelined. A page that
 * cannot be read is all zero. */
enum mv_status rsp_pages(struct rsp *r, const uint64_t *addresses, size_t count,
			 uint64_t (*pages)[512], struct mv_error *e);

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
struct walk {
	uint64_t cr0, cr3, cr4, efer;
	unsigned levels;	   /* 4 or 5 */
	struct table_page *tables; /* by pa */
	size_t table_count, table_capacity;
	struct leaf_run *runs; /* by va */
	size_t run_count, run_capacity;
};
/* Where the tables come from: a stub, or a test's memory. */
typedef enum mv_status (*read_pages_fn)(void *user, const uint64_t *addresses, size_t count,
					uint64_t (*pages)[512], struct mv_error *e);
/* Reads all tables below cr3, level by level, and lists the leaves as runs. */
enum mv_status walk_read(struct walk *w, read_pages_fn read, void *user, struct mv_error *e);
const struct table_page *walk_table(const struct walk *w, uint64_t pa);
void walk_free(struct walk *w);

#endif
