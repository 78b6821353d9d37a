#include "guest/run.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "guest/command.h"
#include "path/guest_link.h"
#include "path/vm_image.h"
#include "sys/qemu.h"
#include "wire/doc.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Until the command has run, nothing can be heard of a guest but its end. */
#define RUN_QUIT_NS (5 * NSEC_PER_SEC)

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
	OPT_U32(struct guest_run_cfg, vcpus, "vcpus", 0, "<n>", "CPUs of the guest", .min = 1,
		.max = 64),
	OPT_U64(struct guest_run_cfg, memory_bytes, "guest-memory", 0, "<bytes>",
		"its memory; what the command writes to files is in it, too", .unit = NUM_BYTES,
		.min = 256 << 20, .max = 1ULL << 40),
	OPT_U64(struct guest_run_cfg, time_max_ns, "time-max", 0, "<time>",
		"give up after that; 0: never", .unit = NUM_DURATION, .min = NSEC_PER_SEC,
		.max = 24 * 3600 * NSEC_PER_SEC, .zero_ok = true),
	OPT_END,
};

enum port {
	PORT_CTL,
	PORT_OUT,
	PORT_ERR,
	PORT_N,
};
static const char *const port_name[] = {
	[PORT_CTL] = COMMAND_PORT_CTL,
	[PORT_OUT] = COMMAND_PORT_OUT,
	[PORT_ERR] = COMMAND_PORT_ERR,
};
static_assert(ARRAY_SIZE(port_name) == PORT_N && PORT_N <= QEMU_MAX_PORTS);

struct run {
	const struct guest_run_cfg *cfg;
	int cancel_fd; /* borrowed */
	struct qemu *qemu;
	struct guest_link ctl;
	int fd[PORT_N]; /* our ends; that of ctl is ctl.fd */
	bool ended;     /* the command has; *status is set */
	int status;
};

static void fini(struct run *x)
{
	closep(&x->ctl.fd);
	for (int i = 0; i < PORT_N; i++)
		closep(&x->fd[i]);
	qemu_close(x->qemu);
}

static struct doc *words(char *const *list)
{
	struct doc *d = doc_array();

	for (; *list; list++)
		doc_append_str(d, *list);
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

/* The guest would read the begin only. */
static int check_size(const struct doc *d, const char *text, struct err *e)
{
	static const char *const list[] = {"argv", "environment", "modules"};

	for (size_t i = 0; i < ARRAY_SIZE(list); i++)
		if (doc_len(doc_get(d, list[i])) > COMMAND_MAX_WORDS)
			return err_say(e, E2BIG, "more than %d words for a guest: %s",
				COMMAND_MAX_WORDS, list[i]);
	if (strlen(text) >= COMMAND_FILE_BYTES)
		return err_say(e, E2BIG, "command and environment take more than %zu kB",
			COMMAND_FILE_BYTES >> 10);
	return 0;
}

/* What the guest reads at its start. */
static int command_text(const struct guest_run_cfg *cfg, char *const *argv, char **ret,
	struct err *e)
{
	_cleanup_(doc_freep) struct doc *d = doc_object();
	_cleanup_(freep) char *real = realpath(cfg->guest_dir, NULL);
	_cleanup_(freep) char *module_dir = xasprintf("%s/lib/modules", real ?: cfg->guest_dir);
	char dir[PATH_MAX];

	if (!getcwd(dir, sizeof(dir)))
		return err_set(e, errno, "cannot tell the working directory");
	doc_put(d, "argv", words(argv));
	doc_put(d, "environment", words(environ));
	doc_put(d, "modules", modules(cfg->modules));
	doc_put_str(d, "directory", dir);
	doc_put_str(d, "module_dir", module_dir);
	*ret = doc_text(d);
	return check_size(d, *ret, e);
}

static int open_ports(struct run *x, struct qemu_args *args, int theirs[PORT_N], struct err *e)
{
	for (int i = 0; i < PORT_N; i++) {
		int fd[2];

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) < 0)
			return err_set(e, errno, "cannot create a socket for a guest");
		x->fd[i] = fd[0];
		theirs[i] = fd[1];
		args->port[i] = (struct qemu_port){port_name[i], fd[1]};
	}
	x->ctl.fd = take_fd(x->fd[PORT_CTL]);
	return 0;
}

static int start(struct run *x, const char *kernel, int initrd_fd, struct err *e)
{
	int theirs[PORT_N] = {-1, -1, -1};
	struct qemu_args args = {
		.binary = x->cfg->qemu,
		.netns_fd = -1,
		.vcpus = x->cfg->vcpus,
		.memory_bytes = x->cfg->memory_bytes,
		.kernel = kernel,
		.initrd_fd = initrd_fd,
		.append = "console=ttyS0 quiet panic=-1 nokaslr mitigations=off "
			  "LD_LIBRARY_PATH=/lib",
		.share_root = true,
	};
	int r = open_ports(x, &args, theirs, e);

	if (r == 0)
		r = qemu_start(&x->qemu, &args, e);
	for (int i = 0; i < PORT_N; i++)
		closep(&theirs[i]);
	return r;
}

