#include <kernel/weaken.h>

#include <kernel/log.h>

#include <stddef.h>
#include <string.h>

static const struct {
	const char *name;
	uint32_t mask;
} weaknesses[] = {
	{"wx",     WEAKEN_WX			      },
	{"nx",     WEAKEN_NX			      },
	{"wp",     WEAKEN_WP			      },
	{"smep",	 WEAKEN_SMEP			    },
	{"smap",	 WEAKEN_SMAP			    },
	{"umip",	 WEAKEN_UMIP			    },
	{"guard",  WEAKEN_GUARD			      },
	{"canary", WEAKEN_CANARY				},
 /* With these on, the kernel could not run in pages that are open to ring 3. */
	{"user",	 WEAKEN_USER | WEAKEN_SMEP | WEAKEN_SMAP},
};

static uint32_t weak_mask;

static uint32_t mask_of(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof(weaknesses) / sizeof(weaknesses[0]); i++)
		if (strlen(weaknesses[i].name) == length &&
		    memcmp(weaknesses[i].name, name, length) == 0)
			return weaknesses[i].mask;
	return 0;
}

void weaken_init(const char *list)
{
	while (*list) {
		const char *comma = strchr(list, ',');
		size_t length = comma ? (size_t)(comma - list) : strlen(list);
		uint32_t mask = mask_of(list, length);

		if (mask == 0)
			pr_error("weaken=%.*s: no such protection; there are wx, nx, wp, smep, "
				 "smap, umip, "
				 "guard, canary, user",
				 (int)length, list);
		else
			pr_warn("weaken=%.*s: this protection is OFF, for a test", (int)length,
				list);
		weak_mask |= mask;
		list += length + (comma ? 1 : 0);
	}
}

bool weakened(uint32_t mask)
{
	return (weak_mask & mask) != 0;
}
