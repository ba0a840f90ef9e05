/* The command line: parsing by getopt_long, help, and the way out. */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inspect/protocol.h>
#include <locale.h>
#include <memviz/base.h>
#include <memviz/command.h>
#include <memviz/format.h>
#include <memviz/version.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OPTION_BASE 1000 /* what getopt_long returns for row i: OPTION_BASE + i */

volatile int cmd_stopped;
bool cmd_pipe_closed;

int cmd_fail(const struct mv_error *e)
{
	cmd_progress_end();
	fprintf(stderr, "memviz: %s\n", e->message);
	return (int)e->status;
}

int cmd_usage(const struct cmd *c, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	fputs("memviz", stderr);
	if (c->command)
		fprintf(stderr, " %s", c->command->name);
	fputs(": ", stderr);
	vfprintf(stderr, fmt, args);
	va_end(args);
	if (c->command)
		fprintf(stderr, "\nUsage: memviz %s%s%s (memviz %s --help tells more)\n",
			c->command->name, c->command->arguments[0] ? " " : "",
			c->command->arguments, c->command->name);
	else
		fputs("\nmemviz --help tells what there is\n", stderr);
	return MV_USAGE;
}

/* ---- help ---- */

static bool takes(const struct option_row *o, const char *command)
{
	char word[40];
	if (!o->commands)
		return true;
	snprintf(word, sizeof word, " %s ", command);
	return strstr(o->commands, word) != NULL;
}

static void print_option(const struct option_row *o)
{
	char left[40], letter[6] = "    ";
	if (o->letter)
		snprintf(letter, sizeof letter, "-%c, ", o->letter);
	snprintf(left, sizeof left, "%s--%s%s%s", letter, o->name, o->value ? " " : "",
		 o->value ? o->value : "");
	printf("  %-28s %s\n", left, o->help);
}

static void print_general_help(void)
{
	printf("memviz: live memory maps of a running kernel\n\n"
	       "Usage: memviz [-t TARGET] [COMMAND] [ARGUMENT...] [OPTION...]\n\nCommands:\n");
	for (size_t i = 0; i < command_count; i++) {
		char left[48];
		snprintf(left, sizeof left, "%s %s", command_rows[i].name,
			 command_rows[i].arguments);
		printf("  %-28s %s\n", left, command_rows[i].help);
	}
	printf("\nOptions of every command:\n");
	for (size_t i = 0; i < OPT_COUNT; i++)
		if (!option_rows[i].commands)
			print_option(&option_rows[i]);
	printf("\nSizes take K, M, G; addresses 0x; `_` may separate digits.\n"
	       "Without -t the target is $MEMVIZ_TARGET, `target` of config.json, or the kernel\n"
	       "that scripts/run started last.\n"
	       "Exit status: 0 done, 1 the kernel refused, 2 wrong usage, 3 no link, 4 damaged "
	       "file.\n");
}

static void print_command_help(const struct command_row *row)
{
	printf("memviz %s%s%s: %s\n\nOptions:\n", row->name, row->arguments[0] ? " " : "",
	       row->arguments, row->help);
	for (size_t i = 0; i < OPT_COUNT; i++)
		if (takes(&option_rows[i], row->name))
			print_option(&option_rows[i]);
}

static void print_version(void)
{
	printf("memviz %s (inspector protocol %d)\n", MV_VERSION, INSP_PROTOCOL_VERSION);
}

/* ---- parsing ---- */

static void build_getopt(struct option *longs, char *shorts)
{
	*shorts++ = ':';
	for (int i = 0; i < OPT_COUNT; i++) {
		const struct option_row *o = &option_rows[i];
		longs[i] = (struct option){o->name, o->value ? required_argument : no_argument,
					   NULL, OPTION_BASE + i};
		if (!o->letter)
			continue;
		*shorts++ = o->letter;
		if (o->value)
			*shorts++ = ':';
	}
	longs[OPT_COUNT] = (struct option){0};
	*shorts = 0;
}

static int row_of_letter(int letter)
{
	for (int i = 0; i < OPT_COUNT; i++)
		if (option_rows[i].letter == letter)
			return i;
	return -1;
}

