#include "sys/wg.h"

#include "base/cleanup.h"
#include "sys/ns.h"
#include "sys/rtnl_priv.h"
#include "sys/sock.h"

#include <errno.h>
#include <linux/wireguard.h>
#include <netinet/in.h>

#include <netlink/attr.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <openssl/evp.h>

/* Ref: IANA has given it none; wg(8) and CNIs use this one. */
#define WG_PORT 51820

DEFINE_CLEANUP(struct nl_sock *, nl_socket_free, nl_socket_freep)
DEFINE_CLEANUP(struct nl_msg *, nlmsg_free, nlmsg_freep)
DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free, pkey_freep)

int wg_keys_make(struct wg_keys *ret, struct err *e)
{
	_cleanup_(pkey_freep) EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	size_t n_private = WG_KEY_BYTES, n_public = WG_KEY_BYTES;

	if (!key || EVP_PKEY_get_raw_private_key(key, ret->private_key, &n_private) != 1 ||
		EVP_PKEY_get_raw_public_key(key, ret->public_key, &n_public) != 1)
		return err_say(e, EIO, "libcrypto makes no X25519 key");
	return 0;
}

/* Return: 0, or a negative error of libnl. */
static int put_allowed(struct nl_msg *msg, const struct nl_addr *prefix)
{
	struct nlattr *list = nla_nest_start(msg, WGPEER_A_ALLOWEDIPS);
	struct nlattr *one = list ? nla_nest_start(msg, 0) : NULL;
	int r = one ? 0 : -NLE_NOMEM;

	if (r == 0)
		r = nla_put_u16(msg, WGALLOWEDIP_A_FAMILY, (uint16_t)nl_addr_get_family(prefix));
	if (r == 0)
		r = nla_put(msg, WGALLOWEDIP_A_IPADDR, (int)nl_addr_get_len(prefix),
			nl_addr_get_binary_addr(prefix));
	if (r == 0)
		r = nla_put_u8(msg, WGALLOWEDIP_A_CIDR_MASK,
			(uint8_t)nl_addr_get_prefixlen(prefix));
	if (r < 0)
		return r;
	nla_nest_end(msg, one);
	nla_nest_end(msg, list);
	return 0;
}

static int put_peer(struct nl_msg *msg, const struct wg_peer *peer,
	const struct sockaddr_storage *addr, int addr_len, const struct nl_addr *prefix)
{
	struct nlattr *list = nla_nest_start(msg, WGDEVICE_A_PEERS);
	struct nlattr *one = list ? nla_nest_start(msg, 0) : NULL;
	int r = one ? 0 : -NLE_NOMEM;

	if (r == 0)
		r = nla_put(msg, WGPEER_A_PUBLIC_KEY, WG_KEY_BYTES, peer->public_key);
	if (r == 0)
		r = nla_put(msg, WGPEER_A_ENDPOINT, addr_len, addr);
	if (r == 0)
		r = put_allowed(msg, prefix);
	if (r < 0)
		return r;
	nla_nest_end(msg, one);
	nla_nest_end(msg, list);
	return 0;
}

static int put_device(struct nl_msg *msg, int family, const char *dev, const uint8_t *private_key)
{
	int r = genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, family, 0, 0, WG_CMD_SET_DEVICE,
			WG_GENL_VERSION)
			? 0
			: -NLE_NOMEM;

	if (r == 0)
		r = nla_put_string(msg, WGDEVICE_A_IFNAME, dev);
	if (r == 0)
		r = nla_put(msg, WGDEVICE_A_PRIVATE_KEY, WG_KEY_BYTES, private_key);
	if (r == 0)
		r = nla_put_u16(msg, WGDEVICE_A_LISTEN_PORT, WG_PORT);
	return r;
}

static int connect_genl(int netns_fd, struct nl_sock *sk, struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	int r = ns_scope_enter(&scope, netns_fd, e);

	if (r < 0)
		return r;
	r = genl_connect(sk);
	return r < 0 ? rt_fail(e, r, "cannot open generic netlink") : 0;
}

int wg_set(int netns_fd, const char *dev, const uint8_t *private_key, const struct wg_peer *peer,
	struct err *e)
{
	_cleanup_(nl_socket_freep) struct nl_sock *sk = nl_socket_alloc();
	_cleanup_(nlmsg_freep) struct nl_msg *msg = nlmsg_alloc();
	_cleanup_(nl_addr_putp) struct nl_addr *prefix = NULL;
	struct sockaddr_storage addr;
	int len, family, r;

	if (!sk || !msg)
		return err_set(e, ENOMEM, "cannot allocate a netlink message");
	r = rt_addr_parse(peer->allowed, &prefix, e);
	if (r < 0)
		return r;
	len = sock_addr(&addr, peer->addr, WG_PORT, e);
	if (len < 0)
		return len;
	r = connect_genl(netns_fd, sk, e);
	if (r < 0)
		return r;

	family = genl_ctrl_resolve(sk, WG_GENL_NAME);
	if (family < 0)
		return rt_fail(e, family, "the kernel does not speak to WireGuard");
	r = put_device(msg, family, dev, private_key);
	if (r == 0)
		r = put_peer(msg, peer, &addr, len, prefix);
	if (r == 0)
		r = nl_send_auto(sk, msg);
	if (r >= 0)
		r = nl_wait_for_ack(sk);
	return r < 0 ? rt_fail(e, r, "cannot give '%s' its keys and peer", dev) : 0;
}
