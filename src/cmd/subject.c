/* What frames go through: a path that is built here, two ports of this machine, or a model. */
#include "base/str.h"
#include "bench/bench.h"
#include "cmd/table.h"
#include "method/subject.h"

#include <errno.h>
#include <string.h>

#define MODEL "model"

const struct opt subject_opts[] = {
	OPT_STR(struct sut_ask, sut, "sut", 0, "model:<options>",
		"a simulated one instead, that takes no time: model:rate=1M,queue=1000"),
	OPT_STR(struct sut_ask, path, "path", 'p', "<path>",
		"the path between the tester's ports, with its own options if wanted"),
	OPT_STR(struct sut_ask, ports, "ports", 0, "<dev>,<dev>",
		"two devices of this namespace instead, with something between them"),
	OPT_STR(struct sut_ask, addr, "port-addr", 0, "<ip>,<ip>",
		"addresses of the tester at the ports; none: 198.18.0.2 and 198.19.0.2"),
	OPT_STR(struct sut_ask, gateway, "port-gateway", 0, "<ip>,<ip>",
		"addresses of the device under test at the ports, when it routes"),
	OPT_END,
};
const struct opt *const subject_port_opts = &subject_opts[1]; /* all but the first */

/* "a,b" or "". */
static int split_pair(const char *option, const char *text, char (*ret)[46], struct err *e)
{
	const char *comma = strchr(text, ',');

	if (!*text)
		return 0;
	if (!comma || comma - text > 45 || strlen(comma + 1) > 45 || strchr(comma + 1, ','))
		return err_say(e, EINVAL, "--%s: '%s' is not two addresses with a comma", option,
			text);
	snprintf(ret[0], 46, "%.*s", (int)(comma - text), text);
	snprintf(ret[1], 46, "%s", comma + 1);
	return 0;
}

static int parse_model(struct sut_cfg *ret, const char *text, struct err *e)
{
	size_t n = strlen(MODEL);
	int r;

	if (strncmp(text, MODEL, n) != 0 || (text[n] && text[n] != ':'))
		return err_say(e, EINVAL, "--sut: '%s' is not model:<options>", text);
	r = sut_parse(ret, text[n] ? text + n + 1 : "", e);
	return r < 0 ? err_wrap(e, "--sut") : 0;
}

static int parse_ports(struct subject_ports *ret, const struct sut_ask *ask, struct err *e)
{
	int r;

	*ret = (struct subject_ports){0};
	str_set(ret->ports, ask->ports);
	r = split_pair("port-addr", ask->addr, ret->addr, e);
	return r < 0 ? r : split_pair("port-gateway", ask->gateway, ret->gateway, e);
}

static int parse_path(struct path_spec *ret, const struct cmd_cfg *cfg, struct err *e)
{
	int r = path_parse(ret, cfg->subject.path, &cfg->path, e);

	return r < 0 ? r : path_check(ret, e);
}

int subject_check_tester(const struct tester_cfg *t, struct err *e)
{
	if (strcmp(t->tx, "auto") != 0 && !frame_tx_find(t->tx))
		return err_say(e, EINVAL, "unknown sender '%s' (see tare list)", t->tx);
	if (strcmp(t->rx, "auto") != 0 && !frame_rx_find(t->rx))
		return err_say(e, EINVAL, "unknown receiver '%s' (see tare list)", t->rx);
	return 0;
}

int subject_ask_check(const struct cmd_cfg *cfg, bool *ret_ipv6, struct err *e)
{
	const struct sut_ask *ask = &cfg->subject;
	struct subject_ports ports;
	struct path_spec spec;
	struct sut_cfg sut;
	int r = subject_check_tester(&cfg->tester, e);

	if (r < 0)
		return r;
	*ret_ipv6 = cfg->path.ipv6;
	if (!!*ask->path + !!*ask->ports + !!*ask->sut != 1)
		return err_say(e, EINVAL,
			"name what is between the ports: --path (see tare list)%s",
			cfg->command == &command_frames ? ", or --ports" : ", --ports or --sut");
	if ((*ask->addr || *ask->gateway) && !*ask->ports)
		return err_say(e, EINVAL, "--port-addr and --port-gateway belong to --ports");
	if (*ask->sut)
		return parse_model(&sut, ask->sut, e);
	if (*ask->ports)
		return parse_ports(&ports, ask, e);
	r = parse_path(&spec, cfg, e);
	if (r == 0)
		*ret_ipv6 = spec.cfg.ipv6;
	return r;
}

static int open_it(struct subject **ret, const struct cmd_cfg *cfg, int cancel_fd, struct err *e)
{
	const struct sut_ask *ask = &cfg->subject;
	struct subject_ports ports;
	struct path_spec spec;
	struct sut_cfg sut;
	bool rootless;
	int r;

	if (*ask->sut) {
		r = parse_model(&sut, ask->sut, e);
		return r < 0 ? r : subject_model(ret, &sut, e);
	}
	if (*ask->ports) {
		r = parse_ports(&ports, ask, e);
		return r < 0 ? r
			     : subject_of_ports(ret, &ports, cfg->path.ipv6, &cfg->tester,
				       cancel_fd, e);
	}
	r = parse_path(&spec, cfg, e);
	if (r == 0)
		r = bench_privilege(&rootless, e);
	if (r == 0 && spec.ops->real_root)
		r = bench_others(rootless, e);
	return r == 0 ? subject_path(ret, &spec, &cfg->tester, cancel_fd, e) : r;
}

int subject_resources_check(struct cmd_cfg *cfg, struct err *e)
{
	resources_to_path(&cfg->resources, &cfg->path);
	if (*cfg->subject.sut && resources_are_real(&cfg->resources))
		return err_say(e, EINVAL,
			"a model takes no CPU, memory or device: of resources, it has --rebuild "
			"and --repeat");
	return resources_check(&cfg->resources, e);
}

int subject_ask_open(struct subject **ret, const struct cmd_cfg *cfg, int cancel_fd, struct err *e)
{
	_cleanup_(resources_closep) struct resources *x = NULL;
	_cleanup_(subject_closep) struct subject *s = NULL; /* is closed first */
	int r = resources_open(&x, &cfg->resources, e);

	if (r == 0)
		r = open_it(&s, cfg, cancel_fd, e);
	if (r == 0 && cfg->resources.rebuild && !s->ops->rebuild)
		r = err_say(e, EOPNOTSUPP, "--rebuild: '%s' is not built here", s->name);
	if (r == 0)
		r = subject_place(s, take_ptr(x), e);
	if (r == 0)
		*ret = take_ptr(s);
	return r;
}

struct opt_group *subject_groups(struct opt_group *ret, struct cmd_cfg *cfg)
{
	*ret++ = (struct opt_group){"Tester", tester_opts, &cfg->tester, .stored = true};
	*ret++ = (struct opt_group){"Resources", resources_opts, &cfg->resources, .stored = true};
	*ret++ = (struct opt_group){"Paths", path_opts, &cfg->path, .stored = false};
	for (size_t i = 0; path_table[i]; i++)
		if (path_brings_opts(i))
			*ret++ = (struct opt_group){path_table[i]->opts_title, path_table[i]->opts,
				&cfg->path, .stored = false};
	return ret;
}
