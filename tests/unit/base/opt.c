#include "base/opt.h"

#include "base/str.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MAX_ARGS 16

static const char *const proto_name[] = {"tcp", "udp"};

struct cfg {
	bool quiet;
	uint32_t flows;
	uint32_t gap;
	uint64_t size_bytes;
	uint64_t time_ns;
	uint64_t rate_bps;
	uint64_t loss_ppm;
	char name[8];
	uint32_t proto;
};

static const struct cfg defaults = {.flows = 1, .size_bytes = 65536, .time_ns = 10 * NSEC_PER_SEC};

static const struct opt opts[] = {
	OPT_FLAG(struct cfg, quiet, "quiet", 'q', "say less"),
	OPT_U32(struct cfg, flows, "flows", 'F', "<n>", "flows", .min = 1, .max = 64),
	OPT_U32(struct cfg, gap, "gap", 0, "<n>", "gap", .min = 10, .zero_ok = true),
	OPT_U64(struct cfg, size_bytes, "size", 'l', "<size>", "size", .unit = NUM_BYTES, .min = 1,
		.max = 1 << 20),
	OPT_U64(struct cfg, time_ns, "time", 't', "<time>", "time", .unit = NUM_DURATION,
		.min = NSEC_PER_MSEC),
	OPT_U64(struct cfg, rate_bps, "rate", 0, "<rate>", "rate", .unit = NUM_RATE, .min = 1000,
		.zero_ok = true),
	OPT_U64(struct cfg, loss_ppm, "loss", 0, "<p>", "loss", .unit = NUM_PERCENT,
		.max = 1000000),
	OPT_STR(struct cfg, name, "name", 'n', "<name>", "name"),
	OPT_ENUM(struct cfg, proto, "proto", 'p', proto_name, "protocol"),
	OPT_END,
};

/* A second struct that shares "flows" with the first, with a narrower range. */
struct other {
	uint64_t flows;
	uint32_t level;
};

static const struct opt other_opts[] = {
	OPT_U64(struct other, flows, "flows", 'F', "<n>", "flows", .min = 1, .max = 32),
	OPT_U32(struct other, level, "level", 'L', "<n>", "level"),
	OPT_END,
};

struct set_row {
	const char *name;
	const char *text;
	int r;
	const char *shown; /* by opt_get() when set */
};

static const struct set_row set_rows[] = {
	{"quiet", NULL, 0, "on"},
	{"quiet", "", -EINVAL, NULL},
	{"quiet", "on", -EINVAL, NULL},
	{"flows", "1", 0, "1"},
	{"flows", "64", 0, "64"},
	{"flows", "0", -ERANGE, NULL},
	{"flows", "65", -ERANGE, NULL},
	{"flows", "4294967297", -ERANGE, NULL},
	{"flows", "99999999999999999999", -ERANGE, NULL},
	{"flows", "", -EINVAL, NULL},
	{"flows", "1.5", -EINVAL, NULL},
	{"flows", "4x", -EINVAL, NULL},
	{"flows", NULL, -EINVAL, NULL},
	{"gap", "0", 0, "0"},
	{"gap", "10", 0, "10"},
	{"gap", "9", -ERANGE, NULL},
	{"gap", "4294967295", 0, "4294967295"},
	{"gap", "4294967296", -ERANGE, NULL},
	{"size", "1448", 0, "1448"},
	{"size", "1M", 0, "1M"},
	{"size", "1025k", -ERANGE, NULL},
	{"size", "0", -ERANGE, NULL},
	{"time", "1.5s", 0, "1500ms"},
	{"time", "10", -EINVAL, NULL},
	{"time", "0", -EINVAL, NULL},
	{"time", "999us", -ERANGE, NULL},
	{"time", "9223372036854775807ns", 0, "9223372036854775807ns"},
	{"rate", "10Gbps", 0, "10Gbps"},
	{"rate", "0", 0, "0bps"},
	{"rate", "0bps", 0, "0bps"},
	{"rate", "999bps", -ERANGE, NULL},
	{"rate", "00", -EINVAL, NULL},
	{"loss", "0%", 0, "0%"},
	{"loss", "0.5%", 0, "0.5%"},
	{"loss", "101%", -ERANGE, NULL},
	{"name", "", 0, ""},
	{"name", "seven77", 0, "seven77"},
	{"name", "eight888", -EINVAL, NULL},
	{"name", NULL, -EINVAL, NULL},
	{"proto", "udp", 0, "udp"},
	{"proto", "ud", -EINVAL, NULL},
	{"proto", "UDP", -EINVAL, NULL},
	{"proto", "1", -EINVAL, NULL},
};

