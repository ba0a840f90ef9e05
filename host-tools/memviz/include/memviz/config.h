/*
 * $XDG_CONFIG_HOME/memviz/config.json (else ~/.config/memviz/config.json).
 *
 * An object with the members below; each may be missing. An unknown member, a
 * wrong type or value is an error that names the file, the line where JSON is
 * broken, the member, and what it takes. Command line options win.
 */
#ifndef MEMVIZ_CONFIG_H
#define MEMVIZ_CONFIG_H

#include <memviz/error.h>
#include <stdbool.h>
#include <stddef.h>

enum mv_color { MV_COLOR_AUTO, MV_COLOR_ALWAYS, MV_COLOR_NEVER };
enum mv_theme { MV_THEME_TERMINAL, MV_THEME_DARK, MV_THEME_LIGHT, MV_THEME_MONO };
enum mv_order { MV_ORDER_ROWS, MV_ORDER_HILBERT };

struct mv_config {
	char target[256]; /* "target": used when neither -t nor $MEMVIZ_TARGET is there; "" none */
	enum mv_color color; /* "color": "auto" "always" "never" */
	enum mv_theme theme; /* "theme": "terminal" "dark" "light" "mono" */
	bool ascii;	     /* "ascii" */
	bool mouse;	     /* "mouse", default true */
	unsigned hz;	     /* "hz": 1..60, default 10 */
	double timeout_s;    /* "timeout": 0.1..60, default 2 */
	double history_s;    /* "history": seconds kept, 10..86400, default 600 */
	char screen[16];     /* "screen": "overview" "map" "slabs" "tables" "sites" "log" */
	enum mv_order order; /* "map_order": "rows" "hilbert" */
};

void mv_config_default(struct mv_config *c);
/* Reads `path` (NULL: the place above; there a missing file is fine) over what
 * `c` holds. MV_USAGE with `e` when something in it is wrong; `c` is then as
 * before. */
enum mv_status mv_config_load(struct mv_config *c, const char *path, struct mv_error *e);
/* The same from text, for tests and the fuzzer; `name` stands in messages. */
enum mv_status mv_config_parse(struct mv_config *c, const char *text, size_t len, const char *name,
			       struct mv_error *e);

#endif
