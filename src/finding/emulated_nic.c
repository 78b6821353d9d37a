/*
 * A guest whose network adapter is an emulated real one: every access to its registers stops the
 * virtual CPU and is acted out by the hypervisor. Seen from inside the guest by the driver's name,
 * and from its host by QEMU's command line.
 */
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "finding/table.h"
#include "sys/nics.h"

#include <string.h>

/* Is the last word of a part of "eth0 8139cp, eth1 virtio_net" an emulated adapter's? */
static bool any_emulated(const char *nics, char *ret, size_t size)
{
	_cleanup_(freep) char *copy = xstrdup(nics);
	char *rest = copy, *part;

	while ((part = strsep(&rest, ",;"))) {
		const char *space = strrchr(part, ' ');

		if (!nics_is_emulated(space ? space + 1 : part))
			continue;
		(void)str_copy(ret, size, part + strspn(part, " "));
		return true;
	}
	return false;
}

static bool in_guest(const struct env *env, const char *who, char *ret, size_t size)
{
	char nic[64];

	/* The same driver on a bare machine has real hardware to drive. */
	if (strcmp(env->hypervisor, "yes") != 0 || !any_emulated(env->nics, nic, sizeof(nic)))
		return false;
	str_addf(ret, size,
		"the adapter of %s is emulated (%s): give the guest a virtio adapter, with vhost "
		"where the host has it",
		who, nic);
	return true;
}

static bool look(const struct run *run, const struct cell *c, char *ret, size_t size)
{
	const struct path_result *p = &run->path[c->path];
	char nic[64];

	if (c->load != 0)
		return false;
	if (p->has_guest_env)
		return in_guest(&p->guest_env, "the guest", ret, size);
	if (run_is_remote(run) && in_guest(&run->remote.env, "the far machine", ret, size))
		return true;
	if (run_is_remote(run) && in_guest(&run->env, "this machine", ret, size))
		return true;
	if (!run_is_remote(run) || !any_emulated(run->env.guest_nics, nic, sizeof(nic)))
		return false;
	str_addf(ret, size,
		"a guest on this machine has an emulated adapter (QEMU %s): give it virtio-net-pci",
		nic);
	return true;
}

const struct finding_ops finding_emulated_nic = {
	.name = "emulated_nic",
	.claim = "a guest's network adapter is emulated",
	.look = look,
};
