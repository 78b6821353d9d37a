#include "iperf/run.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* How often bytes sent are compared with bytes to send. */
#define LOOK_NS (5 * NSEC_PER_MSEC)
/* How long the last blocks may take to leave, and to arrive once the other side has sent all. */
#define FLUSH_NS (2 * NSEC_PER_SEC)
/*
 * An iperf3 server reads no more once it hears TEST_END: time for its threads to take what its
 * kernel has. Not in any number.
 */
#define SETTLE_MS 30
/* A client that has said TEST_END may not read on, so its server does not wait for it. */
#define SERVER_FLUSH_NS (100 * NSEC_PER_MSEC)
/*
 * Of one system call over UDP: as much as one send with UDP_SEGMENT takes, and 64 datagrams of the
 * usual size. 64 of the largest would be 4 MiB for each of up to 256 streams.
 */
#define BATCH_BYTES (128U << 10)
/* Nothing came for so long after the other side stopped: the rest is lost. */
#define TCP_QUIET_NS (500 * NSEC_PER_MSEC)
#define UDP_QUIET_NS (100 * NSEC_PER_MSEC)

uint32_t iperf_n_streams(const struct iperf_params *p)
{
	return p->parallel * (p->bidirectional ? 2 : 1);
}

bool iperf_stream_upwards(const struct iperf_params *p, uint32_t i)
{
	return p->bidirectional ? i < p->parallel : !p->reverse;
}

/* The load's flow of stream @i: a load counts the ones that this side sends on first. */
static uint32_t flow_of(const struct iperf_run *r, uint32_t i)
{
	const struct iperf_params *p = &r->test->cfg.params;
	uint32_t n = iperf_n_streams(p);

	return r->test->is_server && p->bidirectional ? (i + p->parallel) % n : i;
}

/* Whole blocks: an iperf3 from 3.18 on counts a block only when all of it has come. */
static uint64_t limit_bytes(const struct iperf_params *p)
{
	uint64_t blocks = p->num ? (p->num + p->len - 1) / p->len : p->blockcount;

	return MIN(blocks, (uint64_t)INT64_MAX / p->len) * p->len;
}

static void fill_stream(struct load_cfg *cfg, const struct iperf_params *p)
{
	cfg->block_bytes = p->len;
	cfg->send = p->zerocopy ? LOAD_SEND_SENDFILE : LOAD_SEND_COPY;
	cfg->recv = p->skip_rx_copy ? LOAD_RECV_TRUNC : LOAD_RECV_COPY;
}

static void fill_udp(struct load_cfg *cfg, const struct iperf_params *p)
{
	cfg->packet_bytes = p->len;
	cfg->batch = MIN(cfg->batch, MAX(BATCH_BYTES / p->len, 1U));
	cfg->gso = p->gso ? LOAD_SWITCH_ON : LOAD_SWITCH_AUTO;
	cfg->gro = p->gro ? LOAD_SWITCH_ON : LOAD_SWITCH_AUTO;
	cfg->udp_counters_32bit = !p->udp_counters_64bit;
	cfg->udp_end_marker = false;
}

int iperf_run_load(struct iperf_run *r, struct err *e)
{
	const struct iperf_params *p = &r->test->cfg.params;
	const struct load_ops *ops = load_find(p->proto == IPERF_UDP ? "udp" : "stream");
	struct load_cfg cfg = *ops->defaults;
	struct load_args args = {.ops = ops,
		.cfg = &cfg,
		.near = !r->test->is_server,
		.opener = LOAD_OPENER_NONE,
		.shared_gate = r->shared_gate};

	cfg.dir = p->bidirectional ? LOAD_DIR_BOTH : p->reverse ? LOAD_DIR_RX : LOAD_DIR_TX;
	cfg.flows = p->parallel;
	cfg.rate_bps = p->bandwidth;
	cfg.bytes = limit_bytes(p);
	if (p->proto == IPERF_UDP)
		fill_udp(&cfg, p);
	else
		fill_stream(&cfg, p);
	return load_open(&r->load, &args, e);
}

int iperf_run_adopt(struct iperf_run *r, uint32_t i, int fd, struct err *e)
{
	struct iperf_test *t = r->test;
	struct iperf_stream *s = &t->stream[i];
	int res;

	*s = (struct iperf_stream){.id = iperf_stream_id(i),
		.socket = fd,
		.sender = iperf_stream_upwards(&t->cfg.params, i) != t->is_server};
	res = sock_name(fd, false, s->local_host, &s->local_port, e);
	if (res == 0)
		res = sock_name(fd, true, s->remote_host, &s->remote_port, e);
	if (res < 0) {
		close(fd);
		return res;
	}
	t->n_streams = MAX(t->n_streams, i + 1);
	return load_adopt(r->load, flow_of(r, i), fd, e);
}

