/*
 * The kernel's log: a ring of lines that keeps the newest LOG_LINES, and sinks that show them.
 *
 * Every line has a sequence number (from 0, no gaps), the time since kernel entry and a level.
 * Longer texts and texts with newlines become several lines. Writing takes no lock: a slot of the
 * ring is reserved by one atomic addition and published by a second store, so it works before
 * memory management, in interrupts, NMI and panic, and on several CPUs at once. A reader that is
 * overtaken by writers is told how many lines it lost.
 */
#ifndef KERNEL_LOG_H
#define KERNEL_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_LEVELS };

#define LOG_LINES    512u /* a power of two */
#define LOG_TEXT_MAX 232u /* bytes of one line, with its terminator; a slot is 256 bytes */

struct log_line {
	uint64_t seq;
	uint64_t t_us; /* since kernel entry */
	enum log_level level;
	char text[LOG_TEXT_MAX];
};

/* Writes one or more lines. Any context. Text that is no printable ASCII or UTF-8 is kept as is. */
void log_printf(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_vprintf(enum log_level level, const char *fmt, va_list args)
	__attribute__((format(printf, 2, 0)));

#define pr_error(...) log_printf(LOG_ERROR, __VA_ARGS__)
#define pr_warn(...)  log_printf(LOG_WARN, __VA_ARGS__)
#define pr_info(...)  log_printf(LOG_INFO, __VA_ARGS__)
#define pr_debug(...) log_printf(LOG_DEBUG, __VA_ARGS__)

/*
 * Reads the line with the sequence number *cursor, or the oldest one that is still there, into
 * *line and moves *cursor behind it. Start with 0 for "all that is kept". Returns false, with
 * *line untouched, when there is no line (yet). line->seq minus the old *cursor is the number of
 * lines lost in between. Any context; takes no lock.
 */
bool log_read(uint64_t *cursor, struct log_line *line);

/* The sequence number that the next line will get. */
uint64_t log_next_seq(void);

/* "error", "warn", "info", "debug"; never NULL. */
const char *log_level_name(enum log_level level);

/*
 * Where lines are shown as they are written. A sink gets whole lines without a newline, in the
 * writer's context (interrupts, NMI, panic): it must not sleep, allocate or log. At most
 * LOG_SINKS_MAX; false when there is no room. A new sink first gets what the ring holds.
 */
#define LOG_SINKS_MAX 4
typedef void (*log_sink_fn)(const struct log_line *line, void *context);
bool log_add_sink(log_sink_fn sink, void *context);

/* Lines of a level above this go to the ring, but to no sink. Default LOG_INFO. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

#endif
