/*
 * The methods that act. Each checks what its access level allows, asks the port, and keeps account
 * of what remote requests hold. Nothing is trusted: the port checks again what the allocator or
 * mapper would take amiss.
 */
#include "internal.h"

#include <string.h>

#define FRAME_BYTES 0x200000ull
#define USER_END    0x0000800000000000ull

static int fail_owner(struct insp_call *call, enum insp_owned kind, uint64_t which)
{
	static const char *const what[] = {"object 0x", "frame 0x", "space "};
	char number[24];
	size_t len = kind == INSP_OWNED_SPACE ? insp_decimal(number, which)
					      : insp_hex(number, which);

	return insp_fail(call, INSP_E_ACCESS,
			 "%s: %s%.*s was not allocated through this protocol, which access level "
			 "alloc requires",
			 call->method->name, what[kind], (int)len, number);
}

static int fail_full(struct insp_call *call)
{
	call->error = "ENOMEM";
	insp_format(
		call->reason, sizeof(call->reason),
		"remote requests hold %u things already, no more than %u can be kept account of",
		call->insp->owned_count, call->insp->owned_limit);
	return insp_fail(call, INSP_E_REFUSED, "%s: %s", call->method->name, call->reason);
}

static void put_u64(struct insp_call *call, const char *name, uint64_t value)
{
	insp_w_key(call->w, name);
	insp_w_u64(call->w, value);
}

static void put_hex(struct insp_call *call, const char *name, uint64_t value)
{
	insp_w_key(call->w, name);
	if (value == INSP_NONE)
		insp_w_null(call->w);
	else
		insp_w_hex(call->w, value);
}

/* The rest of a result that acted: gen. */
static int done(struct insp_call *call)
{
	struct insp_gens gens;

	insp_port_gens(&gens);
	call->gen = gens.all;
	insp_put_fields(call, call->method->result, call);
	return 0;
}

/* ---- objects ---- */

int insp_do_kmalloc(struct insp_call *call)
{
	struct insp_act act = {
		.op = INSP_OP_KMALLOC, .bytes = call->arg[0].u, .zero = call->arg[1].u};

	if (!insp_owned_room(call->insp, 1))
		return fail_full(call);
	enum insp_status status = insp_port_act(&act);
	if (status != INSP_OK)
		return insp_fail_act(call, status, &act);
	insp_owned_add(call->insp, INSP_OWNED_OBJECT, act.addr);
	put_hex(call, INSP_F_ADDR, act.addr);
	put_u64(call, INSP_F_SIZE, act.bytes);
	return done(call);
}

/* When the last of what remote requests held is freed, the kernel keeps nothing idle on their
 * account: mm.stat is where it was before the first. */
static void give_back(struct insp *insp)
{
	struct insp_act act = {.op = INSP_OP_TRIM};

	if (!insp->owned_count)
		(void)insp_port_act(&act);
}

int insp_do_kfree(struct insp_call *call)
{
	struct insp_act act = {.op = INSP_OP_KFREE, .addr = call->arg[0].u};

	if (call->access < INSP_ACCESS_FULL &&
	    !insp_owned_has(call->insp, INSP_OWNED_OBJECT, act.addr))
		return fail_owner(call, INSP_OWNED_OBJECT, act.addr);
	enum insp_status status = insp_port_act(&act);
	if (status != INSP_OK)
		return insp_fail_act(call, status, &act);
	insp_owned_remove(call->insp, INSP_OWNED_OBJECT, call->arg[0].u);
	give_back(call->insp);
	put_u64(call, INSP_F_SIZE, act.bytes);
	return done(call);
}

/* ---- frames ---- */

int insp_do_alloc_pages(struct insp_call *call)
{
	struct insp_act act = {
		.op = INSP_OP_ALLOC_PAGES,
		.zone = call->insp->zone[call->arg[0].u].index,
		.num = (uint32_t)call->arg[1].u,
		.flags = (uint32_t)call->arg[2].u,
		.dry_run = call->arg[3].u,
		.addr = INSP_NONE,
	};

	if (!insp_owned_room(call->insp, act.num))
		return fail_full(call);
	enum insp_status status = insp_port_act(&act);
	if (status != INSP_OK)
		return insp_fail_act(call, status, &act);
	for (uint32_t i = 0; i < act.num && !act.dry_run; i++)
		insp_owned_add(call->insp, INSP_OWNED_FRAME, act.pa + i * FRAME_BYTES);
	put_hex(call, INSP_F_PA, act.pa);
	put_hex(call, INSP_F_VA, act.addr);
	put_u64(call, INSP_F_NUM, act.num);
	return done(call);
}

