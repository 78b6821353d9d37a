/* Guests of QEMU on a Linux bridge of the host, one path per model of NIC. */
#include "path/vm.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "path/bridge.h"
#include "path/table.h"
#include "path/vm_guest.h"
#include "path/vm_image.h"
#include "sys/affinity.h"
#include "sys/ping.h"
#include "sys/qemu.h"
#include "sys/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* Emulated NICs answer up to 3 s after their link is up. */
#define VM_PING_NS (10 * NSEC_PER_SEC)

static const char *const vm_accel_name[] = {
	[VM_ACCEL_AUTO] = "auto",
	[VM_ACCEL_KVM] = "kvm",
	[VM_ACCEL_TCG] = "tcg",
};
static_assert(ARRAY_SIZE(vm_accel_name) == VM_ACCEL_N);

static const char *const vm_offloads_name[] = {
	[VM_OFFLOADS_ON] = "on",
	[VM_OFFLOADS_OFF] = "off",
};
static_assert(ARRAY_SIZE(vm_offloads_name) == VM_OFFLOADS_N);

const struct opt vm_opts[] = {
	OPT_ENUM(struct path_cfg, accel, "accel", 0, vm_accel_name,
		"run guests by KVM or emulate their CPU; auto: KVM if a guest boots with it"),
	OPT_U32(struct path_cfg, vcpus, "vcpus", 0, "<n>", "CPUs of a guest", .min = 1, .max = 64),
	OPT_U64(struct path_cfg, guest_memory_bytes, "guest-memory", 0, "<bytes>",
		"memory of a guest", .unit = NUM_BYTES, .min = 128 << 20, .max = 1ULL << 40),
	OPT_STR(struct path_cfg, guest_cpus, "guest-cpus", 0, "<list>",
		"CPUs that a guest's are pinned to, in turn; else they are not"),
	OPT_U32(struct path_cfg, queues, "queues", 0, "<n>",
		"queue pairs of a virtio NIC; a guest uses no more than it has CPUs", .min = 1,
		.max = QEMU_MAX_QUEUES),
	OPT_ENUM(struct path_cfg, offloads, "offloads", 0, vm_offloads_name,
		"checksum and segmentation offloads of a guest's NIC"),
	OPT_STR(struct path_cfg, guest_dir, "guest-dir", 0, "<dir>",
		"where a kernel for guests is unpacked: boot/ and lib/modules/"),
	OPT_STR(struct path_cfg, qemu, "qemu", 0, "<program>", "the QEMU to run guests with"),
	OPT_END,
};

struct vm {
	struct vm_guest *guest[LAB_N_PODS];
};

int vm_check(const struct path_spec *spec, struct err *e)
{
	const struct vm_model *model = spec->ops->model;
	const struct path_cfg *cfg = &spec->cfg;
	uint32_t cpus[AFFINITY_MAX_CPUS];
	int r;

	if (model->both && cfg->between == PATH_BETWEEN_MACHINES)
		return err_say(e, EINVAL, "path '%s' has both ends on one host: add --between pods",
			spec->ops->name);
	if (cfg->queues > 1 && !model->virtio)
		return err_say(e, EINVAL, "only a virtio NIC has queues, not %s", model->device);
	if (cfg->queues > cfg->vcpus)
		return err_say(e, EINVAL, "%u queues need as many --vcpus, not %u", cfg->queues,
			cfg->vcpus);
	r = tap_check_mtu(cfg->mtu, e);
	if (r < 0)
		return r;
	return *cfg->guest_cpus ? MIN(affinity_parse(cfg->guest_cpus, cpus, e), 0) : 0;
}

/* Asked of the file, not of QEMU: version 7.2 aborts where it can't be opened. */
static int probe_file(const char *path, const char *what, struct err *e)
{
	_cleanup_(closep) int fd = open(path, O_RDWR | O_CLOEXEC);

	return fd >= 0 ? 0
		       : err_say(e, EOPNOTSUPP, "cannot open %s, which %s needs: %s", path, what,
				 strerror(errno));
}

int vm_probe(const struct path_spec *spec, struct err *e)
{
	const struct vm_model *model = spec->ops->model;
	const struct path_cfg *cfg = &spec->cfg;
	const char *modules[VM_MODEL_N_MODULES];
	struct vm_image image;
	int r = qemu_find(cfg->qemu, e);

	if (r == 0 && !model->vhost_user)
		r = probe_file("/dev/net/tun", "a guest's NIC", e);
	if (r == 0 && model->vhost)
		r = probe_file("/dev/vhost-net", "vhost", e);
	if (r == 0 && strcmp(model->device, "igb") == 0)
		r = qemu_has_device(cfg->qemu, model->device, e);
	if (r < 0)
		return r;
	vm_model_modules(model, modules);
	r = vm_image_find(&image, cfg->guest_dir, modules, e);
	vm_image_fini(&image);
	return r;
}

/* Both ends are guests; or near is the peer, or a container beside the guest. */
static int add_ends(struct path *p, struct vm *vm, struct err *e)
{
	const struct vm_model *model = p->ops->model;
	uint32_t n_guests = model->both ? 2 : 1;
	struct lab *lab = p->lab;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < n_guests; i++)
		r = vm_guest_boot(&vm->guest[i], p, i, NULL, e);
	if (r == 0 && n_guests < lab->n_pods)
		r = bridge_pod_add(lab, 1, e);
	if (r < 0)
		return r;
	lab_ends(p, lab->addrs->bridged_addr);
	vm_guest_end(vm->guest[0], &p->far);
	if (model->both)
		vm_guest_end(vm->guest[1], &p->near);
	return 0;
}

