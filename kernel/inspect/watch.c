/*
 * Watching: full states, then what differs from the picture that the client has.
 *
 * A watch never holds back a change and never queues one. At its rate, and only while the line has
 * room, each topic compares the state of that moment with what was last sent:
 *
 *  stat, zones, caches   the last picture itself is kept (1.5 KiB) and compared member by member.
 *  frames                memory has any size, so a hash per block of frames is kept, of at most
 *                        INSP_FRAME_BLOCKS blocks. A scan marks the blocks that differ, their runs
 *                        are sent, and the hash of exactly what was sent is kept. So a block that
 *                        changes while it is sent differs again in the next scan.
 *  mappings              a space has any number of leaves. Nothing of them is kept; a ring that
 *                        every map and unmap reports to says which ranges were touched. They are
 *                        joined into at most INSP_DIRTY_MAX ranges, and what lies in them now is
 *                        sent. When there are more, or the ring was lapped, the topic begins anew
 *                        with a full state.
 *  events, log           each watch has its own place in the rings; what it lost is counted.
 *                        events.c decides how many events are recorded.
 *
 * A state larger than a record goes out in several, each consistent in itself; the topics take
 * turns, so a long one does not silence the others. The line's free space is the only token there
 * is: a record is made when at least half of the line is free. A slow line thus lowers the rate by
 * itself; once a second the rate is counted and, when it differs, told ("hz").
 */
#include "internal.h"

#include <string.h>

#define PAGE	      4096ull
#define LARGE	      0x200000ull
#define USER_LAST     0x00007fffffffffffull
#define SCAN_RUNS     2048u /* runs that one call scans */
#define RESERVE	      320u  /* of a record, for what follows the array */
#define COVERED_MAX   64u   /* ranges of mappings in one record; fewer in a small one */
#define EVENT_RECORDS 8u    /* records of events or log in one round */
#define TRIES	      4

enum sent { SENT_NOTHING, SENT_ALL, SENT_MORE };

/* ---- the frame of a notification ---- */

struct note {
	struct insp_call call;
	struct insp_writer w;
	struct insp_watch *watch;
	enum insp_topic topic;
};

static void begin_note(struct note *n, struct insp_link *link, struct insp_watch *watch,
		       enum insp_topic topic, uint64_t gen)
{
	struct insp_writer *w = &n->w;

	n->call = (struct insp_call){.insp = link->insp,
				     .link = link,
				     .w = w,
				     .gen = gen,
				     .now_us = insp_port_clock_us()};
	n->watch = watch;
	n->topic = topic;
	insp_record_begin(link, w);
	insp_w_key(w, INSP_F_METHOD);
	insp_w_str(w, INSP_N_WATCH);
	insp_w_key(w, INSP_F_PARAMS);
	insp_w_open(w, '{');
	insp_w_key(w, INSP_F_ID);
	insp_w_u64(w, watch->id);
	insp_w_key(w, INSP_F_TOPIC);
	insp_w_str(w, insp_topic_names[topic]);
	insp_w_key(w, INSP_F_FULL);
	insp_w_bool(w, watch->full >> topic & 1);
	insp_w_key(w, INSP_F_GEN);
	insp_w_u64(w, gen);
	if (watch->line_hz != watch->told_hz) {
		insp_w_key(w, INSP_F_HZ);
		insp_w_u64(w, watch->line_hz);
	}
	insp_w_key(w, INSP_F_DATA);
	insp_w_open(w, '{');
}

static enum sent end_note(struct note *n, bool more)
{
	struct insp_watch *watch = n->watch;

	insp_w_close(&n->w, '}');
	if (more) {
		insp_w_key(&n->w, INSP_F_MORE);
		insp_w_bool(&n->w, true);
	}
	insp_w_close(&n->w, '}');
	if (!insp_record_end(n->call.link, &n->w))
		return SENT_NOTHING; /* cannot be: every topic keeps a reserve */
	watch->told_hz = watch->line_hz;
	watch->full &= ~(1u << n->topic);
	return more ? SENT_MORE : SENT_ALL;
}

static bool is_full(const struct insp_watch *watch, enum insp_topic topic)
{
	return watch->full >> topic & 1;
}

/* ---- stat ---- */

static void put_if(struct note *n, const char *name, uint64_t now, uint64_t was)
{
	if (now != was) {
		insp_w_key(&n->w, name);
		insp_w_u64(&n->w, now);
	}
}

/* Only what does not follow: free and available are sums, and cache_free moves against cache_used
 * unless slabs come or go. */
static void put_stat_changes(struct note *n, const struct insp_stat *now,
			     const struct insp_stat *was)
{
	uint64_t backing = now->cache_used + now->cache_free;

	put_if(n, INSP_F_TOTAL, now->total, was->total);
	put_if(n, INSP_F_USED, now->used, was->used);
	put_if(n, INSP_F_SHARED, now->shared, was->shared);
	put_if(n, INSP_F_CACHE_USED, now->cache_used, was->cache_used);
	if (backing != was->cache_used + was->cache_free) {
		insp_w_key(&n->w, INSP_F_CACHE_FREE);
		insp_w_u64(&n->w, now->cache_free);
	}
}

static enum sent send_stat(struct insp_link *link, struct insp_watch *watch)
{
	struct insp_gens gens;
	struct insp_stat now;
	struct note n;
	bool full = is_full(watch, INSP_TOPIC_STAT);

