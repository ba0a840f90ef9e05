#include <kernel/safe_access.h>

#include <kernel/cpu.h>

/* access.S; returns the bytes that were not copied. */
size_t copy_with_recovery(void *dst, const void *src, size_t bytes);

size_t safe_read(void *dst, uintptr_t address, size_t bytes)
{
	return bytes - copy_with_recovery(dst, (const void *)address, bytes);
}

size_t safe_write(uintptr_t address, const void *src, size_t bytes)
{
	return bytes - copy_with_recovery((void *)address, src, bytes);
}

size_t text_write(uintptr_t address, const void *src, size_t bytes)
{
	uint64_t flags = irq_save(), cr0 = read_cr0();
	size_t written;

	write_cr0(cr0 & ~CR0_WP);
	written = safe_write(address, src, bytes);
	write_cr0(cr0);
	irq_restore(flags);
	return written;
}
