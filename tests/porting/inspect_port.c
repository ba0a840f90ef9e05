/*
 * inspect/port.h for a kernel that has hardly anything to show: what it lacks is INSP_ABSENT, and
 * the inspector says so to the client. Freestanding: no C library.
 */
#include "inspect_port.h"

#include <string.h>

#define MIB (UINT64_C(1) << 20)

struct insp_stat port_memory = {.total = 64 * MIB,
				.used = 6 * MIB,
				.free = 58 * MIB,
				.cache_used = 1 * MIB,
				.cache_free = 1 * MIB,
				.available = 59 * MIB};
static uint64_t ticks;

uint64_t insp_port_clock_us(void)
{
	return ++ticks;
}

void insp_port_info(struct insp_info *info)
{
	*info = (struct insp_info){.version = "minimal",
				   .build_id = "0",
				   .cpus = 1,
				   .tsc_hz = 1000000,
				   .access = INSP_ACCESS_READ};
}

/* It knows nothing of others, so they are to be thought of. */
void insp_port_load(struct insp_load *load)
{
	load->wanted = true;
}

/* Each must differ when the state does; the memory's figures are all the state there is. */
void insp_port_gens(struct insp_gens *gens)
{
	*gens = (struct insp_gens){.all = port_memory.used, .frames = port_memory.used, .log = 1};
}

enum insp_status insp_port_stat(struct insp_stat *stat)
{
	*stat = port_memory;
	return INSP_OK;
}

static void fill_zone(struct insp_zone *zone)
{
	const uint64_t frame = 2 * MIB;

	*zone = (struct insp_zone){.name = "ZONE_NORMAL",
				   .end = port_memory.total,
				   .frames = port_memory.total / frame,
				   .free = port_memory.free / frame,
				   .used = port_memory.used / frame,
				   .largest_free_run = port_memory.free / frame};
}

/* Lists of one item: cursor[0] is how many were given out. It comes back from outside. */
enum insp_status insp_port_next(enum insp_kind kind, struct insp_visit *visit, void *item)
{
	if (kind != INSP_KIND_ZONES && kind != INSP_KIND_LOG)
		return INSP_ABSENT;
	if (visit->cursor[0] || (kind == INSP_KIND_LOG && visit->from > 0))
		return INSP_END;
	visit->cursor[0] = 1;
	if (kind == INSP_KIND_ZONES)
		fill_zone(item);
	else
		*(struct insp_line *)item = (struct insp_line){.text = "started"};
	return INSP_OK;
}

enum insp_status insp_port_object(uint64_t addr, struct insp_object *object)
{
	*object = (struct insp_object){.addr = addr,
				       .kind = INSP_OBJECT_NONE,
				       .base = INSP_NONE,
				       .site = INSP_NONE,
				       .birth_us = INSP_NONE};
	return INSP_OK;
}

enum insp_status insp_port_act(struct insp_act *act)
{
	(void)act;
	return INSP_ABSENT;
}

enum insp_status insp_port_read(uint32_t space, bool physical, uint64_t addr, void *buf, size_t len)
{
	(void)space, (void)physical, (void)addr, (void)buf, (void)len;
	return INSP_FAULT;
}

void insp_port_symbol(uint64_t addr, char *buf, size_t size)
{
	(void)addr;
	if (size)
		buf[0] = '\0';
}

size_t insp_port_link_space(void *link)
{
	const struct port_line *line = link;

	return sizeof line->out - line->len;
}

void insp_port_link_write(void *link, const void *bytes, size_t len)
{
	struct port_line *line = link;

	memcpy(line->out + line->len, bytes, len);
	line->len += len;
}
