/* watch and record: what goes on, as lines or into a file. */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <memviz/base.h>
#include <memviz/command.h>
#include <memviz/format.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool hz_and_time(struct cmd *c, uint64_t *hz, uint64_t *us)
{
	*hz = c->config.hz;
	*us = UINT64_MAX;
	return cmd_option_number(c, OPT_HZ, 1, 60, hz) && cmd_option_duration(c, OPT_FOR, us);
}

/* Processes until the time is over, a signal came, or the link is lost. */
static int run_for(struct cmd *c, uint64_t us, void (*turn)(struct cmd *))
{
	uint64_t start = mv_now_us();
	struct mv_session_status st;
	for (;;) {
		uint64_t passed = mv_now_us() - start;
		if (cmd_stopped || passed >= us)
			return MV_OK;
		uint64_t left = us - passed;
		struct pollfd p = {.fd = mv_session_fd(c->s), .events = POLLIN};
		poll(&p, 1, left > 200000 ? 200 : (int)(left / 1000 + 1));
		mv_session_process(c->s);
		if (ferror(stdout))
			return MV_OK;
		mv_session_status(c->s, &st);
		if (st.state == MV_SESSION_LOST || st.state == MV_SESSION_INCOMPATIBLE) {
			mv_fail(&c->error, MV_LINK, "%s: %s", st.target, st.message);
			return cmd_fail(&c->error);
		}
		if (turn)
			turn(c);
	}
}

/* Updates come only from a kernel that speaks. */
static bool speaks(struct cmd *c, int *status)
{
	struct mv_session_status st;
	mv_session_status(c->s, &st);
	if (st.state != MV_SESSION_REPLAY && st.state != MV_SESSION_GDB)
		return true;
	mv_fail(&c->error, MV_USAGE, "%s: nothing to watch: %s", st.target,
		st.state == MV_SESSION_REPLAY ? "this is a recording"
					      : "a GDB stub shows one moment");
	*status = cmd_fail(&c->error);
	return false;
}

static void print_update(void *user, struct json_object *params, uint64_t time_us)
{
	(void)user;
	(void)time_us;
	puts(mv_json_line(params));
	if (fflush(stdout) != 0 && errno == EPIPE)
		cmd_pipe_closed = true;
}

int command_watch(struct cmd *c)
{
	unsigned topics = 0;
	uint64_t hz, us;
	int status = MV_OK;
	for (int i = 0; i < c->argc; i++) {
		unsigned bit = strcmp(c->argv[i], "all") == 0 ? MV_TOPIC_ALL
							      : mv_topic_parse(c->argv[i]);
		if (!bit)
			return cmd_usage(c,
					 "there is no topic \"%s\"; there are: stat zones caches "
					 "frames mappings events log, or all",
					 c->argv[i]);
		topics |= bit;
	}
	if (!hz_and_time(c, &hz, &us))
		return MV_USAGE;
	cmd_catch_signals();
	struct mv_session_options o = {.no_hello_state = true};
	if (!cmd_connect(c, &o, &status) || !speaks(c, &status))
		return status;
	mv_session_on_notify(c->s, print_update, NULL);
	mv_session_watch(c->s, topics, (unsigned)hz);
	return run_for(c, us, NULL);
}

static void show_progress(struct cmd *c)
{
	uint64_t bytes, records;
	char size[24];
	const char *file;
	if (mv_session_recording(c->s, &file, &bytes, &records))
		cmd_progress("recording to %s: %" PRIu64 " records, %s", file, records,
			     mv_format_size(bytes, size, sizeof size));
}

/* How long the last answers may take to come, and how often to look. */
#define SETTLE_S     1.0
#define SETTLE_TURNS 50

int command_record(struct cmd *c)
{
	uint64_t hz, us, records = 0;
	int status = MV_OK;
	char size[24];
	if (!hz_and_time(c, &hz, &us))
		return MV_USAGE;
	cmd_catch_signals();
	struct mv_session_options o = {0};
	if (!cmd_connect(c, &o, &status) || !speaks(c, &status) ||
	    !cmd_live(c, MV_TOPIC_ALL, (unsigned)hz, &status))
		return status;
	if (mv_session_record_start(c->s, c->argv[0], &c->error) != MV_OK)
		return cmd_fail(&c->error);
	status = run_for(c, us, show_progress);
	cmd_progress_end();
	mv_session_record_settle(c->s);
	for (unsigned i = 0; i < SETTLE_TURNS && !mv_session_record_settled(c->s); i++) {
		bool never = false;
		mv_session_wait(c->s, &never, SETTLE_S / SETTLE_TURNS);
	}
	mv_session_recording(c->s, NULL, NULL, &records);
	if (mv_session_record_stop(c->s, &c->error) != MV_OK)
		return cmd_fail(&c->error);
	uint64_t bytes = mv_file_bytes(c->argv[0]);
	if (c->json)
		printf("{\"file\":%s,\"records\":%" PRIu64 ",\"bytes\":%" PRIu64 "}\n",
		       json_object_to_json_string(json_object_new_string(c->argv[0])), records,
		       bytes);
	else
		printf("%s: %" PRIu64 " records, %s\n", c->argv[0], records,
		       mv_format_size(bytes, size, sizeof size));
	return status;
}
