/*
 * Subcommands: a flat table of them, a flat table of options, and what the
 * functions behind both share.
 */
#ifndef MEMVIZ_COMMAND_H
#define MEMVIZ_COMMAND_H

#include <memviz/config.h>
#include <memviz/error.h>
#include <memviz/session.h>
#include <stdio.h>

struct json_object;

enum option_id {
	OPT_TARGET,
	OPT_JSON,
	OPT_NO_COLOR,
	OPT_ASCII,
	OPT_TIMEOUT,
	OPT_CONFIG,
	OPT_HELP,
	OPT_VERSION,
	OPT_ZERO,
	OPT_4K,
	OPT_USER,
	OPT_SPACE,
	OPT_DRY_RUN,
	OPT_ZONE,
	OPT_FROM,
	OPT_TO,
	OPT_AD,
	OPT_SORT,
	OPT_LIMIT,
	OPT_OLDER_THAN,
	OPT_SINCE,
	OPT_HZ,
	OPT_FOR,
	OPT_AT,
	OPT_FORMAT,
	OPT_OUTPUT,
	OPT_LISTEN,
	OPT_HISTORY,
	OPT_RATE,
	OPT_FREE_REST,
	OPT_WINDOW,
	OPT_DIR,
	OPT_HUB,
	OPT_COUNT
};

struct option_row {
	const char *name;
	char letter;	      /* short form, 0 for none */
	const char *value;    /* what it takes, NULL for a flag */
	const char *commands; /* " stat zones " with spaces around, NULL: every command */
	const char *help;
};
extern const struct option_row option_rows[OPT_COUNT];

struct cmd;
struct command_row {
	const char *name;
	const char *arguments;	   /* as in a usage line, "" for none */
	int least, most;	   /* positional arguments; most -1: any number */
	const char *help;	   /* one line */
	int (*run)(struct cmd *c); /* an exit status */
};
extern const struct command_row command_rows[];
extern const size_t command_count;

struct cmd {
	const struct command_row *command;
	struct mv_config config;
	const char *target; /* NULL: find one */
	bool json, ascii, color;
	double timeout_s;
	const char *opt[OPT_COUNT]; /* NULL: not given; "" for a flag that was */
	int argc;		    /* positional */
	char **argv;
	struct mv_session *s;
	struct mv_error error;
};

/* The whole program: parses, runs, ends the session. Returns the exit status. */
int memviz_main(int argc, char **argv);

/* Says "memviz: MESSAGE" on stderr; returns the status. */
int cmd_fail(const struct mv_error *e);
/* Says what is wrong with the command's use, and how to get help. Returns MV_USAGE. */
int cmd_usage(const struct cmd *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Opens the session and waits for hello. False: said and `*status` set. */
bool cmd_connect(struct cmd *c, const struct mv_session_options *o, int *status);
/* Of a damaged recording: says so, and where. Returns MV_DAMAGED then, else MV_OK. */
int cmd_told_damage(struct cmd *c);
/* Watches and waits until the state is whole. */
bool cmd_live(struct cmd *c, unsigned topics, unsigned hz, int *status);
/* Calls; on failure says so. NULL with *status set, else the caller's object. */
struct json_object *cmd_call(struct cmd *c, const char *method, struct json_object *params,
			     int *status);

/* Option values, checked; false: said. Left alone when the option was not given. */
bool cmd_option_size(struct cmd *c, enum option_id id, uint64_t *out);
bool cmd_option_number(struct cmd *c, enum option_id id, uint64_t low, uint64_t high,
		       uint64_t *out);
/* --space into the parameters; on false they are put. */
bool cmd_add_space(struct cmd *c, struct json_object *params);
bool cmd_option_duration(struct cmd *c, enum option_id id, uint64_t *us);
/* A time in a recording: "+10s" from its start, "-10s" from its end, a duration
 * (from the start), or 2026-05-01T12:00:00 / 12:00:00 local time. */
bool cmd_parse_time(const char *text, uint64_t first_us, uint64_t last_us, uint64_t *out);

/* One JSON line on stdout. */
void cmd_print_json(struct json_object *o);
/* ESC sequence of a style, "" without colour: 'b' bold, 'd' dim, 'r' 'g' 'y' 'c' 'm' colours,
 * 0 back to normal. */
const char *cmd_style(const struct cmd *c, char style);
/* A percentage and the like on stderr, when that is a terminal: at most ten times
 * a second; NULL ends the line. */
void cmd_progress(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void cmd_progress_end(void);
/* True once SIGINT, SIGTERM or SIGHUP came; installed by cmd_catch_signals(). */
extern volatile int cmd_stopped;
void cmd_catch_signals(void);
/* Set by who met EPIPE on stdout and ends because of it. */
extern bool cmd_pipe_closed;

/* ---- tables ---- */

struct table;
/* `columns` like "<Zone|>frames|>free|<": alignment, then the heading. */
struct table *table_new(const char *columns);
void table_cell(struct table *t, const char *text);
void table_cellf(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Prints with `indent` spaces before each row and frees. */
void table_print(struct table *t, const struct cmd *c, unsigned indent, FILE *out);

/* ---- pieces that more than one command uses ---- */

void summary_print(struct cmd *c, const struct mv_model *m, FILE *out);
/* Exports: text of the whole file into `out`; kinds "svg" "html" "openmetrics". */
struct mv_buf;
void export_svg(const struct mv_model *m, struct mv_buf *out);
void export_html(const struct mv_model *m, struct mv_buf *out);
/* METRICS_BOTH reads the same for parsers of OpenMetrics and of the older text
 * format (its counters carry no type); the others are exactly one of the two. */
enum metrics_flavor { METRICS_OPEN, METRICS_TEXT, METRICS_BOTH };
void export_openmetrics(const struct mv_model *m, const char *target, bool up,
			enum metrics_flavor flavor, struct mv_buf *out);

/* ---- the commands ---- */

int command_run(struct cmd *c);
int command_stat(struct cmd *c);
int command_zones(struct cmd *c);
int command_frames(struct cmd *c);
int command_caches(struct cmd *c);
int command_slabs(struct cmd *c);
int command_object(struct cmd *c);
int command_spaces(struct cmd *c);
int command_mappings(struct cmd *c);
int command_translate(struct cmd *c);
int command_rmap(struct cmd *c);
int command_check(struct cmd *c);
int command_sites(struct cmd *c);
int command_leaks(struct cmd *c);
int command_log(struct cmd *c);
int command_kmalloc(struct cmd *c);
int command_kfree(struct cmd *c);
int command_alloc_pages(struct cmd *c);
int command_free_pages(struct cmd *c);
int command_map(struct cmd *c);
int command_unmap(struct cmd *c);
int command_call(struct cmd *c);
int command_watch(struct cmd *c);
int command_record(struct cmd *c);
int command_replay(struct cmd *c);
int command_diff(struct cmd *c);
int command_export(struct cmd *c);
int command_serve_metrics(struct cmd *c);
int command_drive(struct cmd *c);
int command_hub(struct cmd *c);
int command_mux(struct cmd *c);

#endif
