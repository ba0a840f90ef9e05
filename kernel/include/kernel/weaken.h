/*
 * Boot parameter weaken=NAME[,NAME..]: leaves protections off, one by one, so that a test can see
 * that the self-test of each notices. Never for anything else; the log warns.
 */
#ifndef KERNEL_WEAKEN_H
#define KERNEL_WEAKEN_H

#include <stdbool.h>
#include <stdint.h>

#define WEAKEN_WX     (1u << 0) /* code is mapped writable, too */
#define WEAKEN_NX     (1u << 1) /* data may be executed */
#define WEAKEN_WP     (1u << 2) /* the kernel may write to read-only pages */
#define WEAKEN_SMEP   (1u << 3) /* the kernel may execute user pages */
#define WEAKEN_SMAP   (1u << 4) /* the kernel may access user pages */
#define WEAKEN_UMIP   (1u << 5) /* ring 3 may read the descriptor-table registers */
#define WEAKEN_GUARD  (1u << 6) /* guard pages are mapped */
#define WEAKEN_CANARY (1u << 7) /* the stack protector's failure is ignored */
#define WEAKEN_USER   (1u << 8) /* kernel pages are open to ring 3 (and so no SMEP, no SMAP) */

/* Reads the parameter's value, a list of names; logs unknown ones. Once, before paging_init(). */
void weaken_init(const char *list);

/* True when any of the protections in `mask` is to be left off. */
bool weakened(uint32_t mask);

#endif
