#include <stdarg.h>
#include <string.h>

#include <kernel/console.h>
#include <kernel/log.h>
#include <kernel/panic.h>
#include <kernel/printf.h>
#include <kernel/uart.h>

static const char *line_prefix = "";
static console_output_fn redirected;

static void to_uart(const char *text, size_t len, int emergency)
{
	if (emergency)
		uart_write_polled(UART_CONSOLE, text, len);
	else
		uart_write_all(UART_CONSOLE, text, len);
}

void console_write(const char *text, size_t len)
{
	console_output_fn output = redirected != NULL ? redirected : to_uart;

	output(text, len, panic_in_progress());
}

void console_printf(const char *fmt, ...)
{
	char buf[512];
	va_list args;
	int len;

	va_start(args, fmt);
	len = kvsnprintf(buf, sizeof(buf), fmt, args);
	va_end(args);
	console_write(buf, (size_t)len < sizeof(buf) ? (size_t)len : sizeof(buf) - 1);
}

static void show_line(const struct log_line *line, void *context)
{
	static const char *const marks[LOG_LEVELS] = {"error: ", "warn: ", "", "debug: "};
	char buf[LOG_TEXT_MAX + 64];
	struct text text = TEXT_INIT(buf);
	const char *mark = panic_in_progress() ? "" : marks[line->level];

	(void)context;
	text_add(&text, "%s[%5llu.%06llu] %s%s\r\n", line_prefix,
		 (unsigned long long)(line->t_us / 1000000),
		 (unsigned long long)(line->t_us % 1000000), mark, line->text);
	console_write(buf, text.len);
}

void console_init(void)
{
	log_add_sink(show_line, NULL);
}

void console_set_prefix(const char *prefix)
{
	line_prefix = prefix;
}

void console_set_output(console_output_fn output)
{
	redirected = output;
}

void console_flush(void)
{
	uart_flush(UART_CONSOLE);
}
