#include "sys/container.h"

#include "base/macro.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void ids_are_found(void **state)
{
	static const char *const text[] = {
		"0::/system.slice/docker-" ID ".scope\n",
		"12:cpu,cpuacct:/docker/" ID "\n0::/\n",
		"0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-" ID ".scope\n",
		"0::/kubepods/besteffort/pod11-22/" ID,
		"0::/machine.slice/libpod-" ID ".scope/container/init.scope\n",
		"1:name=systemd:/user.slice\n0::/machine.slice/crio-" ID ".scope\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(text); i++) {
		char id[65];

		assert_true(container_of_cgroup(text[i], id, sizeof(id)));
		assert_string_equal(id, ID);
	}
}

static void others_are_none(void **state)
{
	static const char *const text[] = {
		"",
		"\n",
		"0::/\n",
		"0::/user.slice/user-1000.slice/session-1.scope\n",
		"0::/machine.slice/libpod-conmon-" ID ".scope\n",
		"0::/docker/" ID "0\n",
		"0::/docker/" ID "x\n",
		"0::/docker/x" ID "\n",
		"0::/docker/0123456789abcdef\n",
		"0::/.scope\n",
	};
	char id[65], small[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(text); i++)
		assert_false(container_of_cgroup(text[i], id, sizeof(id)));
	assert_false(container_of_cgroup("/docker/" ID, small, sizeof(small)));
}

static void names_are_checked(void **state)
{
	(void)state;
	assert_int_equal(container_check("c0ffee", NULL), 0);
	assert_int_equal(container_check("web_1.a-b", NULL), 0);
	assert_true(container_check("", NULL) < 0);
	assert_true(container_check("-f", NULL) < 0);
	assert_true(container_check("a b", NULL) < 0);
	assert_true(container_check("a/b", NULL) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_are_found),
		cmocka_unit_test(others_are_none),
		cmocka_unit_test(names_are_checked),
	};

	return cmocka_run_group_tests_name("container", tests, NULL, NULL);
}
