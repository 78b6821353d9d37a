/* Names from the files that runtimes write, in a directory that stands for the machine's root. */
#include "charge/container_priv.h"

#include "base/macro.h"
#include "base/str.h"

#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define ID(x) x "123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define UID   "8a6b1c2d-3e4f-5a6b-7c8d-9e0f1a2b3c4d"

static void make_dirs(char *path)
{
	for (char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
		*at = '\0';
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			fail_msg("cannot make %s", path);
		*at = '/';
	}
}

static void put(const char *root, const char *name, const char *text)
{
	_cleanup_(fclosep) FILE *f = NULL;
	char path[512];

	snprintf(path, sizeof(path), "%s%s", root, name);
	make_dirs(path);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
}

static void put_words(const char *root, const char *name, int n, const char *const *word)
{
	_cleanup_(fclosep) FILE *f = NULL;
	char path[512];

	put(root, name, "");
	snprintf(path, sizeof(path), "%s%s", root, name);
	f = fopen(path, "we");
	assert_non_null(f);
	for (int i = 0; i < n; i++)
		assert_int_equal(fwrite(word[i], strlen(word[i]) + 1, 1, f), 1);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static const struct {
	enum container_kind kind;
	const char *id, *name, *k8s_ns;
} want[] = {
	{CONTAINER_DOCKER, ID("1"), "web", ""}, {CONTAINER_DOCKER, ID("2"), "broken file", ""},
	{CONTAINER_PODMAN, ID("3"), "db", ""}, {CONTAINER_PODMAN, ID("4"), "volatile;1", ""},
	{CONTAINER_PODMAN, ID("5"), "nobody knows", ""},
	{CONTAINER_CONTAINERD, ID("6"), "by-nerdctl", ""},
	{CONTAINER_CRIO, ID("7"), "k8s_web_web-0_default_uid_0", ""},
	{CONTAINER_POD, UID, "web-0", "shop"},
	{CONTAINER_POD, "0123456789abcdef0123456789abcdef", "no such pod", ""},
	{CONTAINER_NETNS, "", "netns-7", ""}, {CONTAINER_SERVICE, "", "of its path", ""},
	{CONTAINER_PODMAN, ID("8"), "by-conmon", ""}, /* the last: process 41 is its */
};

static void put_all(const char *root)
{
	put(root, "/var/lib/docker/containers/" ID("1") "/config.v2.json", "{\"Name\": \"/web\"}");
	put(root, "/var/lib/docker/containers/" ID("2") "/config.v2.json", "{\"Name\": ");
	put(root, "/var/lib/containers/storage/overlay-containers/containers.json",
		"[{\"id\": \"" ID("3") "\", \"names\": [\"db\"]}, 1, {\"id\": \"" ID(
			"5") "\"},"
			     "{\"id\": \"" ID(
				     "7") "\", \"names\": [\"k8s_web_web-0_default_uid_0\"]}]");
	put(root, "/var/lib/containers/storage/overlay-containers/volatile-containers.json",
		"[{\"id\": \"" ID("4") "\", \"names\": [\"volatile\\n1\"]}]");
	put(root, "/run/containerd/io.containerd.runtime.v2.task/default/" ID("6") "/config.json",
		"{\"annotations\": {\"nerdctl/name\": \"by-nerdctl\"}}");
	put(root, "/var/log/pods/shop_web-0_" UID "/x", "");
	put(root, "/var/log/pods/nothing/x", "");
	/* A process of its own below conmon says that it is conmon. */
	put_words(root, "/proc/41/cmdline", 5,
		(const char *const[]){"conmon", "-c", ID("8"), "-n", "a-lie"});
	put(root, "/proc/41/stat", "41 (a) b) S 40 1 1");
	put_words(root, "/proc/40/cmdline", 7,
		(const char *const[]){"/usr/bin/conmon", "-c", ID("8"), "-u", ID("8"), "-n",
			"by-conmon"});
	put(root, "/proc/40/stat", "40 (conmon) S 39 1 1");
	put_words(root, "/proc/39/cmdline", 5,
		(const char *const[]){"conmon", "-c", ID("9"), "-n", "of-another"});
	put(root, "/proc/39/stat", "39 (conmon) S 1 1 1");
}

static void names_are_found(void **state)
{
	char root[] = "/tmp/tare-names-XXXXXX";
	const struct container_cfg cfg = {0};
	struct found found[ARRAY_SIZE(want)] = {0}, *item[ARRAY_SIZE(want)];
	struct scan s = {.cfg = &cfg, .n = ARRAY_SIZE(want), .item = item};

	(void)state;
	assert_non_null(mkdtemp(root));
	put_all(root);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		item[i] = &found[i];
		found[i].c.kind = want[i].kind;
		found[i].c.netns = want[i].kind == CONTAINER_NETNS ? 7 : 0;
		str_set(found[i].c.id, want[i].id);
		if (want[i].kind != CONTAINER_NETNS)
			str_set(found[i].c.name, want[i].name);
	}
	/* Those that a file tells have another one until then. */
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		if (strpbrk(want[i].name, " ") == NULL && want[i].kind != CONTAINER_NETNS)
			str_set(found[i].c.name, "digits");
	item[ARRAY_SIZE(want) - 1]->c.pid = 41;
	scan_names(&s, root);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		assert_string_equal(found[i].c.name, want[i].name);
		assert_string_equal(found[i].c.k8s_ns, want[i].k8s_ns);
	}
	assert_int_equal(nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* What was there before is not looked for again: it is the same. */
static void a_name_is_kept(void **state)
{
	const struct container before = {.kind = CONTAINER_POD, .name = "web-0", .k8s_ns = "shop"};
	const struct container_cfg cfg = {0};
	struct found f = {.c = {.kind = CONTAINER_POD, .id = UID, .name = "digits"},
		.before = &before};
	struct found *item[] = {&f};
	struct scan s = {.cfg = &cfg, .n = 1, .item = item};

	(void)state;
	scan_names(&s, "/nosuch");
	assert_string_equal(f.c.name, "web-0");
	assert_string_equal(f.c.k8s_ns, "shop");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_found),
		cmocka_unit_test(a_name_is_kept),
	};

	return cmocka_run_group_tests_name("container_name", tests, NULL, NULL);
}