	insp_port_gens(&gens);
	if (!full && gens.all == watch->gen[INSP_TOPIC_STAT])
		return SENT_NOTHING;
	if (insp_port_stat(&now) != INSP_OK)
		return SENT_NOTHING;
	watch->gen[INSP_TOPIC_STAT] = gens.all;
	if (!full && !memcmp(&now, &watch->stat, sizeof(now)))
		return SENT_NOTHING;
	begin_note(&n, link, watch, INSP_TOPIC_STAT, gens.all);
	if (full)
		insp_put_fields(&n.call, insp_f_stat, &now);
	else
		put_stat_changes(&n, &now, &watch->stat);
	watch->stat = now;
	return end_note(&n, false);
}

/* ---- zones and caches: small arrays of structs with a key ---- */

struct small {
	enum insp_topic topic;
	enum insp_kind kind;
	const char *name, *key;
	const struct insp_field *fields;
	size_t size;
	uint32_t limit;
};

static const struct small small_zones = {
	INSP_TOPIC_ZONES, INSP_KIND_ZONES,	    "zones",	    "name",
	insp_f_zone,	  sizeof(struct insp_zone), INSP_ZONES_MAX,
};
static const struct small small_caches = {
	INSP_TOPIC_CACHES, INSP_KIND_CACHES,	      "caches",	       "size",
	insp_f_cache,	   sizeof(struct insp_cache), INSP_CACHES_MAX,
};

/* Reads all items into `out`, at one instant if the others let us; returns how many. */
static uint32_t read_small(const struct small *s, char *out, uint64_t *gen)
{
	uint32_t count = 0;

	for (int i = 0; i < TRIES; i++) {
		struct insp_visit visit = {.to = INSP_NONE, .space = INSP_SPACE_CURRENT};
		struct insp_gens before, after;
		insp_port_gens(&before);
		count = 0;
		memset(out, 0, s->limit * s->size);
		while (count < s->limit &&
		       insp_next(s->kind, &visit, out + count * s->size) == INSP_OK)
			count++;
		insp_port_gens(&after);
		*gen = before.all;
		if (before.all == after.all)
			break;
	}
	return count;
}

static enum sent send_small(struct insp_link *link, struct insp_watch *watch, const struct small *s,
			    char *old, uint32_t *old_count, char *now)
{
	struct note n;
	struct insp_gens gens;
	uint64_t gen;
	uint32_t changed = 0;
	bool full = is_full(watch, s->topic);

	insp_port_gens(&gens);
	if (!full && gens.all == watch->gen[s->topic])
		return SENT_NOTHING;
	uint32_t count = read_small(s, now, &gen);
	full = full || count != *old_count;
	watch->full |= full ? 1u << s->topic : 0;
	begin_note(&n, link, watch, s->topic, gen);
	insp_w_key(&n.w, s->name);
	insp_w_open(&n.w, '[');
	for (uint32_t i = 0; i < count; i++) {
		struct insp_writer mark = n.w;
		const char *item = now + i * s->size, *was = old + i * s->size;
		uint32_t differ = 1;
		insp_w_open(&n.w, '{');
		if (full)
			insp_put_fields(&n.call, s->fields, item);
		else
			differ = insp_put_changed(&n.call, s->fields, item, was, s->key);
		insp_w_close(&n.w, '}');
		if (!differ)
			insp_w_rollback(&n.w, mark);
		changed += differ;
	}
	insp_w_close(&n.w, ']');
	watch->gen[s->topic] = gen;
	if (!full && !changed)
		return SENT_NOTHING;
	memcpy(old, now, s->limit * s->size);
	*old_count = count;
	return end_note(&n, false);
}

static enum sent send_zones(struct insp_link *link, struct insp_watch *watch)
{
	struct insp_zone now[INSP_ZONES_MAX];

	return send_small(link, watch, &small_zones, (char *)watch->zone, &watch->zones,
			  (char *)now);
}

static enum sent send_caches(struct insp_link *link, struct insp_watch *watch)
{
	struct insp_cache now[INSP_CACHES_MAX];

	return send_small(link, watch, &small_caches, (char *)watch->cache, &watch->caches,
			  (char *)now);
}

/* ---- frames ---- */

#define HASH_START 0x9ae16a3b2f90404full

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0xff51afd7ed558ccdull;
	return h ^ h >> 32;
}

static uint64_t mix_run(uint64_t h, const struct insp_frames *run, uint64_t pa, uint64_t last)
{
	h = mix(h, pa);
	h = mix(h, last);
	return mix(h, (uint64_t)run->zone << 40 ^ (uint64_t)run->state << 32 ^
			      (uint64_t)run->attr << 24 ^
			      (uint64_t)run->refs * 0x9e3779b97f4a7c15ull);
}

static void lay_blocks(struct insp_watch *watch)
{
	struct insp_visit visit = {.to = INSP_NONE};
	struct insp_zone zone;
	uint64_t end = LARGE;

	while (insp_next(INSP_KIND_ZONES, &visit, &zone) == INSP_OK)
		end = zone.end > end ? zone.end : end;
	/* What lies beyond the zones belongs to the last block. */
	uint64_t frames = (end + LARGE - 1) / LARGE;
	uint64_t per_block = (frames + INSP_FRAME_BLOCKS - 1) / INSP_FRAME_BLOCKS;
	watch->block_bytes = per_block * LARGE;
	watch->blocks = (uint32_t)((frames + per_block - 1) / per_block);
	watch->scan_block = watch->blocks;
	watch->send_open = false;
	memset(watch->differs, 0, sizeof(watch->differs));
}

