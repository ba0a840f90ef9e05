// bench_host.c: mm on the host. Wall time of the same loop over kmalloc/kfree and
// over the malloc of mimalloc and of the C library, in turns; and instructions,
// counted by callgrind (the program runs itself under it once per row), where the
// figure has to stay flat: many live objects, a fragmented tebibyte.
#include "host.h"
#include "rng.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// --- wall time ------------------------------------------------------------------
#define PAIRS  20000000u
#define ROUNDS 9

typedef void *(*alloc_t)(size_t size);
typedef void (*free_t)(void *object);

static void *mm_alloc(size_t size)
{
	return kmalloc(size, 0);
}

static void mm_release(void *object)
{
	kfree(object);
}

// Not inlined, so that every allocator gets the very same loop.
static __attribute__((noinline)) double pair_ns(alloc_t alloc, free_t release)
{
	struct timespec start, end;

	clock_gettime(CLOCK_MONOTONIC, &start);
	for (unsigned i = 0; i < PAIRS; i++) {
		void *object = alloc(64);

		__asm__ volatile("" : : "r"(object) : "memory");
		release(object);
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	return ((double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec)) /
	       PAIRS;
}

static void row_against(const char *name, const char *peer, alloc_t alloc, free_t release)
{
	double ours = 1e9, theirs = 1e9;

	for (int i = 0; i < ROUNDS; i++) {
		double mine = pair_ns(mm_alloc, mm_release);
		double other = pair_ns(alloc, release);

		ours = mine < ours ? mine : ours;
		theirs = other < theirs ? other : theirs;
	}
	printf("%s\t%.2f\tns\t%s\t%.2f\n", name, ours, peer, theirs);
}

static void wall_rows(void)
{
	void *mimalloc = dlopen("libmimalloc.so.2", RTLD_NOW | RTLD_LOCAL);

	host_start_plain(256 * MIB);
	if (mimalloc) {
		// A function pointer out of dlsym, the way POSIX wants it.
		alloc_t alloc;
		free_t release;

		*(void **)&alloc = dlsym(mimalloc, "mi_malloc");
		*(void **)&release = dlsym(mimalloc, "mi_free");
		row_against("mm.host_pair.mimalloc", "mimalloc 2", alloc, release);
	}
	row_against("mm.host_pair.glibc", "glibc", malloc, free);
	host_stop();
}

// --- instructions ------------------------------------------------------------------
#define TURNS 1000u

static void **live;
static struct rng rng = {1};

static void live_objects(uint64_t count)
{
	host_start_plain(2 * GIB);
	live = malloc(count * sizeof(*live));
	for (uint64_t i = 0; i < count; i++)
		live[i] = kmalloc(64, 0);
	// Shuffled, so that frees fall anywhere.
	for (uint64_t i = count; i > 1; i--) {
		uint64_t at = rng_below(&rng, i);
		void *held = live[i - 1];

		live[i - 1] = live[at];
		live[at] = held;
	}
	// Some churn first: the figure is that of a heap in use.
	for (uint64_t i = 0; i < count; i++) {
		kfree(live[i]);
		live[i] = kmalloc(64, 0);
	}
}

static void replace(void)
{
	for (unsigned i = 0; i < TURNS; i++) {
		kfree(live[i]);
		live[i] = kmalloc(64, 0);
	}
}

static void live_1k(void)
{
	live_objects(1000);
}

static void live_1m(void)
{
	live_objects(1000000);
}

// Every other frame taken; one hole of 63.
static void fragmented_tebibyte(void)
{
	static const struct mm_region map[] = {
		{0,	    512 * MIB, MM_REGION_USABLE},
		{8 * GIB, 1 * TIB,   MM_REGION_USABLE},
	};
	uint64_t count = TIB / PAGE_2M_SIZE;
	struct Page *first;

	host_start(&(struct host_machine){.regions = map, .region_count = 2});
	first = mm_phys_to_page(mm_pa(8 * GIB));
	for (uint64_t i = 0; i < count; i++)
		if (!alloc_pages(ZONE_UNMAPPED_IN_PGT, 1, 0))
			abort();
	for (uint64_t i = 0; i < count; i += 2)
		free_pages(first + i, 1);
	for (uint64_t i = 300001; i < 300001 + 62; i += 2)
		free_pages(first + i, 1);
}

static void plain_2g(void)
{
	host_start_plain(2 * GIB);
}

static void pairs(unsigned zone, int frames)
{
	for (unsigned i = 0; i < TURNS; i++)
		free_pages(alloc_pages(zone, frames, 0), frames);
}

static void normal_1(void)
{
	pairs(ZONE_NORMAL, 1);
}

static void normal_63(void)
{
	pairs(ZONE_NORMAL, 63);
}

static void unmapped_1(void)
{
	pairs(ZONE_UNMAPPED_IN_PGT, 1);
}

static void unmapped_63(void)
{
	pairs(ZONE_UNMAPPED_IN_PGT, 63);
}

// Singles that never meet the one-frame cache.
static void unmapped_bulk_1(void)
{
	static struct Page *pages[TURNS];

	for (unsigned i = 0; i < TURNS; i++)
		pages[i] = alloc_pages(ZONE_UNMAPPED_IN_PGT, 1, 0);
	for (unsigned i = 0; i < TURNS; i++)
		free_pages(pages[i], 1);
}

static void kmalloc_pairs(void)
{
	for (unsigned i = 0; i < TURNS; i++)
		kfree(kmalloc(64, 0));
}

static const struct row {
	const char *name;
	void (*prepare)(void);
	void (*measure)(void);
} rows[] = {
	{"mm.host.kmalloc_kfree.64",				     plain_2g,	       kmalloc_pairs},
	{"mm.host.replace.64.live_1000",				 live_1k,		  replace	 },
	{"mm.host.replace.64.live_1000000",			    live_1m,	     replace	    },
	{"mm.host.alloc_free_frames.1",				plain_2g,		  normal_1	  },
	{"mm.host.alloc_free_frames.63",				 plain_2g,		   normal_63    },
	{"mm.host.alloc_free_frames.1.fragmented_1TiB",		fragmented_tebibyte, unmapped_1   },
	{"mm.host.alloc_free_frames.63.fragmented_1TiB",		 fragmented_tebibyte, unmapped_63	 },
	{"mm.host.alloc_free_frames.1000_singles.fragmented_1TiB", fragmented_tebibyte,
	 unmapped_bulk_1									     },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

void measured(void (*what)(void));

// callgrind collects between its entry and its return.
__attribute__((noinline)) void measured(void (*what)(void))
{
	what();
	__asm__ volatile("");
}

static int run_row(const char *name)
{
	for (size_t i = 0; i < ROWS; i++) {
		if (strcmp(rows[i].name, name))
			continue;
		rows[i].prepare();
		measured(rows[i].measure); // warm
		measured(rows[i].measure);
		return 0;
	}
	return 2;
}

static long collect(const char *self, const char *name)
{
	char line[512];
	long count = -1;
	FILE *pipe;

	snprintf(line, sizeof(line),
		 "valgrind --tool=callgrind --callgrind-out-file=/dev/null "
		 "--toggle-collect=measured '%s' row %s 2>&1",
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

	if (argc == 3)
		return run_row(argv[2]);
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return 2;
	wall_rows();
	for (size_t i = 0; i < ROWS; i++) {
		long count = collect(self, rows[i].name);

		if (count < 0) {
			fprintf(stderr, "%s: callgrind did not count\n", rows[i].name);
			return 1;
		}
		printf("%s\t%.2f\tinstructions\t-\t-\n", rows[i].name, (double)count / 2 / TURNS);
	}
	return 0;
}
