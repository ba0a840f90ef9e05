/* SPDX-License-Identifier: MIT */
/* Matching what a person half remembers. Pure. */
#ifndef VIEWS_FUZZY_H
#define VIEWS_FUZZY_H

#include <stdbool.h>

/*
 * How well @text answers @query; 0 when it does not. Every word of the query must appear: as
 * letters in order, best when together, at the start of a word, or equal. Case is ignored.
 * An empty query matches all equally.
 */
int mv_fuzzy(const char *query, const char *text);
/* Every blank-separated word of @query is a substring of @text, case ignored. A word that begins
 * with `!` must not be. */
bool mv_filter_match(const char *query, const char *text);

#endif
