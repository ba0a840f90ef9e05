/*
 * A state as one SVG picture, top down: figures, history, zones, memory map,
 * caches. Colours are safe for colour-blind eyes (Okabe and Ito), and no colour
 * stands alone: cells carry letters, bars carry numbers.
 */
#include "picture.h"

#include "cells.h"

#include <inttypes.h>
#include <memviz/command.h>
#include <memviz/format.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH	    1040.0
#define MARGIN	    24.0
#define INNER	    (WIDTH - 2 * MARGIN)
#define LABEL	    190.0 /* column of names */
#define FIGURES	    290.0 /* column of figures, before the bars: a narrow screen shows these first */
#define MAP_COLUMNS 64
#define MAP_ROWS    32
#define POINTS	    480 /* of the history, at most */

/* What follows the reader's light or dark is a class; what means something is a colour. */
#define TRACK ".track"

static const char *const state_colors[MV_FRAME_STATES] = {
	TRACK, "#cc79a7", "#009e73", "#0072b2", "#e69f00", "none", "#999999"};

void picture_escape(struct mv_buf *b, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&':
			mv_buf_text(b, "&amp;");
			break;
		case '<':
			mv_buf_text(b, "&lt;");
			break;
		case '>':
			mv_buf_text(b, "&gt;");
			break;
		case '"':
			mv_buf_text(b, "&quot;");
			break;
		default:
			mv_buf_add(b, text, 1);
		}
	}
}

static const char *size(uint64_t bytes)
{
	static char text[8][24];
	static unsigned turn;
	turn = (turn + 1) % 8;
	return mv_format_size(bytes, text[turn], sizeof text[turn]);
}

static void text_at(struct mv_buf *b, double x, double y, const char *class, const char *text)
{
	mv_buf_printf(b, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">", x, y, class);
	picture_escape(b, text);
	mv_buf_text(b, "</text>\n");
}

static void rect(struct mv_buf *b, double x, double y, double w, double h, const char *fill,
		 const char *title)
{
	bool class = fill[0] == '.';
	mv_buf_printf(b,
		      "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" %s=\"%s\" "
		      "rx=\"1.5\">",
		      x, y, w, h, class ? "class" : "fill", fill + class);
	if (title) {
		mv_buf_text(b, "<title>");
		picture_escape(b, title);
		mv_buf_text(b, "</title>");
	}
	mv_buf_text(b, "</rect>\n");
}

static double share(uint64_t part, uint64_t whole)
{
	return whole ? (double)part / (double)whole : 0;
}

static double heading(struct mv_buf *b, double y, const char *text)
{
	y += 34;
	text_at(b, MARGIN, y, "h", text);
	return y + 10;
}

/* One line: name, figures, bar. */
static double bar(struct mv_buf *b, double y, const char *name, double part, const char *color,
		  const char *figures)
{
	double left = MARGIN + LABEL + FIGURES, width = INNER - LABEL - FIGURES;
	text_at(b, MARGIN, y + 13, "t", name);
	text_at(b, MARGIN + LABEL, y + 13, "n", figures);
	rect(b, left, y + 2, width, 14, TRACK, NULL);
	if (part > 0)
		rect(b, left, y + 2, part * width < 1 ? 1 : part * width, 14, color, figures);
	return y + 21;
}

/* ---- sections ---- */

static double section_title(const struct mv_model *m, struct mv_buf *b, double y)
{
	const struct mv_hello *h = &m->hello;
	char line[256], up[32], clock[32];
	snprintf(line, sizeof line, "%s %s", h->name[0] ? h->name : "kernel", h->version);
	text_at(b, MARGIN, y + 22, "title", line);
	snprintf(line, sizeof line, "build %.16s · %u CPU%s · generation %" PRIu64 " · %s%s · %s",
		 h->build_id[0] ? h->build_id : "?", h->cpus, h->cpus == 1 ? "" : "s", m->gen,
		 m->uptime_us ? "up " : "",
		 m->uptime_us ? mv_format_duration(m->uptime_us, up, sizeof up) : "",
		 m->time_us ? mv_format_clock(m->time_us, clock, sizeof clock) : "");
	text_at(b, MARGIN, y + 42, "n", line);
	return y + 46;
}

static double section_memory(const struct mv_model *m, struct mv_buf *b, double y)
{
	const struct mv_stat *s = &m->stat;
	char line[160];
	if (!m->stat_known)
		return y;
	snprintf(line, sizeof line, "Memory: %s", size(s->total));
	y = heading(b, y, line);
	const struct {
		const char *name, *color;
		uint64_t part;
	} rows[] = {
		{"used",		 "#0072b2", s->used	   },
		{"free",		 "#56b4e9", s->free	   },
		{"slab objects in use", "#009e73", s->cache_used},
		{"slab objects free",   "#8fd6bf", s->cache_free},
		{"shared",		   "#d55e00", s->shared    },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		snprintf(line, sizeof line, "%s, %.1f %%", size(rows[i].part),
			 100 * share(rows[i].part, s->total));
		y = bar(b, y, rows[i].name, share(rows[i].part, s->total), rows[i].color, line);
	}
	return y;
}