static uint32_t block_of(const struct insp_watch *watch, uint64_t pa)
{
	uint64_t block = pa / watch->block_bytes;

	return block < watch->blocks ? (uint32_t)block : watch->blocks - 1;
}

static uint64_t block_last(const struct insp_watch *watch, uint32_t block)
{
	return block == watch->blocks - 1 ? INSP_NONE : (block + 1) * watch->block_bytes - 1;
}

static uint64_t run_last(const struct insp_frames *run)
{
	return run->pa + run->count * LARGE - 1;
}

static void settle_block(struct insp_watch *watch, uint32_t block, uint64_t hash)
{
	if (hash != watch->hash[block] || is_full(watch, INSP_TOPIC_FRAMES))
		watch->differs[block / 64] |= 1ull << block % 64;
}

/* Scans on; true when all blocks were compared. */
static bool scan_frames(struct insp_watch *watch)
{
	struct insp_visit visit = {.from = watch->scan_block * watch->block_bytes, .to = INSP_NONE};
	uint32_t block = watch->scan_block, seen = 0;
	uint64_t hash = HASH_START;
	struct insp_frames run;
	enum insp_status status;

	while ((status = insp_next(INSP_KIND_FRAMES, &visit, &run)) == INSP_OK) {
		uint64_t pa = run.pa, last = run_last(&run);
		seen++;
		for (;;) {
			while (block < block_of(watch, pa)) {
				settle_block(watch, block, hash);
				watch->scan_block = ++block;
				hash = HASH_START;
			}
			uint64_t end = block_last(watch, block);
			hash = mix_run(hash, &run, pa, last < end ? last : end);
			if (last <= end)
				break;
			pa = end + 1;
		}
		if (seen >= SCAN_RUNS && watch->scan_block > 0 && block == watch->scan_block &&
		    last == block_last(watch, block))
			return false;
	}
	if (status != INSP_END)
		return false; /* busy: again from the last whole block */
	for (; block < watch->blocks; block++, hash = HASH_START)
		settle_block(watch, block, hash);
	watch->scan_block = watch->blocks;
	return true;
}

static bool block_differs(const struct insp_watch *watch, uint32_t block)
{
	return watch->differs[block / 64] >> block % 64 & 1;
}

static uint32_t first_differing(const struct insp_watch *watch, uint32_t from)
{
	while (from < watch->blocks && !block_differs(watch, from))
		from++;
	return from;
}

static void block_sent(struct insp_watch *watch, uint32_t block, uint64_t hash)
{
	watch->hash[block] = hash;
	watch->differs[block / 64] &= ~(1ull << block % 64);
}

/* Where sending stands within the blocks that differ. */
struct place {
	uint32_t block;
	uint64_t pa, hash;
};

/* Takes what was written of a run into the hashes. */
static void account(struct insp_watch *watch, struct place *at, const struct insp_frames *run)
{
	uint64_t pa = run->pa, last = run_last(run);

	for (;;) {
		while (at->block < block_of(watch, pa)) {
			block_sent(watch, at->block, at->hash);
			at->block++;
			at->hash = HASH_START;
		}
		uint64_t end = block_last(watch, at->block);
		at->hash = mix_run(at->hash, run, pa, last < end ? last : end);
		if (last <= end)
			break;
		pa = end + 1;
	}
	at->pa = last + 1;
}

/* Writes runs of the blocks [at->block, end) until they end or the record or `limit` is full;
 * true when they ended. */
static bool put_frames(struct note *n, struct place *at, uint32_t end, uint32_t limit,
		       uint32_t *count)
{
	struct insp_watch *watch = n->watch;
	struct insp_visit visit = {.from = at->pa, .to = block_last(watch, end - 1)};
	struct insp_frames run;
	enum insp_status status;

	while ((status = insp_next(INSP_KIND_FRAMES, &visit, &run)) == INSP_OK) {
		struct insp_writer mark = n->w;
		if (*count == limit)
			return false;
		insp_put_item(&n->call, insp_f_frames, &run);
		if (n->w.full) {
			insp_w_rollback(&n->w, mark);
			return false;
		}
		account(watch, at, &run);
		++*count;
	}
	if (status != INSP_END)
		return false;
	for (; at->block < end; at->block++, at->hash = HASH_START)
		block_sent(watch, at->block, at->hash);
	return true;
}

static struct place sending_place(const struct insp_watch *watch)
{
	uint32_t block = first_differing(watch, 0);
	struct place at = {block, block * watch->block_bytes, HASH_START};

	if (watch->send_open && block < watch->blocks && block_of(watch, watch->send_pa) == block) {
		at.pa = watch->send_pa;
		at.hash = watch->send_hash;
	}
	return at;
}

/* One record of blocks that differ. */
static enum sent put_blocks(struct note *n, uint32_t limit, struct place *at)
{
	struct insp_watch *watch = n->watch;
	uint32_t count = 0;
	bool room = true;

