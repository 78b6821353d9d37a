#include "guest/run.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "guest/command.h"
#include "guest/host.h"
#include "path/guest_link.h"
#include "path/vm_boot.h"
#include "path/vm_image.h"
#include "sys/qemu.h"
#include "wire/doc.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define QUIT_NS  (5 * NSEC_PER_SEC)
#define NICS_MAX 8 /* each takes four of QEMU's arguments: QEMU_MAX_ARGS */

const struct guest_run_cfg guest_run_cfg_default = {
	.guest_dir = "/var/lib/tare/guest",
	.qemu = "qemu-system-x86_64",
	.modules = "tun,kvm_amd,kvm_intel,vhost_net",
	.vcpus = 2,
	.memory_bytes = 1ULL << 30,
};

const struct opt guest_run_opts[] = {
	OPT_STR(struct guest_run_cfg, guest_dir, "guest-dir", 0, "<dir>",
		"where the guest's kernel is unpacked: boot/ and lib/modules/"),
	OPT_STR(struct guest_run_cfg, qemu, "qemu", 0, "<program>", "the QEMU to run it with"),
	OPT_STR(struct guest_run_cfg, modules, "modules", 0, "<list>",
		"kernel modules to load first; others are loaded when they are needed"),
	OPT_STR(struct guest_run_cfg, append, "append", 0, "<words>",
		"more for the kernel's command line"),
	OPT_U32(struct guest_run_cfg, vcpus, "vcpus", 0, "<n>", "CPUs of the guest", .min = 1,
		.max = 64),
	OPT_U32(struct guest_run_cfg, n_nics, "nics", 0, "<n>",
		"virtio network cards, all on one wire: what one sends, the others receive",
		.max = NICS_MAX, .zero_ok = true),
	OPT_FLAG(struct guest_run_cfg, one_thread, "one-thread", 0,
		"emulate the CPUs in turns, in one thread: slower, but the guest may attach BPF "
		"programs to tracepoints under load"),
	OPT_U64(struct guest_run_cfg, memory_bytes, "guest-memory", 0, "<bytes>",
		"its memory; what the command writes to files is in it, too", .unit = NUM_BYTES,
		.min = 256 << 20, .max = 1ULL << 40),
	OPT_U64(struct guest_run_cfg, time_max_ns, "time-max", 0, "<time>",
		"of the command: give up after that; 0: never", .unit = NUM_DURATION,
		.min = NSEC_PER_SEC, .max = 24 * 3600 * NSEC_PER_SEC, .zero_ok = true),
	OPT_END,
};

static const char *const port_name[] = {
	[GUEST_HOST_CTL] = COMMAND_PORT_CTL,
	[GUEST_HOST_OUT] = COMMAND_PORT_OUT,
	[GUEST_HOST_ERR] = COMMAND_PORT_ERR,
};
static_assert(ARRAY_SIZE(port_name) == GUEST_HOST_N && GUEST_HOST_N <= QEMU_MAX_PORTS);

static void stop(struct guest_host *x)
{
	closep(&x->ctl.fd);
	x->ctl.n = 0;
	for (int i = 0; i < GUEST_HOST_N; i++)
		closep(&x->fd[i]);
	qemu_close(take_ptr(x->qemu));
}

/* @ret_n_odd: how many words JSON can't have, as they are not UTF-8; they are left out */
static struct doc *words(char *const *list, uint32_t *ret_n_odd)
{
	struct doc *d = doc_array();

	for (; *list; list++) {
		_cleanup_(doc_freep) struct doc *one = doc_array();

		doc_append_str(one, *list);
		if (strcmp(doc_str(doc_at(one, 0)), *list) == 0)
			doc_append_str(d, *list);
		else
			++*ret_n_odd;
	}
	return d;
}

static struct doc *modules(const char *list)
{
	_cleanup_(freep) char *copy = xstrdup(list);
	struct doc *d = doc_array();
	char *rest = copy, *one;

	while ((one = strsep(&rest, ",")))
		if (*one)
			doc_append_str(d, one);
	return d;
}

/* What the guest reads at its start. */
static int command_text(const struct guest_run_cfg *cfg, char *const *argv, char **ret,
	struct err *e)
{
	_cleanup_(doc_freep) struct doc *d = doc_object();
	_cleanup_(freep) char *real = realpath(cfg->guest_dir, NULL);
	_cleanup_(freep) char *module_dir = xasprintf("%s/lib/modules", real ?: cfg->guest_dir);
	char dir[PATH_MAX];
	uint32_t n_odd = 0, n_dropped = 0;

	if (!getcwd(dir, sizeof(dir)))
		return err_set(e, errno, "cannot tell the working directory");
	doc_put(d, "argv", words(argv, &n_odd));
	if (n_odd)
		return err_say(e, EILSEQ, "a word of the command is not UTF-8");
	doc_put(d, "environment", words(environ, &n_dropped));
	doc_put(d, "modules", modules(cfg->modules));
	doc_put_str(d, "directory", dir);
	doc_put_str(d, "module_dir", module_dir);
	*ret = doc_text(d);
	return strlen(*ret) < COMMAND_FILE_BYTES
		       ? 0
		       : err_say(e, E2BIG, "the command and its environment are too long");
}

