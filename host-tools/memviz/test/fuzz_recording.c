/* A file as a recording: opened, sought and read to its end or its damage. */
#include "fuzz.h"

#include <memviz/base.h>
#include <memviz/recording.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

const char *const fuzz_seeds[] = {
	"\x1e{\"memviz\":\"recording\",\"version\":1,\"t_us\":1000,\"hello\":null}\n"
	"\x1e{\"memviz\":\"keyframe\",\"t_us\":1000,\"state\":{\"watch\":[]}}\n"
	"\x1e{\"memviz\":\"time\",\"t_us\":2000}\n"
	"\x1e{\"jsonrpc\":\"2.0\",\"method\":\"watch\",\"params\":{}}\n"
	"\x1e{\"memviz\":\"index\",\"t_us\":2000,\"records\":1,\"keyframes\":[[1000,69]]}\n",
	"\xfd"
	"7zXZ",
	NULL,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[40];
	struct mv_error e;
	struct mv_entry entry;
	int fd = memfd_create("recording", 0);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		return 0;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	struct mv_recording *r = mv_recording_open(path, &e);
	if (!r) {
		FUZZ_ASSERT(e.message[0]);
		close(fd);
		return 0;
	}
	for (size_t k = 0; k < mv_recording_keyframes(r) && k < 8; k++) {
		mv_recording_rewind(r, k);
		for (unsigned n = 0; n < 100 && mv_recording_next(r, &entry); n++)
			FUZZ_ASSERT(entry.len <= size + (1u << 20));
	}
	mv_recording_verify(r);
	mv_recording_close(r);
	close(fd);
	return 0;
}
