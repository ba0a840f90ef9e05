/*
 * drive: a Linux kmem trace as remote requests.
 *
 * Allocations and frees are pipelined. The free of an object whose allocation is
 * still under way waits for that answer and no other; everything else flows. The
 * account is kept three times: what the trace says is live (requests rounded up
 * to their class), what the kernel's answers say (sizes given less sizes taken
 * back), and what mm_stat and the frames say moved. They must agree. While
 * attribution is on, its notes are kernel memory too and move mm_stat; then what
 * the sites hold, in which notes do not count, stands for it.
 */
#include <inspect/protocol.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <memviz/base.h>
#include <memviz/command.h>
#include <memviz/format.h>
#include <memviz/ftrace.h>
#include <memviz/recording.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_ORDER    9	    /* 2^9 pages of 4 KiB are one frame */
#define PAGE_KEY       (1ull << 63) /* keys of pages and of pointers never meet */
#define WINDOW_DEFAULT 192
#define LINE_MAX_BYTES (1u << 20)
#define CHUNK	       65536

enum skip {
	SKIP_LARGE,
	SKIP_UNSEEN,
	SKIP_NULL,
	SKIP_FAILED,
	SKIP_REFUSED,
	SKIP_OTHER,
	SKIP_BAD,
	SKIPS
};
static const char *const skip_names[SKIPS] = {
	"allocations over 1 MiB",
	"frees of pointers never seen",
	"frees of NULL",
	"page allocations that failed in the trace",
	"allocations that the kernel refused",
	"lines of other events",
	"lines that could not be read",
};

struct drive;

/* One object of the trace, from its allocation to its free. */
struct object {
	struct object *next; /* in its bucket, or in the list of the detached */
	struct drive *d;
	uint64_t key;	     /* the trace's pointer, or PAGE_KEY | pfn */
	uint64_t bytes;	     /* by the trace's account */
	uint64_t addr;	     /* by the kernel; 0 while asked */
	unsigned frames;     /* alloc_pages of so many; 0: kmalloc */
	bool free_when_here; /* its free came before the answer */
	bool second_zone;    /* refused by the first zone */
};

#define BUCKETS 65536
struct bucket {
	struct object *first;
};

struct drive {
	struct cmd *c;
	struct mv_stream *trace;
	struct mv_buf text;
	size_t text_at;
	bool text_end;
	struct bucket *buckets;
	size_t live_objects, in_flight, window;
	uint64_t lines, events, limit;
	uint64_t allocs, frees, reused; /* reused: freed because the pointer came again */
	uint64_t skipped[SKIPS];
	uint64_t trace_live, answer_live; /* bytes */
	uint64_t trace_frames;
	uint64_t rate, start_us, stop_us;
	struct mv_error broken; /* status MV_OK: nothing broke */
	char first_bad[160];
};

/* ---- the account ---- */

static uint64_t class_of(uint64_t bytes)
{
	uint64_t size = 32;
	while (size < bytes)
		size *= 2;
	return size;
}

static struct object **bucket_of(struct drive *d, uint64_t key)
{
	return &d->buckets[(key * 0x9e3779b97f4a7c15ull) >> 48].first;
}

static struct object *find(struct drive *d, uint64_t key)
{
	struct object *o = *bucket_of(d, key);
	while (o && o->key != key)
		o = o->next;
	return o;
}

static void detach(struct drive *d, struct object *o)
{
	struct object **at = bucket_of(d, o->key);
	while (*at != o)
		at = &(*at)->next;
	*at = o->next;
	d->live_objects--;
}

/* ---- requests ---- */

static void broke(struct drive *d, const struct mv_error *e)
{
	if (d->broken.status == MV_OK)
		d->broken = *e;
}

static void freed(void *user, struct json_object *result, const struct mv_error *error)
{
	struct object *o = user;
	struct drive *d = o->d;
	uint64_t size = (uint64_t)o->frames * MV_FRAME_BYTES;
	d->in_flight--;
	if (error) {
		/* The kernel gave it and does not take it back: that must not be. */
		broke(d, error);
	} else {
		if (!o->frames)
			mv_json_u64(result, INSP_F_SIZE, &size);
		d->answer_live -= size;
		d->frees++;
	}
	free(o);
}

