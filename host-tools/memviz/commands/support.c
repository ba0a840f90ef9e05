/* What the commands share: connecting, calling, options, tables, progress. */
#include <inspect/protocol.h>
#include <json-c/json.h>
#include <memviz/base.h>
#include <memviz/command.h>
#include <memviz/format.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

/* ---- session ---- */

bool cmd_connect(struct cmd *c, const struct mv_session_options *o, int *status)
{
	struct mv_session_options own = o ? *o
					  : (struct mv_session_options){.no_hello_state = true};
	own.once = true;
	own.timeout_s = c->timeout_s;
	c->s = mv_session_open(c->target, &own, &c->error);
	/* A recording is asked about its end, as a kernel is about now. */
	struct mv_replay_status st;
	if (c->s && mv_session_replay_status(c->s, &st))
		mv_session_replay_seek(c->s, st.last_us);
	if (c->s && mv_session_wait_hello(c->s, c->timeout_s, &c->error) == MV_OK)
		return true;
	*status = cmd_fail(&c->error);
	return false;
}

int cmd_told_damage(struct cmd *c)
{
	struct mv_replay_status st;
	struct mv_session_status where;
	if (!mv_session_replay_status(c->s, &st) || !st.damaged)
		return MV_OK;
	fflush(stdout); /* what is shown comes before what is said of it */
	mv_session_status(c->s, &where);
	const char *colon = strchr(where.target, ':');
	mv_fail(&c->error, MV_DAMAGED, "%s: %s; it is shown up to there",
		colon ? colon + 1 : where.target, st.damage);
	return cmd_fail(&c->error);
}

bool cmd_live(struct cmd *c, unsigned topics, unsigned hz, int *status)
{
	mv_session_watch(c->s, topics, hz);
	/* A slow line needs long for a full state; while something comes, it is alive. */
	for (;;) {
		if (mv_session_wait_live(c->s, c->timeout_s, &c->error) == MV_OK)
			return true;
		struct mv_session_status st;
		mv_session_status(c->s, &st);
		if (st.state != MV_SESSION_SYNCING || (double)st.silent_us > c->timeout_s * 1e6)
			break;
	}
	*status = cmd_fail(&c->error);
	return false;
}

struct json_object *cmd_call(struct cmd *c, const char *method, struct json_object *params,
			     int *status)
{
	struct json_object *result = NULL;
	if (mv_session_call_wait(c->s, method, params, true, &result, &c->error) == MV_OK)
		return result;
	*status = cmd_fail(&c->error);
	return NULL;
}

/* ---- options ---- */

bool cmd_option_size(struct cmd *c, enum option_id id, uint64_t *out)
{
	if (!c->opt[id] || mv_parse_size(c->opt[id], out))
		return true;
	cmd_usage(c, "--%s: \"%s\" is neither a size nor an address", option_rows[id].name,
		  c->opt[id]);
	return false;
}

bool cmd_option_number(struct cmd *c, enum option_id id, uint64_t low, uint64_t high, uint64_t *out)
{
	if (!c->opt[id])
		return true;
	uint64_t v;
	if (mv_parse_size(c->opt[id], &v) && v >= low && v <= high) {
		*out = v;
		return true;
	}
	cmd_usage(c, "--%s takes a number from %llu to %llu, not \"%s\"", option_rows[id].name,
		  (unsigned long long)low, (unsigned long long)high, c->opt[id]);
	return false;
}

bool cmd_add_space(struct cmd *c, struct json_object *params)
{
	uint64_t id = 0;
	if (!cmd_option_number(c, OPT_SPACE, 0, UINT32_MAX, &id)) {
		json_object_put(params);
		return false;
	}
	if (c->opt[OPT_SPACE])
		mv_json_add_u64(params, INSP_F_SPACE, id);
	return true;
}

bool cmd_option_duration(struct cmd *c, enum option_id id, uint64_t *us)
{
	if (!c->opt[id] || mv_parse_duration(c->opt[id], us))
		return true;
	cmd_usage(c, "--%s takes a duration such as 10m, 90s or 2.5, not \"%s\"",
		  option_rows[id].name, c->opt[id]);
	return false;
}

static bool parse_wall(const char *text, uint64_t first_us, uint64_t *out)
{
	time_t base = (time_t)(first_us / 1000000);
	struct tm tm;
	if (!localtime_r(&base, &tm))
		return false;
	tm.tm_isdst = -1;
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	bool day = end != NULL;
	if (!end)
		end = strptime(text, "%H:%M:%S", &tm);
	if (!end)
		return false;
	double fraction = 0;
	if (*end == '.') {
		char *after;
		fraction = strtod(end, &after);
		end = after;
	}
	if (*end)
		return false;
	time_t t = mktime(&tm);
	if (!day && t + 1 < base)
		t += 86400; /* a recording over midnight */
	*out = (uint64_t)t * 1000000u + (uint64_t)(fraction * 1e6);
	return true;
}