int insp_do_free_pages(struct insp_call *call)
{
	struct insp_act act = {
		.op = INSP_OP_FREE_PAGES, .pa = call->arg[0].u, .num = (uint32_t)call->arg[1].u};

	if (act.pa % FRAME_BYTES)
		return insp_fail(
			call, INSP_E_PARAMS,
			"parameter pa is wrong: it takes the address of a frame, a multiple of "
			"0x200000");
	if (act.pa + act.num * FRAME_BYTES < act.pa)
		return insp_fail(call, INSP_E_PARAMS,
				 "parameter num is wrong: the run passes the last address");
	for (uint32_t i = 0; i < act.num && call->access < INSP_ACCESS_FULL; i++)
		if (!insp_owned_has(call->insp, INSP_OWNED_FRAME, act.pa + i * FRAME_BYTES))
			return fail_owner(call, INSP_OWNED_FRAME, act.pa + i * FRAME_BYTES);
	enum insp_status status = insp_port_act(&act);
	if (status != INSP_OK)
		return insp_fail_act(call, status, &act);
	for (uint32_t i = 0; i < call->arg[1].u; i++)
		insp_owned_remove(call->insp, INSP_OWNED_FRAME, call->arg[0].u + i * FRAME_BYTES);
	give_back(call->insp);
	put_u64(call, INSP_F_NUM, call->arg[1].u);
	return done(call);
}

/* ---- mappings ---- */

/* Where level `alloc` may map: the remote window, and the user half of spaces of its own. */
static int check_place(struct insp_call *call, uint32_t space, uint64_t va, uint64_t len, bool user)
{
	const struct insp_info *info = &call->insp->info;
	uint64_t in_window = va - info->window_va;

	if (call->access >= INSP_ACCESS_FULL || !len)
		return 0;
	if (in_window < info->window_len && len <= info->window_len - in_window) {
		if (!user)
			return 0;
		return insp_fail(
			call, INSP_E_ACCESS,
			"%s: the remote window is the kernel's, access level alloc maps nothing "
			"for users there",
			call->method->name);
	}
	if (space != INSP_SPACE_CURRENT && insp_owned_has(call->insp, INSP_OWNED_SPACE, space) &&
	    va < USER_END && len <= USER_END - va)
		return 0;
	return insp_fail(
		call, INSP_E_ACCESS,
		"%s: access level alloc maps only in the remote window (0x%lx, %lu bytes) and in "
		"the user half of spaces made through this protocol",
		call->method->name, info->window_va, info->window_len);
}

int insp_do_map(struct insp_call *call)
{
	const struct insp_arg *a = call->arg;
	struct insp_act act = {
		.op = INSP_OP_MAP,
		.addr = a[0].u,
		.pa = a[1].u,
		.bytes = a[2].u,
		.flags = (uint32_t)a[3].u,
		.use4k = a[4].u,
		.space = a[5].given ? (uint32_t)a[5].u : INSP_SPACE_CURRENT,
		.user = a[6].u || a[3].u & INSP_MAP_U,
		.flush = !a[7].given || a[7].u,
		.dry_run = a[8].u,
	};

	int code = check_place(call, act.space, act.addr, act.bytes, act.user);
	if (code)
		return code;
	enum insp_status status = insp_port_act(&act);
	if (status != INSP_OK)
		return insp_fail_act(call, status, &act);
	put_u64(call, INSP_F_ENTRIES, act.entries);
	put_u64(call, INSP_F_TABLES, act.tables);
	return done(call);
}

int insp_do_unmap(struct insp_call *call)
{
	const struct insp_arg *a = call->arg;
	struct insp_act act = {
		.op = INSP_OP_UNMAP,
		.addr = a[0].u,
		.bytes = a[1].u,
		.space = a[2].given ? (uint32_t)a[2].u : INSP_SPACE_CURRENT,
		.dry_run = a[3].u,
	};

	int code = check_place(call, act.space, act.addr, act.bytes, false);
	if (code)
		return code;
	enum insp_status status = insp_port_act(&act);
	if (status != INSP_OK)
		return insp_fail_act(call, status, &act);
	put_u64(call, INSP_F_ENTRIES, act.entries);
	put_u64(call, INSP_F_TABLES, act.tables);
	put_u64(call, INSP_F_SPLIT, act.split);
	return done(call);
}

int insp_do_space_create(struct insp_call *call)
{
	struct insp_act act = {.op = INSP_OP_SPACE_CREATE};

	insp_arg_text(call, 0, act.name, sizeof(act.name));
	if (!insp_owned_room(call->insp, 1))
		return fail_full(call);
	enum insp_status status = insp_port_act(&act);
	if (status != INSP_OK)
		return insp_fail_act(call, status, &act);
	insp_owned_add(call->insp, INSP_OWNED_SPACE, act.space);
	put_u64(call, INSP_F_ID, act.space);
	put_hex(call, INSP_F_ROOT, act.pa);
	return done(call);
}

