#include "sys/conntrack.h"

#include "base/cleanup.h"
#include "base/macro.h"
#include "sys/file.h"
#include "sys/ns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <libmnl/libmnl.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

/* An entry takes some 150 bytes; the kernel's answers to a batch, should all fail, 100 KiB. */
#define BATCH_ENTRIES 128
#define ENTRY_BYTES   512
/* The default of nf_conntrack_tcp_timeout_established. */
#define ENTRY_TIMEOUT_S (5 * 24 * 3600)
/* Ref: RFC 2544: the upper half of 198.18/15, of which the lab uses the lower one. */
#define ENTRY_NET   0xc6130000U
#define ENTRY_HOSTS 60000U
#define ENTRY_PORT  1024U

DEFINE_CLEANUP(struct mnl_socket *, (void)mnl_socket_close, mnl_closep)
DEFINE_CLEANUP(struct nf_conntrack *, nfct_destroy, nfct_destroyp)

static int read_number(const char *name, uint64_t *ret, struct err *e)
{
	char text[32], *end;
	int r = file_sysctl_read(name, text, sizeof(text), e);

	if (r < 0)
		return r;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	return errno || end == text ? err_say(e, EINVAL, "%s is not a number", name) : 0;
}

int conntrack_size(int netns_fd, struct conntrack_size *ret, struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	int r = ns_scope_enter(&scope, netns_fd, e);

	if (r == 0)
		r = read_number("net/netfilter/nf_conntrack_count", &ret->count, e);
	return r < 0 ? r : read_number("net/netfilter/nf_conntrack_max", &ret->max, e);
}

static void set_entry(struct nf_conntrack *ct, uint64_t i)
{
	nfct_set_attr_u8(ct, ATTR_L3PROTO, AF_INET);
	nfct_set_attr_u32(ct, ATTR_IPV4_SRC, htonl(ENTRY_NET + 1 + (uint32_t)(i % ENTRY_HOSTS)));
	nfct_set_attr_u32(ct, ATTR_IPV4_DST, htonl(ENTRY_NET));
	nfct_set_attr_u8(ct, ATTR_L4PROTO, IPPROTO_TCP);
	nfct_set_attr_u16(ct, ATTR_PORT_SRC, htons((uint16_t)(ENTRY_PORT + i / ENTRY_HOSTS)));
	nfct_set_attr_u16(ct, ATTR_PORT_DST, htons(ENTRY_PORT));
	nfct_setobjopt(ct, NFCT_SOPT_SETUP_REPLY);
	nfct_set_attr_u8(ct, ATTR_TCP_STATE, TCP_CONNTRACK_ESTABLISHED);
	nfct_set_attr_u32(ct, ATTR_TIMEOUT, ENTRY_TIMEOUT_S);
	nfct_set_attr_u32(ct, ATTR_STATUS, IPS_SEEN_REPLY | IPS_ASSURED | IPS_CONFIRMED);
}

/* Only the last one of a batch is acknowledged; one that fails always is. */
static void put_entry(void *buf, const struct nf_conntrack *ct, uint32_t seq, bool last)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nf = mnl_nlmsg_put_extra_header(h, sizeof(*nf));

	h->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL;
	if (last)
		h->nlmsg_flags |= NLM_F_ACK;
	h->nlmsg_seq = seq;
	nf->nfgen_family = AF_INET;
	nf->version = NFNETLINK_V0;
	nfct_nlmsg_build(h, ct);
}

static int send_batch(struct mnl_socket *nl, uint64_t first, uint32_t n, struct err *e)
{
	_Alignas(8) char buf[BATCH_ENTRIES * ENTRY_BYTES];
	_cleanup_(nfct_destroyp) struct nf_conntrack *ct = nfct_new();
	size_t size = 0;

	if (!ct)
		return err_set(e, ENOMEM, "cannot allocate an entry of the connection table");
	for (uint32_t i = 0; i < n; i++) {
		set_entry(ct, first + i);
		put_entry(buf + size, ct, i + 1, i == n - 1);
		size += MNL_ALIGN(((struct nlmsghdr *)(buf + size))->nlmsg_len);
	}
	if (mnl_socket_sendto(nl, buf, size) < 0)
		return err_set(e, errno, "cannot send entries of the connection table");
	return 0;
}

