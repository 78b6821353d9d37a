/*
 * Docker's networks, made by the user's own daemon: containers, a network and an image with names
 * of ours, which the janitor takes away. The daemon's bridges are on the real machine, so the peer
 * is joined to that by a veth pair, which goes with the peer's namespace.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "path/engine.h"
#include "path/lab.h"
#include "path/table.h"
#include "sys/exec.h"
#include "sys/janitor.h"
#include "sys/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* A daemon that is asked how it is answers at once, or is down. */
#define DOCKER_INFO_NS (5 * NSEC_PER_SEC)
/* Each published port is a program, docker-proxy, that takes 0.1 s to start. */
#define DOCKER_N_PORTS 8
#define DOCKER_PID_AND_ADDR                                                                        \
	"{{.State.Pid}} "                                                                          \
	"{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"

struct docker {
	struct room *room; /* for files */
	struct janitor *janitor;
	struct rt *host;
	char name[24]; /* of all that we make there */
	char peer_addr[24], host_addr[24];
	struct engine_container box[LAB_N_PODS];
	char box_name[LAB_N_PODS][48];
};

static int docker_check(const struct path_spec *spec, struct err *e)
{
	bool host = strcmp(spec->arg, "host") == 0;

	if (*spec->arg && !host && strcmp(spec->arg, "bridge") != 0)
		return err_say(e, EINVAL, "path 'docker' has no network '%s', but bridge and host",
			spec->arg);
	if (spec->cfg.ipv6)
		return err_say(e, EINVAL, "path 'docker' has no IPv6: its daemon sets that");
	if (spec->cfg.wire_rate_bps)
		return err_say(e, EINVAL,
			"--wire-rate shapes the wire, which path 'docker' "
			"does not cross");
	if (host && spec->cfg.between == PATH_BETWEEN_PODS)
		return err_say(e, EINVAL,
			"docker:host is this machine's own network: it can't "
			"have both ends in pods");
	return 0;
}

/* Return: 0, EXEC_FAILED or negative errno. @ret: what it has printed, or NULL */
static int docker_run(const char *const *words, int cancel_fd, uint64_t timeout_ns, char *ret,
	size_t size, struct err *e)
{
	_cleanup_(freep) struct exec_result *x = NULL;
	int r = exec_run(&x,
		&(struct exec_args){
			.argv = words,
			.netns_fd = -1,
			.timeout_ns = timeout_ns,
			.cancel_fd = cancel_fd,
		},
		e);

	if (r == 0 && ret)
		(void)str_copy(ret, size, x->out);
	return r;
}

static int docker_do(const struct path *p, const char *const *words, char *ret, size_t size,
	struct err *e)
{
	struct err why = {0};
	int r = docker_run(words, p->cancel_fd, ENGINE_TIMEOUT_NS, ret, size, &why);

	if (r == EXEC_FAILED)
		return err_say(e, EIO, "%s %s: %s", words[0], words[1], why.text);
	if (r < 0 && e)
		*e = why;
	return r;
}
#define DOCKER(p, e, ...)                                                                          \
	docker_do(p, (const char *const[]){"docker", __VA_ARGS__, NULL}, NULL, 0, e)

static int docker_probe(const struct path_spec *spec, struct err *e)
{
	static const char *const info[] = {"docker", "info", "--format", "{{.ServerVersion}}",
		NULL};
	struct err why = {0};
	int r = engine_reachable(e);

	(void)spec;
	if (r < 0)
		return r;
	if (!exec_find("docker", NULL, 0)) {
		(void)err_say(e, ENOENT, "there is no program docker (Debian: package docker.io)");
		return PATH_UNAVAILABLE;
	}
	if (docker_run(info, -1, DOCKER_INFO_NS, NULL, 0, &why) == 0)
		return 0;
	(void)err_say(e, ENOTCONN, "no docker daemon answers: %s", why.text);
	return PATH_UNAVAILABLE;
}

/* The last that is noted is done first. */
static int note_all(struct docker *s, bool network, struct err *e)
{
	const char *const image[] = {"docker", "rmi", "--force", s->name, NULL};
	const char *const net[] = {"docker", "network", "rm", s->name, NULL};
	const char *const box[] = {"docker", "rm", "--force", "--volumes", s->box_name[0],
		s->box_name[1], NULL};
	int r = janitor_note_command(s->janitor, image, e);

	if (r == 0 && network)
		r = janitor_note_command(s->janitor, net, e);
	return r < 0 ? r : janitor_note_command(s->janitor, box, e);
}

static int import_image(const struct path *p, struct err *e)
{
	const struct docker *s = p->state;
	char dir[PATH_MAX], tar[PATH_MAX];
	int r;

	room_path(s->room, ROOM_DIR "/rootfs", dir, sizeof(dir));
	room_path(s->room, ROOM_DIR "/image.tar", tar, sizeof(tar));
	r = rootfs_of_self(dir, 0, 0, e);
	if (r == 0)
		r = docker_do(p, (const char *const[]){"tar", "-C", dir, "-cf", tar, ".", NULL},
			NULL, 0, e);
	return r < 0 ? r
		     : DOCKER(p, e, "import", "--change", "ENV LD_LIBRARY_PATH=/lib", tar, s->name);
}

static int open_all(struct path *p, struct err *e)
{
	struct docker *s = p->state;
	bool bridge = strcmp(p->spec.arg, "bridge") == 0;
	char mtu[64];
	int r = room_open(&s->room, e);

	if (r < 0)
		return r;
	snprintf(s->name, sizeof(s->name), "tare-%d", s->room->pid);
	for (uint32_t i = 0; i < LAB_N_PODS; i++)
		snprintf(s->box_name[i], sizeof(s->box_name[i]), "%s-%s", s->name, s->box[i].name);
	r = janitor_start(&s->janitor, e);
	if (r == 0)
		r = note_all(s, bridge, e);
	if (r == 0)
		r = import_image(p, e);
	if (r < 0 || !bridge)
		return r;
	snprintf(mtu, sizeof(mtu), "com.docker.network.driver.mtu=%u", p->cfg.mtu);
	return DOCKER(p, e, "network", "create", "--opt", mtu, s->name);
}

