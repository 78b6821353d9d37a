/*
 * iperf3's authentication: the client encrypts name, password and time to the server's RSA key;
 * the server compares with its list of hashes. The only user of libcrypto.
 *
 * A token is good once, in all processes that the opener of the key forks. Left out: hiding from a
 * client by time alone whether PKCS#1 v1.5 padding was right; prefer OAEP, the default of newer
 * versions. 3.12 has PKCS#1 v1.5 only.
 */
#pragma once

#include "base/cleanup.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RSA_USER_BYTES     64   /* a NUL included */
#define RSA_PASSWORD_BYTES 256  /* a NUL included */
#define RSA_TOKEN_BYTES    1024 /* base64 and a NUL: keys of up to 6128 bits */

/*
 * rsa_token_make() - the authtoken of a client.
 * @public_key_file: PEM
 * @pkcs1: padding of PKCS#1 v1.5 instead of OAEP
 * @now_s: seconds since 1970, of the wall clock
 *
 * Return: 0, -EINVAL (name or password empty, too long or with white space, not an RSA key) or
 * other negative errno.
 */
int rsa_token_make(const char *public_key_file, const char *user, const char *password, bool pkcs1,
	int64_t now_s, char ret[static RSA_TOKEN_BYTES], struct err *e) must_check_;

struct rsa_auth_cfg {
	const char *private_key_file; /* PEM, without a passphrase */
	const char *users_file;       /* lines "name,sha256 of {name}password in hex"; # comments */
	bool pkcs1;
	uint32_t skew_s; /* how far a token's time may be from ours, up to a day */
};

/* A server's key, users and memory of the tokens it has seen. */
struct rsa_auth;

/* Reads both files, so that nobody needs to be allowed to later. Open it before forking. */
int rsa_auth_open(struct rsa_auth **ret, const struct rsa_auth_cfg *cfg, struct err *e) must_check_;
void rsa_auth_close(struct rsa_auth *a);
DEFINE_CLEANUP(struct rsa_auth *, rsa_auth_close, rsa_auth_closep)

/*
 * rsa_token_check() - is @token one that a user of the list has made just now, for the first time?
 * @now_s: seconds since 1970, of the wall clock
 *
 * Return: 0, or -EACCES. The words are for the server's log: tell a client no more than the code.
 */
int rsa_token_check(struct rsa_auth *a, const char *token, int64_t now_s,
	char ret_user[static RSA_USER_BYTES], struct err *e) must_check_;

/* What is in a token. */
struct rsa_login {
	char user[RSA_USER_BYTES];
	char password[RSA_PASSWORD_BYTES];
	int64_t time_s;
};
/* Reads the decrypted text; apart for tests. Return: 0 or -EPROTO, without words. */
int rsa_login_parse(const char *text, size_t len, struct rsa_login *ret) must_check_;
