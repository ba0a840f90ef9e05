/*
 * Parameters by table: each row says what a parameter takes; from it come the check, the sentence
 * of the error, and the schema.
 */
#include "internal.h"

#include <string.h>

/* ---- what each type takes, in words ---- */

static size_t list_words(char *buf, size_t size, const char *head, const struct insp_param *p)
{
	size_t len = insp_format(buf, size, "%s", head);

	for (uint32_t i = 0; i < p->word_count; i++)
		len += insp_format(buf + len, size - len, "%s\"%s\"", i ? ", " : " ", p->words[i]);
	return len;
}

static size_t list_zones(char *buf, size_t size, const struct insp *insp)
{
	size_t len = insp_format(buf, size, "a zone:");

	for (uint32_t i = 0; i < insp->zones; i++)
		len += insp_format(buf + len, size - len, "%s\"%s\"", i ? ", " : " ",
				   insp->zone[i].name);
	return len;
}

size_t insp_param_takes(const struct insp *insp, const struct insp_param *p, char *buf, size_t size)
{
	static const char *const fixed[INSP_PARAM_TYPES] = {
		[INSP_PT_ADDR] = "an address as a string \"0x...\" of 1 to 16 hex digits",
		[INSP_PT_BOOL] = "true or false",
		[INSP_PT_RIGHTS] = "a string of the letters w x u g t c and dashes",
		[INSP_PT_CURSOR] = "the string that this method gave as next",
		[INSP_PT_SETTINGS] = "an object of at most 8 whole numbers",
	};

	if (fixed[p->type])
		return insp_format(buf, size, "%s", fixed[p->type]);
	if (p->type == INSP_PT_UINT)
		return insp_format(buf, size, "a whole number from %lu to %lu", p->min, p->max);
	if (p->type == INSP_PT_TEXT)
		return insp_format(buf, size,
				   "a string of %lu to %lu bytes without control characters",
				   p->min, p->max);
	if (p->type == INSP_PT_ZONE)
		return list_zones(buf, size, insp);
	return list_words(buf, size, p->type == INSP_PT_WORD ? "one of" : "an array of some of", p);
}

/* ---- checks: true and arg filled ---- */

static bool take_uint(struct insp_call *c, const struct insp_param *p, struct insp_arg *a)
{
	return insp_json_u64(c->json, a->token, &a->u) && a->u >= p->min && a->u <= p->max;
}

static bool take_addr(struct insp_call *c, const struct insp_param *p, struct insp_arg *a)
{
	const struct insp_token *t = a->token;
	const char *s = c->json->text + t->start;
	uint32_t len = t->end - t->start;

	(void)p;
	if (t->type != INSP_T_STRING || len < 3 || len > 18 || s[0] != '0' || (s[1] | 0x20) != 'x')
		return false;
	a->u = 0;
	for (uint32_t i = 2; i < len; i++) {
		char ch = s[i];
		unsigned d = ch >= '0' && ch <= '9' ? (unsigned)(ch - '0')
						    : (unsigned)((ch | 0x20) - 'a') + 10;
		if (d > 15 || (d >= 10 && ((ch | 0x20) < 'a' || (ch | 0x20) > 'f')))
			return false;
		a->u = a->u << 4 | d;
	}
	return true;
}

static bool take_bool(struct insp_call *c, const struct insp_param *p, struct insp_arg *a)
{
	(void)c;
	(void)p;
	a->u = a->token->type == INSP_T_TRUE;
	return a->token->type == INSP_T_TRUE || a->token->type == INSP_T_FALSE;
}

/* Index of the word that the token is, or word_count. */
static uint32_t word_index(struct insp_call *c, const struct insp_param *p,
			   const struct insp_token *t)
{
	uint32_t i = 0;

	while (i < p->word_count && !insp_json_is(c->json, t, p->words[i]))
		i++;
	return i;
}

static bool take_word(struct insp_call *c, const struct insp_param *p, struct insp_arg *a)
{
	a->u = word_index(c, p, a->token);
	return a->u < p->word_count;
}

static bool take_words(struct insp_call *c, const struct insp_param *p, struct insp_arg *a)
{
	if (a->token->type != INSP_T_ARRAY)
		return false;
	a->u = 0;
	for (uint32_t i = insp_json_index(c->json, a->token) + 1; i < a->token->after;
	     i = c->json->token[i].after) {
		uint32_t word = word_index(c, p, &c->json->token[i]);
		if (word == p->word_count)
			return false;
		a->u |= 1ull << word;
	}
	return a->u != 0 || !p->min;
}

