#include "wire/rsa.h"

#include "../../rsa_key.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <cmocka.h>

/* A file that is gone with its descriptor. */
static int file_of(const char *text)
{
	int fd = memfd_create("rsa-test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	return fd;
}

static const char *path_of(int fd, char ret[static 32])
{
	snprintf(ret, 32, "/proc/self/fd/%d", fd);
	return ret;
}

static int open_auth(struct rsa_auth **ret, const char *key, const char *users, bool pkcs1,
	struct err *e)
{
	char key_file[32], users_file[32];
	_cleanup_(closep) int key_fd = file_of(key);
	_cleanup_(closep) int users_fd = file_of(users);
	const struct rsa_auth_cfg cfg = {path_of(key_fd, key_file), path_of(users_fd, users_file),
		pkcs1, 10};

	return rsa_auth_open(ret, &cfg, e);
}

static struct rsa_auth *auth(bool pkcs1)
{
	struct rsa_auth *a = NULL;
	struct err e = {0};

	if (open_auth(&a, rsa_test_private, "# name,hash\n\n" RSA_TEST_USERS, pkcs1, &e) < 0)
		fail_msg("%s", e.text);
	return a;
}

static void make(const char *user, const char *password, bool pkcs1, char token[RSA_TOKEN_BYTES])
{
	char file[32];
	_cleanup_(closep) int fd = file_of(rsa_test_public);
	struct err e = {0};

	if (rsa_token_make(path_of(fd, file), user, password, pkcs1, RSA_TEST_TIME, token, &e) < 0)
		fail_msg("%s", e.text);
}

static void tokens_of_openssl_are_taken_once(void **state)
{
	static const char *const token[] = {rsa_test_oaep, rsa_test_pkcs1};

	(void)state;
	for (int pkcs1 = 0; pkcs1 < 2; pkcs1++) {
		_cleanup_(rsa_auth_closep) struct rsa_auth *a = auth(pkcs1);
		char user[RSA_USER_BYTES];
		struct err e = {0};

		assert_int_equal(rsa_token_check(a, token[pkcs1], RSA_TEST_TIME, user, &e), 0);
		assert_string_equal(user, "mario");
		assert_int_equal(rsa_token_check(a, token[pkcs1], RSA_TEST_TIME, user, &e),
			-EACCES);
		assert_non_null(strstr(e.text, "used before"));
		assert_int_equal(rsa_token_check(a, token[pkcs1], RSA_TEST_TIME + 10, user, &e),
			-EACCES);
		assert_non_null(strstr(e.text, "used before"));
		assert_int_equal(rsa_token_check(a, token[!pkcs1], RSA_TEST_TIME, user, &e),
			-EACCES);
	}
}

static void own_tokens_are_taken(void **state)
{
	(void)state;
	for (int pkcs1 = 0; pkcs1 < 2; pkcs1++) {
		_cleanup_(rsa_auth_closep) struct rsa_auth *a = auth(pkcs1);
		char token[RSA_TOKEN_BYTES], user[RSA_USER_BYTES];

		/* Two in the same second are two logins, not a replay. */
		for (int i = 0; i < 2; i++) {
			make("mario", "rossi", pkcs1, token);
			assert_int_equal(strlen(token), 344);
			assert_int_equal(rsa_token_check(a, token, RSA_TEST_TIME, user, NULL), 0);
		}
	}
}

static void replays_are_seen_across_fork(void **state)
{
	_cleanup_(rsa_auth_closep) struct rsa_auth *a = auth(false);
	char user[RSA_USER_BYTES];
	int status;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(rsa_token_check(a, rsa_test_oaep, RSA_TEST_TIME, user, NULL) != 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(rsa_token_check(a, rsa_test_oaep, RSA_TEST_TIME, user, NULL), -EACCES);
}

static void wrong_logins_are_refused(void **state)
{
	static const struct {
		const char *user, *password;
		int64_t now_s;
		int r;
	} rows[] = {
		{"mario", "rossi", RSA_TEST_TIME, 0},
		{"mario", "rossi", RSA_TEST_TIME - 10, 0},
		{"mario", "rossi", RSA_TEST_TIME + 10, 0},
		{"mario", "rossi", RSA_TEST_TIME - 11, -EACCES},
		{"mario", "rossi", RSA_TEST_TIME + 11, -EACCES},
		{"mario", "Rossi", RSA_TEST_TIME, -EACCES},
		{"mario", "secret", RSA_TEST_TIME, -EACCES},
		{"Mario", "rossi", RSA_TEST_TIME, -EACCES},
		{"mari", "o}rossi", RSA_TEST_TIME, -EACCES},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(rsa_auth_closep) struct rsa_auth *a = auth(false);
		char token[RSA_TOKEN_BYTES], user[RSA_USER_BYTES];
		struct err e = {0};

		make(rows[i].user, rows[i].password, false, token);
		assert_int_equal(rsa_token_check(a, token, rows[i].now_s, user, &e), rows[i].r);
		assert_null(strstr(e.text, rows[i].password));
	}
}

static void bad_tokens_are_refused(void **state)
{
	_cleanup_(rsa_auth_closep) struct rsa_auth *a = auth(false);
	char user[RSA_USER_BYTES], long_one[2 * RSA_TOKEN_BYTES], flipped[RSA_TOKEN_BYTES];
	const char *const rows[] = {"", "=", "====", "AAAA", "A===", "no base64", "AAAA\n",
		long_one, flipped, rsa_test_oaep + 4, rsa_test_pkcs1};

	(void)state;
	memset(long_one, 'A', sizeof(long_one));
	long_one[sizeof(long_one) - 1] = '\0';
	str_set(flipped, rsa_test_oaep);
	flipped[100] = flipped[100] == 'A' ? 'B' : 'A';
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err e = {0};

		assert_int_equal(rsa_token_check(a, rows[i], RSA_TEST_TIME, user, &e), -EACCES);
		assert_true(e.text[0]);
	}
}

static void words_with_white_space_are_refused(void **state)
{
	static const struct {
		const char *user, *password;
	} rows[] = {
		{"", "a"},
		{"a", ""},
		{"a b", "c"},
		{"a", "b\nc"},
		{"a\t", "b"},
		{"0123456789012345678901234567890123456789012345678901234567890123", "a"},
	};
	char file[32], token[RSA_TOKEN_BYTES], big[200];
	_cleanup_(closep) int fd = file_of(rsa_test_public);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(rsa_token_make(path_of(fd, file), rows[i].user, rows[i].password,
					 false, 0, token, NULL),
			-EINVAL);
	/* More than OAEP leaves room for in 2048 bits. */
	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	assert_int_equal(rsa_token_make(path_of(fd, file), "a", big, false, 0, token, NULL),
		-EINVAL);
	assert_int_equal(rsa_token_make("/nonexistent", "a", "b", false, 0, token, NULL), -ENOENT);
}

static void logins_are_parsed_exactly(void **state)
{
	static const struct {
		const char *text;
		int r;
	} rows[] = {
		{"user: mario\npwd:  rossi\nts:   1700000000", 0},
		{"user: a\npwd:  b\nts:   0", 0},
		{"", -EPROTO},
		{"user: mario", -EPROTO},
		{"user: \npwd:  b\nts:   0", -EPROTO},
		{"user: a b\npwd:  b\nts:   0", -EPROTO},
		{"user: \x1b[2J\npwd:  b\nts:   0", -EPROTO},
		{"user: a\npwd:  \nts:   0", -EPROTO},
		{"user: a\npwd:  b\nts:   ", -EPROTO},
		{"user: a\npwd:  b\nts:   -1", -EPROTO},
		{"user: a\npwd:  b\nts:   1 ", -EPROTO},
		{"user: a\npwd:  b\nts:   1234567890123456", -EPROTO},
		{"pwd:  b\nuser: a\nts:   1", -EPROTO},
	};
	struct rsa_login l;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(rsa_login_parse(rows[i].text, strlen(rows[i].text), &l),
			rows[i].r);
	assert_int_equal(rsa_login_parse(rows[0].text, strlen(rows[0].text), &l), 0);
	assert_string_equal(l.user, "mario");
	assert_string_equal(l.password, "rossi");
	assert_int_equal(l.time_s, 1700000000);
}

static void bad_files_are_refused(void **state)
{
	static const struct {
		const char *key, *users, *words;
	} rows[] = {
		{"", RSA_TEST_USERS, "no private key"},
		{"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", RSA_TEST_USERS,
			"no private key"},
		{rsa_test_public, RSA_TEST_USERS, "no private key"},
		{rsa_test_private, "", "names no user"},
		{rsa_test_private, "# only words\n", "names no user"},
		{rsa_test_private, RSA_TEST_USERS "luigi\n", "line 2"},
		{rsa_test_private, "luigi,00\n", "line 1"},
		{rsa_test_private, "\n,bf7a", "line 2"},
		{rsa_test_private,
			"a,bf7a49a846d44b454a5d11e7acfaf13d138bbe0b7483aa3e05087970057270gg\n",
			"line 1"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rsa_auth *a = NULL;
		struct err e = {0};

		assert_int_equal(open_auth(&a, rows[i].key, rows[i].users, false, &e), -EINVAL);
		if (!strstr(e.text, rows[i].words))
			fail_msg("row %zu: %s", i, e.text);
		assert_null(a);
	}
}

/* Until the last second in which it would be taken. */
static void memory_holds_more_than_one(void **state)
{
	_cleanup_(rsa_auth_closep) struct rsa_auth *a = auth(false);
	char token[RSA_TOKEN_BYTES], user[RSA_USER_BYTES];

	(void)state;
	assert_int_equal(rsa_token_check(a, rsa_test_oaep, RSA_TEST_TIME - 5, user, NULL), 0);
	make("mario", "rossi", false, token);
	assert_int_equal(rsa_token_check(a, token, RSA_TEST_TIME + 10, user, NULL), 0);
	assert_int_equal(rsa_token_check(a, rsa_test_oaep, RSA_TEST_TIME + 10, user, NULL),
		-EACCES);
	assert_int_equal(rsa_token_check(a, token, RSA_TEST_TIME + 10, user, NULL), -EACCES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens_of_openssl_are_taken_once),
		cmocka_unit_test(own_tokens_are_taken),
		cmocka_unit_test(replays_are_seen_across_fork),
		cmocka_unit_test(wrong_logins_are_refused),
		cmocka_unit_test(bad_tokens_are_refused),
		cmocka_unit_test(words_with_white_space_are_refused),
		cmocka_unit_test(logins_are_parsed_exactly),
		cmocka_unit_test(bad_files_are_refused),
		cmocka_unit_test(memory_holds_more_than_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
