#include <kernel/io.h>

_Noreturn void kernel_main(void);

_Noreturn void kernel_main(void)
{
	for (const char *text = "vitrine: kernel_main\r\n"; *text; text++)
		outb(0x3f8, (uint8_t)*text);
	for (;;)
		__asm__ volatile("cli; hlt");
}
