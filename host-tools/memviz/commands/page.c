/* A state as one HTML page that needs nothing else: the picture, then tables that
 * sort by a click on a heading. */
#include "picture.h"

#include <inttypes.h>
#include <memviz/command.h>
#include <memviz/format.h>
#include <stdarg.h>
#include <stdio.h>

#define MAPPINGS_MOST 4000
#define EVENTS_MOST   500

static const char head[] =
	"<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	"<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
	"<title>memviz: memory of a kernel</title>\n<style>\n"
	":root{color-scheme:light dark;--ink:#1d2330;--page:#f4f5f8;--card:#fff;--rule:#d5d9e2;"
	"--line:#eceef3;--bad:#b00020}\n"
	"@media(prefers-color-scheme:dark){:root{--ink:#e3e6ee;--page:#12151c;--card:#1b202a;"
	"--rule:#3d4556;--line:#2a303d;--bad:#ff8a80}}\n"
	"body{font-family:ui-sans-serif,system-ui,sans-serif;margin:0 auto;max-width:1088px;"
	"padding:16px;color:var(--ink);background:var(--page)}\n"
	/* A picture or a table that is wider than a phone scrolls by itself. */
	".wide{overflow-x:auto;background:var(--card);border-radius:8px}\n"
	"svg{display:block;width:100%;min-width:760px;height:auto}\n"
	"details{background:var(--card);border-radius:8px;margin:12px 0;padding:8px 16px}\n"
	"summary{font-weight:600;cursor:pointer;padding:4px 0}\n"
	"table{border-collapse:collapse;width:100%;font-size:13px;white-space:nowrap}\n"
	"th{text-align:left;cursor:pointer;border-bottom:2px solid var(--rule);"
	"padding:4px 12px 4px 0}\n"
	"td{border-bottom:1px solid var(--line);padding:3px 12px 3px 0;"
	"font-family:ui-monospace,monospace}\n"
	"td.n,th.n{text-align:right}\n.bad{color:var(--bad);font-weight:600}\n</style>\n</head>\n"
	"<body>\n";

/* Numbers sort by data-v, texts by themselves. */
static const char tail[] =
	"<script>\ndocument.querySelectorAll('th').forEach(function(th){"
	"th.addEventListener('click',function(){var t=th.closest('table'),i=th.cellIndex,"
	"b=t.tBodies[0],down=th.dataset.down!=='1';th.dataset.down=down?'1':'0';"
	"Array.from(b.rows).sort(function(x,y){var p=x.cells[i],q=y.cells[i],"
	"u=p.dataset.v,v=q.dataset.v,c=u!==undefined&&v!==undefined?Number(u)-Number(v):"
	"p.textContent.localeCompare(q.textContent);return down?-c:c})"
	".forEach(function(r){b.appendChild(r)})})});\n</script>\n</body>\n</html>\n";

static void open_table(struct mv_buf *b, const char *title, bool open, const char *const *heads,
		       size_t n)
{
	mv_buf_printf(b,
		      "<details%s><summary>%s</summary>\n"
		      "<div class=\"wide\"><table><thead><tr>",
		      open ? " open" : "", title);
	for (size_t i = 0; i < n; i++)
		mv_buf_printf(b, "<th%s>%s</th>", heads[i][0] == '>' ? " class=\"n\"" : "",
			      heads[i] + 1);
	mv_buf_text(b, "</tr></thead><tbody>\n");
}

static void close_table(struct mv_buf *b)
{
	mv_buf_text(b, "</tbody></table></div></details>\n");
}

static void cell(struct mv_buf *b, const char *text)
{
	mv_buf_text(b, "<td>");
	picture_escape(b, text);
	mv_buf_text(b, "</td>");
}

static void cell_count(struct mv_buf *b, uint64_t n)
{
	char text[32];
	mv_buf_printf(b, "<td class=\"n\" data-v=\"%" PRIu64 "\">%s</td>", n,
		      mv_format_count(n, text, sizeof text));
}

static void cell_size(struct mv_buf *b, uint64_t n)
{
	char text[32];
	mv_buf_printf(b, "<td class=\"n\" data-v=\"%" PRIu64 "\">%s</td>", n,
		      mv_format_size(n, text, sizeof text));
}

static void cell_addr(struct mv_buf *b, uint64_t n)
{
	mv_buf_printf(b, "<td>0x%016" PRIx64 "</td>", n);
}

static void zones_table(const struct mv_model *m, struct mv_buf *b)
{
	static const char *const heads[] = {"<zone", "<start", "<end",	    ">frames",
					    ">used", ">free",  ">reserved", ">longest free run"};
	open_table(b, "Zones", true, heads, 8);
	for (size_t i = 0; i < m->zone_count; i++) {
		const struct mv_zone *z = &m->zones[i];
		mv_buf_text(b, "<tr>");
		cell(b, z->name);
		cell_addr(b, z->start);
		cell_addr(b, z->end);
		cell_count(b, z->frames);
		cell_count(b, z->used);
		cell_count(b, z->free);
		cell_count(b, z->reserved);
		cell_count(b, z->largest_free_run);
		mv_buf_text(b, "</tr>\n");
	}
	close_table(b);
}