static int address(struct rt *rt, const char *dev, const char *addr, struct err *e)
{
	char prefix[32];
	int r = rt_set_up(rt, dev, e);

	snprintf(prefix, sizeof(prefix), "%s/30", addr);
	return r < 0 ? r : rt_addr_add(rt, dev, prefix, e);
}

/*
 *	peer (eth1) ---- (tare-<n>) this machine
 *
 * A subnet of its own for each: runs may go on side by side. Ref: RFC 2544 (198.18/15).
 */
static int join_peer(struct path *p, struct err *e)
{
	struct docker *s = p->state;
	_cleanup_(closep) int here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	unsigned int n = (unsigned int)s->room->pid % (1 << 14) * 4;
	char dev[16];
	int r;

	if (here < 0)
		return err_set(e, errno, "cannot open the machine's network namespace");
	snprintf(dev, sizeof(dev), "%.15s", s->name);
	snprintf(s->peer_addr, sizeof(s->peer_addr), "198.19.%u.%u", n >> 8, (n & 255) + 1);
	snprintf(s->host_addr, sizeof(s->host_addr), "198.19.%u.%u", n >> 8, (n & 255) + 2);
	r = rt_open_here(&s->host, e);
	if (r == 0)
		r = rt_veth_add(p->lab->peer, "eth1", dev, here, p->cfg.mtu, e);
	if (r == 0)
		r = address(p->lab->peer, "eth1", s->peer_addr, e);
	return r < 0 ? r : address(s->host, dev, s->host_addr, e);
}

static int run_container(struct path *p, uint32_t i, bool published, struct err *e)
{
	struct docker *s = p->state;
	struct path_end *end = i ? &p->near : &p->far;
	bool host = strcmp(p->spec.arg, "host") == 0;
	struct engine_words w = {0};
	char ports[2][64], text[128];
	pid_t pid = 0;
	int r;

	for (uint32_t k = 0; k < 2; k++)
		snprintf(ports[k], sizeof(ports[k]), "%u-%u:%u-%u/%s", end->port,
			end->port + DOCKER_N_PORTS - 1, end->port, end->port + DOCKER_N_PORTS - 1,
			k ? "udp" : "tcp");
	ENGINE_ADD(&w, "docker", "run", "--detach", "--rm", "--name", s->box_name[i], "--label",
		"tare", "--cap-add", "NET_ADMIN", "--network", host ? "host" : s->name);
	if (published)
		ENGINE_ADD(&w, "--publish", ports[0], "--publish", ports[1]);
	ENGINE_ADD(&w, s->name, ROOTFS_EXE, "agent", "--listen", s->box[i].socket);
	r = docker_do(p, w.word, NULL, 0, e);
	if (r == 0)
		r = docker_do(p,
			(const char *const[]){"docker", "inspect", "--format", DOCKER_PID_AND_ADDR,
				s->box_name[i], NULL},
			text, sizeof(text), e);
	if (r < 0)
		return r;
	if (sscanf(text, "%d %45s", &pid, end->addr) < 1 || pid <= 0)
		return err_say(e, EPROTO, "docker inspect says '%.40s'", text);
	r = engine_enter(&s->box[i], "/proc", pid, p->cancel_fd, e);
	if (r == 0)
		engine_at_end(end, &s->box[i]);
	return r;
}

static int docker_build(struct path *p, struct err *e)
{
	struct docker *s = p->state = xcalloc(1, sizeof(*s));
	bool bridge = strcmp(p->spec.arg, "bridge") == 0;
	bool machines = p->lab->n_pods == 1;
	int r;

	for (uint32_t i = 0; i < LAB_N_PODS; i++)
		engine_name(&s->box[i], i);
	lab_ends(p, p->lab->addrs->bridged_addr);
	p->n_hops = 0;
	r = open_all(p, e);
	if (r == 0 && machines)
		r = join_peer(p, e);
	for (uint32_t i = 0; r == 0 && i < p->lab->n_pods; i++)
		r = run_container(p, i, bridge && machines, e);
	if (r < 0 || !machines)
		return r;
	str_set(p->near.dev, "eth1");
	str_set(p->near.addr, s->peer_addr);
	str_set(p->far.addr, s->host_addr);
	if (!bridge)
		snprintf(p->far.dev, sizeof(p->far.dev), "%.15s", s->name);
	if (bridge)
		path_note(p, "%d ports are published, each by a docker-proxy as well",
			DOCKER_N_PORTS);
	return 0;
}

static void docker_close(struct path *p)
{
	struct docker *s = p->state;

	for (uint32_t i = 0; i < LAB_N_PODS; i++)
		engine_leave(&s->box[i]);
	rt_close(s->host);
	room_close(s->room);
	janitor_finish(s->janitor);
	free(s);
}

const struct path_ops path_docker = {
	.name = "docker",
	.summary = "docker's container, by the daemon that runs here: bridge or host network",
	.hops = "peer, veth pair, this machine (docker's rules), container",
	.crosses = "nf_conntrack_in, nf_nat_ipv4_pre_routing, br_forward, veth_xmit; seccomp",
	.needs = "a running docker daemon",
	.arg = "<network>",
	.set = PATH_SET_GIVEN,
	.pods_ok = true,
	.check = docker_check,
	.probe = docker_probe,
	.build = docker_build,
	.close = docker_close,
};
