#include <kernel/patch.h>
#include <kernel/safe_access.h>

#include <stdint.h>

/* As <kernel/patch.h> lays them down in assembly. */
struct patch {
	int32_t site;	 /* relative to this field */
	uint32_t opcode; /* three bytes */
};

extern const struct patch patches_start[], patches_end[];

void patch_smap(void)
{
	for (const struct patch *patch = patches_start; patch < patches_end; patch++)
		text_write((uintptr_t)&patch->site + (uintptr_t)(intptr_t)patch->site,
			   &patch->opcode, 3);
}
