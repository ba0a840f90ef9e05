/* The kernel's half: each running program has a thread. */
#include <string.h>

#include <kernel/log.h>
#include <kernel/printf.h>
#include <kernel/sync.h>
#include <kernel/thread.h>
#include <kernel/time.h>
#include <kernel/workload.h>
#include <mm/slab.h>

enum { WORKLOADS_MAX = 8 };

/* Row i runs program i of the table. */
struct instance {
	struct workload_env env;
	struct wait_queue nap;
	struct thread *thread; /* NULL: does not run */
	const struct workload *workload;
	uint64_t values[WORKLOAD_PARAMS_MAX];
	uint64_t started_us;
	bool stop;
};

static struct instance instances[WORKLOADS_MAX];
static struct mutex lock = MUTEX_INIT("workloads"); /* of starting and stopping */

static void env_sleep_us(struct workload_env *env, uint64_t us)
{
	struct instance *instance = env->context;

	wait_event_timeout(&instance->nap, instance->stop, us);
}

static bool env_should_stop(struct workload_env *env)
{
	return __atomic_load_n(&((struct instance *)env->context)->stop, __ATOMIC_RELAXED);
}

static uint64_t env_now_us(struct workload_env *env)
{
	(void)env;
	return time_now_us();
}

static uint64_t seed_of(const struct workload *workload, const uint64_t *values)
{
	for (int i = 0; workload->params[i].name != NULL; i++) {
		if (strcmp(workload->params[i].name, "seed") == 0)
			return values[i];
	}
	return 1;
}

static void instance_thread(void *argument)
{
	struct instance *instance = argument;

	instance->workload->run(&instance->env, instance->values);
	if (instance->env.corruptions > 0)
		pr_error("workload %s: %llu objects did not hold what was written to them",
			 instance->workload->name, (unsigned long long)instance->env.corruptions);
}

/* Index of the program, or -1 with the reason. */
static int find_row(const char *name, char *reason)
{
	struct text text = {reason, WORKLOAD_REASON_MAX, 0, 0};
	const struct workload *workload;

	for (int i = 0; (workload = workload_get((size_t)i)) != NULL && i < WORKLOADS_MAX; i++) {
		if (strcmp(workload->name, name) == 0)
			return i;
	}
	text_add(&text, "there is no workload '%.24s'; there are", name);
	for (size_t i = 0; (workload = workload_get(i)) != NULL; i++)
		text_add(&text, "%s %s", i > 0 ? "," : "", workload->name);
	return -1;
}

static bool launch(struct instance *instance, const struct workload *workload,
		   const uint64_t *values, char *reason)
{
	if (instance->thread != NULL) {
		ksnprintf(reason, WORKLOAD_REASON_MAX, "%s is running already", workload->name);
		return false;
	}
	memset(instance, 0, sizeof(*instance));
	instance->nap.lock.name = "workload nap";
	instance->workload = workload;
	memcpy(instance->values, values, sizeof(instance->values));
	instance->started_us = time_now_us();
	instance->env = (struct workload_env){
		.sleep_us = env_sleep_us,
		.should_stop = env_should_stop,
		.now_us = env_now_us,
		.random_state = seed_of(workload, values),
		.context = instance,
	};
	instance->thread = thread_create(workload->name, instance_thread, instance, THREAD_LOW);
	if (instance->thread == NULL)
		ksnprintf(reason, WORKLOAD_REASON_MAX, "no memory for the thread of %s",
			  workload->name);
	return instance->thread != NULL;
}

bool workload_start(const char *name, const uint64_t *values, char reason[WORKLOAD_REASON_MAX])
{
	int row = find_row(name, reason);
	bool started;

	if (row < 0)
		return false;
	mutex_lock(&lock);
	started = launch(&instances[row], workload_get((size_t)row), values, reason);
	mutex_unlock(&lock);
	return started;
}

bool workload_stop(const char *name, char reason[WORKLOAD_REASON_MAX])
{
	int row = find_row(name, reason);
	struct instance *instance = &instances[row >= 0 ? row : 0];

	if (row < 0)
		return false;
	mutex_lock(&lock);
	if (instance->thread == NULL) {
		mutex_unlock(&lock);
		ksnprintf(reason, WORKLOAD_REASON_MAX, "%s is not running", name);
		return false;
	}
	__atomic_store_n(&instance->stop, true, __ATOMIC_RELAXED);
	wake_all(&instance->nap);
	thread_join(instance->thread);
	/* Also what the allocator keeps idle for its next call. */
	mm_trim();
	instance->thread = NULL;
	mutex_unlock(&lock);
	return true;
}

/* "NAME" or "NAME:k=v:..", `len` bytes. */
static void start_entry(const char *entry, size_t len)
{
	char copy[256], reason[WORKLOAD_REASON_MAX], *colon;
	uint64_t values[WORKLOAD_PARAMS_MAX] = {0};
	int row;

	if (len >= sizeof(copy)) {
		pr_warn("workload=%.32s...: too long", entry);
		return;
	}
	memcpy(copy, entry, len);
	copy[len] = '\0';
	colon = strchr(copy, ':');
	if (colon != NULL)
		*colon++ = '\0';
	row = find_row(copy, reason);
	if (row < 0 || !workload_parse(workload_get((size_t)row), colon, values, reason) ||
	    !workload_start(copy, values, reason))
		pr_warn("workload not started: %s", reason);
	else
		pr_info("workload %s started", copy);
}

void workload_start_list(const char *list)
{
	while (*list != '\0') {
		const char *comma = strchr(list, ',');
		size_t len = comma != NULL ? (size_t)(comma - list) : strlen(list);

		if (len > 0)
			start_entry(list, len);
		list += len + (comma != NULL);
	}
}

bool workload_status(size_t index, struct workload_status *status)
{
	const struct workload *workload = workload_get(index);
	const struct instance *instance = &instances[index < WORKLOADS_MAX ? index : 0];

	if (workload == NULL || index >= WORKLOADS_MAX)
		return false;
	*status = (struct workload_status){
		.workload = workload,
		.running = instance->thread != NULL,
		.started_us = instance->started_us,
		.operations = instance->env.operations,
		.failures = instance->env.failures,
		.corruptions = instance->env.corruptions,
	};
	memcpy(status->values, instance->values, sizeof(status->values));
	return true;
}