	insp_w_key(&n->w, INSP_F_RUNS);
	insp_w_open(&n->w, '[');
	n->w.end -= RESERVE;
	*at = sending_place(watch);
	while (room && at->block < watch->blocks) {
		uint32_t end = at->block;
		while (end < watch->blocks && block_differs(watch, end))
			end++;
		room = put_frames(n, at, end, limit, &count);
		if (room) {
			at->block = first_differing(watch, end);
			at->pa = at->block * watch->block_bytes;
			at->hash = HASH_START;
		}
	}
	n->w.end += RESERVE;
	insp_w_close(&n->w, ']');
	return room ? SENT_ALL : SENT_MORE;
}

static void mark_differing(struct insp_watch *watch, uint32_t from, uint32_t to)
{
	for (uint32_t b = from; b <= to && b < watch->blocks; b++)
		watch->differs[b / 64] |= 1ull << b % 64;
}

static enum sent send_blocks(struct insp_link *link, struct insp_watch *watch)
{
	uint32_t limit = UINT32_MAX;
	uint64_t differs[INSP_FRAME_BLOCKS / 64];
	struct note n;

	memcpy(differs, watch->differs, sizeof(differs));
	for (int i = 0;; i++) {
		struct insp_gens before, after;
		struct place at;
		insp_port_gens(&before);
		begin_note(&n, link, watch, INSP_TOPIC_FRAMES, before.all);
		enum sent sent = put_blocks(&n, limit, &at);
		insp_port_gens(&after);
		if (before.frames != after.frames && i < TRIES) {
			/* The state moved: once more, and less of it. */
			memcpy(watch->differs, differs, sizeof(differs));
			limit = i < TRIES - 2 ? 32u >> i * 2 : 1;
			continue;
		}
		watch->send_open = sent == SENT_MORE;
		watch->send_pa = at.pa;
		watch->send_hash = at.hash;
		return end_note(&n, sent == SENT_MORE);
	}
}

static enum sent send_frames(struct insp_link *link, struct insp_watch *watch)
{
	struct insp_gens gens;

	if (is_full(watch, INSP_TOPIC_FRAMES) && watch->scan_block == watch->blocks &&
	    first_differing(watch, 0) == watch->blocks) {
		lay_blocks(watch);
		mark_differing(watch, 0, watch->blocks - 1);
		insp_port_gens(&gens);
		watch->gen_frames = gens.frames;
	}
	if (watch->scan_block == watch->blocks && first_differing(watch, 0) == watch->blocks) {
		insp_port_gens(&gens);
		if (gens.frames == watch->gen_frames)
			return SENT_NOTHING;
		watch->gen_frames = gens.frames;
		watch->scan_block = 0;
	}
	if (watch->scan_block < watch->blocks && !scan_frames(watch))
		return SENT_MORE;
	if (first_differing(watch, 0) == watch->blocks)
		return SENT_NOTHING;
	return send_blocks(link, watch);
}

/* ---- mappings ---- */

static void restart_mappings(struct insp_link *link, struct insp_watch *watch)
{
	watch->full |= 1u << INSP_TOPIC_MAPPINGS;
	watch->dirties = 0;
	watch->sweeping = true;
	watch->sweep[0] = watch->sweep[1] = 0;
	watch->map_read = insp_ring_head(&link->insp->maps);
	watch->spaces_known = 0;
	watch->spaces_sum = 0;
	watch->gen_spaces = INSP_NONE;
}

static bool touches(const struct insp_dirty *a, const struct insp_dirty *b)
{
	return a->space == b->space && (a->from <= b->to || a->from - 1 == b->to) &&
	       (b->from <= a->to || b->from - 1 == a->to);
}

static void join(struct insp_dirty *into, const struct insp_dirty *d)
{
	into->from = d->from < into->from ? d->from : into->from;
	into->to = d->to > into->to ? d->to : into->to;
	into->clear |= d->clear;
}

/* No range spans both halves: what lies between is no address, and lengths stay below 2^53. */
static bool in_kernel_half(const struct insp_dirty *d)
{
	return d->from >= INSP_KERNEL_HALF;
}

/* Adds a range; false when there is no room and no range of the same space to widen. */
static bool add_dirty(struct insp_watch *watch, struct insp_dirty d)
{
	struct insp_dirty *same = NULL;

	for (uint32_t i = 0; i < watch->dirties;) {
		if (touches(&watch->dirty[i], &d)) {
			join(&d, &watch->dirty[i]);
			watch->dirty[i] = watch->dirty[--watch->dirties];
			i = 0;
			continue;
		}
		if (watch->dirty[i].space == d.space &&
		    in_kernel_half(&watch->dirty[i]) == in_kernel_half(&d))
			same = &watch->dirty[i];
		i++;
	}
	if (watch->dirties < INSP_DIRTY_MAX) {
		watch->dirty[watch->dirties++] = d;
		return true;
	}
	if (!same)
		return false;
	join(same, &d);
	return true;
}

/* Size of the leaf that maps va, 0 when none does. */
static uint64_t leaf_at(uint32_t space, uint64_t va)
{
	struct insp_visit visit = {.from = va, .to = va, .space = space};
	struct insp_mapping m;

	return insp_next(INSP_KIND_MAPPINGS, &visit, &m) == INSP_OK ? m.page : 0;
}

/*
 * An unmap that cut a large leaf left smaller ones beside the range, whose `page` is another now.
 * Such a leftover borders on a range that was unmapped, so: where the neighbour within the same
 * large leaf is mapped by leaves of the next smaller size, that whole leaf counts as touched.
 */
