#include "wire/rsa.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#define HASH_BYTES 32 /* SHA-256 */
/* Of 16384 bits, the largest that OpenSSL uses. */
#define MAX_KEY_BYTES 2048
#define MAX_USERS     65536
#define MAX_SKEW_S    86400
/* Tokens remembered; each is forgotten skew_s after its time. A full memory refuses. */
#define N_SEEN 4096

struct user {
	char name[RSA_USER_BYTES];
	unsigned char hash[HASH_BYTES];
};

struct rsa_auth {
	EVP_PKEY *key;
	bool pkcs1;
	uint32_t skew_s;
	size_t n_users;
	struct user *users;
	/* [N_SEEN], shared with all forked processes: see remember(). */
	_Atomic uint64_t *seen;
};

DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free, pkey_freep)
DEFINE_CLEANUP(EVP_PKEY_CTX *, EVP_PKEY_CTX_free, pkey_ctx_freep)

static int crypto_failed(struct err *e, int errnum, const char *what)
{
	const char *why = ERR_reason_error_string(ERR_peek_error());

	ERR_clear_error();
	return err_say(e, errnum, "%s: %s", what, why ? why : "no reason given");
}

/* Instead of a question on the terminal. */
static int no_passphrase(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

static int read_key(EVP_PKEY **ret, const char *path, bool is_private, struct err *e)
{
	_cleanup_(fclosep) FILE *f = fopen(path, "re");
	_cleanup_(pkey_freep) EVP_PKEY *key = NULL;

	if (!f)
		return err_set(e, errno, "cannot open '%s'", path);
	key = is_private ? PEM_read_PrivateKey(f, NULL, no_passphrase, NULL)
			 : PEM_read_PUBKEY(f, NULL, no_passphrase, NULL);
	if (!key) {
		(void)crypto_failed(e, EINVAL, is_private ? "no private key" : "no public key");
		return err_wrap(e, "'%s'", path);
	}
	if (!EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_get_size(key) > MAX_KEY_BYTES)
		return err_say(e, EINVAL, "'%s' is no RSA key of up to %d bits", path,
			8 * MAX_KEY_BYTES);
	*ret = take_ptr(key);
	return 0;
}

/* A context for encryption or decryption with the padding. NULL: libcrypto knows why. */
static EVP_PKEY_CTX *context(EVP_PKEY *key, int (*init)(EVP_PKEY_CTX *), bool pkcs1)
{
	_cleanup_(pkey_ctx_freep) EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);

	if (!c || init(c) <= 0 ||
		EVP_PKEY_CTX_set_rsa_padding(c,
			pkcs1 ? RSA_PKCS1_PADDING : RSA_PKCS1_OAEP_PADDING) <= 0)
		return NULL;
	return take_ptr(c);
}

static bool is_word(const char *s, size_t size)
{
	size_t len = strnlen(s, size);

	/* What the peer's scanf("%s") takes as one word. */
	return len > 0 && len < size && strcspn(s, " \t\n\v\f\r") == len;
}

int rsa_token_make(const char *public_key_file, const char *user, const char *password, bool pkcs1,
	int64_t now_s, char ret[static RSA_TOKEN_BYTES], struct err *e)
{
	_cleanup_(pkey_freep) EVP_PKEY *key = NULL;
	_cleanup_(pkey_ctx_freep) EVP_PKEY_CTX *c = NULL;
	char text[RSA_USER_BYTES + RSA_PASSWORD_BYTES + 64];
	unsigned char sealed[MAX_KEY_BYTES];
	size_t len = sizeof(sealed);
	int n, r;

	if (!is_word(user, RSA_USER_BYTES))
		return err_say(e, EINVAL,
			"the user name is empty, longer than %d bytes or has "
			"white space",
			RSA_USER_BYTES - 1);
	if (!is_word(password, RSA_PASSWORD_BYTES))
		return err_say(e, EINVAL,
			"the password is empty, longer than %d bytes or has "
			"white space",
			RSA_PASSWORD_BYTES - 1);
	r = read_key(&key, public_key_file, false, e);
	if (r < 0)
		return r;
	if (4 * ((EVP_PKEY_get_size(key) + 2) / 3) >= RSA_TOKEN_BYTES)
		return err_say(e, EINVAL, "the key in '%s' is too large", public_key_file);
	c = context(key, EVP_PKEY_encrypt_init, pkcs1);
	n = snprintf(text, sizeof(text), "user: %s\npwd:  %s\nts:   %lld", user, password,
		(long long)now_s);
	r = c ? EVP_PKEY_encrypt(c, sealed, &len, (unsigned char *)text, (size_t)n) : 0;
	explicit_bzero(text, sizeof(text));
	if (r <= 0)
		return crypto_failed(e, EINVAL, "cannot encrypt user name and password");
	(void)EVP_EncodeBlock((unsigned char *)ret, sealed, (int)len);
	return 0;
}

