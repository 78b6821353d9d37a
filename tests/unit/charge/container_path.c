#include "charge/container.h"

#include "base/macro.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ID    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER "f123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define UID   "8a6b1c2d-3e4f-5a6b-7c8d-9e0f1a2b3c4d"
#define UID_  "8a6b1c2d_3e4f_5a6b_7c8d_9e0f1a2b3c4d"
#define MD5   "0123456789abcdef0123456789abcdef"
#define SHORT "0123456789ab"
#define POD   "8a6b1c2d-3e4"

/* The charged directory is the first part, what is below it the second. */
static const struct {
	const char *cgroup, *below;
	enum container_kind kind;
	const char *id, *name;
} known[] = {
	{"/system.slice/docker-" ID ".scope", "", CONTAINER_DOCKER, ID, SHORT},
	{"/system.slice/docker-" ID ".scope", "/init", CONTAINER_DOCKER, ID, SHORT},
	{"/docker/" ID, "", CONTAINER_DOCKER, ID, SHORT},
	{"/docker/" ID, "/docker/" OTHER, CONTAINER_DOCKER, ID, SHORT},
	{"/docker/" ID, "/system.slice/x.service", CONTAINER_DOCKER, ID, SHORT},
	{"/chosen/by/people/" ID, "", CONTAINER_DOCKER, ID, SHORT},
	{"/user.slice/user-1000.slice/user@1000.service/user.slice/docker-" ID ".scope", "",
		CONTAINER_DOCKER, ID, SHORT},
	{"/machine.slice/libpod-" ID ".scope", "", CONTAINER_PODMAN, ID, SHORT},
	{"/machine.slice/libpod-" ID ".scope", "/container", CONTAINER_PODMAN, ID, SHORT},
	{"/libpod_parent/libpod-" ID, "", CONTAINER_PODMAN, ID, SHORT},
	{"/libpod_parent/" ID, "/libpod-" OTHER, CONTAINER_PODMAN, ID, SHORT},
	{"/machine.slice/machine-libpod_pod_" ID ".slice", "/libpod-" OTHER ".scope",
		CONTAINER_PODMAN, ID, SHORT},
	{"/system.slice/web.service/libpod-payload-" ID, "", CONTAINER_PODMAN, ID, SHORT},
	{"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID ".scope",
		"/container", CONTAINER_PODMAN, ID, SHORT},
	{"/default/" ID, "", CONTAINER_CONTAINERD, ID, SHORT},
	{"/default/web_1.a-b", "", CONTAINER_CONTAINERD, "web_1.a-b", "web_1.a-b"},
	{"/k8s.io/" ID, "", CONTAINER_CONTAINERD, ID, SHORT},
	{"/moby/" ID, "/x", CONTAINER_CONTAINERD, ID, SHORT},
	{"/system.slice/cri-containerd-" ID ".scope", "", CONTAINER_CONTAINERD, ID, SHORT},
	{"/system.slice/nerdctl-" ID ".scope", "", CONTAINER_CONTAINERD, ID, SHORT},
	{"/system.slice/containerd.service/system.slice:cri-containerd:" ID, "",
		CONTAINER_CONTAINERD, ID, SHORT},
	{"/system.slice/crio-" ID ".scope", "", CONTAINER_CRIO, ID, SHORT},
	{"/crio/crio-" ID, "", CONTAINER_CRIO, ID, SHORT},
	{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_ ".slice",
		"/cri-containerd-" ID ".scope", CONTAINER_POD, UID, POD},
	{"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID_ ".slice",
		"/crio-" ID ".scope", CONTAINER_POD, UID, POD},
	{"/kubepods.slice/kubepods-pod" UID_ ".slice", "/docker-" ID ".scope", CONTAINER_POD, UID,
		POD},
	{"/kubepods.slice/kubepods-pod" UID_ ".slice", "", CONTAINER_POD, UID, POD},
	{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" MD5 ".slice",
		"/crio-conmon-" ID ".scope", CONTAINER_POD, MD5, SHORT},
	{"/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod" UID_ ".slice",
		"/cri-containerd-" ID ".scope", CONTAINER_POD, UID, POD},
	{"/kubepods/burstable/pod" UID, "/" ID, CONTAINER_POD, UID, POD},
	{"/kubepods/besteffort/pod" UID, "/" ID "/x", CONTAINER_POD, UID, POD},
	{"/kubepods/pod" UID, "/" ID, CONTAINER_POD, UID, POD},
	{"/kubepods/pod" MD5, "/crio-" ID, CONTAINER_POD, MD5, SHORT},
	{"/system.slice/containerd.service/kubepods-burstable-pod" UID_ ".slice:cri-containerd:" ID,
		"", CONTAINER_POD, UID, POD},
	{"/system.slice/nginx.service", "", CONTAINER_SERVICE, "", "nginx"},
	{"/system.slice/nginx.service", "/worker", CONTAINER_SERVICE, "", "nginx"},
	{"/system.slice/system-getty.slice/getty@tty1.service", "", CONTAINER_SERVICE, "",
		"getty@tty1"},
	{"/system.slice/docker.service", "", CONTAINER_SERVICE, "", "docker"},
	{"/user.slice/user-1000.slice/user@1000.service/app.slice/db.service", "",
		CONTAINER_SERVICE, "", "db"},
	{"/tare-4026531836-123-pod0", "", CONTAINER_LAB, "", "pod0"},
	{"/docker/" ID "/tare-4026531836-123-pod-1", "/x", CONTAINER_LAB, "", "pod-1"},
	{"/system.slice/ssh.service/tare-4026531836-123-pod0", "", CONTAINER_LAB, "", "pod0"},
	{"/tare-4026531836-123-podman7/libpod-" ID, "", CONTAINER_PODMAN, ID, SHORT},
	{"/../../docker/" ID, "", CONTAINER_DOCKER, ID, SHORT},
	{"/system.slice/\033[31m\n.service", "", CONTAINER_SERVICE, "", " [31m"},
};