static void set_and_get_match_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(set_rows); i++) {
		const struct set_row *row = &set_rows[i];
		const struct opt *o = opt_find(opts, row->name);
		struct cfg cfg = defaults;
		struct err e = {0};
		char shown[32];
		int r = opt_set(o, &cfg, row->text, &e);

		if (r != row->r)
			fail_msg("--%s %s: %d", row->name, row->text ? row->text : "(none)", r);
		assert_int_equal(e.code, r);
		if (r < 0) {
			assert_non_null(strstr(e.text, row->name));
			assert_memory_equal(&cfg, &defaults, sizeof(cfg));
			continue;
		}
		opt_get(o, &cfg, shown, sizeof(shown));
		assert_string_equal(shown, row->shown);
		if (o->type != OPT_T_FLAG)
			assert_int_equal(opt_set(o, &cfg, shown, NULL), 0);
	}
}

static void messages_name_the_choice(void **state)
{
	static const struct {
		const char *name, *text, *message;
	} rows[] = {
		{"flows", "65", "--flows: '65' is out of range (1 to 64)"},
		{"gap", "9", "--gap: '9' is out of range (0, or 10 to 4294967295)"},
		{"size", "2M", "--size: '2M' is out of range (1 to 1M)"},
		{"proto", "sctp", "--proto: 'sctp' is not one of: tcp, udp"},
		{"name", "eight888", "--name: longer than 7 characters"},
		{"quiet", "x", "--quiet takes no value"},
		{"flows", NULL, "--flows needs a value"},
	};
	struct cfg cfg = defaults;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_true(opt_set(opt_find(opts, rows[i].name), &cfg, rows[i].text, &e) < 0);
		assert_string_equal(e.text, rows[i].message);
	}
}

static void find_is_exact(void **state)
{
	(void)state;
	assert_ptr_equal(opt_find(opts, "quiet"), &opts[0]);
	assert_null(opt_find(opts, "quie"));
	assert_null(opt_find(opts, "quiets"));
	assert_null(opt_find(opts, "q"));
	assert_null(opt_find(opts, ""));
}

static void defaults_are_shown(void **state)
{
	static const char *const want[] = {"off", "1", "0", "64k", "10s", "0bps", "0%", "", "tcp"};
	char shown[32];

	(void)state;
	static_assert(ARRAY_SIZE(want) == ARRAY_SIZE(opts) - 1, "one per option");
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		opt_get(&opts[i], &defaults, shown, sizeof(shown));
		assert_string_equal(shown, want[i]);
	}
}

static void pairs_set_members(void **state)
{
	struct cfg cfg = defaults;

	(void)state;
	assert_int_equal(opt_set_pairs(opts, &cfg, "flows=7,quiet,name=a=b,proto=udp", NULL), 0);
	assert_int_equal(cfg.flows, 7);
	assert_true(cfg.quiet);
	assert_string_equal(cfg.name, "a=b");
	assert_int_equal(cfg.proto, 1);
}

static void bad_pairs_are_named(void **state)
{
	static const struct {
		const char *pairs;
		int r;
		const char *named;
	} rows[] = {
		{"", -EINVAL, "''"},
		{"quiet,,flows=3", -EINVAL, "''"},
		{"nope", -EINVAL, "nope"},
		{"quiet,nope=1", -EINVAL, "nope"},
		{"flow=3", -EINVAL, "flow"},
		{"=3", -EINVAL, "''"},
		{"F=3", -EINVAL, "'F'"},
		{"flows", -EINVAL, "flows"},
		{"flows=", -EINVAL, "flows"},
		{"quiet=1", -EINVAL, "quiet"},
		{"flows=3, quiet", -EINVAL, " quiet"},
		{"flows=65", -ERANGE, "flows"},
	};
	struct cfg cfg;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cfg = defaults;
		assert_int_equal(opt_set_pairs(opts, &cfg, rows[i].pairs, &e), rows[i].r);
		assert_non_null(strstr(e.text, rows[i].named));
	}
}

/* One command line, what it set and what is left of it. */
struct line {
	char words[128];
	char *argv[MAX_ARGS];
	struct cfg cfg;
	struct other other;
	char *args[MAX_ARGS];
	int n_args;
	struct err e;
};

