/*
 * Podman's networks, by podman itself: an engine of tare's own, whose storage, sockets and
 * processes live in a room and whose bridges, rules and containers live on the lab's host. The
 * user's engine, images and networks are not touched.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "path/engine.h"
#include "path/lab.h"
#include "path/table.h"
#include "sys/cgroup.h"
#include "sys/exec.h"
#include "sys/file.h"
#include "sys/rootfs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define PODMAN_DIR    ROOM_DIR "/engine"
#define PODMAN_ROOTFS PODMAN_DIR "/rootfs"
#define PODMAN_CONFIG PODMAN_DIR "/containers.conf"

struct podman {
	struct room *room;
	struct janitor *janitor;
	const struct podman_net *net;
	struct engine_container box[LAB_N_PODS];
	char cgroup[96];
	char nofile[64], nproc[64]; /* "--ulimit" of the containers */
};

/* The networks of the private engine. */
static const struct podman_net {
	const char *name;
	const char *driver;  /* of the network that is created for it; NULL: none is */
	const char *refusal; /* why it can't be measured */
	bool published;      /* the peer knows only the host's address */
} podman_net[] = {
	{"bridge", .driver = "bridge", .published = true},
	{"macvlan", .driver = "macvlan"},
	{"host"},
	{"none", .refusal = "a container without a network has nothing to measure"},
};

static const struct podman_net *find_net(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(podman_net); i++)
		if (strcmp(podman_net[i].name, name) == 0)
			return &podman_net[i];
	return NULL;
}

static int podman_check(const struct path_spec *spec, struct err *e)
{
	const struct podman_net *net = find_net(spec->arg);

	if (!*spec->arg) /* podman as such */
		return 0;
	if (!net)
		return err_say(e, EINVAL,
			"path 'podman' has no network '%s', but bridge, macvlan and host",
			spec->arg);
	if (net->refusal)
		return err_say(e, EINVAL, "podman:%s: %s", spec->arg, net->refusal);
	return 0;
}

static int podman_probe(const struct path_spec *spec, struct err *e)
{
	static const struct {
		const char *program, *package;
	} need[] = {{"podman", "podman"}, {"runc", "runc"}, {"conmon", "conmon"}};

	(void)spec;
	for (size_t i = 0; i < ARRAY_SIZE(need); i++)
		if (!exec_find(need[i].program, NULL, 0)) {
			(void)err_say(e, ENOENT, "there is no program %s (Debian: package %s)",
				need[i].program, need[i].package);
			return PATH_UNAVAILABLE;
		}
	return 0;
}

/* Runs podman in the room with these arguments behind its own. */
static int podman(const struct path *p, const char *const *words, struct err *e)
{
	static const char *const env[] = {"CONTAINERS_CONF=" PODMAN_CONFIG,
		"XDG_RUNTIME_DIR=" PODMAN_DIR, NULL};
	const struct podman *s = p->state;
	_cleanup_(freep) struct exec_result *x = NULL;
	struct engine_words w = {0};
	int r;

	ENGINE_ADD(&w, "podman", "--root", PODMAN_DIR "/storage", "--runroot", PODMAN_DIR "/run",
		"--tmpdir", PODMAN_DIR "/tmp", "--network-config-dir", PODMAN_DIR "/networks",
		"--storage-driver", "vfs", "--runtime", "runc", "--cgroup-manager", "cgroupfs",
		"--events-backend", "none");
	engine_add(&w, words);
	r = exec_run(&x,
		&(struct exec_args){
			.argv = w.word,
			.env = env,
			.room = s->room,
			.netns_fd = p->lab->host_fd,
			.timeout_ns = ENGINE_TIMEOUT_NS,
			.cancel_fd = p->cancel_fd,
		},
		e);
	return r == EXEC_FAILED
		       ? err_say(e, EIO, "podman %s failed: %.300s", words[0], strdupa(e->text))
		       : r;
}

/*
 * Nothing of the machine's configuration counts. Locks are files: the others would be in /dev/shm,
 * under one name for all engines of the machine.
 */