static double seconds(uint64_t from_ns, uint64_t to_ns)
{
	return to_ns > from_ns ? (double)(to_ns - from_ns) / 1e9 : 0;
}

static void keep_extremes(struct iperf_run *r, uint32_t i)
{
	struct iperf_stream *s = &r->test->stream[i];
	const struct iperf_span *x = &s->interval;

	s->max_snd_cwnd = MAX(s->max_snd_cwnd, x->snd_cwnd);
	s->max_snd_wnd = MAX(s->max_snd_wnd, x->snd_wnd);
	s->max_rtt = MAX(s->max_rtt, x->rtt);
	s->min_rtt = s->min_rtt ? MIN(s->min_rtt, x->rtt) : x->rtt;
	r->rtt_sum[i] += x->rtt;
	r->rtt_n[i]++;
	s->mean_rtt = (uint32_t)(r->rtt_sum[i] / r->rtt_n[i]);
}

/* What stream @i did from @from to now. */
static void fill_span(struct iperf_run *r, uint32_t i, const struct iperf_mark *from,
	struct iperf_mark *now, struct iperf_span *x)
{
	const struct iperf_stream *s = &r->test->stream[i];
	bool udp = r->test->cfg.params.proto == IPERF_UDP;
	struct load_count d;
	struct tcpinfo info;

	load_flow_count(r->load, flow_of(r, i), &now->count);
	d = now->count;
	load_count_sub(&d, &from->count);
	x->bytes = s->sender ? d.bytes_tx : d.bytes_rx;
	if (udp) {
		x->packets = s->sender ? d.packets_tx : d.packets_expected;
		x->lost_packets = (int64_t)(d.packets_expected - d.packets_rx + d.duplicated);
		x->out_of_order = (int64_t)(d.reordered + d.duplicated);
		x->jitter_ms = (double)load_flow_jitter_ns(r->load, flow_of(r, i)) / 1e6;
		return;
	}
	if (!s->sender || tcpinfo_read(s->socket, &info, NULL) < 0)
		return;
	now->retransmits = info.retransmits;
	x->has_tcp_info = true;
	x->retransmits = (int64_t)(info.retransmits - from->retransmits);
	x->snd_cwnd = (uint64_t)info.snd_cwnd_segs * info.snd_mss_bytes;
	x->snd_wnd = info.snd_wnd_bytes;
	x->rtt = info.rtt_us;
	x->rttvar = info.rttvar_us;
	x->pmtu = info.pmtu_bytes;
	x->reorder = info.reordering;
}

/* Closes the interval that runs now. Return: whether it is long enough to be told. */
static bool close_interval(struct iperf_run *r, uint64_t now_ns)
{
	if (now_ns < r->last_ns + NSEC_PER_MSEC)
		return false;
	for (uint32_t i = 0; i < r->test->n_streams; i++) {
		struct iperf_span *x = &r->test->stream[i].interval;
		struct iperf_mark now = {0};

		*x = (struct iperf_span){.start = seconds(r->start_ns, r->last_ns),
			.end = seconds(r->start_ns, now_ns),
			.omitted = r->omitting};
		fill_span(r, i, &r->last[i], &now, x);
		if (x->has_tcp_info)
			keep_extremes(r, i);
		r->last[i] = now;
	}
	r->last_ns = now_ns;
	return true;
}

static void tell_interval(struct iperf_run *r, uint64_t now_ns)
{
	if (close_interval(r, now_ns) && r->test->cfg.interval_ns)
		r->sink->interval(r->sink, r->test);
}

/* Omitted time is over: everything reported starts here. */
static void end_omit(struct iperf_run *r, uint64_t now_ns)
{
	tell_interval(r, now_ns);
	for (uint32_t i = 0; i < r->test->n_streams; i++) {
		struct iperf_span unused = {0};

		fill_span(r, i, &(struct iperf_mark){0}, &r->zero[i], &unused);
		r->last[i] = r->zero[i];
		r->rtt_sum[i] = r->rtt_n[i] = 0;
		r->test->stream[i].max_snd_cwnd = r->test->stream[i].max_snd_wnd = 0;
		r->test->stream[i].min_rtt = r->test->stream[i].max_rtt = 0;
	}
	r->omitting = false;
	r->start_ns = r->last_ns = now_ns;
	r->tick_ns = r->test->cfg.interval_ns ? now_ns + r->test->cfg.interval_ns : 0;
}

