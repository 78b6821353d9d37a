/* Searches on a model of a SUT: what a kind of search would say of it, and at what cost. */
#include "base/cleanup.h"
#include "base/mem.h"
#include "cmd/table.h"
#include "report/search.h"

#include <errno.h>
#include <string.h>

#define MODEL "model"

static const struct opt ask_search_opts[] = {
	OPT_STR(struct search_ask, sut, "sut", 0, "<model>",
		"what is searched: model, or model:name=value,..."),
	OPT_FLAG(struct search_ask, verbose, "verbose", 'v', "every load and every trial, too"),
	OPT_FLAG(struct search_ask, json, "json", 'J', "one JSON document on stdout"),
	OPT_FLAG(struct search_ask, fail_irregular, "fail-irregular", 0,
		"exit with 1 when the result of a goal is irregular"),
	OPT_END,
};

static void search_defaults(struct cmd_cfg *cfg)
{
	cfg->search = (struct search_ask){.sut = MODEL, .cfg = search_cfg_default};
}

static void search_groups(struct opt_group *ret, struct cmd_cfg *cfg)
{
	ret[0] = (struct opt_group){"Options", ask_search_opts, &cfg->search, .stored = false};
	ret[1] = (struct opt_group){"Search", search_opts, &cfg->search.cfg, .stored = false};
	ret[2] = (struct opt_group){0};
}

/* "model", or "model:" and its options. */
static int read_sut(struct sut_cfg *ret, const char *text, struct err *e)
{
	const size_t len = strcspn(text, ":");

	if (len != strlen(MODEL) || strncmp(text, MODEL, len) != 0)
		return err_say(e, EINVAL, "--sut: '%s' is not model, or model:name=value,...",
			text);
	return sut_parse(ret, text[len] ? text + len + 1 : "", e) < 0 ? err_wrap(e, "--sut") : 0;
}

static int show(const struct search_run *s, const struct sut_cfg *sut, const struct search_ask *ask)
{
	int r;

	/* What could not be written is said at the end. */
	if (ask->json)
		(void)report_search_json(s, sut, stdout);
	else
		(void)report_search_text(s, sut, ask->verbose, stdout);
	r = cmd_finish();
	if (r == EXIT_DONE && ask->fail_irregular && !search_run_regular(s))
		return EXIT_CONDITION;
	return r;
}

static int search_main(struct cmd_cfg *cfg, int argc, char **argv, char **args, int n_args)
{
	_cleanup_(search_run_fini) struct search_run s = {0};
	struct sut_cfg sut;
	struct sut_sim sim;
	const struct search_ops ops = {.trial = sut_trial, .ctx = &sim};
	struct err e = {0};

	(void)argc;
	(void)argv;
	(void)args;
	(void)n_args;
	if (read_sut(&sut, cfg->search.sut, &e) < 0 ||
		search_run_init(&s, &cfg->search.cfg, &e) < 0)
		return cmd_fail(EXIT_USAGE, "search: %s", e.text);
	sut_init(&sim, &sut);
	if (search_run(&s, &ops, &e) < 0)
		return cmd_fail(EXIT_RUN, "search: %s", e.text);
	return show(&s, &sut, &cfg->search);
}

const struct command command_search = {
	.name = "search",
	.summary = "search the highest load of a modelled system: what a search would say",
	.args = "",
	.description =
		"Runs one of the searches that the measuring commands have, on a model instead "
		"of a network: a server of a certain rate behind a queue, with faults. Nothing is "
		"sent, and no time is waited for; so what a search makes of noise, of loss that "
		"comes and goes, and how many trials it takes, can be known beforehand. The same "
		"command line gives the same output.\n"
		"\n"
		"mlr is MLRsearch of RFC 9971, for several goals at once. A goal is ndr (no loss), "
		"pdr (0.5 %), rfc2544 (one trial of 60 s without loss), or a list of its "
		"attributes: name, loss, exceed, width, initial, final, sum; what is not said is "
		"pdr's. Goals are parted by ; or /. binary and binary-lv are the searches of ETSI "
		"GS NFV-TST 009, without and with loss verification. mrr does not search: it is "
		"the forwarding rate under the highest load.\n"
		"\n"
		"The model's options: rate (frames it serves in a second), queue (frames that "
		"wait), slope (loss ratio that grows to this at its rate), collapse (load above "
		"which it serves half), inversion (load around which, by 5 %, a tenth is lost), "
		"noise (what a disturbed trial loses), noise-every (each so-manieth trial is "
		"disturbed), noise-chance (any trial is, with this chance), latency, "
		"duplicate-every, overhead (a trial takes so much longer than it sends), seed.\n"
		"\n"
		"A result is regular when both bounds are there, no further apart than the goal's "
		"width; an irregular one says why.",
	.examples = {"tare search --sut model:rate=1e6,queue=1000\nCSIT's NDR and PDR",
		"tare search --sut model:rate=1e6,noise-every=3 --goals "
		"'ndr;loss=0.1%,exceed=20%' -v\nwhat noise does, with all trials",
		"tare search --sut model:rate=1e6,noise-chance=10% --search binary-lv "
		"--max-load 2M\nthe search of TST 009"},
	.defaults = search_defaults,
	.groups = search_groups,
	.run = search_main,
};
