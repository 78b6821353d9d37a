/* Kernel modules in the order they can be loaded in, of a kernel unpacked for guests. */
#include "sys/kmodule.h"

#include "base/macro.h"

#include <errno.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Where make deps-vm puts it. */
#define GUEST_MODULES "/var/lib/tare/guest/lib/modules/*"

static int position(const struct kmodule_list *list, const char *file)
{
	for (uint32_t i = 0; i < list->n; i++) {
		const char *base = strrchr(list->path[i], '/') + 1;

		if (strncmp(base, file, strlen(file)) == 0)
			return (int)i;
	}
	return -1;
}

static void needs_come_first(void **state)
{
	const char *const names[] = {"virtio_pci", "virtio_net", "e1000", "virtio_console", NULL};
	struct kmodule_list list;
	struct err e = {0};
	int pci, ring;

	if (kmodule_resolve(&list, *state, names, &e) != 0)
		fail_msg("%s", e.text);
	pci = position(&list, "virtio_pci.ko");
	ring = position(&list, "virtio_ring.ko");
	/* -1: built in */
	assert_true(ring < pci || pci < 0);
	assert_true(position(&list, "net_failover.ko") <= position(&list, "virtio_net.ko"));
	assert_true(position(&list, "e1000.ko") >= 0);
	for (uint32_t i = 0; i < list.n; i++)
		for (uint32_t k = 0; k < i; k++)
			assert_string_not_equal(list.path[i], list.path[k]);
	kmodule_list_fini(&list);
}

static void a_module_there_is_not(void **state)
{
	const char *const names[] = {"virtio_pci", "nosuch_nic", NULL};
	struct kmodule_list list;
	struct err e = {0};

	assert_int_equal(kmodule_resolve(&list, *state, names, &e), -EOPNOTSUPP);
	assert_non_null(strstr(e.text, "nosuch_nic"));
	assert_int_equal(list.n, 0);
}

static void a_folder_without_index(void **state)
{
	const char *const names[] = {"virtio_pci", NULL};
	struct kmodule_list list;
	struct err e = {0};

	(void)state;
	assert_int_equal(kmodule_resolve(&list, "/nowhere", names, &e), -EOPNOTSUPP);
	assert_non_null(strstr(e.text, "depmod"));
}

int main(void)
{
	glob_t found = {0};
	struct CMUnitTest tests[] = {
		cmocka_unit_test(a_folder_without_index),
		cmocka_unit_test(needs_come_first),
		cmocka_unit_test(a_module_there_is_not),
	};
	size_t n = ARRAY_SIZE(tests);
	int r;

	if (glob(GUEST_MODULES, 0, NULL, &found) != 0) {
		printf("# the rest is skipped: there is no " GUEST_MODULES " (make deps-vm)\n");
		n = 1;
	}
	for (size_t i = 1; i < n; i++)
		tests[i].initial_state = found.gl_pathv[0];
	r = _cmocka_run_group_tests("kmodule", tests, n, NULL, NULL);
	globfree(&found);
	return r;
}
