/*
 * A CNI network configuration: a list of plugins (.conflist) or a single one (.conf).
 * Ref: https://www.cni.dev/docs/spec/ section 1.
 */
#pragma once

#include "base/cleanup.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Real ones are below 10 kB and have up to five plugins. */
#define CNI_MAX_FILE_BYTES ((size_t)256 << 10)
#define CNI_MAX_PLUGINS    16

struct json_t;

struct cni_plugin {
	char type[64];                      /* the name of its program */
	char ipam[64];                      /* the program that it asks for addresses, or "" */
	bool port_mappings, bandwidth, ips; /* capabilities it declares */
	bool masquerades;                   /* what leaves the host gets the host's address */
	struct json_t *json;
};

struct cni_conf {
	char name[128];
	char version[16];
	bool check; /* its plugins can be asked whether all is as they left it */
	uint32_t n_plugins;
	struct cni_plugin plugin[CNI_MAX_PLUGINS];
};

/* Return: 0, or -EINVAL with the place in @text. */
int cni_conf_parse(struct cni_conf **ret, const char *text, size_t len, struct err *e) must_check_;
/* Return: 0, or negative errno; the error names the file. */
int cni_conf_read(struct cni_conf **ret, const char *file, struct err *e) must_check_;
void cni_conf_free(struct cni_conf *conf);
DEFINE_CLEANUP(struct cni_conf *, cni_conf_free, cni_conf_freep)

bool cni_conf_has(const struct cni_conf *conf, size_t member_offset);
/* Does a plugin of @conf declare this, or do it? @member: of struct cni_plugin */
#define cni_conf_declares(conf, member) cni_conf_has(conf, offsetof(struct cni_plugin, member))

/*
 * Lets plugins keep what they store where they do by default (below /var/lib/cni and /run), which
 * the caller has made private.
 */
void cni_conf_drop_dirs(struct cni_conf *conf);

/*
 * Puts @dev in place of every device that a plugin attaches to or takes away (macvlan's "master",
 * host-device's "device").
 * @ret: the name that one of them had, "" when none had any
 *
 * Return: how many were replaced.
 */
uint32_t cni_conf_replace_device(struct cni_conf *conf, const char *dev, char *ret, size_t size);

/* Is a plugin's program called this? */
bool cni_conf_runs(const struct cni_conf *conf, const char *type);

/* How a container is joined to a device of the host. */
enum cni_attach {
	CNI_ATTACH_NONE,  /* not to it: the host forwards */
	CNI_ATTACH_L2,    /* it is a neighbour of who is on the link */
	CNI_ATTACH_L3,    /* packets to its address are picked up, no ARP is answered */
	CNI_ATTACH_TAKEN, /* it gets the device itself */
};
enum cni_attach cni_conf_attach(const struct cni_conf *conf, const char *dev);
