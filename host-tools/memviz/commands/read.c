/* The commands that read: one request each, its result as JSON or as a table. */
#include <inspect/protocol.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <memviz/base.h>
#include <memviz/command.h>
#include <memviz/format.h>
#include <stdlib.h>
#include <string.h>

typedef struct json_object json;
typedef void (*print_fn)(struct cmd *c, json *result);

static const char *text_of(json *o, const char *key)
{
	static char safe[4][320];
	static unsigned turn;
	const char *text = mv_json_str(o, key);
	turn = (turn + 1) % 4;
	return mv_format_safe(text ? text : "-", safe[turn], sizeof safe[turn]);
}

static uint64_t number_of(json *o, const char *key)
{
	uint64_t v = 0;
	mv_json_u64(o, key, &v);
	return v;
}

static const char *size_of(json *o, const char *key)
{
	static char text[4][24];
	static unsigned turn;
	turn = (turn + 1) % 4;
	return mv_format_size(number_of(o, key), text[turn], sizeof text[turn]);
}

static const char *count_of(json *o, const char *key)
{
	static char text[8][32];
	static unsigned turn;
	turn = (turn + 1) % 8;
	return mv_format_count(number_of(o, key), text[turn], sizeof text[turn]);
}

static size_t length(json *list)
{
	return list ? json_object_array_length(list) : 0;
}

/* Takes `params` over; asks, prints, returns the exit status. `all` follows pages. */
static int ask(struct cmd *c, const char *method, json *params, print_fn print)
{
	int status = MV_OK;
	uint64_t limit = 0;
	if (!cmd_option_number(c, OPT_LIMIT, 1, 100000000, &limit)) {
		json_object_put(params);
		return MV_USAGE;
	}
	if (!cmd_connect(c, NULL, &status)) {
		json_object_put(params);
		return status;
	}
	json *result = cmd_call(c, method, params, &status);
	if (!result)
		return status;
	static const char *const lists[] = {INSP_F_RUNS, INSP_F_SLABS, INSP_F_SITES, INSP_F_OBJECTS,
					    INSP_F_LINES};
	for (size_t i = 0; limit && i < sizeof lists / sizeof *lists; i++) {
		json *list = mv_json_array(result, lists[i]);
		if (length(list) > limit)
			json_object_array_del_idx(list, limit, length(list) - limit);
	}
	if (c->json)
		cmd_print_json(result);
	else
		print(c, result);
	bool moved = false;
	if (mv_json_flag(result, "moved", &moved) && moved && !c->json)
		fputs("memviz: the state moved while it was read\n", stderr);
	json_object_put(result);
	return cmd_told_damage(c);
}

/* ---- stat ---- */

static void print_stat(struct cmd *c, json *r)
{
	static const char *const names[] = {INSP_F_TOTAL,    INSP_F_USED,	INSP_F_FREE,
					    INSP_F_SHARED,   INSP_F_CACHE_USED, INSP_F_CACHE_FREE,
					    INSP_F_AVAILABLE};
	struct table *t = table_new("<|>bytes|>");
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		table_cell(t, names[i]);
		table_cell(t, count_of(r, names[i]));
		table_cell(t, size_of(r, names[i]));
	}
	table_print(t, c, 0, stdout);
}

int command_stat(struct cmd *c)
{
	return ask(c, INSP_M_STAT, NULL, print_stat);
}

/* ---- zones ---- */

static void print_zones(struct cmd *c, json *r)
{
	json *list = mv_json_array(r, INSP_F_ZONES);
	struct table *t = table_new(
		"<zone|<start|<end|>frames|>free|>used|>reserved|>largest free run|<used of all");
	for (size_t i = 0; i < length(list); i++) {
		json *z = json_object_array_get_idx(list, i);
		char bar[128];
		table_cell(t, text_of(z, INSP_F_NAME));
		table_cell(t, text_of(z, INSP_F_START));
		table_cell(t, text_of(z, INSP_F_END));
		table_cell(t, count_of(z, INSP_F_FRAMES));
		table_cell(t, count_of(z, INSP_F_FREE));
		table_cell(t, count_of(z, INSP_F_USED));
		table_cell(t, count_of(z, INSP_F_RESERVED));
		table_cell(t, count_of(z, INSP_F_LARGEST_RUN));
		table_cell(t, mv_format_bar(number_of(z, INSP_F_USED), number_of(z, INSP_F_FRAMES),
					    20, c->ascii, bar, sizeof bar));
	}
	table_print(t, c, 0, stdout);
}

