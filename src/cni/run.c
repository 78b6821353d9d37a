#include "cni/run.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cni/json.h"
#include "sys/exec.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

static const char *dirs_of(const char *dirs)
{
	if (*dirs)
		return dirs;
	return getenv("CNI_PATH") ?: CNI_DIRS;
}

static int find(const char *name, const char *dirs, char *ret, size_t size, struct err *e)
{
	_cleanup_(freep) char *copy = xstrdup(dirs);
	char *rest = copy, *dir;

	while ((dir = strsep(&rest, ":"))) {
		snprintf(ret, size, "%s/%s", dir, name);
		if (*dir && access(ret, X_OK) == 0)
			return 0;
	}
	return err_say(e, ENOENT,
		"there is no CNI plugin '%s' in %s (Debian: containernetworking-plugins)", name,
		dirs);
}

int cni_find_all(const struct cni_conf *conf, const char *dirs, struct err *e)
{
	char path[PATH_MAX];
	int r = 0;

	dirs = dirs_of(dirs);
	for (uint32_t i = 0; r == 0 && i < conf->n_plugins; i++) {
		const struct cni_plugin *p = &conf->plugin[i];

		r = find(p->type, dirs, path, sizeof(path), e);
		if (r == 0 && *p->ipam)
			r = find(p->ipam, dirs, path, sizeof(path), e);
	}
	return r;
}

static void append(json_t *list, json_t *v)
{
	if (!v || json_array_append_new(list, v) < 0)
		abort();
}

static json_t *port_mappings(const struct cni_runtime *rt)
{
	static const char *const proto[] = {"tcp", "udp"};
	json_t *list = json_array();

	for (uint32_t i = 0; i < 2 * rt->n_ports; i++)
		append(list, json_pack("{si si ss}", "hostPort", (int)(rt->port + i / 2),
				     "containerPort", (int)(rt->port + i / 2), "protocol",
				     proto[i % 2]));
	return list;
}

/* Bucket: 1 ms or two of the largest GSO packets, as the wire's shaper has it. Bits, all of it. */
static json_t *bandwidth(const struct cni_runtime *rt)
{
	json_int_t burst = (json_int_t)MAX(rt->rate_bps / 1000, (uint64_t)2 * 65550 * 8);
	json_int_t rate = (json_int_t)rt->rate_bps;

	return json_pack("{sI sI sI sI}", "ingressRate", rate, "ingressBurst", burst, "egressRate",
		rate, "egressBurst", burst);
}

static json_t *runtime_config(const struct cni_plugin *p, const struct cni_runtime *rt)
{
	json_t *c = json_object();

	if (p->port_mappings && rt->n_ports)
		json_put(c, "portMappings", port_mappings(rt));
	if (p->bandwidth && rt->rate_bps)
		json_put(c, "bandwidth", bandwidth(rt));
	/* host-local, too, but its addresses come from its own ranges. */
	if (p->ips && rt->ip && strcmp(p->ipam, "static") == 0)
		json_put(c, "ips", json_pack("[s]", rt->ip));
	return c;
}

/* Ref: CNI spec, section 4, "Deriving execution configuration from plugin configuration". */
static char *input(const struct cni_conf *conf, const struct cni_plugin *p,
	const struct cni_result *prev, const struct cni_runtime *rt)
{
	_cleanup_(json_freep) json_t *in = json_copy(p->json);
	json_t *runtime = runtime_config(p, rt);
	char *text;

	json_put(in, "name", json_string(conf->name));
	json_put(in, "cniVersion", json_string(conf->version));
	json_object_del(in, "capabilities");
	if (json_object_size(runtime))
		json_put(in, "runtimeConfig", json_incref(runtime));
	json_decref(runtime);
	if (prev->json)
		json_put(in, "prevResult", json_incref(prev->json));
	text = json_dumps(in, JSON_COMPACT);
	if (!text)
		abort();
	return text;
}

/* Plugins are written in Go; these are how its library calls EOPNOTSUPP and EPERM. */
static int errno_of(const char *words)
{
	if (strcasestr(words, "operation not supported"))
		return EOPNOTSUPP;
	return strcasestr(words, "operation not permitted") ? EPERM : EIO;
}