static void widen(struct insp_dirty *d)
{
	for (uint64_t size = LARGE; size <= LARGE * 512; size *= 512) {
		uint64_t mask = size - 1;
		if (d->from & mask && leaf_at(d->space, d->from - 1) == size / 512)
			d->from &= ~mask;
		if ((d->to & mask) != mask && leaf_at(d->space, d->to + 1) == size / 512)
			d->to |= mask;
	}
}

/* Takes the touched ranges from the ring. */
static void absorb_maps(struct insp_link *link, struct insp_watch *watch)
{
	struct insp_slot e;
	uint64_t lost = 0;
	bool room = true;

	while (room && insp_ring_get(&link->insp->maps, &watch->map_read, &e, &lost)) {
		struct insp_dirty d = {.from = e.addr & ~(PAGE - 1),
				       .to = (e.addr + e.size - 1) | (PAGE - 1),
				       .space = e.addr >= INSP_KERNEL_HALF ? INSP_SPACE_KERNEL
									   : e.arg,
				       .clear = e.op == INSP_EV_UNMAP};
		if (!e.size)
			continue;
		if (d.to < d.from)
			d.to = INSP_NONE;
		if (d.clear)
			widen(&d);
		room = add_dirty(watch, d);
	}
	if (lost || !room)
		restart_mappings(link, watch);
}

/* Which of the known spaces there are, as a mask; new ones become known. Those beyond what can be
 * known give a sum, so that a change among them shows. */
static uint64_t look_at_spaces(struct insp_watch *watch, uint64_t *sum)
{
	struct insp_visit visit = {.to = INSP_NONE};
	struct insp_space space;
	uint64_t there = 0;

	*sum = 0;
	while (insp_next(INSP_KIND_SPACES, &visit, &space) == INSP_OK) {
		uint32_t i = 0;
		while (i < watch->spaces_known && watch->known[i] != space.id)
			i++;
		if (i == watch->spaces_known && i < INSP_SPACES_KNOWN)
			watch->known[watch->spaces_known++] = space.id;
		if (i < INSP_SPACES_KNOWN)
			there |= 1ull << i;
		else
			*sum += mix(HASH_START, space.id);
	}
	return there;
}

/* What a space mapped that ended goes. */
static void follow_spaces(struct insp_link *link, struct insp_watch *watch)
{
	struct insp_gens gens;
	uint64_t sum;
	bool room = true;

	insp_port_gens(&gens);
	if (gens.mappings == watch->gen_spaces)
		return;
	bool first = watch->gen_spaces == INSP_NONE;
	watch->gen_spaces = gens.mappings;
	uint64_t there = look_at_spaces(watch, &sum);
	for (uint32_t i = watch->spaces_known; i-- > 0;) {
		if (there >> i & 1)
			continue;
		struct insp_dirty d = {.to = USER_LAST, .space = watch->known[i], .clear = true};
		room = add_dirty(watch, d) && room;
		watch->known[i] = watch->known[--watch->spaces_known];
	}
	if (!room || (!first && sum != watch->spaces_sum))
		restart_mappings(link, watch);
	watch->spaces_sum = sum;
}

/* While sweeping: the next space becomes a dirty range. False when there is none left. */
static bool sweep_space(struct insp_watch *watch)
{
	struct insp_visit visit = {
		.to = INSP_NONE, .cursor = {watch->sweep[0], watch->sweep[1]}
	     };
	struct insp_space space;

	if (insp_next(INSP_KIND_SPACES, &visit, &space) != INSP_OK) {
		watch->sweeping = false;
		return false;
	}
	memcpy(watch->sweep, visit.cursor, sizeof(watch->sweep));
	watch->dirty[watch->dirties++] = (struct insp_dirty){.to = USER_LAST, .space = space.id};
	if (space.id == INSP_SPACE_KERNEL)
		watch->dirty[watch->dirties++] = (struct insp_dirty){
			.from = INSP_KERNEL_HALF, .to = INSP_NONE, .space = space.id};
	return true;
}

/* The ranges that one record covers. */
struct covered {
	struct insp_dirty range[COVERED_MAX];
	uint32_t count;
	bool whole; /* the last one to its end */
};

static void put_added(struct note *n, uint32_t space, const struct insp_mapping *m)
{
	struct insp_writer *w = &n->w;

	insp_w_open(w, '{');
	insp_w_key(w, INSP_F_SPACE);
	insp_w_u64(w, space);
	insp_put_fields(&n->call, insp_f_mapping, m);
	insp_w_close(w, '}');
}

/* Writes what a range maps; d->to becomes the last byte that is covered. True: all of it. */
static bool put_range(struct note *n, struct insp_dirty *d, uint32_t limit, uint32_t *count)
{
	struct insp_visit visit = {.from = d->from, .to = d->to, .space = d->space};
	struct insp_mapping m;
	uint64_t next = d->from;
	enum insp_status status;

	while ((status = insp_next(INSP_KIND_MAPPINGS, &visit, &m)) == INSP_OK) {
		struct insp_writer mark = n->w;
		if (*count < limit)
			put_added(n, d->space, &m);
		if (*count == limit || n->w.full) {
			insp_w_rollback(&n->w, mark);
			d->to = m.va - 1;
			return false;
		}
		next = m.va + m.len;
		++*count;
	}
	/* A space that is gone maps nothing. */
	if (status == INSP_END || status == INSP_NO_SUCH)
		return true;
	d->to = next - 1;
	return false;
}

