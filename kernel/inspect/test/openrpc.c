/*
 * openrpc: prints the documents that come from the table of methods.
 *	openrpc            docs/openrpc.json
 *	openrpc --table    the table of methods of docs/protocol.md
 */
#include <inspect/table.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char text[1 << 20];

static void print_document(void)
{
	struct insp_writer w;
	static struct insp insp;

	insp_w_init(&w, text, sizeof(text) - 1);
	insp_w_open(&w, '{');
	insp_put_document_head(&w);
	insp_w_key(&w, "methods");
	insp_w_open(&w, '[');
	for (uint32_t i = 0; i < insp_method_count; i++)
		insp_put_method_doc(&insp, &w, &insp_methods[i]);
	insp_w_close(&w, ']');
	insp_w_close(&w, '}');
	*w.p = 0;
	struct json_object *o = w.full ? NULL : json_tokener_parse(text);
	if (!o) {
		fprintf(stderr, "openrpc: the document is no JSON\n");
		exit(1);
	}
	puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY |
						       JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
}

static void print_members(const struct insp_field *f)
{
	for (const char *comma = ""; f->name; f++, comma = ", ")
		printf("%s%s%s", comma, f->name, f->type == INSP_FT_LIST ? "[]" : "");
}

static void print_table(void)
{
	puts("| method | params (? optional) | result | level | |\n|---|---|---|---|---|");
	for (uint32_t i = 0; i < insp_method_count; i++) {
		const struct insp_method *m = &insp_methods[i];
		static const char *const levels[] = {INSP_ACCESS_NAMES};
		printf("| `%s` | ", m->name);
		for (uint32_t k = 0; k < m->param_count; k++)
			printf("%s%s%s", k ? ", " : "", m->params[k].name,
			       m->params[k].optional ? "?" : "");
		printf(" | ");
		print_members(m->result);
		printf(" | %s | %s |\n", levels[m->access], m->summary);
	}
	puts("\nThe elements of the lists:\n\n| list | members |\n|---|---|");
	for (uint32_t i = 0; i < insp_method_count; i++) {
		for (const struct insp_field *f = insp_methods[i].result; f->name; f++) {
			if (f->type != INSP_FT_LIST || !f->sub->name[0])
				continue;
			printf("| `%s` %s[] | ", insp_methods[i].name, f->name);
			print_members(f->sub);
			printf(" |\n");
		}
	}
}

int main(int argc, char **argv)
{
	if (argc == 1) {
		print_document();
	} else if (argc == 2 && !strcmp(argv[1], "--table")) {
		print_table();
	} else {
		fprintf(stderr, "usage: openrpc [--table]\n");
		return 2;
	}
	return 0;
}