static int open_ports(struct guest_host *x, struct qemu_args *args, int theirs[GUEST_HOST_N],
	struct err *e)
{
	for (int i = 0; i < GUEST_HOST_N; i++) {
		int fd[2];

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) < 0)
			return err_set(e, errno, "cannot create a socket for a guest");
		x->fd[i] = fd[0];
		theirs[i] = fd[1];
		args->port[i] = (struct qemu_port){port_name[i], fd[1]};
	}
	x->ctl.fd = take_fd(x->fd[GUEST_HOST_CTL]);
	return 0;
}

static int start(struct guest_host *x, const char *kernel, int initrd_fd, struct err *e)
{
	_cleanup_(freep) char *append = xasprintf("%s %s", vm_boot_append(false), x->cfg->append);
	int theirs[GUEST_HOST_N] = {-1, -1, -1};
	struct qemu_args args = {
		.binary = x->cfg->qemu,
		.netns_fd = -1,
		.vcpus = x->cfg->vcpus,
		.one_thread = x->cfg->one_thread,
		.n_hub_nics = x->cfg->n_nics,
		.memory_bytes = x->cfg->memory_bytes,
		.kernel = kernel,
		.initrd_fd = initrd_fd,
		.append = append,
		.share_root = true,
	};
	int r = open_ports(x, &args, theirs, e);

	if (r == 0)
		r = qemu_start(&x->qemu, &args, e);
	for (int i = 0; i < GUEST_HOST_N; i++)
		closep(&theirs[i]);
	return r;
}

/* A line on a terminal that the command's own output takes the place of. */
static void show(const char *text)
{
	if (isatty(STDERR_FILENO))
		(void)!write(STDERR_FILENO, text, strlen(text));
}

static int wait_ready(struct guest_host *x, struct err *e)
{
	char line[sizeof(x->ctl.buf)];
	int r;

	show("tare: booting a guest ...\r");
	r = vm_boot_wait(x->qemu, &x->ctl, VM_PATIENCE_TCG, x->cancel_fd, line, sizeof(line), e);
	show("\033[K");
	if (r < 0)
		return r;
	if (strncmp(line, "error ", 6) == 0)
		return err_say(e, EREMOTEIO, "the guest: %s", line + 6);
	return strcmp(line, "ready") == 0 ? 0 : err_say(e, EPROTO, "the guest said '%.60s'", line);
}

static int boot_image(struct guest_host *x, const struct vm_image *image, const char *text,
	struct err *e)
{
	int r = -EIO;

	for (int i = 0; r == -EIO && i < VM_TCG_ATTEMPTS; i++) {
		_cleanup_(closep) int initrd_fd = vm_image_initramfs(image, COMMAND_FILE, text, e);

		stop(x);
		r = initrd_fd < 0 ? initrd_fd : start(x, image->kernel, initrd_fd, e);
		if (r == 0)
			r = wait_ready(x, e);
	}
	return r;
}

static int boot(struct guest_host *x, char *const *argv, struct err *e)
{
	const char *const needed[] = {"virtio_pci", "virtio_console", "9pnet_virtio", "9p",
		"overlay", x->cfg->n_nics ? "virtio_net" : NULL, NULL};
	_cleanup_(freep) char *text = NULL;
	struct vm_image image;
	int r = qemu_find(x->cfg->qemu, e);

	if (r == 0)
		r = command_text(x->cfg, argv, &text, e);
	if (r < 0)
		return r;
	r = vm_image_find(&image, x->cfg->guest_dir, needed, e);
	if (r == 0)
		r = boot_image(x, &image, text, e);
	vm_image_fini(&image);
	return r;
}

/* A process that was killed for memory says nothing itself. Ref: mm/oom_kill.c */
static void tell_memory(const struct guest_host *x)
{
	if (qemu_console_said(x->qemu, "Out of memory: Killed"))
		dprintf(STDERR_FILENO, "tare: the guest had too little memory and killed a "
				       "process: try --guest-memory\n");
}

int guest_run(int *ret_status, const struct guest_run_cfg *cfg, char *const *argv, int cancel_fd,
	struct err *e)
{
	_cleanup_(stop) struct guest_host x = {.cfg = cfg,
		.cancel_fd = cancel_fd,
		.ctl.fd = -1,
		.fd = {-1, -1, -1}};
	uint64_t deadline_ns;
	int r = boot(&x, argv, e);

	if (r == -EOPNOTSUPP)
		return GUEST_RUN_UNAVAILABLE;
	if (r < 0)
		return r;
	deadline_ns = cfg->time_max_ns ? clock_now_ns() + cfg->time_max_ns : UINT64_MAX;
	r = guest_host_relay(&x, deadline_ns, e);
	tell_memory(&x);
	if (r < 0)
		return r;
	(void)!guest_say(&x.ctl, "quit", clock_now_ns() + QUIT_NS);
	*ret_status = x.status;
	return 0;
}
