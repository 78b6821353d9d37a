#include "guest/boot.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "path/guest_link.h"
#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <linux/module.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PORT_NS (10 * NSEC_PER_SEC)

int boot_mount(struct err *e)
{
	static const struct {
		const char *type, *dir;
	} fs[] = {{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"tmpfs", "/tmp"}};

	for (size_t i = 0; i < ARRAY_SIZE(fs); i++)
		if (mount(fs[i].type, fs[i].dir, fs[i].type, 0, NULL) < 0)
			return err_set(e, errno, "cannot mount %s", fs[i].dir);
	return 0;
}

/* A kernel's own modules may be compressed (.ko.xz), which a kernel that has such ones unpacks. */
static int load_module(const char *path, struct err *e)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	const char *end = strrchr(path, '.');
	int flags = end && strcmp(end, ".ko") != 0 ? MODULE_INIT_COMPRESSED_FILE : 0;

	if (fd < 0)
		return err_set(e, errno, "cannot open %s", path);
	if (syscall(SYS_finit_module, fd, "", flags) == 0 || errno == EEXIST)
		return 0;
	if (flags && (errno == EINVAL || errno == EOPNOTSUPP))
		return err_say(e, errno,
			"this kernel does not unpack %s: unpack its modules and run depmod", path);
	return err_set(e, errno, "cannot load %s", path);
}

int boot_modules(struct err *e)
{
	glob_t found = {0};
	int r = 0;

	(void)glob("/" GUEST_MODULES "/*", 0, NULL, &found);
	for (size_t i = 0; r == 0 && i < found.gl_pathc; i++)
		r = load_module(found.gl_pathv[i], e);
	globfree(&found);
	return r;
}

/* Looks the port up among those there are. Return: descriptor, or -ENOENT. */
static int find_port(const char *name)
{
	glob_t found = {0};
	int fd = -ENOENT;

	(void)glob("/sys/class/virtio-ports/*/name", 0, NULL, &found);
	for (size_t i = 0; fd < 0 && i < found.gl_pathc; i++) {
		char text[64], dev[PATH_MAX] = "";

		if (file_read(found.gl_pathv[i], text, sizeof(text), NULL) < 0 ||
			strcmp(text, name) != 0)
			continue;
		(void)sscanf(found.gl_pathv[i], "/sys/class/virtio-ports/%60[^/]/", text);
		snprintf(dev, sizeof(dev), "/dev/%s", text);
		fd = open(dev, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	}
	globfree(&found);
	return fd;
}

int boot_port(const char *name, struct err *e)
{
	uint64_t deadline_ns = clock_now_ns() + PORT_NS;
	int fd;

	while ((fd = find_port(name)) < 0) {
		if (clock_left_ms(deadline_ns) == 0)
			return err_say(e, ENOENT, "no port '%s'", name);
		poll(NULL, 0, 1);
	}
	return fd;
}

/* Ref: kill(2) */
void boot_kill_all(void)
{
	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
}

_Noreturn void boot_power_off(void)
{
	boot_kill_all();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}