static void send_free(struct drive *d, struct object *o)
{
	struct json_object *p = json_object_new_object();
	mv_json_add_hex(p, o->frames ? INSP_F_PA : INSP_F_ADDR, o->addr);
	if (o->frames)
		mv_json_add_u64(p, INSP_F_NUM, o->frames);
	d->in_flight++;
	mv_session_call(d->c->s, o->frames ? INSP_M_FREE_PAGES : INSP_M_KFREE, p, freed, o);
}

static void send_alloc(struct drive *d, struct object *o);

/* The trace's account is taken back for what the kernel never gave. */
static void unaccount(struct drive *d, const struct object *o)
{
	d->trace_live -= o->bytes;
	d->trace_frames -= o->frames;
}

static void allocated(void *user, struct json_object *result, const struct mv_error *error)
{
	struct object *o = user;
	struct drive *d = o->d;
	uint64_t size = (uint64_t)o->frames * MV_FRAME_BYTES;
	d->in_flight--;
	if (error && error->status == MV_REFUSED && o->frames && !o->second_zone) {
		o->second_zone = true;
		send_alloc(d, o);
		return;
	}
	if (error) {
		if (error->status != MV_REFUSED)
			broke(d, error);
		d->skipped[SKIP_REFUSED]++;
		if (!o->free_when_here) {
			unaccount(d, o);
			detach(d, o);
		}
		free(o);
		return;
	}
	mv_json_hex(result, o->frames ? INSP_F_PA : INSP_F_ADDR, &o->addr);
	if (!o->frames)
		mv_json_u64(result, INSP_F_SIZE, &size);
	d->answer_live += size;
	d->allocs++;
	if (o->free_when_here)
		send_free(d, o);
}

static void send_alloc(struct drive *d, struct object *o)
{
	struct json_object *p = json_object_new_object();
	if (o->frames) {
		mv_json_add_str(p, INSP_F_ZONE,
				o->second_zone ? "ZONE_UNMAPPED_IN_PGT" : "ZONE_NORMAL");
		mv_json_add_u64(p, INSP_F_NUM, o->frames);
	} else {
		mv_json_add_u64(p, INSP_F_SIZE, o->bytes);
	}
	d->in_flight++;
	mv_session_call(d->c->s, o->frames ? INSP_M_ALLOC_PAGES : INSP_M_KMALLOC, p, allocated, o);
}

/* ---- events ---- */

static void let_go(struct drive *d, struct object *o)
{
	detach(d, o);
	unaccount(d, o);
	if (o->addr)
		send_free(d, o);
	else
		o->free_when_here = true;
}

static void event_alloc(struct drive *d, uint64_t key, uint64_t bytes, unsigned frames)
{
	struct object *old = find(d, key);
	if (old) {
		/* Given out again: its free escaped the trace. */
		d->reused++;
		let_go(d, old);
	}
	struct object *o = mv_alloc(sizeof *o), **bucket = bucket_of(d, key);
	*o = (struct object){.next = *bucket, .d = d, .key = key, .frames = frames};
	o->bytes = frames ? (uint64_t)frames * MV_FRAME_BYTES : class_of(bytes);
	*bucket = o;
	d->live_objects++;
	d->trace_live += o->bytes;
	d->trace_frames += frames;
	send_alloc(d, o);
}

static void event_free(struct drive *d, uint64_t key)
{
	struct object *o = find(d, key);
	if (o)
		let_go(d, o);
	else
		d->skipped[SKIP_UNSEEN]++;
}

