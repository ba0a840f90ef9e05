#include <string.h>

#include <kernel/ksyms.h>
#include <kernel/printf.h>

/* Written by scripts/ksyms from the first link; the second link is verified against it. Weak: a
 * kernel without its table answers "unknown". */
extern const uint32_t ksyms_table_count __attribute__((weak));
extern const uint32_t ksyms_offsets[], ksyms_names[];
extern const char ksyms_strings[];
extern const char image_start[], image_end[];

#pragma weak ksyms_offsets
#pragma weak ksyms_names
#pragma weak ksyms_strings

size_t ksyms_count(void)
{
	return &ksyms_table_count != NULL ? ksyms_table_count : 0;
}

/* Index of the last symbol at or below `offset`; there is at least one symbol. */
static size_t find(uint64_t offset)
{
	size_t low = 0, high = ksyms_count();

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (ksyms_offsets[middle] <= offset)
			low = middle;
		else
			high = middle;
	}
	return low;
}

bool ksyms_lookup(uint64_t address, struct ksym *symbol)
{
	uint64_t start = (uintptr_t)image_start, offset = address - start;
	size_t i;

	if (ksyms_count() == 0 || address < start || address >= (uintptr_t)image_end ||
	    offset < ksyms_offsets[0])
		return false;
	i = find(offset);
	symbol->name = ksyms_strings + ksyms_names[i];
	symbol->address = start + ksyms_offsets[i];
	symbol->offset = offset - ksyms_offsets[i];
	return true;
}

const char *ksyms_format(char *buf, size_t size, uint64_t address)
{
	struct ksym symbol;

	if (!ksyms_lookup(address, &symbol))
		ksnprintf(buf, size, "0x%llx", (unsigned long long)address);
	else if (symbol.offset == 0)
		ksnprintf(buf, size, "%s", symbol.name);
	else
		ksnprintf(buf, size, "%s+0x%llx", symbol.name, (unsigned long long)symbol.offset);
	return buf;
}

uint64_t ksyms_address(const char *name)
{
	for (size_t i = 0; i < ksyms_count(); i++) {
		if (strcmp(ksyms_strings + ksyms_names[i], name) == 0)
			return (uintptr_t)image_start + ksyms_offsets[i];
	}
	return 0;
}
