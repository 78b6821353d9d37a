#include "sys/qemu.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "sys/exec.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* A guest that was told to power off is gone by then; one that hangs is killed. */
#define QEMU_FAREWELL_NS (500 * NSEC_PER_MSEC)
#define QEMU_HELP_NS     (60 * NSEC_PER_SEC)
#define QEMU_EARLY_BYTES (16 << 10)

struct qemu {
	pid_t pid;
	int pidfd;
	int console_fd, stderr_fd; /* files in memory */
	bool ended;
	int status; /* of wait(), once ended */
};

/* argv: one piece of the machine a function */

static void printf_(2, 3) add(struct qemu_argv *v, const char *fmt, ...)
{
	va_list ap;

	assert(v->n + 1 < QEMU_MAX_ARGS);
	va_start(ap, fmt);
	if (vasprintf(&v->arg[v->n++], fmt, ap) < 0)
		abort();
	va_end(ap);
}

static void add_machine(struct qemu_argv *v, const struct qemu_args *a)
{
	add(v, "%s", a->binary);
	add(v, "-nodefaults");
	add(v, "-no-user-config");
	add(v, "-no-reboot");
	add(v, "-display");
	add(v, "none");
	add(v, "-name");
	add(v, "tare,debug-threads=on"); /* names the threads, for qemu_pin() */
	add(v, "-M");
	add(v, "pc");
	add(v, "-accel");
	if (a->kvm)
		add(v, "kvm");
	else
		add(v, "tcg,thread=%s,tb-size=512", a->one_thread ? "single" : "multi");
	add(v, "-cpu");
	add(v, "%s", a->kvm ? "host" : "max");
	add(v, "-smp");
	add(v, "%u", a->vcpus);
	add(v, "-m");
	add(v, "%lluM", (unsigned long long)(a->memory_bytes >> 20));
}

static void add_kernel(struct qemu_argv *v, const struct qemu_args *a)
{
	add(v, "-kernel");
	add(v, "%s", a->kernel);
	add(v, "-initrd");
	add(v, "/proc/self/fd/%d", a->initrd_fd);
	add(v, "-append");
	add(v, "%s", a->append);
	add(v, "-chardev");
	add(v, "stdio,id=console,signal=off");
	add(v, "-serial");
	add(v, "chardev:console");
}

static void add_ports(struct qemu_argv *v, const struct qemu_args *a)
{
	add(v, "-device");
	add(v, "virtio-serial-pci,id=ports");
	for (uint32_t i = 0; i < QEMU_MAX_PORTS && a->port[i].name; i++) {
		add(v, "-chardev");
		add(v, "socket,id=port%u,fd=%d", i, a->port[i].fd);
		add(v, "-device");
		add(v, "virtserialport,bus=ports.0,nr=%u,chardev=port%u,name=%s", i + 1, i,
			a->port[i].name);
	}
}

static void add_tap(struct qemu_argv *v, const struct qemu_args *a, uint32_t nic)
{
	char fds[16 * QEMU_MAX_QUEUES] = "";

	for (uint32_t i = 0; i < a->queues; i++)
		str_addf(fds, sizeof(fds), "%s%d", i ? ":" : "", a->nics[nic].tap_fd[i]);
	add(v, "-netdev");
	add(v, "tap,id=net%u,%s=%s%s", nic, a->queues > 1 ? "fds" : "fd", fds,
		a->vhost ? ",vhost=on" : ",vhost=off");
}

/* The back end maps the guest's memory, which must be shared for that. */
static void add_vhost_user(struct qemu_argv *v, const struct qemu_args *a)
{
	add(v, "-object");
	add(v, "memory-backend-memfd,id=memory,size=%lluM,share=on",
		(unsigned long long)(a->memory_bytes >> 20));
	add(v, "-numa");
	add(v, "node,memdev=memory");
	add(v, "-chardev");
	add(v, "socket,id=vhost,path=%s", a->vhost_user);
	add(v, "-netdev");
	add(v, "vhost-user,id=net0,chardev=vhost,queues=%u", a->queues);
}

