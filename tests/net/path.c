/*
 * Conformance of every path: it carries each datagram exactly once, the devices at its ends count
 * them to the byte, its MTU is where it says, and closing it leaves nothing.
 */
#include "net.h"

#include "base/macro.h"
#include "bench/agent_listen.h"
#include "path/lab.h"
#include "path/table.h"
#include "sys/ns.h"
#include "sys/rtnl.h"
#include "sys/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define N_PACKETS 500
/* Sent before any is received: 20 full frames fit the default SO_RCVBUF of 208 kB. */
#define BATCH 20
/*
 * The kernel's own packets (multicast reports within 2 s of an IPv6 address or a new bridge, ARP
 * probes after 5 s) may fall into a count; then it is taken again, but never forgiven.
 */
#define MAX_COUNTS 5
#define ETH_BYTES  14
#define UDP_BYTES  8

struct variant {
	char name[96];
	const char *text; /* as on the command line */
	const struct path_ops *ops;
	struct path_cfg cfg;
};

/* What to ask of the paths that take something; files are below the examples. */
static const char *const with_argument[] = {
	"cni:cni/bridge.conflist",
	"cni:cni/bridge-portmap-firewall.conflist",
	"cni:cni/macvlan.conflist",
	"cni:cni/ptp.conflist",
	"podman:bridge",
	"podman:macvlan",
	"podman:host",
};

static int open_variant(struct path **ret, const struct variant *v, struct err *e)
{
	struct path_spec spec;

	must(path_parse(&spec, v->text, &v->cfg, &e_));
	return path_open(ret, &spec, -1, e);
}

/* A UDP socket at @end, connected to where @other says it can be reached. */
static int udp_between(const struct path *p, const struct path_end *end,
	const struct path_end *other)
{
	int fd = must(net_bind(p, end, SOCK_DGRAM, end->port, &e_));

	must(sock_connect(fd, other->addr, other->port, net_deadline(), &e_));
	return fd;
}

static void send_batch(int fd, size_t size, uint32_t first, uint32_t n)
{
	char buf[1500];

	for (uint32_t i = first; i < first + n; i++) {
		memset(buf, (int)(i & 0x7f), size);
		assert_int_equal(send(fd, buf, size, 0), size);
	}
}

static void receive_batch(int fd, size_t size, uint32_t first, uint32_t n)
{
	char buf[1500 + 1], sent[1500];

	for (uint32_t i = first; i < first + n; i++) {
		memset(sent, (int)(i & 0x7f), size);
		if (sock_wait_readable(fd, net_deadline()) < 0)
			fail_msg("datagram %u of %u never came", i, N_PACKETS);
		assert_int_equal(recv(fd, buf, sizeof(buf), 0), size);
		assert_memory_equal(buf, sent, size);
	}
}

static struct rt_stats stats_of(struct rt *rt, const char *dev)
{
	struct rt_stats s;

	must(rt_stats(rt, dev, &s, &e_));
	return s;
}

/* A counter may be raised a moment after its packet was delivered. */
static struct rt_stats stats_after(struct rt *rt, const char *dev, uint64_t rx_packets)
{
	uint64_t deadline_ns = net_deadline();
	struct rt_stats s = stats_of(rt, dev);

	while (s.rx_packets < rx_packets && clock_left_ms(deadline_ns) > 0)
		s = stats_of(rt, dev);
	return s;
}

static bool count_once(struct rt *rt, const struct path_end *to, int tx_fd, int rx_fd, size_t size,
	uint64_t frame)
{
	struct rt_stats b = stats_of(rt, to->dev);
	struct rt_stats a;
	char extra;

	for (uint32_t i = 0; i < N_PACKETS; i += BATCH) {
		send_batch(tx_fd, size, i, BATCH);
		receive_batch(rx_fd, size, i, BATCH);
	}
	assert_int_equal(recv(rx_fd, &extra, sizeof(extra), MSG_DONTWAIT), -1);
	a = stats_after(rt, to->dev, b.rx_packets + N_PACKETS);
	assert_true(a.rx_packets - b.rx_packets >= N_PACKETS);
	assert_int_equal(a.rx_dropped - b.rx_dropped, 0);
	if (a.rx_packets - b.rx_packets > N_PACKETS)
		return false;
	assert_int_equal(a.rx_bytes - b.rx_bytes, N_PACKETS * frame);
	return true;
}

