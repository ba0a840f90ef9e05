// SPDX-License-Identifier: MIT
/* A link that serves one client, and the offer to put a hub on it. */
#include "app.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Long enough to be read by someone who has just seen the first picture. */
#define OFFER_US 8000000
/* A hub that has been silent and closed for so long does not come back. */
#define GONE_US 1000000

static bool link_up(const struct mv_app *a)
{
	return a->link.state == MV_SESSION_LIVE || a->link.state == MV_SESSION_SYNCING;
}

bool mv_share_possible(const struct mv_app *a)
{
	return a->options.share && link_up(a) && !a->link.hub;
}

void mv_share_offer(struct mv_app *a)
{
	if (a->share_offered || !mv_share_possible(a) || a->link.state != MV_SESSION_LIVE)
		return;
	a->share_offered = true;
	mv_app_say(a, ST_OK,
		   "This link serves one client, which is this memviz. H shares it through a hub");
	a->message_until_us = a->now_us + OFFER_US;
}

void mv_share_return(struct mv_app *a)
{
	struct mv_error e;

	a->hub_was_up = a->hub_was_up || (a->bare[0] && a->link.hub && link_up(a));
	if (!a->hub_was_up || a->link.state != MV_SESSION_LOST || a->link.silent_us < GONE_US)
		return;
	if (mv_session_retarget(a->session, a->bare, &e) == MV_OK) {
		mv_app_say(a, ST_BAD, "The hub is gone: back to the link itself. H starts another");
		a->message_until_us = a->now_us + OFFER_US;
	}
	a->bare[0] = '\0';
	a->hub_was_up = false;
}

struct share {
	struct mv_popup popup;
	char hub[300]; /* the hub's target, once it stands */
};

static void start_hub(struct share *s)
{
	struct mv_app *a = s->popup.app;
	struct mv_error e = {0};

	snprintf(a->bare, sizeof(a->bare), "%s", a->link.target);
	if (a->options.share(a->bare, s->hub, sizeof(s->hub), &e) == MV_OK &&
	    mv_session_retarget(a->session, s->hub, &e) == MV_OK)
		return;
	s->hub[0] = a->bare[0] = '\0';
	mv_app_say(a, ST_BAD, "Not shared: %s", e.message);
}

static void share_draw(struct mv_popup *p, struct mv_rect screen)
{
	struct share *s = (struct share *)p;
	struct mv_app *a = p->app;
	struct mv_rect in = mv_popup_box(a, screen, 12, 76, "Share this link");
	char text[400];

	mv_popup_foot(a, &in,
		      s->hub[0] ? "Esc closes." : "Enter starts a hub. Esc leaves it as it is.");
	if (s->hub[0])
		snprintf(text, sizeof(text), "Shared. Others look with");
	else
		snprintf(text, sizeof(text),
			 "%s serves one client at a time, and this memviz is it.", a->link.target);
	mv_cut_top(&in, mv_wrap(&a->canvas, in, ST_POPUP, text) + 1);
	if (s->hub[0]) {
		snprintf(text, sizeof(text), "memviz -t %s", s->hub);
		mv_cut_top(&in, mv_wrap(&a->canvas, in, ST_POPUP_TITLE, text) + 1);
		mv_wrap(&a->canvas, in, ST_POPUP,
			"The hub ends by itself a minute after its last client has left.");
		return;
	}
	mv_wrap(&a->canvas, in, ST_POPUP,
		"A hub takes the link over and serves any number: other viewers, scripts, a "
		"recorder. This memviz goes on through it.");
}

static bool share_key(struct mv_popup *p, const struct mv_input *in)
{
	struct share *s = (struct share *)p;
	bool yes = in->key == MVK_ENTER || in->key == 'y' || in->key == 'H';

	if (s->hub[0] || !yes)
		return !yes && in->key != MVK_ESCAPE && in->key != MVK_BACKSPACE &&
		       in->key != 'n' && in->key != 'q';
	start_hub(s);
	return s->hub[0] != '\0';
}

void mv_share_open(struct mv_app *a)
{
	static const struct mv_popup_ops ops = {.draw = share_draw, .key = share_key};

	if (!mv_share_possible(a)) {
		mv_app_say(a, ST_DIM, "%s",
			   a->link.hub ? "This link is shared already: it is a hub's"
				       : "There is no link here that could be shared");
		return;
	}
	struct share *s = calloc(1, sizeof(*s));

	if (!s)
		return;
	s->popup.ops = &ops;
	mv_app_popup(a, &s->popup);
}
