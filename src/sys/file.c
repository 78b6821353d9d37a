#include "sys/file.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

int file_read(const char *path, char *ret, size_t size, struct err *e)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;

	assert(size > 1);
	if (fd < 0)
		return err_set(e, errno, "cannot open %s", path);
	while (len < size - 1) {
		ssize_t n = read(fd, ret + len, size - 1 - len);

		if (n < 0)
			return err_set(e, errno, "cannot read %s", path);
		if (n == 0)
			break;
		len += (size_t)n;
	}
	if (len > 0 && ret[len - 1] == '\n')
		len--;
	ret[len] = '\0';
	return (int)len;
}

int file_write(const char *path, const char *text, struct err *e)
{
	_cleanup_(closep) int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return err_set(e, errno, "cannot open %s", path);
	if (write(fd, text, strlen(text)) < 0)
		return err_set(e, errno, "cannot write '%s' to %s", text, path);
	return 0;
}

int file_sysctl_read(const char *name, char *ret, size_t size, struct err *e)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	return file_read(path, ret, size, e);
}

int file_sysctl_write(const char *name, const char *value, struct err *e)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	return file_write(path, value, e);
}
