/* A session behind a GDB stub: a picture of one moment, taken anew on demand. */
#include "private.h"

#include <inspect/protocol.h>
#include <json-c/json.h>
#include <memviz/session_gdb.h>
#include <string.h>

/* A younger picture answers without stopping the guest again. */
#define FRESH_US 1000000u

bool gdb_view_open(struct mv_session *s, struct mv_error *e)
{
	s->state = MV_SESSION_GDB;
	return gdb_view_refresh(s, e) == MV_OK;
}

void gdb_view_close(struct mv_session *s)
{
	gdb_view_free(s->gdb);
	s->gdb = NULL;
}

enum mv_status gdb_view_refresh(struct mv_session *s, struct mv_error *e)
{
	enum mv_status st = gdb_view_read(&s->gdb, &s->target, s->o.timeout_s, s->model, e);
	if (st == MV_OK) {
		s->message[0] = 0;
		s->last_rx_us = mv_now_us();
	}
	return st;
}

struct json_object *gdb_view_answer(struct mv_session *s, const char *method,
				    struct json_object *params, struct mv_error *e)
{
	uint64_t va;
	if (mv_now_us() > s->last_rx_us + FRESH_US && gdb_view_refresh(s, e) != MV_OK)
		return NULL;
	struct json_object *o = mv_model_answer(s->model, method, params, e);
	if (!o && e->status == MV_REFUSED)
		mv_fail(e, MV_REFUSED, "%s: not to be seen behind a GDB stub", method);
	if (o && strcmp(method, INSP_M_TRANSLATE) == 0 && mv_json_hex(params, INSP_F_VA, &va))
		json_object_object_add(o, INSP_F_LEVELS, gdb_view_levels(s->gdb, va));
	return o;
}
