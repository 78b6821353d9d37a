#include "serve/cfg.h"

#include "base/cleanup.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

const struct serve_cfg serve_cfg_default = {
	.port = IPERF_PORT,
	.user = "nobody",
	.max_sessions = 128,
	.max_sessions_per_addr = 64,
	.max_flows = SERVE_MAX_FLOWS,
	.max_duration_ns = 3600 * NSEC_PER_SEC,
	.handshake_ns = 2 * NSEC_PER_SEC,
	.rsa_skew_s = 10,
};

const struct opt serve_opts[] = {
	OPT_U32(struct serve_cfg, port, "port", 'p', "<n>", "TCP and UDP port; 0: any free one",
		.min = 1, .max = 65535, .zero_ok = true),
	OPT_STR(struct serve_cfg, bind, "bind", 'B', "<address>",
		"address to listen on instead of all"),
	OPT_STR(struct serve_cfg, allow, "allow", 'a', "<list>",
		"networks that may connect, like 10.0.0.0/8,2001:db8::/32; all if not given"),
	OPT_STR(struct serve_cfg, key_file, "key-file", 'k', "<file>",
		"pre-shared key that tare clients must know, 16 to 1024 bytes, not readable by "
		"others; iperf3 clients are then refused unless they authenticate"),
	OPT_STR(struct serve_cfg, rsa_private_key_file, "rsa-private-key", 0, "<file>",
		"RSA key that logins of iperf3's clients are encrypted to; they then need one"),
	OPT_STR(struct serve_cfg, rsa_users_file, "rsa-users", 0, "<file>",
		"users of iperf3's clients, lines of name,sha256 of {name}password"),
	OPT_U32(struct serve_cfg, rsa_skew_s, "rsa-skew", 0, "<n>",
		"seconds that a login's time may differ from the server's", .min = 1, .max = 86400),
	OPT_FLAG(struct serve_cfg, rsa_pkcs1, "rsa-pkcs1", 0,
		"logins with PKCS#1 v1.5 padding, the only one that iperf3 before 3.17 knows"),
	OPT_FLAG(struct serve_cfg, one_off, "one-off", '1',
		"serve one session, then exit with its status"),
	OPT_U32(struct serve_cfg, max_sessions, "max-sessions", 0, "<n>", "sessions at once",
		.min = 1, .max = 4096),
	OPT_U32(struct serve_cfg, max_sessions_per_addr, "max-sessions-per-addr", 0, "<n>",
		"sessions at once of one IPv4 address or IPv6 /64", .min = 1, .max = 4096),
	OPT_U32(struct serve_cfg, max_flows, "max-flows", 0, "<n>",
		"parallel data sockets of a session", .min = 1, .max = SERVE_MAX_FLOWS),
	OPT_U64(struct serve_cfg, max_duration_ns, "max-duration", 0, "<time>", "longest session",
		.unit = NUM_DURATION, .min = NSEC_PER_SEC, .max = 24 * 3600 * NSEC_PER_SEC),
	OPT_U64(struct serve_cfg, max_bytes, "max-bytes", 0, "<bytes>",
		"most that a session may transfer; 0: no limit", .unit = NUM_BYTES,
		.max = 1ULL << 60),
	OPT_U64(struct serve_cfg, total_rate_bps, "total-rate", 0, "<rate>",
		"what all sessions together are slowed down to; 0: not at all", .unit = NUM_RATE,
		.min = 1000000, .max = 10000000000000, .zero_ok = true),
	OPT_U64(struct serve_cfg, handshake_ns, "handshake-timeout", 0, "<time>",
		"how long a connection may take to say what it wants", .unit = NUM_DURATION,
		.min = 100 * NSEC_PER_MSEC, .max = 60 * NSEC_PER_SEC),
	OPT_STR(struct serve_cfg, user, "user", 'u', "<name>",
		"user to become when started by root; empty: stay root"),
	OPT_STR(struct serve_cfg, log_file, "log-file", 0, "<file>",
		"append the line per session to this file, not to stderr"),
	OPT_FLAG(struct serve_cfg, no_sandbox, "no-sandbox", 0,
		"keep privileges and all system calls, to find out what is wrong with them"),
	OPT_END,
};

static size_t trim(uint8_t *key, size_t n)
{
	size_t from = 0;

	while (n > 0 && isspace(key[n - 1]))
		n--;
	while (from < n && isspace(key[from]))
		from++;
	memmove(key, &key[from], n - from);
	return n - from;
}

int cfg_key_read(struct key *ret, const char *path, struct err *e)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	uint8_t raw[GREET_KEY_MAX + 64];
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, errno, "cannot open the key file '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_say(e, EINVAL, "key file '%s' is not a regular file", path);
	if (st.st_mode & S_IRWXO)
		return err_say(e, EACCES, "key file '%s' is open to others: chmod o= it", path);
	n = read(fd, raw, sizeof(raw));
	if (n < 0)
		return err_set(e, errno, "cannot read the key file '%s'", path);
	ret->len = trim(raw, (size_t)n);
	if (ret->len < GREET_KEY_MIN || ret->len > GREET_KEY_MAX)
		return err_say(e, EINVAL, "key file '%s' does not hold %d to %d bytes", path,
			GREET_KEY_MIN, GREET_KEY_MAX);
	memcpy(ret->data, raw, ret->len);
	return 0;
}
