/*
 * Symbols inside the kernel's own file: scripts/ksyms writes the table between two links, it lies
 * last in the image so that no address moves, and the build fails if one does: it cannot be stale.
 */
#ifndef KERNEL_KSYMS_H
#define KERNEL_KSYMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ksym {
	const char *name;
	uint64_t address;
	uint64_t offset; /* of the address that was asked for */
};

/* The symbol that contains `address`. False outside the image or without a table. Any context. */
bool ksyms_lookup(uint64_t address, struct ksym *symbol);

/*
 * Writes "name+0x12" into buf, or the bare "0x..." where there is no symbol; always terminated,
 * cut to fit. Returns buf. Any context.
 */
const char *ksyms_format(char *buf, size_t size, uint64_t address);
#define KSYMS_TEXT_MAX 96

/* The address of a symbol by its whole name; 0 when unknown. Linear: for tests and commands. */
uint64_t ksyms_address(const char *name);

/* Number of symbols; 0 when the kernel was linked without its table. */
size_t ksyms_count(void);

#endif