static void add_nic(struct qemu_argv *v, const struct qemu_args *a, uint32_t nic)
{
	bool virtio = strncmp(a->nic, "virtio", 6) == 0;
	char more[400] = "";

	if (virtio && a->no_offloads)
		str_addf(more, sizeof(more),
			",csum=off,gso=off,guest_csum=off,guest_tso4=off,guest_tso6=off,"
			"guest_ecn=off,guest_ufo=off,host_tso4=off,host_tso6=off,host_ecn=off,"
			"host_ufo=off,mrg_rxbuf=off");
	/* Two interrupts a queue pair, one for configuration, one for control. */
	if (virtio && a->queues > 1)
		str_addf(more, sizeof(more), ",mq=on,vectors=%u", 2 * a->queues + 2);
	/* QEMU 7.2 crashes with MSI-X here: its TCG can't route interrupts of a vhost back end. */
	else if (a->vhost_user && !a->kvm)
		str_addf(more, sizeof(more), ",vectors=0");
	if (a->vhost_user)
		add_vhost_user(v, a);
	else
		add_tap(v, a, nic);
	add(v, "-device");
	/* romfile: a boot ROM of the NIC's would only cost time */
	add(v, "%s,netdev=net%u,mac=%s,romfile=%s", a->nic, nic, a->nics[nic].mac, more);
}

/* A hub passes frames on as they are: what it joins has no offloads. Ref: QEMU net/hub.c */
static void add_hub_nics(struct qemu_argv *v, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		add(v, "-netdev");
		add(v, "hubport,id=hub%u,hubid=0", i);
		add(v, "-device");
		add(v, "virtio-net-pci,netdev=hub%u,romfile=", i);
	}
}

/* multidevs: files of all mounted disks have distinct numbers in the guest. */
static void add_root(struct qemu_argv *v)
{
	add(v, "-virtfs");
	add(v, "local,path=/,security_model=none,readonly=on,mount_tag=hostroot,multidevs=remap");
}

void qemu_argv_init(struct qemu_argv *ret, const struct qemu_args *args)
{
	assert(!args->nic || (args->queues >= 1 && args->queues <= QEMU_MAX_QUEUES));
	*ret = (struct qemu_argv){0};
	add_machine(ret, args);
	add_kernel(ret, args);
	add_ports(ret, args);
	for (uint32_t i = 0; args->nic && i < QEMU_MAX_NICS && args->nics[i].mac; i++)
		add_nic(ret, args, i);
	add_hub_nics(ret, args->n_hub_nics);
	if (args->share_root)
		add_root(ret);
}

void qemu_argv_fini(struct qemu_argv *argv)
{
	for (uint32_t i = 0; i < argv->n; i++)
		free(argv->arg[i]);
	*argv = (struct qemu_argv){0};
}

int qemu_find(const char *binary, struct err *e)
{
	if (exec_find(binary, NULL, 0))
		return 0;
	return err_say(e, EOPNOTSUPP,
		"no program '%s': install QEMU (make deps-vm, or the package qemu-system-x86)",
		binary);
}

int qemu_kvm_opens(struct err *e)
{
	_cleanup_(closep) int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	_cleanup_(closep) int vm_fd = fd < 0 ? -1 : ioctl(fd, KVM_CREATE_VM, 0UL);

	if (vm_fd >= 0)
		return 0;
	return err_say(e, ENODEV, "%s: %s",
		fd < 0 ? "cannot open /dev/kvm" : "/dev/kvm creates no machine", strerror(errno));
}

/* In the child */

/* The terminal's Ctrl-C is the parent's to answer; what it blocks is not for QEMU to inherit. */
static void become_child(pid_t parent)
{
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
}

