/*
 * A file's bytes at any offset, whether plain or .xz. The blocks of an .xz file
 * are found through its own index, so a jump decodes one block. Without a
 * usable index (cut off) what can be decoded goes to an unnamed temporary file,
 * which is then read as a plain one.
 */
#include <errno.h>
#include <fcntl.h>
#include <lzma.h>
#include <memviz/base.h>
#include <memviz/recording.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK	     65536
#define MEMORY_LIMIT (256ull << 20)
#define SALVAGE_MAX  (4ull << 30)

struct mv_stream {
	int fd;
	uint64_t file_bytes;
	uint64_t position; /* uncompressed, of the next read */
	bool xz;
	char damage[160];
	/* .xz only */
	lzma_index *index;
	lzma_index_iter iter;
	lzma_stream lz;
	lzma_block block;
	lzma_filter filters[LZMA_FILTERS_MAX + 1];
	bool in_block;
	uint64_t in_offset; /* in the file, of the next input */
	uint8_t in[CHUNK];
};

static void damage(struct mv_stream *s, const char *what, uint64_t at)
{
	if (!s->damage[0])
		snprintf(s->damage, sizeof s->damage, "%s at byte %llu of the file", what,
			 (unsigned long long)at);
}

const char *mv_stream_damage(const struct mv_stream *s)
{
	return s->damage[0] ? s->damage : NULL;
}

static const char *lzma_word(lzma_ret r)
{
	switch (r) {
	case LZMA_MEMLIMIT_ERROR:
		return "the xz stream needs too much memory";
	case LZMA_OPTIONS_ERROR:
		return "the xz stream uses options that liblzma does not know";
	case LZMA_BUF_ERROR:
		return "the xz stream ends too early";
	default:
		return "the xz stream is damaged";
	}
}

/* The next bytes of the file, from *at on, for a decoder that has none; false at the end. */
static bool refill(struct mv_stream *s, lzma_stream *lz, uint64_t *at)
{
	ssize_t n = pread(s->fd, s->in, CHUNK, (off_t)*at);
	if (n <= 0)
		return false;
	lz->next_in = s->in;
	lz->avail_in = (size_t)n;
	*at += (uint64_t)n;
	return true;
}

/* ---- the xz index ---- */

static lzma_index *read_index(struct mv_stream *s)
{
	lzma_stream lz = LZMA_STREAM_INIT;
	lzma_index *index = NULL;
	if (lzma_file_info_decoder(&lz, &index, MEMORY_LIMIT, s->file_bytes) != LZMA_OK)
		return NULL;
	uint64_t at = 0;
	lzma_ret r = LZMA_OK;
	while (r == LZMA_OK || r == LZMA_SEEK_NEEDED) {
		if (r == LZMA_SEEK_NEEDED) {
			at = lz.seek_pos;
			lz.avail_in = 0;
		}
		if (!lz.avail_in && !refill(s, &lz, &at))
			break;
		r = lzma_code(&lz, LZMA_RUN);
	}
	lzma_end(&lz);
	if (r == LZMA_STREAM_END)
		return index;
	return NULL;
}

/* ---- salvage: what can still be decoded, as a plain file ---- */

static void salvage(struct mv_stream *s)
{
	FILE *out = tmpfile();
	lzma_stream lz = LZMA_STREAM_INIT;
	uint8_t *plain = mv_alloc(CHUNK);
	uint64_t at = 0, written = 0;
	lzma_ret r = lzma_stream_decoder(&lz, MEMORY_LIMIT, LZMA_CONCATENATED);
	while (out && r == LZMA_OK && written < SALVAGE_MAX) {
		if (!lz.avail_in && at < s->file_bytes && !refill(s, &lz, &at))
			break;
		lz.next_out = plain;
		lz.avail_out = CHUNK;
		r = lzma_code(&lz, at >= s->file_bytes ? LZMA_FINISH : LZMA_RUN);
		size_t got = CHUNK - lz.avail_out;
		if (got && fwrite(plain, 1, got, out) != got)
			break;
		written += got;
	}
	if (r != LZMA_STREAM_END)
		damage(s, lzma_word(r == LZMA_OK ? LZMA_BUF_ERROR : r), at - lz.avail_in);
	lzma_end(&lz);
	free(plain);
	close(s->fd);
	s->fd = -1;
	if (out && fflush(out) == 0)
		s->fd = dup(fileno(out));
	if (out)
		fclose(out);
	s->xz = false;
	s->file_bytes = written;
}

/* ---- opening ---- */