int command_zones(struct cmd *c)
{
	return ask(c, INSP_M_ZONES, NULL, print_zones);
}

/* ---- frames ---- */

static const char *words_of(json *list, char *out, size_t size)
{
	struct mv_buf b = {0};
	for (size_t i = 0; i < length(list); i++)
		mv_buf_printf(&b, "%s%s", i ? " " : "",
			      json_object_get_string(json_object_array_get_idx(list, i)));
	mv_format_safe(b.data && b.len ? b.data : "-", out, size);
	mv_buf_free(&b);
	return out;
}

static void print_frames(struct cmd *c, json *r)
{
	json *list = mv_json_array(r, INSP_F_RUNS);
	struct table *t = table_new("<pa|>frames|>size|<state|<zone|>refs|<attributes");
	for (size_t i = 0; i < length(list); i++) {
		json *o = json_object_array_get_idx(list, i);
		char words[128], size[24];
		table_cell(t, text_of(o, INSP_F_PA));
		table_cell(t, count_of(o, INSP_F_COUNT));
		table_cell(t, mv_format_size(number_of(o, INSP_F_COUNT) * MV_FRAME_BYTES, size,
					     sizeof size));
		table_cell(t, text_of(o, INSP_F_STATE));
		table_cell(t, text_of(o, INSP_F_ZONE));
		table_cell(t, count_of(o, INSP_F_REFS));
		table_cell(t, words_of(mv_json_array(o, INSP_F_ATTR), words, sizeof words));
	}
	table_print(t, c, 0, stdout);
}

int command_frames(struct cmd *c)
{
	json *p = json_object_new_object();
	uint64_t from = 0;
	if (!cmd_option_size(c, OPT_FROM, &from)) {
		json_object_put(p);
		return MV_USAGE;
	}
	if (c->opt[OPT_FROM])
		mv_json_add_hex(p, INSP_F_FROM, from);
	if (c->opt[OPT_ZONE])
		mv_json_add_str(p, INSP_F_ZONE, c->opt[OPT_ZONE]);
	return ask(c, INSP_M_FRAMES, p, print_frames);
}

/* ---- caches and slabs ---- */

static void print_caches(struct cmd *c, json *r)
{
	json *list = mv_json_array(r, INSP_F_CACHES);
	struct table *t = table_new(">size|>slabs|>objects|>used|>free|>backing|<used of "
				    "objects|>allocs|>frees|>failed");
	for (size_t i = 0; i < length(list); i++) {
		json *o = json_object_array_get_idx(list, i);
		char bar[80];
		table_cell(t, size_of(o, INSP_F_SIZE));
		table_cell(t, count_of(o, INSP_F_SLABS));
		table_cell(t, count_of(o, INSP_F_OBJECTS));
		table_cell(t, count_of(o, INSP_F_USED));
		table_cell(t, count_of(o, INSP_F_FREE));
		table_cell(t, size_of(o, INSP_F_BYTES));
		table_cell(t, mv_format_bar(number_of(o, INSP_F_USED), number_of(o, INSP_F_OBJECTS),
					    16, c->ascii, bar, sizeof bar));
		table_cell(t, count_of(o, INSP_F_ALLOCS));
		table_cell(t, count_of(o, INSP_F_FREES));
		table_cell(t, count_of(o, INSP_F_FAILED));
	}
	table_print(t, c, 0, stdout);
}

int command_caches(struct cmd *c)
{
	return ask(c, INSP_M_CACHES, NULL, print_caches);
}

