#include <errno.h>
#include <json-c/json.h>
#include <memviz/base.h>
#include <memviz/config.h>
#include <memviz/format.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_BYTES_MAX (1u << 20)

void mv_config_default(struct mv_config *c)
{
	*c = (struct mv_config){
		.mouse = true, .hz = 10, .timeout_s = 2, .history_s = 600, .screen = "overview"};
}

static const char *const color_words[] = {"auto", "always", "never", NULL};
static const char *const theme_words[] = {"terminal", "dark", "light", "mono", NULL};
static const char *const order_words[] = {"rows", "hilbert", NULL};
static const char *const screen_words[] = {"overview", "map", "slabs", "tables",
					   "sites",    "log", NULL};

/* Index of the member's text in `words`, or -1 with `takes` listing them. */
static int word_index(struct json_object *v, const char *const *words, char *takes, size_t size)
{
	size_t used = 0;
	takes[0] = 0;
	for (int i = 0; words[i]; i++) {
		if (json_object_is_type(v, json_type_string) &&
		    strcmp(json_object_get_string(v), words[i]) == 0)
			return i;
		int n = snprintf(takes + used, size - used, "%s\"%s\"", i ? ", " : "", words[i]);
		used = n > 0 && used + (size_t)n < size ? used + (size_t)n : used;
	}
	return -1;
}

/* A setter returns false and fills `takes` when the value does not fit. */
typedef bool (*setter)(struct mv_config *c, struct json_object *v, char *takes, size_t size);

static bool set_number(double *out, struct json_object *v, double low, double high, char *takes,
		       size_t size)
{
	double n = json_object_get_double(v);
	bool number = json_object_is_type(v, json_type_int) ||
		      json_object_is_type(v, json_type_double);
	if (number && n >= low && n <= high) {
		*out = n;
		return true;
	}
	snprintf(takes, size, "a number from %g to %g", low, high);
	return false;
}

static bool set_flag(bool *out, struct json_object *v, char *takes, size_t size)
{
	if (json_object_is_type(v, json_type_boolean)) {
		*out = json_object_get_boolean(v);
		return true;
	}
	snprintf(takes, size, "true or false");
	return false;
}

static bool set_target(struct mv_config *c, struct json_object *v, char *takes, size_t size)
{
	if (json_object_is_type(v, json_type_string) &&
	    mv_copy(c->target, sizeof c->target, json_object_get_string(v)))
		return true;
	snprintf(takes, size, "a target such as \"unix:PATH\", at most %zu bytes",
		 sizeof c->target - 1);
	return false;
}

static bool set_color(struct mv_config *c, struct json_object *v, char *takes, size_t size)
{
	int i = word_index(v, color_words, takes, size);
	if (i >= 0)
		c->color = (enum mv_color)i;
	return i >= 0;
}

static bool set_theme(struct mv_config *c, struct json_object *v, char *takes, size_t size)
{
	int i = word_index(v, theme_words, takes, size);
	if (i >= 0)
		c->theme = (enum mv_theme)i;
	return i >= 0;
}

static bool set_order(struct mv_config *c, struct json_object *v, char *takes, size_t size)
{
	int i = word_index(v, order_words, takes, size);
	if (i >= 0)
		c->order = (enum mv_order)i;
	return i >= 0;
}

static bool set_screen(struct mv_config *c, struct json_object *v, char *takes, size_t size)
{
	int i = word_index(v, screen_words, takes, size);
	if (i >= 0)
		mv_copy(c->screen, sizeof c->screen, screen_words[i]);
	return i >= 0;
}

static bool set_ascii(struct mv_config *c, struct json_object *v, char *takes, size_t size)
{
	return set_flag(&c->ascii, v, takes, size);
}

static bool set_mouse(struct mv_config *c, struct json_object *v, char *takes, size_t size)
{
	return set_flag(&c->mouse, v, takes, size);
}

static bool set_hz(struct mv_config *c, struct json_object *v, char *takes, size_t size)
{
	double hz;
	if (json_object_is_type(v, json_type_int) && set_number(&hz, v, 1, 60, takes, size)) {
		c->hz = (unsigned)hz;
		return true;
	}
	snprintf(takes, size, "a whole number from 1 to 60");
	return false;
}

static bool set_timeout(struct mv_config *c, struct json_object *v, char *takes, size_t size)
{
	return set_number(&c->timeout_s, v, 0.1, 60, takes, size);
}

