/*
 * The table of rows drives parsing, the check of who may use an option, and the help text; what
 * options must be together is checked when all are read.
 */
#include "cmd/iperf_opts.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/str.h"
#include "cmd/iperf_rows.h"

/* Limits and defaults of iperf3 3.21's own command line. */
#define MAX_BLOCK_BYTES (1U << 20)
#define MIN_UDP_BYTES   16
#define MAX_UDP_BYTES   65507
#define TCP_BLOCK_BYTES 131072
#define UDP_RATE_BPS    1048576
#define UDP_BLOCK_BYTES 1460 /* of a GSO segment whose size is not known yet */
#define MAX_GSO_BYTES   65507

#define LONG_BASE 256 /* getopt_long()'s value of row 0, above every letter */

struct parse {
	struct iperf_args *a;
	bool given[IPERF_MAX_ROWS];
};

static const struct iperf_row *row_of(int value)
{
	if (value >= LONG_BASE)
		return &iperf_rows[value - LONG_BASE];
	for (size_t i = 0; i < iperf_n_rows; i++)
		if (iperf_rows[i].letter == value)
			return &iperf_rows[i];
	return NULL;
}

static bool given(const struct parse *p, const char *name)
{
	for (size_t i = 0; i < iperf_n_rows; i++)
		if (strcmp(iperf_rows[i].name, name) == 0)
			return p->given[i];
	assert(false);
	return false;
}

static void set_defaults(struct iperf_args *a)
{
	*a = (struct iperf_args){
		.cfg =
			{
				.params =
					{
						.time = 10,
						.parallel = 1,
						.pacing_timer = 1000,
						.server_affinity = -1,
						.gso_bf_size = MAX_GSO_BYTES,
						.gro_bf_size = MAX_GSO_BYTES,
						.client_version = "3.21",
					},
				.port = IPERF_PORT,
				.family = AF_UNSPEC,
				.interval_ns = NSEC_PER_SEC,
				.rcv_timeout_ms = 120000,
				.affinity = -1,
			},
		.limits = {.max_streams = IPERF_MAX_STREAMS, .skew_s = 10},
		.output = {.format = 'a'},
	};
}

static int check_sides(const struct parse *p, struct err *e)
{
	enum iperf_side other = p->a->server ? IPERF_CLIENT : IPERF_SERVER;

	for (size_t i = 0; i < iperf_n_rows; i++)
		if (p->given[i] && iperf_rows[i].side == other)
			return err_say(e, EINVAL, "--%s is for a %s only", iperf_rows[i].name,
				p->a->server ? "client" : "server");
	if (p->a->server && p->a->cfg.params.server_affinity >= 0)
		return err_say(e, EINVAL, "--affinity n,m is for a client only");
	return 0;
}

static int check_auth(const struct iperf_args *a, struct err *e)
{
	if (!*a->cfg.username != !*a->cfg.public_key_file)
		return err_say(e, EINVAL, "--username and --rsa-public-key-path go together");
	if (!*a->limits.private_key_file != !*a->limits.users_file)
		return err_say(e, EINVAL,
			"--rsa-private-key-path and --authorized-users-path go together");
	if (*a->limits.users_file && access(a->limits.users_file, R_OK) < 0)
		return err_set(e, errno, "cannot read '%s'", a->limits.users_file);
	if (*a->limits.private_key_file && access(a->limits.private_key_file, R_OK) < 0)
		return err_set(e, errno, "cannot read '%s'", a->limits.private_key_file);
	return 0;
}

static int check_ends(const struct parse *p, struct err *e)
{
	struct iperf_params *m = &p->a->cfg.params;
	int n = given(p, "time") + (m->num > 0) + (m->blockcount > 0);

	if (n > 1)
		return err_say(e, EINVAL, "only one of -t, -n and -k can end a test");
	if (m->num || m->blockcount)
		m->time = 0;
	return 0;
}

static int check_blocks(struct iperf_params *m, struct err *e)
{
	bool udp = m->proto == IPERF_UDP;

	if (m->len == 0 && !udp)
		m->len = TCP_BLOCK_BYTES;
	if (udp && m->len && (m->len < MIN_UDP_BYTES || m->len > MAX_UDP_BYTES))
		return err_say(e, EINVAL, "--length %u: a datagram has %d to %d bytes", m->len,
			MIN_UDP_BYTES, MAX_UDP_BYTES);
	if (m->len > MAX_BLOCK_BYTES)
		return err_say(e, EINVAL, "--length %u: a block has at most %u bytes", m->len,
			MAX_BLOCK_BYTES);
	if (udp && m->gso) {
		m->gso_dg_size = m->len ? m->len : UDP_BLOCK_BYTES;
		if (m->len)
			m->gso_bf_size = m->gso_bf_size / m->len * m->len;
	}
	return 0;
}

