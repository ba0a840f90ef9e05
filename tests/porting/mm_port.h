// The machine of mm_port.c, for its test.
#pragma once

#include <mm/init.h>

#define PORT_ARENA_BYTES (64ul << 20)

extern unsigned port_flushes;	    // requests that mm_port_tlb_flush() was given
extern const char *port_last_words; // what mm_port_panic() was given

// Gives the arena to mm and lets it adopt an empty root table.
enum mm_status port_start(void);
