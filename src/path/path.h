/*
 * A path: a way for packets between two endpoints, near and far, built in namespaces of its own:
 *
 *	peer ====== wire ====== host ------ (path under test) ------ container
 *
 * near is the peer (the other machine), far the host (native) or a container on it. With
 * between = pods, near and far are both containers of the host and the wire carries nothing.
 */
#pragma once

#include "base/cleanup.h"
#include "base/err.h"
#include "base/opt.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum path_between {
	PATH_BETWEEN_MACHINES,
	PATH_BETWEEN_PODS,
	PATH_BETWEEN_N,
};
extern const char *const path_between_name[PATH_BETWEEN_N];

/* What an overlay does about the bytes it adds to each packet. */
enum path_overlay_mtu {
	PATH_OVERLAY_LOWER, /* pods get an MTU that leaves room for them */
	PATH_OVERLAY_KEEP,  /* pods keep the wire's MTU, and full packets do not fit */
	PATH_OVERLAY_N,
};
extern const char *const path_overlay_mtu_name[PATH_OVERLAY_N];

/* Whose rules choose the backend of a service. */
enum path_service_by {
	PATH_SERVICE_NFTABLES,
	PATH_SERVICE_IPTABLES,
	PATH_SERVICE_N,
};
extern const char *const path_service_by_name[PATH_SERVICE_N];

/* Families of paths. A family's name on the command line stands for all its paths. */
enum path_set {
	PATH_SET_BASIC,   /* quick to build everywhere: what is measured when nothing is said */
	PATH_SET_KERNEL,  /* the kernel's other devices */
	PATH_SET_OVERLAY, /* tunnels between two nodes */
	PATH_SET_NAT,     /* NAT and connection tracking in all their forms */
	PATH_SET_EBPF,
	PATH_SET_VM,
	PATH_SET_SWITCH, /* switches in user space */
	PATH_SET_CHAIN,  /* network functions between two ports */
	PATH_SET_GIVEN,  /* what the user has: a CNI configuration, an engine's network */
	PATH_SET_N,
};
extern const char *const path_set_name[PATH_SET_N];

/* What a path is to a real wire (--wire), on whose far side nobody knows its networks. */
enum path_wire {
	PATH_WIRE_NO,        /* far would need a route, or a part of its own */
	PATH_WIRE_BY_HOST,   /* the near end goes out by the host's address */
	PATH_WIRE_CONTAINER, /* the container is itself a machine of the wire */
};

/* Members below the first block are options of some paths only, of the file that is named. */
struct path_cfg {
	bool ipv6;
	uint64_t wire_rate_bps; /* 0: as fast as the machine */
	uint32_t mtu;
	uint32_t between;     /* enum path_between */
	uint32_t veth_queues; /* no option: of the wire and links to pods; 0: one each way */

	/* macvlan.c, netkit.c: rows of their tables of names */
	uint32_t macvlan_mode, netkit_mode;

	/* overlay.c */
	uint32_t overlay_mtu; /* enum path_overlay_mtu */

	/* service.c, natfull.c */
	uint32_t backends;
	uint32_t service_by; /* enum path_service_by */
	uint32_t conntrack_fill_pct;

	/* ebpf_tc.c, ebpf_xdp.c */
	uint32_t ebpf_redirect; /* enum ebpf_redirect */
	uint32_t ebpf_xdp_mode; /* enum ebpf_xdp_mode */

	/* vm.c */
	uint32_t accel; /* enum vm_accel */
	char guest_dir[256];
	char qemu[256];
	uint64_t guest_memory_bytes;
	uint32_t vcpus, queues;
	uint32_t offloads;    /* enum vm_offloads */
	char guest_cpus[256]; /* CPU list for the vCPU threads; "": not pinned */

	/* switch.c */
	uint32_t switch_offload; /* enum switch_offload */
	uint32_t ovs_tso;        /* 0 off, 1 on */
	uint32_t ovs_pmd;        /* enum ovs_pmd */
	uint32_t dpdk_port;      /* enum dpdk_port */

	/* p2p.c, chain.c */
	uint32_t p2p_switch;     /* enum p2p_switch */
	uint32_t nfs, instances; /* functions of an instance, 0: as many as is usual; instances */
	uint32_t nf;             /* row of nf_table: the forwarding function */
	uint32_t nf_poll;        /* enum nf_poll */
	bool nf_hugepages;       /* no option: frames of nf=afxdp in huge pages */

	/* cni.c */
	char cni_path[128];      /* where plugins are; "": CNI_PATH, or the usual places */
	uint64_t cni_timeout_ns; /* of one call of a plugin */
	uint32_t cni_ports;      /* published for each end, for plugins that can; 0: none */
	uint64_t cni_rate_bps;   /* limit asked of plugins that can; 0: none */
	uint32_t cni_device;     /* enum cni_device */

