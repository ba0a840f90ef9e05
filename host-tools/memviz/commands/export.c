/* export: a moment of a kernel or of a recording as a file. */
#include <errno.h>
#include <memviz/base.h>
#include <memviz/command.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* So long a live kernel is watched, so that there is a history to draw. */
#define LOOK_S 1.0

static void make_metrics(struct cmd *c, const struct mv_model *m, struct mv_buf *out)
{
	struct mv_session_status st;
	mv_session_status(c->s, &st);
	export_openmetrics(m, st.target, true, METRICS_BOTH, out);
}

static void make_svg(struct cmd *c, const struct mv_model *m, struct mv_buf *out)
{
	(void)c;
	export_svg(m, out);
}

static void make_html(struct cmd *c, const struct mv_model *m, struct mv_buf *out)
{
	(void)c;
	export_html(m, out);
}

static const struct {
	const char *name;
	void (*make)(struct cmd *, const struct mv_model *, struct mv_buf *);
	bool history;
} formats[] = {
	{"svg",		make_svg,	  true },
	 {"html",	  make_html,    true },
	    {"openmetrics", make_metrics, false}
};

static bool open_source(struct cmd *c, bool history, int *status)
{
	char target[300];
	struct mv_replay_status st;
	bool never = false;
	if (c->argc) {
		snprintf(target, sizeof target, "file:%s", c->argv[0]);
		c->target = target;
	}
	struct mv_session_options o = {0};
	if (!cmd_connect(c, &o, status))
		return false;
	if (mv_session_replay_status(c->s, &st)) {
		uint64_t t;
		const char *at = c->opt[OPT_AT] ? c->opt[OPT_AT] : "end";
		if (!cmd_parse_time(at, st.first_us, st.last_us, &t)) {
			*status = cmd_usage(c,
					    "--at takes +10s, -10s, start, end or a time of day, "
					    "not \"%s\"",
					    at);
			return false;
		}
		mv_session_replay_seek(c->s, t);
		return true;
	}
	if (c->opt[OPT_AT]) {
		*status = cmd_usage(c, "--at is for recordings; this is a running kernel");
		return false;
	}
	if (!cmd_live(c, MV_TOPIC_ALL, 10, status))
		return false;
	mv_session_wait(c->s, &never, history ? LOOK_S : 0.05);
	return true;
}

static int write_out(struct cmd *c, const struct mv_buf *b)
{
	const char *path = c->opt[OPT_OUTPUT];
	FILE *f = path && strcmp(path, "-") != 0 ? fopen(path, "we") : stdout;
	bool good = f && fwrite(b->data, 1, b->len, f) == b->len && fflush(f) == 0;
	if (!good)
		mv_fail(&c->error, MV_USAGE, "%s: %s", path ? path : "stdout", strerror(errno));
	if (f && f != stdout && fclose(f) != 0 && good) {
		mv_fail(&c->error, MV_USAGE, "%s: %s", path, strerror(errno));
		good = false;
	}
	return good ? MV_OK : cmd_fail(&c->error);
}

int command_export(struct cmd *c)
{
	const char *format = c->opt[OPT_FORMAT];
	int status = MV_OK;
	size_t i = 0;
	if (!format)
		return cmd_usage(c, "--format svg, html or openmetrics is needed");
	while (i < 3 && strcmp(format, formats[i].name) != 0)
		i++;
	if (i == 3)
		return cmd_usage(c, "there is no format \"%s\"; there are svg, html, openmetrics",
				 format);
	if (!open_source(c, formats[i].history, &status))
		return status;
	struct mv_buf b = {0};
	formats[i].make(c, mv_session_model(c->s), &b);
	status = write_out(c, &b);
	mv_buf_free(&b);
	return status == MV_OK ? cmd_told_damage(c) : status;
}