static void apply(struct drive *d, const struct mv_ftrace *f)
{
	switch (f->kind) {
	case MV_FTRACE_KMALLOC:
	case MV_FTRACE_CACHE_ALLOC:
		if (!f->ptr)
			d->skipped[SKIP_FAILED]++;
		else if (f->bytes > INSP_OBJECT_MAX)
			d->skipped[SKIP_LARGE]++;
		else
			event_alloc(d, f->ptr & ~PAGE_KEY, f->bytes, 0);
		break;
	case MV_FTRACE_KFREE:
	case MV_FTRACE_CACHE_FREE:
		if (!f->ptr)
			d->skipped[SKIP_NULL]++;
		else
			event_free(d, f->ptr & ~PAGE_KEY);
		break;
	case MV_FTRACE_PAGE_ALLOC:
		if (!f->ptr)
			d->skipped[SKIP_FAILED]++;
		else if (f->order > FRAME_ORDER + 5)
			d->skipped[SKIP_LARGE]++;
		else if (f->order >= FRAME_ORDER)
			event_alloc(d, f->ptr | PAGE_KEY, 0, 1u << (f->order - FRAME_ORDER));
		else
			event_alloc(d, f->ptr | PAGE_KEY, MV_PAGE_BYTES << f->order, 0);
		break;
	case MV_FTRACE_PAGE_FREE:
		event_free(d, f->ptr | PAGE_KEY);
		break;
	default:
		d->skipped[f->kind == MV_FTRACE_BAD ? SKIP_BAD : SKIP_OTHER]++;
		return;
	}
	d->events++;
}

/* ---- lines ---- */

static bool next_line(struct drive *d, const char **line, size_t *len)
{
	for (;;) {
		char *from = d->text.data ? d->text.data + d->text_at : NULL;
		size_t left = d->text.len - d->text_at;
		char *lf = from && left ? memchr(from, '\n', left) : NULL;
		if (lf || (d->text_end && left)) {
			*line = from;
			*len = lf ? (size_t)(lf - from) : left;
			d->text_at += *len + (lf ? 1 : 0);
			return true;
		}
		if (d->text_end || left > LINE_MAX_BYTES)
			return false;
		char chunk[CHUNK];
		mv_buf_consume(&d->text, d->text_at);
		d->text_at = 0;
		size_t n = mv_stream_read(d->trace, chunk, sizeof chunk);
		mv_buf_add(&d->text, chunk, n);
		d->text_end = n == 0;
	}
}

static bool one_line(struct drive *d)
{
	const char *line;
	size_t len;
	struct mv_ftrace f;
	if (d->lines >= d->limit || !next_line(d, &line, &len))
		return false;
	d->lines++;
	mv_ftrace_parse(line, len, &f);
	if (f.kind == MV_FTRACE_BAD && !d->first_bad[0])
		snprintf(d->first_bad, sizeof d->first_bad, "line %" PRIu64 ": %s", d->lines,
			 f.bad);
	apply(d, &f);
	return true;
}

/* ---- running ---- */

static void process(struct drive *d, int timeout_ms)
{
	struct pollfd p = {.fd = mv_session_fd(d->c->s), .events = POLLIN};
	if (timeout_ms)
		poll(&p, 1, timeout_ms);
	mv_session_process(d->c->s);
	char rate[24];
	double s = (double)(mv_now_us() - d->start_us) / 1e6;
	cmd_progress("%" PRIu64 " lines, %" PRIu64 " allocated, %" PRIu64 " freed, %s requests/s",
		     d->lines, d->allocs, d->frees,
		     mv_format_short((double)(d->allocs + d->frees) / (s > 0 ? s : 1), rate,
				     sizeof rate));
}

/* May the next line go, by --rate? */
static bool in_rate(const struct drive *d)
{
	if (!d->rate)
		return true;
	double due = (double)(mv_now_us() - d->start_us) / 1e6 * (double)d->rate;
	return (double)d->events < due + 1;
}

static bool over(const struct drive *d)
{
	return cmd_stopped || d->broken.status != MV_OK || mv_now_us() >= d->stop_us;
}

static void run_trace(struct drive *d)
{
	bool more = true;
	d->start_us = mv_now_us();
	while (more && !over(d)) {
		while (more && d->in_flight < d->window && in_rate(d))
			more = one_line(d);
		process(d, more ? 5 : 0);
	}
	while (d->in_flight && d->broken.status == MV_OK)
		process(d, 100);
}