static bool take_zone(struct insp_call *c, const struct insp_param *p, struct insp_arg *a)
{
	(void)p;
	for (a->u = 0; a->u < c->insp->zones; a->u++)
		if (insp_json_is(c->json, a->token, c->insp->zone[a->u].name))
			return true;
	return false;
}

static bool take_rights(struct insp_call *c, const struct insp_param *p, struct insp_arg *a)
{
	static const char letters[] = "wxugtc";

	(void)p;
	if (a->token->type != INSP_T_STRING || a->token->end - a->token->start > 16)
		return false;
	a->u = 0;
	for (uint32_t i = a->token->start; i < a->token->end; i++) {
		char ch = c->json->text[i];
		const char *at = ch ? memchr(letters, ch, sizeof(letters) - 1) : NULL;
		if (!at && ch != '-')
			return false;
		if (at)
			a->u |= 1ull << (at - letters);
	}
	return true;
}

static bool take_text(struct insp_call *c, const struct insp_param *p, struct insp_arg *a)
{
	char buf[128];

	if (a->token->type != INSP_T_STRING)
		return false;
	size_t len = insp_json_string(c->json, a->token, buf, sizeof(buf));
	if (len == SIZE_MAX || len < p->min || len > p->max)
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)buf[i] < 0x20 || buf[i] == 0x7f)
			return false;
	return true;
}

static bool take_cursor(struct insp_call *c, const struct insp_param *p, struct insp_arg *a)
{
	(void)c;
	(void)p;
	return a->token->type == INSP_T_STRING; /* insp_parse_cursor() looks closer */
}

static bool take_settings(struct insp_call *c, const struct insp_param *p, struct insp_arg *a)
{
	uint32_t count = 0;

	(void)p;
	if (a->token->type != INSP_T_OBJECT)
		return false;
	for (uint32_t i = insp_json_index(c->json, a->token) + 1; i < a->token->after;
	     i = c->json->token[i + 1].after) {
		char name[INSP_NAME_MAX - 1];
		uint64_t value;
		if (insp_json_string(c->json, &c->json->token[i], name, sizeof(name)) == SIZE_MAX ||
		    !insp_json_u64(c->json, &c->json->token[i + 1], &value))
			return false;
		count++;
	}
	return count <= INSP_SETTINGS_MAX;
}

static bool (*const take[INSP_PARAM_TYPES])(struct insp_call *call, const struct insp_param *param,
					    struct insp_arg *arg) = {
	[INSP_PT_UINT] = take_uint,	[INSP_PT_ADDR] = take_addr,
	[INSP_PT_BOOL] = take_bool,	[INSP_PT_WORD] = take_word,
	[INSP_PT_WORDS] = take_words,	[INSP_PT_ZONE] = take_zone,
	[INSP_PT_RIGHTS] = take_rights, [INSP_PT_TEXT] = take_text,
	[INSP_PT_CURSOR] = take_cursor, [INSP_PT_SETTINGS] = take_settings,
};

/* ---- a whole params value ---- */

static int fail_param(struct insp_call *c, const struct insp_param *p, const char *wrong)
{
	char takes[160];

	insp_param_takes(c->insp, p, takes, sizeof(takes));
	return insp_fail(c, INSP_E_PARAMS, "parameter %s %s: it takes %s", p->name, wrong, takes);
}

static int take_one(struct insp_call *c, uint32_t index, const struct insp_token *value)
{
	const struct insp_param *p = &c->method->params[index];
	struct insp_arg *a = &c->arg[index];

	if (value->type == INSP_T_NULL && p->optional)
		return 0;
	a->token = value;
	if (p->type == INSP_PT_ZONE)
		insp_know_zones(c->insp);
	if (!take[p->type](c, p, a))
		return fail_param(c, p, "is wrong");
	a->given = true;
	return 0;
}

static int fail_unknown(struct insp_call *c, const struct insp_token *key)
{
	char names[120];
	size_t len = 0;
	uint32_t shown = key->end - key->start < 40 ? key->end - key->start : 40;

	names[0] = 0;
	for (uint32_t i = 0; i < c->method->param_count; i++)
		len += insp_format(names + len, sizeof(names) - len, "%s%s", i ? ", " : "",
				   c->method->params[i].name);
	return insp_fail(c, INSP_E_PARAMS, "unknown parameter %.*s: %s takes %s", (int)shown,
			 c->json->text + key->start, c->method->name, len ? names : "none");
}

