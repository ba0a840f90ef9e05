// SPDX-License-Identifier: MIT
#include "command.h"

#include <json-c/json.h>
#include <memviz/format.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 64

struct verb {
	const char *name;
	const char *method; /* NULL: not one request */
	const char *args;   /* "name:type ..."; ? optional, * the rest. Types: n size or number,
			       a address, i integer, s text, d duration */
	bool all_pages;
	enum mv_command_kind kind;
	const char *usage, *meaning;
};

/* clang-format off */
static const struct verb verbs[] = {
	{"stat", "mm.stat", "", false, COMMAND_REQUEST, "stat", "the seven figures of mm_stat"},
	{"zones", "mm.zones", "", false, COMMAND_REQUEST, "zones", "the zones"},
	{"frames", "mm.frames", "zone:s?", true, COMMAND_REQUEST, "frames [ZONE]", "runs of frames"},
	{"caches", "mm.caches", "", false, COMMAND_REQUEST, "caches", "the 16 caches"},
	{"slabs", "mm.slabs", "size:n", true, COMMAND_REQUEST, "slabs SIZE", "the slabs of a class"},
	{"object", "mm.object", "addr:a", false, COMMAND_REQUEST, "object ADDR", "what lies at an address"},
	{"spaces", "mm.spaces", "", false, COMMAND_REQUEST, "spaces", "the address spaces"},
	{"mappings", "mm.mappings", "space:i?", true, COMMAND_REQUEST, "mappings [SPACE]", "what a space maps"},
	{"translate", "mm.translate", "va:a", false, COMMAND_REQUEST, "translate VA [--space ID]", "walk the tables"},
	{"rmap", "mm.rmap", "pa:a len:n?", false, COMMAND_REQUEST, "rmap PA [LEN]", "who maps a physical address"},
	{"check", "mm.check", "", false, COMMAND_REQUEST, "check", "walk every invariant of the kernel's memory"},
	{"sites", "trace.sites", "", true, COMMAND_REQUEST, "sites", "who holds memory"},
	{"leaks", "trace.leaks", "older_than_us:d", true, COMMAND_REQUEST, "leaks AGE", "objects older than AGE (10s, 5m)"},
	{"log", "sys.log", "since:i?", true, COMMAND_REQUEST, "log [SINCE]", "the kernel's console"},
	{"kmalloc", "mm.kmalloc", "size:n", false, COMMAND_REQUEST, "kmalloc SIZE [--zero]", "allocate an object"},
	{"kfree", "mm.kfree", "addr:a", false, COMMAND_REQUEST, "kfree ADDR", "free an object"},
	{"alloc-pages", "mm.alloc_pages", "zone:s num:i flags:s*", false, COMMAND_REQUEST, "alloc-pages ZONE N [FLAG...] [--dry-run]", "allocate frames"},
	{"free-pages", "mm.free_pages", "pa:a num:i", false, COMMAND_REQUEST, "free-pages PA N", "free frames"},
	{"map", "mm.map", "va:a pa:a len:n flags:s", false, COMMAND_REQUEST, "map VA PA LEN FLAGS [--4k] [--space ID] [--dry-run]", "map physical memory"},
	{"unmap", "mm.unmap", "va:a len:n", false, COMMAND_REQUEST, "unmap VA LEN [--space ID] [--dry-run]", "unmap a range"},
	{"call", NULL, "", false, COMMAND_REQUEST, "call METHOD [key=value ...]", "any method"},
	{"record", NULL, "", false, COMMAND_RECORD, "record [FILE]", "start recording; without FILE stop"},
	{"hub", NULL, "", false, COMMAND_SHARE, "hub", "share a link that serves one client: start a hub on it"},
	{"help", NULL, "", false, COMMAND_HELP, "help", "the keys"},
	{"quit", NULL, "", false, COMMAND_QUIT, "quit", "leave memviz"},
	{"q", NULL, "", false, COMMAND_QUIT, "q", "leave memviz"},
	{"export", NULL, "", false, COMMAND_SPAWN, "export --format svg|html|openmetrics -o FILE", "write a snapshot"},
	{"diff", NULL, "", false, COMMAND_SPAWN, "diff A B", "differences of two recordings (FILE or FILE@TIME)"},
	{"drive", NULL, "", false, COMMAND_SPAWN, "drive TRACE [--limit N] [--rate N]", "replay a Linux kmem trace as requests"},
};

