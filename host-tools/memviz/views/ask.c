// SPDX-License-Identifier: MIT
#include "app.h"

#include <json-c/json.h>
#include <stdio.h>

static void answered(void *user, struct json_object *result, const struct mv_error *error)
{
	struct mv_ask *a = user;

	a->request = 0;
	a->answered_us = a->app->now_us;
	a->app->dirty = true;
	if (result) {
		json_object_put(a->result);
		a->result = json_object_get(result);
		a->state = ASK_DONE;
		mv_app_view(a->app)->recorded_us = (uint64_t)mv_get_int(result, "recorded_us", 0);
	} else {
		a->error = *error;
		a->state = ASK_FAILED;
	}
	if (a->done)
		a->done(a->ctx, a);
}

static void drop_request(struct mv_ask *a)
{
	if (a->request && a->app && a->app->session)
		mv_session_cancel(a->app->session, a->request);
	a->request = 0;
}

void mv_ask_send(struct mv_ask *a, struct mv_app *app, const char *method,
		 struct json_object *params, bool all_pages)
{
	drop_request(a);
	a->app = app;
	a->asked_us = app->now_us;
	if (!app->session) {
		json_object_put(params);
		a->state = ASK_FAILED;
		snprintf(a->error.message, sizeof(a->error.message), "there is no session to ask");
		return;
	}
	a->state = ASK_WAITING;
	a->request = all_pages ? mv_session_call_all(app->session, method, params, a->limit,
						     answered, a)
			       : mv_session_call(app->session, method, params, answered, a);
}

void mv_ask_clear(struct mv_ask *a)
{
	drop_request(a);
	json_object_put(a->result);
	a->result = NULL;
	a->state = ASK_IDLE;
}

bool mv_ask_cut(const struct mv_ask *a)
{
	struct json_object *cut = NULL;

	return a->result && json_object_object_get_ex(a->result, "cut", &cut) &&
	       json_object_get_boolean(cut);
}

const char *mv_ask_text(const struct mv_ask *a)
{
	switch (a->state) {
	case ASK_WAITING:
		return "asking the kernel";
	case ASK_FAILED:
		return a->error.message;
	default:
		return "";
	}
}
