#include "path/vm_guest.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "path/guest_link.h"
#include "path/vm.h"
#include "path/vm_boot.h"
#include "path/vm_image.h"
#include "sys/affinity.h"
#include "sys/mac.h"
#include "sys/qemu.h"
#include "sys/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#define ANSWER_NS (15 * NSEC_PER_SEC)
#define QUIT_NS   (1 * NSEC_PER_SEC)

struct vm_guest {
	const struct path_cfg *cfg;
	const struct vm_model *model;
	int netns_fd, cancel_fd; /* borrowed */
	uint32_t index;
	const char *vhost_user; /* borrowed while it boots, as is nf */
	const struct nf *nf;
	int initrd_fd, tap_fd[QEMU_MAX_NICS][QEMU_MAX_QUEUES];
	struct guest_link ctl;
	int agent_fd;
	struct qemu *qemu;
	bool emulated;
};

const char *const vm_forward_bridge[] = {
	[NF_IN] = "s0",
	[NF_OUT] = "s1",
};
static_assert(ARRAY_SIZE(vm_forward_bridge) == NF_N_SIDES);

/* The verdict on KVM, once there is one, for all guests of this process; "": it works. */
static struct {
	bool known;
	char why_not[300];
} kvm;

const char *vm_guest_no_kvm(void)
{
	return kvm.why_not;
}

bool vm_guest_emulated(const struct vm_guest *g)
{
	return g->emulated;
}

void vm_model_modules(const struct vm_model *model, const char *ret[static VM_MODEL_N_MODULES])
{
	const bool bridges = model->pod || model->forwards;
	const char *const modules[VM_MODEL_N_MODULES] = {"virtio_pci", "virtio_console",
		model->module, bridges ? "bridge" : NULL, model->pod ? "veth" : NULL, NULL};

	memcpy(ret, modules, sizeof(modules));
}

/* A stream whose other end is QEMU's port. Return: our end. */
static int open_port(struct qemu_port *port, const char *name, int *ret_theirs, struct err *e)
{
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) < 0)
		return err_set(e, errno, "cannot create a socket for a guest");
	*port = (struct qemu_port){name, fd[1]};
	*ret_theirs = fd[1];
	return fd[0];
}

/* QEMU's own range, which nobody else on these bridges uses. */
void vm_guest_mac(uint32_t i, uint8_t ret[static 6])
{
	const uint8_t mac[6] = {0x52, 0x54, 0x00, 0x74, 0x72, (uint8_t)i};

	memcpy(ret, mac, sizeof(mac));
}

static uint32_t n_nics(const struct vm_guest *g)
{
	return g->nf ? NF_N_SIDES : 1;
}

static_assert((int)NF_N_SIDES <= QEMU_MAX_NICS);

static bool no_offloads(const struct vm_guest *g)
{
	return g->cfg->offloads == VM_OFFLOADS_OFF || g->model->vhost_user;
}

static int start(struct vm_guest *g, const char *kernel, bool with_kvm, struct err *e)
{
	_cleanup_(closep) int ctl = -1;
	_cleanup_(closep) int agent = -1;
	char mac[QEMU_MAX_NICS][MAC_TEXT_LEN];
	struct qemu_args args = {
		.binary = g->cfg->qemu,
		.netns_fd = g->netns_fd,
		.kvm = with_kvm,
		.vcpus = g->cfg->vcpus,
		.memory_bytes = g->cfg->guest_memory_bytes,
		.kernel = kernel,
		.initrd_fd = g->initrd_fd,
		.append = vm_boot_append(with_kvm),
		.nic = g->model->device,
		.vhost = g->model->vhost,
		.no_offloads = no_offloads(g),
		.queues = g->cfg->queues,
		.vhost_user = g->vhost_user,
	};

	for (uint32_t i = 0; i < n_nics(g); i++) {
		uint8_t bytes[6];

		vm_guest_mac(g->index + i, bytes);
		mac_text(bytes, mac[i]);
		args.nics[i] = (struct qemu_nic){mac[i], g->vhost_user ? NULL : g->tap_fd[i]};
	}
	g->ctl.fd = open_port(&args.port[0], GUEST_PORT_CTL, &ctl, e);
	if (g->ctl.fd < 0)
		return g->ctl.fd;
	g->agent_fd = open_port(&args.port[1], GUEST_PORT_AGENT, &agent, e);
	if (g->agent_fd < 0)
		return g->agent_fd;
	g->emulated = !with_kvm;
	return qemu_start(&g->qemu, &args, e);
}