static int write_config(const struct podman *s, struct err *e)
{
	_cleanup_(fclosep) FILE *f = NULL;
	char path[PATH_MAX];

	room_path(s->room, PODMAN_CONFIG, path, sizeof(path));
	f = fopen(path, "we");
	if (!f || fputs("[engine]\nlock_type = \"file\"\n", f) < 0 || fflush(f) != 0)
		return err_set(e, errno, "cannot write %s", path);
	return 0;
}

static int open_room(struct podman *s, struct err *e)
{
	char dir[PATH_MAX];
	int r = janitor_start(&s->janitor, e);

	if (r == 0)
		r = cgroup_note_trees(s->cgroup, sizeof(s->cgroup), "podman", s->janitor, e);
	if (r == 0)
		r = room_open(&s->room, e);
	if (r < 0)
		return r;
	room_path(s->room, PODMAN_DIR, dir, sizeof(dir));
	if (mkdir(dir, 0700) < 0)
		return err_set(e, errno, "cannot create %s", dir);
	room_path(s->room, PODMAN_ROOTFS, dir, sizeof(dir));
	r = rootfs_of_self(dir, 0, 0, e);
	return r < 0 ? r : write_config(s, e);
}

/* Podman asks for limits above its own, which takes CAP_SYS_RESOURCE; the caller's will do. */
static void limit_text(char *ret, size_t size, const char *name, int resource)
{
	struct rlimit l = {0};

	(void)getrlimit(resource, &l);
	snprintf(ret, size, "%s=%lld:%lld", name,
		l.rlim_max == RLIM_INFINITY ? -1LL : (long long)l.rlim_max,
		l.rlim_max == RLIM_INFINITY ? -1LL : (long long)l.rlim_max);
}

/* Addresses of containers on the wire itself. */
static const struct {
	const char *net, *addr[LAB_N_PODS];
} on_wire[] = {{"198.18.0.0/24", {"198.18.0.3", "198.18.0.4"}},
	{"2001:2::/64", {"2001:2::3", "2001:2::4"}}};

static const char *addr_of(const struct path *p, uint32_t i)
{
	const struct podman *s = p->state;

	return strcmp(s->net->name, "macvlan") == 0 ? on_wire[p->cfg.ipv6].addr[i]
						    : p->lab->addrs->bridged_addr[i];
}

/* As the default network "podman" is: no DNS server; but with the lab's addresses and MTU. */
static int create_network(struct path *p, struct err *e)
{
	const struct podman *s = p->state;
	const struct lab_addrs *a = p->lab->addrs;
	bool macvlan = strcmp(s->net->driver, "macvlan") == 0;
	struct engine_words w = {0};
	char mtu[24];

	snprintf(mtu, sizeof(mtu), "mtu=%u", p->cfg.mtu);
	ENGINE_ADD(&w, "network", "create", "--driver", s->net->driver, "--disable-dns", "--opt",
		mtu, "--subnet", macvlan ? on_wire[p->cfg.ipv6].net : a->pod[0].net);
	if (macvlan)
		ENGINE_ADD(&w, "--opt", "parent=wire");
	else
		ENGINE_ADD(&w, "--gateway", a->pod[0].gateway);
	if (p->cfg.ipv6)
		ENGINE_ADD(&w, "--ipv6");
	ENGINE_ADD(&w, "tare");
	return podman(p, w.word, e);
}

static int read_pid(const struct podman *s, const char *file, pid_t *ret, struct err *e)
{
	char path[PATH_MAX], text[32];
	int r;

	room_path(s->room, file, path, sizeof(path));
	r = file_read(path, text, sizeof(text), e);
	if (r < 0)
		return r;
	*ret = 0;
	return sscanf(text, "%d", ret) == 1 && *ret > 0
		       ? 0
		       : err_say(e, EPROTO, "podman says '%.20s' where a process id belongs", text);
}

/*
 * Container @i: pod @i of the lab. NET_ADMIN changes nothing about its network; a load may need it
 * for a congestion control that the machine does not allow everybody.
 */