static void caches_table(const struct mv_model *m, struct mv_buf *b)
{
	static const char *const heads[] = {">size",	">slabs",  ">objects", ">used",	 ">free",
					    ">backing", ">allocs", ">frees",   ">failed"};
	open_table(b, "Slab caches", true, heads, 9);
	for (size_t i = 0; i < m->cache_count; i++) {
		const struct mv_cache *k = &m->caches[i];
		mv_buf_text(b, "<tr>");
		cell_size(b, k->size);
		cell_count(b, k->slabs);
		cell_count(b, k->objects);
		cell_count(b, k->used);
		cell_count(b, k->free);
		cell_size(b, k->bytes);
		cell_count(b, k->allocs);
		cell_count(b, k->frees);
		cell_count(b, k->failed);
		mv_buf_text(b, "</tr>\n");
	}
	close_table(b);
}

static void frames_table(const struct mv_model *m, struct mv_buf *b)
{
	static const char *const heads[] = {"<pa",   ">frames", "<state",
					    "<zone", ">refs",	"<attributes"};
	open_table(b, "Runs of frames", false, heads, 6);
	for (size_t i = 0; i < m->frame_run_count; i++) {
		const struct mv_frame_run *r = &m->frames[i];
		char attr[128];
		mv_buf_text(b, "<tr>");
		cell_addr(b, r->pa);
		cell_count(b, r->count);
		cell(b, mv_frame_state_name((enum mv_frame_state)r->state));
		cell(b, r->zone >= 0 && (size_t)r->zone < m->zone_count ? m->zones[r->zone].name
									: "-");
		cell_count(b, r->refs);
		mv_frame_attr_text(r->attr, attr, sizeof attr);
		cell(b, attr);
		mv_buf_text(b, "</tr>\n");
	}
	close_table(b);
}

static void mapping_row(struct mv_buf *b, const struct mv_space *s, const struct mv_mapping *r)
{
	char flags[9];
	bool both = (r->flags & MV_MAP_WRITE) && (r->flags & MV_MAP_EXEC);
	mv_map_flags_text(r->flags, false, flags);
	mv_buf_text(b, "<tr>");
	cell_count(b, (uint64_t)s->id);
	cell_addr(b, r->va);
	cell_addr(b, r->pa);
	cell_size(b, r->len);
	cell_size(b, mv_mapping_page(r));
	mv_buf_printf(b, "<td%s>%s%s</td>", both ? " class=\"bad\"" : "", flags,
		      both ? " writable and executable" : "");
	mv_buf_text(b, "</tr>\n");
}

static void mappings_table(const struct mv_model *m, struct mv_buf *b)
{
	static const char *const heads[] = {">space", "<va", "<pa", ">length", ">page", "<rights"};
	size_t shown = 0, all = 0;
	open_table(b, "Mappings", false, heads, 6);
	for (size_t i = 0; i < m->space_count; i++) {
		const struct mv_space *s = &m->spaces[i];
		all += s->map_count;
		for (size_t k = 0; k < s->map_count && shown < MAPPINGS_MOST; k++, shown++)
			mapping_row(b, s, &s->maps[k]);
	}
	close_table(b);
	if (all > shown)
		mv_buf_printf(b, "<p>%zu more mappings are left out.</p>\n", all - shown);
}

static void events_table(const struct mv_model *m, struct mv_buf *b)
{
	static const char *const heads[] = {">time, s", "<what", "<address", ">size", "<site"};
	size_t n = mv_model_events(m), from = n > EVENTS_MOST ? n - EVENTS_MOST : 0;
	if (!n)
		return;
	open_table(b, "Latest events", false, heads, 5);
	for (size_t i = from; i < n; i++) {
		const struct mv_event *e = mv_model_event(m, i);
		const char *symbol = mv_model_symbol(m, e->site);
		char site[24];
		mv_buf_printf(b, "<tr><td class=\"n\" data-v=\"%" PRIu64 "\">%.6f</td>", e->t_us,
			      (double)e->t_us / 1e6);
		cell(b, mv_event_op_name((enum mv_event_op)e->op));
		cell_addr(b, e->addr);
		cell_size(b, e->size);
		cell(b, symbol ? symbol : mv_format_addr(e->site, site, sizeof site));
		mv_buf_text(b, "</tr>\n");
	}
	close_table(b);
}

static void log_table(const struct mv_model *m, struct mv_buf *b)
{
	static const char *const heads[] = {">time, s", "<level", "<text"};
	size_t n = mv_model_log_lines(m);
	if (!n)
		return;
	open_table(b, "Log", false, heads, 3);
	for (size_t i = 0; i < n; i++) {
		const struct mv_log_line *l = mv_model_log_line(m, i);
		mv_buf_printf(b, "<tr><td class=\"n\" data-v=\"%" PRIu64 "\">%.6f</td>", l->t_us,
			      (double)l->t_us / 1e6);
		cell(b, l->level);
		cell(b, l->text);
		mv_buf_text(b, "</tr>\n");
	}
	close_table(b);
}

void export_html(const struct mv_model *m, struct mv_buf *out)
{
	mv_buf_text(out, head);
	mv_buf_text(out, "<div class=\"wide\">\n");
	export_svg(m, out);
	mv_buf_text(out, "</div>\n");
	zones_table(m, out);
	caches_table(m, out);
	frames_table(m, out);
	mappings_table(m, out);
	events_table(m, out);
	log_table(m, out);
	mv_buf_text(out, tail);
}
