/* Adapters on command lines of QEMU, as /proc/<pid>/cmdline has them. */
#include "sys/nics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MODELS(cmdline, ret) nics_models(cmdline, sizeof(cmdline), ret, sizeof(ret))

static void models(void **state)
{
	char ret[64];

	(void)state;
	assert_int_equal(MODELS("qemu-system-x86_64\0-m\0"
				"512\0-device\0rtl8139,netdev=n0\0-device\0virtio-net-pci",
				 ret),
		2);
	assert_string_equal(ret, "rtl8139, virtio-net-pci");
	assert_int_equal(MODELS("qemu\0--device\0e1000", ret), 1);
	assert_string_equal(ret, "e1000");
	assert_int_equal(MODELS("qemu\0-nic\0tap,model=e1000e,ifname=t0", ret), 1);
	assert_string_equal(ret, "e1000e");
	assert_int_equal(MODELS("qemu\0-net\0nic,model=pcnet\0-net\0user", ret), 1);
	assert_string_equal(ret, "pcnet");
	/* Other devices, a model elsewhere, no value, no NUL at the end. */
	assert_int_equal(MODELS("qemu\0-device\0virtio-serial-pci\0-name\0rtl8139", ret), 0);
	assert_int_equal(nics_models("-device", 7, ret, sizeof(ret)), 0);
	assert_int_equal(nics_models("", 0, ret, sizeof(ret)), 0);
	assert_string_equal(ret, "");
}

static void names(void **state)
{
	(void)state;
	assert_true(nics_is_emulated("rtl8139"));
	assert_true(nics_is_emulated("8139cp"));
	assert_false(nics_is_emulated("virtio_net"));
	assert_false(nics_is_emulated("mlx5_core"));
	assert_false(nics_is_emulated(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(models), cmocka_unit_test(names)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
