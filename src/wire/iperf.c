#include "wire/iperf.h"

#include "base/clock.h"
#include "base/mem.h"
#include "wire/io.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

/* A state or an error is a few bytes; a peer that does not take them for so long is gone. */
#define SEND_TIMEOUT_NS (10 * NSEC_PER_SEC)

const char *iperf_code_text(int32_t code)
{
	static const struct {
		int32_t code;
		const char *text;
	} table[] = {
		{IPERF_E_DURATION, "test duration too long"},
		{IPERF_E_STREAMS, "number of parallel streams not supported"},
		{IPERF_E_BLOCK, "block size not supported"},
		{IPERF_E_BUFSIZE, "socket buffer size too large"},
		{IPERF_E_MSS, "TCP MSS too large"},
		{11, "the server's system has no sendfile"},
		{IPERF_E_OMIT, "omitted time too long"},
		{IPERF_E_BURST, "burst too large"},
		{IPERF_E_UDP_BLOCK, "block size not supported with UDP"},
		{IPERF_E_TOS, "TOS value not valid"},
		{IPERF_E_TOTAL_RATE, "total bit rate above the server's limit"},
		{28, "total bit rate limit not valid"},
		{34, "a file cannot be sent over UDP"},
		{IPERF_E_MAX_DURATION, "test duration above the server's maximum"},
		{39, "the server's system cannot skip the copy to user space"},
		{40, "DSCP value not valid"},
		{102, "the server cannot listen for streams"},
		{103, "cannot connect to the server"},
		{104, "the server cannot accept the connection"},
		{105, "cannot send the cookie"},
		{106, "cannot receive the cookie"},
		{107, "cannot write to the control connection"},
		{108, "cannot read from the control connection"},
		{109, "control connection closed unexpectedly"},
		{110, "unknown message on the control connection"},
		{111, "cannot send a control message"},
		{112, "cannot receive a control message"},
		{113, "cannot send the parameters"},
		{IPERF_E_PARAMS, "cannot receive the parameters, or they are not valid"},
		{115, "cannot put the results together"},
		{116, "cannot send the results"},
		{IPERF_E_RESULTS, "cannot receive the results, or they are not valid"},
		{118, "waiting for sockets failed"},
		{IPERF_E_CLIENT_TERM, "the client has terminated"},
		{IPERF_E_SERVER_TERM, "the server has terminated"},
		{IPERF_E_ACCESS_DENIED, "the server is busy running another test"},
		{130, "TCP window size not set"},
		{IPERF_E_AFFINITY, "CPU affinity not set"},
		{IPERF_E_CONGESTION, "congestion control algorithm not available"},
		{140, "pacing rate not set"},
		{141, "socket buffer size not honoured"},
		{IPERF_E_AUTH, "authorization failed"},
		{IPERF_E_NO_DATA, "no data received for too long"},
		{150, "cannot create a thread"},
		{IPERF_E_EXPIRED, "the test ran longer than its duration allows"},
		{IPERF_E_STREAM_CREATE, "cannot create a stream"},
		{201, "cannot initialise a stream"},
		{202, "cannot listen for a stream"},
		{203, "cannot connect a stream"},
		{204, "cannot accept a stream"},
		{205, "cannot write to a stream"},
		{206, "cannot read from a stream"},
		{207, "stream closed unexpectedly"},
		{IPERF_E_STREAM_ID, "results of an unknown stream"},
		{300, "cannot create a timer"},
		{301, "cannot update a timer"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].code == code)
			return table[i].text;
	return NULL;
}

void iperf_cookie_make(char ret[static IPERF_COOKIE_BYTES])
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
	unsigned char bytes[IPERF_COOKIE_BYTES - 1];
	/* Ref: getrandom(2): up to 256 bytes come whole once the pool is initialised. */
	ssize_t n = getrandom(bytes, sizeof(bytes), 0);

	assert(n == (ssize_t)sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		ret[i] = alphabet[bytes[i] % (sizeof(alphabet) - 1)];
	ret[sizeof(bytes)] = '\0';
}

/* Old clients put their host's name and the time in. */
bool iperf_cookie_valid(const char cookie[static IPERF_COOKIE_BYTES])
{
	for (int i = 0; i < IPERF_COOKIE_BYTES - 1; i++)
		if (cookie[i] <= ' ' || cookie[i] > '~')
			return false;
	return cookie[IPERF_COOKIE_BYTES - 1] == '\0';
}

static int say(const struct iperf_ctl *c, int r, const char *during, struct err *e)
{
	const char *who = c->who ? c->who : "the other side";

	switch (-r) {
	case EPIPE:
		return err_say(e, EPIPE, "%s closed the control connection while %s", who, during);
	case ETIMEDOUT:
		return err_say(e, ETIMEDOUT, "%s did not answer in time while %s", who, during);
	case ECANCELED:
		return err_say(e, ECANCELED, "interrupted while %s", during);
	default:
		return err_set(e, -r, "control connection to %s, while %s", who, during);
	}
}

/* Goodbyes are sent after an interruption, so it must not stop them. */
static int send_short(struct iperf_ctl *c, const void *buf, size_t len, const char *during,
	struct err *e)
{
	int r = io_write(c->fd, -1, buf, len, clock_now_ns() + SEND_TIMEOUT_NS);

