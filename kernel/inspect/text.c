/*
 * Requests from inside, one line of text each: what a debugger's `monitor` hands on. The words of
 * the line become a JSON request, which then goes the way of all others; so a debugger sees the
 * same checks and the same answers as the wire.
 */
#include "internal.h"

#include <string.h>

#define LINE_MAX 1024 /* of the request that the words become */

struct words {
	const char *at, *end;
};

static bool next_word(struct words *w, const char **word, size_t *len)
{
	while (w->at < w->end && (*w->at == ' ' || *w->at == '\t'))
		w->at++;
	*word = w->at;
	while (w->at < w->end && *w->at != ' ' && *w->at != '\t')
		w->at++;
	*len = (size_t)(w->at - *word);
	return *len != 0;
}

static const struct insp_param *find_param(const struct insp_method *m, const char *name,
					   size_t len)
{
	for (uint32_t i = 0; i < m->param_count; i++)
		if (strlen(m->params[i].name) == len && !memcmp(m->params[i].name, name, len))
			return &m->params[i];
	return NULL;
}

static bool is_decimal(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (s[i] < '0' || s[i] > '9')
			return false;
	return len != 0;
}

/* A number that may be written in hex. */
static void put_number(struct insp_writer *w, const char *s, size_t len)
{
	uint64_t value = 0;

	if (len < 3 || s[0] != '0' || s[1] != 'x' || len > 18) {
		if (is_decimal(s, len) && (s[0] != '0' || len == 1))
			insp_w_value(w, s, len);
		else
			insp_w_text(w, s, len); /* the check will say what is wrong */
		return;
	}
	for (size_t i = 2; i < len; i++) {
		char c = s[i] | 0x20;
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
			insp_w_text(w, s, len);
			return;
		}
		value = value << 4 | (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	insp_w_u64(w, value);
}

/* The word as the parameter's type writes it. */
static void put_word(struct insp_writer *w, const struct insp_param *p, const char *s, size_t len)
{
	if (p->type == INSP_PT_UINT) {
		put_number(w, s, len);
	} else if (p->type == INSP_PT_BOOL &&
		   ((len == 4 && !memcmp(s, "true", 4)) || (len == 5 && !memcmp(s, "false", 5)))) {
		insp_w_value(w, s, len);
	} else if (p->type == INSP_PT_WORDS) {
		insp_w_open(w, '[');
		for (size_t from = 0; from < len;) {
			size_t n = 0;
			while (from + n < len && s[from + n] != ',')
				n++;
			insp_w_text(w, s + from, n);
			from += n + 1;
		}
		insp_w_close(w, ']');
	} else if (p->type == INSP_PT_SETTINGS) {
		insp_w_value(w, s, len);
	} else {
		insp_w_text(w, s, len);
	}
}

/* "VALUE... NAME=VALUE" as the object of params; false with call->code set. */
static bool put_params(struct insp_call *call, struct insp_writer *w, const struct insp_method *m,
		       struct words *words)
{
	const char *word;
	size_t len;
	uint32_t place = 0;

	insp_w_open(w, '{');
	while (next_word(words, &word, &len)) {
		const char *equals = memchr(word, '=', len);
		const struct insp_param *p = NULL;
		size_t skip = 0;
		if (equals) {
			p = find_param(m, word, (size_t)(equals - word));
			skip = (size_t)(equals - word) + 1;
		} else if (place < m->param_count) {
			p = &m->params[place++];
		}
		if (!p) {
			insp_fail(call, INSP_E_PARAMS, "%s does not take %.*s", m->name, (int)len,
				  word);
			return false;
		}
		insp_w_key(w, p->name);
		put_word(w, p, word + skip, len - skip);
	}
	insp_w_close(w, '}');
	return true;
}

/* The line as a JSON request in w. False with call->code set. */
static bool translate_line(struct insp_call *call, struct insp_writer *w, const char *line,
			   size_t line_len)
{
	struct words words = {line, line + line_len};
	const char *word;
	size_t len;

	if (!next_word(&words, &word, &len)) {
		insp_fail(call, INSP_E_REQUEST, "an empty line; a method is wanted, as in mm.stat");
		return false;
	}
	if (len == 3 && !memcmp(word, "rpc", 3) && words.at < words.end) {
		next_word(&words, &word, &len);
		if (len && *word != '{')
			words.at = word + len;
	}
	if (len && *word == '{') {
		insp_w_raw(w, word, (size_t)(words.end - word));
		return true;
	}
	insp_w_open(w, '{');
	insp_w_key(w, INSP_F_METHOD);
	insp_w_text(w, word, len);
	insp_w_key(w, INSP_F_PARAMS);
	const struct insp_method *m = insp_method_find(word, len);
	while (words.at < words.end && *words.at == ' ')
		words.at++;
	if (words.at < words.end && *words.at == '{') {
		insp_w_value(w, words.at, (size_t)(words.end - words.at));
	} else if (m) {
		if (!put_params(call, w, m, &words))
			return false;
	} else {
		insp_w_literal(w, "{}");
	}
	insp_w_close(w, '}');
	return true;
}

static int run_request(struct insp_call *call)
{
	const struct insp_json *j = call->json;
	const struct insp_token *root = &j->token[0];

	if (root->type != INSP_T_OBJECT)
		return insp_fail(call, INSP_E_REQUEST, "not a request: it takes an object");
	const struct insp_token *method = insp_json_member(j, root, INSP_F_METHOD);
	if (!method || method->type != INSP_T_STRING)
		return insp_fail(call, INSP_E_REQUEST, "not a request: method takes a string");
	return insp_call_method(call, method, insp_json_member(j, root, INSP_F_PARAMS));
}

bool insp_call_text(struct insp *insp, const char *line, size_t line_len, enum insp_access access,
		    char *out, size_t cap, size_t *len)
{
	char request[LINE_MAX];
	struct insp_writer w, text;
	struct insp_call call = {.insp = insp, .access = access, .json = &insp->text, .w = &w};
	struct insp_json_error error;

	insp_w_init(&w, out, cap);
	insp_w_init(&text, request, sizeof(request));
	int code = 0;
	if (!translate_line(&call, &text, line, line_len))
		code = call.code;
	else if (text.full)
		code = insp_fail(&call, INSP_E_PARSE, "the line is too long");
	else if (!insp_json_parse(&insp->text, request, (size_t)(text.p - request), &error))
		code = insp_fail(&call, INSP_E_PARSE, "byte %u: %s", error.at, error.what);
	if (!code) {
		insp_w_open(&w, '{');
		code = run_request(&call);
		insp_w_close(&w, '}');
		if (!code && w.full)
			code = insp_fail(&call, INSP_E_INTERNAL, "the answer does not fit");
	}
	if (code) {
		insp_w_init(&w, out, cap);
		insp_put_error(&w, &call);
	}
	*len = (size_t)(w.p - out);
	return !code;
}