void vm_note_accel(struct path *p, const struct vm_guest *guest)
{
	if (!vm_guest_emulated(guest)) {
		path_note(p, "accel=kvm");
		return;
	}
	str_set(p->mark, "tcg");
	path_note(p, "accel=tcg: the guest's CPU is emulated, its numbers compare with those of "
		     "other emulated guests only");
	if (p->cfg.accel == VM_ACCEL_AUTO)
		path_note(p, "KVM is not used: %s", vm_guest_no_kvm());
}

static int vm_build(struct path *p, struct err *e)
{
	struct vm *vm = xcalloc(1, sizeof(*vm));
	int r = bridge_add(p->lab, e);

	p->state = vm;
	if (r == 0)
		r = lab_route_from_peer(p->lab, p->lab->addrs->pod[0].net, e);
	if (r == 0)
		r = add_ends(p, vm, e);
	if (r == 0)
		vm_note_accel(p, vm->guest[0]);
	return r;
}

int vm_ping(const struct path *p, struct err *e)
{
	int r = p->near.guest ? vm_guest_ping(p->near.host, p->far.addr, e)
			      : ping(p->near.netns_fd, p->far.addr, clock_now_ns() + VM_PING_NS, e);

	return r < 0 ? err_wrap(e, "no packet came through from near to far and back") : 0;
}

static int vm_verify(struct path *p, struct err *e)
{
	return vm_ping(p, e);
}

/*
 * An idle guest takes next to nothing, but an emulated one is busy for a while after its trial,
 * which would be in the next ones.
 */
static int vm_rest(struct path *p, bool rest, struct err *e)
{
	const struct vm *vm = p->state;

	(void)e;
	for (uint32_t i = 0; i < LAB_N_PODS; i++)
		if (vm->guest[i])
			vm_guest_rest(vm->guest[i], rest);
	return 0;
}

static void vm_close(struct path *p)
{
	struct vm *vm = take_ptr(p->state);

	for (uint32_t i = 0; vm && i < LAB_N_PODS; i++)
		vm_guest_close(vm->guest[i]);
	free(vm);
}

#define VM_COMMON                                                                                  \
	.needs = "QEMU, /dev/net/tun, a kernel for guests (make deps-vm)", .set = PATH_SET_VM,     \
	.pods_ok = true, .opts = vm_opts, .opts_title = VM_OPTS_TITLE, .check = vm_check,          \
	.probe = vm_probe, .build = vm_build, .verify = vm_verify, .rest = vm_rest,                \
	.close = vm_close

/* @sym: path_vm_<sym>; the rest: of struct vm_model */
#define VM_PATH(sym, path_name, text, way, what, ...)                                              \
	static const struct vm_model model_##sym = {__VA_ARGS__};                                  \
	const struct path_ops path_vm_##sym = {                                                    \
		.name = path_name,                                                                 \
		.summary = text,                                                                   \
		.hops = way,                                                                       \
		.crosses = what,                                                                   \
		.model = &model_##sym,                                                             \
		VM_COMMON,                                                                         \
	}

#define TO_TAP "peer, wire, host routing, bridge, tap, "
#define QEMU   "tun, QEMU's tap backend and NIC, the guest's driver "

VM_PATH(virtio, "vm-virtio", "guest with a virtio NIC, packets moved by QEMU",
	TO_TAP "QEMU (virtio-net), guest", QEMU "virtio_net", "virtio-net-pci", "virtio_net",
	.virtio = true);
VM_PATH(vhost, "vm-virtio-vhost", "guest with a virtio NIC, packets moved by the host's kernel",
	TO_TAP "vhost, guest", "tun, vhost_net, the guest's driver virtio_net", "virtio-net-pci",
	"virtio_net", .virtio = true, .vhost = true);
VM_PATH(pod, "vm-virtio-pod", "container on a bridge of a guest with a virtio NIC",
	TO_TAP "QEMU (virtio-net), guest, its bridge, veth pair, container",
	QEMU "virtio_net, its bridge and veth", "virtio-net-pci", "virtio_net", .virtio = true,
	.pod = true);
VM_PATH(vm, "vm-vm", "two guests with virtio NICs on one bridge",
	"guest, QEMU (virtio-net), tap, bridge, tap, QEMU (virtio-net), guest",
	QEMU "virtio_net, twice", "virtio-net-pci", "virtio_net", .virtio = true, .both = true);
VM_PATH(vmxnet3, "vm-vmxnet3", "guest with an emulated VMware vmxnet3",
	TO_TAP "QEMU (vmxnet3), guest", QEMU "vmxnet3", "vmxnet3", "vmxnet3");
VM_PATH(e1000, "vm-e1000", "guest with an emulated Intel 82540EM", TO_TAP "QEMU (e1000), guest",
	QEMU "e1000", "e1000", "e1000");
VM_PATH(e1000e, "vm-e1000e", "guest with an emulated Intel 82574L", TO_TAP "QEMU (e1000e), guest",
	QEMU "e1000e", "e1000e", "e1000e");
VM_PATH(igb, "vm-igb", "guest with an emulated Intel 82576", TO_TAP "QEMU (igb), guest", QEMU "igb",
	"igb", "igb");
VM_PATH(rtl8139, "vm-rtl8139", "guest with an emulated Realtek 8139C+",
	TO_TAP "QEMU (rtl8139), guest", QEMU "8139cp", "rtl8139", "8139cp");
