#include "guest/run.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "guest/command.h"
#include "path/guest_link.h"
#include "path/vm_boot.h"
#include "path/vm_image.h"
#include "sys/qemu.h"
#include "wire/doc.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SAY_NS (5 * NSEC_PER_SEC)
/* A pipe that has room has room for so much. Ref: pipe(7) */
#define CHUNK_BYTES PIPE_BUF

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
		"of the command: give up after that; 0: never", .unit = NUM_DURATION,
		.min = NSEC_PER_SEC, .max = 24 * 3600 * NSEC_PER_SEC, .zero_ok = true),
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
	bool ended;     /* the command has; status and expected are set */
	int status;
	uint64_t bytes[PORT_N], expected[PORT_N];
};

static void stop(struct run *x)
{
	closep(&x->ctl.fd);
	x->ctl.n = 0;
	for (int i = 0; i < PORT_N; i++)
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
		.append = vm_boot_append(false),
		.share_root = true,
	};
	int r = open_ports(x, &args, theirs, e);

	if (r == 0)
		r = qemu_start(&x->qemu, &args, e);
	for (int i = 0; i < PORT_N; i++)
		closep(&theirs[i]);
	return r;
}

/* A line on a terminal that the command's own output takes the place of. */
static void show(const char *text)
{
	if (isatty(STDERR_FILENO))
		(void)!write(STDERR_FILENO, text, strlen(text));
}

static int wait_ready(struct run *x, struct err *e)
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

static int boot_image(struct run *x, const struct vm_image *image, const char *text, struct err *e)
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

static int boot(struct run *x, char *const *argv, struct err *e)
{
	static const char *const needed[] = {"virtio_pci", "virtio_console", "9pnet_virtio", "9p",
		"overlay", NULL};
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

/* A reader that takes its time must not keep us from hearing of a signal. */
static int put(struct run *x, int fd, const char *buf, size_t n, struct err *e)
{
	while (n > 0) {
		struct pollfd p[] = {{.fd = fd, .events = POLLOUT},
			{.fd = x->cancel_fd, .events = POLLIN}};
		ssize_t k;

		if (poll(p, ARRAY_SIZE(p), -1) < 0 && errno != EINTR)
			return err_set(e, errno, "cannot wait for the reader of the output");
		if (p[1].revents)
			return err_say(e, ECANCELED, "interrupted");
		if (!p[0].revents)
			continue;
		k = write(fd, buf, MIN(n, (size_t)CHUNK_BYTES));
		if (k < 0 && errno != EINTR && errno != EAGAIN)
			return err_set(e, errno, "cannot write the command's output");
		buf += k > 0 ? k : 0;
		n -= k > 0 ? (size_t)k : 0;
	}
	return 0;
}

/* Return: 0, or negative errno when our own output is gone. */
static int pass_on(struct run *x, enum port port, struct err *e)
{
	char buf[16384];
	ssize_t n = read(x->fd[port], buf, sizeof(buf));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0) {
		closep(&x->fd[port]);
		return 0;
	}
	x->bytes[port] += (uint64_t)n;
	return put(x, port == PORT_OUT ? STDOUT_FILENO : STDERR_FILENO, buf, (size_t)n, e);
}

/* The guest is gone: what it has said before is here. */
static int lost(struct run *x, struct err *e)
{
	int r = 0;

	if (qemu_wait_end(x->qemu, clock_now_ns() + SAY_NS))
		for (enum port i = PORT_OUT; i <= PORT_ERR; i++)
			while (r == 0 && x->fd[i] >= 0)
				r = pass_on(x, i, e);
	return r < 0 ? r : qemu_say_why(x->qemu, e);
}

static int hear(struct run *x, struct err *e)
{
	char line[sizeof(x->ctl.buf)];

	if (guest_hear(&x->ctl, line, sizeof(line), clock_now_ns() + SAY_NS) < 0)
		return lost(x, e);
	if (strncmp(line, "error ", 6) == 0)
		return err_say(e, EREMOTEIO, "the guest: %s", line + 6);
	if (sscanf(line, "exit %d %" SCNu64 " %" SCNu64, &x->status, &x->expected[PORT_OUT],
		    &x->expected[PORT_ERR]) != 3)
		return err_say(e, EPROTO, "the guest said '%.60s'", line);
	x->ended = true;
	return 0;
}

static bool is_through(const struct run *x)
{
	return x->ended && x->bytes[PORT_OUT] >= x->expected[PORT_OUT] &&
	       x->bytes[PORT_ERR] >= x->expected[PORT_ERR];
}

static int relay(struct run *x, uint64_t deadline_ns, struct err *e)
{
	int r = 0;

	while (r == 0 && !is_through(x)) {
		struct pollfd p[] = {{.fd = x->ctl.fd, .events = POLLIN},
			{.fd = x->fd[PORT_OUT], .events = POLLIN},
			{.fd = x->fd[PORT_ERR], .events = POLLIN},
			{.fd = x->cancel_fd, .events = POLLIN}};

		if (clock_left_ms(deadline_ns) == 0)
			return err_say(e, ETIMEDOUT, "the command did not end within --time-max");
		if (poll(p, ARRAY_SIZE(p), clock_left_ms(deadline_ns)) < 0 && errno != EINTR)
			return err_set(e, errno, "cannot wait for a guest");
		if (p[3].revents)
			return err_say(e, ECANCELED, "interrupted");
		for (enum port i = PORT_OUT; r == 0 && i <= PORT_ERR; i++)
			if (p[i].revents)
				r = pass_on(x, i, e);
		if (r == 0 && p[0].revents)
			r = hear(x, e);
	}
	return r;
}

/* A process that was killed for memory says nothing itself. Ref: mm/oom_kill.c */
static void tell_memory(const struct run *x)
{
	if (qemu_console_said(x->qemu, "Out of memory: Killed"))
		dprintf(STDERR_FILENO, "tare: the guest had too little memory and killed a "
				       "process: try --guest-memory\n");
}

int guest_run(int *ret_status, const struct guest_run_cfg *cfg, char *const *argv, int cancel_fd,
	struct err *e)
{
	_cleanup_(stop) struct run x = {.cfg = cfg,
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
	r = relay(&x, deadline_ns, e);
	tell_memory(&x);
	if (r < 0)
		return r;
	(void)!guest_say(&x.ctl, "quit", clock_now_ns() + SAY_NS);
	*ret_status = x.status;
	return 0;
}
