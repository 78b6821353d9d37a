/* A peer's JSON: parses to what it prints as, and fills structs only within their limits. */
#include "base/mem.h"
#include "bench/fields.h"
#include "bench/result.h"
#include "fuzz.h"
#include "wire/doc.h"

static void check_round_trip(const struct doc *d)
{
	char *text = doc_text(d), *again_text;
	struct doc *again = NULL;

	FUZZ_CHECK(doc_parse(&again, text, strlen(text), NULL) == 0);
	again_text = doc_text(again);
	FUZZ_CHECK(strcmp(text, again_text) == 0);
	doc_free(again);
	free(again_text);
	free(text);
}

static void check_fields(const struct doc *d, const struct field *fields, void *strct)
{
	struct err e = {0};

	if (doc_get_fields(d, fields, strct, &e) < 0) {
		FUZZ_CHECK(e.text[0]);
		return;
	}
	for (const struct field *f = fields; f->name; f++) {
		const char *m = (const char *)strct + f->offset;

		if (f->type == FIELD_T_STR)
			FUZZ_CHECK(memchr(m, '\0', f->size));
		else if (f->type == FIELD_T_U64)
			FUZZ_CHECK(*(const uint64_t *)m <= INT64_MAX);
		else if (f->type == FIELD_T_U64S)
			FUZZ_CHECK(*(const uint32_t *)((const char *)strct + f->count_offset) <=
				   f->size / sizeof(uint64_t));
	}
}

static void check_opts(const struct doc *d, const struct opt *opts, void *cfg)
{
	struct err e = {0};

	if (doc_get_opts(d, opts, cfg, &e) < 0)
		FUZZ_CHECK(e.text[0]);
	fuzz_check_opts(opts, cfg);
}

static void check_hist(const struct doc *d)
{
	struct hist *h = xcalloc(1, sizeof(*h));
	struct err e = {0};
	uint64_t sum = 0;

	if (doc_get_hist(d, "latency", h, &e) == 0) {
		for (uint32_t i = 0; i < HIST_N_BUCKETS; i++)
			sum += h->bucket[i];
		FUZZ_CHECK(sum == h->count);
		FUZZ_CHECK(sum ? h->min_ns <= h->max_ns : h->min_ns == UINT64_MAX);
	} else {
		FUZZ_CHECK(e.text[0]);
	}
	free(h);
}

static void read_everything(const struct doc *d)
{
	struct end_report *report = xcalloc(1, sizeof(*report));
	struct run *run = xcalloc(1, sizeof(*run));
	struct path_result path = {0};
	struct trial trial = {0};
	struct bench_cfg bench = bench_cfg_default;
	struct path_cfg path_cfg = path_cfg_default;
	char text[8];

	if (doc_get_str(d, "type", text, sizeof(text), NULL) == 0)
		FUZZ_CHECK(strlen(text) < sizeof(text));
	for (size_t i = 0; load_table[i]; i++) {
		struct load_cfg cfg = *load_table[i]->defaults;

		check_opts(d, load_table[i]->opts, &cfg);
	}
	check_opts(d, bench_opts, &bench);
	check_opts(d, path_opts, &path_cfg);
	check_fields(d, run_fields, run);
	check_fields(d, path_result_fields, &path);
	check_fields(d, trial_fields, &trial);
	check_fields(d, end_report_fields, report);
	for (enum meter_id i = 0; i < METER_N; i++)
		check_fields(d, meter_table[i]->fields, readings_of(&report->readings, i));
	if (readings_unpack(d, &report->readings, NULL) == 0)
		FUZZ_CHECK(report->readings.cpu.n_cpus <= CPU_READING_MAX_CPUS);
	check_hist(d);
	free(run);
	free(report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct doc *d = NULL;
	struct err e = {0};

	if (doc_parse(&d, (const char *)data, size, &e) < 0) {
		FUZZ_CHECK(!d && e.text[0]);
		return 0;
	}
	check_round_trip(d);
	read_everything(d);
	doc_free(d);
	return 0;
}
