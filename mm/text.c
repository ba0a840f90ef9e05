// text.c: bounded text for messages, without a C library.
#include "state.h"

void mm_text_init(struct text *text, char *buffer, size_t size)
{
	*text = (struct text){buffer, size, 0};
	if (size)
		buffer[0] = '\0';
}

static void put(struct text *text, char c)
{
	if (text->left < 2)
		return;
	*text->at++ = c;
	*text->at = '\0';
	text->left--;
	text->used++;
}

void mm_text_str(struct text *text, const char *string)
{
	while (*string)
		put(text, *string++);
}

void mm_text_hex(struct text *text, uint64_t value)
{
	int shift = 60;

	mm_text_str(text, "0x");
	while (shift && !(value >> shift))
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		put(text, "0123456789abcdef"[(value >> shift) & 15]);
}

void mm_text_dec(struct text *text, uint64_t value)
{
	uint64_t unit = 1;

	while (value / unit >= 10)
		unit *= 10;
	for (; unit; unit /= 10)
		put(text, (char)('0' + value / unit % 10));
}