/*
 * The Ethernet header, as often as the device counts it.
 * Ref: drivers/net/loopback.c loopback_xmit, net/8021q/vlan_core.c vlan_do_receive: not at all;
 * drivers/net/ipvlan/ipvlan_core.c ipvlan_rcv_frame: twice when another one of them has sent it.
 */
static uint64_t header_bytes(const struct path *p, const struct path_end *end)
{
	if (strcmp(end->dev, "lo") == 0 || p->ops == &path_vlan)
		return 0;
	if (strncmp(p->ops->name, "ipvlan", 6) == 0 && p->cfg.between == PATH_BETWEEN_PODS)
		return 2 * ETH_BYTES;
	return ETH_BYTES;
}

/*
 *	from.fd ---- N datagrams of one size ----> to.dev (counts them) ---- to.fd
 */
static void count_exactly(const struct path *p, const struct path_end *to, int tx_fd, int rx_fd,
	size_t size)
{
	_cleanup_(rt_closep) struct rt *rt = NULL;
	uint64_t frame = size + UDP_BYTES + (p->cfg.ipv6 ? 40 : 20) + header_bytes(p, to);

	must(rt_open(&rt, to->netns_fd, &e_));
	for (int i = 0; i < MAX_COUNTS; i++) {
		if (count_once(rt, to, tx_fd, rx_fd, size, frame))
			return;
		print_message("# %s %s, %zu bytes: other packets in the count\n", p->ops->name,
			to->dev, size);
	}
	fail_msg("%s counted too many packets %d times", to->dev, MAX_COUNTS);
}

/* What fits goes through in one piece, one byte more is refused: no path fragments. */
static void check_mtu(const struct path *p, const struct path_end *end, int fd, int other_fd)
{
	struct ifreq ifr = {0};
	char buf[65536 + 1] = {0};
	int size;

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", end->dev);
	assert_int_equal(ioctl(fd, SIOCGIFMTU, &ifr), 0);
	if (strcmp(end->dev, "lo") != 0)
		assert_int_equal(ifr.ifr_mtu, p->mtu);
	if (p->cfg.ipv6)
		must(sock_set_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO, "DF",
			&e_));
	else
		must(sock_set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO, "DF", &e_));
	size = ifr.ifr_mtu - UDP_BYTES - (p->cfg.ipv6 ? 40 : 20);
	assert_int_equal(send(fd, buf, (size_t)size + 1, 0), -1);
	assert_int_equal(errno, EMSGSIZE);
	/* Ref: RFC 768 over IPv4: 65535 - 20 - 8 is the end whatever the MTU. */
	size = p->cfg.ipv6 ? size : MIN(size, 65507);
	assert_int_equal(send(fd, buf, (size_t)size, 0), size);
	assert_int_equal(sock_wait_readable(other_fd, net_deadline()), 0);
	assert_int_equal(recv(other_fd, buf, sizeof(buf), 0), size);
}

/*
 *	near (udp, near.port) <---- path ----> (udp, far.port) far
 */
static void carries_exactly(void **state)
{
	const struct variant *v = *state;
	size_t sizes[] = {1, 64, 0};
	uint32_t n_fds = net_count_fds();
	struct path *p = NULL;
	struct err e = {0};
	int near, far;
	int r = open_variant(&p, v, &e);

	if (r == PATH_UNAVAILABLE) {
		assert_int_equal(net_count_fds(), n_fds);
		net_skip(v->name, &e);
		return;
	}
	if (r < 0)
		fail_msg("%s", e.text);
	near = udp_between(p, &p->near, &p->far);
	far = udp_between(p, &p->far, &p->near);
	sizes[2] = p->mtu - UDP_BYTES - (v->cfg.ipv6 ? 40 : 20);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		count_exactly(p, &p->far, near, far, sizes[i]);
		count_exactly(p, &p->near, far, near, sizes[i]);
	}
	check_mtu(p, &p->near, near, far);
	check_mtu(p, &p->far, far, near);
	close(near);
	close(far);
	path_close(p);
	assert_int_equal(net_count_fds(), n_fds);
}

