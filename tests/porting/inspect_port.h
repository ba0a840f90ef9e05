/* The kernel of inspect_port.c: all it has is a statistic, a zone and a log of one line. */
#pragma once

#include <inspect/inspect.h>

struct port_line {
	char out[8192]; /* what the inspector sent */
	size_t len;
};

extern struct insp_stat port_memory;
