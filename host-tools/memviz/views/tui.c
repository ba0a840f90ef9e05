// SPDX-License-Identifier: MIT
#include <memviz/tui.h>

#include "app.h"
#include "terminal.h"

#include <memviz/base.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#define SECOND_US   1000000
#define DEFAULT_FPS 30

/* The sum of all counters: it moves when anything does. */
static uint64_t revision(const struct mv_model *m)
{
	uint64_t sum = 0;

	for (int i = 0; i < MV_PARTS; i++)
		sum += m->rev[i];
	return sum;
}

struct loop {
	struct mv_app app;
	struct mv_terminal term;
	uint64_t drawn_us, revision, frame_us, second;
	enum mv_session_state state;
	int result;
};

/* Milliseconds until something must be drawn; a second's tick keeps ages and rates right. */
static int patience_ms(const struct loop *l)
{
	uint64_t now = mv_now_us();
	uint64_t next = l->app.dirty ? l->drawn_us + l->frame_us : now + 100000;

	return next <= now ? 0 : (int)((next - now + 999) / 1000);
}

static void take_signals(struct loop *l)
{
	for (int sig; (sig = mv_terminal_signal(&l->term));) {
		struct mv_error e;

		if (sig == SIGTSTP) {
			mv_terminal_suspend(&l->term);
			l->app.dirty = true;
			continue;
		}
		if (sig == SIGINT) {
			/* ^C closes what is open, and then leaves as q does. */
			const struct mv_input esc = {.key = MVK_ESCAPE};

			if (l->app.prompt.kind != PROMPT_NONE || l->app.popup)
				mv_app_input(&l->app, &esc);
			else
				l->app.quit = true;
			continue;
		}
		mv_session_record_stop(l->app.session, &e);
		mv_terminal_die(&l->term, sig);
	}
}

static void take_keys(struct loop *l)
{
	struct mv_input in;

	while ((in = mv_terminal_read(&l->term)).key != MVK_NONE && !l->app.quit)
		mv_app_input(&l->app, &in);
	if (l->app.mouse_changed) {
		l->app.mouse_changed = false;
		mv_terminal_mouse(&l->term, l->app.mouse);
	}
}

/* Data, states and seconds that pass call for a new picture; keys have done so already. */
static void notice(struct loop *l)
{
	uint64_t now = mv_now_us(), rev = revision(l->app.live);

	mv_app_tick(&l->app, now);
	if (rev != l->revision || now / SECOND_US != l->second || l->state != l->app.link.state)
		l->app.dirty = true;
	l->revision = rev;
	l->second = now / SECOND_US;
	l->state = l->app.link.state;
}

static void draw(struct loop *l)
{
	int rows, cols;
	uint64_t now = mv_now_us();

	if (!l->app.dirty || now < l->drawn_us + l->frame_us)
		return;
	if (l->app.redraw_all) {
		l->app.redraw_all = false;
		mv_terminal_redraw(&l->term);
	}
	mv_terminal_size(&rows, &cols);
	mv_app_draw(&l->app, rows, cols);
	mv_terminal_show(&l->term, &l->app.canvas, l->app.cursor_row, l->app.cursor_col);
	l->drawn_us = now;
}

static void turn(struct loop *l)
{
	struct pollfd fds[] = {
		{.fd = STDIN_FILENO,		     .events = POLLIN},
		{.fd = mv_session_fd(l->app.session), .events = POLLIN},
		{.fd = l->term.signal_fd,		  .events = POLLIN},
	};

	poll(fds, 3, patience_ms(l));
	take_signals(l);
	l->app.now_us = mv_now_us();
	mv_session_process(l->app.session);
	take_keys(l);
	if (fds[0].revents & (POLLHUP | POLLERR | POLLNVAL)) {
		l->result = MV_TUI_INPUT_ENDED;
		l->app.quit = true;
	}
	notice(l);
	draw(l);
}

int mv_tui_run(struct mv_session *s, const struct mv_tui_options *o)
{
	static const struct mv_tui_options defaults;
	struct loop l = {.result = MV_TUI_QUIT};

	o = o ? o : &defaults;
	if (!mv_terminal_open(&l.term, o))
		return MV_TUI_UNSUITED;
	unsigned fps = o->fps >= 1 && o->fps <= DEFAULT_FPS ? o->fps : DEFAULT_FPS;

	l.frame_us = SECOND_US / fps;
	mv_app_init(&l.app, s, NULL, o);
	l.app.ascii = l.term.ascii;
	l.app.mouse = l.term.mouse;
	if (o->hz)
		mv_session_watch(s, MV_TOPIC_ALL, o->hz);
	while (!l.app.quit)
		turn(&l);
	mv_history_save(&l.app.prompt.history, o->history_path);
	mv_app_free(&l.app);
	mv_terminal_close(&l.term);
	return l.result;
}
