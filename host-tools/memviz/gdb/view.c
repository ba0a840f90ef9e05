/*
 * A session over a GDB stub: the page tables of any x86_64 guest, from control
 * registers and physical memory, with no help of the guest's code; and of a Vitrine
 * kernel all that its root descriptor leads to. The guest is stopped only while it
 * is read.
 */
#include "private.h"

#include <inspect/protocol.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <memviz/format.h>
#include <memviz/model.h>
#include <memviz/session.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <memviz/session_gdb.h>

typedef struct json_object json;

struct gdb_view {
	struct walk walk;
	struct kernel kernel;
	struct kernel_object object; /* what was asked for at the last reading */
	struct kernel_check check;   /* likewise */
	uint64_t reads;		     /* stands for gen where there is no kernel's */
};

/* ---- reading ---- */

static enum mv_status read_control(struct rsp *r, struct walk *w, struct mv_error *e)
{
	const struct {
		const char *name;
		uint64_t *value;
	} registers[] = {
		{"cr0",	&w->cr0 },
		  {"cr3",  &w->cr3 },
		    {"cr4",  &w->cr4 },
		      {"efer", &w->efer}
	};
	enum mv_status st = MV_OK;
	for (size_t i = 0; i < 4 && st == MV_OK; i++)
		st = rsp_register(r, registers[i].name, registers[i].value, e);
	return st;
}

/* Paging in long mode, and nothing set that no CPU has. */
static bool plausible(const struct walk *w)
{
	return (w->cr0 & 0x80000001) == 0x80000001 && !(w->cr0 >> 32) &&
	       (w->efer & 0x500) == 0x500 && !(w->efer >> 32) && (w->cr4 & 0x20) && !(w->cr4 >> 32);
}

/* QEMU 7.2 describes registers that its numbers skip, so that a name leads to
 * another register there; its monitor says the values in words. */
static void read_monitor(struct rsp *r, struct walk *w)
{
	struct mv_buf text = {0};
	const struct {
		const char *name;
		uint64_t *value;
	} registers[] = {
		{"CR0=",	 &w->cr0 },
		   {"CR3=",  &w->cr3 },
		      {"CR4=",  &w->cr4 },
		 {"EFER=", &w->efer}
	    };
	struct walk said = *w;
	if (rsp_monitor(r, "info registers", &text, NULL) == MV_OK && text.data) {
		bool all = true;
		for (size_t i = 0; i < 4; i++) {
			const char *at = strstr(text.data, registers[i].name);
			all = all && at;
			if (at)
				*registers[i].value = strtoull(at + strlen(registers[i].name), NULL,
							       16);
		}
		if (!all)
			*w = said;
	}
	mv_buf_free(&text);
}

static enum mv_status read_through_stub(void *user, const uint64_t *addresses, size_t count,
					uint64_t (*pages)[512], bool *good, struct mv_error *e)
{
	return rsp_pages(user, addresses, count, pages, good, e);
}

static enum mv_status read_tables(struct rsp *r, struct walk *w, struct mv_error *e)
{
	enum mv_status st = read_control(r, w, e);
	if (!plausible(w))
		read_monitor(r, w);
	if (plausible(w))
		st = MV_OK;
	return st == MV_OK ? walk_read(w, read_through_stub, r, e) : st;
}

static enum mv_status read_kernel(struct rsp *r, struct gdb_view *v, const struct gdb_question *q,
				  struct mv_error *e)
{
	struct guest g = {.walk = &v->walk, .read = read_through_stub, .user = r};
	unsigned extras = (q->slabs ? KERNEL_SLABS : 0u) | (q->symbols ? KERNEL_SYMBOLS : 0u);
	bool good = kernel_read(&v->kernel, &g, &v->walk, extras);
	if (good && q->object)
		kernel_object_at(&v->kernel, &g, q->va, &v->object);
	if (good && q->check)
		kernel_check(&v->kernel, &g, &v->check);
	if (g.status != MV_OK && e)
		*e = g.error;
	guest_free(&g);
	return g.status;
}