static bool hash_of(const void *data, size_t len, unsigned char ret[static HASH_BYTES])
{
	unsigned int n;

	return EVP_Digest(data, len, ret, &n, EVP_sha256(), NULL) == 1;
}

static int parse_hash(const char *hex, unsigned char ret[static HASH_BYTES])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < 2 * HASH_BYTES; i++) {
		const char *at = hex[i] ? strchr(digits, hex[i] | 0x20) : NULL;

		if (!at)
			return -EINVAL;
		ret[i / 2] = (unsigned char)(ret[i / 2] << 4 | (at - digits));
	}
	return hex[2 * HASH_BYTES] ? -EINVAL : 0;
}

/* "name,hash", or nothing, or a comment. The first of two lines for a name holds. */
static int add_user(struct rsa_auth *a, char *line)
{
	size_t len = strcspn(line, "\r\n");
	struct user *u;
	char *comma;

	line[len] = '\0';
	if (!*line || *line == '#')
		return 0;
	comma = strchr(line, ',');
	if (!comma || a->n_users == MAX_USERS)
		return -EINVAL;
	*comma = '\0';
	a->users = xreallocarray(a->users, a->n_users + 1, sizeof(*a->users));
	u = &a->users[a->n_users];
	memset(u, 0, sizeof(*u));
	if (!is_word(line, sizeof(u->name)) || parse_hash(comma + 1, u->hash) < 0)
		return -EINVAL;
	str_set(u->name, line);
	a->n_users++;
	return 0;
}

static int read_users(struct rsa_auth *a, const char *path, struct err *e)
{
	_cleanup_(fclosep) FILE *f = fopen(path, "re");
	_cleanup_(freep) char *line = NULL;
	size_t size = 0;

	if (!f)
		return err_set(e, errno, "cannot open '%s'", path);
	for (unsigned int n = 1; getline(&line, &size, f) >= 0; n++)
		if (add_user(a, line) < 0)
			return err_say(e, EINVAL, "'%s' line %u is not 'name,sha256' in hex digits",
				path, n);
	if (ferror(f))
		return err_set(e, EIO, "cannot read '%s'", path);
	if (!a->n_users)
		return err_say(e, EINVAL, "'%s' names no user", path);
	return 0;
}

