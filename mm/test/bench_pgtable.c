// bench_pgtable.c: instructions that mapping, unmapping and looking take, counted
// by callgrind: the program runs itself under it once per row.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host.h"
#include "pt_rig.h"

#define PAGE  PAGE_4K_SIZE
#define M2    PAGE_2M_SIZE
#define BYTES (64ul << 20)
#define PAGES (BYTES / PAGE)
#define VA    0x4000000000ul
#define LEAFS 33280ul
#define RW    (1ul << PAGE_R_W)

static void map_64m(void)
{
	rig_expect(mm_map_phys_addr(VA, 0, BYTES, RW, true) == 0, "map");
}

static void unmap_64m(void)
{
	mm_unmap_addr(VA, BYTES);
}

static void map_page(void)
{
	rig_expect(mm_map_phys_addr(VA + PAGE, PAGE, PAGE, RW, true) == 0, "map");
}

static void unmap_page(void)
{
	mm_unmap_addr(VA + PAGE, PAGE);
}

static void map_page_at_0(void)
{
	rig_expect(mm_map_phys_addr(VA, 0, PAGE, RW, true) == 0, "map");
}

static void both_pages(void)
{
	map_page_at_0();
	map_page();
}

static void map_2m(void)
{
	rig_expect(mm_map_phys_addr(VA, 0, M2, RW, false) == 0, "map");
}

static void translate(void)
{
	struct mm_translation is;

	rig_expect(mm_translate(MM_SPACE_KERNEL, mm_va(VA), &is) == MM_OK && is.mapped, "where?");
}

// Runs of 8 pages whose neighbours neither follow nor precede them.
static void map_hostile(void)
{
	for (uint64_t i = 0; i < LEAFS / 8; i++)
		rig_expect(mm_map_phys_addr(VA + i * 8 * PAGE, (LEAFS - i * 8) * PAGE, 8 * PAGE, RW,
					    true) == 0,
			   "map");
}

static void visit(void)
{
	struct mm_mapping_filter filter = {MM_SPACE_KERNEL, mm_va(VA), mm_va(VA + LEAFS * PAGE - 1),
					   false};
	struct mm_cursor cursor = {0};
	struct mm_mapping run[64];
	enum mm_visit verdict;
	size_t count, total = 0;

	do {
		verdict = mm_visit_mappings(&cursor, &filter, run, 64, &count);
		total += count;
	} while (verdict != MM_VISIT_END);
	rig_expect(total == LEAFS / 8, "%zu runs", total);
}

static void rmap(void)
{
	struct mm_cursor cursor = {0};
	struct mm_rmap found[64];
	enum mm_visit verdict;
	size_t count;

	do {
		verdict = mm_visit_rmap(&cursor, mm_pa(M2), M2, found, 64, &count);
	} while (verdict != MM_VISIT_END);
}

static void nothing(void)
{
}

static const struct row {
	const char *name;
	void (*prepare)(void);
	void (*measure)(void);
	unsigned long per;
	const char *peer, *peer_value;
} rows[] = {
	{"mm.host.map_4k_per_page",	    nothing,	     map_64m,    PAGES, "linux-6.1-vmap",   "70"},
	{"mm.host.unmap_4k_per_page",	      map_64m,       unmap_64m,  PAGES, "linux-6.1-vunmap", "10"},
	{"mm.host.map_one_page",		 map_page_at_0, map_page,	  1,     "-",		  "-" },
	{"mm.host.unmap_one_page",	   both_pages,    unmap_page, 1,     "-",		   "-" },
	{"mm.host.split_2m",		     map_2m,	     unmap_page, 1,	    "-",		 "-" },
	{"mm.host.translate",		      map_page_at_0, translate,	1,	   "-",		"-" },
	{"mm.host.visit_mappings_per_leaf", map_hostile,	 visit,	LEAFS, "-",		    "-" },
	{"mm.host.visit_rmap_per_leaf",	map_hostile,   rmap,	   LEAFS, "-",		       "-" },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

void measured(void (*what)(void));

// callgrind collects between its entry and its return.
__attribute__((noinline)) void measured(void (*what)(void))
{
	what();
	__asm__ volatile("");
}

static int run(const struct row *row)
{
	rig_start((struct rig_options){.memory_bytes = 256 * MIB});
	host_tlb_hook = NULL;
	map_64m(); // tables are warm: the slab has seen as many before
	unmap_64m();
	row->prepare();
	measured(row->measure);
	return 0;
}

static long collect(const char *self, const char *name)
{
	char line[512];
	long count = -1;
	FILE *pipe;

	snprintf(line, sizeof(line),
		 "valgrind --tool=callgrind --callgrind-out-file=/dev/null "
		 "--toggle-collect=measured '%s' run %s 2>&1",
		 self, name);
	pipe = popen(line, "r");
	while (pipe && fgets(line, sizeof(line), pipe))
		if (strstr(line, "Collected : "))
			count = atol(strstr(line, ": ") + 2);
	if (pipe)
		pclose(pipe);
	return count;
}

int main(int argc, char **argv)
{
	char self[400] = {0};

	for (size_t i = 0; argc == 3 && i < ROWS; i++)
		if (!strcmp(rows[i].name, argv[2]))
			return run(&rows[i]);
	if (argc > 1 || readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return 2;
	for (size_t i = 0; i < ROWS; i++) {
		long count = collect(self, rows[i].name);

		if (count < 0) {
			fprintf(stderr, "%s: callgrind did not count\n", rows[i].name);
			return 1;
		}
		printf("%s\t%.2f\tinstructions\t%s\t%s\n", rows[i].name,
		       (double)count / (double)rows[i].per, rows[i].peer, rows[i].peer_value);
	}
	return 0;
}