static void free_rest(struct drive *d)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		while (d->buckets[i].first && d->broken.status == MV_OK) {
			struct object *o = d->buckets[i].first;
			let_go(d, o);
			while (d->in_flight >= d->window && d->broken.status == MV_OK)
				process(d, 100);
		}
	}
	while (d->in_flight && d->broken.status == MV_OK)
		process(d, 100);
}

/* ---- the kernel's account ---- */

struct account {
	struct mv_stat stat;
	uint64_t frames;   /* allocated, not slabs */
	bool attribution;  /* on: the sites tell what objects hold */
	uint64_t by_sites; /* bytes */
	bool workload;	   /* others allocate too */
	char workloads[120];
};

static bool read_figures(struct json_object *r, struct mv_stat *s)
{
	return mv_json_u64(r, INSP_F_TOTAL, &s->total) && mv_json_u64(r, INSP_F_USED, &s->used) &&
	       mv_json_u64(r, INSP_F_FREE, &s->free) && mv_json_u64(r, INSP_F_SHARED, &s->shared) &&
	       mv_json_u64(r, INSP_F_CACHE_USED, &s->cache_used) &&
	       mv_json_u64(r, INSP_F_CACHE_FREE, &s->cache_free) &&
	       mv_json_u64(r, INSP_F_AVAILABLE, &s->available);
}

static void read_workloads(struct drive *d, struct account *a)
{
	struct json_object *r = NULL;
	if (mv_session_call_wait(d->c->s, INSP_M_WORKLOAD_LIST, NULL, false, &r, NULL) != MV_OK)
		return;
	struct json_object *list = mv_json_array(r, INSP_F_WORKLOADS);
	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		const char *name = mv_json_str(o, INSP_F_NAME);
		bool running = false;
		mv_json_flag(o, INSP_F_RUNNING, &running);
		if (!running || !name)
			continue;
		size_t n = strlen(a->workloads);
		snprintf(a->workloads + n, sizeof a->workloads - n, "%s%s", n ? ", " : "", name);
		a->workload = true;
	}
	json_object_put(r);
}

/* What all sites hold; none when attribution is off. */
static void read_sites(struct drive *d, struct account *a)
{
	struct json_object *r = NULL;
	if (mv_session_call_wait(d->c->s, INSP_M_TRACE_SITES, NULL, true, &r, NULL) != MV_OK)
		return;
	struct json_object *list = mv_json_array(r, INSP_F_SITES);
	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		uint64_t bytes = 0;
		mv_json_u64(json_object_array_get_idx(list, i), INSP_F_LIVE_BYTES, &bytes);
		a->by_sites += bytes;
		a->attribution = true;
	}
	json_object_put(r);
}

static bool read_account(struct drive *d, struct account *a, int *status)
{
	*a = (struct account){0};
	struct json_object *r = cmd_call(d->c, INSP_M_STAT, NULL, status);
	bool good = r && read_figures(r, &a->stat);
	json_object_put(r);
	r = good ? cmd_call(d->c, INSP_M_FRAMES, NULL, status) : NULL;
	struct json_object *runs = mv_json_array(r, INSP_F_RUNS);
	for (size_t i = 0; runs && i < json_object_array_length(runs); i++) {
		struct json_object *o = json_object_array_get_idx(runs, i);
		const char *state = mv_json_str(o, INSP_F_STATE);
		uint64_t count = 0;
		mv_json_u64(o, INSP_F_COUNT, &count);
		if (state && mv_frame_state_parse(state) == MV_FRAME_ALLOCATED)
			a->frames += count;
	}
	good = runs != NULL;
	json_object_put(r);
	if (good) {
		read_workloads(d, a);
		read_sites(d, a);
	}
	return good;
}

/* ---- the result ---- */

struct verdict {
	uint64_t kernel_live; /* by mm_stat and the frames */
	bool answers_agree, stat_agrees, stat_comparable, back, by_sites;
	double seconds;
};

