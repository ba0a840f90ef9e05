#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <kernel/printf.h>

struct output {
	char *buf;
	size_t size;
	size_t len; /* of the whole text, also what did not fit */
};

/* Fields and digits are capped: no format may print without end. */
enum { WIDTH_MAX = 1024, COUNT_MAX = 1 << 24 };

/* One conversion: %[flags][width][.precision][length]letter */
struct spec {
	bool left, zero, plus, space, alternate;
	bool has_precision;
	int width, precision;
	int length; /* 'h', 'l', 'z', ... ; 'H' is hh, 'L' is ll */
	char letter;
};

static void put(struct output *out, char c)
{
	if (out->len + 1 < out->size)
		out->buf[out->len] = c;
	out->len++;
}

static void put_many(struct output *out, char c, int count)
{
	for (; count > 0; count--)
		put(out, c);
}

static void put_text(struct output *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		put(out, text[i]);
}

static void put_padded(struct output *out, const struct spec *spec, const char *text, size_t len)
{
	int pad = len < (size_t)spec->width ? spec->width - (int)len : 0;

	if (!spec->left)
		put_many(out, ' ', pad);
	put_text(out, text, len);
	if (spec->left)
		put_many(out, ' ', pad);
}

/* Digits of value, at the end of buf; returns how many. */
static size_t to_digits(uint64_t value, unsigned base, bool upper, char *end)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char *at = end;

	for (; value != 0; value /= base)
		*--at = digits[value % base];
	return (size_t)(end - at);
}

static void put_number(struct output *out, const struct spec *spec, uint64_t value, bool negative)
{
	char buf[24];
	char *end = buf + sizeof(buf);
	unsigned base = spec->letter == 'o'			     ? 8
			: spec->letter == 'x' || spec->letter == 'X' ? 16
								     : 10;
	size_t digits = to_digits(value, base, spec->letter == 'X', end);
	char prefix[3];
	size_t prefix_len = 0;
	int zeros, pad;

	if (negative)
		prefix[prefix_len++] = '-';
	else if (spec->plus)
		prefix[prefix_len++] = '+';
	else if (spec->space)
		prefix[prefix_len++] = ' ';
	if (spec->alternate && base == 16 && value != 0) {
		prefix[prefix_len++] = '0';
		prefix[prefix_len++] = spec->letter;
	}

	zeros = spec->has_precision ? spec->precision : 1;
	zeros = (zeros < WIDTH_MAX ? zeros : WIDTH_MAX) - (int)digits;
	if (spec->alternate && base == 8 && zeros <= 0)
		zeros = 1;
	zeros = zeros > 0 ? zeros : 0;
	pad = spec->width - (int)(prefix_len + digits) - zeros;
	if (pad > 0 && spec->zero && !spec->left && !spec->has_precision) {
		zeros += pad;
		pad = 0;
	}

	if (!spec->left)
		put_many(out, ' ', pad);
	put_text(out, prefix, prefix_len);
	put_many(out, '0', zeros);
	put_text(out, end - digits, digits);
	if (spec->left)
		put_many(out, ' ', pad);
}

/* va_list is an array type here: a pointer to this wrapper lets helpers consume arguments. */
struct arguments {
	va_list list;
};

/* The lowest `bits` of value as a signed number. */
static int64_t sign_extend(int value, unsigned bits)
{
	uint64_t sign = 1ull << (bits - 1), low = (uint64_t)value & (2 * sign - 1);

	return (int64_t)((low ^ sign) - sign);
}

static int64_t take_signed(struct arguments *args, int length)
{
	switch (length) {
	case 'H':
		return sign_extend(va_arg(args->list, int), 8);
	case 'h':
		return sign_extend(va_arg(args->list, int), 16);
	case 'l':
	case 'L':
	case 'j':
	case 'z':
	case 't':
		return va_arg(args->list, int64_t);
	default:
		return va_arg(args->list, int);
	}
}

static uint64_t take_unsigned(struct arguments *args, int length)
{
	switch (length) {
	case 'H':
		return (unsigned char)va_arg(args->list, unsigned);
	case 'h':
		return (unsigned short)va_arg(args->list, unsigned);
	case 'l':
	case 'L':
	case 'j':
	case 'z':
	case 't':
		return va_arg(args->list, uint64_t);
	default:
		return va_arg(args->list, unsigned);
	}
}

static const char *parse_flags(const char *at, struct spec *spec)
{
	for (;; at++) {
		switch (*at) {
		case '-':
			spec->left = true;
			break;
		case '0':
			spec->zero = true;
			break;
		case '+':
			spec->plus = true;
			break;
		case ' ':
			spec->space = true;
			break;
		case '#':
			spec->alternate = true;
			break;
		default:
			return at;
		}
	}
}

