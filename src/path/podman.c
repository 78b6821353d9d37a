/* Podman's networks, made by podman itself in an engine of tare's own (path/podman_engine.h). */
#include "base/mem.h"
#include "base/str.h"
#include "path/podman_engine.h"
#include "path/table.h"
#include "sys/exec.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

struct podman_path {
	const struct podman_net *net;
	struct podman *pod;
	char user[32]; /* "": root */
};

/* The networks that can be asked for. */
static const struct podman_net {
	const char *name;
	const char *driver; /* of the network that is created for it; NULL: it is a mode */
	int since;          /* version of podman, as podman_version() has it */
	bool published;     /* the peer knows only the host's address */
	bool no_address;    /* nor do the host's other containers know another one */
	bool root_only, user_only;
	const char *dev, *note;
	const char *refusal; /* why it can't be measured */
} podman_net[] = {
	{"bridge", .driver = "bridge", .published = true, .dev = "eth0"},
	{"macvlan", .driver = "macvlan", .root_only = true, .dev = "eth0"},
	{"host"},
	{"slirp4netns", .published = true, .no_address = true, .user_only = true, .dev = "tap0",
		.note = "in: rootlessport, out: slirp4netns, two programs in user space that end "
			"every connection; the container's MTU is podman's default, 65520"},
	{"pasta", .since = 404, .published = true, .no_address = true, .user_only = true,
		.dev = "wire",
		.note = "in and out: pasta, a program in user space that ends every connection"},
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
			"path 'podman' has no network '%s', but bridge, macvlan, host, slirp4netns "
			"and pasta",
			spec->arg);
	if (net->refusal)
		return err_say(e, EINVAL, "podman:%s: %s", spec->arg, net->refusal);
	if (net->root_only && *spec->cfg.engine_user)
		return err_say(e, EINVAL,
			"podman:%s needs root: an engine-user can't reach the host's devices",
			spec->arg);
	return 0;
}

/* Whose engine: who was asked for; the first user with subordinate ids, where it can't be root. */
static int find_user(const struct path_spec *spec, char *ret, size_t size, struct err *e)
{
	const struct podman_net *net = find_net(spec->arg);
	_cleanup_(fclosep) FILE *f = fopen("/etc/subuid", "re");
	char line[256];

	(void)str_copy(ret, size, "");
	if (!net || (!*spec->cfg.engine_user && !net->user_only))
		return 0;
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, ":\n")] = '\0';
		if (*spec->cfg.engine_user && strcmp(line, spec->cfg.engine_user) != 0)
			continue;
		if (getpwnam(line))
			return str_copy(ret, size, line);
	}
	return *spec->cfg.engine_user
		       ? err_say(e, ENOENT, "/etc/subuid has no user '%s' who could run containers",
				 spec->cfg.engine_user)
		       : err_say(e, ENOENT,
				 "podman:%s is a user's: there is none with subordinate ids in "
				 "/etc/subuid (useradd makes them)",
				 spec->arg);
}

static int check_programs(bool rootless, struct err *e)
{
	static const struct {
		const char *program, *package;
		bool rootless;
	} need[] = {{"podman", "podman"}, {"runc", "runc"}, {"conmon", "conmon"},
		{"newuidmap", "uidmap", true}, {"slirp4netns", "slirp4netns", true}};

	for (size_t i = 0; i < ARRAY_SIZE(need); i++) {
		if ((need[i].rootless && !rootless) || exec_find(need[i].program, NULL, 0))
			continue;
		(void)err_say(e, ENOENT, "there is no program %s (Debian: package %s)",
			need[i].program, need[i].package);
		return PATH_UNAVAILABLE;
	}
	return 0;
}

static int podman_probe(const struct path_spec *spec, struct err *e)
{
	const struct podman_net *net = find_net(spec->arg);
	char user[32];
	int r;

	r = engine_reachable(e);
	if (r < 0)
		return r;
	if (find_user(spec, user, sizeof(user), e) < 0)
		return PATH_UNAVAILABLE;
	r = check_programs(*user, e);
	if (r != 0 || !net || !net->since)
		return r;
	r = podman_version(e);
	if (r < 0 || r >= net->since)
		return r < 0 ? r : 0;
	(void)err_say(e, EOPNOTSUPP, "podman %d.%d has no network mode %s (%d.%d has)", r / 100,
		r % 100, net->name, net->since / 100, net->since % 100);
	return PATH_UNAVAILABLE;
}

static bool is_macvlan(const struct podman_net *net)
{
	return net->driver && strcmp(net->driver, "macvlan") == 0;
}

static const char *addr_of(const struct path *p, uint32_t i)
{
	const struct podman_path *s = p->state;
	const struct lab_addrs *a = p->lab->addrs;

	return is_macvlan(s->net) ? a->wire_addr[i] : a->bridged_addr[i];
}