static enum mv_status read_guest(const struct mv_target *t, double timeout_s, struct gdb_view *v,
				 const struct gdb_question *q, struct mv_error *e)
{
	struct rsp r;
	sigset_t suspend, before;
	sigemptyset(&suspend);
	sigaddset(&suspend, SIGTSTP); /* we would sleep, and the guest stand still */
	sigprocmask(SIG_BLOCK, &suspend, &before);
	enum mv_status st = rsp_open(&r, t, timeout_s, e);
	bool open = st == MV_OK;
	if (st == MV_OK)
		st = read_tables(&r, &v->walk, e);
	if (st == MV_OK)
		st = read_kernel(&r, v, q, e);
	if (open)
		rsp_close(&r);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return st;
}

/* ---- into the model ---- */

static bool is_vitrine(const struct gdb_view *v)
{
	return v->kernel.root.found && !v->kernel.root.why[0];
}

static void tell_hello(struct mv_model *m, const struct gdb_view *v, uint64_t now)
{
	json *o = json_object_new_object();
	mv_json_add_str(o, INSP_F_NAME, is_vitrine(v) ? "Vitrine" : "guest");
	mv_json_add_str(o, INSP_F_VERSION, "behind a GDB stub");
	json_object_object_add(o, INSP_F_PROTOCOL, json_object_new_int(INSP_PROTOCOL_VERSION));
	mv_json_add_str(o, INSP_F_BUILD_ID, v->kernel.root.build_id);
	mv_json_add_str(o, INSP_F_ACCESS, "read");
	mv_json_add_u64(o, INSP_F_CPUS, v->kernel.cpus);
	mv_json_add_u64(o, INSP_F_PAGE_SIZE, 4096);
	mv_json_add_u64(o, INSP_F_FRAME_SIZE, MV_FRAME_BYTES);
	mv_model_apply_result(m, INSP_M_HELLO, NULL, o, now, NULL);
	json_object_put(o);
}

/* Where no kernel tells of its spaces there is one, that of cr3. */
static void tell_only_space(struct mv_model *m, const struct gdb_view *v, uint64_t now)
{
	const struct walk *w = &v->walk;
	struct kernel_space s = {
		.shown = {.id = MV_SPACE_KERNEL,
			  .name = "cr3",
			  .root = w->cr3 & 0x000ffffffffff000ull,
			  .current = true,
			  .tables = w->table_count},
		.leaves = w->leaves
	   };
	for (size_t i = 0; i < w->leaves.count; i++)
		s.shown.mapped_bytes += w->leaves.runs[i].len;
	tell_spaces(m, &s, 1, v->reads, now);
}

static void tell(struct mv_model *m, const struct gdb_view *v)
{
	uint64_t now = mv_wall_us();
	/* What another kernel, or this one in better days, said is no more. */
	if (m->stat_known && !is_vitrine(v))
		mv_model_reset(m);
	tell_hello(m, v, now);
	if (is_vitrine(v))
		kernel_tell(&v->kernel, m, now);
	else
		tell_only_space(m, v, now);
}

static void forget(struct gdb_view *v)
{
	walk_free(&v->walk);
	kernel_free(&v->kernel);
}

enum mv_status gdb_view_read(struct gdb_view **view, const struct mv_target *t, double timeout_s,
			     struct mv_model *m, const struct gdb_question *q, struct mv_error *e)
{
	struct gdb_view fresh = {.reads = *view ? (*view)->reads + 1 : 1};
	enum mv_status st = read_guest(t, timeout_s, &fresh, q, e);
	if (st != MV_OK) {
		forget(&fresh);
		return st;
	}
	if (!*view)
		*view = mv_alloc(sizeof **view);
	forget(*view);
	**view = fresh;
	tell(m, *view);
	return MV_OK;
}

void gdb_view_free(struct gdb_view *v)
{
	if (!v)
		return;
	forget(v);
	free(v);
}

const char *gdb_view_why(const struct gdb_view *v)
{
	return v->kernel.root.why;
}

/* ---- answers that the model does not give ---- */

