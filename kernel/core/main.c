/*
 * Where C begins. The order of things, from a bare CPU to a running kernel, is kernel_main().
 */
#include <kernel/acpi.h>
#include <kernel/boot.h>
#include <kernel/canary.h>
#include <kernel/console.h>
#include <kernel/cpu.h>
#include <kernel/irq.h>
#include <kernel/log.h>
#include <kernel/machine.h>
#include <kernel/paging.h>
#include <kernel/params.h>
#include <kernel/pci.h>
#include <kernel/ports.h>
#include <kernel/selftest.h>
#include <kernel/thread.h>
#include <kernel/time.h>
#include <kernel/traps.h>
#include <kernel/tsc.h>
#include <kernel/uart.h>
#include <kernel/virtio_console.h>
#include <kernel/weaken.h>
#include <kernel/workload.h>
#include <mm/slab.h>

_Noreturn void kernel_main(void);

/* A CPU that survives mistakes, and a console that shows them. */
static void start_talking(void)
{
	traps_init();
	cpu_init();
	uart_init_early();
	console_init();
	boot_init();
	tsc_init();
	params_init(boot_info.cmdline);
	weaken_init(kernel_params.weaken);
	boot_report();
}

static void start_memory(void)
{
	paging_init(kernel_params.directmap_bytes);
	cpu_protect();
	acpi_init();
	machine_init();
	port_mm_init();
	port_mm_report();
}

static void start_time_and_threads(void)
{
	tsc_refine();
	irq_init();
	thread_init();
	time_init();
	uart_init_interrupts();
	irq_enable();
}

static void start_devices(void)
{
	pci_init();
	vserial_init();
}

/* The lines through which the outside sees, changes and debugs us. */
static void open_the_glass(void)
{
	port_mux_init();
	port_gdbstub_init();
	port_inspect_init();
}

static void report_ready(void)
{
	char protections[128];

	pr_info("protections: %s", cpu_describe_protections(protections, sizeof(protections)));
	pr_info("ready: %llu us after entry", (unsigned long long)time_now_us());
}

_Noreturn void kernel_main(void)
{
	start_talking();
	canary_init(); /* here, where no function returns that knows the old one */
	start_memory();
	start_time_and_threads();
	start_devices();
	open_the_glass();
	mm_trim(); /* figures begin where they come back to when all is freed */
	report_ready();
	if (kernel_params.selftest)
		selftest_run_all(kernel_params.selftest_pattern);
	workload_start_list(kernel_params.workload);
	for (;;)
		thread_sleep_us(1000000);
}
