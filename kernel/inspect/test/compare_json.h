/*
 * Our JSON reader against json-c's strict mode: both accept a text, with the same values, or
 * neither does. Ours refuses more, by rules of its own: duplicate keys, half surrogate pairs, more
 * than INSP_DEPTH_MAX levels, more than INSP_TOKENS_MAX values, NaN and Infinity (which json-c
 * takes even when strict), control characters in strings, and numbers that RFC 8259 does not have
 * but json-c takes ("1.", "1e"), and overlong UTF-8.
 */
#ifndef INSPECT_TEST_COMPARE_JSON_H
#define INSPECT_TEST_COMPARE_JSON_H

#include <stddef.h>
#include <stdint.h>

/* Aborts with a message when the two disagree. */
void compare_json(const uint8_t *data, size_t len);

#endif
