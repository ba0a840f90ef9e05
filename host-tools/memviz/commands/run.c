/* run and replay: the live interface, or the text summary without a terminal. */
#include <json-c/json.h>
#include <memviz/base.h>
#include <memviz/command.h>
#include <memviz/format.h>
#include <memviz/hub.h>
#include <memviz/tui.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* So long the summary watches, so that rates and events have something to show. */
#define LOOK_S 0.7

static bool on_terminal(void)
{
	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

static unsigned first_screen(const char *name)
{
	static const char *const names[] = {"overview", "map", "slabs", "tables", "sites", "log"};
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(names[i], name) == 0)
			return i + 1;
	return 1;
}

static void tui_options(const struct cmd *c, struct mv_tui_options *o)
{
	static const enum mv_tui_theme themes[] = {MV_TUI_THEME_AUTO, MV_TUI_THEME_DARK,
						   MV_TUI_THEME_LIGHT, MV_TUI_THEME_AUTO};
	bool mono = c->opt[OPT_NO_COLOR] || c->config.color == MV_COLOR_NEVER ||
		    c->config.theme == MV_THEME_MONO;
	*o = (struct mv_tui_options){
		.colors = mono ? MV_TUI_COLORS_MONO : MV_TUI_COLORS_AUTO,
		.theme = themes[c->config.theme],
		.ascii = c->opt[OPT_ASCII] || c->config.ascii,
		.no_mouse = !c->config.mouse,
		.first_screen = first_screen(c->config.screen),
		.hilbert = c->config.order == MV_ORDER_HILBERT,
	};
}

/* The live interface. False: this terminal does not suit it. */
static bool show(struct cmd *c, const struct mv_session_options *so, const char *bare, int *status)
{
	struct mv_tui_options o;
	tui_options(c, &o);
	c->s = mv_session_open(c->target, so, &c->error);
	if (!c->s) {
		*status = cmd_fail(&c->error);
		return true;
	}
	uint64_t hz = c->config.hz;
	cmd_option_number(c, OPT_HZ, 1, 60, &hz);
	mv_session_watch(c->s, MV_TOPIC_ALL, (unsigned)hz);
	o.share = mv_hub_spawn;
	o.bare = c->opt[OPT_HUB] ? bare : NULL;
	switch (mv_tui_run(c->s, &o)) {
	case MV_TUI_UNSUITED:
		mv_session_close(c->s);
		c->s = NULL;
		return false;
	case MV_TUI_NO_MEMORY:
		*status = MV_LINK;
		return true;
	default:
		*status = MV_OK;
		return true;
	}
}

static int summarize(struct cmd *c)
{
	struct mv_session_options o = {0};
	int status = MV_OK;
	bool never = false;
	if (!cmd_connect(c, &o, &status) || !cmd_live(c, MV_TOPIC_ALL, 10, &status))
		return status;
	mv_session_wait(c->s, &never, LOOK_S);
	const struct mv_model *m = mv_session_model(c->s);
	if (c->json) {
		struct json_object *k = mv_model_keyframe(m);
		cmd_print_json(k);
		json_object_put(k);
	} else {
		struct mv_session_status link;
		summary_print(c, m, stdout);
		mv_session_status(c->s, &link);
		/* Behind a stub: why there is no more. */
		if (link.message[0])
			printf("\n%s\n", link.message);
	}
	return cmd_told_damage(c);
}

/* --hub: when the link is bare, a hub of our own is put on it first. */
static bool share(struct cmd *c, int *status)
{
	static char target[300];
	if (mv_hub_spawn(c->target, target, sizeof target, &c->error) != MV_OK) {
		*status = cmd_fail(&c->error);
		return false;
	}
	c->target = target;
	return true;
}

int command_run(struct cmd *c)
{
	int status = MV_OK;
	uint64_t hz;
	if (!cmd_option_number(c, OPT_HZ, 1, 60, &hz))
		return MV_USAGE;
	const char *bare = c->target;
	if (c->opt[OPT_HUB] && !share(c, &status))
		return status;
	struct mv_session_options so = {.timeout_s = c->timeout_s,
					.limits.samples = (size_t)(c->config.history_s * 10)};
	if (!c->json && on_terminal() && show(c, &so, bare, &status))
		return status;
	return summarize(c);
}

/* ---- replay ---- */

static bool seek_to_option(struct cmd *c, const char *otherwise)
{
	struct mv_replay_status st;
	uint64_t t;
	const char *at = c->opt[OPT_AT] ? c->opt[OPT_AT] : otherwise;
	mv_session_replay_status(c->s, &st);
	if (!cmd_parse_time(at, st.first_us, st.last_us, &t)) {
		cmd_usage(c, "--at takes +10s, -10s, start, end or a time of day, not \"%s\"", at);
		return false;
	}
	mv_session_replay_seek(c->s, t);
	return true;
}

int command_replay(struct cmd *c)
{
	char target[300];
	snprintf(target, sizeof target, "file:%s", c->argv[0]);
	struct mv_session_options o = {.limits.samples = (size_t)(c->config.history_s * 10)};
	c->s = mv_session_open(target, &o, &c->error);
	if (!c->s)
		return cmd_fail(&c->error);
	if (!seek_to_option(c, on_terminal() && !c->json ? "start" : "end"))
		return MV_USAGE;
	if (!c->json && on_terminal()) {
		struct mv_tui_options to;
		tui_options(c, &to);
		if (mv_tui_run(c->s, &to) != MV_TUI_UNSUITED)
			return cmd_told_damage(c);
	}
	if (c->json) {
		struct json_object *k = mv_model_keyframe(mv_session_model(c->s));
		cmd_print_json(k);
		json_object_put(k);
	} else {
		summary_print(c, mv_session_model(c->s), stdout);
	}
	return cmd_told_damage(c);
}
