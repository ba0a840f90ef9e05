/*
 * The console: COM1, for people. It shows the log's lines as "[    0.001234] text" (ended by
 * "\r\n", as a bare terminal needs it) and takes raw text (KTAP).
 */
#ifndef KERNEL_CONSOLE_H
#define KERNEL_CONSOLE_H

#include <stddef.h>

/* Makes the console a sink of the log. After uart_init_early(); works without a UART too. */
void console_init(void);

/* Writes text as it is. Any context but NMI; waits for the line (polling) when its ring is full. */
void console_write(const char *text, size_t len);
void console_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* What every log line begins with, e.g. "# " while KTAP runs. The string must live. */
void console_set_prefix(const char *prefix);

/*
 * Where the text goes instead of COM1's ring (serial=mux), NULL for back. `emergency` is true in a
 * panic: then it must be sent by polling before the call returns.
 */
typedef void (*console_output_fn)(const char *text, size_t len, int emergency);
void console_set_output(console_output_fn output);

/* Everything written so far has left the machine. Any context. */
void console_flush(void);

#endif
