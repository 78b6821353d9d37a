/* Ref: Documentation/ABI/testing/sysfs-bus-pci, sysfs-class-net. */
#include "sys/sriov.h"

#include "base/str.h"
#include "sys/file.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int sriov_check_name(const char *dev, struct err *e)
{
	if (!*dev || strlen(dev) >= IFNAMSIZ || strchr(dev, '/') || strcmp(dev, ".") == 0 ||
		strcmp(dev, "..") == 0)
		return err_say(e, EINVAL, "'%.40s' is not a name of a network device", dev);
	return 0;
}

/* Names are short and there are few: what does not fit is no path of sysfs. */
static void join(char *ret, const char *fmt, ...) printf_(2, 3);
static void join(char *ret, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(ret, PATH_MAX, fmt, ap) >= PATH_MAX)
		ret[0] = '\0';
	va_end(ap);
}

/* Return: 0 or negative errno. */
static int read_number(const char *dir, const char *file, uint32_t *ret)
{
	char path[PATH_MAX], text[32];
	int r;

	join(path, "%s/%s", dir, file);
	r = file_read(path, text, sizeof(text), NULL);
	if (r < 0)
		return r;
	return sscanf(text, "%u", ret) == 1 ? 0 : -EINVAL;
}

/* The first entry of a directory: the one device of a function, or its first port. */
static void first_entry(const char *dir, char *ret, size_t size)
{
	DIR *d = opendir(dir);

	ret[0] = '\0';
	for (const struct dirent *entry; d && !*ret && (entry = readdir(d));)
		if (entry->d_name[0] != '.')
			(void)str_copy(ret, size, entry->d_name);
	if (d)
		closedir(d);
}

/* What is half there is as if it were not: it may go at any moment. */
static void read_vf(struct sriov_vf *ret, const char *pf_dir, uint32_t i)
{
	char dir[PATH_MAX], dev_dir[PATH_MAX], path[PATH_MAX];
	uint32_t ifindex;

	*ret = (struct sriov_vf){0};
	join(dir, "%s/virtfn%u/net", pf_dir, i);
	first_entry(dir, ret->dev, sizeof(ret->dev));
	if (!*ret->dev)
		return;
	join(dev_dir, "%s/%s", dir, ret->dev);
	join(path, "%s/address", dev_dir);
	if (read_number(dev_dir, "ifindex", &ifindex) < 0 ||
		file_read(path, ret->mac, sizeof(ret->mac), NULL) < 0)
		*ret = (struct sriov_vf){0};
	else
		ret->ifindex = (int)ifindex;
}

static int no_pf(const char *dir, const char *dev, struct err *e)
{
	char path[PATH_MAX], pf[IFNAMSIZ];

	join(path, "%s/physfn/net", dir);
	first_entry(path, pf, sizeof(pf));
	if (*pf)
		return err_say(e, EOPNOTSUPP, "'%s' is itself a virtual function, of '%s'", dev,
			pf);
	return err_say(e, EOPNOTSUPP,
		"'%s' can't have virtual functions (SR-IOV): it, its driver or the firmware's "
		"settings lack it",
		dev);
}

int sriov_read(struct sriov *ret, const char *sysfs, const char *dev, struct err *e)
{
	char dir[PATH_MAX];
	int r = sriov_check_name(dev, e);

	if (r < 0)
		return r;
	*ret = (struct sriov){0};
	join(dir, "%s/class/net/%s", sysfs, dev);
	if (access(dir, F_OK) < 0)
		return err_say(e, EOPNOTSUPP, "there is no network device '%s' here", dev);
	join(dir, "%s/class/net/%s/device", sysfs, dev);
	if (read_number(dir, "sriov_totalvfs", &ret->total) < 0 ||
		read_number(dir, "sriov_numvfs", &ret->n) < 0)
		return no_pf(dir, dev, e);
	ret->n = MIN(ret->n, (uint32_t)SRIOV_MAX_VFS);
	if (ret->n == 0)
		return err_say(e, EOPNOTSUPP,
			"'%s' has no virtual functions (of %u it can have): echo 2 > "
			"/sys/class/net/%s/device/sriov_numvfs",
			dev, ret->total, dev);
	for (uint32_t i = 0; i < ret->n; i++)
		read_vf(&ret->vf[i], dir, i);
	return 0;
}

uint32_t sriov_find(char (*ret)[16], uint32_t max, const char *sysfs)
{
	char dir[PATH_MAX];
	uint32_t n = 0;
	DIR *d;

	join(dir, "%s/class/net", sysfs);
	d = opendir(dir);
	for (const struct dirent *entry; d && n < max && (entry = readdir(d));) {
		char path[PATH_MAX];

		join(path, "%s/%.15s/device/sriov_totalvfs", dir, entry->d_name);
		if (entry->d_name[0] != '.' && access(path, F_OK) == 0)
			(void)str_copy(ret[n++], sizeof(ret[0]), entry->d_name);
	}
	if (d)
		closedir(d);
	return n;
}
