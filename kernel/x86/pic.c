/*
 * The two 8259 interrupt controllers and the 8254 timer of every PC.
 */
#include "apic.h"

#include <kernel/io.h>

#define PIC1	     0x20
#define PIC2	     0xa0
#define PIC_COMMAND  0
#define PIC_DATA     1
#define PIC_CASCADE  2 /* the second one hangs on this line of the first */
#define PIC_EOI	     0x20
#define PIC_READ_ISR 0x0b

static uint16_t masked = 0xffff;

static void write_masks(void)
{
	outb(PIC1 + PIC_DATA, (uint8_t)masked);
	outb(PIC2 + PIC_DATA, (uint8_t)(masked >> 8));
}

void pic_init(void)
{
	static const struct {
		uint16_t port;
		uint8_t value;
	} sequence[] = {
		{PIC1 + PIC_COMMAND, 0x11		 },
		{PIC2 + PIC_COMMAND, 0x11		 },
		{PIC1 + PIC_DATA,	  VECTOR_ISA	    },
		{PIC2 + PIC_DATA,	  VECTOR_ISA + 8	},
		{PIC1 + PIC_DATA,	  1 << PIC_CASCADE},
		{PIC2 + PIC_DATA,	  PIC_CASCADE     },
		{PIC1 + PIC_DATA,	  0x01	      },
		{PIC2 + PIC_DATA,	  0x01	      },
	};

	for (unsigned i = 0; i < sizeof(sequence) / sizeof(sequence[0]); i++)
		outb(sequence[i].port, sequence[i].value);
	masked = 0xffff;
	write_masks();
}

void pic_unmask(unsigned line)
{
	masked &= (uint16_t) ~(1u << line);
	if (line >= 8)
		masked &= (uint16_t) ~(1u << PIC_CASCADE);
	write_masks();
}

void pic_mask(unsigned line)
{
	masked |= (uint16_t)(1u << line);
	write_masks();
}

static bool in_service(uint16_t pic, unsigned line)
{
	outb((uint16_t)(pic + PIC_COMMAND), PIC_READ_ISR);
	return (inb((uint16_t)(pic + PIC_COMMAND)) >> line & 1) != 0;
}

/* A line that went away before it was acknowledged shows as line 7 of its chip, not in service. */
bool pic_eoi(unsigned line)
{
	if (line == 7 && !in_service(PIC1, 7))
		return false;
	if (line == 15 && !in_service(PIC2, 7)) {
		outb(PIC1 + PIC_COMMAND, PIC_EOI);
		return false;
	}
	if (line >= 8)
		outb(PIC2 + PIC_COMMAND, PIC_EOI);
	outb(PIC1 + PIC_COMMAND, PIC_EOI);
	return true;
}

/* ---- 8254 ---- */

#define PIT_COUNTER0  0x40
#define PIT_COUNTER2  0x42
#define PIT_COMMAND   0x43
#define PIT_GATE      0x61 /* bit 0: gate of counter 2, bit 1: speaker, bit 5: its output */
#define GATE_OPEN     0x01
#define GATE_SPEAKER  0x02
#define GATE_OUTPUT   0x20
#define MODE_ONE_SHOT 0x30 /* mode 0, low byte then high byte */
#define MODE_RATE     0x34 /* mode 2 */
#define COUNTER_2     0x80

void pit_start_countdown(uint16_t ticks)
{
	outb(PIT_GATE, (uint8_t)((inb(PIT_GATE) & ~(GATE_SPEAKER | GATE_OPEN)) | GATE_OPEN));
	outb(PIT_COMMAND, COUNTER_2 | MODE_ONE_SHOT);
	outb(PIT_COUNTER2, (uint8_t)ticks);
	outb(PIT_COUNTER2, (uint8_t)(ticks >> 8));
}

bool pit_countdown_done(void)
{
	return (inb(PIT_GATE) & GATE_OUTPUT) != 0;
}

static void program(uint8_t mode, uint16_t ticks)
{
	outb(PIT_COMMAND, mode);
	outb(PIT_COUNTER0, (uint8_t)ticks);
	outb(PIT_COUNTER0, (uint8_t)(ticks >> 8));
}

void pit_arm(uint16_t ticks)
{
	program(MODE_ONE_SHOT, ticks);
}

void pit_periodic(uint16_t ticks)
{
	program(MODE_RATE, ticks);
}

/* Mode 0 waits for its count: without one the output stays low. */
void pit_stop(void)
{
	outb(PIT_COMMAND, MODE_ONE_SHOT);
}
