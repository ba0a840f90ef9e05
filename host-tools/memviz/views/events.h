/* SPDX-License-Identifier: MIT */
/* One event in words, the same wherever events appear. */
#ifndef VIEWS_EVENTS_H
#define VIEWS_EVENTS_H

#include "app.h"

enum mv_style mv_event_style(const struct mv_event *e);
/* "kmalloc", or "kmalloc !" for one that failed. */
void mv_event_name(const struct mv_event *e, char *out, size_t size);
/* "128 B", "3 frames", "" */
void mv_event_amount(const struct mv_event *e, char *out, size_t size);
/* Who: the symbol of the site, or its address; "" when not known. */
void mv_event_site(const struct mv_model *m, const struct mv_event *e, char *out, size_t size);
/* Where else it happened: the space of a mapping, the zone of frames. */
void mv_event_place(const struct mv_model *m, const struct mv_event *e, char *out, size_t size);
/* What Enter on it opens. */
struct mv_thing mv_event_thing(const struct mv_event *e);
/* A line of the ticker; drops what has no room. */
void mv_event_draw(struct mv_app *a, struct mv_rect line, const struct mv_event *e, bool selected);

#endif