static void stop(struct vm_guest *g)
{
	if (g->qemu)
		qemu_rest(g->qemu, false);
	if (g->ctl.fd >= 0)
		(void)!guest_say(&g->ctl, "quit", clock_now_ns() + QUIT_NS);
	closep(&g->ctl.fd);
	closep(&g->agent_fd);
	qemu_close(take_ptr(g->qemu));
	g->ctl.n = 0;
}

/* "ok" or "ready" is success; "lacks": the guest can't do what is asked for, as documented. */
static int judge(const char *line, const char *good, struct err *e)
{
	if (strcmp(line, good) == 0)
		return 0;
	if (strncmp(line, "lacks ", 6) == 0)
		return err_say(e, EOPNOTSUPP, "the guest: %s", line + 6);
	if (strncmp(line, "error ", 6) == 0)
		return err_say(e, EREMOTEIO, "the guest: %s", line + 6);
	return err_say(e, EPROTO, "the guest said '%.60s' instead of '%s'", line, good);
}

static enum vm_patience patience(const struct vm_guest *g)
{
	return g->emulated                     ? VM_PATIENCE_TCG
	       : g->cfg->accel == VM_ACCEL_KVM ? VM_PATIENCE_KVM
					       : VM_PATIENCE_PROBE;
}

static int wait_ready(struct vm_guest *g, struct err *e)
{
	char line[sizeof(g->ctl.buf)];
	int r = vm_boot_wait(g->qemu, &g->ctl, patience(g), g->cancel_fd, line, sizeof(line), e);

	return r < 0 ? r : judge(line, "ready", e);
}

static int boot_once(struct vm_guest *g, const char *kernel, bool with_kvm, struct err *e)
{
	int r = start(g, kernel, with_kvm, e);

	if (r == 0)
		r = wait_ready(g, e);
	if (r < 0)
		stop(g);
	return r;
}

static int boot_emulated(struct vm_guest *g, const char *kernel, struct err *e)
{
	int r = -EIO;

	for (int i = 0; r == -EIO && i < VM_TCG_ATTEMPTS; i++)
		r = boot_once(g, kernel, false, e);
	return r;
}

static int boot_kvm(struct vm_guest *g, const char *kernel, struct err *e)
{
	int r = qemu_kvm_opens(e);

	return r < 0 ? r : boot_once(g, kernel, true, e);
}

/* Does KVM's failing decide about all guests, or was it something else that failed? */
static bool is_verdict(int r)
{
	return r == 0 || r == -EIO || r == -ETIMEDOUT || r == -ENODEV;
}

static int boot(struct vm_guest *g, const char *kernel, struct err *e)
{
	int r;

	if (g->cfg->accel == VM_ACCEL_TCG ||
		(g->cfg->accel == VM_ACCEL_AUTO && kvm.known && *kvm.why_not))
		return boot_emulated(g, kernel, e);
	r = boot_kvm(g, kernel, e);
	if (g->cfg->accel == VM_ACCEL_KVM || !is_verdict(r) || (kvm.known && !*kvm.why_not))
		return r < 0 ? err_wrap(e, "with KVM") : 0;
	kvm.known = true;
	if (r == 0)
		return 0;
	str_set(kvm.why_not, e->text);
	return boot_emulated(g, kernel, e);
}

static void tap_name(const struct vm_guest *g, uint32_t i, char *ret, size_t size)
{
	snprintf(ret, size, "tap%u", g->index + i);
}

/* Device tap<k> of the host, a port of @bridge, is the other side of NIC @i. */
static int add_tap(struct vm_guest *g, struct lab *lab, uint32_t i, const char *bridge,
	struct err *e)
{
	char name[16];
	int r;