static int run_container(struct path *p, uint32_t i, struct err *e)
{
	struct podman *s = p->state;
	const struct path_end *end = i ? &p->near : &p->far;
	struct engine_words w = {0};
	const char *name = s->box[i].name;
	char pidfile[64], ports[64], udp_ports[64], proc[64];
	pid_t pid;
	int r;

	snprintf(pidfile, sizeof(pidfile), "%s/%s.pid", PODMAN_DIR, name);
	snprintf(ports, sizeof(ports), "%u-%u:%u-%u/tcp", end->port, end->port + PATH_N_PORTS - 1,
		end->port, end->port + PATH_N_PORTS - 1);
	snprintf(udp_ports, sizeof(udp_ports), "%.*s/udp", (int)strcspn(ports, "/"), ports);
	ENGINE_ADD(&w, "run", "--detach", "--name", name, "--pidfile", pidfile,
		"--cgroups=no-conmon", "--cgroup-parent", s->cgroup, "--ulimit", s->nofile,
		"--ulimit", s->nproc, "--cap-add", "NET_ADMIN", "--env", "LD_LIBRARY_PATH=/lib",
		"--network", s->net->driver ? "tare" : s->net->name);
	if (s->net->driver)
		ENGINE_ADD(&w, p->cfg.ipv6 ? "--ip6" : "--ip", addr_of(p, i));
	/* What the kernel sends of its own accord would be in the counters of an IPv4 trial. */
	if (s->net->driver && !p->cfg.ipv6)
		ENGINE_ADD(&w, "--sysctl", "net.ipv6.conf.all.disable_ipv6=1");
	if (s->net->published && p->lab->n_pods == 1)
		ENGINE_ADD(&w, "--publish", ports, "--publish", udp_ports);
	ENGINE_ADD(&w, "--rootfs", PODMAN_ROOTFS, ROOTFS_EXE, "agent", "--listen",
		s->box[i].socket);
	r = podman(p, w.word, e);
	if (r == 0)
		r = read_pid(s, pidfile, &pid, e);
	if (r < 0)
		return r;
	room_path(s->room, "/proc", proc, sizeof(proc));
	return engine_enter(&s->box[i], proc, pid, p->cancel_fd, e);
}

/* Where the ends are; what runs there comes once it does. */
static void place_ends(struct path *p)
{
	const struct podman *s = p->state;
	const char *addr[LAB_N_PODS] = {addr_of(p, 0), addr_of(p, 1)};

	if (!s->net->driver) {
		lab_host_ends(p, true);
		return;
	}
	if (s->net->published && p->lab->n_pods == 1)
		addr[0] = p->lab->addrs->host;
	lab_ends(p, addr);
}

static int podman_build(struct path *p, struct err *e)
{
	struct podman *s = p->state = xcalloc(1, sizeof(*s));
	int r;

	for (uint32_t i = 0; i < LAB_N_PODS; i++)
		engine_name(&s->box[i], i);
	s->net = find_net(p->spec.arg);
	limit_text(s->nofile, sizeof(s->nofile), "nofile", RLIMIT_NOFILE);
	limit_text(s->nproc, sizeof(s->nproc), "nproc", RLIMIT_NPROC);
	place_ends(p);
	r = open_room(s, e);
	if (r == 0 && s->net->driver)
		r = create_network(p, e);
	for (uint32_t i = 0; r == 0 && i < p->lab->n_pods; i++) {
		r = run_container(p, i, e);
		if (r == 0)
			engine_at_end(i ? &p->near : &p->far, &s->box[i]);
	}
	return r;
}

static void podman_close(struct path *p)
{
	struct podman *s = p->state;

	for (uint32_t i = 0; i < LAB_N_PODS; i++)
		engine_leave(&s->box[i]);
	room_close(s->room);
	janitor_finish(s->janitor);
	free(s);
}

const struct path_ops path_podman = {
	.name = "podman",
	.summary = "a container of podman: bridge, macvlan or host network",
	.hops = "peer, wire, host, what podman has put there, container",
	.crosses = "nf_conntrack_in, nf_nat_ipv4_pre_routing, br_forward, veth_xmit; seccomp",
	.needs = "podman 4 with runc",
	.arg = "<network>",
	.set = PATH_SET_GIVEN,
	.pods_ok = true,
	.check = podman_check,
	.probe = podman_probe,
	.build = podman_build,
	.close = podman_close,
};
