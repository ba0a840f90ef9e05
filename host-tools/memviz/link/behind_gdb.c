/* A session behind a GDB stub: a picture of one moment, taken anew on demand. */
#include "private.h"

#include <inspect/protocol.h>
#include <json-c/json.h>
#include <memviz/session_gdb.h>
#include <string.h>

/* A younger picture answers without stopping the guest again. */
#define FRESH_US 1000000u

static enum mv_status read_again(struct mv_session *s, const struct gdb_question *q,
				 struct mv_error *e)
{
	enum mv_status st = gdb_view_read(&s->gdb, &s->target, s->o.timeout_s, s->model, q, e);
	if (st == MV_OK) {
		session_say(s, "%s", gdb_view_why(s->gdb));
		s->last_rx_us = mv_now_us();
	}
	return st;
}

bool gdb_view_open(struct mv_session *s, struct mv_error *e)
{
	s->state = MV_SESSION_GDB;
	/* A command's one question brings all that it needs in one reading. */
	if (s->o.once && s->o.no_hello_state)
		return true;
	return gdb_view_refresh(s, e) == MV_OK;
}

void gdb_view_close(struct mv_session *s)
{
	gdb_view_free(s->gdb);
	s->gdb = NULL;
}

enum mv_status gdb_view_refresh(struct mv_session *s, struct mv_error *e)
{
	return read_again(s, &(struct gdb_question){0}, e);
}

static struct json_object *from_model(struct mv_session *s, const char *method,
				      struct json_object *params, struct mv_error *e)
{
	uint64_t va;
	if (mv_now_us() > s->last_rx_us + FRESH_US && gdb_view_refresh(s, e) != MV_OK)
		return NULL;
	struct json_object *o = mv_model_answer(s->model, method, params, e);
	if (!o && e->status == MV_REFUSED) {
		const char *why = gdb_view_why(s->gdb);
		mv_fail(e, MV_REFUSED, "%s: not to be seen behind a GDB stub%s%s", method,
			why[0] ? ": " : "", why);
	}
	if (o && strcmp(method, INSP_M_TRANSLATE) == 0 && mv_json_hex(params, INSP_F_VA, &va))
		json_object_object_add(
			o, INSP_F_LEVELS,
			gdb_view_levels(s->gdb, mv_json_get(params, INSP_F_SPACE), va));
	return o;
}

struct json_object *gdb_view_answer(struct mv_session *s, const char *method,
				    struct json_object *params, struct mv_error *e)
{
	struct gdb_question q;
	if (!gdb_view_question(method, params, &q))
		return from_model(s, method, params, e);
	if (read_again(s, &q, e) != MV_OK)
		return NULL;
	return gdb_view_answer_by(s->gdb, method, params, e);
}
