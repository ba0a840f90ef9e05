/* The fuzz target over its committed seeds and over damaged copies of them: a fixed, short run of
 * what `make fuzz T=gdbstub-session` does for long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CORPUS	 "gdbstub/test/corpus/gdbstub-session"
#define VARIANTS 60

static uint32_t below(uint64_t *seed, size_t bound)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((*seed >> 33) % bound);
}

static void run_file(const char *name)
{
	char path[512];
	uint8_t text[4096], copy[4096];
	snprintf(path, sizeof path, "%s/%s", CORPUS, name);
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	size_t len = fread(text, 1, sizeof text, file);
	fclose(file);
	assert_true(len > 0);
	LLVMFuzzerTestOneInput(text, len);
	for (uint64_t run = 0; run < VARIANTS; run++) {
		uint64_t seed = run;
		memcpy(copy, text, len);
		for (int i = 0; i < 6; i++)
			copy[below(&seed, len)] = text[below(&seed, len)];
		LLVMFuzzerTestOneInput(copy, len - below(&seed, len));
	}
}

static void seeds_and_their_variants(void **state)
{
	(void)state;
	DIR *folder = opendir(CORPUS);
	const struct dirent *entry;
	unsigned files = 0;
	assert_non_null(folder);
	while ((entry = readdir(folder))) {
		if (entry->d_name[0] == '.')
			continue;
		run_file(entry->d_name);
		files++;
	}
	closedir(folder);
	assert_true(files >= 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(seeds_and_their_variants)};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("gdbstub fuzz smoke", tests, NULL, NULL);
}
