#include "sys/nics.h"

#include "base/str.h"
#include "sys/file.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#define NICS_CMDLINE_BYTES 16384

/*
 * Models as QEMU names them, and the drivers that Linux binds to them. vmxnet3 is made for
 * virtual machines, but QEMU emulates its registers like the others'. Ref: "qemu -device help",
 * section Network devices; modinfo of the drivers.
 */
static const char *const emulated[] = {
	"rtl8139",
	"8139cp",
	"8139too",
	"e1000",
	"e1000-82540em",
	"e1000-82544gc",
	"e1000-82545em",
	"e1000e",
	"igb",
	"igbvf",
	"ne2k_pci",
	"ne2k_isa",
	"ne2k-pci",
	"pcnet",
	"pcnet32",
	"i82550",
	"i82551",
	"i82557b",
	"i82559er",
	"i82801",
	"e100",
	"tulip",
	"vmxnet3",
};

/* Models that are no emulation; known so that a command line can be read. */
static const char *const paravirtual[] = {
	"virtio",
	"virtio-net",
	"virtio-net-pci",
	"virtio-net-device",
	"virtio-net-ccw",
	"virtio-net-pci-non-transitional",
	"vfio-pci",
};

bool nics_is_emulated(const char *name)
{
	return str_index(name, emulated, ARRAY_SIZE(emulated)) >= 0;
}

static bool is_model(const char *name)
{
	return nics_is_emulated(name) || str_index(name, paravirtual, ARRAY_SIZE(paravirtual)) >= 0;
}

/* The model in the value of -device ("e1000,netdev=n0"), -net or -nic ("tap,model=e1000"). */
static bool model_of(const char *option, const char *value, char *ret, size_t size)
{
	const char *at = value;

	if (strcmp(option, "-net") == 0 || strcmp(option, "-nic") == 0) {
		at = strstr(value, "model=");
		at = at ? at + strlen("model=") : "";
	} else if (strcmp(option, "-device") != 0) {
		return false;
	}
	snprintf(ret, size, "%.*s", (int)strcspn(at, ","), at);
	return is_model(ret);
}

unsigned nics_models(const char *cmdline, size_t len, char *ret, size_t size)
{
	const char *end = cmdline + len, *option = "";
	unsigned n = 0;

	ret[0] = '\0';
	for (const char *p = cmdline; p < end; p += strnlen(p, (size_t)(end - p)) + 1) {
		char model[64];

		/* "--device" means the same. */
		if (p[0] == '-')
			option = p[1] == '-' ? p + 1 : p;
		else if (model_of(option, p, model, sizeof(model))) {
			str_addf(ret, size, "%s%s", n ? ", " : "", model);
			n++;
		}
	}
	return n;
}

static void add_guest(const char *pid, char *ret, size_t size)
{
	char path[64], cmdline[NICS_CMDLINE_BYTES], models[128];
	const char *slash;
	int n;

	snprintf(path, sizeof(path), "/proc/%.20s/cmdline", pid);
	n = file_read(path, cmdline, sizeof(cmdline), NULL);
	if (n <= 0)
		return;
	slash = strrchr(cmdline, '/');
	if (strncmp(slash ? slash + 1 : cmdline, "qemu-", 5) != 0 &&
		strcmp(slash ? slash + 1 : cmdline, "kvm") != 0)
		return;
	if (nics_models(cmdline, (size_t)n, models, sizeof(models)))
		str_addf(ret, size, "%spid %.20s: %s", *ret ? "; " : "", pid, models);
}

/* From what the kernel says of the device: a link's target would take one more system call. */
static void add_driver(const char *dev, char *ret, size_t size)
{
	static const char key[] = "DRIVER=";
	char path[300], text[1024];
	const char *driver;

	snprintf(path, sizeof(path), "/sys/class/net/%.200s/device/uevent", dev);
	if (file_read(path, text, sizeof(text), NULL) < 0)
		return;
	driver = strstr(text, key);
	if (!driver)
		return;
	driver += strlen(key);
	str_addf(ret, size, "%s%s %.*s", *ret ? ", " : "", dev, (int)strcspn(driver, "\n"), driver);
}

/* What @add_one makes of every entry of a directory. */
static void of_all(const char *dir, void (*add_one)(const char *name, char *ret, size_t size),
	char *ret, size_t size)
{
	DIR *d = opendir(dir);

	ret[0] = '\0';
	for (const struct dirent *entry; d && (entry = readdir(d));)
		if (entry->d_name[0] != '.')
			add_one(entry->d_name, ret, size);
	if (d)
		closedir(d);
	if (!*ret)
		(void)str_copy(ret, size, d ? "none" : "unknown");
}

void nics_of_guests(char *ret, size_t size)
{
	of_all("/proc", add_guest, ret, size);
}

void nics_drivers(char *ret, size_t size)
{
	of_all("/sys/class/net", add_driver, ret, size);
}
