/* The search for the highest rate that is answered within the goal. */
#pragma once

#include "dns/run.h"

/* run.c: a trial with its latencies. */
int dns_run_timed(struct dns_run *run, struct dns_engine *x, struct dns_ask *ask,
	struct dns_timed *ret, struct err *e) must_check_;

/* Fills what dns_run has of a search. Return: 0, also when interrupted; or negative errno. */
int dns_find(struct dns_run *run, struct dns_engine *x, const struct dns_run_ops *ops,
	struct err *e) must_check_;
