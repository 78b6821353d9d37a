/* What drop.c (tables) and drop_device.c (hooks) share. */
#pragma once

#include "guard/drop.h"
#include "sys/tcx.h"

#include <sys/types.h>

struct drop_bpf;

/* A program on a device. Links do not keep a namespace alive; filters do, to be removed. */
struct drop_attached {
	ino_t netns;
	int ifindex;
	uint32_t hook;
	int link_fd; /* -1: a filter */
	int netns_fd;
	bool own_qdisc; /* of a filter: clsact was not there before */
};

struct drop {
	struct drop_cfg cfg;
	struct drop_bpf *skel;
	bool is_alone;    /* without the accounting */
	int64_t ahead_ns; /* clock_ahead_ns() */
	uint32_t n_cpus;
	struct drop_attached *on; /* [n_on] */
	uint32_t n_on;
};

void drop_detach_all(struct drop *d);
