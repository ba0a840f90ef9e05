/*
 * Ending the machine: leaving QEMU, rebooting, switching off.
 */
#include <kernel/panic.h>

#include <kernel/acpi.h>
#include <kernel/boot_protocol.h>
#include <kernel/cpu.h>
#include <kernel/io.h>
#include <kernel/log.h>
#include <kernel/machine.h>
#include <kernel/tsc.h>

static struct acpi_power power;
static bool power_known;

void machine_init(void)
{
	uint32_t fadt_bytes = 0, dsdt_bytes = 0;
	const uint8_t *fadt = acpi_find("FACP", &fadt_bytes);
	const void *dsdt = fadt ? acpi_find_dsdt(fadt, fadt_bytes, &dsdt_bytes) : NULL;

	power_known = acpi_parse_power(fadt, fadt_bytes, dsdt, dsdt_bytes, &power);
	if (!power_known)
		pr_debug("ACPI: no way to switch off is known");
}

uint16_t machine_timer_port(void)
{
	return power.timer_port;
}

_Noreturn void machine_exit(uint8_t code)
{
	irq_disable();
	outl(DEBUG_EXIT_PORT, code);
	/* Still here: the device is not there. */
	machine_poweroff();
}

#define SLEEP_ENABLE 0x2000u

static void acpi_poweroff(void)
{
	if (!power_known)
		return;
	outw(power.pm1a_control, (uint16_t)((unsigned)power.sleep_type_a << 10 | SLEEP_ENABLE));
	if (power.pm1b_control)
		outw(power.pm1b_control,
		     (uint16_t)((unsigned)power.sleep_type_b << 10 | SLEEP_ENABLE));
	tsc_delay_us(100000);
}

_Noreturn void machine_poweroff(void)
{
	irq_disable();
	acpi_poweroff();
	/* PM1a_CNT of QEMU's q35 and pc machines, in case the tables were unreadable. */
	outw(0x604, SLEEP_ENABLE);
	tsc_delay_us(100000);
	pr_error("the machine could not be switched off; halted");
	cpu_halt_forever();
}

/* Reset by ACPI, by the chipset's port 0xcf9, by the keyboard controller, and at last by a triple
 * fault: an interrupt that no table describes. */
_Noreturn void machine_reboot(void)
{
	static const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) no_idt = {0, 0};

	irq_disable();
	if (power.reset_port)
		outb(power.reset_port, power.reset_value);
	tsc_delay_us(10000);
	outb(0xcf9, 0x02);
	outb(0xcf9, 0x06);
	tsc_delay_us(10000);
	outb(0x64, 0xfe);
	tsc_delay_us(10000);
	__asm__ volatile("lidt %0; int3" : : "m"(no_idt));
	cpu_halt_forever();
}