/* Parses @words, cut at its spaces, as what follows the program's name. */
static int parse(struct line *line, const char *words)
{
	const struct opt_group groups[] = {{"First", opts, &line->cfg},
		{"Second", other_opts, &line->other}, {NULL, NULL, NULL}};
	char *save = NULL;
	int argc = 1;

	*line = (struct line){.cfg = defaults, .n_args = -1};
	str_set(line->words, words);
	for (char *w = strtok_r(line->words, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		assert_true(argc < MAX_ARGS);
		line->argv[argc++] = w;
	}
	return opt_parse(groups, argc, line->argv, line->args, &line->n_args, &line->e);
}

static void every_spelling_sets(void **state)
{
	static const char *const spellings[] = {"a --flows 7", "a --flows=7", "-F 7 a", "-F7 a",
		"-F3 a --flows 7"};
	struct line line;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(spellings); i++) {
		assert_int_equal(parse(&line, spellings[i]), 0);
		assert_int_equal(line.cfg.flows, 7);
		assert_int_equal(line.other.flows, 7); /* the name stands in both groups */
		assert_int_equal(line.n_args, 1);
		assert_string_equal(line.args[0], "a");
	}
}

static void no_words_keep_defaults(void **state)
{
	struct line line;

	(void)state;
	assert_int_equal(parse(&line, ""), 0);
	assert_int_equal(line.n_args, 0);
	assert_memory_equal(&line.cfg, &defaults, sizeof(defaults));
}

static void arguments_are_kept_in_order(void **state)
{
	static const char *const want[] = {"a", "-", "b", "--flows", "-F", "--", "--help"};
	struct line line;

	(void)state;
	assert_int_equal(parse(&line, "a -q - -L3 b --proto=udp -- --flows -F -- --help"), 0);
	assert_true(line.cfg.quiet);
	assert_int_equal(line.cfg.proto, 1);
	assert_int_equal(line.cfg.flows, defaults.flows);
	assert_int_equal(line.other.level, 3);
	assert_int_equal(line.n_args, ARRAY_SIZE(want));
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		assert_string_equal(line.args[i], want[i]);
}

static void bad_lines_are_refused(void **state)
{
	static const struct {
		const char *words;
		int r;
		const char *message; /* part of it */
	} rows[] = {
		{"--nope", -EINVAL, "unknown option '--nope'"},
		{"--nope=3", -EINVAL, "unknown option '--nope'"},
		{"--flow 3", -EINVAL, "unknown option '--flow'"},
		{"--F 3", -EINVAL, "unknown option '--F'"},
		{"--=3", -EINVAL, "unknown option '--'"}, {"-Z3", -EINVAL, "unknown option '-Z3'"},
		{"a --flows", -EINVAL, "--flows needs a value"},
		{"a -F", -EINVAL, "--flows needs a value"}, {"--flows= 3", -EINVAL, "--flows: ''"},
		{"--flows -q", -EINVAL, "--flows: '-q'"},
		{"--quiet=1", -EINVAL, "--quiet takes no value"},
		{"--quiet=", -EINVAL, "--quiet takes no value"},
		{"-qx", -EINVAL, "--quiet takes no value"}, {"-F65", -ERANGE, "(1 to 64)"},
		{"-F33", -ERANGE, "(1 to 32)"}, /* the narrower of the two groups */
	};
	struct line line;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const int r = parse(&line, rows[i].words);

		if (r != rows[i].r || !strstr(line.e.text, rows[i].message))
			fail_msg("%s: %d, %s", rows[i].words, r, line.e.text);
		assert_int_equal(line.n_args, -1);
	}
}

static void help_is_found(void **state)
{
	struct line line;

	(void)state;
	assert_int_equal(parse(&line, "-q x --help"), OPT_HELP);
	assert_int_equal(parse(&line, "-h --nope"), OPT_HELP);
}

static void given_is_told(void **state)
{
	static const struct {
		const char *words;
		bool given;
	} row[] = {
		{"", false},
		{"a -q --time 1s", false},
		{"--name flows", false},
		{"-n --flows", false}, /* a value that looks like it */
		{"-q -- --flows", false},
		{"--flows 1", true}, /* though that is the default */
		{"-F2", true},
		{"a -q --flows=3", true},
	};
	const struct opt_group groups[] = {{"First", opts, NULL}, {"Second", other_opts, NULL},
		{0}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct line line;
		int argc = 1;

		assert_int_equal(parse(&line, row[i].words), 0);
		while (line.argv[argc])
			argc++;
		assert_int_equal(opt_given(groups, argc, line.argv, "flows"), row[i].given);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_and_get_match_table),
		cmocka_unit_test(messages_name_the_choice),
		cmocka_unit_test(find_is_exact),
		cmocka_unit_test(defaults_are_shown),
		cmocka_unit_test(pairs_set_members),
		cmocka_unit_test(bad_pairs_are_named),
		cmocka_unit_test(every_spelling_sets),
		cmocka_unit_test(no_words_keep_defaults),
		cmocka_unit_test(arguments_are_kept_in_order),
		cmocka_unit_test(bad_lines_are_refused),
		cmocka_unit_test(help_is_found),
		cmocka_unit_test(given_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