bool cmd_parse_time(const char *text, uint64_t first_us, uint64_t last_us, uint64_t *out)
{
	uint64_t us;
	if (strcmp(text, "start") == 0) {
		*out = first_us;
		return true;
	}
	if (strcmp(text, "end") == 0) {
		*out = last_us;
		return true;
	}
	if (text[0] == '-' && mv_parse_duration(text + 1, &us)) {
		*out = us > last_us ? 0 : last_us - us;
		return true;
	}
	if (mv_parse_duration(text[0] == '+' ? text + 1 : text, &us)) {
		*out = first_us + us;
		return true;
	}
	return parse_wall(text, first_us, out);
}

/* ---- output ---- */

void cmd_print_json(struct json_object *o)
{
	puts(mv_json_line(o));
}

const char *cmd_style(const struct cmd *c, char style)
{
	static const struct {
		char style;
		const char *sequence;
	} styles[] = {
		{'b', "\x1b[1m" },
		   {'d', "\x1b[2m" },
		      {'r', "\x1b[31m"},
		 {'g', "\x1b[32m"},
		{'y', "\x1b[33m"},
		   {'m', "\x1b[35m"},
		      {'c', "\x1b[36m"},
		 {0,   "\x1b[0m" },
	};
	for (size_t i = 0; c->color && i < sizeof styles / sizeof *styles; i++)
		if (styles[i].style == style)
			return styles[i].sequence;
	return "";
}

static bool progress_shown;

void cmd_progress(const char *fmt, ...)
{
	static uint64_t last_us;
	uint64_t now = mv_now_us();
	if (!isatty(STDERR_FILENO) || now < last_us + 100000)
		return;
	last_us = now;
	va_list args;
	va_start(args, fmt);
	fputs("\r", stderr);
	vfprintf(stderr, fmt, args);
	fputs("\x1b[K", stderr);
	va_end(args);
	fflush(stderr);
	progress_shown = true;
}

void cmd_progress_end(void)
{
	if (progress_shown)
		fputs("\r\x1b[K", stderr);
	progress_shown = false;
}

/* ---- tables ---- */

#define COLUMNS_MAX 16

struct table {
	unsigned columns;
	bool right[COLUMNS_MAX];
	size_t width[COLUMNS_MAX];
	char **cells; /* row by row, the headings first */
	size_t count, capacity;
};

/* Columns that a text takes on a terminal, by the C library's widths. */
static size_t text_width(const char *text)
{
	size_t width = 0;
	mbstate_t state = {0};
	const char *p = text;
	while (*p) {
		wchar_t wide;
		size_t n = mbrtowc(&wide, p, MB_CUR_MAX, &state);
		if (n == 0 || n == (size_t)-1 || n == (size_t)-2) {
			/* Not this locale's: count UTF-8 characters. */
			state = (mbstate_t){0};
			width += ((unsigned char)*p & 0xc0) != 0x80;
			p++;
			continue;
		}
		int w = wcwidth(wide);
		width += w > 0 ? (size_t)w : 0;
		p += n;
	}
	return width;
}

struct table *table_new(const char *columns)
{
	struct table *t = mv_alloc(sizeof *t);
	char *copy = mv_strdup(columns), *save = NULL;
	char *heads[COLUMNS_MAX] = {0};
	for (char *w = strtok_r(copy, "|", &save); w && t->columns < COLUMNS_MAX;
	     w = strtok_r(NULL, "|", &save)) {
		t->right[t->columns] = w[0] == '>';
		heads[t->columns++] = w + 1;
	}
	if (!t->columns)
		abort();
	for (unsigned i = 0; i < t->columns; i++)
		table_cell(t, heads[i]);
	free(copy);
	return t;
}

void table_cell(struct table *t, const char *text)
{
	size_t column = t->count % t->columns, width = text_width(text);
	if (width > t->width[column])
		t->width[column] = width;
	mv_grow(&t->cells, &t->capacity, t->count + 1, sizeof *t->cells);
	t->cells[t->count++] = mv_strdup(text);
}

void table_cellf(struct table *t, const char *fmt, ...)
{
	char text[512];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	table_cell(t, text);
}

static void print_cell(const struct table *t, size_t i, FILE *out)
{
	unsigned column = (unsigned)(i % t->columns);
	const char *text = t->cells[i];
	int pad = (int)(t->width[column] - text_width(text));
	bool last = column + 1 == t->columns;
	if (t->right[column])
		fprintf(out, "%*s%s", pad, "", text);
	else
		fprintf(out, "%s%*s", text, last ? 0 : pad, "");
	if (!last)
		fputs("  ", out);
}

void table_print(struct table *t, const struct cmd *c, unsigned indent, FILE *out)
{
	bool headings = false;
	if (!t->columns)
		abort();
	for (unsigned i = 0; i < t->columns; i++)
		headings = headings || t->cells[i][0];
	for (size_t i = headings ? 0 : t->columns; i < t->count; i++) {
		if (i % t->columns == 0)
			fprintf(out, "%*s%s", (int)indent, "", i ? "" : cmd_style(c, 'd'));
		print_cell(t, i, out);
		if ((i + 1) % t->columns == 0)
			fprintf(out, "%s\n", i < t->columns ? cmd_style(c, 0) : "");
	}
	for (size_t i = 0; i < t->count; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t);
}
