#include "base/cleanup.h"
#include "base/mem.h"
#include "cmd/charge_live.h"
#include "cmd/table.h"
#include "report/top.h"
#include "sys/signals.h"

#include <errno.h>
#include <string.h>

static const struct opt ask_opts[] = {
	OPT_U64(struct charge_ask, interval_ns, "interval", 'i', "<time>",
		"a table, or a line, of each such time", .unit = NUM_DURATION,
		.min = 10 * NSEC_PER_MSEC, .max = 3600 * NSEC_PER_SEC),
	OPT_U64(struct charge_ask, duration_ns, "duration", 't', "<time>",
		"end after this time; 0: when it is stopped", .unit = NUM_DURATION,
		.min = 10 * NSEC_PER_MSEC, .max = 30ULL * 24 * 3600 * NSEC_PER_SEC,
		.zero_ok = true),
	OPT_FLAG(struct charge_ask, once, "once", '1', "one interval, no totals"),
	OPT_ENUM(struct charge_ask, sort, "sort", 's', charge_sort_name,
		"containers by this; most comes first"),
	OPT_U32(struct charge_ask, top, "top", 'n', "<n>",
		"only so many containers; the sum is of all; 0: all", .min = 1, .max = 100000,
		.zero_ok = true),
	OPT_STR(struct charge_ask, container, "container", 0, "<list>",
		"tables of these only, parted by commas: names or patterns, kind:pattern, ids or "
		"cgroups, as in tare guard's rules; the sum is of all"),
	OPT_FLAG(struct charge_ask, active, "active", 0,
		"tables without containers that had nothing; the sum is of all"),
	OPT_FLAG(struct charge_ask, lines, "lines", 0,
		"tables one after the other on a terminal, too"),
	OPT_FLAG(struct charge_ask, json, "json", 'J',
		"one JSON document on stdout, written as intervals end, closed when it ends"),
	OPT_FLAG(struct charge_ask, json_stream, "json-stream", 0,
		"a JSON object in a line for each interval, and one of the totals"),
	OPT_FLAG(struct charge_ask, csv, "csv", 0, "lines of CSV"),
	OPT_STR(struct charge_ask, listen, "listen", 0, "<addr:port>",
		"serve the totals to Prometheus at http://ADDR:PORT/metrics; [ADDR]:PORT of IPv6; "
		"PORT alone: at 127.0.0.1"),
	OPT_FLAG(struct charge_ask, quiet, "quiet", 'q', "no progress on stderr"),
	OPT_END,
};

static void charge_groups(struct opt_group *ret, struct cmd_cfg *cfg)
{
	*ret++ = (struct opt_group){"Options", ask_opts, &cfg->charge_ask, .stored = false};
	*ret++ = (struct opt_group){"Whom to charge", charge_opts, &cfg->charge, .stored = true};
	*ret = (struct opt_group){0};
}

static void charge_defaults(struct cmd_cfg *cfg)
{
	cfg->charge = charge_words_default;
	cfg->charge_ask.interval_ns = NSEC_PER_SEC;
}

static int check(const struct charge_ask *a, struct err *e)
{
	char ip[SOCK_ADDR_LEN];
	uint16_t port;

	if (*a->listen && http_addr(a->listen, ip, &port, e) < 0)
		return err_wrap(e, "--listen");
	if (a->json + a->json_stream + a->csv > 1)
		return err_say(e, EINVAL, "--json, --json-stream and --csv exclude each other");
	if (a->once && a->duration_ns)
		return err_say(e, EINVAL, "--once and --duration exclude each other");
	return 0;
}

static const struct charge_output *output_of(const struct charge_ask *a)
{
	if (a->json)
		return &charge_output_json;
	if (a->json_stream)
		return &charge_output_stream;
	if (a->csv)
		return &charge_output_csv;
	return a->once || a->lines || !top_possible() ? &charge_output_text : &charge_output_screen;
}

/* A rule without a policy. */
static int add_who(struct guard_rules *who, const char *word, struct err *e)
{
	_cleanup_(freep) char *line = xasprintf("%s:%s", word, guard_policy_name[GUARD_OBSERVE]);

	return *word ? guard_rules_add(who, line, e) : err_say(e, EINVAL, "a name is empty");
}

static int read_who(struct live *l, struct err *e)
{
	_cleanup_(freep) char *list = xstrdup(l->ask->container);
	char *rest = *list ? list : NULL, *word;

	while ((word = strsep(&rest, ",")))
		if (add_who(&l->who, word, e) < 0)
			return err_wrap(e, "--container");
	l->view.who = l->who.n ? &l->who : NULL;
	return 0;
}

static void live_free(struct live *l)
{
	guard_rules_fini(&l->who);
	screen_close(l->screen);
	metrics_close(l->metrics);
	charge_close(l->charge);
	bill_fini(&l->run.total);
	closep(&l->signal_fd);
	free(l);
}
DEFINE_CLEANUP(struct live *, live_free, live_freep)

static struct live *live_new(const struct cmd_cfg *cfg)
{
	const struct charge_ask *a = &cfg->charge_ask;
	struct live *l = xcalloc(1, sizeof(*l));

	l->ask = a;
	l->output = output_of(a);
	l->view = (struct charge_view){.sort = a->sort,
		.top = a->top,
		.active = a->active,
		.per_cpu = cfg->charge.per_cpu};
	l->interval_ns = a->interval_ns;
	l->run.words = cfg->charge;
	l->run.interval_ns = a->interval_ns;
	l->run.duration_ns = a->once ? a->interval_ns : a->duration_ns;
	l->signal_fd = -1;
	return l;
}