static bool set_streams(int out_fd, int err_fd)
{
	int in_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	return in_fd >= 0 && dup2(in_fd, STDIN_FILENO) >= 0 && dup2(out_fd, STDOUT_FILENO) >= 0 &&
	       dup2(err_fd, STDERR_FILENO) >= 0;
}

static bool keep(int fd)
{
	return fcntl(fd, F_SETFD, 0) == 0;
}

static bool keep_all(const struct qemu_args *a)
{
	bool kept = keep(a->initrd_fd);

	for (uint32_t i = 0; kept && i < QEMU_MAX_PORTS && a->port[i].name; i++)
		kept = keep(a->port[i].fd);
	for (uint32_t k = 0; k < QEMU_MAX_NICS && a->nics[k].tap_fd; k++)
		for (uint32_t i = 0; kept && i < a->queues; i++)
			kept = keep(a->nics[k].tap_fd[i]);
	return kept;
}

static _Noreturn void child_main(const struct qemu *q, const struct qemu_args *a,
	struct qemu_argv *v, pid_t parent)
{
	become_child(parent);
	if (set_streams(q->console_fd, q->stderr_fd) &&
		(a->netns_fd < 0 || setns(a->netns_fd, CLONE_NEWNET) == 0) && keep_all(a))
		execvp(v->arg[0], v->arg);
	dprintf(STDERR_FILENO, "cannot start: %s\n", strerror(errno));
	_exit(127);
}

/*
 * For the list of all devices it would load all modules, and abort at one of another build. With
 * status 0 it also says that there is no such device.
 */
int qemu_has_device(const char *binary, const char *device, struct err *e)
{
	_cleanup_(freep) char *ask = xasprintf("%s,help", device);
	_cleanup_(freep) char *answer = xasprintf("%s options:", device);
	const char *const argv[] = {binary, "-device", ask, NULL};
	const struct exec_args args = {.argv = argv,
		.netns_fd = -1,
		.cancel_fd = -1,
		.timeout_ns = QEMU_HELP_NS};
	_cleanup_(freep) struct exec_result *res = NULL;

	if (exec_run(&res, &args, e) != 0) {
		struct err why = *e;

		return err_say(e, EOPNOTSUPP, "'%s' does not tell which devices it has: %s", binary,
			why.text);
	}
	if (strstr(res->out, answer))
		return 0;
	return err_say(e, EOPNOTSUPP, "'%s' has no device '%s': a newer QEMU may", binary, device);
}

int qemu_start(struct qemu **ret, const struct qemu_args *args, struct err *e)
{
	_cleanup_(qemu_closep) struct qemu *q = xcalloc(1, sizeof(*q));
	struct qemu_argv v;
	pid_t parent = getpid();

	q->pidfd = q->stderr_fd = -1;
	q->console_fd = memfd_create("tare-guest-console", MFD_CLOEXEC);
	q->stderr_fd = memfd_create("tare-qemu-stderr", MFD_CLOEXEC);
	if (q->console_fd < 0 || q->stderr_fd < 0)
		return err_set(e, errno, "cannot create a file in memory");
	qemu_argv_init(&v, args);
	q->pid = fork();
	if (q->pid == 0)
		child_main(q, args, &v, parent);
	qemu_argv_fini(&v);
	if (q->pid < 0)
		return err_set(e, errno, "cannot fork QEMU");
	q->pidfd = (int)syscall(SYS_pidfd_open, q->pid, 0);
	if (q->pidfd < 0)
		return err_set(e, errno, "cannot watch QEMU");
	*ret = take_ptr(q);
	return 0;
}

bool qemu_console_said(const struct qemu *q, const char *text)
{
	char said[QEMU_EARLY_BYTES];
	ssize_t n = pread(q->console_fd, said, sizeof(said), 0);

	return n > 0 && memmem(said, (size_t)n, text, strlen(text));
}

pid_t qemu_pid(const struct qemu *q)
{
	return q->pid;
}

