// mm/check.h: walks everything and names each broken invariant.
#pragma once

#include <mm/types.h>

struct mm_check_report {
	uint64_t frames;  // looked at
	uint64_t objects; // looked at
	uint64_t tables;  // looked at
	uint64_t faults;  // found
};

// `fault` is called for each broken invariant with one line of text.
typedef void (*mm_fault_fn)(const char *text, void *context);

// Purpose:  checks zones, frames, slabs, caches, tables and their counters.
// Context:  threads; takes each lock for short times, so a live kernel goes on.
//           What another CPU is using at this moment is checked as far as it
//           stands still. `fault` may be NULL.
// Returns:  what was looked at and how many faults were found.
struct mm_check_report mm_check(mm_fault_fn fault, void *context);
