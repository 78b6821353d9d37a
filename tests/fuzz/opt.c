/* Whatever pairs are accepted, the load's configuration stays within the ranges of its rows. */
#include "fuzz.h"
#include "load/load.h"

/* Set from its own text, each option is what it was; a flag's text is for people only. */
static void check_round_trip(const struct opt *opts, const struct load_cfg *cfg)
{
	for (const struct opt *o = opts; o->name; o++) {
		struct load_cfg again = *cfg;
		char text[64];

		if (o->type == OPT_T_FLAG)
			continue;
		opt_get(o, cfg, text, sizeof(text));
		memset((char *)&again + o->offset, 0, o->size);
		FUZZ_CHECK(opt_set(o, &again, text, NULL) == 0);
		FUZZ_CHECK(o->type == OPT_T_STR || memcmp(&again, cfg, sizeof(again)) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *s = fuzz_text(data, size);

	for (size_t i = 0; load_table[i]; i++) {
		struct load_cfg cfg = *load_table[i]->defaults;
		struct err e = {0};

		if (opt_set_pairs(load_table[i]->opts, &cfg, s, &e) < 0)
			FUZZ_CHECK(e.text[0]);
		else if (load_table[i]->check(&cfg, &e) < 0)
			FUZZ_CHECK(e.text[0]);
		fuzz_check_opts(load_table[i]->opts, &cfg);
		check_round_trip(load_table[i]->opts, &cfg);
	}
	free(s);
	return 0;
}
