// bench_alloc.c: frames and objects on the host. Times against mimalloc and glibc in the same loop
// of the same run; instructions counted by callgrind (the program runs itself under it once per
// row) for what needs more memory than a guest has: 1 TiB of frames, a million live objects.
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host.h"
#include "rng.h"

static void expect(bool right, const char *what)
{
	if (!right) {
		fprintf(stderr, "bench_alloc: %s\n", what);
		exit(1);
	}
}

// --- wall time ---------------------------------------------------------------------
#define PAIRS	  2000000u
#define TURNS	  15 // each allocator's best of so many, taken in turns
#define PAIR_SIZE 64

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

typedef void *(*alloc_fn)(size_t size, gfp_t gfp); // malloc does not see the second
typedef unsigned long (*free_fn)(void *object);	   // nobody looks at the result

struct allocator {
	const char *name;
	alloc_fn alloc;
	free_fn free;
	double best;
};

static __attribute__((noinline)) void pair_loop(alloc_fn alloc, free_fn give)
{
	for (unsigned i = 0; i < PAIRS; i++) {
		uint64_t *object = alloc(PAIR_SIZE, 0);

		*(volatile uint64_t *)object = i;
		give(object);
	}
}

static void race(struct allocator *all, unsigned count)
{
	for (unsigned turn = 0; turn < TURNS; turn++)
		for (unsigned i = 0; i < count; i++) {
			double begin = seconds(), took;

			if (!all[i].alloc)
				continue;
			pair_loop(all[i].alloc, all[i].free);
			took = (seconds() - begin) * 1e9 / PAIRS;
			if (all[i].best == 0 || took < all[i].best)
				all[i].best = took;
		}
}

static void *symbol(void *library, const char *name)
{
	return library ? dlsym(library, name) : NULL;
}

static void time_pairs(void)
{
	void *library = dlopen("libmimalloc.so.2", RTLD_NOW | RTLD_LOCAL);
	void *own_malloc = dlsym(RTLD_DEFAULT, "malloc"), *own_free = dlsym(RTLD_DEFAULT, "free");
	void *mi_malloc = symbol(library, "mi_malloc"), *mi_free = symbol(library, "mi_free");
	struct allocator all[] = {
		{"mm",       kmalloc, kfree, 0},
		{"mimalloc", NULL,	   NULL,	 0},
		{"glibc",	  NULL,	NULL,  0},
	};

	memcpy(&all[1].alloc, &mi_malloc, sizeof(void *));
	memcpy(&all[1].free, &mi_free, sizeof(void *));
	memcpy(&all[2].alloc, &own_malloc, sizeof(void *));
	memcpy(&all[2].free, &own_free, sizeof(void *));
	host_start_plain(64 * MIB);
	race(all, 3);
	host_stop();
	for (unsigned i = 1; i < 3; i++)
		if (all[i].alloc)
			printf("mm.host_pair.%s\t%.3f\tns\t%s\t%.3f\n", all[i].name, all[0].best,
			       all[i].name, all[i].best);
		else
			fprintf(stderr, "mm.host_pair.%s: not installed here\n", all[i].name);
}

// --- what callgrind counts ---------------------------------------------------------
#define OPS 1000u

static struct rng rng = {20240521};

static uint64_t dice(uint64_t sides)
{
	return rng_below(&rng, sides);
}

// --- frames ---
static unsigned run_frames;
static struct Page *batch[64];

static void start_frames(uint64_t bytes)
{
	struct mm_region regions[] = {
		{0,	    bytes,   MM_REGION_USABLE},
		{16 * MIB, 2 * MIB, MM_REGION_IN_USE},
	};

	// All but 32 MiB is above the direct map, so that this needs no memory for frames.
	host_start(&(struct host_machine){.regions = regions,
					  .region_count = 2,
					  .direct_limit = bytes <= GIB ? 32 * MIB : 4 * GIB});
}

static struct Page *take(unsigned frames)
{
	return alloc_pages(ZONE_UNMAPPED_IN_PGT, (int)frames, 0);
}

// Every frame taken one by one, every second one given back; for longer runs as many places in
// between as a batch needs, at random.
static void fragment(void)
{
	struct Page **all = malloc(sizeof(*all) * (TIB / PAGE_2M_SIZE));
	size_t count = 0;

	start_frames(TIB);
	while ((all[count] = take(1)))
		count++;
	for (size_t i = 0; i < count; i += 2)
		free_pages(all[i], 1);
	for (unsigned n = 0; run_frames > 1 && n < 64; n++) {
		size_t at = (n * (count / 64) + dice(count / 128)) | 1;

		for (size_t i = at; i < at + run_frames + 1; i += 2)
			free_pages(all[i], 1);
	}
	free(all);
}

static void fragment_1(void)
{
	run_frames = 1;
	fragment();
}

static void fragment_63(void)
{
	run_frames = 63;
	fragment();
}

static void frame_pairs(void)
{
	for (unsigned i = 0; i < OPS; i++)
		free_pages(take(run_frames), (int)run_frames);
}

static void frame_batches(void)
{
	for (unsigned n = 0; n < OPS / 50; n++) {
		for (unsigned i = 0; i < 50; i++)
			batch[i] = take(run_frames);
		for (unsigned i = 0; i < 50; i++)
			free_pages(batch[i], (int)run_frames);
	}
}

