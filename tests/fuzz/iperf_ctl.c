/*
 * A control connection: the first byte tells what is waited for in turn (two bits each, again and
 * again), the rest is what the other side sends before it closes.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "fuzz.h"
#include "wire/iperf.h"

#include <errno.h>
#include <sys/socket.h>

static int read_one(struct iperf_ctl *c, unsigned int what, struct err *e)
{
	const uint64_t deadline_ns = clock_now_ns() + 10 * NSEC_PER_SEC;
	struct doc *d = NULL;
	int32_t code, errnum;
	int state, r;

	switch (what) {
	case 0:
		r = iperf_recv_error(c, &code, &errnum, deadline_ns, e);
		if (r == 0)
			(void)iperf_code_text(code);
		return r;
	case 1:
		r = iperf_recv_doc(c, &d, IPERF_MAX_PARAMS, deadline_ns, e);
		FUZZ_CHECK(!d == (r < 0));
		doc_free(d);
		return r;
	default:
		r = iperf_recv_state(c, &state, deadline_ns, e);
		if (r == 0)
			FUZZ_CHECK(state >= IPERF_SERVER_ERROR && state <= IPERF_DONE);
		return r;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(closep) int near = -1;
	_cleanup_(closep) int far = -1;
	struct iperf_ctl c;
	int fd[2], r = 0;

	/* What fits into a socket's buffer; more would wait for us. */
	if (size < 1 || size > 16384)
		return 0;
	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) == 0);
	near = fd[0];
	far = fd[1];
	FUZZ_CHECK(send(far, data + 1, size - 1, 0) == (ssize_t)size - 1);
	closep(&far);
	c = (struct iperf_ctl){near, -1, NULL};
	for (unsigned int i = 0; r == 0; i++) {
		struct err e = {0};

		r = read_one(&c, data[0] >> (i % 4 * 2) & 3, &e);
		FUZZ_CHECK(r == 0 || ((r == -EPIPE || r == -EPROTO) && e.text[0]));
	}
	return 0;
}
