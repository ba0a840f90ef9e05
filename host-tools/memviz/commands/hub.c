/* hub: share one link among many clients. */
#include <memviz/command.h>
#include <memviz/hub.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int command_hub(struct cmd *c)
{
	uint64_t history = 600000000;
	char path[200];
	const char *listen = c->opt[OPT_LISTEN], *dir = getenv("XDG_RUNTIME_DIR");
	if (!cmd_option_duration(c, OPT_HISTORY, &history))
		return MV_USAGE;
	if (history < 1000000 || history > 86400000000u)
		return cmd_usage(c, "--history takes from 1s to 24h");
	if (!listen) {
		if (!dir || dir[0] != '/')
			return cmd_usage(c, "--listen PATH is needed: XDG_RUNTIME_DIR is not set");
		snprintf(path, sizeof path, "%s/memviz-hub.sock", dir);
		listen = path;
	}
	cmd_catch_signals();
	struct mv_hub_options o = {.target = c->target,
				   .listen = listen,
				   .history_us = history,
				   .timeout_s = c->timeout_s,
				   .stop = &cmd_stopped,
				   .ready_fd = STDOUT_FILENO};
	printf("unix:%s", listen);
	fflush(stdout);
	if (mv_hub_run(&o, &c->error) != MV_OK) {
		putchar('\n');
		return cmd_fail(&c->error);
	}
	return MV_OK;
}
