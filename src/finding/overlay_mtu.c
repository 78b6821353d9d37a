/*
 * A tunnel whose packets do not fit the wire with its headers around them: the node cuts each
 * full-sized one in two, or drops it. Ref: RFC 791 s.2.3, RFC 4459 (tunnels and MTU).
 */
#include "base/str.h"
#include "finding/table.h"

static uint64_t sum(const struct run *run, const struct cell *c, size_t counter)
{
	return finding_sum(run, c, FINDING_ENDS | FINDING_BETWEEN, counter);
}

static bool look(const struct run *run, const struct cell *c, char *ret, size_t size)
{
	const struct path_spec *spec = &run->path[c->path].spec;
	uint64_t fragments = sum(run, c, offsetof(struct drops_reading, ip_frag_creates));
	uint64_t refused = sum(run, c, offsetof(struct drops_reading, ip_frag_fails));
	uint64_t lost = sum(run, c, offsetof(struct drops_reading, ip_reasm_fails));

	if (fragments + refused == 0)
		return false;
	str_addf(ret, size,
		"packets are too large for the way: %llu fragments were made, %llu packets dropped "
		"that must not be cut, %llu not put together again",
		(unsigned long long)fragments, (unsigned long long)refused,
		(unsigned long long)lost);
	if (spec->ops->set == PATH_SET_OVERLAY && spec->cfg.overlay_mtu == PATH_OVERLAY_KEEP)
		str_addf(ret, size,
			"; the overlay's MTU leaves no room for its headers: --overlay-mtu lower");
	else
		str_addf(ret, size, "; send smaller datagrams (--packet), or raise the MTU");
	return true;
}

const struct finding_ops finding_overlay_mtu = {
	.name = "overlay_mtu",
	.claim = "packets do not fit the way with a tunnel's headers around them",
	.look = look,
};
