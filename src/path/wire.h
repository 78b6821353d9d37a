/*
 * A wire that is there before (--wire): the near side of a path is put on a physical device of
 * this machine, and far is a tare server on another one. The device keeps its place, addresses
 * and rules: each path's host is one more machine of its segment, by a macvlan device on it with
 * an address that the user has free.
 */
#pragma once

#include "path/lab.h"

extern const struct opt wire_opts[]; /* bound to struct path_cfg */

/* A part of --wire-addr, in this machine's byte order. */
struct wire_range {
	uint32_t first, last, mask;
	unsigned len;
};

int wire_parse_addr(const char *text, uint32_t *ret, struct err *e) must_check_;
/* Calls @f, if there is one, for each part until it returns something. Return: that, 0, -EINVAL. */
int wire_each_range(const struct path_cfg *cfg, int (*f)(const struct wire_range *x, void *ctx),
	void *ctx, struct err *e) must_check_;

/* Checks the words, of a run with --wire. Return: 0 or -EINVAL. */
int wire_check(const struct path_cfg *cfg, struct err *e) must_check_;

/*
 * Gives a path that can be there address number *@n of --wire-addr, and counts on. Without one, by
 * lack of addresses or of a way there, it will be unavailable.
 */
void wire_give(struct path_spec *spec, uint32_t *n);

/*
 * wire_find() - can the device have more machines on it, is @peer reached by it, and can it be
 *               from --wire-addr?
 * @peer: the address of --peer
 * @ret_mtu: the device's
 */
int wire_find(const struct path_cfg *cfg, const char *peer, uint32_t *ret_mtu, struct err *e)
	must_check_;

/* Is the path one that can be on such a wire, with an address? Return: 0 or PATH_UNAVAILABLE. */
int wire_fits(const struct path_spec *spec, struct err *e) must_check_;

/*
 * wire_join() - put device "wire" on the device, up and without an address, into the lab's host;
 *               have lab->addrs tell the wire's own.
 *
 * Return: 0, or negative errno; -EOPNOTSUPP when the path's address is another machine's.
 */
int wire_join(struct lab *lab, struct err *e) must_check_;
/* Gives the host, instead of its container, the path's address there. */
int wire_host(struct lab *lab, struct err *e) must_check_;
/* The route to another network, for a device with such an address. */
int wire_way_out(const struct lab *lab, struct rt *rt, const char *dev, struct err *e) must_check_;

/* What a reader must know of it. */
void wire_note(struct path *p);