	return r < 0 ? say(c, r, during, e) : 0;
}

int iperf_send_state(struct iperf_ctl *c, enum iperf_state s, struct err *e)
{
	signed char byte = (signed char)s;

	return send_short(c, &byte, sizeof(byte), "sending a state", e);
}

int iperf_send_error(struct iperf_ctl *c, int32_t code, int32_t errnum, struct err *e)
{
	uint32_t pair[2] = {htonl((uint32_t)code), htonl((uint32_t)errnum)};
	char bytes[1 + sizeof(pair)] = {(char)IPERF_SERVER_ERROR};

	memcpy(bytes + 1, pair, sizeof(pair));
	return send_short(c, bytes, sizeof(bytes), "sending an error", e);
}

static bool is_state(int s)
{
	switch ((enum iperf_state)s) {
	case IPERF_TEST_START:
	case IPERF_TEST_RUNNING:
	case IPERF_TEST_END:
	case IPERF_PARAM_EXCHANGE:
	case IPERF_CREATE_STREAMS:
	case IPERF_SERVER_TERMINATE:
	case IPERF_CLIENT_TERMINATE:
	case IPERF_EXCHANGE_RESULTS:
	case IPERF_DISPLAY_RESULTS:
	case IPERF_DONE:
	case IPERF_ACCESS_DENIED:
	case IPERF_SERVER_ERROR:
		return true;
	}
	return false;
}

int iperf_recv_state(struct iperf_ctl *c, int *ret, uint64_t deadline_ns, struct err *e)
{
	signed char byte;
	int r = io_read(c->fd, c->cancel_fd, &byte, sizeof(byte), deadline_ns);

	if (r < 0)
		return say(c, r, "waiting for a state", e);
	if (!is_state(byte))
		return err_say(e, EPROTO, "%s sent %d, which is no state of iperf3",
			c->who ? c->who : "the other side", byte);
	*ret = byte;
	return 0;
}

int iperf_recv_error(struct iperf_ctl *c, int32_t *ret_code, int32_t *ret_errnum,
	uint64_t deadline_ns, struct err *e)
{
	uint32_t pair[2];
	int r = io_read(c->fd, c->cancel_fd, pair, sizeof(pair), deadline_ns);

	if (r < 0)
		return say(c, r, "waiting for the reason of an error", e);
	*ret_code = (int32_t)ntohl(pair[0]);
	*ret_errnum = (int32_t)ntohl(pair[1]);
	return 0;
}

/* Length and text in one write: with TCP_NODELAY two would be two segments. */
int iperf_send_doc(struct iperf_ctl *c, const struct doc *d, uint64_t deadline_ns, struct err *e)
{
	_cleanup_(freep) char *text = doc_text(d);
	_cleanup_(freep) char *block = NULL;
	size_t len = strlen(text);
	uint32_t head = htonl((uint32_t)len);
	int r;

	if (len > IPERF_MAX_RESULTS)
		return err_say(e, EMSGSIZE, "block of %zu bytes is too long", len);
	block = xcalloc(1, sizeof(head) + len);
	memcpy(block, &head, sizeof(head));
	memcpy(block + sizeof(head), text, len);
	r = io_write(c->fd, c->cancel_fd, block, sizeof(head) + len, deadline_ns);
	return r < 0 ? say(c, r, "sending a block of JSON", e) : 0;
}

/*
 * iperf3 3.12 writes -1 as 18446744073709551615, and a server of any version has a key twice in
 * what it prints of a UDP test ("target_bitrate"). Only where there is such output may keys repeat.
 */
static int parse(struct doc **ret, const char *text, size_t len, struct err *e)
{
	_cleanup_(doc_freep) struct doc *d = NULL;
	int r = doc_parse_lax(ret, text, len, DOC_BIG_NUMBERS, e);

	if (r == 0 || doc_parse_lax(&d, text, len, DOC_BIG_NUMBERS | DOC_KEYS_TWICE, NULL) < 0 ||
		!doc_get(d, "server_output_json"))
		return r;
	*ret = take_ptr(d);
	return 0;
}

int iperf_recv_doc(struct iperf_ctl *c, struct doc **ret, uint32_t max_bytes, uint64_t deadline_ns,
	struct err *e)
{
	const char *who = c->who ? c->who : "the other side";
	_cleanup_(freep) char *text = NULL;
	uint32_t head, len;
	int r = io_read(c->fd, c->cancel_fd, &head, sizeof(head), deadline_ns);

	if (r < 0)
		return say(c, r, "waiting for a block of JSON", e);
	len = ntohl(head);
	if (len == 0 || len > max_bytes)
		return err_say(e, EPROTO, "%s announced a block of %u bytes, not 1 to %u", who, len,
			max_bytes);
	text = xcalloc(1, len);
	r = io_read(c->fd, c->cancel_fd, text, len, deadline_ns);
	if (r < 0)
		return say(c, r, "in the middle of a block of JSON", e);
	r = parse(ret, text, len, e);
	if (r < 0)
		(void)err_wrap(e, "%s sent a block that cannot be read", who);
	return r;
}
