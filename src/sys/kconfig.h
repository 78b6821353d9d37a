/* The running kernel's configuration, from /proc/config.gz or /boot. */
#pragma once

/*
 * kconfig_is_set() - is CONFIG_@name built in?
 *
 * Return: 1 yes (=y), 0 no, -1 the configuration can't be found.
 */
int kconfig_is_set(const char *name);
