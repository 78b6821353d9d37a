/*
 * Writes frames of every kind that a stream may have into a file for tshark to judge: each form,
 * size and variation, with marks of the tester's. One argument: the file. Tells on stdout, one line
 * per stream, how many frames it is of, in the file's order, and what they are.
 *
 * Ref: the file's form, draft-ietf-opsawg-pcap s.4 and 5; all in the machine's byte order.
 */
#include "base/cleanup.h"
#include "base/macro.h"
#include "frame/stream.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY               0xa5c3
#define LINKTYPE_ETHERNET 1
/* Of each stream: its slots, but not more and not fewer frames than these. */
#define MAX_FRAMES 600
#define MIN_FRAMES 8

struct kind {
	const char *name;
	const char *mix; /* NULL: each size that is worth one */
	struct frame_form form;
	struct frame_vary vary;
};

static const char all_sizes[] = "82,83,100,128,256,511,512,768,1024,1280,1518,1522,2048,2112,4096,"
				"8192,9000,9215,9216";
static const struct kind kinds[] = {
	{"IPv4, smallest", "64", {.vlan = 0}, {1, 1, 1, 0}},
	{"IPv6, smallest", "78", {.ipv6 = true}, {1, 1, 1, 0}},
	{"IPv4 VLAN, smallest", "64", {.vlan = 1}, {1, 1, 1, 0}},
	{"IPv6 VLAN, smallest", "82", {.ipv6 = true, .vlan = 4094}, {1, 1, 1, 0}},
	{"IPv4, sizes", NULL, {.vlan = 0}, {1, 1, 1, 0}},
	{"IPv6, sizes", NULL, {.ipv6 = true}, {1, 1, 1, 0}},
	{"IPv4 VLAN, sizes", NULL, {.vlan = 100}, {1, 1, 1, 0}},
	{"IPv6 VLAN, sizes", NULL, {.ipv6 = true, .vlan = 100}, {1, 1, 1, 0}},
	{"IPv4 IMIX", "imix", {.vlan = 0}, {1, 1, 1, 0}},
	{"IPv6 IMIX", "imix-ipv6", {.ipv6 = true}, {1, 1, 1, 0}},
	{"IPv4 flows", "64", {.vlan = 0}, {500, 1, 1, 0}},
	{"IPv4 networks", "64", {.vlan = 0}, {1, 256, 1, 0}},
	{"IPv6 networks", "78", {.ipv6 = true}, {1, 256, 1, 0}},
	{"IPv4 macs", "64", {.vlan = 0}, {1, 1, 256, 0}},
	{"IPv4 broadcast", "imix", {.vlan = 0}, {1, 1, 1, 10}},
	{"IPv6 broadcast", "imix-ipv6", {.ipv6 = true}, {2, 1, 1, 10}},
	{"IPv4 VLAN, all that varies", "imix-csit", {.vlan = 7}, {7, 4, 2, 5}},
};

static void put_file_head(FILE *f)
{
	const uint32_t magic = 0xa1b2c3d4, rest[] = {0, 0, 65535, LINKTYPE_ETHERNET};
	const uint16_t version[] = {2, 4};

	fwrite(&magic, sizeof(magic), 1, f);
	fwrite(version, sizeof(version), 1, f);
	fwrite(rest, sizeof(rest), 1, f);
}

static void put_frame(FILE *f, const struct frame_slot *slot, uint32_t seq)
{
	const uint32_t head[] = {seq / 1000, seq % 1000 * 1000, slot->len, slot->len};
	uint8_t bytes[FRAME_MAX_BYTES];

	memcpy(bytes, slot->bytes, slot->len);
	if (slot->kind == FRAME_SLOT_TEST)
		frame_mark_put(bytes + slot->mark_at, KEY,
			seq % 7 ? FRAME_MAGIC_TEST : FRAME_MAGIC_LEARN, (uint8_t)seq,
			seq * 2654435761U, seq * 0x9e3779b97f4a7c15ULL);
	fwrite(head, sizeof(head), 1, f);
	fwrite(bytes, slot->len, 1, f);
}

static int put_stream(FILE *f, const struct kind *k, const struct frame_mix *mix, struct err *e)
{
	const struct frame_addr addr4 = {.src_mac = {2, 0, 0, 0, 0, 1},
		.dst_mac = {2, 0, 0, 0, 0, 2},
		.src_ip = {198, 18, 1, 2},
		.dst_ip = {198, 19, 1, 2}};
	const struct frame_addr addr6 = {.src_mac = {2, 0, 0, 0, 0, 1},
		.dst_mac = {2, 0, 0, 0, 0, 2},
		.src_ip = {0x20, 1, 0, 2, [15] = 2},
		.dst_ip = {0x20, 1, 0, 2, [7] = 1, [15] = 2}};
	const struct frame_stream_args args = {&k->form, k->form.ipv6 ? &addr6 : &addr4, &k->vary,
		mix, KEY};
	_cleanup_(frame_stream_freep) struct frame_stream *s = NULL;
	int r = frame_stream_new(&s, &args, e);
	uint32_t n;

	if (r < 0)
		return r;
	n = MIN(MAX(s->n_slots, (uint32_t)MIN_FRAMES), (uint32_t)MAX_FRAMES);
	for (uint32_t i = 0; i < n; i++)
		put_frame(f, &s->slot[i % s->n_slots], i);
	printf("%u %s %s\n", n, mix->name, k->name);
	return 0;
}

static int put_kind(FILE *f, const struct kind *k, struct err *e)
{
	static struct frame_mix mix[32];
	int n = frame_mix_list(mix, ARRAY_SIZE(mix), k->mix ? k->mix : all_sizes, 1500, e);

	for (int i = 0; i < n; i++) {
		int r = put_stream(f, k, &mix[i], e);

		if (r < 0)
			return r;
	}
	return n < 0 ? n : 0;
}

int main(int argc, char **argv)
{
	_cleanup_(fclosep) FILE *f = argc == 2 ? fopen(argv[1], "we") : NULL;
	struct err e = {0};

	if (!f) {
		fprintf(stderr, "usage: frame_pcap FILE\n");
		return 2;
	}
	put_file_head(f);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (put_kind(f, &kinds[i], &e) < 0) {
			fprintf(stderr, "%s: %s\n", kinds[i].name, e.text);
			return 1;
		}
	return fflush(f) == 0 && !ferror(f) ? 0 : 1;
}