/* Names that are not there are the user's; all else is what the machine, or its owner, refuses. */
static enum exit_code open_failed(int r)
{
	return r == -ENOENT || r == -EINVAL || r == -EEXIST ? EXIT_USAGE : EXIT_ENVIRONMENT;
}

static int total(void *ctx, struct bill *ret, struct err *e)
{
	(void)e;
	charge_total(ctx, ret);
	return 0;
}

/* Return: 0, HTTP_UNAVAILABLE or negative errno. */
static int serve(struct live *l, struct err *e)
{
	char url[128];
	int r = *l->ask->listen ? metrics_open(&l->metrics, l->ask->listen, total, l->charge, e)
				: 0;

	if (r != 0 || !l->metrics || l->ask->quiet)
		return r;
	metrics_url(l->metrics, url, sizeof(url));
	fprintf(stderr, "tare: charge serves %s\n", url);
	return 0;
}

/* Signals first, so that none ends it while the terminal is not as it was. */
static int open_all(struct live *l, struct charge_asked *asked, struct err *e)
{
	int r = l->signal_fd = signals_open(e);

	/* A key shows each CPU's share later. */
	asked->cfg.per_cpu |= l->output == &charge_output_screen;
	if (r >= 0)
		r = charge_open(&l->charge, &asked->cfg, e);
	if (r == 0)
		r = serve(l, e);
	if (r != 0)
		return r;
	l->run.kernel = *charge_kernel(l->charge);
	if (l->output != &charge_output_screen)
		return 0;
	l->screen = screen_open();
	if (!l->screen)
		l->output = &charge_output_text;
	return 0;
}

static int charge_command(struct cmd_cfg *cfg, int argc, char **argv, char **args, int n_args)
{
	_cleanup_(freep) struct charge_asked *asked = xcalloc(1, sizeof(*asked));
	_cleanup_(live_freep) struct live *l = NULL;
	struct err e = {0};
	int r;

	(void)argc;
	(void)argv;
	(void)args;
	(void)n_args;
	if (check(&cfg->charge_ask, &e) < 0 || charge_ask(asked, &cfg->charge, &e) < 0)
		return cmd_fail(EXIT_USAGE, "charge: %s", e.text);
	l = live_new(cfg);
	if (read_who(l, &e) < 0)
		return cmd_fail(EXIT_USAGE, "charge: %s", e.text);
	r = open_all(l, asked, &e);
	if (r != 0)
		return cmd_fail(open_failed(r), "charge: %s", e.text);
	r = charge_loop(l, &e);
	screen_close(take_ptr(l->screen));
	l->output->end(l);
	if (r < 0)
		return cmd_fail(EXIT_RUN, "charge: %s", e.text);
	r = cmd_finish();
	return r == EXIT_DONE && !l->run.complete ? EXIT_RUN : r;
}

const struct command command_charge = {
	.name = "charge",
	.summary = "who has how much CPU, softirqs done for it included",
	.args = "",
	.description =
		"Bills the time of network softirqs to the containers they work for, "
		"whoever's time the kernel took for them, and shows it beside the CPU time "
		"of each container's processes. On a terminal the table is drawn anew each "
		"interval; elsewhere, and with --lines, tables follow each other. What is "
		"left when it ends, by --duration, by key or by Ctrl-C, are the totals, with "
		"containers that are gone.\n"
		"\n"
		"Containers of Docker, podman, containerd and CRI-O, pods of Kubernetes, "
		"tare's own and other network namespaces with processes are found while it "
		"runs. A name begins with + when it is new, with - when it is gone. Columns, "
		"in per cent of one CPU:\n"
		"\n"
		"proc: CPU time of its processes as the scheduler counts it; the host's is "
		"that of all that no container has. rx, tx, other: softirqs for it that "
		"receive, that transmit, and timers and tasklets that transmit. own: part of "
		"these that ran in a context of its own processes and is in proc already. "
		"gained: softirqs for others in its processes' contexts, in its proc, too. "
		"ksoft: part of rx and tx in ksoftirqd. total: proc - gained + rx + tx + "
		"other - own, and NAPI threads for it: what it costs the machine. pkts/s, ns/pkt: "
		"packets received and sent at each device in its namespace, and rx and tx by "
		"these.\n"
		"\n"
		"host: its own packets, and packets that went to no container. overhead: "
		"softirqs without a packet. Neither is spread. The sum is of all rows; under "
		"it is what the CPUs spent in network softirqs, and which part of that the "
		"rows add up to. What a terminal is too narrow for is left out, and said; the "
		"total and what is gained stay to the last.\n"
		"\n"
		"With --listen the totals since the start are served as OpenMetrics, read when "
		"they are asked for. Everybody who can connect can read them: there are no "
		"passwords.\n"
		"\n"
		"Keys: t, n, p, l, a sort by total, softirqs, packets, gained, name; 1 shows "
		"each CPU's share; i leaves out who had nothing, as the totals after the live "
		"table do; arrows, Page Up, Page Down and Home move to containers that there "
		"is no room for; + and - change the interval; space pauses the drawing; "
		"Ctrl-L draws all of it anew; q ends it.\n"
		"\n"
		"Needs root: CAP_BPF, CAP_PERFMON, and the kernel's BTF.",
	.examples = {"tare charge\na live table; q ends it with the totals",
		"tare charge --once --sort gained --top 10\nwho lost most to others, in a second",
		"tare charge --container 'web-*,kube-system/*'\nonly these, live",
		"tare charge --duration 1m --json > bill.json\na minute as a document",
		"tare charge --only --cgroup /sys/fs/cgroup/system.slice/nginx.service "
		"--json-stream\none service, a line a second",
		"tare charge --listen 9464 > /dev/null\nfor Prometheus on the same machine"},
	.defaults = charge_defaults,
	.groups = charge_groups,
	.run = charge_command,
};