static void runs_text(json *runs, char *out, size_t size)
{
	struct mv_buf b = {0};
	for (size_t i = 0; i < length(runs) && b.len < 60; i++) {
		json *pair = json_object_array_get_idx(runs, i);
		uint64_t first = json_object_get_uint64(json_object_array_get_idx(pair, 0));
		uint64_t count = json_object_get_uint64(json_object_array_get_idx(pair, 1));
		if (count > 1)
			mv_buf_printf(&b, "%s%" PRIu64 "-%" PRIu64, i ? " " : "", first,
				      first + count - 1);
		else
			mv_buf_printf(&b, "%s%" PRIu64, i ? " " : "", first);
	}
	if (b.len >= 60)
		mv_buf_text(&b, " ...");
	mv_copy(out, size, b.len ? b.data : "-");
	mv_buf_free(&b);
}

static void print_slabs(struct cmd *c, json *r)
{
	json *list = mv_json_array(r, INSP_F_SLABS);
	struct table *t = table_new("<address|>size|>objects|>used|<used objects");
	for (size_t i = 0; i < length(list); i++) {
		json *o = json_object_array_get_idx(list, i);
		char runs[128];
		runs_text(mv_json_array(o, INSP_F_USED_RUNS), runs, sizeof runs);
		table_cell(t, text_of(o, INSP_F_ADDR));
		table_cell(t, size_of(o, INSP_F_SIZE));
		table_cell(t, count_of(o, INSP_F_OBJECTS));
		table_cell(t, count_of(o, INSP_F_USED));
		table_cell(t, runs);
	}
	table_print(t, c, 0, stdout);
}

int command_slabs(struct cmd *c)
{
	uint64_t size;
	if (!mv_parse_size(c->argv[0], &size))
		return cmd_usage(c, "\"%s\" is no size", c->argv[0]);
	json *p = json_object_new_object();
	mv_json_add_u64(p, INSP_F_SIZE, size);
	return ask(c, INSP_M_SLABS, p, print_slabs);
}

/* ---- one thing, member by member ---- */

static void print_members(struct cmd *c, json *r)
{
	struct table *t = table_new("<|<");
	json_object_object_foreach(r, key, value)
	{
		char safe[320];
		if (strcmp(key, INSP_F_GEN) == 0)
			continue;
		table_cell(t, key);
		const char *text = json_object_is_type(value, json_type_string)
					   ? json_object_get_string(value)
					   : mv_json_line(value);
		table_cell(t, mv_format_safe(text, safe, sizeof safe));
	}
	table_print(t, c, 0, stdout);
}

static bool address(struct cmd *c, const char *text, json *p, const char *key)
{
	uint64_t v;
	if (!mv_parse_addr(text, &v)) {
		cmd_usage(c, "\"%s\" is no address", text);
		json_object_put(p);
		return false;
	}
	mv_json_add_hex(p, key, v);
	return true;
}

int command_object(struct cmd *c)
{
	json *p = json_object_new_object();
	if (!address(c, c->argv[0], p, INSP_F_ADDR))
		return MV_USAGE;
	return ask(c, INSP_M_OBJECT, p, print_members);
}

/* ---- spaces and mappings ---- */

static void print_spaces(struct cmd *c, json *r)
{
	json *list = mv_json_array(r, INSP_F_SPACES);
	struct table *t = table_new(">id|<name|<root|<|>tables|>mapped");
	for (size_t i = 0; i < length(list); i++) {
		json *o = json_object_array_get_idx(list, i);
		bool current = false;
		mv_json_flag(o, INSP_F_CURRENT, &current);
		table_cell(t, count_of(o, INSP_F_ID));
		table_cell(t, text_of(o, INSP_F_NAME));
		table_cell(t, text_of(o, INSP_F_ROOT));
		table_cell(t, current ? "current" : "");
		table_cell(t, count_of(o, INSP_F_TABLES));
		table_cell(t, size_of(o, INSP_F_MAPPED_BYTES));
	}
	table_print(t, c, 0, stdout);
}

int command_spaces(struct cmd *c)
{
	return ask(c, INSP_M_SPACES, NULL, print_spaces);
}

static void print_mappings(struct cmd *c, json *r)
{
	json *list = mv_json_array(r, INSP_F_RUNS);
	struct table *t = table_new("<va|<pa|>length|>page|<rights|<");
	for (size_t i = 0; i < length(list); i++) {
		json *o = json_object_array_get_idx(list, i);
		const char *flags = text_of(o, INSP_F_FLAGS);
		bool w_and_x = strchr(flags, 'w') && strchr(flags, 'x');
		table_cell(t, text_of(o, INSP_F_VA));
		table_cell(t, text_of(o, INSP_F_PA));
		table_cell(t, size_of(o, INSP_F_LEN));
		table_cell(t, size_of(o, INSP_F_PAGE));
		table_cell(t, flags);
		table_cell(t, w_and_x ? "writable and executable!" : "");
	}
	table_print(t, c, 0, stdout);
}