static void put_removed(struct note *n, const struct covered *c)
{
	insp_w_key(&n->w, INSP_F_REMOVED);
	insp_w_open(&n->w, '[');
	for (uint32_t i = 0; i < c->count; i++) {
		const struct insp_dirty *d = &c->range[i];
		/* A record may end before the first byte of its last range. */
		if (!d->clear || d->to + 1 == d->from)
			continue;
		uint64_t len = d->to - d->from + 1;
		insp_w_open(&n->w, '{');
		insp_w_key(&n->w, INSP_F_SPACE);
		insp_w_u64(&n->w, d->space);
		insp_w_key(&n->w, INSP_F_VA);
		insp_w_hex(&n->w, d->from);
		insp_w_key(&n->w, INSP_F_LEN);
		insp_w_u64(&n->w, len);
		insp_w_close(&n->w, '}');
	}
	insp_w_close(&n->w, ']');
}

/* One record of the dirty ranges, the last in the list first. */
static void put_ranges(struct note *n, uint32_t limit, struct covered *c)
{
	struct insp_watch *watch = n->watch;
	uint32_t count = 0;

	c->count = 0;
	c->whole = true;
	insp_w_key(&n->w, INSP_F_ADDED);
	insp_w_open(&n->w, '[');
	uint64_t ranges = n->call.link->out_max / 512;
	ranges = ranges < COVERED_MAX ? ranges : COVERED_MAX;
	uint64_t reserve = RESERVE + ranges * 72;
	n->w.end -= reserve;
	while (c->whole && c->count < ranges && c->count < watch->dirties) {
		struct insp_dirty *d = &c->range[c->count];
		*d = watch->dirty[watch->dirties - 1 - c->count];
		c->whole = put_range(n, d, limit, &count);
		c->count++;
	}
	n->w.end += reserve;
	insp_w_close(&n->w, ']');
	put_removed(n, c);
}

/* The ranges that were sent are clean. */
static void commit_ranges(struct insp_watch *watch, const struct covered *c)
{
	for (uint32_t i = 0; i < c->count; i++) {
		struct insp_dirty *d = &watch->dirty[watch->dirties - 1];
		if (i == c->count - 1 && !c->whole)
			d->from = c->range[i].to + 1;
		else
			watch->dirties--;
	}
}

static enum sent send_mappings(struct insp_link *link, struct insp_watch *watch)
{
	uint32_t limit = UINT32_MAX;
	struct covered c;
	struct note n;

	follow_spaces(link, watch);
	while (watch->sweeping && !watch->dirties && sweep_space(watch))
		;
	if (!watch->dirties && !is_full(watch, INSP_TOPIC_MAPPINGS) && !watch->owes_end)
		return SENT_NOTHING;
	for (int i = 0;; i++) {
		struct insp_gens before, after;
		insp_port_gens(&before);
		begin_note(&n, link, watch, INSP_TOPIC_MAPPINGS, before.all);
		put_ranges(&n, limit, &c);
		insp_port_gens(&after);
		if (before.mappings == after.mappings || i == TRIES)
			break;
		limit = i < TRIES - 2 ? 32u >> i * 2 : 1;
	}
	commit_ranges(watch, &c);
	/* A sweep that has one more space to show has more; it is not known whether that is empty.
	 */
	watch->owes_end = watch->dirties || watch->sweeping;
	return end_note(&n, watch->owes_end);
}

/* ---- events and log ---- */

static void put_event(struct note *n, const struct insp_slot *e)
{
	struct insp_writer *w = &n->w;

	insp_w_open(w, '[');
	insp_w_u64(w, e->t_us);
	insp_w_str(w, insp_event_names[e->op < INSP_EV_OPS ? e->op : INSP_EV_FAIL]);
	insp_w_hex(w, e->addr);
	insp_w_u64(w, e->size);
	insp_w_hex(w, e->site);
	insp_w_u64(w, e->arg);
	insp_w_close(w, ']');
}

static void put_lost(struct note *n, uint64_t *lost)
{
	insp_w_key(&n->w, INSP_F_LOST);
	insp_w_u64(&n->w, *lost);
	*lost = 0;
}

static uint32_t wanted_events(const struct insp *insp)
{
	return insp->traced ? insp->traced : (1u << INSP_EV_OPS) - 1;
}

/* Tells the port what to report: for the first time, or again. */
static enum insp_status listen(struct insp *insp)
{
	struct insp_act act = {.op = INSP_OP_LISTEN, .flags = insp->listen};

	/* After a panic nothing happens any more that could be heard. */
	return insp->panicked ? INSP_OK : insp_port_act(&act);
}

static enum sent send_events(struct insp_link *link, struct insp_watch *watch)
{
	struct insp_ring *ring = &link->insp->ring;
	uint32_t wanted = wanted_events(link->insp), count = 0;
	uint64_t start_us = insp_port_clock_us();
	bool more = false;
	struct insp_gens gens;
	struct insp_slot e;
	struct note n;