static bool parse_options(struct cmd *c, int argc, char **argv)
{
	struct option longs[OPT_COUNT + 1];
	char shorts[3 * OPT_COUNT + 2];
	int got;
	build_getopt(longs, shorts);
	opterr = 0;
	optind = 0;
	while ((got = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		const char *word = argv[optind - 1];
		if (got == ':') {
			cmd_usage(c, "%s needs a value", word);
			return false;
		}
		if (got == '?') {
			cmd_usage(c, "there is no option %s", word);
			return false;
		}
		int row = got >= OPTION_BASE ? got - OPTION_BASE : row_of_letter(got);
		c->opt[row] = optarg ? optarg : "";
	}
	c->argc = argc - optind;
	c->argv = argv + optind;
	return true;
}

static const struct command_row *find_command(const char *name)
{
	for (size_t i = 0; i < command_count; i++)
		if (strcmp(command_rows[i].name, name) == 0)
			return &command_rows[i];
	return NULL;
}

static bool choose_command(struct cmd *c)
{
	const char *name = c->argc ? c->argv[0] : "run";
	const struct command_row *row = find_command(name);
	if (!row) {
		cmd_usage(c, "there is no command \"%s\"", name);
		return false;
	}
	c->command = row;
	if (c->argc) {
		c->argc--;
		c->argv++;
	}
	return true;
}

static bool check_use(struct cmd *c)
{
	for (int i = 0; i < OPT_COUNT; i++) {
		if (c->opt[i] && !takes(&option_rows[i], c->command->name)) {
			cmd_usage(c, "--%s has no meaning here", option_rows[i].name);
			return false;
		}
	}
	if (c->argc < c->command->least) {
		cmd_usage(c, "something is missing");
		return false;
	}
	if (c->command->most >= 0 && c->argc > c->command->most) {
		cmd_usage(c, "\"%s\" is too much", c->argv[c->command->most]);
		return false;
	}
	return true;
}

/* ---- settings ---- */

static bool stdout_has_color(const struct cmd *c)
{
	const char *term = getenv("TERM"), *no = getenv("NO_COLOR");
	if (c->opt[OPT_NO_COLOR] || c->config.color == MV_COLOR_NEVER)
		return false;
	if (!isatty(STDOUT_FILENO))
		return false;
	if (c->config.color == MV_COLOR_ALWAYS)
		return true;
	return !(no && no[0]) && term && strcmp(term, "dumb") != 0;
}

static bool settle(struct cmd *c)
{
	struct mv_error e;
	mv_config_default(&c->config);
	if (mv_config_load(&c->config, c->opt[OPT_CONFIG], &e) != MV_OK) {
		cmd_fail(&e);
		return false;
	}
	const char *env = getenv("MEMVIZ_TARGET");
	c->target = c->opt[OPT_TARGET];
	if (!c->target && !(env && env[0]) && c->config.target[0])
		c->target = c->config.target;
	const char *codeset = setlocale(LC_CTYPE, NULL);
	bool utf8 = codeset && (strstr(codeset, "UTF-8") || strstr(codeset, "utf8"));
	c->json = c->opt[OPT_JSON] != NULL;
	c->ascii = c->opt[OPT_ASCII] || c->config.ascii || !utf8;
	c->color = stdout_has_color(c);
	c->timeout_s = c->config.timeout_s;
	if (c->opt[OPT_TIMEOUT]) {
		uint64_t us;
		if (!mv_parse_duration(c->opt[OPT_TIMEOUT], &us) || us < 1000 || us > 3600000000u) {
			cmd_usage(c, "--timeout takes seconds, from 0.001 to 3600");
			return false;
		}
		c->timeout_s = (double)us / 1e6;
	}
	return true;
}

static void stop(int signal_number)
{
	(void)signal_number;
	cmd_stopped = 1;
}

void cmd_catch_signals(void)
{
	/* No SA_RESTART: a wait shall end. */
	struct sigaction a = {.sa_handler = stop};
	sigaction(SIGINT, &a, NULL);
	sigaction(SIGTERM, &a, NULL);
	sigaction(SIGHUP, &a, NULL);
}

/* A full disk or a closed pipe must not pass for success. */
static int flush_output(int status)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	if (errno == EPIPE || cmd_pipe_closed)
		return status; /* who read it has seen enough */
	if (status == MV_OK) {
		fputs("memviz: the output could not be written\n", stderr);
		status = MV_USAGE;
	}
	return status;
}

int memviz_main(int argc, char **argv)
{
	struct cmd c = {0};
	setlocale(LC_ALL, "");
	signal(SIGPIPE, SIG_IGN);
	if (!parse_options(&c, argc, argv))
		return MV_USAGE;
	if (c.opt[OPT_VERSION]) {
		print_version();
		return flush_output(MV_OK);
	}
	if (c.opt[OPT_HELP] && !c.argc) {
		print_general_help();
		return flush_output(MV_OK);
	}
	if (!choose_command(&c))
		return MV_USAGE;
	if (c.opt[OPT_HELP]) {
		print_command_help(c.command);
		return flush_output(MV_OK);
	}
	if (!check_use(&c) || !settle(&c))
		return MV_USAGE;
	int status = c.command->run(&c);
	mv_session_close(c.s);
	return flush_output(status);
}
