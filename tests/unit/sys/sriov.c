/* Virtual functions, in a tree like that of sysfs. */
#include "sys/sriov.h"

#include "base/cleanup.h"
#include "base/macro.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char root[] = "/tmp/tare-sriov-XXXXXX";

/*
 * pf0 has VFs: a0, one bound to no network driver, a device half gone. pf1 could have some,
 * plain can't, a0 is a VF, lo has no hardware, odd has nonsense for a number.
 */
static const char *const dirs[] = {
	"class",
	"class/net",
	"class/net/lo",
	"class/net/pf0",
	"class/net/pf0/device",
	"class/net/pf0/device/virtfn0",
	"class/net/pf0/device/virtfn0/net",
	"class/net/pf0/device/virtfn0/net/a0",
	"class/net/pf0/device/virtfn1",
	"class/net/pf0/device/virtfn2",
	"class/net/pf0/device/virtfn2/net",
	"class/net/pf0/device/virtfn2/net/a2",
	"class/net/pf1",
	"class/net/pf1/device",
	"class/net/plain",
	"class/net/plain/device",
	"class/net/a0",
	"class/net/a0/device",
	"class/net/a0/device/physfn",
	"class/net/a0/device/physfn/net",
	"class/net/a0/device/physfn/net/pf0",
	"class/net/odd",
	"class/net/odd/device",
};

static const char *const files[][2] = {
	{"class/net/bonding_masters", "\n"},
	{"class/net/pf0/device/sriov_totalvfs", "7\n"},
	{"class/net/pf0/device/sriov_numvfs", "3\n"},
	{"class/net/pf0/device/virtfn0/net/a0/ifindex", "12\n"},
	{"class/net/pf0/device/virtfn0/net/a0/address", "9e:0f:78:53:21:6e\n"},
	{"class/net/pf0/device/virtfn2/net/a2/ifindex", "13\n"},
	{"class/net/pf1/device/sriov_totalvfs", "8\n"},
	{"class/net/pf1/device/sriov_numvfs", "0\n"},
	{"class/net/odd/device/sriov_totalvfs", "many\n"},
	{"class/net/odd/device/sriov_numvfs", "2\n"},
};

static int make_tree(void **state)
{
	char path[PATH_MAX];

	(void)state;
	if (!mkdtemp(root))
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		snprintf(path, sizeof(path), "%s/%s", root, dirs[i]);
		if (mkdir(path, 0700) < 0)
			return -1;
	}
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		_cleanup_(closep) int fd = -1;

		snprintf(path, sizeof(path), "%s/%s", root, files[i][0]);
		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0 || write(fd, files[i][1], strlen(files[i][1])) < 0)
			return -1;
	}
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int remove_tree(void **state)
{
	(void)state;
	return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void functions_and_their_devices(void **state)
{
	struct sriov s;
	struct err e = {0};

	(void)state;
	assert_int_equal(sriov_read(&s, root, "pf0", &e), 0);
	assert_int_equal(s.total, 7);
	assert_int_equal(s.n, 3);
	assert_string_equal(s.vf[0].dev, "a0");
	assert_int_equal(s.vf[0].ifindex, 12);
	assert_string_equal(s.vf[0].mac, "9e:0f:78:53:21:6e");
	assert_string_equal(s.vf[1].dev, "");
	assert_string_equal(s.vf[2].dev, "");
}

static void refused(const char *dev, int code, const char *words)
{
	struct sriov s;
	struct err e = {0};

	assert_int_equal(sriov_read(&s, root, dev, &e), code);
	if (!strstr(e.text, words))
		fail_msg("%s: '%s' has no '%s'", dev, e.text, words);
}

static void says_why_not(void **state)
{
	(void)state;
	refused("pf1", -EOPNOTSUPP, "8 it can have): echo 2 > /sys/class/net/pf1/device/sriov");
	refused("nosuch", -EOPNOTSUPP, "there is no network device 'nosuch'");
	refused("plain", -EOPNOTSUPP, "'plain' can't have virtual functions");
	refused("lo", -EOPNOTSUPP, "'lo' can't have virtual functions");
	refused("a0", -EOPNOTSUPP, "'a0' is itself a virtual function, of 'pf0'");
	refused("odd", -EOPNOTSUPP, "'odd' can't have virtual functions");
	refused("..", -EINVAL, "not a name");
	refused("pf0/device", -EINVAL, "not a name");
	refused("a-name-that-is-too-long", -EINVAL, "not a name");
	refused("", -EINVAL, "not a name");
}

static void finds_those_that_can(void **state)
{
	char name[8][16];
	bool seen[2] = {0};
	uint32_t n = sriov_find(name, ARRAY_SIZE(name), root);

	(void)state;
	assert_int_equal(n, 3); /* odd too: sriov_read() says what is wrong with it */
	for (uint32_t i = 0; i < n; i++) {
		seen[0] |= strcmp(name[i], "pf0") == 0;
		seen[1] |= strcmp(name[i], "pf1") == 0;
	}
	assert_true(seen[0] && seen[1]);
	assert_int_equal(sriov_find(name, 1, root), 1);
	assert_int_equal(sriov_find(name, 8, "/nowhere"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(functions_and_their_devices),
		cmocka_unit_test(says_why_not),
		cmocka_unit_test(finds_those_that_can),
	};

	return cmocka_run_group_tests_name("sriov", tests, make_tree, remove_tree);
}
