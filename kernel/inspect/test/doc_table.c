#include "doc_table.h"

#include <inspect/table.h>

/* [] behind a list, ? behind what may be left out. */
static const char *mark(const struct insp_field *f)
{
	if (f->type == INSP_FT_LIST)
		return "[]";
	bool optional = f->optional || f->type == INSP_FT_ADDR_IF || f->type == INSP_FT_AGE_IF ||
			f->type == INSP_FT_SYMBOL;
	return optional ? "?" : "";
}

static void print_members(FILE *to, const struct insp_field *f)
{
	for (const char *comma = ""; f->name; f++, comma = ", ")
		fprintf(to, "%s%s%s", comma, f->name, mark(f));
}

void doc_table(FILE *to)
{
	fputs("| method | params (? optional) | result | level | |\n|---|---|---|---|---|"
	      "\n",
	      to);
	for (uint32_t i = 0; i < insp_method_count; i++) {
		const struct insp_method *m = &insp_methods[i];
		static const char *const levels[] = {INSP_ACCESS_NAMES};
		fprintf(to, "| `%s` | ", m->name);
		for (uint32_t k = 0; k < m->param_count; k++)
			fprintf(to, "%s%s%s", k ? ", " : "", m->params[k].name,
				m->params[k].optional ? "?" : "");
		fprintf(to, " | ");
		print_members(to, m->result);
		fprintf(to, " | %s | %s |\n", levels[m->access], m->summary);
	}
	fputs("\nThe elements of the lists:\n\n| list | members |\n|---|---|"
	      "\n",
	      to);
	for (uint32_t i = 0; i < insp_method_count; i++) {
		for (const struct insp_field *f = insp_methods[i].result; f->name; f++) {
			if (f->type != INSP_FT_LIST || !f->sub->name[0])
				continue;
			fprintf(to, "| `%s` %s[] | ", insp_methods[i].name, f->name);
			print_members(to, f->sub);
			fprintf(to, " |\n");
		}
	}
}