static void all_forms_are_known(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		char path[600] = "";
		struct container c;

		str_addf(path, sizeof(path), "%s%s", known[i].cgroup, known[i].below);
		if (!container_of_path(path, &c))
			fail_msg("%s is none", path);
		assert_string_equal(c.cgroup, known[i].cgroup);
		assert_string_equal(container_kind_name[c.kind],
			container_kind_name[known[i].kind]);
		assert_string_equal(c.id, known[i].id);
		assert_string_equal(c.name, known[i].name);
	}
}

static const char *const none[] = {
	"",
	"/",
	"//",
	"docker/" ID,
	"/docker",
	"/docker/",
	"/docker/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde", /* 63 digits */
	"/docker/0" ID,
	"/docker/" ID "x",
	"/docker/x" ID,
	"/docker/0123456789abcdefg123456789abcdef0123456789abcdef0123456789abcdef",
	"/system.slice/docker-.scope",
	"/system.slice/docker-0123.scope",
	"/system.slice/docker" ID ".scope",
	"/system.slice/unknown-" ID ".scope",
	"/machine.slice/libpod-conmon-" ID ".scope",
	"/system.slice/crio-conmon-" ID ".scope",
	"/machine.slice/machine-libpod_pod_.slice",
	"/machine.slice/machine-libpod_pod_0123.slice",
	"/default/",
	"/default/..",
	"/default/-x",
	"/default/a b",
	"/default/x.slice",
	"/somewhere/default/web",
	"/kubepods.slice",
	"/kubepods.slice/kubepods-burstable.slice",
	"/kubepods.slice/kubepods-pod.slice",
	"/kubepods.slice/kubepods-pod" UID_,
	"/kubepods.slice/kubepods-pod0" UID_ ".slice",
	"/kubepods.slice/kubepods-pod8a6b1c2d_3e4f_5a6b_7c8d9_e0f1a2b3c4d.slice",
	"/kubepods/pod",
	"/kubepods/pod8a6b1c2d",
	"/kubepods/burstable",
	"/pod" UID,
	"/a:b:c",
	"/::",
	"/.service",
	"/.scope",
	"/user.slice/user-1000.slice/user@1000.service",
	"/user.slice/user-1000.slice/session-1.scope",
	"/tare-",
	"/tare-1-2-",
	"/tare-1-2",
	"/tare--2-x",
	"/tare-1-x-y",
};

static void others_are_none(void **state)
{
	struct container c;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		if (container_of_path(none[i], &c))
			fail_msg("%s is %s '%s'", none[i], container_kind_name[c.kind], c.name);
}

/* Nothing is cut: a directory that is cut is another one. */
static void long_ones_are_none(void **state)
{
	char path[700] = "/system.slice/";
	struct container c;

	(void)state;
	memset(path + strlen(path), 'x', 600 - strlen(path));
	memcpy(path + 600, ".service", sizeof(".service"));
	assert_false(container_of_path(path, &c));
	memcpy(path + 400, ".service", sizeof(".service"));
	assert_true(container_of_path(path, &c));
	assert_string_equal(c.cgroup, path);
	assert_int_equal(strlen(c.name), sizeof(c.name) - 1);
	snprintf(path, sizeof(path), "/default/%s%s", ID, "1");
	assert_false(container_of_path(path, &c));
}

/* Who may make cgroups in its own can make them deep; it is charged all the same. */
static void deep_ones_are_charged(void **state)
{
	static const char *const top[] = {("/docker/" ID), "/system.slice/nginx.service",
		"/tare-4026531836-123-pod0"};
	char path[PATH_MAX];
	struct container c;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(top); i++) {
		snprintf(path, sizeof(path), "%s/", top[i]);
		memset(path + strlen(path), 'x', sizeof(path) - strlen(path) - 1);
		path[sizeof(path) - 1] = '\0';
		for (size_t at = 250; at < sizeof(path); at += 250)
			path[at] = '/';
		assert_true(container_of_path(path, &c));
		assert_string_equal(c.cgroup, top[i]);
	}
}

static void the_same_are_told_by_cgroup_and_namespace(void **state)
{
	struct container a = {.cgroup_id = 7, .netns = 5, .netns_cookie = 9, .name = "a", .pid = 1};
	struct container b = a;

	(void)state;
	str_set(b.name, "b");
	b.pid = 2;
	assert_true(container_same(&a, &b));
	b.netns_cookie = 0; /* unknown */
	assert_true(container_same(&a, &b));
	b.netns_cookie = 10; /* an inode used again */
	assert_false(container_same(&a, &b));
	b = a;
	b.cgroup_id = 8;
	assert_false(container_same(&a, &b));
	b = a;
	b.netns = 6;
	assert_false(container_same(&a, &b));
	b = a;
	b.cgroup2_id = 8;
	assert_false(container_same(&a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_forms_are_known),
		cmocka_unit_test(others_are_none),
		cmocka_unit_test(long_ones_are_none),
		cmocka_unit_test(deep_ones_are_charged),
		cmocka_unit_test(the_same_are_told_by_cgroup_and_namespace),
	};

	return cmocka_run_group_tests_name("container_path", tests, NULL, NULL);
}
