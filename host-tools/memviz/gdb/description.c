/* Register numbers in a target description: each <reg> has the number after the
 * one before it, unless regnum says otherwise. */
#include "private.h"

#include <stdlib.h>
#include <string.h>

/* Value of an attribute inside of one tag; false when it is not there. */
static bool attribute(const char *tag, const char *end, const char *name, char *out, size_t size)
{
	size_t n = strlen(name);
	for (const char *p = tag; p + n + 2 < end; p++) {
		if ((p[-1] != ' ' && p[-1] != '\n' && p[-1] != '\t') || strncmp(p, name, n) != 0 ||
		    p[n] != '=' || (p[n + 1] != '"' && p[n + 1] != '\''))
			continue;
		const char *value = p + n + 2, *close_quote = strchr(value, p[n + 1]);
		if (!close_quote || close_quote > end || (size_t)(close_quote - value) >= size)
			return false;
		memcpy(out, value, (size_t)(close_quote - value));
		out[close_quote - value] = 0;
		return true;
	}
	return false;
}

long description_register(const char *xml, const char *name)
{
	long next = 0;
	const char *p = xml;
	while ((p = strstr(p, "<reg")) != NULL) {
		const char *end = strchr(p, '>');
		char text[64];
		if (!end)
			return -1;
		/* <regs> or the like is none. */
		if (p[4] != ' ' && p[4] != '\n' && p[4] != '\t') {
			p = end;
			continue;
		}
		if (attribute(p + 5, end, "regnum", text, sizeof text))
			next = strtol(text, NULL, 0);
		if (attribute(p + 5, end, "name", text, sizeof text) && strcmp(text, name) == 0)
			return next;
		next++;
		p = end;
	}
	return -1;
}
