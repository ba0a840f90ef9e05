/*
 * Lines of a Linux kmem trace in ftrace's text form:
 *
 *	  gcc-123   [001] .....  1421.699540: kmalloc: call_site=f+0x1/0x2 ptr=00.. bytes_req=512
 *...
 *
 * Only what a replay needs is read. A line that has the form of an event but
 * lacks a field, or holds nonsense in one, is bad and is told, never guessed.
 */
#ifndef MEMVIZ_FTRACE_H
#define MEMVIZ_FTRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mv_ftrace_kind {
	MV_FTRACE_KMALLOC,     /* kmalloc, kmalloc_node: ptr, bytes */
	MV_FTRACE_CACHE_ALLOC, /* kmem_cache_alloc, kmem_cache_alloc_node: ptr, bytes */
	MV_FTRACE_KFREE,       /* ptr */
	MV_FTRACE_CACHE_FREE,  /* ptr */
	MV_FTRACE_PAGE_ALLOC,  /* pfn, order; pfn 0: the allocation failed */
	MV_FTRACE_PAGE_FREE,   /* pfn, order */
	MV_FTRACE_OTHER,       /* another event, a comment, an empty line */
	MV_FTRACE_BAD,
	MV_FTRACE_KINDS
};

struct mv_ftrace {
	enum mv_ftrace_kind kind;
	uint64_t time_us;
	uint64_t ptr; /* or pfn */
	uint64_t bytes;
	unsigned order;	 /* at most 30 */
	const char *bad; /* what was wrong, static */
};

/* Reads one line (without LF; need not be terminated). */
void mv_ftrace_parse(const char *line, size_t len, struct mv_ftrace *out);
const char *mv_ftrace_kind_name(enum mv_ftrace_kind k);

#endif
