#include <stddef.h>

#include <kernel/selftest.h>

/*
 * Only the last `*` ever needs to be tried again: whatever an earlier one could give up, the last
 * one can take. So one remembered position replaces recursion.
 */
bool glob_match(const char *glob, const char *text)
{
	const char *star = NULL, *retry = NULL;

	while (*text != '\0') {
		if (*glob == '*') {
			star = ++glob;
			retry = text;
		} else if (*glob == '?' || *glob == *text) {
			glob++;
			text++;
		} else if (star != NULL) {
			glob = star;
			text = ++retry;
		} else {
			return false;
		}
	}
	while (*glob == '*')
		glob++;
	return *glob == '\0';
}
