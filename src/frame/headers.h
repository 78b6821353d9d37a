/* Ethernet, VLAN, IPv4 or IPv6, and UDP: the headers of a frame, as they are on the wire. */
#pragma once

#include "frame/stream.h"

#define ETH_HEAD_BYTES  14
#define VLAN_TAG_BYTES  4
#define IPV4_HEAD_BYTES 20
#define IPV6_HEAD_BYTES 40
#define UDP_HEAD_BYTES  8

#define ETH_TYPE_IPV4   0x0800
#define ETH_TYPE_VLAN   0x8100
#define ETH_TYPE_QINQ   0x88a8
#define ETH_TYPE_IPV6   0x86dd
#define IP_PROTO_UDP    17
#define ETH_LEAST_BYTES 60 /* without FCS: what is shorter is padded. Ref: IEEE 802.3 s.4.2.3.3 */

static inline uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint8_t *put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return p + 2;
}

struct headers_args {
	const struct frame_form *form;
	const struct frame_addr *addr;
	uint16_t src_port, dst_port;
	uint32_t len; /* of the whole frame without FCS */
};

/* Writes them at @frame, without the UDP checksum. Return: where the payload begins. */
uint32_t headers_put(uint8_t *frame, const struct headers_args *args);

/* Sets the UDP checksum of a frame whose headers and payload are written. */
void headers_seal(uint8_t *frame, const struct headers_args *args);

/*
 * headers_udp_sum() - the sum of a UDP datagram and its pseudo header; 0xffff: its checksum is
 *                     right.
 * @ip: its IP header; @udp: its UDP header, of @udp_len bytes with its payload
 *
 * Ref: RFC 768; RFC 8200 s.8.1.
 */
uint16_t headers_udp_sum(const uint8_t *ip, bool ipv6, const uint8_t *udp, uint32_t udp_len);
