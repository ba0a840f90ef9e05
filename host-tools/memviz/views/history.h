/* SPDX-License-Identifier: MIT */
/* The model's samples, which come when something changes, as points at equal distances. */
#ifndef VIEWS_HISTORY_H
#define VIEWS_HISTORY_H

#include "app.h"
#include "graph.h"

/* What a sample is worth; @what is passed on. */
typedef struct mv_point (*mv_point_fn)(const struct mv_sample *s, int what);

/*
 * Up to @n points, oldest first, as far back as the history goes; returns how many. *step_us gets
 * the time between two: the shortest of a fixed set with which @n points reach over the history.
 * While the view is frozen, later samples are left out.
 */
size_t mv_history(const struct mv_app *a, mv_point_fn fn, int what, struct mv_point *out, size_t n,
		  uint64_t *step_us);

#endif