/* As the default network "podman" is: no DNS server; but with the lab's addresses and MTU. */
static int create_network(struct path *p, struct err *e)
{
	const struct podman_path *s = p->state;
	const struct lab_addrs *a = p->lab->addrs;
	struct engine_words w = {0};
	char mtu[24], wire[64];

	snprintf(mtu, sizeof(mtu), "mtu=%u", p->cfg.mtu);
	snprintf(wire, sizeof(wire), "%s%s", a->host, a->segment_len);
	ENGINE_ADD(&w, "network", "create", "--driver", s->net->driver, "--disable-dns", "--opt",
		mtu, "--subnet", is_macvlan(s->net) ? wire : a->pod[0].net);
	if (is_macvlan(s->net))
		ENGINE_ADD(&w, "--opt", "parent=wire");
	else
		ENGINE_ADD(&w, "--gateway", a->pod[0].gateway);
	if (p->cfg.ipv6)
		ENGINE_ADD(&w, "--ipv6");
	ENGINE_ADD(&w, "tare");
	return podman_do(s->pod, w.word, e);
}

/* Does the other end know only the host? */
static bool is_published(const struct path *p)
{
	const struct podman_net *net = ((const struct podman_path *)p->state)->net;

	return net->published && (p->lab->n_pods == 1 || net->no_address);
}

static int run_container(struct path *p, uint32_t i, struct err *e)
{
	const struct podman_path *s = p->state;
	struct path_end *end = i ? &p->near : &p->far;
	struct engine_words w = {0};
	char ports[2][64];
	int r;

	/* rootlessport has to be told of IPv6; netavark takes "::" for the only address. */
	for (uint32_t k = 0; k < 2; k++)
		snprintf(ports[k], sizeof(ports[k]), "%s%u-%u:%u-%u/%s",
			p->cfg.ipv6 && *s->user ? "[::]:" : "", end->port,
			end->port + PATH_N_PORTS - 1, end->port, end->port + PATH_N_PORTS - 1,
			k ? "udp" : "tcp");
	ENGINE_ADD(&w, "--network", s->net->driver ? "tare" : s->net->name);
	if (s->net->driver)
		ENGINE_ADD(&w, p->cfg.ipv6 ? "--ip6" : "--ip", addr_of(p, i));
	/* What the kernel sends of its own accord would be in the counters of an IPv4 trial. */
	if (s->net->driver && !p->cfg.ipv6)
		ENGINE_ADD(&w, "--sysctl", "net.ipv6.conf.all.disable_ipv6=1");
	if (is_published(p))
		ENGINE_ADD(&w, "--publish", ports[0], "--publish", ports[1]);
	r = podman_start(s->pod, i, w.word, e);
	if (r == 0)
		engine_at_end(end, &s->pod->box[i]);
	return r;
}

/* Where the ends are; what runs there comes once it does. */
static void place_ends(struct path *p)
{
	const struct podman_path *s = p->state;
	const char *addr[LAB_N_PODS] = {addr_of(p, 0), addr_of(p, 1)};

	if (!s->net->dev) {
		lab_host_ends(p, true);
		return;
	}
	if (is_published(p))
		addr[0] = addr[1] = p->lab->addrs->host;
	lab_ends(p, addr);
	str_set(p->far.dev, s->net->dev);
	if (p->lab->n_pods > 1)
		str_set(p->near.dev, s->net->dev);
}

static void add_notes(struct path *p)
{
	const struct podman_path *s = p->state;

	if (s->net->note)
		path_note(p, "%s", s->net->note);
	if (*s->user)
		path_note(p, "rootless: its containers have no cgroup of their own");
}

static int podman_build(struct path *p, struct err *e)
{
	struct podman_path *s = p->state = xcalloc(1, sizeof(*s));
	int r = find_user(&p->spec, s->user, sizeof(s->user), e);

	if (r < 0)
		return r;
	s->net = find_net(p->spec.arg);
	place_ends(p);
	add_notes(p);
	r = podman_open(&s->pod, p, *s->user ? s->user : NULL, e);
	if (r == 0 && s->net->driver)
		r = create_network(p, e);
	for (uint32_t i = 0; r == 0 && i < p->lab->n_pods; i++)
		r = run_container(p, i, e);
	return r;
}

static void podman_close(struct path *p)
{
	struct podman_path *s = p->state;

	podman_free(s->pod);
	free(s);
}

static const struct opt podman_opts[] = {
	OPT_STR(struct path_cfg, engine_user, "engine-user", 0, "<user>",
		"whose rootless engine it is; none: root's, where the network allows that"),
	OPT_END,
};

const struct path_ops path_podman = {
	.name = "podman",
	.summary = "podman's container: bridge, macvlan, host, slirp4netns, pasta",
	.hops = "peer, wire, host, what podman has put there, container",
	.crosses = "nf_conntrack_in, nf_nat_ipv4_pre_routing, br_forward, veth_xmit; seccomp",
	.needs = "podman 4 with runc",
	.arg = "<network>",
	.set = PATH_SET_GIVEN,
	.pods_ok = true,
	.opts = podman_opts,
	.opts_title = "Engines",
	.check = podman_check,
	.probe = podman_probe,
	.build = podman_build,
	.close = podman_close,
};
