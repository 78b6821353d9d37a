/* What is asked of a bill, in words. */
#pragma once

#include "base/opt.h"
#include "charge/bill.h"

struct charge_words {
	char netns[2048], cgroup[4096]; /* lists with commas */
	bool only, services, precise, per_cpu;
	uint64_t scan_ns;
	uint32_t max;
};
extern const struct charge_words charge_words_default;
extern const struct opt charge_opts[];

/* A configuration, and the strings that it points to. */
struct charge_asked {
	struct charge_cfg cfg;
	struct charge_words words; /* their commas are ends of strings */
	const char *netns[CHARGE_MAX_NAMED + 1], *cgroup[CHARGE_MAX_NAMED + 1];
};

/* @ret must stay where it is. Return: 0 or -EINVAL; nothing is looked for yet. */
int charge_ask(struct charge_asked *ret, const struct charge_words *words, struct err *e)
	must_check_;
