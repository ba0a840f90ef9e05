// SPDX-License-Identifier: MIT
#include "fuzzy.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

static int lower(char ch)
{
	return tolower((unsigned char)ch);
}

static bool word_start(const char *text, size_t i)
{
	return i == 0 || !isalnum((unsigned char)text[i - 1]);
}

/* The next word of *@p; returns its length, 0 at the end. */
static size_t next_word(const char **p)
{
	while (isspace((unsigned char)**p))
		(*p)++;
	size_t n = 0;

	while ((*p)[n] && !isspace((unsigned char)(*p)[n]))
		n++;
	return n;
}

static const char *find_nocase(const char *text, const char *word, size_t n)
{
	for (; *text; text++) {
		size_t i = 0;

		while (i < n && text[i] && lower(text[i]) == lower(word[i]))
			i++;
		if (i == n)
			return text;
	}
	return NULL;
}

/* Letters in order with gaps, each starting a word or following the one before. */
static int scattered(const char *text, const char *word, size_t n)
{
	size_t k = 0;
	bool joined = false;

	for (size_t i = 0; text[i] && k < n; i++) {
		if (lower(text[i]) == lower(word[k]) && (joined || word_start(text, i))) {
			k++;
			joined = true;
		} else {
			joined = false;
		}
	}
	return k == n ? 1 : 0;
}

static int word_score(const char *text, const char *word, size_t n)
{
	const char *at = find_nocase(text, word, n);

	if (!at)
		return scattered(text, word, n);
	size_t i = (size_t)(at - text);
	bool ends = !isalnum((unsigned char)at[n]);

	return 10 + (word_start(text, i) ? 20 : 0) + (word_start(text, i) && ends ? 20 : 0) +
	       (i == 0 ? 5 : 0);
}

int mv_fuzzy(const char *query, const char *text)
{
	int total = 1;

	for (size_t n; (n = next_word(&query)); query += n) {
		int s = word_score(text, query, n);

		if (!s)
			return 0;
		total += s;
	}
	return total;
}

bool mv_filter_match(const char *query, const char *text)
{
	for (size_t n; (n = next_word(&query)); query += n) {
		bool want = query[0] != '!' || n == 1;
		const char *word = want ? query : query + 1;

		if ((find_nocase(text, word, want ? n : n - 1) != NULL) != want)
			return false;
	}
	return true;
}