uint64_t qemu_cpu_ns(const struct qemu *q)
{
	struct timespec ts;
	clockid_t id;

	if (clock_getcpuclockid(q->pid, &id) != 0 || clock_gettime(id, &ts) < 0)
		return 0;
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* Waits until it has ended. Return: has it? */
static bool wait_end(struct qemu *q, uint64_t deadline_ns)
{
	struct pollfd p = {.fd = q->pidfd, .events = POLLIN};

	if (q->ended)
		return true;
	while (poll(&p, 1, clock_left_ms(deadline_ns)) < 0 && errno == EINTR)
		;
	q->ended = p.revents != 0 && waitpid(q->pid, &q->status, WNOHANG) == q->pid;
	return q->ended;
}

int qemu_say_why(struct qemu *q, struct err *e)
{
	char words[320], how[64] = "QEMU runs, but its guest does not answer";

	if (wait_end(q, clock_now_ns() + QEMU_FAREWELL_NS))
		snprintf(how, sizeof(how), "QEMU ended with %s%d",
			WIFSIGNALED(q->status) ? "signal " : "",
			WIFSIGNALED(q->status) ? WTERMSIG(q->status) : WEXITSTATUS(q->status));
	exec_last_words(q->stderr_fd, words, sizeof(words));
	if (*words)
		return err_say(e, EIO, "%s: %s", how, words);
	exec_last_words(q->console_fd, words, sizeof(words));
	return err_say(e, EIO, "%s; last on its console: %s", how, *words ? words : "nothing");
}

/* "CPU 0/KVM", "CPU 1/TCG". Ref: QEMU accel/kvm/kvm-accel-ops.c, tcg-accel-ops-mttcg.c */
static int pin_thread(pid_t pid, const char *tid, const uint32_t *cpus, uint32_t n_cpus,
	struct err *e)
{
	_cleanup_(freep) char *path = xasprintf("/proc/%d/task/%s/comm", (int)pid, tid);
	_cleanup_(fclosep) FILE *f = fopen(path, "re");
	cpu_set_t set;
	unsigned i;
	int id;

	if (!f || fscanf(f, "CPU %u/", &i) != 1 || sscanf(tid, "%d", &id) != 1)
		return 0; /* another thread, or one that just ended */
	CPU_ZERO(&set);
	CPU_SET(cpus[i % n_cpus], &set);
	if (sched_setaffinity(id, sizeof(set), &set) < 0)
		return err_set(e, errno, "cannot pin vCPU %u to CPU %u", i, cpus[i % n_cpus]);
	return 1;
}

int qemu_pin(const struct qemu *q, const uint32_t *cpus, uint32_t n_cpus, struct err *e)
{
	_cleanup_(freep) char *path = xasprintf("/proc/%d/task", (int)q->pid);
	_cleanup_(dir_closep) DIR *dir = opendir(path);
	struct dirent *entry;
	uint32_t n_pinned = 0;

	if (!dir)
		return err_set(e, errno, "cannot open %s", path);
	while ((entry = readdir(dir))) {
		int r = pin_thread(q->pid, entry->d_name, cpus, n_cpus, e);

		if (r < 0)
			return r;
		n_pinned += (uint32_t)r;
	}
	return n_pinned ? 0 : err_say(e, ENOENT, "QEMU has no thread that is a CPU of its guest");
}

/* One that has ended is noticed by whoever asks it something. */
void qemu_rest(const struct qemu *q, bool rest)
{
	(void)kill(q->pid, rest ? SIGSTOP : SIGCONT);
}

void qemu_close(struct qemu *q)
{
	if (!q)
		return;
	if (q->pid > 0 && !wait_end(q, clock_now_ns() + QEMU_FAREWELL_NS)) {
		kill(q->pid, SIGKILL);
		while (waitpid(q->pid, &q->status, 0) < 0 && errno == EINTR)
			;
	}
	closep(&q->pidfd);
	closep(&q->console_fd);
	closep(&q->stderr_fd);
	free(q);
}
