/* The archive a guest boots with, read back by a reader of the format as the kernel has it. */
#include "sys/initramfs.h"

#include "base/macro.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

struct entry {
	char name[256];
	unsigned mode, size, major, minor;
	const char *data;
};

/* Ref: the kernel's early-userspace/buffer-format.rst: "070701", then 13 times 8 hex digits */
static size_t next(const char *at, struct entry *ret)
{
	unsigned f[13];
	size_t head;

	assert_memory_equal(at, "070701", 6);
	for (size_t i = 0; i < ARRAY_SIZE(f); i++) {
		char hex[9] = "";

		memcpy(hex, at + 6 + 8 * i, 8);
		assert_int_equal(sscanf(hex, "%x", &f[i]), 1);
	}
	assert_in_range(f[11], 1, sizeof(ret->name));
	memcpy(ret->name, at + 110, f[11]);
	head = (110 + f[11] + 3) & ~(size_t)3;
	ret->mode = f[1];
	ret->size = f[6];
	ret->major = f[9];
	ret->minor = f[10];
	ret->data = at + head;
	return head + ((f[6] + 3) & ~(size_t)3);
}

static char *read_all(int fd, size_t *ret_size)
{
	struct stat st;
	char *text;

	assert_int_equal(fstat(fd, &st), 0);
	text = xcalloc(1, (size_t)st.st_size);
	assert_int_equal(pread(fd, text, (size_t)st.st_size, 0), st.st_size);
	*ret_size = (size_t)st.st_size;
	return text;
}

/* *ret_at: which of the entries it is */
static bool find(const char *text, size_t size, const char *name, struct entry *ret, int *ret_at)
{
	*ret_at = 0;
	for (size_t at = 0; at < size; (*ret_at)++) {
		at += next(text + at, ret);
		if (strcmp(ret->name, name) == 0)
			return true;
		if (strcmp(ret->name, "TRAILER!!!") == 0)
			break;
	}
	return false;
}

static int make(struct err *e)
{
	_cleanup_(initramfs_freep) struct initramfs *fs = NULL;

	if (initramfs_new(&fs, e) < 0 || initramfs_add_self(fs, "init", e) < 0 ||
		initramfs_add_text(fs, "a/b/c", "words\n", e) < 0)
		return -1;
	return initramfs_finish(fs, e);
}

static void holds_what_was_added(void **state)
{
	struct err e = {0};
	_cleanup_(closep) int fd = make(&e);
	_cleanup_(freep) char *text = NULL;
	struct entry x;
	struct stat self;
	size_t size;
	int at, parent;

	(void)state;
	assert_true(fd >= 0);
	text = read_all(fd, &size);
	assert_true(find(text, size, "dev/console", &x, &at));
	assert_int_equal(x.mode, S_IFCHR | 0600);
	assert_int_equal(x.major, 5);
	assert_int_equal(x.minor, 1);
	assert_true(find(text, size, "proc", &x, &at));
	assert_true(S_ISDIR(x.mode));

	assert_int_equal(stat("/proc/self/exe", &self), 0);
	assert_true(find(text, size, "init", &x, &at));
	assert_int_equal(x.mode, S_IFREG | 0755);
	assert_int_equal(x.size, self.st_size);
	assert_memory_equal(x.data, "\177ELF", 4);
	assert_true(find(text, size, "lib/libc.so.6", &x, &at));

	assert_true(find(text, size, "a/b/c", &x, &at));
	assert_int_equal(x.size, 6);
	assert_memory_equal(x.data, "words\n", 6);
	assert_true(find(text, size, "a/b", &x, &parent));
	assert_true(S_ISDIR(x.mode));
	assert_true(parent < at);
}

static void says_what_it_cannot_read(void **state)
{
	_cleanup_(initramfs_freep) struct initramfs *fs = NULL;
	struct err e = {0};

	(void)state;
	assert_int_equal(initramfs_new(&fs, &e), 0);
	assert_true(initramfs_add_file(fs, "x", "/nowhere/module.ko", &e) < 0);
	assert_non_null(strstr(e.text, "/nowhere/module.ko"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds_what_was_added),
		cmocka_unit_test(says_what_it_cannot_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