static json *slabs_answer(const struct gdb_view *v, json *params, struct mv_error *e)
{
	uint64_t size = 0;
	mv_json_u64(params, INSP_F_SIZE, &size);
	for (size_t i = 0; i < v->kernel.cache_count; i++)
		if (v->kernel.caches[i].size == size)
			return kernel_slabs_json(&v->kernel, size);
	mv_fail(e, MV_REFUSED, "no cache has objects of %" PRIu64 " bytes", size);
	return NULL;
}

static json *object_answer(const struct gdb_view *v, json *params, struct mv_error *e)
{
	(void)params;
	if (v->object.kind)
		return kernel_object_json(&v->kernel, &v->object);
	mv_fail(e, MV_REFUSED, "addr: \"0x...\" is missing");
	return NULL;
}

static json *check_answer(const struct gdb_view *v, json *params, struct mv_error *e)
{
	(void)params;
	(void)e;
	return kernel_check_json(&v->kernel, &v->check);
}

static json *sites_answer(const struct gdb_view *v, json *params, struct mv_error *e)
{
	(void)e;
	uint64_t limit = UINT64_MAX;
	mv_json_u64(params, INSP_F_LIMIT, &limit);
	return kernel_sites_json(&v->kernel, mv_json_str(params, INSP_F_SORT), limit);
}

static const struct {
	const char *method;
	json *(*answer)(const struct gdb_view *, json *params, struct mv_error *);
	struct gdb_question question; /* `object`: the address is a parameter */
} answers[] = {
	{INSP_M_SLABS,       slabs_answer,  {.slabs = true}				    },
	{INSP_M_OBJECT,	object_answer, {.slabs = true, .symbols = true, .object = true}},
	{INSP_M_CHECK,       check_answer,  {.slabs = true, .check = true}		   },
	{INSP_M_TRACE_SITES, sites_answer,  {.symbols = true}				    },
};

bool gdb_view_question(const char *method, json *params, struct gdb_question *q)
{
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		if (strcmp(answers[i].method, method) != 0)
			continue;
		*q = answers[i].question;
		q->object = q->object && mv_json_hex(params, INSP_F_ADDR, &q->va);
		return true;
	}
	return false;
}

json *gdb_view_answer_by(const struct gdb_view *v, const char *method, json *params,
			 struct mv_error *e)
{
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		if (strcmp(answers[i].method, method) != 0)
			continue;
		if (is_vitrine(v) && !(answers[i].question.slabs && v->kernel.slabs_why[0]))
			return answers[i].answer(v, params, e);
		mv_fail(e, MV_REFUSED, "%s: %s", method,
			is_vitrine(v) ? v->kernel.slabs_why : v->kernel.root.why);
	}
	return NULL;
}

/* ---- translate, entry by entry ---- */

static void add_level(json *levels, unsigned level, unsigned index, uint64_t at, uint64_t entry)
{
	json *o = json_object_new_object();
	mv_json_add_u64(o, INSP_F_LEVEL, level);
	mv_json_add_u64(o, INSP_F_INDEX, index);
	mv_json_add_hex(o, INSP_F_AT, at);
	mv_json_add_hex(o, INSP_F_ENTRY, entry);
	json_object_array_add(levels, o);
}

static uint64_t root_of(const struct gdb_view *v, json *space)
{
	for (size_t i = 0; space && i < v->kernel.space_count; i++)
		if (v->kernel.spaces[i].shown.id == json_object_get_int64(space))
			return v->kernel.spaces[i].shown.root;
	return v->walk.cr3;
}

json *gdb_view_levels(const struct gdb_view *v, json *space, uint64_t va)
{
	json *levels = json_object_new_array();
	uint64_t pa = root_of(v, space) & 0x000ffffffffff000ull;
	for (unsigned level = v->walk.levels; level >= 1; level--) {
		const struct table_page *t = walk_table(&v->walk, pa);
		unsigned index = (unsigned)(va >> (12 + 9 * (level - 1)) & 511);
		if (!t)
			break;
		uint64_t entry = t->entry[index];
		add_level(levels, level, index, pa + 8ull * index, entry);
		bool leaf = level == 1 || ((level == 2 || level == 3) && (entry & 128));
		if (!(entry & 1) || leaf)
			break;
		pa = entry & 0x000ffffffffff000ull;
	}
	return levels;
}
