/*
 * Interrupts of devices: which vector belongs to whom, and what answers the controller.
 */
#include <kernel/irq.h>

#include "apic.h"
#include "traps_internal.h"

#include <kernel/acpi.h>
#include <kernel/cpu.h>
#include <kernel/log.h>
#include <kernel/sync.h>

#define SHARERS_MAX 4
#define ISA_LINES   16u
#define NO_GSI	    UINT32_MAX

struct sharer {
	irq_handler_fn handler;
	void *context;
};

/* One vector: who listens. Readers are interrupt handlers, which take no lock: a sharer's context
 * is written before its handler. */
struct source {
	struct sharer sharers[SHARERS_MAX];
	uint32_t gsi; /* of a PCI line, else NO_GSI */
};

static struct {
	struct spinlock lock;
	struct acpi_madt madt;
	uint64_t unexpected;
	bool ioapic; /* else the 8259s */
} irqs = {.lock = SPINLOCK_INIT("interrupts")};

static struct source sources[TRAP_VECTORS];

uint64_t irq_unexpected(void)
{
	return __atomic_load_n(&irqs.unexpected, __ATOMIC_RELAXED);
}

const char *irq_controller_name(void)
{
	if (!irqs.ioapic)
		return "8259";
	return lapic_is_x2apic() ? "x2APIC and IOAPIC" : "xAPIC and IOAPIC";
}

/* ---- when one arrives ---- */

/* True when the controller really meant it. */
static bool answer(uint64_t vector)
{
	if (vector >= VECTOR_ISA && vector < VECTOR_ISA + ISA_LINES && !irqs.ioapic)
		return pic_eoi((unsigned)vector - VECTOR_ISA);
	lapic_eoi();
	return true;
}

static bool dispatch_source(struct trap_frame *frame)
{
	struct source *source = &sources[frame->vector];

	for (unsigned i = 0; i < SHARERS_MAX; i++) {
		irq_handler_fn handler = __atomic_load_n(&source->sharers[i].handler,
							 __ATOMIC_ACQUIRE);

		if (handler)
			handler(source->sharers[i].context);
	}
	(void)answer(frame->vector);
	return true;
}

/* The clock is told after its EOI: it may switch threads. */
static bool dispatch_timer(struct trap_frame *frame)
{
	struct sharer *clock = &sources[frame->vector].sharers[0];

	if (answer(frame->vector))
		clock->handler(clock->context);
	return true;
}

void interrupt_unexpected(const struct trap_frame *frame)
{
	__atomic_fetch_add(&irqs.unexpected, 1, __ATOMIC_RELAXED);
	/* A spurious interrupt of the local APIC must not be answered; one of the 8259s that nobody
	 * unmasked is answered there, whoever else is in charge. */
	if (frame->vector == TRAP_SPURIOUS)
		return;
	if (frame->vector >= VECTOR_ISA && frame->vector < VECTOR_ISA + ISA_LINES)
		(void)pic_eoi((unsigned)frame->vector - VECTOR_ISA);
	if (lapic_present())
		lapic_eoi();
}

/* ---- asking for one ---- */

static bool add_sharer(unsigned vector, irq_handler_fn handler, void *context, unsigned most)
{
	struct source *source = &sources[vector];

	for (unsigned i = 0; i < most; i++) {
		if (source->sharers[i].handler)
			continue;
		source->sharers[i].context = context;
		__atomic_store_n(&source->sharers[i].handler, handler, __ATOMIC_RELEASE);
		trap_set_handler(vector, dispatch_source);
		return true;
	}
	return false;
}

static bool unmask_isa(unsigned line)
{
	const struct acpi_isa_irq *isa = &irqs.madt.isa[line];

	if (irqs.ioapic)
		return ioapic_route(isa->gsi, (uint8_t)(VECTOR_ISA + line), lapic_id(),
				    isa->active_low, isa->level);
	pic_unmask(line);
	return true;
}

bool irq_request(unsigned line, irq_handler_fn handler, void *context)
{
	if (line >= ISA_LINES || line == 0 || line == 2 || !handler) {
		pr_warn("interrupt line %u cannot be asked for", line);
		return false;
	}

	irq_flags_t flags = spin_lock_irqsave(&irqs.lock);
	bool free = add_sharer(VECTOR_ISA + line, handler, context, 1);
	bool routed = free && unmask_isa(line);

	spin_unlock_irqrestore(&irqs.lock, flags);
	if (!routed)
		pr_warn("interrupt line %u %s", line, free ? "leads nowhere" : "is taken");
	return routed;
}

