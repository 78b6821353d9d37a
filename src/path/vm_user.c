/*
 * A guest whose NIC is served by a program, DPDK's testpmd, which maps the guest's memory (the
 * protocol is vhost-user) and has a port on the wire: no kernel of the host between the two.
 */
#include "base/mem.h"
#include "path/dpdk.h"
#include "path/table.h"
#include "path/vm.h"
#include "path/vm_guest.h"
#include "sys/ethtool.h"
#include "sys/exec.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/un.h>

struct vm_user {
	struct dpdk *dpdk;
	struct vm_guest *guest;
};

/* Without offloads the guest's driver has buffers of one such frame. Ref: GOOD_PACKET_LEN */
static int user_check(const struct path_spec *spec, struct err *e)
{
	if (spec->cfg.mtu > ETH_DATA_LEN)
		return err_say(e, EINVAL, "path '%s' takes an MTU of at most %d", spec->ops->name,
			ETH_DATA_LEN);
	if (spec->cfg.queues > 1)
		return err_say(e, EINVAL, "path '%s' has one queue", spec->ops->name);
	return vm_check(spec, e);
}

static int user_probe(const struct path_spec *spec, struct err *e)
{
	if (!exec_find("dpdk-testpmd", NULL, 0))
		return err_say(e, EOPNOTSUPP, "dpdk-testpmd is not installed (Debian: dpdk-dev)");
	return vm_probe(spec, e);
}

static int add_ends(struct path *p, struct err *e)
{
	struct lab *lab = p->lab;
	int r = 0;

	if (lab->n_pods > 1)
		r = lab_pod_add(lab, 1, e);
	if (r == 0 && lab->n_pods > 1)
		r = lab_pod_on_wire(lab, 1, e);
	lab_ends(p, lab->addrs->wire_addr);
	return r;
}

static int add_switch(struct path *p, struct dpdk *d, char *ret_path, size_t size, struct err *e)
{
	const char *dev = p->lab->n_pods > 1 ? "pod1" : "wire";
	_cleanup_(freep) char *kernel = dpdk_packet_port(p, 0, dev);
	_cleanup_(freep) char *guest = dpdk_vhost_port(d, ret_path, size);

	return dpdk_start(d, p, (const char *const[]){kernel, guest}, e);
}

/* The guest's NIC is made without them. */
static int offloads_off(struct path *p, struct err *e)
{
	int r = ethtool_set(p->near.netns_fd, p->near.dev, ETHTOOL_TX_CSUM, false, e);

	if (r == 0)
		path_note(p, "no offloads at either end, as this switch forwards frames as they "
			     "are: each segment crosses all of the path as a packet of its own");
	return r;
}

static int user_build(struct path *p, struct err *e)
{
	struct vm_user *u = p->state = xcalloc(1, sizeof(*u));
	char socket[UNIX_PATH_MAX];
	int r = add_ends(p, e);

	if (r == 0)
		r = offloads_off(p, e);
	if (r == 0)
		r = dpdk_open(&u->dpdk, e);
	if (r == 0)
		r = add_switch(p, u->dpdk, socket, sizeof(socket), e);
	if (r == 0)
		r = vm_guest_boot(&u->guest, p, 0, socket, e);
	if (r < 0)
		return r;
	vm_guest_end(u->guest, &p->far);
	vm_note_accel(p, u->guest);
	return 0;
}

static int user_verify(struct path *p, struct err *e)
{
	return vm_ping(p, e);
}

static int user_rest(struct path *p, bool rest, struct err *e)
{
	struct vm_user *u = p->state;

	vm_guest_rest(u->guest, rest);
	return dpdk_rest(u->dpdk, rest, e);
}

/* The switch first: one that rests does not answer the guest's farewell, and QEMU waits for it. */
static void user_close(struct path *p)
{
	struct vm_user *u = take_ptr(p->state);

	dpdk_close(u->dpdk);
	vm_guest_close(u->guest);
	free(u);
}

static const struct vm_model model_user = {
	.device = "virtio-net-pci",
	.module = "virtio_net",
	.virtio = true,
	.vhost_user = true,
};

const struct path_ops path_vm_user = {
	.name = "vm-vhost-user",
	.summary = "guest with a virtio NIC, packets moved by DPDK's testpmd",
	.hops = "peer, wire, poll-mode driver, testpmd, vhost-user, guest",
	.crosses = "tpacket_rcv, dpdk-testpmd (net_vhost), the guest's driver virtio_net",
	.needs = "QEMU, a kernel for guests (make deps-vm), dpdk-testpmd; no huge pages",
	.set = PATH_SET_VM,
	.pods_ok = true,
	.opts = vm_opts,
	.opts_title = VM_OPTS_TITLE,
	.model = &model_user,
	.check = user_check,
	.probe = user_probe,
	.build = user_build,
	.verify = user_verify,
	.rest = user_rest,
	.close = user_close,
};