static struct verdict judge(const struct drive *d, const struct account *before,
			    const struct account *after, uint64_t end_us)
{
	struct verdict v = {0};
	v.by_sites = after->attribution;
	/* A site holds objects and frames alike. */
	v.kernel_live = v.by_sites ? after->by_sites - before->by_sites
				   : after->stat.cache_used - before->stat.cache_used +
					     (after->frames - before->frames) * MV_FRAME_BYTES;
	v.answers_agree = d->answer_live == d->trace_live;
	v.stat_comparable = !before->workload && !after->workload;
	v.stat_agrees = v.kernel_live == d->trace_live;
	v.back = v.kernel_live == 0;
	v.seconds = (double)(end_us - d->start_us) / 1e6;
	return v;
}

static void row(struct table *t, const char *name, uint64_t n, const char *note)
{
	char text[32];
	table_cell(t, name);
	table_cell(t, mv_format_count(n, text, sizeof text));
	table_cell(t, note);
}

static void bytes_row(struct table *t, const char *name, uint64_t bytes, const char *note)
{
	char size[32], both[80];
	snprintf(both, sizeof both, "%s%s%s", mv_format_size(bytes, size, sizeof size),
		 note[0] ? "  " : "", note);
	row(t, name, bytes, both);
}

static void print_table(struct drive *d, const struct verdict *v, const struct account *after)
{
	struct table *t = table_new("<|>|<");
	char note[200], rate[24];
	snprintf(note, sizeof note, "in %.1f s, %s requests a second", v->seconds,
		 mv_format_short((double)(d->allocs + d->frees) / (v->seconds > 0 ? v->seconds : 1),
				 rate, sizeof rate));
	row(t, "lines", d->lines, note);
	row(t, "events", d->events, "");
	row(t, "allocated", d->allocs, "");
	row(t, "freed", d->frees, "");
	row(t, "  of these freed because the pointer came again", d->reused,
	    "their free escaped the trace");
	for (unsigned i = 0; i < SKIPS; i++)
		if (d->skipped[i])
			row(t, skip_names[i], d->skipped[i],
			    i == SKIP_BAD ? d->first_bad : "skipped");
	row(t, "live objects", d->live_objects, "");
	bytes_row(t, "live bytes by the trace's account", d->trace_live, "");
	bytes_row(t, "live bytes by the kernel's answers", d->answer_live,
		  v->answers_agree ? "they agree" : "THEY DISAGREE");
	snprintf(note, sizeof note, "not comparable: workload %s runs", after->workloads);
	bytes_row(t,
		  v->by_sites ? "live bytes by the kernel's sites"
			      : "live bytes by mm_stat and the frames",
		  v->kernel_live,
		  v->stat_agrees       ? "they agree"
		  : v->stat_comparable ? "THEY DISAGREE"
				       : note);
	table_print(t, d->c, 0, stdout);
	if (d->c->opt[OPT_FREE_REST])
		puts(v->back && v->by_sites ? "what the sites hold is where it began"
		     : v->back		    ? "mm_stat is where it began"
		     : v->stat_comparable   ? "MM_STAT IS NOT WHERE IT BEGAN"
					    : "mm_stat moved with the workload");
}

static void print_result_json(struct drive *d, const struct verdict *v)
{
	struct json_object *o = json_object_new_object(), *skips = json_object_new_object();
	static const char *const keys[SKIPS] = {"over_1_mib", "never_seen", "null",	 "failed",
						"refused",    "other",	    "unreadable"};
	mv_json_add_u64(o, "lines", d->lines);
	mv_json_add_u64(o, "events", d->events);
	mv_json_add_u64(o, "allocated", d->allocs);
	mv_json_add_u64(o, "freed", d->frees);
	mv_json_add_u64(o, "reused", d->reused);
	for (unsigned i = 0; i < SKIPS; i++)
		mv_json_add_u64(skips, keys[i], d->skipped[i]);
	json_object_object_add(o, "skipped", skips);
	mv_json_add_u64(o, "live_objects", d->live_objects);
	mv_json_add_u64(o, "trace_live_bytes", d->trace_live);
	mv_json_add_u64(o, "answer_live_bytes", d->answer_live);
	mv_json_add_u64(o, "kernel_live_bytes", v->kernel_live);
	json_object_object_add(o, "answers_agree", json_object_new_boolean(v->answers_agree));
	json_object_object_add(o, "stat_agrees", json_object_new_boolean(v->stat_agrees));
	json_object_object_add(o, "by_sites", json_object_new_boolean(v->by_sites));
	json_object_object_add(o, "stat_comparable", json_object_new_boolean(v->stat_comparable));
	if (d->c->opt[OPT_FREE_REST])
		json_object_object_add(o, "back", json_object_new_boolean(v->back));
	mv_json_add_u64(o, "time_us", (uint64_t)(v->seconds * 1e6));
	cmd_print_json(o);
	json_object_put(o);
}