int iperf_run_start(struct iperf_run *r, struct err *e)
{
	struct iperf_test *t = r->test;

	getrusage(RUSAGE_SELF, &r->usage);
	r->begin_ns = r->start_ns = r->last_ns = r->moved_ns = clock_now_ns();
	r->tick_ns = t->cfg.interval_ns ? r->begin_ns + t->cfg.interval_ns : 0;
	r->omitting = t->cfg.params.omit > 0;
	for (uint32_t i = 0; i < t->n_streams; i++) {
		struct iperf_span unused = {0};

		fill_span(r, i, &(struct iperf_mark){0}, &r->zero[i], &unused);
		r->last[i] = r->zero[i];
	}
	return load_start(r->load, r->begin_ns, INT64_MAX, e);
}

/* The next moment at which there is something to do by itself. */
static uint64_t next_ns(const struct iperf_run *r, uint64_t end_ns)
{
	uint64_t at_ns = end_ns ? end_ns : UINT64_MAX;

	if (r->tick_ns)
		at_ns = MIN(at_ns, r->tick_ns);
	if (r->omitting)
		at_ns = MIN(at_ns, r->begin_ns + r->test->cfg.params.omit * NSEC_PER_SEC);
	if (limit_bytes(&r->test->cfg.params))
		at_ns = MIN(at_ns, clock_now_ns() + LOOK_NS);
	return MIN(at_ns, clock_now_ns() + NSEC_PER_SEC);
}

/* Return: enum iperf_event, -EAGAIN when the time came first, or negative errno. */
static int wait_until(const struct iperf_run *r, uint64_t at_ns)
{
	struct pollfd p[2] = {{.fd = r->ctl.fd, .events = POLLIN},
		{.fd = r->ctl.cancel_fd, .events = POLLIN}};
	uint64_t now_ns = clock_now_ns();
	uint64_t left_ns = at_ns > now_ns ? at_ns - now_ns : 0;
	struct timespec ts = {.tv_sec = (time_t)(left_ns / NSEC_PER_SEC),
		.tv_nsec = (long)(left_ns % NSEC_PER_SEC)};
	int n = ppoll(p, 2, &ts, NULL);

	if (n < 0 && errno != EINTR)
		return -errno;
	if (n > 0 && p[1].revents)
		return IPERF_EV_CANCEL;
	return n > 0 && p[0].revents ? IPERF_EV_CTL : -EAGAIN;
}

static bool reached(const struct iperf_run *r)
{
	uint64_t limit = limit_bytes(&r->test->cfg.params);
	struct load_count c;

	/* A server goes on until its client says so. */
	if (!limit || r->test->is_server)
		return false;
	load_count(r->load, &c);
	return load_sent_all(r->load) || c.bytes_rx >= limit;
}

static int check_idle(struct iperf_run *r, uint64_t now_ns, struct err *e)
{
	uint64_t timeout_ms = r->test->cfg.rcv_timeout_ms;
	bool receives = false;
	struct load_count c;

	for (uint32_t i = 0; i < r->test->n_streams; i++)
		receives = receives || !r->test->stream[i].sender;
	load_count(r->load, &c);
	if (c.bytes_rx != r->moved_bytes || !receives) {
		r->moved_bytes = c.bytes_rx;
		r->moved_ns = now_ns;
	}
	if (timeout_ms && now_ns > r->moved_ns + timeout_ms * NSEC_PER_MSEC)
		return err_say(e, ETIMEDOUT, "no data was received for %llu ms",
			(unsigned long long)timeout_ms);
	return 0;
}

/*
 * The last interval is told by iperf_run_finish(), with what little is left to it. A server's
 * @end_ns is no end, but when it looks at its limits.
 */
static bool tick_due(const struct iperf_run *r, uint64_t now_ns, uint64_t end_ns)
{
	return r->tick_ns && now_ns >= r->tick_ns &&
	       (!end_ns || r->test->is_server ||
		       r->tick_ns + r->test->cfg.interval_ns / 20 < end_ns);
}

