// malloc.c: the C library's names. They, and nothing else of this library, are visible outside.
#include "shim.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static void *or_enomem(void *object)
{
	if (unlikely(!object))
		errno = ENOMEM;
	return object;
}

EXPORT void *malloc(size_t size)
{
	return or_enomem(shim_alloc(size, 1, false));
}

EXPORT void *calloc(size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		return or_enomem(NULL);
	return or_enomem(shim_alloc(bytes, 1, true));
}

EXPORT void free(void *object)
{
	int kept = errno; // POSIX: free leaves it alone

	if (object)
		shim_free(object);
	errno = kept;
}

EXPORT void *realloc(void *object, size_t size)
{
	if (!object)
		return malloc(size);
	if (!size) {
		free(object);
		return NULL;
	}
	return or_enomem(shim_resize(object, size));
}

EXPORT void *reallocarray(void *object, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		return or_enomem(NULL);
	return realloc(object, bytes);
}

static int is_power_of_two(size_t value)
{
	return value && !(value & (value - 1));
}

EXPORT int posix_memalign(void **object, size_t alignment, size_t size)
{
	int kept = errno; // the answer is the result
	void *found;

	if (!is_power_of_two(alignment) || alignment % sizeof(void *))
		return EINVAL;
	found = shim_alloc(size, alignment, false);
	errno = kept;
	if (!found)
		return ENOMEM;
	*object = found;
	return 0;
}

EXPORT void *memalign(size_t alignment, size_t size)
{
	if (!is_power_of_two(alignment)) {
		errno = EINVAL;
		return NULL;
	}
	return or_enomem(shim_alloc(size, alignment, false));
}

EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
	return memalign(alignment, size);
}

EXPORT void *valloc(size_t size)
{
	return memalign(4096, size);
}

EXPORT void *pvalloc(size_t size)
{
	if (size > SIZE_MAX - 4095)
		return or_enomem(NULL);
	return memalign(4096, (size + 4095) & ~(size_t)4095);
}

EXPORT size_t malloc_usable_size(void *object)
{
	return object ? shim_size(object) : 0;
}
