/*
 * Sizes and rates of Ethernet frames. A size is the standards': from the destination address to
 * the FCS, VLAN tags included, preamble and gap not. What a socket or an XDP program handles has
 * no FCS: 4 bytes less. Ref: RFC 1242 s.3.5, RFC 2544 s.9 and appendix B.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Ref: RFC 2544 appendix C.2.6.4; the hop limit of IPv6 is the same. */
#define FRAME_TTL 10

#define FRAME_FCS_BYTES      4
#define FRAME_OVERHEAD_BYTES 20 /* preamble 8, inter-frame gap 12 */
#define FRAME_MIN_BYTES      64
#define FRAME_MAX_BYTES      9216
#define FRAME_MARK_BYTES     12

/* The most frames a medium of this rate carries in a second. Exact; published tables truncate. */
double frame_max_fps(double rate_bps, double size_bytes);

/* bit/s of a rate of frames, on the medium (L1) and in frames (L2). */
double frame_l1_bps(double fps, double size_bytes);
double frame_l2_bps(double fps, double size_bytes);

/* The headers a test frame has before its UDP payload. */
struct frame_form {
	bool ipv6;
	uint16_t vlan; /* tag; 0: none */
};
uint32_t frame_headers_bytes(const struct frame_form *form);
/* The smallest frame of this form that holds a mark, and is a legal one. */
uint32_t frame_smallest_bytes(const struct frame_form *form);

/*
 * A sequence of sizes that a stream goes through again and again: one size, or a mix.
 * Ref: RFC 6985 (the genome's letters: a=64 b=128 c=256 d=512 e=1024 f=1280 g=1518 h=2112 i=9000
 * j=16000 z=MTU).
 */
#define FRAME_MAX_SEQUENCE 256
struct frame_mix {
	/* As it was said: "64", "imix", "imix:aaaaaaaddddg". */
	char name[FRAME_MAX_SEQUENCE + 8];
	uint32_t n;
	uint16_t size[FRAME_MAX_SEQUENCE];
	double mean_bytes;
};

/*
 * frame_mix_parse() - "512"; "imix" (7:4:1 of 64, 512 and 1518), "imix-csit", "imix-trex",
 *                     "imix-ipv6"; or "imix:<genome>".
 * @mtu: what z stands for, as an L3 MTU
 *
 * Return: 0, or -EINVAL or -ERANGE with the part that is wrong.
 */
int frame_mix_parse(struct frame_mix *ret, const char *text, uint32_t mtu, struct err *e)
	must_check_;

/* A comma-separated list of them. Return: how many are in @ret [@max], or negative errno. */
int frame_mix_list(struct frame_mix *ret, uint32_t max, const char *text, uint32_t mtu,
	struct err *e) must_check_;

/* RFC 2544 s.9: 64,128,256,512,1024,1280,1518; RFC 5180's start at 78 here. */
extern const char frame_sizes_ipv4[], frame_sizes_ipv6[];