static int boot(struct run *x, char *const *argv, struct err *e)
{
	static const char *const needed[] = {"virtio_pci", "virtio_console", "9pnet_virtio", "9p",
		"overlay", NULL};
	_cleanup_(closep) int initrd_fd = -1;
	_cleanup_(freep) char *text = NULL;
	struct vm_image image;
	int r = qemu_find(x->cfg->qemu, e);

	if (r < 0)
		return r;
	r = vm_image_find(&image, x->cfg->guest_dir, needed, e);
	if (r == 0)
		r = command_text(x->cfg, argv, &text, e);
	if (r == 0)
		r = initrd_fd = vm_image_initramfs(&image, COMMAND_FILE, text, e);
	if (r >= 0)
		r = start(x, image.kernel, initrd_fd, e);
	vm_image_fini(&image);
	return r;
}

/* Return: 0, or negative errno when our own output is gone. */
static int pass_on(struct run *x, enum port port, struct err *e)
{
	char buf[16384];
	ssize_t n = read(x->fd[port], buf, sizeof(buf));

	if (n <= 0) {
		closep(&x->fd[port]);
		return 0;
	}
	for (ssize_t done = 0; done < n;) {
		ssize_t k = write(port == PORT_OUT ? STDOUT_FILENO : STDERR_FILENO, buf + done,
			(size_t)(n - done));

		if (k < 0 && errno != EINTR)
			return err_set(e, errno, "cannot write the command's output");
		done += k > 0 ? k : 0;
	}
	return 0;
}

static int hear(struct run *x, struct err *e)
{
	char line[sizeof(x->ctl.buf)];
	int r = guest_hear(&x->ctl, line, sizeof(line), clock_now_ns() + RUN_QUIT_NS);

	if (r < 0)
		return qemu_say_why(x->qemu, e);
	if (strncmp(line, "error ", 6) == 0)
		return err_say(e, EREMOTEIO, "the guest: %s", line + 6);
	if (sscanf(line, "exit %d", &x->status) != 1)
		return err_say(e, EPROTO, "the guest said '%.60s'", line);
	x->ended = true;
	/* It powers off, and what is still on its way comes before the ports close. */
	r = guest_say(&x->ctl, "quit", clock_now_ns() + RUN_QUIT_NS);
	closep(&x->fd[PORT_CTL]);
	return r < 0 ? qemu_say_why(x->qemu, e) : 0;
}

static int relay(struct run *x, uint64_t deadline_ns, struct err *e)
{
	int r = 0;

	while (r == 0 && (!x->ended || x->fd[PORT_OUT] >= 0 || x->fd[PORT_ERR] >= 0)) {
		struct pollfd p[] = {{.fd = x->ended ? -1 : x->ctl.fd, .events = POLLIN},
			{.fd = x->fd[PORT_OUT], .events = POLLIN},
			{.fd = x->fd[PORT_ERR], .events = POLLIN},
			{.fd = x->cancel_fd, .events = POLLIN}};

		/* A guest that does not power off has nothing more to say. */
		uint64_t quiet_ns = x->ended ? clock_now_ns() + RUN_QUIT_NS : UINT64_MAX;
		int n = poll(p, ARRAY_SIZE(p), clock_left_ms(MIN(deadline_ns, quiet_ns)));

		if (n < 0 && errno != EINTR)
			return err_set(e, errno, "cannot wait for a guest");
		if (n == 0 && x->ended)
			return 0;
		if (clock_left_ms(deadline_ns) == 0)
			return err_say(e, ETIMEDOUT, "the command did not end within --time-max");
		if (p[3].revents)
			return err_say(e, ECANCELED, "interrupted");
		for (int i = PORT_OUT; r == 0 && i <= PORT_ERR; i++)
			if (p[i].revents)
				r = pass_on(x, i, e);
		if (r == 0 && p[0].revents)
			r = hear(x, e);
	}
	return r;
}

int guest_run(int *ret_status, const struct guest_run_cfg *cfg, char *const *argv, int cancel_fd,
	struct err *e)
{
	_cleanup_(fini) struct run x = {.cfg = cfg,
		.cancel_fd = cancel_fd,
		.ctl.fd = -1,
		.fd = {-1, -1, -1}};
	uint64_t deadline_ns = cfg->time_max_ns ? clock_now_ns() + cfg->time_max_ns : UINT64_MAX;
	int r = boot(&x, argv, e);

	if (r == -EOPNOTSUPP)
		return GUEST_RUN_UNAVAILABLE;
	if (r >= 0)
		r = relay(&x, deadline_ns, e);
	if (r == 0)
		*ret_status = x.status;
	return r;
}
