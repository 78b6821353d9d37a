#include "frame/headers.h"

#include "frame/csum.h"

#include <string.h>

uint32_t frame_headers_bytes(const struct frame_form *form)
{
	return ETH_HEAD_BYTES + (form->vlan ? VLAN_TAG_BYTES : 0) +
	       (form->ipv6 ? IPV6_HEAD_BYTES : IPV4_HEAD_BYTES) + UDP_HEAD_BYTES;
}

static uint8_t *put_ethernet(uint8_t *p, const struct headers_args *args)
{
	memcpy(p, args->addr->dst_mac, 6);
	memcpy(p + 6, args->addr->src_mac, 6);
	p += 12;
	if (args->form->vlan) {
		p = put16(p, ETH_TYPE_VLAN);
		p = put16(p, args->form->vlan);
	}
	return put16(p, args->form->ipv6 ? ETH_TYPE_IPV6 : ETH_TYPE_IPV4);
}

static uint8_t *put_ipv4(uint8_t *ip, const struct frame_addr *addr, uint16_t len)
{
	uint16_t check;

	memset(ip, 0, IPV4_HEAD_BYTES);
	ip[0] = 0x45; /* version 4, five words */
	put16(ip + 2, len);
	ip[8] = addr->ttl ?: FRAME_TTL;
	ip[9] = IP_PROTO_UDP;
	memcpy(ip + 12, addr->src_ip, 4);
	memcpy(ip + 16, addr->dst_ip, 4);
	check = (uint16_t)~csum_fold(csum_add(0, ip, IPV4_HEAD_BYTES));
	memcpy(ip + 10, &check, sizeof(check));
	return ip + IPV4_HEAD_BYTES;
}

static uint8_t *put_ipv6(uint8_t *ip, const struct frame_addr *addr, uint16_t len)
{
	memset(ip, 0, IPV6_HEAD_BYTES);
	ip[0] = 0x60;
	put16(ip + 4, (uint16_t)(len - IPV6_HEAD_BYTES));
	ip[6] = IP_PROTO_UDP;
	ip[7] = addr->ttl ?: FRAME_TTL;
	memcpy(ip + 8, addr->src_ip, 16);
	memcpy(ip + 24, addr->dst_ip, 16);
	return ip + IPV6_HEAD_BYTES;
}

uint32_t headers_put(uint8_t *frame, const struct headers_args *args)
{
	uint8_t *ip = put_ethernet(frame, args);
	const uint16_t ip_len = (uint16_t)(args->len - (uint32_t)(ip - frame));
	uint8_t *udp = args->form->ipv6 ? put_ipv6(ip, args->addr, ip_len)
					: put_ipv4(ip, args->addr, ip_len);

	put16(udp, args->src_port);
	put16(udp + 2, args->dst_port);
	put16(udp + 4, (uint16_t)(args->len - (uint32_t)(udp - frame)));
	return (uint32_t)(udp - frame) + UDP_HEAD_BYTES;
}

uint16_t headers_udp_sum(const uint8_t *ip, bool ipv6, const uint8_t *udp, uint32_t udp_len)
{
	/* The rest of the pseudo header. IPv6's fields are wider, with zeros in front. */
	uint8_t pseudo[4] = {0, IP_PROTO_UDP};
	uint64_t sum;

	put16(pseudo + 2, (uint16_t)udp_len);
	sum = csum_add(0, pseudo, sizeof(pseudo));
	sum = ipv6 ? csum_add(sum, ip + 8, 32) : csum_add(sum, ip + 12, 8);
	return csum_fold(csum_add(sum, udp, udp_len));
}

void headers_seal(uint8_t *frame, const struct headers_args *args)
{
	const uint32_t payload_at = frame_headers_bytes(args->form);
	const uint32_t udp_at = payload_at - UDP_HEAD_BYTES;
	const uint32_t ip_at = udp_at - (args->form->ipv6 ? IPV6_HEAD_BYTES : IPV4_HEAD_BYTES);
	uint16_t check;

	put16(frame + udp_at + 6, 0);
	check = (uint16_t)~headers_udp_sum(frame + ip_at, args->form->ipv6, frame + udp_at,
		args->len - udp_at);

	/* 0 would say that there is none; 0xffff is the same number. Ref: RFC 768 */
	if (check == 0)
		check = 0xffff;
	memcpy(frame + udp_at + 6, &check, sizeof(check));
}
