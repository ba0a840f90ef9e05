/*
 * A session over a GDB stub: the page tables of any x86_64 guest, from control
 * registers and physical memory, with no help of the guest's code. One space,
 * that of cr3; the guest is stopped only while its tables are read.
 */
#include "private.h"

#include <inspect/protocol.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <memviz/format.h>
#include <memviz/model.h>
#include <memviz/session.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <memviz/session_gdb.h>

typedef struct json_object json;

struct gdb_view {
	struct walk walk;
	uint64_t reads; /* stands for gen */
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
					uint64_t (*pages)[512], struct mv_error *e)
{
	return rsp_pages(user, addresses, count, pages, e);
}

static enum mv_status read_guest(const struct mv_target *t, double timeout_s, struct walk *w,
				 struct mv_error *e)
{
	struct rsp r;
	enum mv_status st = rsp_open(&r, t, timeout_s, e);
	if (st != MV_OK)
		return st;
	st = read_control(&r, w, e);
	if (!plausible(w))
		read_monitor(&r, w);
	if (plausible(w))
		st = MV_OK;
	if (st == MV_OK)
		st = walk_read(w, read_through_stub, &r, e);
	rsp_close(&r);
	return st;
}

/* ---- into the model ---- */

static void tell_hello(struct mv_model *m, uint64_t now)
{
	json *o = json_object_new_object();
	mv_json_add_str(o, INSP_F_NAME, "guest");
	mv_json_add_str(o, INSP_F_VERSION, "behind a GDB stub");
	json_object_object_add(o, INSP_F_PROTOCOL, json_object_new_int(INSP_PROTOCOL_VERSION));
	mv_json_add_str(o, INSP_F_ACCESS, "read");
	mv_json_add_u64(o, INSP_F_PAGE_SIZE, 4096);
	mv_json_add_u64(o, INSP_F_FRAME_SIZE, MV_FRAME_BYTES);
	mv_model_apply_result(m, INSP_M_HELLO, NULL, o, now, NULL);
	json_object_put(o);
}

static void tell_space(struct mv_model *m, const struct walk *w, uint64_t now)
{
	json *o = json_object_new_object(), *list = json_object_new_array();
	json *space = json_object_new_object();
	uint64_t bytes = 0;
	for (size_t i = 0; i < w->run_count; i++)
		bytes += w->runs[i].len;
	json_object_object_add(space, INSP_F_ID, json_object_new_int(MV_SPACE_KERNEL));
	mv_json_add_str(space, INSP_F_NAME, "cr3");
	mv_json_add_hex(space, INSP_F_ROOT, w->cr3 & 0x000ffffffffff000ull);
	json_object_object_add(space, INSP_F_CURRENT, json_object_new_boolean(true));
	mv_json_add_u64(space, INSP_F_TABLES, w->table_count);
	mv_json_add_u64(space, INSP_F_MAPPED_BYTES, bytes);
	json_object_array_add(list, space);
	json_object_object_add(o, INSP_F_SPACES, list);
	mv_model_apply_result(m, INSP_M_SPACES, NULL, o, now, NULL);
	json_object_put(o);
}

static json *run_json(const struct leaf_run *r)
{
	char flags[9];
	json *o = json_object_new_object();
	json_object_object_add(o, INSP_F_SPACE, json_object_new_int(MV_SPACE_KERNEL));
	mv_json_add_hex(o, INSP_F_VA, r->va);
	mv_json_add_hex(o, INSP_F_PA, r->pa);
	mv_json_add_u64(o, INSP_F_LEN, r->len);
	mv_json_add_u64(o, INSP_F_PAGE, r->page);
	mv_map_flags_text(r->flags, false, flags);
	mv_json_add_str(o, INSP_F_FLAGS, flags);
	return o;
}

static enum mv_status tell_mappings(struct mv_model *m, const struct walk *w, uint64_t gen,
				    uint64_t now, struct mv_error *e)
{
	json *params = json_object_new_object(), *data = json_object_new_object();
	json *added = json_object_new_array();
	for (size_t i = 0; i < w->run_count; i++)
		json_object_array_add(added, run_json(&w->runs[i]));
	json_object_object_add(data, INSP_F_ADDED, added);
	mv_json_add_str(params, INSP_F_TOPIC, "mappings");
	json_object_object_add(params, INSP_F_FULL, json_object_new_boolean(true));
	mv_json_add_u64(params, INSP_F_GEN, gen);
	json_object_object_add(params, INSP_F_DATA, data);
	enum mv_applied r = mv_model_apply_watch(m, params, now, e);
	json_object_put(params);
	return r == MV_APPLIED ? MV_OK : MV_LINK;
}

enum mv_status gdb_view_read(struct gdb_view **view, const struct mv_target *t, double timeout_s,
			     struct mv_model *m, struct mv_error *e)
{
	struct walk fresh = {0};
	enum mv_status st = read_guest(t, timeout_s, &fresh, e);
	if (st != MV_OK) {
		walk_free(&fresh);
		return st;
	}
	if (!*view)
		*view = mv_alloc(sizeof **view);
	struct gdb_view *v = *view;
	walk_free(&v->walk);
	v->walk = fresh;
	uint64_t now = mv_wall_us();
	tell_hello(m, now);
	tell_space(m, &v->walk, now);
	return tell_mappings(m, &v->walk, ++v->reads, now, e);
}

void gdb_view_free(struct gdb_view *v)
{
	if (!v)
		return;
	walk_free(&v->walk);
	free(v);
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

json *gdb_view_levels(const struct gdb_view *v, uint64_t va)
{
	json *levels = json_object_new_array();
	uint64_t pa = v->walk.cr3 & 0x000ffffffffff000ull;
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
