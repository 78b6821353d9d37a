/* A login: the text as a token, and as what a token decrypts to. */
#include "../rsa_key.h"
#include "base/cleanup.h"
#include "fuzz.h"
#include "wire/rsa.h"

#include <errno.h>
#include <sys/mman.h>

static int file_of(const char *text)
{
	int fd = memfd_create("rsa-fuzz", MFD_CLOEXEC);

	FUZZ_CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	return fd;
}

static const char *path_of(int fd, char ret[static 32])
{
	snprintf(ret, 32, "/proc/self/fd/%d", fd);
	return ret;
}

static struct rsa_auth *auth(void)
{
	static struct rsa_auth *a;
	char key_file[32], users_file[32];
	_cleanup_(closep) int key_fd = file_of(rsa_test_private);
	_cleanup_(closep) int users_fd = file_of(RSA_TEST_USERS);
	const struct rsa_auth_cfg cfg = {path_of(key_fd, key_file), path_of(users_fd, users_file),
		false, 10};

	if (!a)
		FUZZ_CHECK(rsa_auth_open(&a, &cfg, NULL) == 0);
	return a;
}

static void check_login(const uint8_t *data, size_t size)
{
	struct rsa_login l;

	if (rsa_login_parse((const char *)data, size, &l) < 0)
		return;
	FUZZ_CHECK(l.time_s >= 0 && l.user[0] && l.password[0]);
	FUZZ_CHECK(memchr(l.user, '\0', sizeof(l.user)));
	FUZZ_CHECK(memchr(l.password, '\0', sizeof(l.password)));
	FUZZ_CHECK(!strpbrk(l.user, " \n") && !strpbrk(l.password, " \n"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size), user[RSA_USER_BYTES];
	struct err e = {0};
	int r = rsa_token_check(auth(), text, RSA_TEST_TIME, user, &e);

	FUZZ_CHECK(r == 0 || (r == -EACCES && e.text[0]));
	FUZZ_CHECK(r < 0 || strcmp(user, "mario") == 0);
	free(text);
	check_login(data, size);
	return 0;
}
