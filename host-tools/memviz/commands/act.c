/* The commands that act: one request each. What is wrong with the values the
 * kernel says; only what is no number at all is refused here. */
#include <ctype.h>
#include <inspect/protocol.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <memviz/base.h>
#include <memviz/command.h>
#include <memviz/format.h>
#include <stdlib.h>
#include <string.h>

typedef struct json_object json;

enum argument_kind { ARG_SIZE, ARG_ADDR, ARG_WORD };
struct argument {
	const char *name;
	enum argument_kind kind;
};

/* Reads the positional arguments into params; NULL: said. */
static json *arguments(struct cmd *c, const struct argument *table, int n)
{
	json *p = json_object_new_object();
	for (int i = 0; i < n; i++) {
		uint64_t v;
		const char *text = c->argv[i];
		if (table[i].kind == ARG_WORD) {
			mv_json_add_str(p, table[i].name, text);
		} else if (!mv_parse_size(text, &v) || v > INT64_MAX * 2ull + 1) {
			cmd_usage(c, "%s: \"%s\" is no %s", table[i].name, text,
				  table[i].kind == ARG_ADDR ? "address" : "number");
			json_object_put(p);
			return NULL;
		} else if (table[i].kind == ARG_ADDR) {
			mv_json_add_hex(p, table[i].name, v);
		} else {
			mv_json_add_u64(p, table[i].name, v);
		}
	}
	return p;
}

static void flag(struct cmd *c, json *p, enum option_id id, const char *key)
{
	if (c->opt[id])
		json_object_object_add(p, key, json_object_new_boolean(true));
}

/* Members in their order, one line: "addr 0x... size 128". */
static void print_line(json *r)
{
	const char *gap = "";
	json_object_object_foreach(r, key, value)
	{
		char safe[200];
		if (strcmp(key, INSP_F_GEN) == 0)
			continue;
		const char *text = json_object_is_type(value, json_type_string)
					   ? json_object_get_string(value)
					   : mv_json_line(value);
		printf("%s%s %s", gap, key, mv_format_safe(text, safe, sizeof safe));
		gap = "  ";
	}
	putchar('\n');
}

static int act(struct cmd *c, const char *method, json *params)
{
	int status = MV_OK;
	if (!cmd_connect(c, NULL, &status)) {
		json_object_put(params);
		return status;
	}
	json *result = cmd_call(c, method, params, &status);
	if (!result)
		return status;
	if (c->json)
		cmd_print_json(result);
	else
		print_line(result);
	json_object_put(result);
	return MV_OK;
}

int command_kmalloc(struct cmd *c)
{
	static const struct argument table[] = {
		{INSP_F_SIZE, ARG_SIZE}
	       };
	json *p = arguments(c, table, 1);
	if (!p)
		return MV_USAGE;
	flag(c, p, OPT_ZERO, INSP_F_ZERO);
	return act(c, INSP_M_KMALLOC, p);
}

int command_kfree(struct cmd *c)
{
	static const struct argument table[] = {
		{INSP_F_ADDR, ARG_ADDR}
	       };
	json *p = arguments(c, table, 1);
	return p ? act(c, INSP_M_KFREE, p) : MV_USAGE;
}

int command_alloc_pages(struct cmd *c)
{
	static const struct argument table[] = {
		{INSP_F_ZONE, ARG_WORD},
		 {INSP_F_NUM,  ARG_SIZE}
	       };
	json *p = arguments(c, table, 2);
	if (!p)
		return MV_USAGE;
	if (c->argc > 2) {
		json *flags = json_object_new_array();
		for (int i = 2; i < c->argc; i++)
			json_object_array_add(flags, json_object_new_string(c->argv[i]));
		json_object_object_add(p, INSP_F_FLAGS, flags);
	}
	flag(c, p, OPT_DRY_RUN, INSP_F_DRY_RUN);
	return act(c, INSP_M_ALLOC_PAGES, p);
}

int command_free_pages(struct cmd *c)
{
	static const struct argument table[] = {
		{INSP_F_PA,  ARG_ADDR},
		       {INSP_F_NUM, ARG_SIZE}
	     };
	json *p = arguments(c, table, 2);
	return p ? act(c, INSP_M_FREE_PAGES, p) : MV_USAGE;
}

int command_map(struct cmd *c)
{
	static const struct argument table[] = {
		{INSP_F_VA,    ARG_ADDR},
		{INSP_F_PA,    ARG_ADDR},
		{INSP_F_LEN,   ARG_SIZE},
		{INSP_F_FLAGS, ARG_WORD}
	};
	json *p = arguments(c, table, 4);
	if (!p || !cmd_add_space(c, p))
		return MV_USAGE;
	flag(c, p, OPT_4K, INSP_F_USE4K);
	flag(c, p, OPT_USER, INSP_F_USER);
	flag(c, p, OPT_DRY_RUN, INSP_F_DRY_RUN);
	return act(c, INSP_M_MAP, p);
}

int command_unmap(struct cmd *c)
{
	static const struct argument table[] = {
		{INSP_F_VA,  ARG_ADDR},
		       {INSP_F_LEN, ARG_SIZE}
	     };
	json *p = arguments(c, table, 2);
	if (!p || !cmd_add_space(c, p))
		return MV_USAGE;
	flag(c, p, OPT_DRY_RUN, INSP_F_DRY_RUN);
	return act(c, INSP_M_UNMAP, p);
}

/* ---- call: any method ---- */

/* A value is JSON where it reads as JSON, else a string: size=80, zero=true,
 * flags=["PAGE_SHARED"], addr=0xffff..., zone=ZONE_DMA. */
static json *value_of(const char *text)
{
	json *v = mv_json_parse(text, strlen(text), NULL);
	if (v || strcmp(text, "null") == 0)
		return v;
	/* Sizes with a unit or separators are numbers too; hex stays a string. */
	uint64_t n;
	if (isdigit((unsigned char)text[0]) && text[1] != 'x' && mv_parse_size(text, &n))
		return json_object_new_uint64(n);
	return json_object_new_string(text);
}

int command_call(struct cmd *c)
{
	json *p = NULL;
	int status = MV_OK;
	for (int i = 1; i < c->argc; i++) {
		char *equals = strchr(c->argv[i], '=');
		if (!equals || equals == c->argv[i]) {
			json_object_put(p);
			return cmd_usage(c, "\"%s\" is not key=value", c->argv[i]);
		}
		if (!p)
			p = json_object_new_object();
		*equals = 0;
		json_object_object_add(p, c->argv[i], value_of(equals + 1));
		*equals = '=';
	}
	struct mv_session_options o = {.quiet_model = true};
	if (!cmd_connect(c, &o, &status)) {
		json_object_put(p);
		return status;
	}
	json *result = NULL;
	if (mv_session_call_wait(c->s, c->argv[0], p, false, &result, &c->error) != MV_OK)
		return cmd_fail(&c->error);
	cmd_print_json(result);
	json_object_put(result);
	return MV_OK;
}