int insp_do_space_destroy(struct insp_call *call)
{
	struct insp_act act = {.op = INSP_OP_SPACE_DESTROY, .space = (uint32_t)call->arg[0].u};

	if (call->access < INSP_ACCESS_FULL &&
	    !insp_owned_has(call->insp, INSP_OWNED_SPACE, act.space))
		return fail_owner(call, INSP_OWNED_SPACE, act.space);
	enum insp_status status = insp_port_act(&act);
	if (status != INSP_OK)
		return insp_fail_act(call, status, &act);
	insp_owned_remove(call->insp, INSP_OWNED_SPACE, call->arg[0].u);
	give_back(call->insp);
	put_u64(call, INSP_F_TABLES, act.tables);
	return done(call);
}

/* ---- mm.check ---- */

int insp_do_check(struct insp_call *call)
{
	static const struct insp_field text[] = {
		INSP_FIELD("", PLAIN, .offset = offsetof(struct insp_text, text))};
	static const struct insp_list faults = {
		.kind = INSP_KIND_FAULTS,
		.name = INSP_F_FAULTS,
		.item = text,
		.what = "mm.check",
		.limit = -1,
		.cursor = -1,
	};
	struct insp_act act = {.op = INSP_OP_CHECK};
	enum insp_status status = insp_port_act(&act);

	if (status != INSP_OK)
		return insp_fail_act(call, status, &act);
	insp_w_key(call->w, INSP_F_OK);
	insp_w_bool(call->w, act.ok);
	insp_w_key(call->w, INSP_F_CHECKED);
	insp_w_open(call->w, '{');
	put_u64(call, INSP_F_FRAMES, act.frames);
	put_u64(call, INSP_F_OBJECTS, act.objects);
	put_u64(call, INSP_F_TABLES, act.tables);
	insp_w_close(call->w, '}');
	int code = insp_put_list(call, &faults);
	return code ? code : done(call);
}

/* ---- tracing, workloads, faults ---- */

int insp_do_trace_start(struct insp_call *call)
{
	struct insp_act act = {.op = INSP_OP_TRACE, .on = true};
	uint32_t all = (1u << INSP_EV_OPS) - 1;
	enum insp_status status = insp_port_act(&act);

	if (status != INSP_OK)
		return insp_fail_act(call, status, &act);
	call->insp->tracing = true;
	call->insp->traced = call->arg[0].given ? (uint32_t)call->arg[0].u : all;
	insp_listen_update(call->insp);
	insp_w_key(call->w, INSP_F_EVENTS);
	insp_w_open(call->w, '[');
	for (uint32_t i = 0; i < INSP_EV_OPS; i++)
		if (call->insp->traced >> i & 1)
			insp_w_str(call->w, insp_event_names[i]);
	insp_w_close(call->w, ']');
	return 0;
}

int insp_do_trace_stop(struct insp_call *call)
{
	struct insp_act act = {.op = INSP_OP_TRACE, .on = false};
	enum insp_status status = insp_port_act(&act);

	if (status != INSP_OK)
		return insp_fail_act(call, status, &act);
	call->insp->tracing = false;
	call->insp->traced = 0;
	insp_listen_update(call->insp);
	return 0;
}

static void take_settings(const struct insp_call *call, struct insp_act *act)
{
	const struct insp_json *j = call->json;
	const struct insp_token *t = call->arg[1].token;

	for (uint32_t i = insp_json_index(j, t) + 1; i < t->after; i = j->token[i + 1].after) {
		char *name = act->setting[act->settings].name;
		name[insp_json_string(j, &j->token[i], name, INSP_NAME_MAX - 1)] = 0;
		insp_json_u64(j, &j->token[i + 1], &act->setting[act->settings].value);
		act->settings++;
	}
}

int insp_do_workload(struct insp_call *call)
{
	struct insp_act act = {.op = *(const enum insp_op *)call->method->detail};

	insp_arg_text(call, 0, act.name, sizeof(act.name));
	if (call->arg[1].given)
		take_settings(call, &act);
	enum insp_status status = insp_port_act(&act);
	return status == INSP_OK ? 0 : insp_fail_act(call, status, &act);
}

int insp_do_fault(struct insp_call *call)
{
	struct insp_act act = {
		.op = INSP_OP_FAULT_INJECT,
		.fault = (uint32_t)call->arg[0].u,
		.after = call->arg[1].u,
		.count = call->arg[2].given ? call->arg[2].u : 1,
	};
	enum insp_status status = insp_port_act(&act);

	return status == INSP_OK ? 0 : insp_fail_act(call, status, &act);
}

/* The answer goes out first; insp_poll() does it when the line has it. */
int insp_do_later(struct insp_call *call)
{
	if (call->insp->deferred_set)
		return insp_fail(call, INSP_E_BUSY, "%s: another such request is under way",
				 call->method->name);
	call->insp->deferred = *(const enum insp_op *)call->method->detail;
	call->insp->deferred_set = true;
	call->insp->deferred_link = call->link;
	return 0;
}
