/*
 * What a campaign measures, behind one interface: two ports with a SUT between them, or a model.
 * Campaigns (method/rfc2544.c, ...) see nothing else, so the same code runs on both.
 */
#pragma once

#include "base/cleanup.h"
#include "frame/tester.h"
#include "path/path.h"
#include "stat/sut.h"

#define SUBJECT_MAX_PHASES FRAME_MAX_PHASES

/* A trial as a campaign asks for it. Rates are of one port; both send it when there are two. */
struct subject_ask {
	const struct frame_mix *mix;
	uint32_t n_phases;
	struct {
		double fps;        /* INFINITY: as fast as it goes */
		uint64_t n_frames; /* of each port that sends */
	} phase[SUBJECT_MAX_PHASES];
	uint64_t settle_ns; /* before the next trial. Ref: RFC 2544 s.23 e: 5 s */
	bool latency, learn;
};

struct subject_trial {
	uint64_t tried; /* frames intended, of all ports */
	uint64_t sent;  /* of them, those that were sent */
	uint64_t lost;  /* of tried; never sent is lost */
	uint64_t received, duplicated, reordered, corrupt, late, alien;
	uint64_t overflowed; /* of lost, by the tester itself */
	/* The same by instances of the SUT, of all ports; 1 and the sums where it is one thing. */
	uint32_t n_ways;
	uint64_t tried_of[TESTER_MAX_WAYS], lost_of[TESTER_MAX_WAYS];
	uint64_t last_lost_ns;  /* when the last lost one was due, after the first; 0: none */
	uint64_t first_lost_ns; /* UINT64_MAX: none */
	uint64_t sending_ns;    /* from the first frame to the last */
	uint64_t effective_ns;  /* in all */
	struct hist *hist;      /* the caller's; NULL: not wanted */
};
extern const struct field subject_trial_fields[];

struct resources;
struct subject;

struct subject_ops {
	int (*trial)(struct subject *s, const struct subject_ask *ask, struct subject_trial *ret,
		struct err *e);
	/* Takes the SUT down and builds it anew: placement is not the same twice. NULL: can't. */
	int (*rebuild)(struct subject *s, struct err *e);
	/*
	 * Resets it: links of the SUT down and up. Is called in a thread of its own while trial()
	 * runs, so it touches nothing that a trial does. NULL: can't. Ref: RFC 6201 s.4
	 */
	int (*reset)(struct subject *s, struct err *e);
	void (*close)(struct subject *s);
};

struct subject {
	const struct subject_ops *ops;
	char name[256];      /* "bridge", "ports eth1,eth2", "model:rate=1e6" */
	bool simulated;      /* no frame was ever sent */
	uint32_t n_ways;     /* instances beside each other, which get the same load */
	uint32_t n_ports_tx; /* 2 when both directions are used: published rates are doubled */
	double self_fps;     /* a port without a SUT, smallest frame; NAN: not tested */
	struct tester_info info;
	struct tester *tester; /* NULL: simulated. Whoever has it may look; rebuild changes it. */
	bool ipv6;
	uint32_t mtu; /* of its ports, as an L3 MTU; 0: simulated */
	uint32_t n_notes;
	char note[PATH_MAX_NOTES][256];
	int cancel_fd;
	struct resources *resources; /* NULL: nothing is placed */
	void *state;
};

/*
 * subject_rebuild() - the SUT, or where that can't be, nothing: -EOPNOTSUPP. What resources are
 *                     placed is placed again.
 */
int subject_rebuild(struct subject *s, struct err *e) must_check_;
/* Has its processes placed now and after each rebuild. @x is the subject's from now on. */
int subject_place(struct subject *s, struct resources *x, struct err *e) must_check_;

int subject_trial(struct subject *s, const struct subject_ask *ask, struct subject_trial *ret,
	struct err *e) must_check_;
void subject_close(struct subject *s);
DEFINE_CLEANUP(struct subject *, subject_close, subject_closep)

/* A model that stands for a SUT. */
int subject_model(struct subject **ret, const struct sut_cfg *cfg, struct err *e) must_check_;

/* A path of the lab, built here. Return: 0, PATH_UNAVAILABLE with the reason, or negative errno. */
int subject_path(struct subject **ret, const struct path_spec *spec, const struct tester_cfg *cfg,
	int cancel_fd, struct err *e) must_check_;

/* The path between the ports, borrowed, until the next rebuild; NULL: it is no path of the lab. */
const struct path *subject_path_of(const struct subject *s);

/*
 * Two devices of this namespace with something between them that is not tare's business.
 * @ports: "eth1,eth2"
 */
struct subject_ports {
	char ports[64];
	char addr[2][46];    /* the tester's at each; "": RFC 2544's 198.18.0.2 and 198.19.0.2 */
	char gateway[2][46]; /* the DUT's at each, asked for by ARP; "": the other port's own MAC */
};
int subject_of_ports(struct subject **ret, const struct subject_ports *ports, bool ipv6,
	const struct tester_cfg *cfg, int cancel_fd, struct err *e) must_check_;

/*
 * subject_self() - the tester against itself over one veth pair, without a SUT: its Max Load.
 * Sets s->self_fps.  Ref: RFC 9971 (recommended), RFC 9004 s.4.
 */
int subject_self(struct subject *s, const struct tester_cfg *cfg, const struct frame_mix *mix,
	struct err *e) must_check_;

/* The most time that sending may take beyond what its schedule says. */
uint64_t subject_slack_ns(uint64_t schedule_ns);

/* A veth pair in two namespaces of its own: where there is no SUT. Its ends' addresses are set. */
struct subject_veth {
	int netns_fd[TESTER_N_PORTS];
	struct tester_end end[TESTER_N_PORTS];
};
int subject_veth_open(struct subject_veth *ret, bool ipv6, struct err *e) must_check_;
void subject_veth_close(struct subject_veth *v);
