/* Short texts without the C library: numbers and messages. */
#include "internal.h"

#include <string.h>

static const char digit_pairs[201] = "00010203040506070809101112131415161718192021222324"
				     "25262728293031323334353637383940414243444546474849"
				     "50515253545556575859606162636465666768697071727374"
				     "75767778798081828384858687888990919293949596979899";

size_t insp_decimal(char *out, uint64_t value)
{
	char buf[20], *p = buf + sizeof(buf);

	while (value >= 100) {
		uint64_t rest = value / 100;
		p -= 2;
		__builtin_memcpy(p, digit_pairs + (value - rest * 100) * 2, 2);
		value = rest;
	}
	if (value >= 10) {
		p -= 2;
		__builtin_memcpy(p, digit_pairs + value * 2, 2);
	} else {
		*--p = (char)('0' + value);
	}
	size_t len = (size_t)(buf + sizeof(buf) - p);
	memcpy(out, p, len);
	return len;
}

size_t insp_hex(char *out, uint64_t value)
{
	size_t len = value ? (67 - (size_t)__builtin_clzll(value)) / 4 : 1;

	for (size_t i = len; i-- > 0; value >>= 4)
		out[i] = "0123456789abcdef"[value & 15];
	return len;
}

void insp_copy(char *to, size_t size, const char *from)
{
	size_t i = 0;

	for (; i + 1 < size && from[i]; i++)
		to[i] = from[i];
	to[i] = 0;
}

struct text {
	char *buf;
	size_t size, len;
};

static void add(struct text *t, const char *s, size_t len)
{
	for (size_t i = 0; i < len && t->len + 1 < t->size; i++)
		t->buf[t->len++] = s[i];
}

static size_t length(const char *s, size_t limit)
{
	size_t n = 0;

	while (n < limit && s[n])
		n++;
	return n;
}

/* One conversion; fmt stands behind the '%'. Returns where the text goes on. */
static const char *convert(struct text *t, const char *fmt, va_list *args)
{
	char digits[24];

	if (!strncmp(fmt, ".*s", 3)) {
		int limit = va_arg(*args, int);
		const char *s = va_arg(*args, const char *);
		add(t, s, length(s, limit > 0 ? (size_t)limit : 0));
		return fmt + 3;
	}
	if (!strncmp(fmt, "lu", 2) || !strncmp(fmt, "lx", 2)) {
		uint64_t v = va_arg(*args, unsigned long);
		add(t, digits, fmt[1] == 'u' ? insp_decimal(digits, v) : insp_hex(digits, v));
		return fmt + 2;
	}
	if (*fmt == 's') {
		const char *s = va_arg(*args, const char *);
		add(t, s, strlen(s));
	} else if (*fmt == 'u') {
		add(t, digits, insp_decimal(digits, va_arg(*args, unsigned)));
	} else if (*fmt == 'd') {
		int v = va_arg(*args, int);
		if (v < 0)
			add(t, "-", 1);
		add(t, digits, insp_decimal(digits, v < 0 ? 0u - (unsigned)v : (unsigned)v));
	} else {
		add(t, fmt, 1);
	}
	return fmt + 1;
}

size_t insp_vformat(char *buf, size_t size, const char *fmt, va_list args)
{
	struct text t = {buf, size, 0};
	va_list copy;

	va_copy(copy, args);
	while (*fmt) {
		if (*fmt == '%' && fmt[1]) {
			fmt = convert(&t, fmt + 1, &copy);
		} else {
			add(&t, fmt, 1);
			fmt++;
		}
	}
	va_end(copy);
	if (size)
		buf[t.len] = 0;
	return t.len;
}

size_t insp_format(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	size_t len = insp_vformat(buf, size, fmt, args);
	va_end(args);
	return len;
}
