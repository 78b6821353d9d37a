#include "sys/packet.h"

#include "base/clock.h"
#include "base/mem.h"
#include "sys/ns.h"
#include "sys/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

/* The smallest frame takes 144 bytes of a block, so they are 116000 of them. */
#define BLOCK_BYTES (256U << 10)
#define N_BLOCKS    64U
#define RING_BYTES  ((size_t)BLOCK_BYTES * N_BLOCKS)
#define TAG_BYTES   4
#define MACS_BYTES  12

struct packet_ring {
	int fd, swallow_fd;
	uint8_t *base;
	uint32_t next;    /* block */
	uint64_t dropped; /* as far as the kernel was asked */
};

static int open_raw(int *ret_fd, struct err *e)
{
	/* Protocol 0: nothing comes before bind(), and to a sender never. */
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0 && errno == EPERM)
		return err_say(e, EPERM, "a packet socket takes CAP_NET_RAW");
	if (fd < 0 && errno == EAFNOSUPPORT)
		return err_say(e, EOPNOTSUPP, "this kernel has no AF_PACKET (CONFIG_PACKET)");
	if (fd < 0)
		return err_set(e, errno, "cannot open a packet socket");
	*ret_fd = fd;
	return 0;
}

static int bind_to(int fd, uint32_t ifindex, uint16_t protocol, struct err *e)
{
	const struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(protocol),
		.sll_ifindex = (int)ifindex,
	};

	if (bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
		return err_set(e, errno, "cannot bind a packet socket to device %u", ifindex);
	return 0;
}

int packet_sender_open(int *ret_fd, int netns_fd, uint32_t ifindex, struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	_cleanup_(closep) int fd = -1;
	int r = ns_scope_enter(&scope, netns_fd, e);

	if (r == 0)
		r = open_raw(&fd, e);
	if (r == 0)
		r = bind_to(fd, ifindex, 0, e);
	if (r == 0)
		r = sock_set_int(fd, SOL_PACKET, PACKET_QDISC_BYPASS, 1, "PACKET_QDISC_BYPASS", e);
	if (r < 0)
		return r;
	*ret_fd = take_fd(fd);
	return 0;
}

/* UDP. The kernel has taken a VLAN tag off. */
static int filter(int fd, struct err *e)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12), /* Ethernet type */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 2),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 23), /* protocol */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 3, 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 0, 3),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 20), /* next header */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog prog = {ARRAY_SIZE(code), code};

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0)
		return err_set(e, errno, "cannot filter what a packet socket receives");
	return 0;
}

static int map_ring(struct packet_ring *r, struct err *e)
{
	const struct tpacket_req3 req = {
		.tp_block_size = BLOCK_BYTES,
		.tp_block_nr = N_BLOCKS,
		.tp_frame_size =
			2048, /* only has to divide a block: V3 packs frames as they come */
		.tp_frame_nr = BLOCK_BYTES / 2048 * N_BLOCKS,
		.tp_retire_blk_tov = PACKET_RETIRE_MS,
	};
	void *base;

	if (setsockopt(r->fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)) < 0)
		return err_set(e, errno, "cannot make a ring of a packet socket");
	base = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd, 0);
	if (base == MAP_FAILED)
		return err_set(e, errno, "cannot map the ring of a packet socket");
	r->base = base;
	return 0;
}

static int ring_open(struct packet_ring *r, const struct packet_ring_args *args, struct err *e)
{
	int r1 = open_raw(&r->fd, e);

	if (r1 == 0)
		r1 = sock_set_int(r->fd, SOL_PACKET, PACKET_VERSION, TPACKET_V3, "TPACKET_V3", e);
	if (r1 == 0)
		r1 = sock_set_int(r->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1,
			"PACKET_IGNORE_OUTGOING", e);
	if (r1 == 0)
		r1 = filter(r->fd, e);
	if (r1 == 0)
		r1 = map_ring(r, e);
	return r1 < 0 ? r1 : bind_to(r->fd, args->ifindex, ETH_P_ALL, e);
}

/* A socket of both families, whose filter drops each datagram before it is queued. */
static int swallow_open(int *ret_fd, const struct packet_ring_args *args, struct err *e)
{
	struct sock_filter drop[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
	const struct sock_fprog prog = {ARRAY_SIZE(drop), drop};
	_cleanup_(closep) int fd = sock_open(SOCK_DGRAM, "::", e);
	const char *any = "::";
	int r;

	if (fd == -EAFNOSUPPORT) {
		any = "0.0.0.0";
		fd = sock_open(SOCK_DGRAM, any, e);
	}
	if (fd < 0)
		return fd;
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, args->dev, (socklen_t)strlen(args->dev)) <
		0)
		return err_set(e, errno, "cannot bind a socket to device '%s'", args->dev);
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0)
		return err_set(e, errno, "cannot have a socket drop what it receives");
	r = sock_bind_fd(fd, any, args->udp_port, e);
	if (r < 0)
		return r;
	*ret_fd = take_fd(fd);
	return 0;
}

