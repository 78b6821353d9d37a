/* Renderers of one trial of frames. */
#pragma once

#include "method/resources.h"
#include "method/subject.h"
#include "stat/components.h"

#include <stdio.h>

/* All trials, an instantiation after the other; the report's own trial is the first. */
struct frames_spread {
	uint32_t n_rebuilds, n_repeats;
	struct tester_trial *trial; /* [n_rebuilds][n_repeats], as far as they were made */
	struct components fps;      /* frames_received_fps() */
};

struct frames_report {
	const struct subject *subject;
	const struct resources_cfg *resources;
	const struct frames_spread *spread;
	const struct tester_cfg *cfg;
	const struct frame_mix *mix;
	const struct tester_trial *trial; /* with its hist, or none */
	double fps;                       /* asked for, of each port that sends; INFINITY: all */
	bool ipv6;
	const char *command, *started; /* started: UTC */
};

/* Rates of one direction: of what came in, from the first frame to the last. */
struct frames_rate {
	double fps, l1_bps, l2_bps; /* NAN: fewer than two came */
};
struct frames_rate frames_rate(const struct frame_count *got);

/*
 * What came in of all directions, by the time of sending: of frames that are sent as fast as it
 * goes, the maximum receive rate. NAN: fewer than two were sent. Ref: CSIT, MRR throughput.
 */
double frames_received_fps(const struct tester_trial *t);

/* Each returns 0, or the negative errno of a write that failed. */
int frames_text(const struct frames_report *r, FILE *out);
int frames_json(const struct frames_report *r, FILE *out);
/* What frames_json() prints, as a JSON Schema. */
int frames_schema(FILE *out);