static int finish(struct drive *d, const struct account *before)
{
	struct account after;
	int status = MV_OK;
	uint64_t end = mv_now_us();
	cmd_progress_end();
	if (d->broken.status != MV_OK)
		return cmd_fail(&d->broken);
	if (!d->events && d->skipped[SKIP_BAD] + d->skipped[SKIP_OTHER]) {
		mv_fail(&d->c->error, MV_DAMAGED,
			"%s: no kmem trace: none of its %" PRIu64 " lines is an event; it takes "
			"ftrace's text, plain or .xz",
			d->c->argv[0], d->lines);
		return cmd_fail(&d->c->error);
	}
	if (!read_account(d, &after, &status))
		return status;
	struct verdict v = judge(d, before, &after, end);
	if (d->c->json)
		print_result_json(d, &v);
	else
		print_table(d, &v, &after);
	if (mv_stream_damage(d->trace)) {
		mv_fail(&d->c->error, MV_DAMAGED, "%s: %s; it was driven up to there",
			d->c->argv[0], mv_stream_damage(d->trace));
		return cmd_fail(&d->c->error);
	}
	return v.answers_agree && (v.stat_agrees || !v.stat_comparable) ? MV_OK : MV_REFUSED;
}

static void drop_objects(struct drive *d)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		while (d->buckets[i].first) {
			struct object *o = d->buckets[i].first;
			d->buckets[i].first = o->next;
			free(o);
		}
	}
	free(d->buckets);
	mv_buf_free(&d->text);
	mv_stream_close(d->trace);
}

static bool read_options(struct drive *d)
{
	uint64_t window = WINDOW_DEFAULT, us = UINT64_MAX;
	d->limit = UINT64_MAX;
	if (!cmd_option_number(d->c, OPT_LIMIT, 1, UINT64_MAX, &d->limit) ||
	    !cmd_option_number(d->c, OPT_RATE, 1, 10000000, &d->rate) ||
	    !cmd_option_number(d->c, OPT_WINDOW, 1, 400, &window) ||
	    !cmd_option_duration(d->c, OPT_FOR, &us))
		return false;
	d->window = (size_t)window;
	d->stop_us = us == UINT64_MAX ? us : mv_now_us() + us;
	return true;
}

int command_drive(struct cmd *c)
{
	struct drive d = {.c = c};
	struct account before;
	int status = MV_OK;
	if (!read_options(&d))
		return MV_USAGE;
	d.trace = mv_stream_open(c->argv[0], &c->error);
	if (!d.trace) {
		c->error.status = MV_USAGE;
		return cmd_fail(&c->error);
	}
	d.buckets = mv_alloc(BUCKETS * sizeof *d.buckets);
	cmd_catch_signals();
	struct mv_session_options o = {.quiet_model = true, .window = d.window};
	if (cmd_connect(c, &o, &status) && read_account(&d, &before, &status)) {
		run_trace(&d);
		if (c->opt[OPT_FREE_REST])
			free_rest(&d);
		status = finish(&d, &before);
	}
	/* Requests under way point into the account: they end first. */
	mv_session_close(c->s);
	c->s = NULL;
	drop_objects(&d);
	return status;
}