/* A failure in the plugin's words, if it has said any; else exec_run() has said what there is. */
static int failed(const struct exec_result *x, struct err *e)
{
	char words[400];

	if (cni_error_text(x->out, strlen(x->out), words, sizeof(words)))
		return err_say(e, errno_of(words), "%s", words);
	return -errno_of(x->error);
}

/* Administrators' programs (iptables) are not in every user's PATH. */
static char *path_env(void)
{
	return xasprintf("PATH=%s:/usr/sbin:/sbin", getenv("PATH") ?: "/usr/bin:/bin");
}

static int call(struct exec_result **ret, const char *command, const char *program,
	const char *stdin_text, const struct cni_runtime *rt, struct err *e)
{
	_cleanup_(freep) char *path = path_env();
	_cleanup_(freep) char *cmd = xasprintf("CNI_COMMAND=%s", command);
	_cleanup_(freep) char *id = xasprintf("CNI_CONTAINERID=%s", rt->container);
	_cleanup_(freep) char *netns = xasprintf("CNI_NETNS=%s", rt->netns);
	_cleanup_(freep) char *ifname = xasprintf("CNI_IFNAME=%s", rt->ifname);
	_cleanup_(freep) char *dirs = xasprintf("CNI_PATH=%s", dirs_of(rt->dirs));
	const struct exec_args args = {
		.argv = (const char *const[]){program, NULL},
		.env = (const char *const[]){path, cmd, id, netns, ifname, dirs, NULL},
		.input = stdin_text,
		.room = rt->room,
		.netns_fd = rt->host_fd,
		.timeout_ns = rt->timeout_ns,
		.cancel_fd = rt->cancel_fd,
	};
	int r = exec_run(ret, &args, e);

	return r == EXEC_FAILED ? failed(*ret, e) : r;
}

/* One command of one plugin. @next: result of an ADD; NULL: none is wanted */
static int run_one(const char *command, const struct cni_conf *conf, uint32_t i,
	const struct cni_result *prev, struct cni_result *next, const struct cni_runtime *rt,
	struct err *e)
{
	const struct cni_plugin *p = &conf->plugin[i];
	_cleanup_(freep) char *text = input(conf, p, prev, rt);
	_cleanup_(freep) struct exec_result *x = NULL;
	char program[PATH_MAX];
	int r = find(p->type, dirs_of(rt->dirs), program, sizeof(program), e);

	if (r == 0)
		r = call(&x, command, program, text, rt, e);
	if (r == 0 && next) {
		r = cni_result_parse(next, x->out, strlen(x->out), e);
		if (r < 0)
			(void)err_wrap(e, "what it printed is no result");
	}
	if (r < 0)
		(void)err_wrap(e, "CNI plugin '%s': %s", p->type, command);
	return r;
}

int cni_add(struct cni_result *ret, const struct cni_conf *conf, const struct cni_runtime *rt,
	struct err *e)
{
	*ret = (struct cni_result)CNI_RESULT_NONE;
	for (uint32_t i = 0; i < conf->n_plugins; i++) {
		struct cni_result next;
		int r = run_one("ADD", conf, i, ret, &next, rt, e);

		if (r < 0)
			return r;
		cni_result_fini(ret);
		*ret = next;
	}
	return 0;
}

int cni_check(const struct cni_result *prev, const struct cni_conf *conf,
	const struct cni_runtime *rt, struct err *e)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && conf->check && i < conf->n_plugins; i++)
		r = run_one("CHECK", conf, i, prev, NULL, rt, e);
	return r;
}

int cni_del(const struct cni_result *prev, const struct cni_conf *conf,
	const struct cni_runtime *rt, struct err *e)
{
	int first = 0;

	for (uint32_t i = conf->n_plugins; i-- > 0;) {
		int r = run_one("DEL", conf, i, prev, NULL, rt, first ? NULL : e);

		first = first ?: r;
	}
	return first;
}
