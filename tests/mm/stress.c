// stress.c: a program for the malloc shim to run: threads that come and go, more at once than mm
// has CPUs, frees on other threads, every size and alignment, forks in the middle. Prints one line,
// the same on every malloc; tells on stderr what went wrong and ends with 1.
//   stress THREADS ROUNDS, stress forks N, stress edges, or stress WRONG, one of: double interior
//   foreign realloc large
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAILBOX 512u // objects on their way from one thread to another
#define KEPT	64u

static _Atomic(unsigned char *) mailbox[MAILBOX];
static pthread_barrier_t all_here;
static atomic_uint faults;
static unsigned rounds;

static uint32_t next(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

// An object begins with its size; each later byte is made of it and its own place.
static unsigned char pattern(size_t size, size_t at)
{
	return (unsigned char)(size * 31 + at);
}

static void fault(const char *what)
{
	fprintf(stderr, "stress: %s\n", what);
	atomic_fetch_add(&faults, 1);
}

static void check(const unsigned char *object, size_t limit)
{
	size_t size;

	memcpy(&size, object, sizeof(size));
	if (size < limit)
		limit = size;
	for (size_t i = sizeof(size); i < limit; i += i < 256 ? 1 : 509)
		if (object[i] != pattern(size, i)) {
			fault("contents changed");
			return;
		}
}

static void fill(unsigned char *object, size_t size)
{
	memcpy(object, &size, sizeof(size));
	for (size_t i = sizeof(size); i < size; i += i < 256 ? 1 : 509)
		object[i] = pattern(size, i);
}

static size_t size_for(uint32_t dice)
{
	if (dice % 512 == 0)
		return (1u << 20) + dice % 3000000; // a mapping
	if (dice % 16 == 0)
		return 8 + dice / 16 % 70000;
	return 8 + dice / 16 % 700;
}

static unsigned char *make(uint32_t *state)
{
	uint32_t dice = next(state);
	size_t size = size_for(dice);
	size_t alignment = 16;
	void *object = NULL;

	switch (next(state) % 8) {
	case 0:
		object = calloc(1, size);
		for (size_t i = 0; object && i < size; i++)
			if (((unsigned char *)object)[i]) {
				fault("calloc gave a dirty object");
				break;
			}
		break;
	case 1:
		alignment = sizeof(void *) << next(state) % 12;
		if (posix_memalign(&object, alignment, size))
			object = NULL;
		break;
	default:
		object = malloc(size);
	}
	if (!object) {
		fault("no memory");
		exit(1);
	}
	if ((uintptr_t)object % alignment)
		fault("not aligned");
	if (malloc_usable_size(object) < size)
		fault("malloc_usable_size is too small");
	fill(object, size);
	return object;
}

static void drop(unsigned char *object)
{
	if (object) {
		check(object, SIZE_MAX);
		free(object);
	}
}

static unsigned char *change(unsigned char *object, uint32_t *state)
{
	size_t size = size_for(next(state));
	unsigned char *moved;

	check(object, SIZE_MAX);
	moved = realloc(object, size);
	if (!moved) {
		fault("no memory");
		exit(1);
	}
	check(moved, size);
	fill(moved, size);
	return moved;
}

static void in_child(uint32_t *state)
{
	for (unsigned i = 0; i < 200; i++)
		drop(make(state));
	_exit(atomic_load(&faults) ? 1 : 0);
}

static void fork_once(uint32_t *state)
{
	int status;
	pid_t child = fork();

	if (child == 0)
		in_child(state);
	if (child < 0 || waitpid(child, &status, 0) != child || status)
		fault("the child failed");
}

static void *work(void *seed)
{
	uint32_t state = (uint32_t)(uintptr_t)seed * 2654435761u + 1;
	unsigned char *kept[KEPT] = {NULL};

	pthread_barrier_wait(&all_here);
	for (unsigned i = 0; i < rounds; i++) {
		unsigned at = next(&state) % KEPT;

		if (kept[at] && next(&state) % 4 == 0) {
			kept[at] = change(kept[at], &state);
			continue;
		}
		drop(kept[at]);
		kept[at] = make(&state);
		if (next(&state) % 2) {
			drop(atomic_exchange(&mailbox[next(&state) % MAILBOX], kept[at]));
			kept[at] = NULL;
		}
		if ((uintptr_t)seed % 16 == 0 && i % (rounds / 4 + 1) == 7)
			fork_once(&state);
	}
	for (unsigned i = 0; i < KEPT; i++)
		drop(kept[i]);
	return NULL;
}

// Three generations: the second and third run on CPU numbers that were used before.
static int stress(unsigned threads)
{
	pthread_t *ids = calloc(threads, sizeof(*ids));

	for (unsigned generation = 0; generation < 3; generation++) {
		pthread_barrier_init(&all_here, NULL, threads);
		for (uintptr_t i = 0; i < threads; i++)
			if (pthread_create(&ids[i], NULL, work,
					   (void *)(i + generation * threads))) {
				perror("pthread_create");
				return 1;
			}
		for (unsigned i = 0; i < threads; i++)
			pthread_join(ids[i], NULL);
		pthread_barrier_destroy(&all_here);
	}
	for (unsigned i = 0; i < MAILBOX; i++)
		drop(mailbox[i]);
	free(ids);
	printf("%u threads, %u rounds, %u faults\n", threads, rounds, atomic_load(&faults));
	return atomic_load(&faults) != 0;
}

static atomic_bool enough;

static void hammer_once(void)
{
	void *held[8];

	for (unsigned i = 0; i < 8; i++)
		held[i] = malloc(i % 2 ? 600000 : 150000);
	for (unsigned i = 0; i < 8; i++)
		free(held[i]);
}

// Is inside the allocator, on its longest paths, nearly always.
static void *hammer(void *seed)
{
	(void)seed;
	while (!atomic_load(&enough))
		hammer_once();
	return NULL;
}

// A child finds every lock open, whatever the other threads were doing.
static int forks(unsigned count)
{
	pthread_t threads[6];
	uint32_t state = 1;

	for (unsigned i = 0; i < 6; i++)
		pthread_create(&threads[i], NULL, hammer, NULL);
	for (unsigned i = 0; i < count; i++) {
		int status;
		pid_t child = fork();

		if (child == 0) {
			alarm(10); // waiting for a thread that is not there
			hammer_once();
			in_child(&state);
		}
		if (child < 0 || waitpid(child, &status, 0) != child || status) {
			fault("a child failed");
			break;
		}
	}
	atomic_store(&enough, true);
	for (unsigned i = 0; i < 6; i++)
		pthread_join(threads[i], NULL);
	printf("%u forks, %u faults\n", count, atomic_load(&faults));
	return atomic_load(&faults) != 0;
}

// What the C library says about edges: the same on every malloc.
static int edges(void)
{
	volatile size_t far_too_much = (size_t)PTRDIFF_MAX + 1;
	void *object = (void *)1;
	void *zero = malloc(0);
	bool right = zero != NULL && zero != malloc(0);

	free(NULL);
	free(zero);
	errno = 0;
	right &= malloc(far_too_much) == NULL && errno == ENOMEM;
	errno = 0;
	right &= calloc(far_too_much, 4) == NULL && errno == ENOMEM;
	errno = 0;
	right &= reallocarray(NULL, far_too_much, 4) == NULL && errno == ENOMEM;
	right &= posix_memalign(&object, 3, 8) == EINVAL && object == (void *)1;
	right &= posix_memalign(&object, 4, 8) == EINVAL;
	right &= posix_memalign(&object, 4194304, 8) == 0 && (uintptr_t)object % 4194304 == 0;
	errno = 5;
	free(object);
	right &= errno == 5;
	object = realloc(NULL, 3000000);
	memset(object, 7, 3000000);
	object = realloc(object, 9000000);
	right &= ((char *)object)[2999999] == 7;
	object = realloc(object, 100);
	right &= ((char *)object)[99] == 7;
	free(object);
	puts(right ? "edges hold" : "edges broken");
	return !right;
}

static void do_wrong(const char *what)
{
	static char foreign[64];
	char *volatile object = malloc(strcmp(what, "large") ? 100 : 5000000);

	if (!strcmp(what, "double") || !strcmp(what, "large")) {
		free(object);
		free(object);
	} else if (!strcmp(what, "interior")) {
		free(object + 32);
	} else if (!strcmp(what, "foreign")) {
		char *volatile it = foreign;
		free(it);
	} else if (!strcmp(what, "realloc")) {
		free(object);
		object = realloc(object, 4000);
	}
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "edges"))
		return edges();
	if (argc == 2)
		do_wrong(argv[1]);
	if (argc != 3)
		return 2;
	rounds = (unsigned)strtoul(argv[2], NULL, 10);
	if (!strcmp(argv[1], "forks"))
		return forks(rounds);
	return stress((unsigned)strtoul(argv[1], NULL, 10));
}
