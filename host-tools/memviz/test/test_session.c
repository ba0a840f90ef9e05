/*
 * A session and a kernel played by this program, in one thread: what is asked is
 * seen, and answered when the test wants it.
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <memviz/base.h>
#include <memviz/link.h>
#include <memviz/session.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
/* cmocka wants the four above first. */
#include <cmocka.h>

#define PATIENCE_MS 10000

struct play {
	char dir[32];
	int listener, kernel;
	struct mv_session *s;
	char asked[8192]; /* what the session has sent and nobody has answered */
	size_t len;
};

static void open_play(struct play *p)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	const struct mv_session_options o = {
		.no_hello_state = true, .quiet_model = true, .once = true, .timeout_s = 60};
	struct mv_error e;
	char target[128];
	snprintf(p->dir, sizeof p->dir, "/tmp/memviz-test-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(at.sun_path, sizeof at.sun_path, "%s/s", p->dir);
	snprintf(target, sizeof target, "unix:%s", at.sun_path);
	p->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(p->listener, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(p->listener, 1), 0);
	p->s = mv_session_open(target, &o, &e);
	assert_non_null(p->s);
	mv_session_process(p->s);
	p->kernel = accept(p->listener, NULL, NULL);
	assert_true(p->kernel >= 0);
}

static void close_play(struct play *p)
{
	char path[64];
	mv_session_close(p->s);
	close(p->kernel);
	close(p->listener);
	snprintf(path, sizeof path, "%s/s", p->dir);
	unlink(path);
	rmdir(p->dir);
}

/* Lets the session work until it has sent a request of that method; returns its id as it was
 * written. */
static const char *asked(struct play *p, const char *method)
{
	static char id[32];
	char name[64];
	snprintf(name, sizeof name, "\"method\":\"%s\"", method);
	for (;;) {
		struct pollfd fds[] = {
			{.fd = mv_session_fd(p->s), .events = POLLIN},
			{.fd = p->kernel,		  .events = POLLIN},
		};
		assert_true(poll(fds, 2, PATIENCE_MS) > 0);
		if (fds[0].revents)
			mv_session_process(p->s);
		if (!fds[1].revents)
			continue;
		ssize_t n = read(p->kernel, p->asked + p->len, sizeof p->asked - 1 - p->len);
		assert_true(n > 0);
		p->len += (size_t)n;
		p->asked[p->len] = 0;
		if (strstr(p->asked, name) && p->asked[p->len - 1] == '\n')
			break;
	}
	assert_int_equal(sscanf(strstr(p->asked, "\"id\":"), "\"id\":%31[^,]", id), 1);
	p->len = 0;
	return id;
}

static void answer(struct play *p, const char *id, const char *result)
{
	static uint64_t seq;
	char text[512];
	size_t len;
	int n = snprintf(text, sizeof text,
			 "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":%s,\"seq\":%" PRIu64 "}", id,
			 result, seq++);
	char *sealed = mv_record_seal(text, (size_t)n, &len);
	assert_int_equal(write(p->kernel, sealed, len), len);
	free(sealed);
}

static void replied(void *user, struct json_object *result, const struct mv_error *error)
{
	(void)result;
	(void)error;
	++*(unsigned *)user;
}

static void say_hello(struct play *p)
{
	char token[64], result[128];
	const char *id = asked(p, "hello"), *at = strstr(p->asked, "\"token\":\"");
	assert_non_null(at);
	assert_int_equal(sscanf(at, "\"token\":\"%63[^\"]", token), 1);
	snprintf(result, sizeof result, "{\"protocol\":1,\"gen\":0,\"token\":\"%s\"}", token);
	answer(p, id, result);
}

/* A view that is left asks to hear nothing more, whichever page is on its way. */
static void test_cancel_between_pages(void **state)
{
	struct play p = {0};
	bool done = false;
	unsigned *replies = mv_alloc(sizeof *replies), later = 0;
	(void)state;
	open_play(&p);
	say_hello(&p);
	uint64_t leaks = mv_session_call_all(p.s, "trace.leaks", NULL, 0, replied, replies);
	answer(&p, asked(&p, "trace.leaks"), "{\"gen\":1,\"objects\":[],\"next\":\"1\"}");
	const char *second = asked(&p, "trace.leaks");
	mv_session_cancel(p.s, leaks);
	free(replies); /* as a closed view is freed: the sanitizer sees a call that comes yet */
	answer(&p, second, "{\"gen\":1,\"objects\":[],\"next\":\"2\"}");
	mv_session_call(p.s, "mm.stat", NULL, replied, &later);
	answer(&p, asked(&p, "mm.stat"), "{\"gen\":1}");
	while (!later)
		mv_session_wait(p.s, &done, 0.01);
	close_play(&p);
}

static void note_cut(void *user, struct json_object *result, const struct mv_error *error)
{
	bool cut = false;
	assert_null(error);
	mv_json_flag(result, "cut", &cut);
	*(int *)user = 10 * (int)json_object_array_length(mv_json_array(result, "objects")) + cut;
}

/* Whoever asked for the first few can tell a short list from a list cut short. */
static void test_limit_says_cut(void **state)
{
	static const struct {
		const char *answer;
		int told;
	} cases[] = {
		{"{\"gen\":1,\"objects\":[{}],\"next\":null}",       10},
		{"{\"gen\":1,\"objects\":[{},{}],\"next\":null}",	  20},
		{"{\"gen\":1,\"objects\":[{},{}],\"next\":\"2\"}",   21},
		{"{\"gen\":1,\"objects\":[{},{},{}],\"next\":null}", 21},
	};
	struct play p = {0};
	bool never = false;
	(void)state;
	open_play(&p);
	say_hello(&p);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int told = -1;
		mv_session_call_all(p.s, "trace.leaks", NULL, 2, note_cut, &told);
		answer(&p, asked(&p, "trace.leaks"), cases[i].answer);
		while (told < 0)
			mv_session_wait(p.s, &never, 0.01);
		assert_int_equal(told, cases[i].told);
	}
	close_play(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cancel_between_pages),
		cmocka_unit_test(test_limit_says_cut),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
