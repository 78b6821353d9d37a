/* A file of what to measure: whatever is taken of it is within the ranges of the command line. */
#include "bench/labfile.h"
#include "bench/plan.h"
#include "fuzz.h"

static void check_run(const struct run *run)
{
	FUZZ_CHECK(run->n_paths <= RUN_MAX_PATHS && run->n_loads <= RUN_MAX_LOADS);
	for (uint32_t i = 0; i < run->n_paths; i++) {
		const struct path_spec *spec = &run->path[i].spec;

		FUZZ_CHECK(memchr(spec->name, '\0', sizeof(spec->name)));
		FUZZ_CHECK(memchr(spec->arg, '\0', sizeof(spec->arg)));
		FUZZ_CHECK(path_check(spec, NULL) == 0);
		fuzz_check_opts(path_opts, &spec->cfg);
		if (spec->ops->opts)
			fuzz_check_opts(spec->ops->opts, &spec->cfg);
	}
	for (uint32_t i = 0; i < run->n_loads; i++) {
		FUZZ_CHECK(run->load[i].ops->check(&run->load[i].cfg, NULL) == 0);
		fuzz_check_opts(run->load[i].ops->opts, &run->load[i].cfg);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run *run = calloc(1, sizeof(*run));
	struct load_cfg base[16];
	struct doc *lab = NULL;
	struct err e = {0};
	int r;

	if (!run)
		abort();
	for (size_t i = 0; load_table[i]; i++)
		base[i] = *load_table[i]->defaults;
	run->bench = bench_cfg_default;
	run->path_cfg = path_cfg_default;
	const struct opt_group groups[] = {{"", bench_opts, &run->bench},
		{"", path_opts, &run->path_cfg}, {0}};

	r = labfile_parse(&lab, (const char *)data, size, &e);
	if (r == 0)
		r = labfile_options(lab, groups, &e);
	fuzz_check_opts(bench_opts, &run->bench);
	fuzz_check_opts(path_opts, &run->path_cfg);
	if (r == 0)
		r = labfile_paths(lab, run, &e);
	if (r == 0)
		r = labfile_loads(lab, run, base, &e);
	FUZZ_CHECK(r == 0 || e.text[0]);
	if (r == 0)
		check_run(run);
	doc_free(lab);
	run_free(run);
	return 0;
}
