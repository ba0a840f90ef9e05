/*
 * The end of normal running: everything else is stopped, the reason is printed with registers and
 * a symbolised backtrace, and the lines to the outside are kept alive by polling.
 */
#ifndef KERNEL_PANIC_H
#define KERNEL_PANIC_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

struct trap_frame; /* <kernel/traps.h> */

/*
 * Stops the kernel and says why. Any context. Never returns. A panic within a panic prints its own
 * message and halts. `panic_at` shows the registers of `frame` (the trap that made it), `panic`
 * those of its caller.
 */
void panic(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
void panic_at(const struct trap_frame *frame, const char *fmt, ...)
	__attribute__((noreturn, format(printf, 2, 3)));
void panic_at_v(const struct trap_frame *frame, const char *fmt, va_list args)
	__attribute__((noreturn, format(printf, 2, 0)));

/* True from the first instruction of a panic on. Locks are no longer waited for then. */
bool panic_in_progress(void);

/* The message of the panic, "" before one. */
const char *panic_message(void);

/* What follows a panic; boot parameter `panic=`. */
enum panic_action { PANIC_WAIT, PANIC_REBOOT, PANIC_EXIT };

/*
 * A subsystem that stays alive after a panic (the inspector, the GDB stub, the console).
 * enter: called once, after the message was printed, before panic= is obeyed (may be NULL).
 *        A debugger that is attached may stay in it as long as it likes.
 * poll:  called over and over with panic=wait (may be NULL). Must not wait.
 * Both run with interrupts off, on the panicking CPU, with every other CPU stopped; nothing may be
 * allocated and no lock may be waited for (try-locks only). Hooks are called in the order added.
 */
struct panic_hook {
	const char *name;
	void (*enter)(const struct trap_frame *frame, const char *message, void *context);
	void (*poll)(void *context);
	void *context;
	struct panic_hook *next; /* owned by panic.c */
};
/* Adds a hook that lives forever. Thread context or early boot; not from interrupts. */
void panic_add_hook(struct panic_hook *hook);

/* Ends the machine now: exit through isa-debug-exit (QEMU status 2*code+1), or power off. */
_Noreturn void machine_exit(uint8_t code);
_Noreturn void machine_reboot(void);
_Noreturn void machine_poweroff(void);

/* Exit codes given to isa-debug-exit: QEMU ends with 2*code+1. */
#define MACHINE_EXIT_PASS  0x10 /* QEMU's status 33 */
#define MACHINE_EXIT_FAIL  0x11 /* 35 */
#define MACHINE_EXIT_PANIC 0x12 /* 37 */

/* Checks that cost little and hold always. */
#define KASSERT(condition)                                                                    \
	do {                                                                                  \
		if (__builtin_expect(!(condition), 0))                                        \
			panic("%s:%d: assertion failed: %s", __FILE__, __LINE__, #condition); \
	} while (0)

#endif
