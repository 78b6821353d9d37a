#include "serve/sessions.h"

#include "base/mem.h"
#include "base/str.h"
#include "bench/agent.h"
#include "iperf/iperf.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

/* Blocks, messages and batches of all flows of a session. */
#define MAX_BUFFER_BYTES (256ULL << 20)
/* A controller may think between trials; one that is gone is noticed by its connection. */
#define CONTROLLER_IDLE_NS (600 * NSEC_PER_SEC)
/* Ref: iperf3's default of --rcv-timeout. */
#define RCV_TIMEOUT_MS 120000
/* A total rate is kept over this time. */
#define GATE_SLACK_NS (10 * NSEC_PER_MSEC)

static int make_gate(struct sessions *s, uint64_t rate_bps, struct err *e)
{
	if (!rate_bps)
		return 0;
	s->gate = mmap(NULL, sizeof(*s->gate), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		-1, 0);
	if (s->gate == MAP_FAILED) {
		s->gate = NULL;
		return err_set(e, errno, "cannot map shared memory");
	}
	gate_init(s->gate, rate_bps, GATE_SLACK_NS);
	return 0;
}

int sessions_init(struct sessions *ret, const struct serve_cfg *cfg, struct iperf_report *report,
	struct err *e)
{
	const struct rsa_auth_cfg rsa = {.private_key_file = cfg->rsa_private_key_file,
		.users_file = cfg->rsa_users_file,
		.pkcs1 = cfg->rsa_pkcs1,
		.skew_s = cfg->rsa_skew_s};
	int r = 0;

	*ret = (struct sessions){.report = report,
		.interval_ns = NSEC_PER_SEC,
		.rcv_timeout_ms = RCV_TIMEOUT_MS,
		.port = (uint16_t)cfg->port};
	if (!*cfg->rsa_private_key_file != !*cfg->rsa_users_file)
		return err_say(e, EINVAL, "--rsa-private-key and --rsa-users go together");
	if (*cfg->rsa_private_key_file)
		r = rsa_auth_open(&ret->auth, &rsa, e);
	return r < 0 ? r : make_gate(ret, cfg->total_rate_bps, e);
}

void sessions_fini(struct sessions *s)
{
	rsa_auth_close(s->auth);
	if (s->gate)
		munmap(s->gate, sizeof(*s->gate));
	*s = (struct sessions){0};
}

int sessions_tare(struct serve_session *s, const void *ctx, struct err *e)
{
	const struct sessions *all = ctx;
	_cleanup_(freep) struct agent_tally *tally = xcalloc(1, sizeof(*tally));
	struct agent_args args = {.ctl_fd = s->ctl_fd,
		.cancel_fd = s->cancel_fd,
		.feed = s->feed,
		.peer = "client",
		.tally = tally,
		.limits = {.max_span_ns = s->limits->max_duration_ns,
			.max_bytes = s->limits->max_bytes,
			.max_buffer_bytes = MAX_BUFFER_BYTES,
			.idle_ns = CONTROLLER_IDLE_NS,
			.max_flows = s->limits->max_flows,
			.confined = s->limits->confined,
			.shared_gate = all->gate}};

	agent_serve(&args);
	str_set(s->load, tally->load);
	s->bytes_tx = tally->bytes_tx;
	s->bytes_rx = tally->bytes_rx;
	return *tally->error ? err_say(e, EPROTO, "%s", tally->error) : 0;
}

static void take_totals(const struct iperf_test *t, struct serve_session *s)
{
	str_set(s->load, t->cfg.params.proto == IPERF_UDP ? "udp" : "stream");
	for (uint32_t i = 0; i < t->n_streams; i++) {
		const struct iperf_stream *x = &t->stream[i];

		*(x->sender ? &s->bytes_tx : &s->bytes_rx) += x->total.bytes;
	}
}

int sessions_iperf(struct serve_session *s, const void *ctx, struct err *e)
{
	const struct sessions *all = ctx;
	_cleanup_(freep) struct iperf_test *t = xcalloc(1, sizeof(*t));
	const struct iperf_limits limits = {.max_duration_ns = s->limits->max_duration_ns,
		.max_bytes = s->limits->max_bytes,
		.max_streams = s->limits->max_flows};
	const struct iperf_session session = {.ctl_fd = s->ctl_fd,
		.cancel_fd = s->cancel_fd,
		.feed = s->feed,
		.limits = &limits,
		.auth = all->auth,
		.shared_gate = all->gate};
	int r;

	t->cfg.port = all->port;
	t->cfg.interval_ns = all->interval_ns;
	t->cfg.rcv_timeout_ms = all->rcv_timeout_ms;
	str_set(t->peer_host, s->peer_host);
	t->peer_port = s->peer_port;
	memcpy(t->cookie, s->cookie, sizeof(t->cookie));
	r = iperf_server_run(t, &session, &all->report->sink);
	take_totals(t, s);
	(void)all->report->finish(all->report, t); /* a full disk does not fail the client's test */
	if (all->announce)
		all->report->begin(all->report, true, all->port, s->number + 1);
	*e = t->error;
	iperf_test_fini(t);
	return r == -EDQUOT || r == -EPERM ? SERVE_LIMIT : r;
}
