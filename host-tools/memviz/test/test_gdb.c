/* Page tables as a stub would give them, and the numbers of registers. */
#include <memviz/model.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first. */
#include <cmocka.h>

#include "private.h"

#define PAGES 64
#define P     1ull
#define W     2ull
#define U     4ull
#define PS    128ull
#define G     256ull
#define XD    (1ull << 63)

/* Physical memory of a guest: page n lies at n * 4096. */
static uint64_t memory[PAGES][512];
static unsigned reads;

static enum mv_status read_memory(void *user, const uint64_t *addresses, size_t count,
				  uint64_t (*pages)[512], bool *good, struct mv_error *e)
{
	(void)user;
	(void)good;
	(void)e;
	for (size_t i = 0; i < count; i++) {
		reads++;
		if (addresses[i] / 4096 < PAGES)
			memcpy(pages[i], memory[addresses[i] / 4096], 4096);
		else
			memset(pages[i], 0, 4096);
	}
	return MV_OK;
}

static struct walk read_guest(void)
{
	struct walk w = {.cr0 = 0x80000011, .cr3 = 0x1000, .cr4 = 0x20, .efer = 0xd00};
	struct mv_error e;
	reads = 0;
	assert_int_equal(walk_read(&w, read_memory, NULL, &e), MV_OK);
	return w;
}

static void leaves_of_every_size_are_listed_with_their_rights(void **state)
{
	(void)state;
	memset(memory, 0, sizeof memory);
	memory[1][0] = 0x2000 | P | W | U;
	memory[1][256] = 0x5000 | P | W;
	memory[2][0] = 0x3000 | P | W | U;
	memory[3][0] = 0x4000 | P | W | U;
	memory[4][5] = 0x10000 | P | W | U;		 /* 4 KiB, user, executable */
	memory[4][6] = 0x11000 | P | W | U;		 /* goes on: one run */
	memory[4][7] = 0x12000 | P | U | XD;		 /* other rights: another run */
	memory[3][1] = 0x400000 | P | W | PS | XD;	 /* 2 MiB, no U below a U */
	memory[5][0] = 0x40000000 | P | W | PS | G | XD; /* 1 GiB */
	memory[5][511] = 0x6000 | P;			 /* read-only above ... */
	memory[6][511] = 0x800000 | P | W | PS;		 /* ... a writable leaf */
	struct walk w = read_guest();
	static const struct leaf_run expected[] = {
		{0x5000,		 0x10000,	  0x2000,	  4096,	MV_MAP_WRITE | MV_MAP_EXEC | MV_MAP_USER},
		{0x7000,		 0x12000,	  0x1000,	  4096,	MV_MAP_USER				   },
		{0x200000,	   0x400000,   0x200000,   2097152,	MV_MAP_WRITE			    },
		{0xffff800000000000, 0x40000000, 0x40000000, 1073741824,
		 MV_MAP_WRITE | MV_MAP_GLOBAL								    },
		{0xffff807fffe00000, 0x800000,   0x200000,	 2097152,	  MV_MAP_EXEC			     },
	};
	assert_int_equal(w.leaves.count, 5);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(w.leaves.runs[i].va, expected[i].va);
		assert_int_equal(w.leaves.runs[i].pa, expected[i].pa);
		assert_int_equal(w.leaves.runs[i].len, expected[i].len);
		assert_int_equal(w.leaves.runs[i].page, expected[i].page);
		assert_int_equal(w.leaves.runs[i].flags, expected[i].flags);
	}
	assert_int_equal(w.table_count, 6);
	assert_int_equal(reads, 6);
	assert_null(walk_table(&w, 0x7000));
	walk_free(&w);
}

static void without_nxe_the_xd_bit_means_nothing(void **state)
{
	(void)state;
	memset(memory, 0, sizeof memory);
	memory[1][0] = 0x2000 | P | W;
	memory[2][0] = 0 | P | PS | XD;
	struct walk w = {.cr0 = 0x80000011, .cr3 = 0x1000, .cr4 = 0x20, .efer = 0x500};
	struct mv_error e;
	assert_int_equal(walk_read(&w, read_memory, NULL, &e), MV_OK);
	assert_true(w.leaves.runs[0].flags & MV_MAP_EXEC);
	walk_free(&w);
}

/* A guest may map its tables onto themselves: each is read once. */
static void tables_upon_themselves_end(void **state)
{
	(void)state;
	memset(memory, 0, sizeof memory);
	memory[1][511] = 0x1000 | P | W;
	memory[1][0] = 0x2000 | P | W;
	memory[2][0] = 0x1000 | P | W; /* a lower level that points up */
	struct walk w = read_guest();
	assert_int_equal(reads, 2);
	assert_true(w.leaves.count > 0 && w.leaves.count < 100);
	walk_free(&w);
	/* All entries of all tables: bounded, not endless. */
	for (unsigned i = 0; i < 512; i++)
		memory[1][i] = 0x1000 | P | W;
	w = read_guest();
	assert_int_equal(reads, 1);
	walk_free(&w);
}

static void a_guest_without_long_mode_is_told(void **state)
{
	(void)state;
	struct walk w = {.cr0 = 0x11, .cr4 = 0x20, .efer = 0xd00};
	struct mv_error e;
	assert_int_equal(walk_read(&w, read_memory, NULL, &e), MV_LINK);
	assert_non_null(strstr(e.message, "no paging"));
	w.cr0 = 0x80000011;
	w.efer = 0;
	assert_int_equal(walk_read(&w, read_memory, NULL, &e), MV_LINK);
	assert_non_null(strstr(e.message, "long mode"));
}

static void registers_have_the_number_of_their_place(void **state)
{
	(void)state;
	static const char xml[] =
		"<feature><flags id=\"f\"><field name=\"cr3\"/></flags><regs/>"
		"<reg name=\"rax\" bitsize=\"64\" regnum=\"0\"/><reg name='rbx'/>"
		"<reg bitsize=\"64\"\n name=\"cr0\" regnum=\"27\"/><reg name=\"cr3\"/>"
		"<reg altname=\"efer\" name=\"x\"/><reg name=\"efer\"/></feature>";
	assert_int_equal(description_register(xml, "rax"), 0);
	assert_int_equal(description_register(xml, "rbx"), 1);
	assert_int_equal(description_register(xml, "cr0"), 27);
	assert_int_equal(description_register(xml, "cr3"), 28);
	assert_int_equal(description_register(xml, "efer"), 30);
	assert_int_equal(description_register(xml, "cr9"), -1);
	assert_int_equal(description_register("<reg name=\"cr3\"", "cr3"), -1);
	assert_int_equal(description_register("", "cr3"), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leaves_of_every_size_are_listed_with_their_rights),
		cmocka_unit_test(without_nxe_the_xd_bit_means_nothing),
		cmocka_unit_test(tables_upon_themselves_end),
		cmocka_unit_test(a_guest_without_long_mode_is_told),
		cmocka_unit_test(registers_have_the_number_of_their_place),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
