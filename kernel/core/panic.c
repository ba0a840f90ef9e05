#include <kernel/console.h>
#include <kernel/cpu.h>
#include <kernel/ksyms.h>
#include <kernel/log.h>
#include <kernel/panic.h>
#include <kernel/params.h>
#include <kernel/percpu.h>
#include <kernel/printf.h>
#include <kernel/thread.h>
#include <kernel/traps.h>
#include <kernel/uart.h>

static uint32_t panicking; /* CPU + 1 of the first one */
static char message[512];
static struct panic_hook *hooks;

bool panic_in_progress(void)
{
	return __atomic_load_n(&panicking, __ATOMIC_RELAXED) != 0;
}

const char *panic_message(void)
{
	return message;
}

void panic_add_hook(struct panic_hook *hook)
{
	struct panic_hook **link = &hooks;

	while (*link != NULL)
		link = &(*link)->next;
	hook->next = NULL;
	*link = hook;
}

static void show_line(const char *line, void *context)
{
	(void)context;
	pr_error("%s", line);
}

/* A panic in the middle of a panic: no more log, no more hooks. */
static _Noreturn void panic_again(const char *fmt, va_list args)
{
	static uint32_t depth;
	char buf[256];
	struct text text = TEXT_INIT(buf);

	if (__atomic_fetch_add(&depth, 1, __ATOMIC_RELAXED) == 0) {
		text_add(&text, "\r\npanic within a panic: ");
		kvsnprintf(buf + text.len, sizeof(buf) - text.len, fmt, args);
		for (text.len = 0; buf[text.len] != '\0';)
			text.len++;
		uart_write_polled(UART_CONSOLE, buf, text.len);
		uart_write_polled(UART_CONSOLE, "\r\n", 2);
		if (kernel_params.panic == PANIC_EXIT || kernel_params.selftest)
			machine_exit(MACHINE_EXIT_PANIC);
	}
	cpu_halt_forever();
}

static void print_report(const struct trap_frame *frame)
{
	pr_error("panic: %s", message);
	pr_error("on CPU %u in thread '%s'%s", cpu_number(), thread_name(thread_current()),
		 percpu()->irq_depth > 0 ? ", in an interrupt" : "");
	if (frame != NULL)
		trap_dump_registers(frame, show_line, NULL);
	backtrace_dump(frame, show_line, NULL);
}

static _Noreturn void after_panic(void)
{
	if (kernel_params.panic == PANIC_REBOOT) {
		pr_error("rebooting (panic=reboot)");
		console_flush();
		machine_reboot();
	}
	if (kernel_params.panic == PANIC_EXIT) {
		console_flush();
		machine_exit(MACHINE_EXIT_PANIC);
	}
	pr_error("halted; the serial lines stay alive (panic=wait)");
	for (;;) {
		for (struct panic_hook *hook = hooks; hook != NULL; hook = hook->next) {
			if (hook->poll != NULL)
				hook->poll(hook->context);
		}
		cpu_relax();
	}
}

/* The first panic goes on; one within it, or on another CPU meanwhile, ends here. */
static void panic_begin(const char *fmt, va_list args)
{
	uint32_t nobody = 0;

	irq_disable();
	if (!__atomic_compare_exchange_n(&panicking, &nobody, cpu_number() + 1, false,
					 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		if (nobody != cpu_number() + 1)
			cpu_halt_forever();
		panic_again(fmt, args);
	}
	kvsnprintf(message, sizeof(message), fmt, args);
}

static _Noreturn void panic_end(const struct trap_frame *frame)
{
	print_report(frame);
	for (struct panic_hook *hook = hooks; hook != NULL; hook = hook->next) {
		if (hook->enter != NULL)
			hook->enter(frame, message, hook->context);
	}
	after_panic();
}

_Noreturn void panic_at_v(const struct trap_frame *frame, const char *fmt, va_list args)
{
	panic_begin(fmt, args);
	panic_end(frame);
}

_Noreturn void panic_at(const struct trap_frame *frame, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	panic_begin(fmt, args);
	va_end(args);
	panic_end(frame);
}

_Noreturn void panic(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	panic_begin(fmt, args);
	va_end(args);
	panic_end(NULL);
}