	tap_name(g, i, name, sizeof(name));
	r = tap_open(g->netns_fd, name, g->model->virtio, g->cfg->queues, g->tap_fd[i], e);
	if (r == 0)
		r = rt_set_mtu(lab->host, name, g->cfg->mtu, e);
	if (r == 0)
		r = rt_set_master(lab->host, name, bridge, e);
	return r < 0 ? r : rt_set_up(lab->host, name, e);
}

static int add_taps(struct vm_guest *g, struct lab *lab, struct err *e)
{
	int r = 0;

	if (!g->nf)
		return add_tap(g, lab, 0, "br0", e);
	for (uint32_t i = 0; r == 0 && i < NF_N_SIDES; i++)
		r = add_tap(g, lab, i, vm_forward_bridge[i], e);
	return r;
}

static void fill_side(struct guest_side *ret, const struct nf_side *s)
{
	mac_text(s->id.mac, ret->mac);
	mac_text(s->end_mac, ret->end_mac);
	str_set(ret->own, s->own);
	str_set(ret->own_len, s->own_len);
	str_set(ret->end, s->end);
}

/* A function without addresses need not know IPv6, which would make it speak. */
static void fill_forward(struct guest_cfg *cfg, const struct vm_guest *g)
{
	cfg->forwards = true;
	cfg->nf = g->cfg->nf;
	cfg->ipv6 = g->cfg->ipv6 && g->nf->ops->addressed;
	for (int i = 0; i < NF_N_SIDES; i++)
		fill_side(&cfg->side[i], &g->nf->side[i]);
}

static void fill_end(struct guest_cfg *cfg, const struct vm_guest *g, const struct lab_addrs *a)
{
	snprintf(cfg->addr, sizeof(cfg->addr), "%s%s",
		(g->vhost_user ? a->wire_addr : a->bridged_addr)[g->index], a->wire_len);
	/* On the wire's segment it needs none, and the guest wants one. */
	str_set(cfg->gateway, g->vhost_user ? a->peer : a->pod[0].gateway);
}

static int make_initramfs(struct vm_guest *g, const struct lab *lab, const struct vm_image *image,
	struct err *e)
{
	struct guest_cfg cfg = {.ipv6 = g->cfg->ipv6,
		.pod = g->model->pod,
		.no_offloads = no_offloads(g),
		.mtu = g->cfg->mtu};
	char text[GUEST_CFG_LEN];

	if (g->nf)
		fill_forward(&cfg, g);
	else
		fill_end(&cfg, g, lab->addrs);
	guest_cfg_text(&cfg, text, sizeof(text));
	g->initrd_fd = vm_image_initramfs(image, GUEST_CFG, text, e);
	return MIN(g->initrd_fd, 0);
}

static int pin(const struct vm_guest *g, struct err *e)
{
	uint32_t cpus[AFFINITY_MAX_CPUS];
	int n;

	if (!*g->cfg->guest_cpus)
		return 0;
	n = affinity_parse(g->cfg->guest_cpus, cpus, e);
	return n < 0 ? n : qemu_pin(g->qemu, cpus, (uint32_t)n, e);
}

static struct vm_guest *guest_new(const struct path *p, uint32_t i)
{
	struct vm_guest *g = xcalloc(1, sizeof(*g));

	g->cfg = &p->cfg;
	g->model = p->ops->model;
	g->netns_fd = p->lab->host_fd;
	g->cancel_fd = p->cancel_fd;
	g->index = i;
	g->initrd_fd = g->ctl.fd = g->agent_fd = -1;
	for (uint32_t k = 0; k < QEMU_MAX_NICS * QEMU_MAX_QUEUES; k++)
		g->tap_fd[k / QEMU_MAX_QUEUES][k % QEMU_MAX_QUEUES] = -1;
	return g;
}

/* What QEMU has taken over. */
static void close_parts(struct vm_guest *g)
{
	closep(&g->initrd_fd);
	for (uint32_t k = 0; k < QEMU_MAX_NICS * QEMU_MAX_QUEUES; k++)
		closep(&g->tap_fd[k / QEMU_MAX_QUEUES][k % QEMU_MAX_QUEUES]);
}

static int boot_new(struct vm_guest **ret, const struct path *p, struct vm_guest *new_guest,
	struct err *e)
{
	_cleanup_(vm_guest_closep) struct vm_guest *g = new_guest;
	struct vm_image image;
	const char *modules[VM_MODEL_N_MODULES];
	int r;

