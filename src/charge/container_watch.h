/*
 * When to look for containers again: the kernel says that directories of cgroups or devices of the
 * host came or went. A namespace without either comes unsaid, and so does what is beyond the limit
 * of watched directories, so that a scan now and then is due anyway.
 */
#pragma once

#include "charge/container.h"

struct container_watch;

int container_watch_open(struct container_watch **ret, struct err *e) must_check_;
void container_watch_close(struct container_watch *w);
DEFINE_CLEANUP(struct container_watch *, container_watch_close, container_watch_closep)

/* Readable when there is something to take. */
int container_watch_fd(const struct container_watch *w);

/*
 * container_watch_take() - take what was said; never waits.
 *
 * Return: is it time to scan? At most every 100 ms, however much goes on, and a second time 500 ms
 * after it went quiet: a cgroup is there before its processes are.
 */
bool container_watch_take(struct container_watch *w);

/* Has anything been said of devices since the last call? For container_cfg.same_devs. */
bool container_watch_take_devs(struct container_watch *w);

/* Are there directories that could not be watched? */
bool container_watch_is_short(const struct container_watch *w);
