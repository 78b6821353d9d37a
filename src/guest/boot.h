/* What every first process of a guest does. */
#pragma once

#include "base/err.h"

/* Mounts /proc, /sys, /dev and /tmp. */
int boot_mount(struct err *e) must_check_;
/* Loads the modules of the first file system, in the order of their names. */
int boot_modules(struct err *e) must_check_;
/* Opens the virtio port of this name, which comes a moment after its driver. Return: descriptor */
int boot_port(const char *name, struct err *e) must_check_;
/* Ends everybody but us and the kernel. */
void boot_kill_all(void);
_Noreturn void boot_power_off(void);
