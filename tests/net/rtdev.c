/*
 * Devices that are there: seen whether they are used, and moved with what they keep. Addresses,
 * read and heard of.
 */
#include "net.h"

#include "base/macro.h"
#include "sys/file.h"
#include "sys/ns.h"
#include "sys/rtaddr.h"
#include "sys/rtdev.h"
#include "sys/rtlink.h"
#include "sys/rtpeer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

struct place {
	int fd;
	struct rt *rt;
};

static struct place place_new(void)
{
	struct place x;

	must(ns_net_new(&x.fd, &e_));
	must(rt_open(&x.rt, x.fd, &e_));
	return x;
}

static void place_drop(struct place *x)
{
	rt_close(x->rt);
	closep(&x->fd);
}

static const char *use(struct rt *rt, const char *dev)
{
	struct rt_dev d;

	must(rt_dev(rt, dev, &d, &e_));
	return d.use ?: "nothing";
}

static void sees_what_a_device_is_used_for(void **state)
{
	struct place a = place_new(), b = place_new();
	struct rt_dev d;
	struct err e = {0};

	(void)state;
	/* Numbers in b run one ahead: e0 has that of d1, e1 that of d2. */
	must(rt_bridge_add(b.rt, "br0", 1500, &e_));
	must(rt_veth_add(a.rt, "d0", "e0", b.fd, 1500, &e_));
	must(rt_veth_add(a.rt, "d1", "e1", b.fd, 1500, &e_));
	must(rt_veth_add(a.rt, "d2", "e2", b.fd, 1500, &e_));
	assert_string_equal(use(a.rt, "d0"), "nothing");
	must(rt_addr_add(a.rt, "d0", "198.18.0.1/24", &e_));
	assert_string_equal(use(a.rt, "d0"), "has an address");
	must(rt_set_up(a.rt, "d0", &e_));
	assert_string_equal(use(a.rt, "d0"), "is up");
	must(rt_bridge_add(a.rt, "br0", 1500, &e_));
	must(rt_set_master(a.rt, "d1", "br0", &e_));
	assert_string_equal(use(a.rt, "d1"), "is part of a bridge or bond");
	assert_string_equal(use(a.rt, "d2"), "nothing");
	if (rt_macvlan_add(a.rt, &(struct rt_child){"m0", "d2", -1, 1500}, "bridge", &e) == 0)
		assert_string_equal(use(a.rt, "d2"), "has a device on top of it");
	else
		net_skip("a device on top", &e);
	assert_int_equal(rt_dev(a.rt, "nosuch", &d, &e), -ENODEV);
	place_drop(&a);
	place_drop(&b);
}

static void lends_and_takes_back(void **state)
{
	struct place a = place_new(), b = place_new(), c = place_new();
	struct rt_dev before, there, after;
	struct err e = {0};

	(void)state;
	must(rt_veth_add(a.rt, "d0", "e0", c.fd, 1400, &e_));
	must(rt_dev(a.rt, "d0", &before, &e_));
	must(rt_dev_move(a.rt, "d0", b.fd, &e_));
	assert_int_equal(rt_dev(a.rt, "d0", &after, &e), -ENODEV);
	must(rt_dev(b.rt, "d0", &there, &e_));
	assert_string_equal(there.mac, before.mac);
	assert_int_equal(there.mtu, 1400);
	must(rt_addr_add(b.rt, "d0", "198.18.0.1/24", &e_));
	must(rt_set_up(b.rt, "d0", &e_));
	must(rt_dev_move(b.rt, "d0", a.fd, &e_));
	must(rt_dev(a.rt, "d0", &after, &e_));
	assert_false(after.up);
	assert_null(after.use);
	assert_string_equal(after.mac, before.mac);
	assert_int_equal(after.mtu, before.mtu);
	assert_int_equal(rt_dev_move(b.rt, "d0", a.fd, &e), -ENODEV);
	place_drop(&a);
	place_drop(&b);
	place_drop(&c);
}

/* As "arp -an" has it: complete (2) and permanent (4). */
static void knows_a_neighbour_for_good(void **state)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 7};
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	struct place a = place_new(), b = place_new();
	struct err e = {0};
	char text[1024];
	const char *line;

	(void)state;
	must(rt_veth_add(a.rt, "d0", "e0", b.fd, 1500, &e_));
	must(rt_set_up(a.rt, "d0", &e_));
	must(rt_neigh_add(a.rt, "d0", "198.18.0.2", mac, &e_));
	must(rt_neigh_add(a.rt, "d0", "2001:2::2", mac, &e_));
	assert_int_equal(rt_neigh_add(a.rt, "nosuch", "198.18.0.2", mac, &e), -ENODEV);
	must(ns_scope_enter(&scope, a.fd, &e_));
	must(file_read("/proc/thread-self/net/arp", text, sizeof(text), &e_));
	line = strstr(text, "198.18.0.2 ");
	assert_non_null(line);
	assert_non_null(strstr(line, " 0x6 "));
	assert_non_null(strstr(line, " 02:00:00:00:00:07 "));
	place_drop(&a);
	place_drop(&b);
}

