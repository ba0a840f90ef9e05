/* What params.c needs of the log, on the host: nothing is shown. */
#include <kernel/log.h>

void log_printf(enum log_level level, const char *fmt, ...)
{
	(void)level;
	(void)fmt;
}

void log_set_level(enum log_level level)
{
	(void)level;
}
