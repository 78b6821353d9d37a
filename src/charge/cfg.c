#include "charge/cfg.h"

#include "sys/nsref.h"

#include <errno.h>
#include <string.h>

const struct charge_words charge_words_default = {
	.scan_ns = 5 * NSEC_PER_SEC,
	.max = 1024,
};

const struct opt charge_opts[] = {
	OPT_STR(struct charge_words, netns, "netns", 0, "<list>",
		"these network namespaces, too: " NSREF_WORDS),
	OPT_STR(struct charge_words, cgroup, "cgroup", 0, "<list>",
		"these cgroups, too: directories of the CPU's hierarchy"),
	OPT_FLAG(struct charge_words, only, "only", 0,
		"only what --netns and --cgroup name; all others' is the host's"),
	OPT_FLAG(struct charge_words, services, "services", 0, "systemd's services, too"),
	OPT_FLAG(struct charge_words, precise, "precise", 0,
		"read the clock at each packet, not only where the owner changes"),
	OPT_FLAG(struct charge_words, per_cpu, "per-cpu", 0, "each CPU's share, too"),
	OPT_U64(struct charge_words, scan_ns, "rescan", 0, "<time>",
		"look for containers so often, besides when the kernel says that one came or went",
		.unit = NUM_DURATION, .min = 10 * NSEC_PER_MSEC, .max = 3600 * NSEC_PER_SEC),
	OPT_U32(struct charge_words, max, "max-containers", 0, "<n>",
		"room for so many at once; the others' is the host's", .min = 1,
		.max = SOFTIRQ_MAX_OWNERS - SOFTIRQ_FIRST),
	OPT_END,
};

/* Cuts a list at its commas. @ret: [CHARGE_MAX_NAMED + 1] */
static int cut(char *list, const char *option, const char **ret, struct err *e)
{
	char *rest = *list ? list : NULL, *word;
	uint32_t n = 0;

	while ((word = strsep(&rest, ","))) {
		if (!*word)
			return err_say(e, EINVAL, "--%s: a name is empty", option);
		if (n == CHARGE_MAX_NAMED)
			return err_say(e, EINVAL, "--%s: more than %d names", option,
				CHARGE_MAX_NAMED);
		ret[n++] = word;
	}
	ret[n] = NULL;
	return 0;
}

int charge_ask(struct charge_asked *ret, const struct charge_words *words, struct err *e)
{
	int r;

	*ret = (struct charge_asked){.words = *words};
	r = cut(ret->words.netns, "netns", ret->netns, e);
	if (r == 0)
		r = cut(ret->words.cgroup, "cgroup", ret->cgroup, e);
	for (uint32_t i = 0; r == 0 && ret->netns[i]; i++)
		if (nsref_check(ret->netns[i], e) < 0)
			r = err_wrap(e, "--netns");
	if (r < 0)
		return r;
	if (words->only && !ret->netns[0] && !ret->cgroup[0])
		return err_say(e, EINVAL, "--only needs --netns or --cgroup");
	ret->cfg = (struct charge_cfg){.find = {.netns = ret->netns,
					       .cgroup = ret->cgroup,
					       .only = words->only,
					       .services = words->services,
					       .max = words->max},
		.precise = words->precise,
		.per_cpu = words->per_cpu,
		.scan_ns = words->scan_ns};
	return 0;
}
