/*
 * A container's way into a network and out again, by the plugins of a CNI configuration.
 * Ref: https://www.cni.dev/docs/spec/ sections 2 and 4.
 */
#pragma once

#include "cni/conf.h"
#include "cni/result.h"
#include "sys/room.h"

/* Where runtimes install plugins, and where distributions do. */
#define CNI_DIRS "/opt/cni/bin:/usr/lib/cni:/usr/libexec/cni"

/* What a runtime knows and the configuration does not. All borrowed. */
struct cni_runtime {
	const char *dirs;      /* where plugins are; "" : CNI_PATH of the environment or CNI_DIRS */
	const char *container; /* an id, distinct on this host */
	const char *netns;     /* path of its namespace in the room */
	const char *ifname;    /* its device there */
	const struct room *room;
	int host_fd; /* the network namespace that the plugins see as the host's */
	uint64_t timeout_ns;
	int cancel_fd; /* -1: none */

	/* For plugins that declare the capability. */
	uint16_t port; /* the first of the ports, TCP and UDP, to be published */
	uint32_t n_ports;
	uint64_t rate_bps; /* limit both ways; 0: none */
	const char *ip;    /* the address to have, with prefix length */
};

/*
 * Are all programs of @conf there?
 * Return: 0, or -ENOENT with the missing one and where it was looked for.
 */
int cni_find_all(const struct cni_conf *conf, const char *dirs, struct err *e) must_check_;

/*
 * ADD by each plugin in turn. cni_del() is due also when it failed.
 * @ret: to be given back by cni_result_fini(), also on failure
 *
 * Return: 0; -EOPNOTSUPP or -EPERM when a plugin says that this kernel can't or won't; or another
 * negative errno. The error has the plugin's name and words.
 */
int cni_add(struct cni_result *ret, const struct cni_conf *conf, const struct cni_runtime *rt,
	struct err *e) must_check_;
/* Is all as ADD left it? Nothing happens when the configuration has no CHECK. */
int cni_check(const struct cni_result *prev, const struct cni_conf *conf,
	const struct cni_runtime *rt, struct err *e) must_check_;
/* DEL by each in reverse, whatever the others say. Return: as the first that failed. */
int cni_del(const struct cni_result *prev, const struct cni_conf *conf,
	const struct cni_runtime *rt, struct err *e);
