/*
 * The stack protector's secret of each CPU.
 */
#ifndef KERNEL_CANARY_H
#define KERNEL_CANARY_H

#include <stdbool.h>
#include <stdint.h>

/* What weaken=canary makes of it: guessed by anybody. */
#define CANARY_WEAK UINT64_C(0x4141414141414141)

/* Draws a new secret for this CPU; to be called by kernel_main() itself, after weaken_init(). */
void canary_init(void);

/* True when `rip` of an invalid-opcode trap means that a canary was found overwritten. */
bool canary_failed_at(uint64_t rip);

#endif