	if (insp_events_grant(link->insp))
		listen(link->insp);
	watch->event_lost += insp_take_missed(link->insp, watch->missed, wanted);
	if (!is_full(watch, INSP_TOPIC_EVENTS) && !watch->event_lost &&
	    watch->event_read == insp_ring_head(ring))
		return SENT_NOTHING;
	insp_port_gens(&gens);
	begin_note(&n, link, watch, INSP_TOPIC_EVENTS, gens.all);
	insp_w_key(&n.w, INSP_F_EVENTS);
	insp_w_open(&n.w, '[');
	n.w.end -= RESERVE;
	while (!more) {
		struct insp_writer mark = n.w;
		uint64_t place = watch->event_read;
		if (!insp_ring_get(ring, &place, &e, &watch->event_lost))
			break;
		if (wanted >> e.op & 1)
			put_event(&n, &e);
		more = n.w.full;
		if (more)
			insp_w_rollback(&n.w, mark);
		else
			count += wanted >> e.op & 1;
		/* What was lost on the way is counted once. */
		watch->event_read = more ? e.state : place;
	}
	n.w.end += RESERVE;
	insp_w_close(&n.w, ']');
	if (!count && !watch->event_lost && !is_full(watch, INSP_TOPIC_EVENTS))
		return SENT_NOTHING;
	put_lost(&n, &watch->event_lost);
	enum sent sent = end_note(&n, more);
	insp_events_cost(link->insp, insp_port_clock_us() - start_us, count);
	return sent;
}

static enum sent send_log(struct insp_link *link, struct insp_watch *watch)
{
	struct insp_visit visit = {.from = watch->log_read, .to = INSP_NONE};
	bool more = false;
	struct insp_gens gens;
	struct insp_line line;
	struct note n;

	insp_port_gens(&gens);
	if (!is_full(watch, INSP_TOPIC_LOG) && gens.log == watch->log_read)
		return SENT_NOTHING;
	begin_note(&n, link, watch, INSP_TOPIC_LOG, gens.all);
	insp_w_key(&n.w, INSP_F_LINES);
	insp_w_open(&n.w, '[');
	n.w.end -= RESERVE;
	while (!more && insp_next(INSP_KIND_LOG, &visit, &line) == INSP_OK) {
		struct insp_writer mark = n.w;
		insp_put_item(&n.call, insp_f_line, &line);
		more = n.w.full;
		if (more) {
			insp_w_rollback(&n.w, mark);
		} else {
			watch->log_lost += line.seq - watch->log_read;
			watch->log_read = line.seq + 1;
		}
	}
	n.w.end += RESERVE;
	insp_w_close(&n.w, ']');
	put_lost(&n, &watch->log_lost);
	return end_note(&n, more);
}

/* ---- rounds ---- */

static enum sent (*const senders[INSP_TOPICS])(struct insp_link *link, struct insp_watch *watch) = {
	[INSP_TOPIC_STAT] = send_stat,	       [INSP_TOPIC_ZONES] = send_zones,
	[INSP_TOPIC_CACHES] = send_caches,     [INSP_TOPIC_FRAMES] = send_frames,
	[INSP_TOPIC_MAPPINGS] = send_mappings, [INSP_TOPIC_EVENTS] = send_events,
	[INSP_TOPIC_LOG] = send_log,
};

/* Topics that a round is not late for: long states go on through many rounds, and what rings keep
 * can wait. */
#define PATIENT                                                                          \
	(1u << INSP_TOPIC_FRAMES | 1u << INSP_TOPIC_MAPPINGS | 1u << INSP_TOPIC_EVENTS | \
	 1u << INSP_TOPIC_LOG)

static bool line_free(struct insp_link *link)
{
	return insp_link_drain(link) && insp_port_link_space(link->port) >= link->line_bytes / 2;
}

static void count_rate(struct insp_watch *watch, uint64_t now_us)
{
	if (now_us - watch->second_us < 1000000)
		return;
	watch->line_hz = watch->late < watch->hz ? watch->hz - watch->late : 1;
	watch->late = 0;
	watch->second_us = now_us;
}

static void begin_round(struct insp_watch *watch, uint64_t now_us)
{
	uint64_t period = 1000000 / watch->hz;

	if (watch->busy & ~PATIENT)
		watch->late++;
	watch->busy = watch->topics;
	watch->due_us += period;
	if (watch->due_us <= now_us)
		watch->due_us = now_us + period;
}

/* Sends one record of the topic whose turn it is. */
static void take_turn(struct insp_link *link, struct insp_watch *watch, uint32_t *budget)
{
	while (!(watch->busy >> watch->turn & 1))
		watch->turn = (watch->turn + 1) % INSP_TOPICS;
	enum sent sent = senders[watch->turn](link, watch);
	if (sent != SENT_MORE)
		watch->busy &= ~(1u << watch->turn);
	if (sent != SENT_NOTHING && *budget)
		--*budget;
	watch->turn = (watch->turn + 1) % INSP_TOPICS;
}

static uint64_t poll_watch(struct insp_link *link, struct insp_watch *watch, uint64_t now_us,
			   uint32_t *budget)
{
	bool maps = watch->topics >> INSP_TOPIC_MAPPINGS & 1;

	if (maps)
		absorb_maps(link, watch);
	count_rate(watch, now_us);
	if (now_us >= watch->due_us)
		begin_round(watch, now_us);
	while (watch->busy && *budget && line_free(link))
		take_turn(link, watch, budget);
	uint64_t next = watch->due_us;
	if (watch->busy && *budget) {
		link->throttled++;
		next = now_us + 5000;
	} else if (watch->busy) {
		next = now_us;
	}
	/* The ring of touched ranges is emptied often, so that it need not be large. */
	if (maps && next > now_us + 20000)
		next = now_us + 20000;
	return next;
}

