#include "sys/napi.h"

#include "base/cleanup.h"
#include "base/num.h"
#include "base/str.h"
#include "sys/file.h"
#include "sys/ns.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mount.h>

int napi_open(int netns_fd, struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	_cleanup_(closep) int fs = -1, mnt = -1;
	int fd, r = ns_scope_enter(&scope, netns_fd, e);

	if (r < 0)
		return r;
	/* Ref: fs/sysfs/mount.c: the namespace is the one of who opens it. */
	fs = fsopen("sysfs", FSOPEN_CLOEXEC);
	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_set(e, errno, "cannot make a sysfs for the namespace");
	mnt = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	if (mnt < 0)
		return err_set(e, errno, "cannot make a sysfs for the namespace");
	fd = openat(mnt, "class/net", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_set(e, errno, "cannot open class/net of sysfs") : fd;
}

static int open_file(int napi_fd, const char *dev, const char *name, int flags)
{
	char path[80];

	snprintf(path, sizeof(path), "%s/%s", dev, name);
	return openat(napi_fd, path, flags | O_CLOEXEC);
}

static int read_file(int napi_fd, const char *dev, const char *name, char *ret, size_t size,
	struct err *e)
{
	_cleanup_(closep) int fd = open_file(napi_fd, dev, name, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, ret, size - 1);

	if (n < 0)
		return err_set(e, errno, "cannot read %s of '%s'", name, dev);
	ret[n] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	return 0;
}

static int write_file(int napi_fd, const char *dev, const char *name, const char *text,
	struct err *e)
{
	_cleanup_(closep) int fd = open_file(napi_fd, dev, name, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return err_set(e, errno, "cannot write %s of '%s'", name, dev);
	return 0;
}

int napi_threaded(int napi_fd, const char *dev, struct err *e)
{
	char text[16];
	int r = read_file(napi_fd, dev, "threaded", text, sizeof(text), e);

	return r < 0 ? r : text[0] != '0';
}

int napi_set_threaded(int napi_fd, const char *dev, bool on, struct err *e)
{
	return write_file(napi_fd, dev, "threaded", on ? "1" : "0", e);
}

/* Ref: net/core/dev.c napi_kthread_create: "napi/%s-%d", device and number of the NAPI. */
static bool is_thread_of(const char *pid, const char *prefix)
{
	char path[64], comm[64];
	uint64_t number;

	snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
	if (file_read(path, comm, sizeof(comm), NULL) < 0 ||
		strncmp(comm, prefix, strlen(prefix)) != 0)
		return false;
	comm[strcspn(comm, "\n")] = '\0';
	return num_parse(comm + strlen(prefix), NUM_COUNT, &number, NULL) == 0;
}

uint32_t napi_threads(const char *dev, int *ret)
{
	_cleanup_(dir_closep) DIR *proc = opendir("/proc");
	const struct dirent *d;
	char prefix[32];
	uint32_t n = 0;

	snprintf(prefix, sizeof(prefix), "napi/%s-", dev);
	while (proc && n < NAPI_MAX_THREADS && (d = readdir(proc))) {
		uint64_t pid;

		if (num_parse(d->d_name, NUM_COUNT, &pid, NULL) == 0 &&
			is_thread_of(d->d_name, prefix))
			ret[n++] = (int)pid;
	}
	return n;
}

#define RPS_FILE "queues/rx-0/rps_cpus"

int napi_rps(int napi_fd, const char *dev, char *ret, size_t size, struct err *e)
{
	return read_file(napi_fd, dev, RPS_FILE, ret, size, e);
}

int napi_set_rps(int napi_fd, const char *dev, const char *mask, struct err *e)
{
	return write_file(napi_fd, dev, RPS_FILE, mask, e);
}

void napi_mask(uint32_t cpu, char *ret, size_t size)
{
	ret[0] = '\0';
	str_addf(ret, size, "%x", 1U << cpu % 32);
	for (uint32_t i = 0; i < cpu / 32; i++)
		str_addf(ret, size, ",00000000");
}

#define FLUSH_FILE "gro_flush_timeout" /* ns */
#define DEFER_FILE "napi_defer_hard_irqs"

static int read_number(int napi_fd, const char *dev, const char *name, uint64_t *ret, struct err *e)
{
	char text[32];
	int r = read_file(napi_fd, dev, name, text, sizeof(text), e);

	return r < 0 ? r : num_parse(text, NUM_COUNT, ret, e);
}

static int write_number(int napi_fd, const char *dev, const char *name, uint64_t n, struct err *e)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, n);
	return write_file(napi_fd, dev, name, text, e);
}

int napi_moderation(int napi_fd, const char *dev, struct napi_moderation *ret, struct err *e)
{
	uint64_t defer = 0;
	int r = read_number(napi_fd, dev, FLUSH_FILE, &ret->flush_ns, e);

	if (r == 0)
		r = read_number(napi_fd, dev, DEFER_FILE, &defer, e);
	ret->defer = (uint32_t)defer;
	return r;
}

int napi_set_moderation(int napi_fd, const char *dev, const struct napi_moderation *to,
	struct err *e)
{
	int r = write_number(napi_fd, dev, FLUSH_FILE, to->flush_ns, e);

	return r < 0 ? r : write_number(napi_fd, dev, DEFER_FILE, to->defer, e);
}
