#include "rig.h"

#include "schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <inspect/table.h>
#include <zlib.h>

static size_t line_space(struct model_line *line)
{
	struct rig_link *l = (struct rig_link *)line;

	return l->len < l->limit ? l->limit - l->len : 0;
}

static void line_write(struct model_line *line, const void *bytes, size_t len)
{
	struct rig_link *l = (struct rig_link *)line;

	assert_true(len <= l->limit - l->len);
	memcpy(l->bytes + l->len, bytes, len);
	l->len += len;
}

struct rig *rig_start(const struct model_options *options, size_t max_record)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct insp_config config = {
		.ring = rig->ring, .ring_slots = 4096, .owned = rig->owned, .owned_slots = 4096};

	model_start(options);
	model_set_clock(rig->clock_us = 1000000);
	insp_init(&rig->insp, &config);
	model_attach(&rig->insp);
	for (int i = 0; i < 2; i++) {
		struct rig_link *l = &rig->link[i];
		l->line = (struct model_line){line_space, line_write};
		l->limit = i ? 16384 : RIG_LINE;
		struct insp_link_config link = {.port = l,
						.in = l->in,
						.in_bytes = i ? 4096 : sizeof(l->in),
						.out = l->out,
						.out_bytes = i ? 4096 : max_record,
						.line_bytes = l->limit};
		assert_true(insp_link_init(&rig->insp, &l->link, &link));
	}
	return rig;
}

void rig_stop(struct rig *rig)
{
	char why[INSP_REASON_MAX];

	if (!insp_check(&rig->insp, why))
		fail_msg("%s", why);
	model_stop();
	free(rig);
}

void rig_poll(struct rig *rig)
{
	model_set_clock(rig->clock_us);
	insp_poll(&rig->insp, rig->clock_us);
}

void rig_send(struct rig *rig, int link, const void *bytes, size_t len)
{
	const char *p = bytes;

	for (int stuck = 0; len; stuck++) {
		size_t taken = insp_link_receive(&rig->link[link].link, p, len);
		p += taken;
		len -= taken;
		rig_poll(rig);
		stuck = taken ? 0 : stuck;
		assert_true(stuck < 100000);
	}
	for (int i = 0; i < 10; i++)
		rig_poll(rig);
}

static char last_text[1 << 20];

const char *rig_text(void)
{
	return last_text;
}

uint32_t rig_crc(const void *bytes, size_t len)
{
	return (uint32_t)crc32(0, bytes, (uInt)len);
}

size_t rig_seal(char *text, size_t size)
{
	size_t len = strlen(text) - 1;

	snprintf(text + len, size - len, "%s\"%08x\"}", INSP_CRC_KEY, rig_crc(text, len));
	return strlen(text);
}

static void check_record(struct rig_link *l, struct json_object *record, const char *text)
{
	const char *crc = strstr(text, INSP_CRC_KEY);
	char want[16];

	while (crc && strstr(crc + 1, INSP_CRC_KEY))
		crc = strstr(crc + 1, INSP_CRC_KEY);
	assert_non_null(crc);
	snprintf(want, sizeof(want), "%08x", rig_crc(text, (size_t)(crc - text)));
	assert_string_equal(rig_str(record, "crc"), want);
	assert_string_equal(rig_str(record, "jsonrpc"), "2.0");
	if (!l->lenient)
		assert_int_equal(rig_int(record, "seq"), l->seq);
	l->seq = (uint64_t)rig_int(record, "seq") + 1;
}

struct json_object *rig_next(struct rig *rig, int link)
{
	struct rig_link *l = &rig->link[link];
	struct json_tokener *t;