/* Names of methods for completion after `call`, or typed as they are. */
static const char *const methods[] = {
	"hello", "rpc.discover", "mm.stat", "mm.zones", "mm.frames", "mm.caches", "mm.slabs",
	"mm.object", "mm.spaces", "mm.mappings", "mm.translate", "mm.rmap", "mm.kmalloc", "mm.kfree",
	"mm.alloc_pages", "mm.free_pages", "mm.map", "mm.unmap", "mm.check", "space.create",
	"space.destroy", "mem.read", "trace.start", "trace.stop", "trace.sites", "trace.leaks",
	"watch.start", "watch.stop", "workload.list", "workload.start", "workload.stop",
	"fault.inject", "sys.log", "sys.break", "sys.panic", "sys.poweroff",
};

static const struct {
	const char *name, *param;
	char type; /* b: true, else as in struct verb */
} options[] = {
	{"--zero", "zero", 'b'}, {"--4k", "use4k", 'b'}, {"--dry-run", "dry_run", 'b'},
	{"--space", "space", 'i'}, {"--user", "user", 'b'}, {"--ad", "ad", 'b'},
	{"--limit", "limit", 'i'},
};
/* clang-format on */

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- words ---- */

struct words {
	char text[512];
	char *word[WORDS_MAX];
	size_t count;
};