int iperf_run_measure(struct iperf_run *r, uint64_t end_ns, struct err *e)
{
	for (;;) {
		int ev = wait_until(r, next_ns(r, end_ns));
		uint64_t now_ns = clock_now_ns();
		int res;

		if (ev >= 0)
			return ev;
		if (ev != -EAGAIN)
			return err_set(e, -ev, "cannot wait");
		if (r->omitting && now_ns >= r->begin_ns + r->test->cfg.params.omit * NSEC_PER_SEC)
			end_omit(r, now_ns);
		if (tick_due(r, now_ns, end_ns))
			tell_interval(r, now_ns);
		while (r->tick_ns && r->tick_ns <= now_ns)
			r->tick_ns += r->test->cfg.interval_ns;
		if ((end_ns && now_ns >= end_ns) || reached(r))
			return IPERF_EV_OVER;
		res = check_idle(r, now_ns, e);
		if (res < 0)
			return res;
	}
}

static double usage_s(struct timeval a, struct timeval b)
{
	return (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_usec - a.tv_usec) / 1e6;
}

static void take_cpu(struct iperf_run *r)
{
	struct iperf_cpu *c = &r->test->cpu;
	double wall_s = seconds(r->begin_ns, clock_now_ns());
	struct rusage now;

	getrusage(RUSAGE_SELF, &now);
	c->host_user = 100 * usage_s(r->usage.ru_utime, now.ru_utime) / wall_s;
	c->host_system = 100 * usage_s(r->usage.ru_stime, now.ru_stime) / wall_s;
	c->host_total = c->host_user + c->host_system;
}

void iperf_run_totals(struct iperf_run *r)
{
	for (uint32_t i = 0; i < r->test->n_streams; i++) {
		struct iperf_span *x = &r->test->stream[i].total;
		struct iperf_mark now = {0};
		double end = x->end;

		*x = (struct iperf_span){0};
		fill_span(r, i, &r->zero[i], &now, x);
		x->end = end;
	}
}

/* Has all that this side sent reached the other side's kernel? An iperf3 reads no more then. */
static bool all_left(const struct iperf_run *r)
{
	for (uint32_t i = 0; i < r->test->n_streams; i++) {
		const struct iperf_stream *s = &r->test->stream[i];
		int queued = 0;

		if (!s->sender)
			continue;
		if (!load_sent_all(r->load))
			return false;
		if (!r->test->is_server && r->test->cfg.params.proto == IPERF_TCP &&
			ioctl(s->socket, SIOCOUTQ, &queued) == 0 && queued > 0)
			return false;
	}
	return true;
}

/* The receiver sees that nothing more will come. */
static void shut_senders(struct iperf_run *r)
{
	for (uint32_t i = 0; r->test->cfg.params.proto == IPERF_TCP && i < r->test->n_streams; i++)
		if (r->test->stream[i].sender)
			(void)shutdown(r->test->stream[i].socket, SHUT_WR);
}

/* No more is sent, and the last interval ends here. */
static void end_time(struct iperf_run *r)
{
	uint64_t now_ns;

	r->finished = true;
	load_end_sending(r->load);
	now_ns = clock_now_ns();
	take_cpu(r);
	if (r->omitting)
		end_omit(r, now_ns);
	tell_interval(r, now_ns);
	for (uint32_t i = 0; i < r->test->n_streams; i++)
		r->test->stream[i].total.end = seconds(r->start_ns, now_ns);
}

void iperf_run_finish(struct iperf_run *r)
{
	uint64_t flush_ns = r->test->is_server ? SERVER_FLUSH_NS : FLUSH_NS;
	uint64_t deadline_ns = clock_now_ns() + flush_ns;

	end_time(r);
	while (!all_left(r) && clock_now_ns() < deadline_ns)
		poll(NULL, 0, 1);
	iperf_run_totals(r);
	if (r->test->is_server)
		shut_senders(r);
	else
		poll(NULL, 0, SETTLE_MS);
}

/* @theirs: NULL while it is not known what they sent. */
static bool has_all(struct iperf_run *r, const struct iperf_results *theirs)
{
	bool receives = false;

	for (uint32_t i = 0; i < r->test->n_streams; i++) {
		const struct iperf_stream *s = &r->test->stream[i];

		if (s->sender)
			continue;
		receives = true;
		if (!theirs || i >= theirs->n_streams || s->total.bytes < theirs->stream[i].bytes)
			return load_ended(r->load);
	}
	return !receives || theirs;
}