	/* podman.c */
	char engine_user[32]; /* whose it is; "": root's where that can be */

	/* existing.c: where its ends are (sys/nsref.h); where each is reached, "": found out */
	char near_ns[128], far_ns[128];
	char near_addr[46], far_addr[46];

	/* wire.h: a real wire */
	char wire_dev[16]; /* this machine's device on it; "": the wire is built */
	char wire_peer[256];
	char wire_addr[256];
	char wire_gateway[46];
	char wire_own[20]; /* "192.0.2.20/24": the address there that is this path's; no option */
};
extern const struct path_cfg path_cfg_default;
extern const struct opt path_opts[];

/* One path as asked for: "bridge", "vm-virtio:vcpus=2,queues=2", "cni:FILE.conflist". */
struct path_spec {
	const struct path_ops *ops;
	char name[256]; /* as it was said; distinct in a run */
	char arg[256];  /* what stands behind ":", for a path that takes something; else "" */
	struct path_cfg cfg;
};

/* Ports published for one end, TCP and UDP, from its first port on. */
#define PATH_N_PORTS 1024

struct path_end {
	int netns_fd;   /* borrowed; -1: not a namespace of this kernel */
	bool container; /* its process gets namespaces and a cgroup of its own */
	bool guest;     /* another kernel: its clock and CPU time are not this machine's */
	char addr[46];  /* where the other end reaches this one (behind NAT: the host) */
	uint16_t port;  /* first of PATH_N_PORTS ports reachable there */
	char dev[16];   /* its device on the path */
	char outer[16]; /* what leads to it in the first hop, if that is no pair's half: a tap */
	char proc[64];  /* directory in /proc of the container where tare can't fork; "": none */

	/*
	 * Connects to a new agent at an end where tare can't fork one (a guest, an engine's
	 * container); it may be asked for again once the last one is closed. NULL: fork.
	 * *ret_fd: a stream to the agent, the caller's
	 */
	int (*attach)(const struct path_end *end, int *ret_fd, struct err *e);
	void *host; /* attach's own */
};

/*
 * Addresses of a service instance: what near sends from the one to the other takes the way through
 * this instance, and what far answers, too. The next hop is what the route there says.
 */
#define PATH_MAX_INSTANCES 16
struct path_instance {
	char near[46], far[46];
};

#define PATH_MAX_NFS    16
#define PATH_MAX_HOPS   (2 + PATH_MAX_INSTANCES * PATH_MAX_NFS)
#define PATH_MAX_NOTES  6
#define PATH_MARK_BYTES 16

struct lab;

struct path {
	const struct path_ops *ops;
	struct path_spec spec;
	struct path_cfg cfg; /* of the spec */
	int cancel_fd;       /* readable: give up building with -ECANCELED; -1: none. Borrowed. */
	struct lab *lab;
	void *state; /* ops' own; close gives it back */
	struct path_end near, far;
	uint32_t mtu;            /* of the path, as its ends see it; build may lower it */
	uint32_t overhead_bytes; /* what a tunnel adds to each packet on the wire */

	/* At least one; the first has the addresses of the ends, which is all that loads use. */
	uint32_t n_instances;
	struct path_instance instance[PATH_MAX_INSTANCES];

	/* Namespaces on the way besides the ends': their counters say where packets died. */
	uint32_t n_hops;
	int hop_fd[PATH_MAX_HOPS]; /* borrowed */

	char mark[PATH_MARK_BYTES]; /* stands behind its name in tables: "tcg"; "": none */

	/* What a reader must know of this path's numbers: "accel=tcg: ..." */
	uint32_t n_notes;
	char note[PATH_MAX_NOTES][256];
};

struct path_ops {
	const char *name;
	const char *summary; /* one line */
	const char *hops;    /* what a packet crosses, in order */
	const char *crosses; /* kernel functions or programs that make the difference */
	const char *needs;   /* "Linux 6.7 (CONFIG_NETKIT)"; NULL: namespaces only */
	const char *arg;     /* "<file>": what stands behind ":" and must; NULL: nothing */
	enum path_set set;
	bool pods_ok; /* can have both ends in containers */
	/* Why it can't: "is crossed by ..."; NULL: it has no two containers. */
	const char *pods_not;
	bool no_lab; /* nothing is built: its namespaces are others' */
	/* Takes namespaces or devices of the machine's, where a user namespace has no rights. */
	bool real_root;
	enum path_wire wire;
	const struct opt *opts; /* its options, bound to struct path_cfg; NULL: none of its own */
	const char *opts_title; /* "Overlays" */
	/* Another path's opts that it knows, too; NULL: none. */
	const struct opt *kin_opts;
	const void *model; /* the ops' own, where one file has several paths; else NULL */