/* A number or `*`. */
static const char *parse_count(const char *at, struct arguments *args, int *count)
{
	int value = 0;

	if (*at == '*') {
		*count = va_arg(args->list, int);
		return at + 1;
	}
	for (; *at >= '0' && *at <= '9'; at++)
		value = value < COUNT_MAX ? value * 10 + (*at - '0') : COUNT_MAX;
	*count = value;
	return at;
}

static const char *parse_length(const char *at, struct spec *spec)
{
	if (*at == 'h' || *at == 'l') {
		spec->length = (unsigned char)*at++;
		if (*at == spec->length) {
			spec->length -= 'h' - 'H';
			at++;
		}
	} else if (*at == 'z' || *at == 'j' || *at == 't') {
		spec->length = (unsigned char)*at++;
	}
	return at;
}

/* `at` is behind the `%`; the result is behind the conversion's letter. */
static const char *parse_spec(const char *at, struct arguments *args, struct spec *spec)
{
	*spec = (struct spec){0};
	at = parse_flags(at, spec);
	at = parse_count(at, args, &spec->width);
	if (spec->width < 0) {
		spec->left = true;
		spec->width = spec->width > -WIDTH_MAX ? -spec->width : WIDTH_MAX;
	}
	if (*at == '.') {
		at = parse_count(at + 1, args, &spec->precision);
		spec->has_precision = spec->precision >= 0;
	}
	spec->width = spec->width < WIDTH_MAX ? spec->width : WIDTH_MAX;
	at = parse_length(at, spec);
	spec->letter = *at;
	return *at != '\0' ? at + 1 : at;
}

static void put_string(struct output *out, const struct spec *spec, const char *text)
{
	size_t max = spec->has_precision ? (size_t)spec->precision : SIZE_MAX;

	if (text == NULL)
		text = "(null)";
	put_padded(out, spec, text, strnlen(text, max));
}

static void put_signed(struct output *out, const struct spec *spec, int64_t value)
{
	uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

	put_number(out, spec, size, value < 0);
}

/* False: no conversion that we know; nothing was taken from args. */
static bool put_conversion(struct output *out, struct spec *spec, struct arguments *args)
{
	char c;

	switch (spec->letter) {
	case 'd':
	case 'i':
		put_signed(out, spec, take_signed(args, spec->length));
		return true;
	case 'u':
	case 'o':
	case 'x':
	case 'X':
		spec->plus = spec->space = false;
		put_number(out, spec, take_unsigned(args, spec->length), false);
		return true;
	case 'c':
		c = (char)va_arg(args->list, int);
		put_padded(out, spec, &c, 1);
		return true;
	case 's':
		put_string(out, spec, va_arg(args->list, const char *));
		return true;
	case 'p':
		put_text(out, "0x", 2);
		spec->letter = 'x';
		spec->has_precision = false;
		spec->plus = spec->space = spec->alternate = false;
		put_number(out, spec, (uint64_t)(uintptr_t)va_arg(args->list, void *), false);
		return true;
	case '%':
		put(out, '%');
		return true;
	default:
		return false;
	}
}

int kvsnprintf(char *buf, size_t size, const char *fmt, va_list args)
{
	struct output out = {buf, size, 0};
	struct arguments taken;

	va_copy(taken.list, args);
	while (*fmt != '\0') {
		struct spec spec;
		const char *start = fmt;

		if (*fmt++ != '%') {
			put(&out, *start);
			continue;
		}
		fmt = parse_spec(fmt, &taken, &spec);
		if (!put_conversion(&out, &spec, &taken)) {
			/* What its argument would be is unknown, and so are all after it. */
			put_text(&out, start, strlen(start));
			break;
		}
	}
	va_end(taken.list);
	if (size > 0)
		buf[out.len < size ? out.len : size - 1] = '\0';
	return out.len <= __INT_MAX__ ? (int)out.len : __INT_MAX__;
}

int ksnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;
	int len;

	va_start(args, fmt);
	len = kvsnprintf(buf, size, fmt, args);
	va_end(args);
	return len;
}

void text_add(struct text *text, const char *fmt, ...)
{
	size_t room = text->size - text->len;
	va_list args;
	int len;

	va_start(args, fmt);
	len = kvsnprintf(text->buf + text->len, room, fmt, args);
	va_end(args);
	if ((size_t)len >= room) {
		text->cut = 1;
		len = (int)room - 1;
	}
	text->len += (size_t)len;
}