int command_mappings(struct cmd *c)
{
	json *p = json_object_new_object();
	if (!cmd_add_space(c, p))
		return MV_USAGE;
	if (c->opt[OPT_FROM] && !address(c, c->opt[OPT_FROM], p, INSP_F_FROM))
		return MV_USAGE;
	if (c->opt[OPT_TO] && !address(c, c->opt[OPT_TO], p, INSP_F_TO))
		return MV_USAGE;
	if (c->opt[OPT_AD])
		json_object_object_add(p, INSP_F_AD, json_object_new_boolean(true));
	return ask(c, INSP_M_MAPPINGS, p, print_mappings);
}

static void print_translate(struct cmd *c, json *r)
{
	static const char *const names[] = {"", "PT", "PD", "PDPT", "PML4", "PML5"};
	const char *pa = mv_json_str(r, INSP_F_PA);
	printf("%s -> %s", text_of(r, INSP_F_VA), pa ? text_of(r, INSP_F_PA) : "not mapped");
	if (pa)
		printf("  %s page  %s", size_of(r, INSP_F_PAGE), text_of(r, INSP_F_FLAGS));
	putchar('\n');
	json *levels = mv_json_array(r, INSP_F_LEVELS);
	if (!length(levels))
		return;
	struct table *t = table_new("<level|>index|<entry at|<entry");
	for (size_t i = 0; i < length(levels); i++) {
		json *o = json_object_array_get_idx(levels, i);
		uint64_t level = number_of(o, INSP_F_LEVEL);
		table_cell(t, level < 6 ? names[level] : "?");
		table_cell(t, count_of(o, INSP_F_INDEX));
		table_cell(t, text_of(o, INSP_F_AT));
		table_cell(t, text_of(o, INSP_F_ENTRY));
	}
	table_print(t, c, 2, stdout);
}

int command_translate(struct cmd *c)
{
	json *p = json_object_new_object();
	if (!cmd_add_space(c, p) || !address(c, c->argv[0], p, INSP_F_VA))
		return MV_USAGE;
	return ask(c, INSP_M_TRANSLATE, p, print_translate);
}

static void print_rmap(struct cmd *c, json *r)
{
	json *list = mv_json_array(r, INSP_F_RUNS);
	struct table *t = table_new(">space|<va|<pa|>length");
	for (size_t i = 0; i < length(list); i++) {
		json *o = json_object_array_get_idx(list, i);
		table_cell(t, count_of(o, INSP_F_SPACE));
		table_cell(t, text_of(o, INSP_F_VA));
		table_cell(t, text_of(o, INSP_F_PA));
		table_cell(t, size_of(o, INSP_F_LEN));
	}
	if (!length(list))
		puts("nobody maps it");
	table_print(t, c, 0, stdout);
}

int command_rmap(struct cmd *c)
{
	json *p = json_object_new_object();
	uint64_t len;
	if (!address(c, c->argv[0], p, INSP_F_PA))
		return MV_USAGE;
	if (c->argc > 1) {
		if (!mv_parse_size(c->argv[1], &len)) {
			json_object_put(p);
			return cmd_usage(c, "\"%s\" is no length", c->argv[1]);
		}
		mv_json_add_u64(p, INSP_F_LEN, len);
	}
	return ask(c, INSP_M_RMAP, p, print_rmap);
}

/* ---- check, sites, leaks, log ---- */

static bool check_failed;

static void print_check(struct cmd *c, json *r)
{
	(void)c;
	bool ok = false;
	json *checked = mv_json_obj(r, INSP_F_CHECKED), *faults = mv_json_array(r, INSP_F_FAULTS);
	mv_json_flag(r, INSP_F_OK, &ok);
	check_failed = !ok;
	printf("%s: %s frames, %s objects, %s tables checked\n", ok ? "sound" : "BROKEN",
	       count_of(checked, INSP_F_FRAMES), count_of(checked, INSP_F_OBJECTS),
	       count_of(checked, INSP_F_TABLES));
	for (size_t i = 0; i < length(faults); i++) {
		char safe[320];
		puts(mv_format_safe(json_object_get_string(json_object_array_get_idx(faults, i)),
				    safe, sizeof safe));
	}
}

