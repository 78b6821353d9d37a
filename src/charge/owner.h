/*
 * Numbers of owners, given out to containers and taken back: what the accounting is told of each,
 * and how much each had when it was read.
 *
 *	free --appears--> live --disappears--> gone --its last rows are billed--> free
 *
 * A directory below that of two (--cgroup) is the nearer one's. Of containers that share a
 * namespace one has its packets; when that one goes, another one.
 */
#pragma once

#include "charge/container.h"
#include "charge/softirq.h"

enum owner_state {
	OWNER_FREE,
	OWNER_LIVE,
	OWNER_GONE,
};

/* Counters as they stood at a moment. */
struct owner_reading {
	struct softirq_account soft;
	struct softirq_account *cpu; /* [n_cpus]; NULL: not kept */
	uint64_t process_ns;
	bool process_known;
};

/* Directories whose processes are an owner's. */
struct owner_cgroups {
	uint32_t n;
	uint64_t *id; /* [n], sorted */
};

struct owner {
	enum owner_state state;
	bool came;       /* after the begin */
	bool is_new;     /* since the last bill */
	bool told;       /* gone, and a bill has said so */
	bool has_netns;  /* its namespace's packets are booked on it */
	bool new_devs;   /* its devices are others than the kernel has been told of */
	bool in_part;    /* the kernel had no room for something of it */
	uint64_t serial; /* order in which they were found */
	struct container who;
	struct owner_cgroups cgroups;
	int usage_fd; /* 0: not open */
	struct owner_reading base, last;
};

struct owners {
	struct softirq *soft;
	bool per_cpu;
	uint32_t n_cpus;
	uint32_t n;       /* room */
	struct owner *at; /* [n]; row = number */
	uint64_t serial;
	uint32_t n_usage_fds, max_usage_fds; /* open, of those that may be */
	/* Of the last update: no number, or for a part no room in the kernel's tables. */
	uint32_t n_left_out;
};

/* @soft stays the caller's. host and overhead are there from the start. */
void owners_init(struct owners *o, struct softirq *soft, uint32_t n, bool per_cpu);
void owners_fini(struct owners *o);

/*
 * Makes the owners those of @list. What there was no room for before is tried again.
 *
 * Return: 0 or negative errno; the list may be tried again.
 */
int owners_update(struct owners *o, const struct container_list *list, struct err *e) must_check_;

/* A gone one's number may be given out again. */
void owner_release(struct owners *o, uint32_t number);

/* Of one owner, now. CPU time of processes is left as it was when it can't be read any more. */
void owner_read_process(struct owners *o, struct owner *w, struct owner_reading *ret);