/* Sends one datagram from @tx to @addr:@port. Return: 0 or negative errno. */
static int send_to(int tx, const char *addr, uint16_t port, char what)
{
	struct sockaddr_storage to;
	int len = must(sock_addr(&to, addr, port, &e_));

	return sendto(tx, &what, 1, 0, (struct sockaddr *)&to, (socklen_t)len) < 0 ? -errno : 0;
}

/* Receives one datagram that must be @what. @ret: its source address. */
static void receive_from(int rx, char what, char *ret)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	char got = 0;

	assert_int_equal(sock_wait_readable(rx, net_deadline()), 0);
	assert_int_equal(recvfrom(rx, &got, 1, 0, (struct sockaddr *)&from, &len), 1);
	assert_int_equal(got, what);
	if (from.ss_family == AF_INET)
		inet_ntop(AF_INET, &((struct sockaddr_in *)&from)->sin_addr, ret, SOCK_ADDR_LEN);
	else
		inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&from)->sin6_addr, ret, SOCK_ADDR_LEN);
}

/*
 *	peer 198.18.0.1 ==== 198.18.0.2 host 198.18.1.1 ---- br0 ---- 198.18.1.2 container
 *	sees only 198.18.0.2                                          sees 198.18.0.1
 */
static void nat_hides_the_container(void **state)
{
	const struct variant *v = *state;
	struct path *p = NULL;
	char source[SOCK_ADDR_LEN];
	struct err e = {0};
	const char *private;
	int near, far, tcp;

	if (net_path_open(&p, v->ops, &v->cfg, &e) != 0) {
		net_skip("nat hides the container", &e);
		return;
	}
	private = p->lab->addrs->bridged_addr[0];
	near = must(net_bind(p, &p->near, SOCK_DGRAM, p->near.port, &e_));
	far = must(net_bind(p, &p->far, SOCK_DGRAM, p->far.port, &e_));
	tcp = must(net_bind(p, &p->near, SOCK_STREAM, 0, &e_));

	assert_string_not_equal(p->far.addr, private);
	assert_int_equal(send_to(far, p->near.addr, p->near.port, 'a'), 0);
	receive_from(near, 'a', source);
	assert_string_equal(source, p->lab->addrs->host);
	assert_int_equal(send_to(near, p->far.addr, p->far.port, 'b'), 0);
	receive_from(far, 'b', source);
	assert_string_equal(source, p->lab->addrs->peer);

	/* Were 'c' to arrive, it would come before 'd'. */
	assert_true(send_to(near, private, p->far.port, 'c') < 0);
	assert_int_equal(send_to(near, p->far.addr, p->far.port, 'd'), 0);
	receive_from(far, 'd', source);
	assert_true(sock_connect(tcp, private, p->far.port, net_deadline(), &e) < 0);
	close(near);
	close(far);
	close(tcp);
	path_close(p);
}

/* A path in use and one beside it: nothing is shared, names and addresses may be equal. */
static void two_at_once(void **state)
{
	struct path *a = NULL, *b = NULL;

	(void)state;
	must(net_path_open(&a, &path_veth, &path_cfg_default, &e_));
	must(net_path_open(&b, &path_veth, &path_cfg_default, &e_));
	path_close(a);
	path_close(b);
}

static void check_refuses_what_cannot_be(void **state)
{
	struct path_cfg pods = path_cfg_default;
	struct path_cfg small = path_cfg_default;
	uint32_t n_fds = net_count_fds();
	struct path *p = NULL;
	struct err e = {0};

	(void)state;
	pods.between = PATH_BETWEEN_PODS;
	small.ipv6 = true;
	small.mtu = 1000;
	assert_int_equal(net_path_check(&path_native, &pods, &e), -EINVAL);
	assert_non_null(strstr(e.text, "native"));
	assert_int_equal(net_path_open(&p, &path_native, &pods, &e), -EINVAL);
	assert_int_equal(net_path_probe(&path_native, &pods, &e), -EINVAL);
	for (size_t i = 0; path_table[i]; i++) {
		assert_ptr_equal(path_find(path_table[i]->name), path_table[i]); /* not twice */
		assert_int_equal(net_path_check(path_table[i], &small, &e), -EINVAL);
		assert_non_null(strstr(e.text, "1280"));
	}
	assert_int_equal(net_path_open(&p, &path_veth, &small, &e), -EINVAL);
	small.mtu = 1280;
	assert_int_equal(net_path_check(&path_veth, &small, &e), 0);
	assert_null(p);
	assert_int_equal(net_count_fds(), n_fds);
}