int command_check(struct cmd *c)
{
	int status = ask(c, INSP_M_CHECK, NULL, print_check);
	return status == MV_OK && check_failed ? MV_REFUSED : status;
}

static void print_sites(struct cmd *c, json *r)
{
	json *list = mv_json_array(r, INSP_F_SITES);
	struct table *t = table_new(">held|>objects|>allocs|>frees|<address|<site");
	for (size_t i = 0; i < length(list); i++) {
		json *o = json_object_array_get_idx(list, i);
		table_cell(t, size_of(o, INSP_F_LIVE_BYTES));
		table_cell(t, count_of(o, INSP_F_LIVE_OBJECTS));
		table_cell(t, count_of(o, INSP_F_ALLOCS));
		table_cell(t, count_of(o, INSP_F_FREES));
		table_cell(t, text_of(o, INSP_F_ADDR));
		table_cell(t, text_of(o, INSP_F_SYMBOL));
	}
	table_print(t, c, 0, stdout);
	if (!length(list))
		puts("no sites: attribution is off, or began after the last allocation "
		     "(memviz call trace.start)");
}

int command_sites(struct cmd *c)
{
	json *p = json_object_new_object();
	if (c->opt[OPT_SORT])
		mv_json_add_str(p, INSP_F_SORT, c->opt[OPT_SORT]);
	return ask(c, INSP_M_TRACE_SITES, p, print_sites);
}

static void print_leaks(struct cmd *c, json *r)
{
	json *list = mv_json_array(r, INSP_F_OBJECTS);
	struct table *t = table_new("<address|>size|>age|<site");
	for (size_t i = 0; i < length(list); i++) {
		json *o = json_object_array_get_idx(list, i);
		char age[32];
		table_cell(t, text_of(o, INSP_F_ADDR));
		table_cell(t, size_of(o, INSP_F_SIZE));
		table_cell(t, mv_format_duration(number_of(o, INSP_F_AGE_US), age, sizeof age));
		table_cell(t, mv_json_str(o, INSP_F_SYMBOL) ? text_of(o, INSP_F_SYMBOL)
							    : text_of(o, INSP_F_SITE));
	}
	table_print(t, c, 0, stdout);
}

int command_leaks(struct cmd *c)
{
	uint64_t older = 10000000;
	if (!cmd_option_duration(c, OPT_OLDER_THAN, &older))
		return MV_USAGE;
	json *p = json_object_new_object();
	mv_json_add_u64(p, INSP_F_OLDER_THAN_US, older);
	return ask(c, INSP_M_TRACE_LEAKS, p, print_leaks);
}

static void print_log(struct cmd *c, json *r)
{
	json *list = mv_json_array(r, INSP_F_LINES);
	for (size_t i = 0; i < length(list); i++) {
		json *o = json_object_array_get_idx(list, i);
		uint64_t t = number_of(o, INSP_F_T_US);
		const char *level = text_of(o, INSP_F_LEVEL);
		char style = level[0] == 'e'   ? 'r'
			     : level[0] == 'w' ? 'y'
			     : level[0] == 'd' ? 'd'
					       : 0;
		printf("%s[%5" PRIu64 ".%06" PRIu64 "] %-5s %s%s\n",
		       style ? cmd_style(c, style) : "", t / 1000000, t % 1000000, level,
		       text_of(o, INSP_F_TEXT), style ? cmd_style(c, 0) : "");
	}
}

int command_log(struct cmd *c)
{
	uint64_t since = 0;
	if (!cmd_option_number(c, OPT_SINCE, 0, UINT64_MAX, &since))
		return MV_USAGE;
	json *p = json_object_new_object();
	if (c->opt[OPT_SINCE])
		mv_json_add_u64(p, INSP_F_SINCE, since);
	return ask(c, INSP_M_LOG, p, print_log);
}
