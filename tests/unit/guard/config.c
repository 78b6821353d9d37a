/* Rules as they are written, and whom they fit. */
#include "guard/config.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const struct container web = {.kind = CONTAINER_DOCKER,
	.id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	.name = "web-1",
	.cgroup = "/docker/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"};
static const struct container pod = {.kind = CONTAINER_POD,
	.id = "11-22",
	.name = "db-0",
	.k8s_ns = "shop",
	.cgroup = "/kubepods.slice/kubepods-pod11_22.slice"};

static void fits(void **state)
{
	static const struct {
		const char *rule;
		bool web, pod;
	} row[] = {
		{"web-1:charge", true, false},
		{"web-*:charge", true, false},
		{"web:charge", false, false},
		{"*:charge", true, true},
		{"docker:*:charge", true, false},
		{"docker:db-*:charge", false, false},
		{"pod:shop/db-?:charge", false, true},
		{"shop/*:charge", false, true},
		{"0123456789ab:charge", true, false},
		{"0123456789a:charge", false, false},
		{"0123456789ac:charge", false, false},
		{"/docker/*:charge", true, false},
		{"/kubepods.slice/kubepods-pod11_22.slice:charge", false, true},
		{"docker:charge", false, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		_cleanup_(guard_rules_fini) struct guard_rules r = {0};
		struct err e = {0};

		assert_int_equal(guard_rules_add(&r, row[i].rule, &e), 0);
		if ((guard_rules_find(&r, &web) != NULL) != row[i].web ||
			(guard_rules_find(&r, &pod) != NULL) != row[i].pod)
			fail_msg("%s", row[i].rule);
	}
}

static void words(void **state)
{
	_cleanup_(guard_rules_fini) struct guard_rules r = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(guard_rules_add_list(&r,
				 "a:charge+drop,cpus=0.25,protect=22/6443,"
				 "publish=tcp:8080/udp:53,irq=3us; b:observe ;"
				 "c:charge,cpus=250m",
				 &e),
		0);
	assert_int_equal(r.n, 3);
	assert_int_equal(r.item[0].policy, GUARD_CHARGE_DROP);
	assert_int_equal(r.item[0].cpus_ppb, 250000000);
	assert_int_equal(r.item[0].n_ports, 2);
	assert_int_equal(r.item[0].port[1], 6443);
	assert_int_equal(r.item[0].n_published, 2);
	assert_int_equal(r.item[0].published[0].proto, IPPROTO_TCP);
	assert_int_equal(r.item[0].published[0].port, 8080);
	assert_int_equal(r.item[0].published[1].proto, IPPROTO_UDP);
	assert_int_equal(r.item[0].published[1].port, 53);
	assert_int_equal(r.item[1].n_published, 0);
	assert_int_equal(r.item[0].irq_ns, 3000);
	assert_string_equal(r.item[1].who, "b");
	assert_int_equal(r.item[1].policy, GUARD_OBSERVE);
	assert_true(r.item[1].irq_ns == GUARD_IRQ_UNSAID);
	assert_int_equal(r.item[2].cpus_ppb, 250000000);
	assert_int_equal(guard_rules_add(&r,
				 "d:charge,publish=udp:1/udp:2/udp:3/udp:4/udp:5/udp:6/udp:7/udp:8/"
				 "udp:9/udp:10/udp:11/udp:12/udp:13/udp:14/udp:15/udp:16/udp:17",
				 &e),
		-ERANGE);
}

static void files(void **state)
{
	_cleanup_(guard_rules_fini) struct guard_rules r = {0};
	char path[] = "/tmp/tare-rules-XXXXXX";
	int fd = mkstemp(path);
	FILE *out = fdopen(fd, "w");
	struct err e = {0};

	(void)state;
	assert_non_null(out);
	fputs("# who pays\n\n  web-*:charge,cpus=0.5\npod:*:observe\nx:pay\n", out);
	fclose(out);
	assert_int_equal(guard_rules_read(&r, path, &e), -EINVAL);
	assert_non_null(strstr(e.text, ":5: rule 'x:pay'"));
	assert_int_equal(r.n, 2);
	assert_string_equal(r.item[0].who, "web-*");
	unlink(path);
	assert_int_equal(guard_rules_read(&r, path, &e), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fits),
		cmocka_unit_test(words),
		cmocka_unit_test(files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
