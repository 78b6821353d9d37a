#include "charge/container.h"

#include "base/macro.h"

const char *const container_kind_name[CONTAINER_KIND_N] = {
	[CONTAINER_DOCKER] = "docker",
	[CONTAINER_PODMAN] = "podman",
	[CONTAINER_CONTAINERD] = "containerd",
	[CONTAINER_CRIO] = "cri-o",
	[CONTAINER_POD] = "pod",
	[CONTAINER_SERVICE] = "service",
	[CONTAINER_LAB] = "lab",
	[CONTAINER_NETNS] = "netns",
	[CONTAINER_CGROUP] = "cgroup",
};
static_assert(ARRAY_SIZE(container_kind_name) == CONTAINER_KIND_N, "a name for each kind");
