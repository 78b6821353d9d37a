/* Findings of runs made up here: each claim holds where its evidence is, and nowhere else. */
#include "finding/finding.h"

#include "base/mem.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct path_ops overlay = {.name = "vxlan", .set = PATH_SET_OVERLAY};
static const struct path_ops plain = {.name = "nat", .set = PATH_SET_BASIC};

/* Two paths under one load, one trial each. */
static struct run *made_up(void)
{
	struct run *run = xcalloc(1, sizeof(*run));

	run->n_paths = 2;
	run->n_loads = 1;
	run->path[0].spec.ops = &plain;
	run->path[1].spec.ops = &overlay;
	run->load[0].ops = load_find("stream");
	run->n_trials = 2;
	run->trial = xcalloc(2, sizeof(*run->trial));
	run->trial[1].path = 1;
	run_summarise(run);
	return run;
}

struct found {
	unsigned n;
	char name[64], text[512];
	uint32_t path;
};

static void note(void *ctx, const struct run *run, const struct finding *f)
{
	struct found *x = ctx;

	(void)run;
	x->n++;
	x->path = f->path;
	str_set(x->name, f->ops->name);
	str_set(x->text, f->text);
}

static struct found look(const struct run *run)
{
	struct found x = {0};

	finding_each(run, note, &x);
	return x;
}

static void nothing_is_wrong(void **state)
{
	_cleanup_(run_freep) struct run *run = made_up();

	(void)state;
	assert_int_equal(look(run).n, 0);
}

static void fragments_between_the_ends(void **state)
{
	_cleanup_(run_freep) struct run *run = made_up();
	struct found x;

	(void)state;
	run->trial[1].watch.drops.ip_frag_creates = 42;
	x = look(run);
	assert_non_null(strstr(x.text, "--packet"));
	run->path[1].spec.cfg.overlay_mtu = PATH_OVERLAY_KEEP;
	x = look(run);
	assert_int_equal(x.n, 1);
	assert_int_equal(x.path, 1);
	assert_string_equal(x.name, "overlay_mtu");
	assert_non_null(strstr(x.text, "42 fragments"));
	assert_non_null(strstr(x.text, "--overlay-mtu lower"));
}

/* A trial that failed is explained by what was counted until then. */
static void a_full_table_explains_a_failure(void **state)
{
	_cleanup_(run_freep) struct run *run = made_up();
	struct found x;

	(void)state;
	run->trial[0].status = STATUS_FAILED;
	run->trial[0].watch.drops.conntrack_drops = 7;
	run->trial[0].near.readings.drops.conntrack_drops = 1000; /* of a trial that failed */
	x = look(run);
	assert_int_equal(x.n, 1);
	assert_int_equal(x.path, 0);
	assert_string_equal(x.name, "conntrack");
	assert_non_null(strstr(x.text, "7 packets dropped"));
}

static void a_guest_with_an_emulated_adapter(void **state)
{
	_cleanup_(run_freep) struct run *run = made_up();
	struct path_result *p = &run->path[1];
	struct found x;

	(void)state;
	p->has_guest_env = true;
	str_set(p->guest_env.hypervisor, "yes");
	str_set(p->guest_env.nics, "eth0 virtio_net");
	assert_int_equal(look(run).n, 0);
	str_set(p->guest_env.nics, "eth1 virtio_net, eth0 8139cp");
	x = look(run);
	assert_int_equal(x.n, 1);
	assert_string_equal(x.name, "emulated_nic");
	assert_non_null(strstr(x.text, "(eth0 8139cp)"));
	/* The same driver on a bare machine drives a real adapter. */
	str_set(p->guest_env.hypervisor, "no");
	assert_int_equal(look(run).n, 0);
}

static void qemu_on_this_machine(void **state)
{
	_cleanup_(run_freep) struct run *run = made_up();
	struct found x;

	(void)state;
	str_set(run->env.guest_nics, "pid 1: virtio-net-pci; pid 2: rtl8139");
	assert_int_equal(look(run).n, 0); /* no business of paths built here */
	run->n_paths = 1;
	str_set(run->remote_cfg.host, "guest");
	x = look(run);
	assert_int_equal(x.n, 1);
	assert_non_null(strstr(x.text, "(QEMU pid 2: rtl8139)"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_wrong),
		cmocka_unit_test(fragments_between_the_ends),
		cmocka_unit_test(a_full_table_explains_a_failure),
		cmocka_unit_test(a_guest_with_an_emulated_adapter),
		cmocka_unit_test(qemu_on_this_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
