/*
 * openrpc: prints the documents that come from the table of methods.
 *	openrpc            docs/openrpc.json
 *	openrpc --table    the table of methods of docs/protocol.md
 */
#include "doc_table.h"

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

int main(int argc, char **argv)
{
	if (argc == 1) {
		print_document();
	} else if (argc == 2 && !strcmp(argv[1], "--table")) {
		doc_table(stdout);
	} else {
		fprintf(stderr, "usage: openrpc [--table]\n");
		return 2;
	}
	return 0;
}
