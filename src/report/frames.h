/* Renderers of one trial of frames. */
#pragma once

#include "method/subject.h"

#include <stdio.h>

struct frames_report {
	const struct subject *subject;
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

/* Each returns 0, or the negative errno of a write that failed. */
int frames_text(const struct frames_report *r, FILE *out);
int frames_json(const struct frames_report *r, FILE *out);
/* What frames_json() prints, as a JSON Schema. */
int frames_schema(FILE *out);