static int take_by_name(struct insp_call *c, const struct insp_token *params)
{
	const struct insp_json *j = c->json;

	for (uint32_t i = insp_json_index(j, params) + 1; i < params->after;
	     i = j->token[i + 1].after) {
		uint32_t k = 0;
		while (k < c->method->param_count &&
		       !insp_json_is(j, &j->token[i], c->method->params[k].name))
			k++;
		if (k == c->method->param_count)
			return fail_unknown(c, &j->token[i]);
		int code = take_one(c, k, &j->token[i + 1]);
		if (code)
			return code;
	}
	return 0;
}

static int take_by_place(struct insp_call *c, const struct insp_token *params)
{
	uint32_t k = 0;

	for (uint32_t i = insp_json_index(c->json, params) + 1; i < params->after;
	     i = c->json->token[i].after, k++) {
		if (k == c->method->param_count)
			return insp_fail(c, INSP_E_PARAMS,
					 "too many parameters: %s takes at most %u",
					 c->method->name, c->method->param_count);
		int code = take_one(c, k, &c->json->token[i]);
		if (code)
			return code;
	}
	return 0;
}

int insp_check_params(struct insp_call *c, const struct insp_token *params)
{
	int code = 0;

	memset(c->arg, 0, sizeof(c->arg));
	if (params && params->type == INSP_T_OBJECT)
		code = take_by_name(c, params);
	else if (params && params->type == INSP_T_ARRAY)
		code = take_by_place(c, params);
	else if (params)
		code = insp_fail(c, INSP_E_PARAMS, "params takes an object or an array");
	for (uint32_t i = 0; !code && i < c->method->param_count; i++)
		if (!c->arg[i].given && !c->method->params[i].optional)
			code = fail_param(c, &c->method->params[i], "is missing");
	return code;
}

void insp_arg_text(const struct insp_call *c, uint32_t index, char *buf, size_t size)
{
	size_t len = 0;

	if (c->arg[index].given)
		len = insp_json_string(c->json, c->arg[index].token, buf, size - 1);
	buf[len == SIZE_MAX ? 0 : len] = 0;
}

/* ---- schemas ---- */

static void put_names(struct insp_writer *w, const char *const *words, uint32_t count)
{
	insp_w_key(w, "enum");
	insp_w_open(w, '[');
	for (uint32_t i = 0; i < count; i++)
		insp_w_str(w, words[i]);
	insp_w_close(w, ']');
}

static void put_range(struct insp_writer *w, const char *low, const char *high,
		      const struct insp_param *p)
{
	insp_w_key(w, low);
	insp_w_u64(w, p->min);
	insp_w_key(w, high);
	insp_w_u64(w, p->max);
}

void insp_put_param_schema(const struct insp *insp, struct insp_writer *w,
			   const struct insp_param *p)
{
	static const char *const fixed[INSP_PARAM_TYPES] = {
		[INSP_PT_UINT] = "\"type\":\"integer\"",
		[INSP_PT_ADDR] = "\"type\":\"string\",\"pattern\":\"^0[xX][0-9a-fA-F]{1,16}$\"",
		[INSP_PT_BOOL] = "\"type\":\"boolean\"",
		[INSP_PT_WORD] = "\"type\":\"string\"",
		[INSP_PT_WORDS] = "\"type\":\"array\"",
		[INSP_PT_ZONE] = "\"type\":\"string\"",
		[INSP_PT_RIGHTS] = "\"type\":\"string\",\"pattern\":\"^[wxugtc-]*$\"",
		[INSP_PT_TEXT] = "\"type\":\"string\"",
		[INSP_PT_CURSOR] = "\"type\":\"string\"",
		[INSP_PT_SETTINGS] =
			("\"type\":\"object\",\"maxProperties\":8,"
			 "\"additionalProperties\":{\"type\":\"integer\",\"minimum\":0}"),
	};

	(void)insp;
	insp_w_open(w, '{');
	insp_w_value(w, fixed[p->type], strlen(fixed[p->type]));
	if (p->type == INSP_PT_UINT)
		put_range(w, "minimum", "maximum", p);
	if (p->type == INSP_PT_TEXT)
		put_range(w, "minLength", "maxLength", p);
	if (p->type == INSP_PT_WORD)
		put_names(w, p->words, p->word_count);
	if (p->type == INSP_PT_WORDS) {
		insp_w_key(w, "items");
		insp_w_open(w, '{');
		put_names(w, p->words, p->word_count);
		insp_w_close(w, '}');
	}
	insp_w_close(w, '}');
}