struct mv_stream *mv_stream_open(const char *path, struct mv_error *e)
{
	static const uint8_t magic[6] = {0xfd, '7', 'z', 'X', 'Z', 0};
	struct stat st;
	uint8_t head[6] = {0};
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0) {
		mv_fail(e, MV_LINK, "%s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	if (!S_ISREG(st.st_mode)) {
		mv_fail(e, MV_LINK, "%s: not a regular file", path);
		close(fd);
		return NULL;
	}
	struct mv_stream *s = mv_alloc(sizeof *s);
	s->fd = fd;
	s->file_bytes = (uint64_t)st.st_size;
	s->lz = (lzma_stream)LZMA_STREAM_INIT;
	s->xz = pread(fd, head, 6, 0) == 6 && memcmp(head, magic, 6) == 0;
	if (s->xz) {
		s->index = read_index(s);
		if (s->index)
			lzma_index_iter_init(&s->iter, s->index);
		else
			salvage(s);
	}
	return s;
}

static void end_block(struct mv_stream *s)
{
	if (!s->in_block)
		return;
	lzma_end(&s->lz);
	s->lz = (lzma_stream)LZMA_STREAM_INIT;
	lzma_filters_free(s->filters, NULL);
	s->in_block = false;
}

void mv_stream_close(struct mv_stream *s)
{
	if (!s)
		return;
	end_block(s);
	lzma_index_end(s->index, NULL);
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}

uint64_t mv_stream_size(const struct mv_stream *s)
{
	return s->xz ? lzma_index_uncompressed_size(s->index) : s->file_bytes;
}

/* ---- xz blocks ---- */

static bool begin_block(struct mv_stream *s)
{
	uint8_t header[LZMA_BLOCK_HEADER_SIZE_MAX];
	uint64_t at = s->iter.block.compressed_file_offset;
	if (pread(s->fd, header, 1, (off_t)at) != 1 || !header[0])
		return false;
	s->block = (lzma_block){.version = 1, .check = s->iter.stream.flags->check};
	s->block.header_size = lzma_block_header_size_decode(header[0]);
	s->block.filters = s->filters;
	if (pread(s->fd, header, s->block.header_size, (off_t)at) != (ssize_t)s->block.header_size)
		return false;
	if (lzma_block_header_decode(&s->block, NULL, header) != LZMA_OK)
		return false;
	if (lzma_block_compressed_size(&s->block, s->iter.block.unpadded_size) != LZMA_OK ||
	    lzma_raw_decoder_memusage(s->filters) > MEMORY_LIMIT ||
	    lzma_block_decoder(&s->lz, &s->block) != LZMA_OK) {
		lzma_filters_free(s->filters, NULL);
		return false;
	}
	s->in_block = true;
	s->in_offset = at + s->block.header_size;
	s->lz.avail_in = 0;
	return true;
}

/* Enters the block that holds `position`, if not inside one already. */
static bool enter_block(struct mv_stream *s)
{
	if (s->in_block)
		return true;
	if (s->position >= mv_stream_size(s) || lzma_index_iter_locate(&s->iter, s->position))
		return false;
	if (!begin_block(s)) {
		damage(s, "an xz block is damaged", s->iter.block.compressed_file_offset);
		return false;
	}
	uint64_t skip = s->position - s->iter.block.uncompressed_file_offset;
	s->position = s->iter.block.uncompressed_file_offset;
	uint8_t waste[4096];
	while (skip) {
		size_t n = mv_stream_read(s, waste, skip < sizeof waste ? skip : sizeof waste);
		if (!n)
			return false;
		skip -= n;
	}
	return s->in_block;
}

static size_t read_block(struct mv_stream *s, void *out, size_t len)
{
	s->lz.next_out = out;
	s->lz.avail_out = len;
	lzma_ret r = LZMA_OK;
	while (s->lz.avail_out && r == LZMA_OK) {
		if (!s->lz.avail_in && !refill(s, &s->lz, &s->in_offset)) {
			r = LZMA_BUF_ERROR;
			break;
		}
		r = lzma_code(&s->lz, LZMA_RUN);
	}
	size_t got = len - s->lz.avail_out;
	s->position += got;
	if (r != LZMA_OK && r != LZMA_STREAM_END)
		damage(s, lzma_word(r), s->in_offset - s->lz.avail_in);
	if (r != LZMA_OK)
		end_block(s);
	return got;
}

size_t mv_stream_read(struct mv_stream *s, void *out, size_t len)
{
	if (s->fd < 0)
		return 0;
	if (!s->xz) {
		ssize_t n = pread(s->fd, out, len, (off_t)s->position);
		if (n < 0)
			damage(s, strerror(errno), s->position);
		if (n <= 0)
			return 0;
		s->position += (uint64_t)n;
		return (size_t)n;
	}
	size_t got = 0;
	while (!got && len && enter_block(s) && (!s->damage[0] || s->in_block)) {
		got = read_block(s, out, len);
		if (!got && s->damage[0])
			break;
	}
	return got;
}

bool mv_stream_seek(struct mv_stream *s, uint64_t offset)
{
	if (offset > mv_stream_size(s))
		return false;
	if (offset != s->position)
		end_block(s);
	s->position = offset;
	return true;
}