int rsa_auth_open(struct rsa_auth **ret, const struct rsa_auth_cfg *cfg, struct err *e)
{
	_cleanup_(rsa_auth_closep) struct rsa_auth *a = xcalloc(1, sizeof(*a));
	void *map;
	int r;

	if (cfg->skew_s > MAX_SKEW_S)
		return err_say(e, EINVAL, "a skew of more than %d s is no check", MAX_SKEW_S);
	a->pkcs1 = cfg->pkcs1;
	a->skew_s = cfg->skew_s;
	r = read_key(&a->key, cfg->private_key_file, true, e);
	if (r == 0)
		r = read_users(a, cfg->users_file, e);
	if (r < 0)
		return r;
	map = mmap(NULL, N_SEEN * sizeof(*a->seen), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		return err_set(e, errno, "cannot map the memory of tokens");
	a->seen = map;
	*ret = take_ptr(a);
	return 0;
}

void rsa_auth_close(struct rsa_auth *a)
{
	if (!a)
		return;
	if (a->seen)
		munmap(a->seen, N_SEEN * sizeof(*a->seen));
	EVP_PKEY_free(a->key);
	free(a->users);
	free(a);
}

/* The rest of @s after @prefix, NULL if it does not start with it. */
static const char *after(const char *s, const char *prefix)
{
	size_t len = strlen(prefix);

	return s && strncmp(s, prefix, len) == 0 ? s + len : NULL;
}

/* Copies a line's word; returns where the next line starts, NULL if there is none. */
static const char *take_word(const char *s, char *ret, size_t size)
{
	size_t len = s ? strcspn(s, "\n") : 0;

	if (!s || s[len] != '\n' || len >= size)
		return NULL;
	memcpy(ret, s, len);
	ret[len] = '\0';
	return is_word(ret, size) ? s + len + 1 : NULL;
}

static bool is_printable(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return false;
	return true;
}

/* Up to 15 digits. */
static int take_time(const char *s, int64_t *ret)
{
	size_t len = strspn(s, "0123456789");

	if (len == 0 || len > 15 || s[len])
		return -EPROTO;
	*ret = 0;
	for (size_t i = 0; i < len; i++)
		*ret = *ret * 10 + (s[i] - '0');
	return 0;
}

int rsa_login_parse(const char *text, size_t len, struct rsa_login *ret)
{
	char copy[MAX_KEY_BYTES + 1];
	const char *s;
	int r;

	if (len >= sizeof(copy) || memchr(text, '\0', len))
		return -EPROTO;
	memcpy(copy, text, len);
	copy[len] = '\0';
	s = take_word(after(copy, "user: "), ret->user, sizeof(ret->user));
	/* It goes to a terminal when it is refused, and anybody may have the public key. */
	if (s && !is_printable(ret->user))
		s = NULL;
	s = take_word(after(s, "pwd:  "), ret->password, sizeof(ret->password));
	s = after(s, "ts:   ");
	r = s ? take_time(s, &ret->time_s) : -EPROTO;
	explicit_bzero(copy, sizeof(copy));
	return r;
}

/* Is the tag in a slot other than @except that is still of interest? */
static bool is_seen(const struct rsa_auth *a, uint32_t tag, uint32_t now, size_t except)
{
	for (size_t i = 0; i < N_SEEN; i++) {
		uint64_t slot = atomic_load(&a->seen[i]);

		if (i != except && slot >> 32 == tag && (uint32_t)slot >= now)
			return true;
	}
	return false;
}

/*
 * Remembers a token until @until_s. A slot holds 32 bits of the token's hash and the last second
 * it is of interest; it is free once that has passed. Who finds the token in another slot after
 * writing his own has met someone with the same token at the same time and is refused, perhaps
 * both. A different token with the same 32 bits is refused by mistake, once in 10^6 logins with a
 * full memory.
 *
 * Return: 0, -EEXIST or -ENOSPC.
 */
static int remember(struct rsa_auth *a, const unsigned char *hash, int64_t now_s, int64_t until_s)
{
	const uint32_t now = (uint32_t)now_s;
	uint32_t tag;

	memcpy(&tag, hash, sizeof(tag));
	if (is_seen(a, tag, now, N_SEEN))
		return -EEXIST;
	for (size_t i = 0; i < N_SEEN; i++) {
		const uint64_t mine = (uint64_t)tag << 32 | (uint32_t)until_s;
		uint64_t slot = atomic_load(&a->seen[i]);

		if ((uint32_t)slot < now &&
			atomic_compare_exchange_strong(&a->seen[i], &slot, mine))
			return is_seen(a, tag, now, i) ? -EEXIST : 0;
	}
	return -ENOSPC;
}

static int refuse(struct err *e, const char *why)
{
	return err_say(e, EACCES, "login refused: %s", why);
}

/* Base64 to the bytes that were encrypted, as many as the key has. */
static int decode(const struct rsa_auth *a, const char *token, unsigned char *ret, size_t *ret_len)
{
	size_t len = strnlen(token, RSA_TOKEN_BYTES);
	int n;

	if (len == 0 || len % 4 || len >= RSA_TOKEN_BYTES ||
		strspn(token,
			"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=") != len)
		return -EPROTO;
	n = EVP_DecodeBlock(ret, (const unsigned char *)token, (int)len);
	if (n < 3)
		return -EPROTO;
	n -= (token[len - 1] == '=') + (token[len - 2] == '=');
	*ret_len = (size_t)n;
	return n == EVP_PKEY_get_size(a->key) ? 0 : -EPROTO;
}

static int decrypt(const struct rsa_auth *a, const unsigned char *sealed, size_t len,
	struct rsa_login *ret)
{
	_cleanup_(pkey_ctx_freep) EVP_PKEY_CTX *c =
		context(a->key, EVP_PKEY_decrypt_init, a->pkcs1);
	unsigned char text[MAX_KEY_BYTES];
	size_t n = sizeof(text);
	int r = -EPROTO;

	if (c && EVP_PKEY_decrypt(c, text, &n, sealed, len) > 0)
		r = rsa_login_parse((const char *)text, n, ret);
	explicit_bzero(text, sizeof(text));
	ERR_clear_error();
	return r;
}

/* An unknown name takes as long as a wrong password. */
static bool knows(const struct rsa_auth *a, const struct rsa_login *login)
{
	static const unsigned char nobody[HASH_BYTES];
	char text[RSA_USER_BYTES + RSA_PASSWORD_BYTES + 2];
	const unsigned char *want = nobody;
	unsigned char hash[HASH_BYTES];
	bool same;

	for (size_t i = 0; i < a->n_users && want == nobody; i++)
		if (strcmp(a->users[i].name, login->user) == 0)
			want = a->users[i].hash;
	snprintf(text, sizeof(text), "{%s}%s", login->user, login->password);
	same = hash_of(text, strlen(text), hash) && CRYPTO_memcmp(hash, want, sizeof(hash)) == 0 &&
	       want != nobody;
	explicit_bzero(text, sizeof(text));
	return same;
}

static int check(struct rsa_auth *a, const unsigned char *hash, const struct rsa_login *login,
	int64_t now_s, struct err *e)
{
	const int64_t skew_s = a->skew_s;

	if (!knows(a, login))
		return err_say(e, EACCES, "login refused: no user '%s' with that password",
			login->user);
	if (login->time_s < now_s - skew_s || login->time_s > now_s + skew_s)
		return err_say(e, EACCES, "login of '%s' refused: its time is %lld s from ours",
			login->user, (long long)(login->time_s - now_s));
	switch (remember(a, hash, now_s, login->time_s + skew_s)) {
	case 0:
		return 0;
	case -EEXIST:
		return err_say(e, EACCES, "login of '%s' refused: the token was used before",
			login->user);
	default:
		return refuse(e, "too many logins at a time");
	}
}

int rsa_token_check(struct rsa_auth *a, const char *token, int64_t now_s,
	char ret_user[static RSA_USER_BYTES], struct err *e)
{
	/* Base64 of RSA_TOKEN_BYTES, and what EVP_DecodeBlock() writes for the padding. */
	unsigned char sealed[RSA_TOKEN_BYTES], hash[HASH_BYTES];
	struct rsa_login login = {0};
	size_t len;
	int r;

	if (decode(a, token, sealed, &len) < 0)
		return refuse(e, "the token is not base64 of a block of our key's size");
	if (decrypt(a, sealed, len, &login) < 0)
		r = refuse(e, "the token was not made for our key and padding");
	else if (!hash_of(sealed, len, hash))
		r = refuse(e, "no SHA-256");
	else
		r = check(a, hash, &login, now_s, e);
	if (r == 0)
		(void)str_copy(ret_user, RSA_USER_BYTES, login.user);
	explicit_bzero(&login, sizeof(login));
	return r;
}
