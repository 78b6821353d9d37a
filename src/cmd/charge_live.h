/* What the files of tare charge share: charge_loop.c its loop, charge_output.c its forms. */
#pragma once

#include "cmd/cmd.h"
#include "guard/config.h"
#include "report/charge.h"
#include "serve/metrics.h"

struct live;
struct screen;

/* One form of output. */
struct charge_output {
	void (*begin)(struct live *l);
	void (*interval)(struct live *l, struct bill *b); /* may take what is in it */
	void (*end)(struct live *l);                      /* l->run has the total */
};
extern const struct charge_output charge_output_text, charge_output_csv, charge_output_json,
	charge_output_stream, charge_output_screen;

struct live {
	const struct charge_ask *ask;
	const struct charge_output *output;
	struct charge_view view;
	struct guard_rules who; /* view.who is this, or NULL */
	struct charge *charge;
	struct metrics *metrics; /* NULL: nobody is served */
	struct charge_run run;
	struct doc_growing json;
	uint64_t n_intervals;     /* so far */
	uint64_t interval_ns;     /* now; keys change it */
	uint64_t begin_ns;        /* of the first interval; 0: not yet */
	uint64_t end_ns, next_ns; /* when it is over; 0: never; when the interval is */
	int signal_fd;
	struct screen *screen; /* NULL: lines */
	bool stop;             /* asked for */
	bool cut_short;        /* by a signal */
};

/* Bills until it is over. Return: 0 or negative errno. */
int charge_loop(struct live *l, struct err *e) must_check_;

/* charge_screen.c. NULL: the terminal can't. */
struct screen *screen_open(void);
void screen_close(struct screen *s);
void screen_begin(struct live *l);
void screen_interval(struct live *l, struct bill *b);
/* What was typed. */
void screen_keys(struct live *l);