struct answers {
	uint32_t last_seq, n_full;
	bool done;
	int error; /* the first that is not about room */
};

static void take_answer(struct answers *a, const struct nlmsghdr *h)
{
	const struct nlmsgerr *answer = mnl_nlmsg_get_payload(h);

	if (h->nlmsg_type != NLMSG_ERROR || h->nlmsg_seq == 0)
		return;
	/* Ref: net/netfilter/nf_conntrack_core.c __nf_conntrack_alloc: -ENOMEM when it is full. */
	if (answer->error == -ENOMEM)
		a->n_full++;
	else if (answer->error < 0 && a->error == 0)
		a->error = answer->error;
	a->done = a->done || h->nlmsg_seq == a->last_seq;
}

/* Return: how many of the batch were added, or negative errno. */
static int receive_answers(struct mnl_socket *nl, uint32_t n, struct err *e)
{
	struct answers a = {.last_seq = n};

	while (!a.done) {
		_Alignas(8) char buf[8192];
		ssize_t len = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		int left = (int)len;

		if (len < 0)
			return err_set(e, errno, "no answer about the connection table");
		for (const struct nlmsghdr *h = (void *)buf; mnl_nlmsg_ok(h, left);
			h = mnl_nlmsg_next(h, &left))
			take_answer(&a, h);
	}
	if (a.error == -EINVAL || a.error == -EOPNOTSUPP)
		return err_set(e, EOPNOTSUPP,
			"cannot add to the connection table (CONFIG_NF_CT_NETLINK)");
	if (a.error < 0)
		return err_set(e, -a.error, "cannot add to the connection table");
	return (int)(n - a.n_full);
}

static int open_here(struct mnl_socket **ret, struct err *e)
{
	_cleanup_(mnl_closep) struct mnl_socket *nl =
		mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	const int on = 1;

	if (!nl)
		return err_set(e, errno == EPROTONOSUPPORT ? EOPNOTSUPP : errno,
			"cannot open netfilter's netlink (CONFIG_NF_CT_NETLINK)");
	/* Without it each failure comes with the whole request. */
	(void)mnl_socket_setsockopt(nl, NETLINK_CAP_ACK, (void *)(uintptr_t)&on, sizeof(on));
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0)
		return err_set(e, errno, "cannot bind netfilter's netlink");
	*ret = take_ptr(nl);
	return 0;
}

static bool canceled(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

/* Return: how many were added, fewer than @n when it is full, or negative errno. */
static int add_batch(struct mnl_socket *nl, uint64_t first, uint32_t n, struct err *e)
{
	int r = send_batch(nl, first, n, e);

	return r < 0 ? r : receive_answers(nl, n, e);
}

int conntrack_fill(int netns_fd, uint64_t n, int cancel_fd, uint64_t *ret_added, struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	_cleanup_(mnl_closep) struct mnl_socket *nl = NULL;
	uint64_t added = 0;
	int r = ns_scope_enter(&scope, netns_fd, e);

	if (r == 0)
		r = open_here(&nl, e);
	if (r < 0)
		return r;
	for (bool full = false; !full && added < n;) {
		uint32_t batch = (uint32_t)MIN(n - added, (uint64_t)BATCH_ENTRIES);

		if (canceled(cancel_fd))
			return err_say(e, ECANCELED, "interrupted");
		r = add_batch(nl, added, batch, e);
		if (r < 0)
			return r;
		added += (uint64_t)r;
		full = r < (int)batch;
	}
	*ret_added = added;
	return 0;
}