	/* Checks the argument and options. NULL: nothing to check. */
	int (*check)(const struct path_spec *spec, struct err *e);
	/*
	 * Can it be built here? For a path whose build is dear; cheap, and leaves nothing. With
	 * no argument, where it takes one: could any be built?
	 * Return: 0, PATH_UNAVAILABLE with the reason, or negative errno. NULL: build says it.
	 */
	int (*probe)(const struct path_spec *spec, struct err *e);
	/*
	 * Builds inside p->lab and fills near and far.
	 * Return: 0, PATH_UNAVAILABLE, or negative errno; -EOPNOTSUPP, -EPERM and -ENOSYS mean
	 * unavailable, too. p->state is closed in any case.
	 */
	int (*build)(struct path *p, struct err *e);
	/* Sends packets each way. NULL: by UDP and TCP between the ends' namespaces. */
	int (*verify)(struct path *p, struct err *e);
	/*
	 * Stops what takes CPU time without traffic, while another path is measured; or lets it go
	 * on. A path is built going. NULL: there is nothing.
	 */
	int (*rest)(struct path *p, bool rest, struct err *e);
	/* Processes that forward. NULL: there are none. Return: how many are in @ret [@max]. */
	uint32_t (*pids)(const struct path *p, pid_t *ret, uint32_t max);
	/* Gives p->state back, if there is one; before the lab is closed. */
	void (*close)(struct path *p);
};

extern const struct path_ops *const path_table[]; /* NULL-terminated, native first */

/* Does row @i have options of its own that no row before it has? */
bool path_brings_opts(size_t i);
const struct path_ops *path_find(const char *name);

/*
 * path_parse() - "name", "name:option=value,...", "name:argument,option=value,...".
 * @base: the options to start from
 *
 * Return: 0, or -EINVAL or -ERANGE with the part that is wrong.
 */
int path_parse(struct path_spec *ret, const char *text, const struct path_cfg *base, struct err *e)
	must_check_;
/* The same of a path without argument and options of its own. */
struct path_spec path_spec_of(const struct path_ops *ops, const struct path_cfg *cfg);

/* Is far of such an existing path a server on another machine, cfg.far_ns its name? */
bool path_far_is_host(const struct path_spec *spec);

/* Does such a path begin on a device of a real wire? Its far end is a server's, not tare's here. */
bool path_on_wire(const struct path_spec *spec);

/* Return: 0, or -EINVAL when this path can't exist with this configuration. */
int path_check(const struct path_spec *spec, struct err *e) must_check_;

/*
 * path_probe() - can this kind of path be built here at all? May create and drop a namespace.
 *
 * Return: 0, PATH_UNAVAILABLE with the reason in @e, or negative errno.
 */
#define PATH_UNAVAILABLE 1
int path_probe(const struct path_spec *spec, struct err *e) must_check_;

/*
 * Does this machine have what such a path needs? As path_probe(), but one that takes words of the
 * user's (an argument, --near and --far) is asked without them.
 */
int path_probe_kind(const struct path_ops *ops, const struct path_cfg *cfg, struct err *e)
	must_check_;

/*
 * path_open() - build the path and verify it with a packet each way.
 * @cancel_fd: readable: give up; -1: none
 *
 * Return: 0; PATH_UNAVAILABLE, with the reason, when the kernel or the machine lacks a part; or
 * negative errno.
 */
int path_open(struct path **ret, const struct path_spec *spec, int cancel_fd, struct err *e)
	must_check_;
void path_close(struct path *p);
DEFINE_CLEANUP(struct path *, path_close, path_closep)

/*
 * path_rest() - stop what the path has running, or let it go on: paths are all open during a run,
 * and one that polls would take a CPU from the others' trials.
 */
int path_rest(struct path *p, bool rest, struct err *e) must_check_;

/*
 * path_nf_pids() - the processes that are network functions of the path, to be placed on CPUs.
 * @ret: [@max], PATH_MAX_INSTANCES * PATH_MAX_NFS hold them all
 *
 * Return: how many; 0 when the kernel forwards.
 */
uint32_t path_nf_pids(const struct path *p, pid_t *ret, uint32_t max);

/* Adds a namespace on the way, or a sentence for the reader; for build. */
void path_add_hop(struct path *p, int netns_fd);
void path_note(struct path *p, const char *fmt, ...) printf_(2, 3);

/*
 * path_ceiling_bps() - the most TCP payload the shaped wire can carry, 0 when it is not shaped or
 * not crossed: rate * (mtu - IP - TCP with timestamps) / (mtu + overhead + 38 bytes of Ethernet).
 * A path whose packets are smaller than the wire's gets the few per cent more that the wire's
 * shaper lets them have, see shape() in path/lab.c.
 * Ref: IEEE 802.3 (14 header, 4 FCS, 8 preamble, 12 gap), RFC 7323 (12 bytes of timestamps).
 */
double path_ceiling_bps(const struct path *p);
