/* Command lines of QEMU; that they work is what the suite vm shows. */
#include "sys/qemu.h"

#include "base/macro.h"
#include "base/str.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const int taps[] = {7, 8};

static struct qemu_args base_args(void)
{
	return (struct qemu_args){
		.binary = "qemu",
		.vcpus = 2,
		.memory_bytes = 512 << 20,
		.kernel = "vmlinuz",
		.initrd_fd = 5,
		.append = "console=ttyS0 x=y",
		.nic = "virtio-net-pci",
		.nics = {{"52:54:00:00:00:01", taps}},
		.queues = 1,
		.port = {{"tare.ctl", 3}, {"tare.agent", 4}},
	};
}

/* All of it on one line. */
static void line_of(const struct qemu_args *args, char *ret, size_t size)
{
	struct qemu_argv v;

	qemu_argv_init(&v, args);
	assert_null(v.arg[v.n]);
	ret[0] = '\0';
	for (uint32_t i = 0; i < v.n; i++)
		str_addf(ret, size, "%s ", v.arg[i]);
	qemu_argv_fini(&v);
}

static void assert_has(const char *line, const char *part)
{
	if (!strstr(line, part))
		fail_msg("no '%s' in: %s", part, line);
}

static void emulated_with_virtio(void **state)
{
	struct qemu_args args = base_args();
	char line[2000];

	(void)state;
	line_of(&args, line, sizeof(line));
	assert_has(line, "-accel tcg,thread=multi,tb-size=512 -cpu max -smp 2 -m 512M ");
	assert_has(line, "-kernel vmlinuz -initrd /proc/self/fd/5 -append console=ttyS0 x=y ");
	assert_has(line, "-chardev socket,id=port0,fd=3 ");
	assert_has(line, "nr=2,chardev=port1,name=tare.agent ");
	assert_has(line, "-netdev tap,id=net0,fd=7,vhost=off ");
	assert_has(line, "-device virtio-net-pci,netdev=net0,mac=52:54:00:00:00:01,romfile= ");
}

static void queues_vhost_and_no_offloads(void **state)
{
	struct qemu_args args = base_args();
	char line[2000];

	(void)state;
	args.kvm = args.vhost = args.no_offloads = true;
	args.queues = 2;
	line_of(&args, line, sizeof(line));
	assert_has(line, "-accel kvm -cpu host ");
	assert_has(line, "-netdev tap,id=net0,fds=7:8,vhost=on ");
	assert_has(line, "guest_tso4=off");
	assert_has(line, "mq=on,vectors=6 ");
}

static void other_nics_have_no_switches(void **state)
{
	struct qemu_args args = base_args();
	char line[2000];

	(void)state;
	args.nic = "e1000";
	args.no_offloads = true;
	line_of(&args, line, sizeof(line));
	assert_has(line, "-device e1000,netdev=net0,mac=52:54:00:00:00:01,romfile= ");
}

static void one_thread_and_a_hub(void **state)
{
	struct qemu_args args = base_args();
	char line[2000];

	(void)state;
	args.one_thread = true;
	args.nic = NULL;
	args.n_hub_nics = 2;
	line_of(&args, line, sizeof(line));
	assert_has(line, "-accel tcg,thread=single,tb-size=512 ");
	assert_has(line,
		"-netdev hubport,id=hub0,hubid=0 -device virtio-net-pci,netdev=hub0,romfile= ");
	assert_has(line,
		"-netdev hubport,id=hub1,hubid=0 -device virtio-net-pci,netdev=hub1,romfile= ");
}

/* Its back end maps the guest's memory; QEMU 7.2 crashes with MSI-X when emulating. */
static void vhost_user(void **state)
{
	struct qemu_args args = base_args();
	char line[2000];

	(void)state;
	args.nics[0].tap_fd = NULL;
	args.vhost_user = "/run/tare/vu.sock";
	line_of(&args, line, sizeof(line));
	assert_has(line, "-object memory-backend-memfd,id=memory,size=512M,share=on ");
	assert_has(line, "-chardev socket,id=vhost,path=/run/tare/vu.sock ");
	assert_has(line, "-netdev vhost-user,id=net0,chardev=vhost,queues=1 ");
	assert_has(line, ",vectors=0 ");
}

static void two_nics(void **state)
{
	struct qemu_args args = base_args();
	char line[2000];

	(void)state;
	args.nics[1] = (struct qemu_nic){"52:54:00:00:00:02", &taps[1]};
	line_of(&args, line, sizeof(line));
	assert_has(line, "-netdev tap,id=net0,fd=7,vhost=off ");
	assert_has(line, "-device virtio-net-pci,netdev=net0,mac=52:54:00:00:00:01,romfile= ");
	assert_has(line, "-netdev tap,id=net1,fd=8,vhost=off ");
	assert_has(line, "-device virtio-net-pci,netdev=net1,mac=52:54:00:00:00:02,romfile= ");
}

static void a_program_there_is_not(void **state)
{
	struct err e = {0};

	(void)state;
	assert_int_equal(qemu_find("/nowhere/qemu", &e), -EOPNOTSUPP);
	assert_non_null(strstr(e.text, "make deps-vm"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(emulated_with_virtio),
		cmocka_unit_test(queues_vhost_and_no_offloads),
		cmocka_unit_test(other_nics_have_no_switches),
		cmocka_unit_test(one_thread_and_a_hub),
		cmocka_unit_test(vhost_user),
		cmocka_unit_test(two_nics),
		cmocka_unit_test(a_program_there_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
