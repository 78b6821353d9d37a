#include "guest/init.h"

#include "base/clock.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "guest/boot.h"
#include "guest/command.h"
#include "guest/net.h"
#include "guest/watch.h"
#include "path/guest_link.h"
#include "path/lab.h"
#include "sys/file.h"
#include "sys/ping.h"
#include "sys/spawn.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#define TOKEN_NS (10 * NSEC_PER_SEC)
#define PING_NS  (10 * NSEC_PER_SEC)
#define SAY_NS   (10 * NSEC_PER_SEC)
/* The host may be silent for as long as its user lets a run take. */
#define IDLE_NS (365ULL * 24 * 3600 * NSEC_PER_SEC)

struct guest {
	struct guest_cfg cfg;
	struct guest_link ctl;
	int agent_fd; /* the port; each agent inherits it */
	int pod_fd;   /* network namespace; -1: agents run in the guest's own */
};

static int read_cfg(struct guest_cfg *cfg, struct err *e)
{
	char pairs[GUEST_CFG_LEN];
	int r = file_read("/" GUEST_CFG, pairs, sizeof(pairs), e);

	return r < 0 ? r : opt_set_pairs(guest_opts, cfg, pairs, e);
}

/* Up to here the host can't hear us. */
static int start(struct guest *g, struct err *e)
{
	int r = boot_mount(e);

	if (r == 0)
		r = read_cfg(&g->cfg, e);
	if (r == 0)
		r = lab_quiet_ipv6(-1, g->cfg.ipv6, e);
	if (r == 0)
		r = boot_modules(e);
	if (r < 0)
		return r;
	g->ctl.fd = boot_port(GUEST_PORT_CTL, e);
	if (g->ctl.fd < 0)
		return g->ctl.fd;
	g->agent_fd = boot_port(GUEST_PORT_AGENT, e);
	return MIN(g->agent_fd, 0);
}

static int say(struct guest *g, const char *line)
{
	return guest_say(&g->ctl, line, clock_now_ns() + SAY_NS);
}

static int say_result(struct guest *g, int r, const char *good, const struct err *e)
{
	_cleanup_(freep) char *line =
		r < 0 ? xasprintf("%s %s", r == -EOPNOTSUPP ? "lacks" : "error", e->text)
		      : xstrdup(good);

	return say(g, line);
}

static int fork_agent(struct guest *g, struct err *e)
{
	struct spawn_args args = {
		.netns_fd = g->pod_fd,
		.container = g->cfg.pod,
		.main = watch_agent,
	};
	pid_t pid = spawn_agent_on(g->agent_fd, &args, e);

	return MIN(pid, 0);
}

static int renew_agent(struct guest *g, const char *token, struct err *e)
{
	int r = guest_token_await(g->agent_fd, token, clock_now_ns() + TOKEN_NS);

	if (r == 0)
		r = guest_token_write(g->agent_fd, token, clock_now_ns() + TOKEN_NS);
	return r < 0 ? err_set(e, -r, "the agent's port") : fork_agent(g, e);
}

/* Return: 0, or negative when the host is gone or wants us gone. */
static int serve(struct guest *g, const char *line)
{
	struct err e = {0};
	int r;

	if (strncmp(line, "agent ", 6) == 0) {
		boot_kill_all();
		r = say(g, "dead");
		return r < 0 ? r : say_result(g, renew_agent(g, line + 6, &e), "ok", &e);
	}
	if (strncmp(line, "ping ", 5) == 0) {
		r = ping(g->pod_fd, line + 5, clock_now_ns() + PING_NS, &e);
		return say_result(g, r, "ok", &e);
	}
	return strcmp(line, "quit") == 0 ? -ECANCELED : say(g, "error unknown request");
}

static void serve_host(struct guest *g)
{
	struct err e = {0};
	char line[sizeof(g->ctl.buf)];
	int r = guest_net_up(&g->cfg, &g->pod_fd, &e);

	if (say_result(g, r, "ready", &e) < 0 || r < 0)
		return;
	while (guest_hear(&g->ctl, line, sizeof(line), clock_now_ns() + IDLE_NS) == 0)
		if (serve(g, line) < 0)
			return;
}

_Noreturn void guest_main(void)
{
	struct guest g = {.ctl.fd = -1, .agent_fd = -1, .pod_fd = -1};
	struct err e = {0};

	signal(SIGPIPE, SIG_IGN);
	if (access("/" COMMAND_FILE, F_OK) == 0)
		command_main();
	if (start(&g, &e) == 0)
		serve_host(&g);
	else
		dprintf(STDERR_FILENO, "tare: %s\n", e.text);
	boot_power_off();
}
