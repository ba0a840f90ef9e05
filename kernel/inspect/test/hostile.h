/*
 * A hostile client: bytes from a fuzzer become what it sends. Whatever comes, the inspector answers
 * with whole good records, its invariants hold, it obeys the access level, and it goes on
 * answering.
 */
#ifndef INSPECT_TEST_HOSTILE_H
#define INSPECT_TEST_HOSTILE_H

#include <stddef.h>
#include <stdint.h>

/* Words before the methods' names: byte HOSTILE_METHODS + i stands for the i-th method. */
#define HOSTILE_METHODS 51

/* Aborts with a message when something of the above does not hold. */
void hostile_client(const uint8_t *data, size_t len);

#endif