void irq_release(unsigned line)
{
	if (line >= ISA_LINES)
		return;

	irq_flags_t flags = spin_lock_irqsave(&irqs.lock);

	if (irqs.ioapic)
		ioapic_mask(irqs.madt.isa[line].gsi);
	else
		pic_mask(line);
	trap_set_handler(VECTOR_ISA + line, NULL);
	sources[VECTOR_ISA + line].sharers[0].handler = NULL;
	spin_unlock_irqrestore(&irqs.lock, flags);
}

/* A vector that nobody listens on; 0: none left. */
static unsigned free_vector(void)
{
	for (unsigned vector = VECTOR_DYNAMIC; vector < VECTOR_TIMER; vector++)
		if (!sources[vector].sharers[0].handler)
			return vector;
	return 0;
}

static unsigned vector_of_gsi(uint32_t gsi)
{
	for (unsigned vector = VECTOR_DYNAMIC; vector < VECTOR_TIMER; vector++)
		if (sources[vector].gsi == gsi && sources[vector].sharers[0].handler)
			return vector;
	return 0;
}

static bool request_ioapic_line(uint32_t gsi, irq_handler_fn handler, void *context)
{
	unsigned vector = vector_of_gsi(gsi);
	bool first = vector == 0;

	if (first)
		vector = free_vector();
	if (vector == 0 || !add_sharer(vector, handler, context, SHARERS_MAX))
		return false;
	sources[vector].gsi = gsi;
	return !first || ioapic_route(gsi, (uint8_t)vector, lapic_id(), true, true);
}

bool irq_request_pci(unsigned gsi, irq_handler_fn handler, void *context)
{
	irq_flags_t flags = spin_lock_irqsave(&irqs.lock);
	bool done = false;

	if (irqs.ioapic) {
		done = request_ioapic_line(gsi, handler, context);
	} else if (gsi < ISA_LINES) {
		done = add_sharer(VECTOR_ISA + gsi, handler, context, SHARERS_MAX);
		if (done)
			pic_unmask(gsi);
	}
	spin_unlock_irqrestore(&irqs.lock, flags);
	if (!done)
		pr_warn("no interrupt for PCI line %u", gsi);
	return done;
}

bool irq_request_msi(irq_handler_fn handler, void *context, struct msi_message *message)
{
	if (!lapic_present())
		return false;

	irq_flags_t flags = spin_lock_irqsave(&irqs.lock);
	unsigned vector = free_vector();
	bool done = vector != 0 && add_sharer(vector, handler, context, 1);

	if (done) {
		sources[vector].gsi = NO_GSI;
		/* Intel SDM volume 3, section 11.11: fixed delivery, edge, one CPU. */
		*message = (struct msi_message){0xfee00000u | (lapic_id() & 255) << 12, vector};
	}
	spin_unlock_irqrestore(&irqs.lock, flags);
	return done;
}

bool irq_request_timer(irq_handler_fn handler, void *context, bool lapic)
{
	unsigned vector = lapic ? VECTOR_TIMER : VECTOR_ISA;

	sources[vector].sharers[0] = (struct sharer){handler, context};
	trap_set_handler(vector, dispatch_timer);
	return lapic || unmask_isa(0);
}

/* ---- finding the controllers ---- */

void irq_init(void)
{
	uint32_t bytes = 0;
	const void *table = acpi_find("APIC", &bytes);

	if (!acpi_parse_madt(table, bytes, &irqs.madt))
		pr_warn("ACPI: no usable MADT, interrupts go through the 8259s");
	pic_init();
	if (lapic_init(irqs.madt.lapic_address))
		for (size_t i = 0; i < irqs.madt.ioapic_count; i++)
			irqs.ioapic |= ioapic_add(&irqs.madt.ioapics[i]);
	/* Through the 8259s an interrupt reaches the CPU over LINT0 as "external". */
	if (lapic_present() && !irqs.ioapic)
		lapic_write(LAPIC_LVT_LINT0, 0x700);
	pr_info("interrupts: %s, %u CPU%s named", irq_controller_name(),
		(unsigned)irqs.madt.cpu_count, irqs.madt.cpu_count == 1 ? "" : "s");
}
