/*
 * Bounded formatted output. A subset of C99's, chosen so that the compiler's format checks hold.
 *
 * Conversions: d i u x X o c s p %%; flags - 0 + space #; width and precision, also as `*`;
 * lengths hh h l ll z j t. Nothing else: an unknown conversion is printed as it stands, so that a
 * mistake is seen and no argument is misread after it. No floating point, no %n.
 *
 * Context: any, also interrupts, NMI and panic. Nothing is allocated, no lock is taken.
 */
#ifndef KERNEL_PRINTF_H
#define KERNEL_PRINTF_H

#include <stdarg.h>
#include <stddef.h>

/*
 * Formats into buf[0..size). The result is always terminated when size > 0; size 0 with a NULL buf
 * only counts. Returns the length that the whole text has (without the terminator), as C99's
 * vsnprintf does: a value >= size means that the text was cut. Texts over INT_MAX are not made.
 */
int kvsnprintf(char *buf, size_t size, const char *fmt, va_list args)
	__attribute__((format(printf, 3, 0)));
int ksnprintf(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/*
 * A text that grows by appending and never overruns. `len` < size always; `cut` remembers that
 * something did not fit. Start with TEXT_INIT(array).
 */
struct text {
	char *buf;
	size_t size;
	size_t len;
	int cut;
};
#define TEXT_INIT(array)                     \
	{                                    \
		(array), sizeof(array), 0, 0 \
	}
void text_add(struct text *text, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