// --- a zone half full, at random, of any size ---
static struct Page **held;
static size_t held_count;

static void half_full(uint64_t bytes)
{
	size_t count = 0, limit;

	start_frames(bytes);
	limit = bytes / PAGE_2M_SIZE;
	held = malloc(sizeof(*held) * limit);
	while ((held[count] = take(1)))
		count++;
	for (size_t left = count / 2; left; left--) {
		size_t at = dice(count);

		free_pages(held[at], 1);
		held[at] = held[--count];
	}
	held_count = count;
}

static void half_full_64m(void)
{
	half_full(64 * MIB);
}

static void half_full_1g(void)
{
	half_full(GIB);
}

static void half_full_32g(void)
{
	half_full(32 * GIB);
}

static void half_full_1t(void)
{
	half_full(TIB);
}

// Four go, four others come: more than stay with the CPU.
static void swap_frames(void)
{
	size_t at[4];

	for (unsigned n = 0; n < OPS / 4; n++) {
		for (unsigned i = 0; i < 4; i++) {
			do
				at[i] = dice(held_count);
			while (!held[at[i]]);
			free_pages(held[at[i]], 1);
			held[at[i]] = NULL;
		}
		for (unsigned i = 0; i < 4; i++)
			held[at[i]] = take(1);
	}
}

// --- objects ---
static void **objects;
static size_t object_count;

// `live` objects of 64 B that are what is left of twice as many.
static void live(size_t count)
{
	size_t have = 2 * count;

	host_start_plain(4 * GIB);
	objects = malloc(sizeof(*objects) * have);
	for (size_t i = 0; i < have; i++)
		objects[i] = kmalloc(64, 0);
	while (have > count) {
		size_t at = dice(have);

		kfree(objects[at]);
		objects[at] = objects[--have];
	}
	object_count = count;
}

static void live_1e3(void)
{
	live(1000);
}

static void live_1e4(void)
{
	live(10000);
}

static void live_1e5(void)
{
	live(100000);
}

static void live_1e6(void)
{
	live(1000000);
}

// Any object goes, another comes: what a long-running kernel does.
static void swap_objects(void)
{
	for (unsigned i = 0; i < OPS * 10; i++) {
		size_t at = dice(object_count);

		kfree(objects[at]);
		objects[at] = kmalloc(64, 0);
	}
}

static const struct row {
	const char *name;
	void (*prepare)(void);
	void (*measure)(void);
	unsigned long per;
	const char *peer, *peer_value;
} rows[] = {
	{"mm.alloc_free_frames.1.fragmented_1TiB",	   fragment_1,    frame_pairs,   OPS,	 "LLFree", "490"},
	{"mm.alloc_free_frames.1.fragmented_1TiB.by_50",	 fragment_1,    frame_batches, OPS,	 "-",      "-"	 },
	{"mm.alloc_free_frames.63.fragmented_1TiB",	    fragment_63,	 frame_pairs,   OPS,	   "LLFree", "490"},
	{"mm.alloc_free_frames.63.fragmented_1TiB.by_50", fragment_63,   frame_batches, OPS,	   "-",
	 "-"												     },
	{"mm.flat.frames.64MiB",				 half_full_64m, swap_frames,   OPS,	  "-",      "-"  },
	{"mm.flat.frames.1GiB",				half_full_1g,  swap_frames,   OPS,	"-",	     "-"	},
	{"mm.flat.frames.32GiB",				 half_full_32g, swap_frames,   OPS,	  "-",      "-"  },
	{"mm.flat.frames.1TiB",				half_full_1t,  swap_frames,   OPS,	"-",	     "-"	},
	{"mm.flat.objects.1000_live",		      live_1e3,	swap_objects,  OPS * 10, "-",	     "-"	},
	{"mm.flat.objects.10000_live",		       live_1e4,	 swap_objects,  OPS * 10, "-",      "-"	 },
	{"mm.flat.objects.100000_live",			live_1e5,	  swap_objects,	OPS * 10, "-",      "-"  },
	{"mm.flat.objects.1000000_live",			 live_1e6,	   swap_objects,	 OPS * 10, "-",	"-"  },
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
	row->prepare();
	row->measure(); // the caches are as they will be
	measured(row->measure);
	expect(host_check() == 0, "mm_check found faults");
	return 0;
}

static long collect(const char *self, const char *name)
{
	char line[512];
	long count = -1;
	FILE *pipe;

	snprintf(line, sizeof(line),
		 "timeout 60 valgrind --tool=callgrind --callgrind-out-file=/dev/null "
		 "--toggle-collect=measured '%s' run %s 2>&1",
		 self, name);
	pipe = popen(line, "r");
	while (pipe && fgets(line, sizeof(line), pipe))
		if (strstr(line, "Collected : "))
			count = atol(strstr(line, ": ") + 2);
	if (pipe && pclose(pipe))
		count = -1;
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
	time_pairs();
	for (size_t i = 0; i < ROWS; i++) {
		long count = collect(self, rows[i].name);

		if (count < 0) {
			fprintf(stderr, "%s: callgrind did not count\n", rows[i].name);
			return 1;
		}
		printf("%s\t%.1f\tinstructions\t%s\t%s\n", rows[i].name,
		       (double)count / (double)rows[i].per, rows[i].peer, rows[i].peer_value);
	}
	return 0;
}