static int check(const struct parse *p, struct err *e)
{
	struct iperf_args *a = p->a;
	struct iperf_params *m = &a->cfg.params;
	int r;

	if (!a->server && !*a->cfg.host)
		return err_say(e, EINVAL, "needs -c <host> to be a client or -s to be a server");
	r = check_sides(p, e);
	if (r == 0 && m->reverse && m->bidirectional)
		r = err_say(e, EINVAL, "--reverse and --bidir exclude each other");
	if (r == 0)
		r = check_auth(a, e);
	if (r == 0 && !a->server && given(p, "rcv-timeout") && !m->reverse && !m->bidirectional)
		r = err_say(e, EINVAL, "--rcv-timeout: this client receives nothing");
	if (r == 0)
		r = check_blocks(m, e);
	if (r == 0)
		r = check_ends(p, e);
	if (r < 0)
		return r;
	if (!given(p, "bitrate"))
		m->bandwidth = m->proto == IPERF_UDP ? UDP_RATE_BPS : 0;
	a->limits.pkcs1 = a->cfg.pkcs1;
	return 0;
}

/* Each letter and its colon, the colon in front, the end. */
#define LETTERS_SIZE (2 * IPERF_MAX_ROWS + 2)

static void getopt_tables(char *ret_letters, struct option *ret_long)
{
	static const int has_arg[] = {no_argument, required_argument, optional_argument};
	size_t n = 0;

	*ret_letters++ = ':'; /* tells a missing argument from an unknown option */
	for (size_t i = 0; i < iperf_n_rows; i++) {
		const struct iperf_row *o = &iperf_rows[i];
		const int value = LONG_BASE + (int)i;

		ret_long[n++] = (struct option){o->name, has_arg[o->arg], NULL, value};
		if (o->alias)
			ret_long[n++] = (struct option){o->alias, has_arg[o->arg], NULL, value};
		if (!o->letter)
			continue;
		*ret_letters++ = o->letter;
		if (o->arg == IPERF_ARG_NEEDED) /* an optional one is for the long form only */
			*ret_letters++ = ':';
	}
	*ret_letters = '\0';
	ret_long[n] = (struct option){0};
}

/* @word: where getopt_long() stopped; its optopt is the letter, or the value of a long option. */
static int unreadable(int value, const char *word, struct err *e)
{
	const bool letter = optopt > 0 && optopt < LONG_BASE;
	const char *why = value == ':' ? "needs an argument" : "takes no argument";

	if (optopt == 0)
		return err_say(e, EINVAL, "unknown or ambiguous option '%s'", word);
	if (!letter)
		return err_say(e, EINVAL, "option '--%s' %s", row_of(optopt)->name, why);
	if (value == ':')
		return err_say(e, EINVAL, "option '-%c' %s", optopt, why);
	return err_say(e, EINVAL, "unknown option '-%c'", optopt);
}

int iperf_opts_parse(struct iperf_args *ret, int argc, char **argv, struct err *e)
{
	struct option long_options[2 * IPERF_MAX_ROWS + 1];
	char letters[LETTERS_SIZE];
	struct parse p = {.a = ret};
	int value, r;

	set_defaults(ret);
	getopt_tables(letters, long_options);
	optind = 0; /* glibc: forget what an earlier parse left */
	opterr = 0;
	while ((value = getopt_long(argc, argv, letters, long_options, NULL)) != -1) {
		const struct iperf_row *o = value == '?' || value == ':' ? NULL : row_of(value);

		if (!o)
			return unreadable(value, argv[optind - 1], e);
		p.given[o - iperf_rows] = true;
		if (o->refused)
			return err_say(e, EINVAL, "--%s: %s", o->name, o->refused);
		if (o->stop)
			return o->stop;
		r = o->set ? o->set(ret, o, optarg, e) : 0;
		if (r < 0)
			return r;
	}
	return check(&p, e);
}

/* "-c", "-chost", "-uc", "--client=host": does the word ask for a client or a server? */
static bool asks_for_role(const char *word)
{
	if (word[0] != '-')
		return false;
	if (word[1] == '-')
		return strncmp(word, "--client", 8) == 0 || strncmp(word, "--server", 8) == 0;
	return strpbrk(word, "cs");
}