struct curve {
	const char *name, *color;
	size_t offset; /* in struct mv_stat */
};

static uint64_t figure_of(const struct mv_sample *s, size_t offset)
{
	uint64_t v;
	memcpy(&v, (const char *)&s->stat + offset, sizeof v);
	return v;
}

static void draw_curve(const struct mv_model *m, struct mv_buf *b, const struct curve *c, double y,
		       double height, uint64_t low, uint64_t high)
{
	size_t n = mv_model_samples(m), step = n / POINTS + 1;
	uint64_t first = mv_model_sample(m, 0)->time_us;
	uint64_t span = mv_model_sample(m, n - 1)->time_us - first;
	double before = -1;
	mv_buf_printf(b, "<path fill=\"none\" stroke=\"%s\" stroke-width=\"1.8\" d=\"", c->color);
	for (size_t i = 0; i < n; i += step) {
		const struct mv_sample *s = mv_model_sample(m, i + step < n ? i : n - 1);
		double x = MARGIN + INNER * share(s->time_us - first, span);
		double v = y + height - height * share(figure_of(s, c->offset) - low, high - low);
		/* Steps, for that is what memory does between two samples. */
		if (before >= 0)
			mv_buf_printf(b, "L%.1f %.1f", x, before);
		mv_buf_printf(b, "%c%.1f %.1f", before < 0 ? 'M' : 'L', x, v);
		before = v;
	}
	mv_buf_text(b, "\"/>\n");
}

static double section_history(const struct mv_model *m, struct mv_buf *b, double y)
{
	static const struct curve curves[] = {
		{"used",		 "#0072b2", offsetof(struct mv_stat, used)	  },
		{"slab objects in use", "#009e73", offsetof(struct mv_stat, cache_used)},
	};
	size_t n = mv_model_samples(m);
	char line[160], span[32];
	if (n < 2)
		return y;
	uint64_t us = mv_model_sample(m, n - 1)->time_us - mv_model_sample(m, 0)->time_us;
	snprintf(line, sizeof line, "History: %s", mv_format_duration(us, span, sizeof span));
	y = heading(b, y, line);
	for (size_t k = 0; k < sizeof curves / sizeof *curves; k++) {
		uint64_t low = UINT64_MAX, high = 0;
		for (size_t i = 0; i < n; i++) {
			uint64_t v = figure_of(mv_model_sample(m, i), curves[k].offset);
			low = v < low ? v : low;
			high = v > high ? v : high;
		}
		snprintf(line, sizeof line, "%s: %s to %s", curves[k].name, size(low), size(high));
		text_at(b, MARGIN, y + 12, "n", line);
		rect(b, MARGIN, y + 18, INNER, 62, ".plot", NULL);
		draw_curve(m, b, &curves[k], y + 22, 54, low, high > low ? high : low + 1);
		y += 92;
	}
	return y;
}

static double section_zones(const struct mv_model *m, struct mv_buf *b, double y)
{
	char line[200];
	if (!m->zone_count)
		return y;
	y = heading(b, y, "Zones");
	for (size_t i = 0; i < m->zone_count; i++) {
		const struct mv_zone *z = &m->zones[i];
		snprintf(line, sizeof line, "%" PRIu64 " of %" PRIu64 " used, longest free run %s",
			 z->used, z->frames, size(z->largest_free_run * MV_FRAME_BYTES));
		y = bar(b, y, z->name, share(z->used, z->frames), "#0072b2", line);
	}
	return y;
}

/* ---- the map ---- */

static void draw_cell(struct mv_buf *b, const struct cell *cell, double x, double y, double side,
		      uint64_t pa)
{
	char title[200];
	double part;
	enum mv_frame_state shown = cell_shows(cell, &part);
	int used = snprintf(title, sizeof title, "0x%" PRIx64, pa);
	if (shown == MV_FRAME_HOLE)
		return;
	for (unsigned s = 0; s < MV_FRAME_STATES; s++)
		if (cell->frames[s] && used < (int)sizeof title - 40)
			used += snprintf(title + used, sizeof title - (size_t)used,
					 ", %" PRIu64 " %s", cell->frames[s],
					 mv_frame_state_name((enum mv_frame_state)s));
	double full = shown == MV_FRAME_FREE ? 1 : 0.45 + 0.55 * part;
	mv_buf_printf(b, "<g opacity=\"%.2f\">", full);
	rect(b, x, y, side - 1.5, side - 1.5, state_colors[shown], title);
	mv_buf_text(b, "</g>");
	if (shown != MV_FRAME_FREE)
		mv_buf_printf(b, "<text x=\"%.1f\" y=\"%.1f\" class=\"l\">%c</text>\n",
			      x + side / 2 - 0.7, y + side - 4.5, mv_frame_state_letter(shown));
}