int packet_ring_open(struct packet_ring **ret, const struct packet_ring_args *args, struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	_cleanup_(packet_ring_closep) struct packet_ring *r = xcalloc(1, sizeof(*r));
	int r1;

	r->fd = r->swallow_fd = -1;
	r1 = ns_scope_enter(&scope, args->netns_fd, e);
	if (r1 == 0)
		r1 = swallow_open(&r->swallow_fd, args, e);
	if (r1 == 0)
		r1 = ring_open(r, args, e);
	if (r1 < 0)
		return r1;
	*ret = take_ptr(r);
	return 0;
}

void packet_ring_close(struct packet_ring *r)
{
	if (!r)
		return;
	if (r->base)
		munmap(r->base, RING_BYTES);
	closep(&r->fd);
	closep(&r->swallow_fd);
	free(r);
}

/*
 * Puts the tag back. There is room: the kernel leaves a struct sockaddr_ll in front of the frame,
 * which nobody reads here. Ref: net/packet/af_packet.c tpacket_rcv, v6.1
 */
static uint8_t *retag(uint8_t *frame, const struct tpacket3_hdr *h)
{
	const uint32_t tpid =
		h->tp_status & TP_STATUS_VLAN_TPID_VALID ? h->hv1.tp_vlan_tpid : ETH_P_8021Q;
	const uint16_t tag[2] = {htons((uint16_t)tpid), htons((uint16_t)h->hv1.tp_vlan_tci)};

	memmove(frame - TAG_BYTES, frame, MACS_BYTES);
	memcpy(frame - TAG_BYTES + MACS_BYTES, tag, sizeof(tag));
	return frame - TAG_BYTES;
}

static void take_frame(struct tpacket3_hdr *h, uint64_t real_ahead_ns, packet_take_fn *take,
	void *arg)
{
	uint8_t *frame = (uint8_t *)h + h->tp_mac;
	const uint64_t at_ns = h->tp_sec * NSEC_PER_SEC + h->tp_nsec - real_ahead_ns;

	if (h->tp_status & TP_STATUS_VLAN_VALID)
		take(arg, retag(frame, h), h->tp_snaplen + TAG_BYTES, at_ns);
	else
		take(arg, frame, h->tp_snaplen, at_ns);
}

/* How far CLOCK_REALTIME, which frames are stamped by, is ahead; anew, for it may be set. */
static uint64_t real_ahead(void)
{
	struct timespec real;

	clock_gettime(CLOCK_REALTIME, &real);
	return (uint64_t)real.tv_sec * NSEC_PER_SEC + (uint64_t)real.tv_nsec - clock_now_ns();
}

uint32_t packet_ring_take(struct packet_ring *r, packet_take_fn *take, void *arg)
{
	uint8_t *base = r->base + (size_t)r->next * BLOCK_BYTES;
	struct tpacket_hdr_v1 *block = &((struct tpacket_block_desc *)base)->hdr.bh1;
	struct tpacket3_hdr *h;
	uint64_t real_ahead_ns;
	uint32_t n;

	if (!(__atomic_load_n(&block->block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER))
		return 0;
	n = block->num_pkts;
	real_ahead_ns = real_ahead();
	h = (struct tpacket3_hdr *)(base + block->offset_to_first_pkt);
	for (uint32_t i = 0; i < n; i++) {
		take_frame(h, real_ahead_ns, take, arg);
		h = (struct tpacket3_hdr *)((uint8_t *)h + h->tp_next_offset);
	}
	__atomic_store_n(&block->block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
	r->next = (r->next + 1) % N_BLOCKS;
	return n;
}

bool packet_ring_wait(struct packet_ring *r, int timeout_ms)
{
	struct pollfd p = {.fd = r->fd, .events = POLLIN};

	return poll(&p, 1, timeout_ms) > 0;
}

uint64_t packet_ring_overflowed(struct packet_ring *r)
{
	struct tpacket_stats_v3 s = {0};
	socklen_t len = sizeof(s);

	/* What is told is told once. */
	if (getsockopt(r->fd, SOL_PACKET, PACKET_STATISTICS, &s, &len) == 0)
		r->dropped += s.tp_drops;
	return r->dropped;
}