static bool has_addr(const struct in6_addr *list, int n, const char *text)
{
	struct in6_addr want;

	assert_int_equal(inet_pton(AF_INET6, text, &want), 1);
	for (int i = 0; i < n; i++)
		if (memcmp(&list[i], &want, sizeof(want)) == 0)
			return true;
	return false;
}

#define MANY 4000

/* No more is read than asked for: who has a great many gets no more of the caller's time. */
static void reads_the_first_addresses(void **state)
{
	struct place a = place_new(), b = place_new();
	struct in6_addr some[16];
	char text[32];
	int n;

	(void)state;
	must(rt_veth_add(a.rt, "d0", "e0", b.fd, 1500, &e_));
	must(rt_addr_add(a.rt, "d0", "198.18.0.1/24", &e_));
	must(rt_addr_add(a.rt, "d0", "2001:2::1/64", &e_));
	n = must(rt_addrs_any(a.rt, some, ARRAY_SIZE(some), &e_));
	assert_true(has_addr(some, n, "::ffff:198.18.0.1"));
	assert_true(has_addr(some, n, "2001:2::1"));
	assert_true(has_addr(some, n, "::ffff:127.0.0.1"));
	for (int i = 0; i < MANY; i++) {
		snprintf(text, sizeof(text), "10.0.%d.%d/32", i / 256, i % 256);
		must(rt_addr_add(a.rt, "d0", text, &e_));
	}
	n = must(rt_addrs_any(a.rt, some, ARRAY_SIZE(some), &e_));
	assert_int_equal(n, ARRAY_SIZE(some));
	place_drop(&a);
	place_drop(&b);
}

/* Of addresses here, of those where a number leads, and of no others. */
static void hears_of_addresses_elsewhere(void **state)
{
	struct place a = place_new(), b = place_new(), c = place_new();
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	_cleanup_(closep) int fd = -1;
	int32_t heard[4], nsid;
	struct err e = {0};
	int r;

	(void)state;
	must(ns_scope_enter(&scope, a.fd, &e_));
	r = rt_watch_addrs(&fd, &e);
	if (r < 0) {
		net_skip("addresses of other namespaces", &e);
	} else {
		must(rt_veth_add(a.rt, "d0", "e0", b.fd, 1500, &e_));
		must(rt_bridge_add(c.rt, "br0", 1500, &e_));
		must(rt_nsid(a.rt, b.fd, &nsid, &e_));
		assert_int_equal(rt_watch_addrs_take(fd, heard, 4), 0);
		must(rt_addr_add(c.rt, "br0", "198.18.0.3/24", &e_));
		assert_int_equal(rt_watch_addrs_take(fd, heard, 4), 0);
		must(rt_addr_add(b.rt, "e0", "198.18.0.2/24", &e_));
		must(rt_addr_add(b.rt, "e0", "198.18.0.4/24", &e_));
		assert_int_equal(rt_watch_addrs_take(fd, heard, 4), 1);
		assert_int_equal(heard[0], nsid);
		must(rt_addr_add(b.rt, "e0", "198.18.0.5/24", &e_));
		must(rt_addr_add(a.rt, "d0", "198.18.0.1/24", &e_));
		assert_int_equal(rt_watch_addrs_take(fd, heard, 4), 2);
		assert_int_equal(heard[0], nsid);
		assert_int_equal(heard[1], RT_NSID_NONE);
		must(rt_addr_add(b.rt, "e0", "198.18.0.6/24", &e_));
		must(rt_addr_add(a.rt, "d0", "198.18.0.7/24", &e_));
		assert_int_equal(rt_watch_addrs_take(fd, heard, 1), RT_WATCH_LOST);
		for (int i = 0; i < MANY; i++) {
			char text[32];

			snprintf(text, sizeof(text), "10.0.%d.%d/32", i / 256, i % 256);
			must(rt_addr_add(b.rt, "e0", text, &e_));
		}
		assert_int_equal(rt_watch_addrs_take(fd, heard, 4), RT_WATCH_LOST);
	}
	place_drop(&a);
	place_drop(&b);
	place_drop(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sees_what_a_device_is_used_for),
		cmocka_unit_test(lends_and_takes_back),
		cmocka_unit_test(knows_a_neighbour_for_good),
		cmocka_unit_test(reads_the_first_addresses),
		cmocka_unit_test(hears_of_addresses_elsewhere),
	};

	return net_begin() < 0 ? 0 : cmocka_run_group_tests_name("rtdev", tests, NULL, NULL);
}