	if (!l->len)
		rig_poll(rig);
	unsigned char *end = memchr(l->bytes, INSP_LF, l->len);
	for (int i = 0; !end && l->len && i < 100; i++) {
		rig_poll(rig);
		end = memchr(l->bytes, INSP_LF, l->len);
	}
	if (!end)
		return NULL;
	assert_int_equal(l->bytes[0], INSP_RS);
	size_t len = (size_t)(end - l->bytes);
	assert_true(len < l->link.out_max);
	memcpy(last_text, l->bytes + 1, len - 1);
	last_text[len - 1] = 0;
	l->len -= len + 1;
	memmove(l->bytes, end + 1, l->len);
	t = json_tokener_new();
	json_tokener_set_flags(t, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	struct json_object *record = json_tokener_parse_ex(t, last_text, (int)len);
	if (!record)
		fail_msg("not JSON: %s", last_text);
	json_tokener_free(t);
	check_record(l, record, last_text);
	return record;
}

int64_t rig_int(struct json_object *o, const char *name)
{
	struct json_object *v;

	if (!json_object_object_get_ex(o, name, &v))
		fail_msg("no %s in %s", name, json_object_to_json_string(o));
	assert_true(json_object_is_type(v, json_type_int));
	return json_object_get_int64(v);
}

const char *rig_str(struct json_object *o, const char *name)
{
	struct json_object *v;

	if (!json_object_object_get_ex(o, name, &v))
		fail_msg("no %s in %s", name, json_object_to_json_string(o));
	return json_object_get_string(v);
}

/* The schema of a method's result, as the table gives it; kept until the program ends. */
static struct json_object *schema_of(const char *method)
{
	static char text[65536];
	static struct json_object *kept[64];
	struct insp_writer w;
	const struct insp_method *m = insp_method_find(method, strlen(method));

	assert_non_null(m);
	if (kept[m - insp_methods])
		return kept[m - insp_methods];
	insp_w_init(&w, text, sizeof(text) - 1);
	insp_put_schema(&w, m->result);
	assert_false(w.full);
	*w.p = 0;
	struct json_object *schema = json_tokener_parse(text);
	assert_non_null(schema);
	return kept[m - insp_methods] = schema;
}

static void check_result(const char *method, struct json_object *record)
{
	struct json_object *result;
	char why[512];

	if (!json_object_object_get_ex(record, "result", &result))
		return;
	struct json_object *schema = schema_of(method);
	if (!schema_check(schema, result, why, sizeof(why)))
		fail_msg("%s: %s\n%s", method, why, json_object_to_json_string(result));
}

struct json_object *rig_request(struct rig *rig, const char *method, const char *params)
{
	static char text[65536];
	int id = ++rig->next_id;
	int n = snprintf(text, sizeof(text),
			 "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"%s\"%s%s}\n", id, method,
			 params ? ",\"params\":" : "", params ? params : "");

	rig_send(rig, 0, text, (size_t)n);
	struct json_object *record = rig_next(rig, 0);
	assert_non_null(record);
	if (!json_object_object_get_ex(record, "id", NULL))
		fail_msg("a notification: %s", last_text);
	assert_int_equal(rig_int(record, "id"), id);
	check_result(method, record);
	return record;
}

struct json_object *rig_result(struct rig *rig, const char *method, const char *params,
			       struct json_object **record)
{
	struct json_object *result;

	*record = rig_request(rig, method, params);
	if (!json_object_object_get_ex(*record, "result", &result))
		fail_msg("%s %s: %s", method, params ? params : "", last_text);
	return result;
}

void rig_refused(struct rig *rig, const char *method, const char *params, int code,
		 const char *text)
{
	struct json_object *record = rig_request(rig, method, params), *error;

	if (!json_object_object_get_ex(record, "error", &error) || rig_int(error, "code") != code ||
	    !strstr(rig_str(error, "message"), text))
		fail_msg("%s %s: wanted %d \"%s\", got %s", method, params ? params : "", code,
			 text, last_text);
	json_object_put(record);
}

struct json_object *rig_all(struct rig *rig, const char *method, const char *params,
			    const char *name)
{
	struct json_object *all = json_object_new_array();
	char cursor[64] = "", text[1024];

	for (int page = 0; page < 100000; page++) {
		struct json_object *record, *items, *next;
		const char *comma = params && params[1] != '}' ? "," : "";
		if (cursor[0])
			snprintf(text, sizeof(text), "%.*s%s\"cursor\":\"%s\"}",
				 params ? (int)strlen(params) - 1 : 1, params ? params : "{", comma,
				 cursor);
		else
			snprintf(text, sizeof(text), "%s", params ? params : "{}");
		struct json_object *result = rig_result(rig, method, text, &record);
		assert_true(json_object_object_get_ex(result, name, &items));
		for (size_t i = 0; i < json_object_array_length(items); i++)
			json_object_array_add(all,
					      json_object_get(json_object_array_get_idx(items, i)));
		assert_true(json_object_object_get_ex(result, "next", &next));
		snprintf(cursor, sizeof(cursor), "%s", next ? json_object_get_string(next) : "");
		json_object_put(record);
		if (!cursor[0])
			return all;
	}
	fail_msg("%s never ends", method);
	return all;
}
