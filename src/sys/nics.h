/* Network adapters: which drivers serve them, and which models QEMU gives its guests. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* "eth0 virtio_net, eth1 8139cp": devices with a driver, as /sys shows them; "none". */
void nics_drivers(char *ret, size_t size);

/* "pid 812: virtio-net-pci, rtl8139; ...": of all QEMU processes that can be seen; "none". */
void nics_of_guests(char *ret, size_t size);

/*
 * nics_models() - models on a command line of QEMU, as "virtio-net-pci, rtl8139".
 * @cmdline: [len], words that end with NUL each, as /proc/<pid>/cmdline has them
 *
 * Return: how many there are.
 */
unsigned nics_models(const char *cmdline, size_t len, char *ret, size_t size);

/*
 * Is this driver or model that of an adapter which only exists emulated, or is, in a guest, most
 * probably emulated: each register access then stops the guest's CPU.
 */
bool nics_is_emulated(const char *name);
