#include "wire/greet.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <openssl/crypto.h>
#include <openssl/hmac.h>

#define LABEL_CLIENT "tare client 1"
#define LABEL_SERVER "tare server 1"

static void put_hex(struct doc *d, const char *key, const uint8_t *v, size_t n)
{
	char text[2 * GREET_NONCE_BYTES + 1] = "";

	assert(n <= GREET_NONCE_BYTES);
	for (size_t i = 0; i < n; i++)
		str_addf(text, sizeof(text), "%02x", v[i]);
	doc_put_str(d, key, text);
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *p = c ? strchr(digits, c) : NULL;

	return p ? (int)(p - digits) : -1;
}

static int get_hex(const struct doc *d, const char *key, uint8_t *ret, size_t n, struct err *e)
{
	char text[2 * GREET_NONCE_BYTES + 2];
	int r = doc_get_str(d, key, text, sizeof(text), e);

	if (r < 0)
		return r;
	if (strlen(text) != 2 * n)
		return err_say(e, EPROTO, "member '%s' is not of %zu bytes", key, n);
	for (size_t i = 0; i < n; i++) {
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return err_say(e, EPROTO, "member '%s' is not hexadecimal", key);
		ret[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

/* What both macs are made of. */
struct proof {
	const void *key;
	size_t key_len;
	uint8_t client[GREET_NONCE_BYTES], server[GREET_NONCE_BYTES];
};

static void hmac(const struct proof *p, const uint8_t *text, size_t len, uint8_t *ret)
{
	unsigned int n = GREET_MAC_BYTES;

	assert(p->key_len <= GREET_KEY_MAX);
	if (!HMAC(EVP_sha256(), p->key, (int)p->key_len, text, len, ret, &n))
		abort();
	assert(n == GREET_MAC_BYTES);
}

static void client_mac(const struct proof *p, uint8_t ret[static GREET_MAC_BYTES])
{
	uint8_t text[sizeof(LABEL_CLIENT) - 1 + 2 * GREET_NONCE_BYTES];
	uint8_t *at = mempcpy(text, LABEL_CLIENT, sizeof(LABEL_CLIENT) - 1);

	at = mempcpy(at, p->server, GREET_NONCE_BYTES);
	memcpy(at, p->client, GREET_NONCE_BYTES);
	hmac(p, text, sizeof(text), ret);
}

static void server_mac(const struct proof *p, const uint8_t token[static MAGIC_TOKEN_BYTES],
	uint8_t ret[static GREET_MAC_BYTES])
{
	uint8_t text[sizeof(LABEL_SERVER) - 1 + 2 * GREET_NONCE_BYTES + MAGIC_TOKEN_BYTES];
	uint8_t *at = mempcpy(text, LABEL_SERVER, sizeof(LABEL_SERVER) - 1);

	at = mempcpy(at, p->client, GREET_NONCE_BYTES);
	at = mempcpy(at, p->server, GREET_NONCE_BYTES);
	memcpy(at, token, MAGIC_TOKEN_BYTES);
	hmac(p, text, sizeof(text), ret);
}

static int fresh_nonce(uint8_t ret[static GREET_NONCE_BYTES], struct err *e)
{
	if (getrandom(ret, GREET_NONCE_BYTES, 0) != GREET_NONCE_BYTES)
		return err_set(e, errno, "cannot get random bytes");
	return 0;
}

static struct doc *message(const char *type)
{
	struct doc *d = doc_object();

	doc_put_str(d, "type", type);
	return d;
}

/* A message of this type, or the other side's own error in its words. */
static int receive(struct chan *c, const char *type, struct doc **ret, uint64_t deadline_ns,
	struct err *e)
{
	_cleanup_(doc_freep) struct doc *d = NULL;
	char text[sizeof(e->text)];
	int r = chan_recv(c, &d, "greeting", deadline_ns, e);

	if (r < 0)
		return r;
	if (doc_is_str(doc_get(d, "type"), type)) {
		*ret = take_ptr(d);
		return 0;
	}
	if (doc_is_str(doc_get(d, "type"), "error") &&
		doc_get_str(d, "text", text, sizeof(text), NULL) == 0)
		return err_say(e, EREMOTEIO, "%s refused: %s", c->who, text);
	return err_say(e, EPROTO, "%s did not send '%s' while greeting", c->who, type);
}

static int prove(struct chan *c, const struct proof *p, uint64_t deadline_ns, struct err *e)
{
	_cleanup_(doc_freep) struct doc *msg = message("auth");
	uint8_t mac[GREET_MAC_BYTES];

	if (!p->key)
		return err_say(e, EACCES, "%s asks for a pre-shared key", c->who);
	client_mac(p, mac);
	put_hex(msg, "mac", mac, sizeof(mac));
	return chan_send(c, msg, deadline_ns, e);
}

static int accepted(struct chan *c, const struct proof *p, uint8_t *ret_token, uint64_t deadline_ns,
	struct err *e)
{
	_cleanup_(doc_freep) struct doc *msg = NULL;
	uint8_t token[MAGIC_TOKEN_BYTES], mac[GREET_MAC_BYTES], wanted[GREET_MAC_BYTES];
	int r = receive(c, "ok", &msg, deadline_ns, e);

	if (r == 0)
		r = get_hex(msg, "token", token, sizeof(token), e);
	if (r == 0 && p->key)
		r = get_hex(msg, "mac", mac, sizeof(mac), e);
	if (r < 0)
		return r;
	if (p->key) {
		server_mac(p, token, wanted);
		if (CRYPTO_memcmp(mac, wanted, sizeof(mac)) != 0)
			return err_say(e, EACCES, "%s does not know the pre-shared key", c->who);
	}
	memcpy(ret_token, token, sizeof(token));
	return 0;
}

static int send_magic(struct chan *c, struct err *e)
{
	uint8_t magic[MAGIC_BYTES];

	magic_put(magic, MAGIC_CONTROL);
	/* Five bytes always fit the buffer of a connection on which nothing was sent yet. */
	if (send(c->fd, magic, sizeof(magic), MSG_NOSIGNAL | MSG_MORE) != sizeof(magic))
		return err_set(e, errno, "cannot open a session with %s", c->who);
	return 0;
}

int greet_client(struct chan *c, const void *key, size_t key_len,
	uint8_t ret_token[static MAGIC_TOKEN_BYTES], uint64_t deadline_ns, struct err *e)
{
	_cleanup_(doc_freep) struct doc *open = message("open");
	_cleanup_(doc_freep) struct doc *challenge = NULL;
	struct proof p = {.key = key, .key_len = key_len};
	bool auth = false;
	int r = fresh_nonce(p.client, e);

	if (r == 0)
		r = send_magic(c, e);
	if (r < 0)
		return r;
	doc_put_u64(open, "protocol", CHAN_PROTOCOL);
	put_hex(open, "nonce", p.client, sizeof(p.client));
	r = chan_send(c, open, deadline_ns, e);
	if (r == 0)
		r = receive(c, "challenge", &challenge, deadline_ns, e);
	if (r == 0)
		r = get_hex(challenge, "nonce", p.server, sizeof(p.server), e);
	if (r == 0)
		r = doc_get_bool(challenge, "auth", &auth, e);
	if (r == 0 && key && !auth)
		r = err_say(e, EACCES, "%s has no pre-shared key", c->who);
	if (r == 0 && auth)
		r = prove(c, &p, deadline_ns, e);
	return r < 0 ? r : accepted(c, &p, ret_token, deadline_ns, e);
}

static int check_open(struct chan *c, struct proof *p, uint64_t deadline_ns, struct err *e)
{
	_cleanup_(doc_freep) struct doc *open = NULL;
	uint64_t protocol;
	int r = receive(c, "open", &open, deadline_ns, e);

	if (r == 0)
		r = doc_get_u64(open, "protocol", UINT32_MAX, &protocol, e);
	if (r < 0)
		return r;
	if (protocol != CHAN_PROTOCOL)
		return err_say(e, EPROTONOSUPPORT, "control protocol %llu asked for, %d spoken",
			(unsigned long long)protocol, CHAN_PROTOCOL);
	return get_hex(open, "nonce", p->client, sizeof(p->client), e);
}

static int check_proof(struct chan *c, const struct proof *p, uint64_t deadline_ns, struct err *e)
{
	_cleanup_(doc_freep) struct doc *auth = NULL;
	uint8_t mac[GREET_MAC_BYTES], wanted[GREET_MAC_BYTES];
	int r = receive(c, "auth", &auth, deadline_ns, e);

	if (r == 0)
		r = get_hex(auth, "mac", mac, sizeof(mac), e);
	if (r < 0)
		return r;
	client_mac(p, wanted);
	if (CRYPTO_memcmp(mac, wanted, sizeof(mac)) != 0)
		return err_say(e, EACCES, "wrong pre-shared key");
	return 0;
}

static int challenge(struct chan *c, struct proof *p, uint64_t deadline_ns, struct err *e)
{
	_cleanup_(doc_freep) struct doc *msg = message("challenge");
	int r = fresh_nonce(p->server, e);

	if (r < 0)
		return r;
	put_hex(msg, "nonce", p->server, sizeof(p->server));
	doc_put_bool(msg, "auth", p->key != NULL);
	r = chan_send(c, msg, deadline_ns, e);
	return r < 0 || !p->key ? r : check_proof(c, p, deadline_ns, e);
}

int greet_server(struct chan *c, const void *key, size_t key_len,
	const uint8_t token[static MAGIC_TOKEN_BYTES], uint64_t deadline_ns, struct err *e)
{
	_cleanup_(doc_freep) struct doc *msg = message("ok");
	struct proof p = {.key = key, .key_len = key_len};
	uint8_t mac[GREET_MAC_BYTES];
	struct err own = {0};
	int r = check_open(c, &p, deadline_ns, &own);

	if (r == 0)
		r = challenge(c, &p, deadline_ns, &own);
	if (r < 0) {
		greet_refuse(c->fd, own.text);
		if (e)
			*e = own;
		return r;
	}
	put_hex(msg, "token", token, MAGIC_TOKEN_BYTES);
	if (key) {
		server_mac(&p, token, mac);
		put_hex(msg, "mac", mac, sizeof(mac));
	}
	return chan_send(c, msg, deadline_ns, e);
}

void greet_refuse(int fd, const char *text)
{
	_cleanup_(doc_freep) struct doc *msg = message("error");
	struct chan c = {.fd = fd, .cancel_fd = -1};

	doc_put_str(msg, "text", text);
	/* A deadline that has passed: the socket is asked once, never waited for. */
	(void)!chan_send(&c, msg, 0, NULL);
}
