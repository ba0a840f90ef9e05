/*
 * Answers of several pages as one. Pages of one state are what is wanted: when
 * their gen differ, all is asked again, three times at most, and then the answer
 * says "moved":true.
 */
#include "private.h"

#include <inspect/protocol.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#define TRIES 3

struct pager {
	struct pager *next;
	struct mv_session *s;
	uint64_t handle; /* of the first page's request; it stands for all pages */
	char *method;
	struct json_object *params;
	struct json_object *whole; /* the first page, growing */
	const char *key;
	size_t limit;
	uint64_t gen;
	bool moved;
	bool cancelled;
	unsigned tries;
	mv_reply_fn fn;
	void *user;
};

static const struct {
	const char *method, *key;
} paged[] = {
	{INSP_M_FRAMES,	INSP_F_RUNS   },
	    {INSP_M_MAPPINGS,    INSP_F_RUNS	 },
	{INSP_M_RMAP,	      INSP_F_RUNS	 },
	    {INSP_M_SLABS,	   INSP_F_SLABS  },
	{INSP_M_TRACE_SITES, INSP_F_SITES	 },
	    {INSP_M_TRACE_LEAKS, INSP_F_OBJECTS},
	{INSP_M_LOG,	     INSP_F_LINES	 },
};

static void page_came(void *user, struct json_object *result, const struct mv_error *error);

static void ask(struct pager *p, struct json_object *cursor)
{
	struct json_object *params = NULL;
	if (p->params)
		json_object_deep_copy(p->params, &params, NULL);
	if (!params)
		params = json_object_new_object();
	if (cursor)
		json_object_object_add(params, INSP_F_CURSOR, json_object_get(cursor));
	mv_session_call(p->s, p->method, params, page_came, p);
}

static void drop(struct pager *p)
{
	struct pager **at = &p->s->pagers;
	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	json_object_put(p->whole);
	json_object_put(p->params);
	free(p->method);
	free(p);
}

static void finish(struct pager *p, const struct mv_error *error)
{
	if (!error && p->whole) {
		if (p->moved)
			json_object_object_add(p->whole, "moved", json_object_new_boolean(true));
		if (mv_json_get(p->whole, INSP_F_NEXT))
			json_object_object_add(p->whole, INSP_F_NEXT, NULL);
		/* A replay's answers come from the model: they are nothing new to it. */
		if (!p->limit && !p->s->o.quiet_model && session_live_link(p->s))
			mv_model_apply_result(p->s->model, p->method, p->params, p->whole,
					      mv_wall_us(), NULL);
	}
	if (p->fn)
		p->fn(p->user, error ? NULL : p->whole, error);
	drop(p);
}

static void join(struct pager *p, struct json_object *page)
{
	if (!p->whole) {
		p->whole = json_object_get(page);
		mv_json_u64(page, INSP_F_GEN, &p->gen);
		return;
	}
	struct json_object *all = mv_json_array(p->whole, p->key);
	struct json_object *list = mv_json_array(page, p->key);
	for (size_t i = 0; all && list && i < json_object_array_length(list); i++)
		json_object_array_add(all, json_object_get(json_object_array_get_idx(list, i)));
	uint64_t gen = p->gen;
	mv_json_u64(page, INSP_F_GEN, &gen);
	p->moved = p->moved || gen != p->gen;
}

/* Whoever shows the list must be able to say that there is more. */
static void cut(struct pager *p, struct json_object *list, bool more)
{
	size_t n = list ? json_object_array_length(list) : 0;
	if (!p->limit || n < p->limit)
		return;
	if (n > p->limit)
		json_object_array_del_idx(list, p->limit, n - p->limit);
	if (more || n > p->limit)
		json_object_object_add(p->whole, "cut", json_object_new_boolean(true));
}

static void again(struct pager *p)
{
	p->tries++;
	json_object_put(p->whole);
	p->whole = NULL;
	p->moved = false;
	ask(p, NULL);
}

static void page_came(void *user, struct json_object *result, const struct mv_error *error)
{
	struct pager *p = user;
	if (p->cancelled) {
		drop(p);
		return;
	}
	if (error && error->code == INSP_E_BUSY && p->tries < TRIES) {
		again(p); /* the cursor grew stale under us */
		return;
	}
	if (error) {
		finish(p, error);
		return;
	}
	join(p, result);
	struct json_object *next = mv_json_get(result, INSP_F_NEXT);
	struct json_object *all = p->key ? mv_json_array(p->whole, p->key) : NULL;
	bool enough = p->limit && all && json_object_array_length(all) >= p->limit;
	if (next && p->key && !enough) {
		ask(p, next);
		return;
	}
	if (p->moved && p->tries < TRIES && strcmp(p->method, INSP_M_LOG) != 0) {
		again(p);
		return;
	}
	cut(p, all, next);
	finish(p, NULL);
}

uint64_t mv_session_call_all(struct mv_session *s, const char *method, struct json_object *params,
			     size_t limit, mv_reply_fn fn, void *user)
{
	struct pager *p = mv_alloc(sizeof *p);
	*p = (struct pager){.next = s->pagers,
			    .s = s,
			    .method = mv_strdup(method),
			    .params = params,
			    .limit = limit,
			    .fn = fn,
			    .user = user};
	for (size_t i = 0; i < sizeof paged / sizeof *paged; i++)
		if (strcmp(method, paged[i].method) == 0)
			p->key = paged[i].key;
	struct json_object *first = NULL;
	if (params)
		json_object_deep_copy(params, &first, NULL);
	s->pagers = p;
	p->handle = mv_session_call(s, method, first, page_came, p);
	return p->handle;
}

bool pages_cancel(struct mv_session *s, uint64_t handle)
{
	for (struct pager *p = s->pagers; p; p = p->next)
		if (p->handle == handle) {
			/* The page on its way ends it: the callback's user may be gone. */
			p->cancelled = true;
			return true;
		}
	return false;
}