uint64_t insp_watch_poll(struct insp_link *link, uint64_t now_us, uint32_t *budget)
{
	uint64_t next = UINT64_MAX;

	for (uint32_t i = 0; i < INSP_WATCHES_MAX; i++) {
		if (!link->watch[i].id)
			continue;
		uint64_t due = poll_watch(link, &link->watch[i], now_us, budget);
		next = due < next ? due : next;
	}
	return next;
}

/* ---- starting and stopping ---- */

/* What the watches of all links want to hear. */
static uint32_t wanted_by_all(const struct insp *insp)
{
	uint32_t want = 0;

	for (uint32_t i = 0; i < insp->links; i++) {
		for (uint32_t k = 0; k < INSP_WATCHES_MAX; k++) {
			const struct insp_watch *watch = &insp->link[i]->watch[k];
			if (!watch->id)
				continue;
			if (watch->topics >> INSP_TOPIC_EVENTS & 1)
				want |= wanted_events(insp);
			if (watch->topics >> INSP_TOPIC_MAPPINGS & 1)
				want |= 1u << INSP_EV_MAP | 1u << INSP_EV_UNMAP;
		}
	}
	return want;
}

enum insp_status insp_listen_update(struct insp *insp)
{
	uint32_t want = wanted_by_all(insp);

	if (want == insp->listen && !(want & INSP_EVENTS_MANY))
		return INSP_OK;
	/* What was left out before a watch began is told now, and not to it. */
	insp_events_grant(insp);
	insp->listen = want;
	return listen(insp);
}

static struct insp_watch *find_watch(struct insp_link *link, uint64_t id)
{
	for (uint32_t i = 0; i < INSP_WATCHES_MAX; i++)
		if (link->watch[i].id == id)
			return &link->watch[i];
	return NULL;
}

static void reset_watch(struct insp_link *link, struct insp_watch *watch, uint64_t now_us)
{
	watch->full = watch->topics;
	watch->busy = 0;
	watch->turn = 0;
	watch->due_us = now_us;
	watch->second_us = now_us;
	watch->line_hz = watch->told_hz = watch->hz;
	watch->late = 0;
	lay_blocks(watch);
	restart_mappings(link, watch);
	watch->full &= watch->topics;
	watch->event_read = insp_ring_head(&link->insp->ring);
	insp_take_missed(link->insp, watch->missed, 0);
	watch->event_lost = 0;
	watch->log_read = 0;
	watch->log_lost = 0;
}

int insp_do_watch_start(struct insp_call *call)
{
	struct insp_link *link = call->link;
	struct insp_watch *watch = find_watch(link, call->arg[2].given ? call->arg[2].u : 0);

	if (!watch && call->arg[2].given)
		return insp_fail(call, INSP_E_PARAMS, "no such watch: %lu", call->arg[2].u);
	if (!watch)
		return insp_fail(call, INSP_E_BUSY,
				 "this link has %u watches already, watch.stop one of them",
				 INSP_WATCHES_MAX);
	if (!watch->id) {
		memset(watch, 0, sizeof(*watch));
		watch->id = ++link->next_watch;
	}
	watch->topics = (uint32_t)call->arg[0].u;
	watch->hz = (uint32_t)call->arg[1].u;
	watch->event_read = insp_ring_head(&link->insp->ring);
	enum insp_status status = insp_listen_update(call->insp);
	if (status != INSP_OK) {
		watch->id = 0;
		insp_listen_update(call->insp);
		return insp_fail_status(call, status, "watch.start");
	}
	reset_watch(link, watch, call->now_us);
	insp_w_key(call->w, INSP_F_ID);
	insp_w_u64(call->w, watch->id);
	insp_w_key(call->w, INSP_F_HZ);
	insp_w_u64(call->w, watch->hz);
	return 0;
}

int insp_do_watch_stop(struct insp_call *call)
{
	struct insp_watch *watch = find_watch(call->link, call->arg[0].u);

	if (!watch)
		return insp_fail(call, INSP_E_PARAMS, "no such watch: %lu", call->arg[0].u);
	watch->id = 0;
	insp_listen_update(call->insp);
	return 0;
}

void insp_watches_end(struct insp_link *link)
{
	for (uint32_t i = 0; i < INSP_WATCHES_MAX; i++)
		link->watch[i].id = 0;
	insp_listen_update(link->insp);
}

bool insp_watch_check(const struct insp_link *link, char *why, size_t size)
{
	for (uint32_t i = 0; i < INSP_WATCHES_MAX; i++) {
		const struct insp_watch *w = &link->watch[i];
		if (!w->id)
			continue;
		bool right = w->id <= link->next_watch && w->topics && !(w->busy & ~w->topics) &&
			     !(w->full & ~w->topics) && w->turn < INSP_TOPICS &&
			     w->dirties <= INSP_DIRTY_MAX && w->blocks <= INSP_FRAME_BLOCKS &&
			     w->scan_block <= w->blocks;
		for (uint32_t k = 0; right && k < w->dirties; k++)
			right = w->dirty[k].from <= w->dirty[k].to;
		if (!right) {
			insp_format(why, size, "watch %u is not as it should be", w->id);
			return false;
		}
	}
	return true;
}