static double legend(struct mv_buf *b, double y)
{
	double x = MARGIN;
	for (unsigned s = 0; s <= MV_FRAME_RESERVED; s++) {
		char line[40];
		rect(b, x, y + 3, 12, 12, state_colors[s], NULL);
		snprintf(line, sizeof line, "%c %s", mv_frame_state_letter((enum mv_frame_state)s),
			 mv_frame_state_name((enum mv_frame_state)s));
		text_at(b, x + 18, y + 13, "n", line);
		x += 110;
	}
	return y + 24;
}

static double draw_segment(const struct mv_model *m, const struct mv_range *range,
			   uint64_t per_cell, struct mv_buf *b, double y)
{
	double left = MARGIN + 100, side = (INNER - 100) / MAP_COLUMNS;
	size_t n;
	struct cell *cells = cells_count(m, range, per_cell, &n);
	for (size_t i = 0; i < n; i++) {
		uint64_t pa = range->first + i * per_cell * MV_FRAME_BYTES;
		if (i % MAP_COLUMNS == 0) {
			char line[40];
			snprintf(line, sizeof line, "0x%" PRIx64, pa);
			text_at(b, MARGIN, y + side - 3, "a", line);
		}
		draw_cell(b, &cells[i], left + (double)(i % MAP_COLUMNS) * side, y, side, pa);
		if (i % MAP_COLUMNS == MAP_COLUMNS - 1)
			y += side;
	}
	free(cells);
	return n % MAP_COLUMNS ? y + side : y;
}

static double section_map(const struct mv_model *m, struct mv_buf *b, double y)
{
	struct mv_range segments[16];
	size_t n = mv_model_segments(m, segments, 16);
	uint64_t per_cell = cells_scale(segments, n, MAP_COLUMNS * MAP_ROWS);
	char line[160];
	if (!per_cell)
		return y;
	snprintf(line, sizeof line, "Physical memory: a cell is %s",
		 size(per_cell * MV_FRAME_BYTES));
	y = legend(b, heading(b, y, line));
	for (size_t i = 0; i < n; i++)
		y = draw_segment(m, &segments[i], per_cell, b, y) + 6;
	return y;
}

static double section_caches(const struct mv_model *m, struct mv_buf *b, double y)
{
	char line[200], name[48];
	if (!m->cache_count)
		return y;
	y = heading(b, y, "Slab caches: objects in use of those there is room for");
	for (size_t i = 0; i < m->cache_count; i++) {
		const struct mv_cache *k = &m->caches[i];
		if (!k->objects && !k->allocs)
			continue;
		snprintf(name, sizeof name, "%s", size(k->size));
		snprintf(line, sizeof line, "%" PRIu64 " of %" PRIu64 " in %s", k->used, k->objects,
			 size(k->bytes));
		y = bar(b, y, name, share(k->used, k->objects), "#009e73", line);
	}
	return y;
}

void export_svg(const struct mv_model *m, struct mv_buf *out)
{
	struct mv_buf body = {0};
	double y = 18;
	y = section_title(m, &body, y);
	y = section_memory(m, &body, y);
	y = section_history(m, &body, y);
	y = section_zones(m, &body, y);
	y = section_map(m, &body, y);
	y = section_caches(m, &body, y);
	y += MARGIN;
	mv_buf_printf(out,
		      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" "
		      "width=\"%.0f\" height=\"%.0f\" role=\"img\">\n",
		      WIDTH, y, WIDTH, y);
	mv_buf_text(out, "<title>Memory of a kernel, by memviz</title>\n<style>"
			 "text{font-family:ui-sans-serif,system-ui,sans-serif;fill:#1d2330}"
			 ".title{font-size:22px;font-weight:600}.h{font-size:15px;font-weight:600}"
			 ".t{font-size:12.5px}.n{font-size:12px;fill:#4a5265}"
			 ".a{font-size:10.5px;fill:#4a5265;font-family:ui-monospace,monospace}"
			 ".l{font-size:8px;fill:#fff;text-anchor:middle;pointer-events:none;"
			 "font-family:ui-monospace,monospace}"
			 ".card{fill:#fff}.track{fill:#e4e7ec}.plot{fill:#f4f5f8}"
			 "@media(prefers-color-scheme:dark){text{fill:#e3e6ee}.n,.a{fill:#a9b2c4}"
			 ".l{fill:#fff}.card{fill:#1b202a}.track{fill:#2f3644}"
			 ".plot{fill:#232935}}</style>\n");
	mv_buf_printf(out, "<rect width=\"%.0f\" height=\"%.0f\" class=\"card\"/>\n", WIDTH, y);
	mv_buf_add(out, body.data, body.len);
	mv_buf_text(out, "</svg>\n");
	mv_buf_free(&body);
}