#define MAX_VARIANTS 256

/*
 * Is variant @k, family and ends, one too many? Of paths that run programs of others, IPv4 in
 * pods never differed from the rest; few: one of these, of the others each family once.
 */
static bool too_many(const struct path_ops *ops, uint32_t k, bool few)
{
	const uint32_t ipv6_machines = 1, ipv4_pods = 2;
	bool slow = ops->arg || ops->set == PATH_SET_SWITCH;

	if (few && slow)
		return k > 0;
	return ((few || slow) && k == ipv4_pods) || (few && ops->pods_ok && k == ipv6_machines);
}

/* All that one path can be asked for. */
static size_t list_one(struct variant *ret, const char *text, bool few)
{
	char name[32];
	size_t n = 0;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(text, ":"), text);
	for (uint32_t k = 0; k < 2 * PATH_BETWEEN_N; k++) {
		struct variant *v = &ret[n];

		if (too_many(path_find(name), k, few))
			continue;

		v->text = text;
		v->ops = path_find(name);
		v->cfg = path_cfg_default;
		v->cfg.ipv6 = k & 1;
		v->cfg.between = k / 2;
		/* That it can be filled to the top is another test. */
		v->cfg.conntrack_fill_pct = 1;
		if (v->cfg.between == PATH_BETWEEN_PODS && !v->ops->pods_ok)
			continue;
		snprintf(v->name, sizeof(v->name), "%s %s %s", text, v->cfg.ipv6 ? "IPv6" : "IPv4",
			path_between_name[v->cfg.between]);
		n++;
	}
	return n;
}

/* @ret: [MAX_VARIANTS]. Return: how many. */
static size_t list_variants(struct variant *ret, bool few)
{
	size_t n = 0;

	/* An end in a guest has no sockets of ours: tests/vm. Not built here: existing.sh. */
	for (size_t i = 0; path_table[i]; i++)
		if (!path_table[i]->arg && path_table[i]->set != PATH_SET_VM &&
			!path_table[i]->no_lab)
			n += list_one(&ret[n], path_table[i]->name, few);
	for (size_t i = 0; i < ARRAY_SIZE(with_argument); i++)
		n += list_one(&ret[n], with_argument[i], few);
	assert(n < MAX_VARIANTS - 2 * PATH_BETWEEN_N);
	return n;
}

int main(int argc, char **argv)
{
	static struct variant variant[MAX_VARIANTS];
	static struct CMUnitTest tests[2 * MAX_VARIANTS];
	bool few = argc == 2 && strcmp(argv[1], "--few") == 0;
	size_t n = 0;

	/* An engine's container runs the program that asks for it. */
	if (argc == 4 && strcmp(argv[1], "agent") == 0)
		return agent_listen(argv[3], NULL) < 0;
	if (net_begin() < 0 || chdir(getenv("EXAMPLES") ?: "examples") < 0)
		return 0;
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(check_refuses_what_cannot_be);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(two_at_once);
	for (size_t i = 0, n_variants = list_variants(variant, few); i < n_variants; i++) {
		struct variant *v = &variant[i];

		tests[n++] = (struct CMUnitTest){.name = v->name,
			.test_func = carries_exactly,
			.initial_state = v};
		if (v->ops == &path_nat && v->cfg.between == PATH_BETWEEN_MACHINES)
			tests[n++] = (struct CMUnitTest){.name = "nat hides the container",
				.test_func = nat_hides_the_container,
				.initial_state = v};
	}
	return _cmocka_run_group_tests("path", tests, n, NULL, NULL);
}
