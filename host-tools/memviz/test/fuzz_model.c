/* Lines of watch parameters into a model: whatever they say, it stays sound. */
#include "fuzz.h"

#include <json-c/json.h>
#include <memviz/base.h>
#include <memviz/model.h>
#include <string.h>

const char *const fuzz_seeds[] = {
	"{\"topic\":\"stat\",\"full\":true,\"gen\":1,\"data\":{\"total\":9,\"used\":1,\"free\":8,"
	"\"shared\":0,\"cache_used\":0,\"cache_free\":0,\"available\":8}}\n"
	"{\"topic\":\"stat\",\"full\":false,\"data\":{\"used\":3}}",
	"{\"topic\":\"frames\",\"full\":true,\"data\":{\"runs\":[{\"pa\":\"0x0\",\"count\":9,"
	"\"zone\":\"Z\",\"state\":\"free\",\"attr\":[],\"refs\":0}]}}\n"
	"{\"topic\":\"frames\",\"full\":false,\"data\":{\"runs\":[{\"pa\":\"0x400000\",\"count\":2,"
	"\"zone\":\"Z\",\"state\":\"slab\",\"attr\":[\"PAGE_SHARED\"],\"refs\":1}]}}",
	"{\"topic\":\"mappings\",\"full\":true,\"data\":{\"removed\":[],\"added\":[{\"space\":1,"
	"\"va\":\"0x1000\",\"pa\":\"0x5000\",\"len\":16384,\"page\":4096,\"flags\":\"w-----\"}]}}\n"
	"{\"topic\":\"mappings\",\"full\":false,\"data\":{\"removed\":[{\"space\":1,\"va\":"
	"\"0x2000\","
	"\"len\":4096}],\"added\":[]}}",
	"{\"topic\":\"events\",\"full\":false,\"data\":{\"lost\":0,\"events\":[[1,\"map\",\"0x1\","
	"2,"
	"\"0x0\",3]]}}\n{\"topic\":\"log\",\"full\":true,\"data\":{\"lines\":[{\"seq\":1,\"t_us\":"
	"2,"
	"\"level\":\"info\",\"text\":\"x\"}]}}",
	"{\"method\":\"mm.slabs\",\"params\":{\"size\":64},\"result\":{\"slabs\":[{\"addr\":"
	"\"0x1000\",\"size\":64,\"objects\":8,\"used\":1,\"used_runs\":[[1,1]]}]}}\n"
	"{\"method\":\"trace.leaks\",\"result\":{\"objects\":[{\"addr\":\"0x1040\",\"size\":64,"
	"\"site\":\"0x7\",\"symbol\":\"f\",\"age_us\":5}]}}\n"
	"{\"method\":\"trace.sites\",\"result\":{\"sites\":[]}}",
	NULL,
};

/* An answer of a recording, and everything that is answered from it. */
static void keep_line(struct mv_model *m, struct json_object *o, uint64_t time_us)
{
	static const char *const methods[] = {"mm.slabs", "mm.object", "trace.sites",
					      "trace.leaks"};
	static const char question[] = "{\"size\":64,\"addr\":\"0x1044\",\"older_than_us\":0}";
	const char *method = mv_json_str(o, "method");
	struct json_object *result = mv_json_obj(o, "result");
	if (!method || !result)
		return;
	mv_model_keep_answer(m, method, mv_json_obj(o, "params"), result, time_us);
	struct json_object *params = mv_json_parse(question, sizeof question - 1, NULL);
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
		json_object_put(mv_model_answer(m, methods[i], params, NULL));
	json_object_put(params);
}

static void apply_line(struct mv_model *m, const char *line, size_t len, uint64_t time_us)
{
	struct json_object *o = mv_json_parse(line, len, NULL);
	char why[200];
	if (!o)
		return;
	mv_model_apply_watch(m, o, time_us, NULL);
	mv_model_apply_history(m, o, NULL);
	keep_line(m, o, time_us);
	FUZZ_ASSERT(mv_model_check(m, why, sizeof why));
	json_object_put(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mv_model_limits limits = {50, 50, 50};
	struct mv_model *m = mv_model_new(&limits), *copy = mv_model_new(&limits);
	const char *p = (const char *)data, *end = p + size;
	char why[300];
	for (uint64_t t = 1; p < end; t += 50000) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		apply_line(m, p, (size_t)((lf ? lf : end) - p), t);
		p = lf ? lf + 1 : end;
	}
	/* What it holds survives its own keyframe. */
	struct json_object *k = mv_model_keyframe(m);
	if (mv_model_apply_keyframe(copy, k, 1, NULL) == MV_APPLIED && !mv_model_arriving(m))
		FUZZ_ASSERT(mv_model_check(copy, why, sizeof why));
	json_object_put(k);
	mv_model_free(m);
	mv_model_free(copy);
	return 0;
}
