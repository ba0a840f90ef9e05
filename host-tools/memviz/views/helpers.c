// SPDX-License-Identifier: MIT
#include "app.h"
#include "glyph.h"

#include <json-c/json.h>
#include <memviz/base.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define DIRECT_MAP     0xffff800000000000ull
#define DIRECT_MAP_END 0xffffa00000000000ull /* the device window begins */

struct mv_rect mv_panel(struct mv_app *a, struct mv_rect r, const char *title)
{
	struct mv_rect in;

	if (a->room >= ROOM_MEDIUM && r.rows >= 5) {
		in = mv_box(&a->canvas, r, ST_BORDER, ST_TITLE, title);
		in.col++;
		in.cols -= 2;
		return in;
	}
	in = mv_rule(&a->canvas, r, title);
	mv_cut_left(&in, 1);
	return in;
}

void mv_pair(struct mv_app *a, int row, int col, int label_width, const char *label,
	     enum mv_style st, const char *fmt, ...)
{
	char buf[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	mv_text(&a->canvas, row, col, ST_DIM, label);
	mv_text(&a->canvas, row, col + label_width, st, buf);
}

/* Bytes of @text that fit in @cols columns, cut between words where there is a blank. */
static size_t fitting(const char *text, int cols)
{
	const char *p = text, *blank = NULL;
	int used = 0;

	while (*p && *p != '\n') {
		const char *here = p;

		used += mv_utf8_next(&p) ? 1 : 0;
		if (used > cols)
			return (size_t)((blank ? blank : here) - text);
		if (*here == ' ')
			blank = here;
	}
	return (size_t)(p - text);
}

int mv_wrap(struct mv_canvas *c, struct mv_rect r, enum mv_style st, const char *text)
{
	int row = 0;

	while (*text && row < r.rows && r.cols > 0) {
		char line[512];
		size_t n = fitting(text, r.cols);

		snprintf(line, sizeof(line), "%.*s", (int)n, text);
		mv_text(c, r.row + row++, r.col, st, line);
		text += n;
		if (*text == ' ' || *text == '\n')
			text++;
		else if (!n)
			break;
	}
	return row;
}

void mv_note(struct mv_app *a, struct mv_rect r, const char *fmt, ...)
{
	char buf[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	int w = mv_text_width(buf), cols = r.cols - 4 < 72 ? r.cols - 4 : 72;
	int lines = cols > 0 ? w / cols + 1 : 1;

	mv_wrap(&a->canvas, mv_center(r, lines + 1, w < cols ? w : cols), ST_DIM, buf);
}

void mv_waiting(struct mv_app *a, struct mv_rect r, const char *what)
{
	if (a->link.state == MV_SESSION_GDB)
		mv_note(a, r,
			"A stub does not tell %s of this guest. Its page tables are on screen 4.",
			what);
	else if (a->replaying)
		mv_note(a, r, "The recording does not tell %s.", what);
	else
		mv_note(a, r, "Waiting for %s.", what);
}

bool mv_pa_of(const struct mv_model *m, uint64_t va, uint64_t *pa)
{
	const struct mv_space *s = mv_model_current_space(m);
	const struct mv_mapping *map = mv_model_mapping_at(m, s ? s->id : MV_SPACE_KERNEL, va);

	if (map) {
		*pa = map->pa + (va - map->va);
		return true;
	}
	if (mv_in_direct_map(va)) {
		*pa = va - DIRECT_MAP;
		return true;
	}
	return false;
}

bool mv_in_direct_map(uint64_t va)
{
	return va >= DIRECT_MAP && va < DIRECT_MAP_END;
}

uint64_t mv_va_of(const struct mv_model *m, uint64_t pa)
{
	const struct mv_frame_run *run = mv_model_frame_at(m, pa);
	const char *zone = mv_zone_name(m, pa);

	if (run && (run->attr & MV_ATTR_PGT_MAPPED))
		return DIRECT_MAP + pa;
	if (!run || strstr(zone, "UNMAPPED") || run->state == MV_FRAME_HOLE)
		return 0;
	return DIRECT_MAP + pa;
}

char *mv_age(uint64_t us, char *out, size_t size)
{
	if (us < 60000000)
		snprintf(out, size, "%llu s", (unsigned long long)(us / 1000000));
	else
		mv_format_duration(us / 1000000 * 1000000, out, size);
	return out;
}

const char *mv_zone_name(const struct mv_model *m, uint64_t pa)
{
	const struct mv_frame_run *run = mv_model_frame_at(m, pa);
	const struct mv_zone *z;

	if (run && run->zone >= 0 && (size_t)run->zone < m->zone_count)
		return m->zones[run->zone].name;
	z = run ? NULL : mv_model_zone_at(m, pa);
	return z ? z->name : "no zone";
}

const char *mv_zone_short(const char *name)
{
	if (!strncmp(name, "ZONE_", 5))
		name += 5;
	return strncmp(name, "UNMAPPED", 8) ? name : "UNMAPPED";
}

size_t mv_shown_samples(const struct mv_app *a)
{
	size_t n = mv_model_samples(a->live);

	while (a->frozen && n && mv_model_sample(a->live, n - 1)->time_us > a->frozen->time_us)
		n--;
	return n;
}

size_t mv_shown_events(const struct mv_app *a)
{
	size_t n = mv_model_events(a->live);

	while (a->frozen && n && mv_model_event(a->live, n - 1)->number > a->frozen->events_seen)
		n--;
	return n;
}

size_t mv_shown_log(const struct mv_app *a)
{
	size_t n = mv_model_log_lines(a->live);

	while (a->frozen && n && mv_model_log_line(a->live, n - 1)->t_us > a->frozen->uptime_us)
		n--;
	return n;
}

const char *mv_get_text(struct json_object *o, const char *member, const char *other)
{
	const char *text = mv_json_str(o, member);

	return text ? text : other;
}

uint64_t mv_get_addr(struct json_object *o, const char *member, uint64_t other)
{
	mv_json_hex(o, member, &other);
	return other;
}

int64_t mv_get_int(struct json_object *o, const char *member, int64_t other)
{
	mv_json_i64(o, member, &other);
	return other;
}

size_t mv_get_count(struct json_object *o, const char *member)
{
	struct json_object *list = mv_json_array(o, member);

	return list ? json_object_array_length(list) : 0;
}

struct json_object *mv_get_item(struct json_object *o, const char *member, size_t i)
{
	return i < mv_get_count(o, member) ? json_object_array_get_idx(mv_json_array(o, member), i)
					   : NULL;
}

struct json_object *mv_new_addr(uint64_t addr)
{
	char text[24];

	return json_object_new_string(mv_format_addr(addr, text, sizeof(text)));
}
