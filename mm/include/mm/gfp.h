// mm/gfp.h: how an object is asked for.
#pragma once

#include <stdint.h>

// Options of kmalloc. A 64-bit set; a bit that is not named here is refused.
typedef uint64_t gfp_t;

#define __GFP_ZERO ((gfp_t)1) // the whole object is zero
#define GFP_KNOWN  __GFP_ZERO // every bit that kmalloc takes