void iperf_run_drain(struct iperf_run *r, const struct iperf_results *theirs)
{
	bool udp = r->test->cfg.params.proto == IPERF_UDP;
	uint64_t begin_ns = clock_now_ns(), moved_ns = begin_ns, moved = 0;

	for (;;) {
		uint64_t now_ns = clock_now_ns();
		struct load_count c;

		iperf_run_totals(r);
		load_count(r->load, &c);
		if (c.bytes_rx != moved)
			moved_ns = now_ns;
		moved = c.bytes_rx;
		if (has_all(r, theirs) || now_ns > moved_ns + (udp ? UDP_QUIET_NS : TCP_QUIET_NS) ||
			now_ns > begin_ns + FLUSH_NS)
			return;
		poll(NULL, 0, 1);
	}
}

void iperf_run_stop(struct iperf_run *r)
{
	if (r->load)
		(void)!load_stop(r->load, NULL); /* what ends the flows now is the test's end */
	load_close(r->load);
	r->load = NULL;
}

static void own_result(const struct iperf_run *r, uint32_t i, struct iperf_stream_result *x)
{
	const struct iperf_stream *s = &r->test->stream[i];
	const struct load_count *zero = &r->zero[i].count;
	int64_t omitted = (int64_t)(s->sender ? zero->packets_tx : zero->packets_expected);

	*x = (struct iperf_stream_result){.id = s->id,
		.bytes = s->total.bytes,
		.retransmits = s->sender && s->total.has_tcp_info ? s->total.retransmits : -1,
		.jitter = s->total.jitter_ms / 1e3,
		.end_time = s->total.end};
	if (r->test->cfg.params.proto != IPERF_UDP)
		return;
	x->omitted_packets = omitted;
	x->packets = (int64_t)s->total.packets + omitted;
	x->omitted_errors = (int64_t)(zero->packets_expected - zero->packets_rx + zero->duplicated);
	x->errors = s->total.lost_packets + x->omitted_errors;
}

void iperf_run_results(struct iperf_run *r, struct iperf_results *ret)
{
	const struct iperf_test *t = r->test;
	bool sends = false;

	*ret = (struct iperf_results){.cpu_util_total = t->cpu.host_total,
		.cpu_util_user = t->cpu.host_user,
		.cpu_util_system = t->cpu.host_system,
		.n_streams = t->n_streams};
	for (uint32_t i = 0; i < t->n_streams; i++) {
		sends = sends || t->stream[i].sender;
		own_result(r, i, &ret->stream[i]);
	}
	ret->sender_has_retransmits = !sends ? -1 : t->cfg.params.proto == IPERF_TCP;
	str_set(ret->congestion_used, sends ? t->sender_congestion : t->receiver_congestion);
}

int iperf_run_take_results(struct iperf_run *r, struct iperf_results *theirs, struct err *e)
{
	struct iperf_test *t = r->test;
	bool sends = false;

	if (theirs->n_streams != t->n_streams)
		return err_say(e, EPROTO, "results of %u streams came for a test of %u",
			theirs->n_streams, t->n_streams);
	for (uint32_t i = 0; i < t->n_streams; i++) {
		struct iperf_stream *s = &t->stream[i];

		if (theirs->stream[i].id != s->id)
			return err_say(e, EPROTO, "results of stream %u came for stream %u",
				theirs->stream[i].id, s->id);
		s->remote = theirs->stream[i];
		s->has_remote = true;
		sends = sends || s->sender;
	}
	t->cpu.remote_total = theirs->cpu_util_total;
	t->cpu.remote_user = theirs->cpu_util_user;
	t->cpu.remote_system = theirs->cpu_util_system;
	if (sends)
		str_set(t->receiver_congestion, theirs->congestion_used);
	else
		str_set(t->sender_congestion, theirs->congestion_used);
	t->server_output_text = take_ptr(theirs->server_output_text);
	t->server_output_json = take_ptr(theirs->server_output_json);
	t->has_results = true;
	return 0;
}

void iperf_run_tell_end(struct iperf_run *r)
{
	if (!r->told)
		r->sink->end(r->sink, r->test);
	r->told = true;
}

int iperf_run_fail(struct iperf_run *r, int code)
{
	bool interrupted = code == -ECANCELED || code == -ECONNABORTED;

	if (r->load && r->begin_ns) {
		if (!r->finished)
			end_time(r);
		iperf_run_totals(r);
		if (interrupted)
			iperf_run_tell_end(r);
	}
	iperf_run_stop(r);
	r->sink->error(r->sink, r->test);
	return code;
}

void iperf_test_fini(struct iperf_test *t)
{
	free(t->server_output_text);
	doc_free(t->server_output_json);
	t->server_output_text = NULL;
	t->server_output_json = NULL;
}