	vm_model_modules(g->model, modules);
	r = vm_image_find(&image, g->cfg->guest_dir, modules, e);
	if (r < 0)
		return r;
	r = make_initramfs(g, p->lab, &image, e);
	if (r == 0 && !g->vhost_user)
		r = add_taps(g, p->lab, e);
	if (r == 0)
		r = boot(g, image.kernel, e);
	if (r == 0)
		r = pin(g, e);
	vm_image_fini(&image);
	close_parts(g);
	if (r == 0)
		*ret = take_ptr(g);
	return r;
}

int vm_guest_boot(struct vm_guest **ret, const struct path *p, uint32_t i, const char *vhost_user,
	struct err *e)
{
	struct vm_guest *g = guest_new(p, i);

	g->vhost_user = vhost_user;
	return boot_new(ret, p, g, e);
}

int vm_guest_boot_nf(struct vm_guest **ret, const struct path *p, const struct nf *nf,
	struct err *e)
{
	struct vm_guest *g = guest_new(p, 0);

	g->nf = nf;
	return boot_new(ret, p, g, e);
}

pid_t vm_guest_pid(const struct vm_guest *g)
{
	return qemu_pid(g->qemu);
}

void vm_guest_rest(const struct vm_guest *g, bool rest)
{
	qemu_rest(g->qemu, rest);
}

void vm_guest_close(struct vm_guest *g)
{
	if (!g)
		return;
	stop(g);
	close_parts(g);
	free(g);
}

static int expect(struct vm_guest *g, const char *good, struct err *e)
{
	char answer[sizeof(g->ctl.buf)];
	int r = guest_hear(&g->ctl, answer, sizeof(answer), clock_now_ns() + ANSWER_NS);

	return r < 0 ? qemu_say_why(g->qemu, e) : judge(answer, good, e);
}

static int ask(struct vm_guest *g, const char *line, const char *good, struct err *e)
{
	int r = guest_say(&g->ctl, line, clock_now_ns() + ANSWER_NS);

	return r < 0 ? qemu_say_why(g->qemu, e) : expect(g, good, e);
}

static int make_token(char ret[static GUEST_TOKEN_LEN + 1], struct err *e)
{
	uint8_t bytes[GUEST_TOKEN_LEN / 2];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return err_set(e, errno, "cannot make a token");
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

/* Until the old agent is dead it would read the token itself. */
static int renew_agent(struct vm_guest *g, struct err *e)
{
	char token[GUEST_TOKEN_LEN + 1], line[64];
	int r = make_token(token, e);

	if (r < 0)
		return r;
	snprintf(line, sizeof(line), "agent %s", token);
	r = ask(g, line, "dead", e);
	if (r < 0)
		return r;
	if (guest_token_write(g->agent_fd, token, clock_now_ns() + ANSWER_NS) < 0)
		return qemu_say_why(g->qemu, e);
	r = expect(g, "ok", e);
	if (r == 0 && guest_token_await(g->agent_fd, token, clock_now_ns() + ANSWER_NS) < 0)
		return qemu_say_why(g->qemu, e);
	return r;
}

static int attach(const struct path_end *end, int *ret_fd, struct err *e)
{
	struct vm_guest *g = end->host;
	int r = renew_agent(g, e);

	if (r < 0)
		return r;
	r = fcntl(g->agent_fd, F_DUPFD_CLOEXEC, 0);
	if (r < 0)
		return err_set(e, errno, "cannot connect to the agent of a guest");
	*ret_fd = r;
	return 0;
}

int vm_guest_ping(struct vm_guest *g, const char *addr, struct err *e)
{
	char line[64];

	snprintf(line, sizeof(line), "ping %s", addr);
	return ask(g, line, "ok", e);
}

void vm_guest_end(struct vm_guest *g, struct path_end *end)
{
	end->netns_fd = -1;
	end->container = g->model->pod;
	end->guest = true;
	end->host = g;
	end->attach = attach;
	if (!g->vhost_user)
		tap_name(g, 0, end->outer, sizeof(end->outer));
}
