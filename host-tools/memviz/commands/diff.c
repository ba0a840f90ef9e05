/* diff: two moments, of one recording or of two. */
#include <json-c/json.h>
#include <memviz/base.h>
#include <memviz/command.h>
#include <memviz/format.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* FILE or FILE@TIME; a file whose own name has an @ wins over a time. */
static bool open_moment(struct cmd *c, const char *text, struct mv_model **out, int *status)
{
	char target[300];
	const char *at = strrchr(text, '@');
	if (at && access(text, F_OK) == 0)
		at = NULL;
	snprintf(target, sizeof target, "file:%.*s", at ? (int)(at - text) : (int)strlen(text),
		 text);
	struct mv_session *s = mv_session_open(target, NULL, &c->error);
	if (!s) {
		*status = cmd_fail(&c->error);
		return false;
	}
	struct mv_replay_status st;
	uint64_t t;
	mv_session_replay_status(s, &st);
	if (!cmd_parse_time(at ? at + 1 : "end", st.first_us, st.last_us, &t)) {
		*status = cmd_usage(c, "\"%s\" is no time; +10s, -10s, start, end or a time of day",
				    at + 1);
		mv_session_close(s);
		return false;
	}
	mv_session_replay_seek(s, t);
	mv_session_replay_status(s, &st);
	if (st.damaged) {
		mv_fail(&c->error, MV_DAMAGED, "%.100s: %s; it is read up to there", target + 5,
			st.damage);
		*status = cmd_fail(&c->error);
	}
	*out = mv_model_clone(mv_session_model(s));
	mv_session_close(s);
	return true;
}

struct printing {
	struct cmd *c;
	struct table *table;
	struct json_object *list;
};

static void to_table(void *user, const struct mv_difference *d)
{
	struct printing *p = user;
	table_cell(p->table, d->part);
	table_cell(p->table, d->what);
	table_cell(p->table, d->before[0] ? d->before : "-");
	table_cell(p->table, d->after[0] ? d->after : "-");
}

static void to_json(void *user, const struct mv_difference *d)
{
	struct printing *p = user;
	struct json_object *o = json_object_new_object();
	mv_json_add_str(o, "part", d->part);
	mv_json_add_str(o, "what", d->what);
	mv_json_add_str(o, "before", d->before);
	mv_json_add_str(o, "after", d->after);
	json_object_object_add(o, "delta", json_object_new_int64(d->delta));
	json_object_array_add(p->list, o);
}

int command_diff(struct cmd *c)
{
	struct mv_model *a = NULL, *b = NULL;
	int status = MV_OK;
	if (!open_moment(c, c->argv[0], &a, &status))
		return status;
	if (!open_moment(c, c->argv[1], &b, &status)) {
		mv_model_free(a);
		return status;
	}
	struct printing p = {.c = c};
	if (c->json) {
		struct json_object *o = json_object_new_object();
		p.list = json_object_new_array();
		json_object_object_add(o, "differences", p.list);
		mv_model_diff(a, b, to_json, &p);
		cmd_print_json(o);
		json_object_put(o);
	} else {
		p.table = table_new("<part|<what|>before|>after");
		if (!mv_model_diff(a, b, to_table, &p))
			puts("no difference");
		table_print(p.table, c, 0, stdout);
	}
	mv_model_free(a);
	mv_model_free(b);
	return status;
}