static bool set_history(struct mv_config *c, struct json_object *v, char *takes, size_t size)
{
	return set_number(&c->history_s, v, 10, 86400, takes, size);
}

static const struct {
	const char *name;
	setter set;
} members[] = {
	{"target",	   set_target },
	  {"color",	    set_color  },
	    {"theme",     set_theme  },
	{"ascii",	  set_ascii  },
	  {"mouse",	    set_mouse  },
	    {"hz",	   set_hz	 },
	{"timeout",   set_timeout},
	  {"history",   set_history},
	    {"screen",    set_screen },
	{"map_order", set_order  },
};

static enum mv_status set_member(struct mv_config *c, const char *key, struct json_object *v,
				 const char *name, struct mv_error *e)
{
	char takes[160];
	for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
		if (strcmp(members[i].name, key) != 0)
			continue;
		if (members[i].set(c, v, takes, sizeof takes))
			return MV_OK;
		return mv_fail(e, MV_USAGE, "%s: \"%s\" is %.60s; it takes %s", name, key,
			       mv_json_line(v), takes);
	}
	return mv_fail(e, MV_USAGE,
		       "%s: there is no setting \"%.60s\"; there are: target color theme ascii "
		       "mouse hz timeout history screen map_order",
		       name, key);
}

static unsigned line_of(const char *text, size_t at)
{
	unsigned line = 1;
	for (size_t i = 0; i < at; i++)
		line += text[i] == '\n';
	return line;
}

/* Where strict JSON breaks: the tokener's own position. */
static enum mv_status broken_json(const char *text, size_t len, const char *name,
				  struct mv_error *e)
{
	struct json_tokener *tok = json_tokener_new_ex(8);
	if (!tok)
		abort();
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	json_object_put(json_tokener_parse_ex(tok, text, (int)len));
	enum json_tokener_error err = json_tokener_get_error(tok);
	size_t end = json_tokener_get_parse_end(tok);
	json_tokener_free(tok);
	if (end > len)
		end = len;
	const char *what = err == json_tokener_success	  ? "something follows the object"
			   : err == json_tokener_continue ? "the text ends too early"
							  : json_tokener_error_desc(err);
	return mv_fail(e, MV_USAGE, "%s: line %u: not JSON: %s", name, line_of(text, end), what);
}

enum mv_status mv_config_parse(struct mv_config *c, const char *text, size_t len, const char *name,
			       struct mv_error *e)
{
	struct json_object *root = mv_json_parse(text, len, NULL);
	if (!root)
		return broken_json(text, len, name, e);
	enum mv_status st = MV_OK;
	struct mv_config next = *c;
	if (!json_object_is_type(root, json_type_object))
		st = mv_fail(e, MV_USAGE, "%s: it takes one object, {\"setting\": value, ...}",
			     name);
	if (st == MV_OK) {
		json_object_object_foreach(root, key, value)
		{
			st = set_member(&next, key, value, name, e);
			if (st != MV_OK)
				break;
		}
	}
	if (st == MV_OK)
		*c = next;
	json_object_put(root);
	return st;
}

static bool default_path(char *out, size_t size)
{
	const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	int n;
	if (xdg && xdg[0] == '/')
		n = snprintf(out, size, "%s/memviz/config.json", xdg);
	else if (home && home[0])
		n = snprintf(out, size, "%s/.config/memviz/config.json", home);
	else
		return false;
	return n > 0 && (size_t)n < size;
}

enum mv_status mv_config_load(struct mv_config *c, const char *path, struct mv_error *e)
{
	char place[512];
	bool own = !path;
	if (own && !default_path(place, sizeof place))
		return MV_OK;
	if (own)
		path = place;
	FILE *f = fopen(path, "re");
	if (!f) {
		if (own && (errno == ENOENT || errno == ENOTDIR))
			return MV_OK;
		return mv_fail(e, MV_USAGE, "%s: %s", path, strerror(errno));
	}
	char *text = mv_alloc(CONFIG_BYTES_MAX + 1);
	size_t len = fread(text, 1, CONFIG_BYTES_MAX + 1, f);
	bool bad = ferror(f) != 0;
	fclose(f);
	enum mv_status st;
	if (bad)
		st = mv_fail(e, MV_USAGE, "%s: cannot be read", path);
	else if (len > CONFIG_BYTES_MAX)
		st = mv_fail(e, MV_USAGE, "%s: over %u bytes is no configuration", path,
			     CONFIG_BYTES_MAX);
	else
		st = mv_config_parse(c, text, len, path, e);
	free(text);
	return st;
}
