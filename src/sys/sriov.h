/*
 * Virtual functions of network adapters (SR-IOV), as sysfs shows them. Nothing is written: how many
 * of them there are is set for the whole machine, by whoever runs it.
 */
#pragma once

#include "base/err.h"

#include <stdint.h>

#define SRIOV_SYSFS "/sys"
/* PCI would allow 65535; adapters have up to 256 for each port. */
#define SRIOV_MAX_VFS 256

/* A virtual function, and its network device. */
struct sriov_vf {
	/* "": has none here: another driver's (vfio-pci), or in another namespace */
	char dev[16];
	int ifindex;
	char mac[20]; /* "52:54:00:12:34:56" */
};

struct sriov {
	uint32_t total; /* VFs the adapter can have */
	uint32_t n;
	struct sriov_vf vf[SRIOV_MAX_VFS];
};

/* Could this be a device's name? Return: 0 or -EINVAL. */
int sriov_check_name(const char *dev, struct err *e) must_check_;

/*
 * sriov_read() - the virtual functions of physical function @dev.
 * @sysfs: SRIOV_SYSFS
 *
 * Return: 0, or -EOPNOTSUPP with the reason: there is no such device, it can't have any, or it has
 * none now.
 */
int sriov_read(struct sriov *ret, const char *sysfs, const char *dev, struct err *e) must_check_;

/* Finds devices that can have virtual functions. @ret: [max]. Return: how many. */
uint32_t sriov_find(char (*ret)[16], uint32_t max, const char *sysfs);