bool iperf_opts_wanted(int argc, char **argv)
{
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;

	if (argc > 0 && strcmp(slash ? slash + 1 : argv[0], "iperf3") == 0)
		return true;
	if (argc < 2 || argv[1][0] != '-')
		return false;
	for (int i = 1; i < argc; i++)
		if (asks_for_role(argv[i]))
			return true;
	return false;
}

/* One line from the terminal, its echo off. */
static int ask(char *ret, size_t size, struct err *e)
{
	struct termios was, quiet;
	bool tty = tcgetattr(STDIN_FILENO, &was) == 0;
	char *line;

	fputs("Password: ", stderr); /* stdout may be JSON */
	if (tty) {
		quiet = was;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet); /* seen, but not lost */
	}
	line = fgets(ret, (int)size, stdin);
	if (tty)
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &was); /* nothing else could be done */
	fputc('\n', stderr);
	if (!line)
		return err_say(e, EINVAL, "no password given");
	ret[strcspn(ret, "\r\n")] = '\0';
	return 0;
}

int iperf_opts_password(struct iperf_args *a, struct err *e)
{
	const char *env = getenv("IPERF3_PASSWORD");

	if (a->server || !*a->cfg.username)
		return 0;
	if (!env)
		return ask(a->cfg.password, sizeof(a->cfg.password), e);
	return str_copy(a->cfg.password, sizeof(a->cfg.password), env) < 0
		       ? err_say(e, EINVAL, "the password is too long")
		       : 0;
}

void iperf_opts_usage(FILE *out)
{
	fputs("Usage: iperf3 -s | -c <host> [options]\n"
	      "Try 'iperf3 --help' for all of them.\n",
		out);
}

/* Of a row that names a number; 0 says nothing. */
static uint64_t default_of(const struct iperf_args *a, const struct iperf_row *o)
{
	const char *m = (const char *)a + o->offset;

	if (!iperf_row_is_number(o))
		return 0;
	if (o->size == sizeof(uint16_t))
		return *(const uint16_t *)m;
	return o->size == sizeof(uint32_t) ? *(const uint32_t *)m : *(const uint64_t *)m;
}

static void help_row(const struct iperf_args *defaults, const struct iperf_row *o, FILE *out)
{
	const uint64_t v = default_of(defaults, o);
	char name[64], number[32] = "";
	int n = snprintf(name, sizeof(name), "--%s", o->name);

	if (o->arg == IPERF_ARG_NEEDED)
		snprintf(name + n, sizeof(name) - (size_t)n, " %s", o->arg_name);
	else if (o->arg == IPERF_ARG_OPTIONAL)
		snprintf(name + n, sizeof(name) - (size_t)n, "[=%s]", o->arg_name);
	if (v)
		snprintf(number, sizeof(number), " (%llu)", (unsigned long long)v);
	if (o->letter)
		fprintf(out, "  -%c, %-37s %s%s\n", o->letter, name, o->help, number);
	else
		fprintf(out, "      %-37s %s%s\n", name, o->help, number);
}

void iperf_opts_help(FILE *out)
{
	static const char *const title[] = {
		[IPERF_BOTH] = "Server or client",
		[IPERF_SERVER] = "Server",
		[IPERF_CLIENT] = "Client",
	};

	struct iperf_args defaults;

	static_assert(ARRAY_SIZE(title) == IPERF_SIDE_N, "one title per side");
	set_defaults(&defaults);
	fputs("Usage: iperf3 -s | -c <host> [options]\n", out);
	for (enum iperf_side side = 0; side < IPERF_SIDE_N; side++) {
		fprintf(out, "\n%s:\n", title[side]);
		for (size_t i = 0; i < iperf_n_rows; i++)
			if (iperf_rows[i].side == side && iperf_rows[i].help)
				help_row(&defaults, &iperf_rows[i], out);
	}
	fputs("\nDefaults in brackets. K, M, G and T may follow a rate (powers of 1000) and a\n"
	      "number of bytes or blocks (powers of 1024).\n",
		out);
}

void iperf_opts_version(FILE *out)
{
	char info[512];

	iperf_system_info(info, sizeof(info));
	fprintf(out, "%s\n%s\n", IPERF_VERSION_TEXT, info);
	fputs("Optional features available: CPU affinity setting, "
	      "TCP congestion algorithm setting, socket pacing, authentication, bind to device, "
	      "support IPv4 don't fragment\n",
		out);
}