static void split(struct words *w, const char *line)
{
	char *save = NULL;

	snprintf(w->text, sizeof(w->text), "%s", line);
	w->count = 0;
	for (char *p = strtok_r(w->text, " \t", &save); p && w->count < WORDS_MAX;
	     p = strtok_r(NULL, " \t", &save))
		w->word[w->count++] = p;
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < COUNT(verbs); i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

static bool is_method(const char *name)
{
	for (size_t i = 0; i < COUNT(methods); i++)
		if (!strcmp(methods[i], name))
			return true;
	return false;
}

/* ---- values ---- */

static struct json_object *addr_value(const char *word)
{
	char text[24];
	uint64_t v;

	return mv_parse_addr(word, &v)
		       ? json_object_new_string(mv_format_addr(v, text, sizeof(text)))
		       : NULL;
}

static struct json_object *size_value(const char *word)
{
	uint64_t v;

	return mv_parse_size(word, &v) && v <= INT64_MAX ? json_object_new_int64((int64_t)v) : NULL;
}

static struct json_object *int_value(const char *word)
{
	char *end;
	long long v = strtoll(word, &end, 0);

	return *word && !*end ? json_object_new_int64(v) : NULL;
}

static struct json_object *duration_value(const char *word)
{
	uint64_t us;

	return mv_parse_duration(word, &us) && us <= INT64_MAX ? json_object_new_int64((int64_t)us)
							       : NULL;
}

static const char *type_words(char type)
{
	switch (type) {
	case 'a':
		return "an address like 0xffff800000200000";
	case 'n':
		return "a size like 4096, 64K or 2M";
	case 'd':
		return "a time like 10s or 5m";
	default:
		return "a number";
	}
}

static struct json_object *value_of(char type, const char *word)
{
	switch (type) {
	case 'a':
		return addr_value(word);
	case 'n':
		return size_value(word);
	case 'i':
		return int_value(word);
	case 'd':
		return duration_value(word);
	default:
		return json_object_new_string(word);
	}
}

static bool fail(struct mv_command *c, const char *fmt, const char *a, const char *b)
{
	c->kind = COMMAND_BAD;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(c->error, sizeof(c->error), fmt, a, b);
#pragma GCC diagnostic pop
	return false;
}

static bool put(struct mv_command *c, const char *name, char type, const char *word)
{
	struct json_object *v = value_of(type, word);

	if (!v)
		return fail(c, "'%s' is not %s", word, type_words(type));
	json_object_object_add(c->params, name, v);
	return true;
}

/* ---- subcommands ---- */

/* Takes an option at w[*i]; false: bad (c says) or not an option (kind unchanged). */
static bool take_option(struct mv_command *c, const struct words *w, size_t *i)
{
	for (size_t k = 0; k < COUNT(options); k++) {
		if (strcmp(options[k].name, w->word[*i]) != 0)
			continue;
		if (options[k].type == 'b') {
			json_object_object_add(c->params, options[k].param,
					       json_object_new_boolean(true));
			return true;
		}
		if (*i + 1 >= w->count)
			return fail(c, "%s takes a value%s", w->word[*i], "");
		return put(c, options[k].param, options[k].type, w->word[++*i]);
	}
	return fail(c, "there is no option %s%s", w->word[*i], "");
}

/* The next "name:type" of a verb's arguments; false at the end. */
struct arg {
	char name[32];
	char type, many;
};

static bool next_arg(const char **args, struct arg *out)
{
	char spec[32];
	int used = 0;

	if (sscanf(*args, " %31s%n", spec, &used) != 1)
		return false;
	*args += used;
	char *colon = strchr(spec, ':');

	*colon = '\0';
	snprintf(out->name, sizeof(out->name), "%s", spec);
	out->type = colon[1];
	out->many = colon[2];
	return true;
}

static bool take_rest(struct mv_command *c, const struct arg *a, const struct words *pos, size_t i)
{
	struct json_object *list = json_object_new_array();

	for (; i < pos->count; i++)
		json_object_array_add(list, json_object_new_string(pos->word[i]));
	json_object_object_add(c->params, a->name, list);
	return true;
}

static bool take_positional(struct mv_command *c, const struct verb *v, const struct words *pos)
{
	const char *args = v->args;
	struct arg a;
	size_t i = 1;

	while (next_arg(&args, &a)) {
		if (i >= pos->count)
			return a.many ? true : fail(c, "usage: %s%s", v->usage, "");
		if (a.many == '*')
			return take_rest(c, &a, pos, i);
		if (!put(c, a.name, a.type, pos->word[i++]))
			return false;
	}
	return i >= pos->count ? true : fail(c, "too many arguments; usage: %s%s", v->usage, "");
}

static void parse_request(struct mv_command *c, const struct verb *v, const struct words *w)
{
	struct words pos = {.count = 0};

	c->method = v->method;
	c->all_pages = v->all_pages;
	for (size_t i = 0; i < w->count; i++) {
		if (strncmp(w->word[i], "--", 2) != 0)
			pos.word[pos.count++] = w->word[i];
		else if (!take_option(c, w, &i))
			return;
	}
	take_positional(c, v, &pos);
}

/* key=value: JSON when it is JSON (numbers, true, arrays), else text. */
static void parse_call(struct mv_command *c, const struct words *w, size_t from)
{
	if (from >= w->count) {
		fail(c, "usage: call METHOD [key=value ...]%s%s", "", "");
		return;
	}
	snprintf(c->method_text, sizeof(c->method_text), "%s", w->word[from]);
	for (size_t i = from + 1; i < w->count; i++) {
		char *eq = strchr(w->word[i], '=');
		enum json_tokener_error err;

		if (!eq || eq == w->word[i]) {
			fail(c, "'%s' is not key=value%s", w->word[i], "");
			return;
		}
		*eq = '\0';
		struct json_object *v = json_tokener_parse_verbose(eq + 1, &err);

		if (err != json_tokener_success)
			v = json_object_new_string(eq + 1);
		json_object_object_add(c->params, w->word[i], v);
	}
}

struct mv_command mv_command_parse(const char *line)
{
	struct mv_command c = {.kind = COMMAND_BAD};
	struct words w = {.count = 0};

	split(&w, line);
	if (!w.count) {
		fail(&c, "type a command; Tab completes%s%s", "", "");
		return c;
	}
	const struct verb *v = find_verb(w.word[0]);

	if (!v && !is_method(w.word[0])) {
		fail(&c, "there is no command '%s'; Tab completes%s", w.word[0], "");
		return c;
	}
	c.kind = v ? v->kind : COMMAND_REQUEST;
	c.params = json_object_new_object();
	if (c.kind == COMMAND_REQUEST && v && v->method)
		parse_request(&c, v, &w);
	else if (c.kind == COMMAND_REQUEST)
		parse_call(&c, &w, v ? 1 : 0);
	else if (w.count > 1)
		snprintf(c.argument, sizeof(c.argument), "%s", w.word[1]);
	return c;
}

/* ---- help while typing ---- */

void mv_command_usage(const char *line, char *out, size_t size)
{
	struct words w = {.count = 0};

	*out = '\0';
	split(&w, line);
	if (!w.count)
		return;
	bool whole = w.count > 1 || line[strlen(line) - 1] == ' ';
	size_t n = strlen(w.word[0]), used = 0;

	for (size_t i = 0; i < COUNT(verbs); i++) {
		bool same = strcmp(verbs[i].name, w.word[0]) == 0;

		if (!same && (whole || strncmp(verbs[i].name, w.word[0], n) != 0))
			continue;
		if (!same) {
			used += (size_t)snprintf(out + used, size - used, "%s%s", used ? "  " : "",
						 verbs[i].name);
			if (used >= size)
				return;
			continue;
		}
		snprintf(out, size, "%s: %s", verbs[i].usage, verbs[i].meaning);
		return;
	}
}

/* What the last word may be. */
static const char *candidate(const struct words *w, bool first, size_t i)
{
	if (first)
		return i < COUNT(verbs)			   ? verbs[i].name
		       : i < COUNT(verbs) + COUNT(methods) ? methods[i - COUNT(verbs)]
							   : NULL;
	if (!strcmp(w->word[0], "call"))
		return i < COUNT(methods) ? methods[i] : NULL;
	return i < COUNT(options) ? options[i].name : NULL;
}

const char *mv_command_complete(const char *line, size_t n)
{
	struct words w = {.count = 0};
	const char *last = strrchr(line, ' ');
	const char *c;

	split(&w, line);
	last = last ? last + 1 : line;
	bool first = last == line;

	if (!first && !w.count)
		return NULL;
	if (!first && !*last && strcmp(w.word[0], "call") != 0)
		return NULL;
	for (size_t i = 0; (c = candidate(&w, first, i)); i++)
		if (!strncmp(c, last, strlen(last)) && n-- == 0)
			return c;
	return NULL;
}

/* ---- results ---- */

static void show_value(FILE *f, struct json_object *v)
{
	if (json_object_is_type(v, json_type_string))
		fputs(json_object_get_string(v), f);
	else
		fputs(json_object_to_json_string_ext(v, JSON_C_TO_STRING_PLAIN), f);
}

static void show_array(FILE *f, const char *key, struct json_object *list)
{
	size_t n = json_object_array_length(list);

	fprintf(f, "%s (%zu)\n", key, n);
	for (size_t i = 0; i < n; i++) {
		struct json_object *o = json_object_array_get_idx(list, i);

		fputs("  ", f);
		if (!json_object_is_type(o, json_type_object)) {
			show_value(f, o);
		} else {
			json_object_object_foreach(o, name, v)
			{
				fprintf(f, "%s ", name);
				show_value(f, v);
				fputs("  ", f);
			}
		}
		fputc('\n', f);
	}
}

/* A few plain figures fit one line. `gen` is of no interest there. */
static bool show_short(FILE *f, struct json_object *o)
{
	if (json_object_object_length(o) > 4)
		return false;
	json_object_object_foreach(o, name, member)
	{
		(void)name;
		if (json_object_is_type(member, json_type_array) ||
		    json_object_is_type(member, json_type_object))
			return false;
	}
	json_object_object_foreach(o, key, v)
	{
		if (strcmp(key, "gen") == 0)
			continue;
		fprintf(f, "%s ", key);
		show_value(f, v);
		fputs("  ", f);
	}
	fputs(json_object_object_length(o) ? "\n" : "done\n", f);
	return true;
}

static void show_long(FILE *f, struct json_object *o)
{
	json_object_object_foreach(o, key, v)
	{
		if (json_object_is_type(v, json_type_array) && json_object_array_length(v) > 0) {
			show_array(f, key, v);
			continue;
		}
		fprintf(f, "%-16s ", key);
		show_value(f, v);
		fputc('\n', f);
	}
}

char *mv_command_show(struct json_object *result)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	if (!json_object_is_type(result, json_type_object)) {
		show_value(f, result);
		fputc('\n', f);
	} else if (!show_short(f, result)) {
		show_long(f, result);
	}
	fclose(f);
	return text;
}
