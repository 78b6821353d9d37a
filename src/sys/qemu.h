/*
 * One QEMU process as our child, inside a network namespace: it dies with us, is always reaped, and
 * has no file of its own. Sockets and tap devices reach it as descriptors.
 */
#pragma once

#include "base/cleanup.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define QEMU_MAX_PORTS  3
#define QEMU_MAX_QUEUES 16
#define QEMU_MAX_NICS   2
#define QEMU_MAX_ARGS   96

/* A byte channel to the guest, which finds it by name in /sys/class/virtio-ports. */
struct qemu_port {
	const char *name;
	int fd; /* stream socket, connected */
};

/* A NIC of the guest, which finds it by its hardware address. */
struct qemu_nic {
	const char *mac;
	const int *tap_fd; /* [queues] */
};

struct qemu_args {
	const char *binary; /* "qemu-system-x86_64", or a path */
	int netns_fd;       /* -1: the caller's */
	bool kvm;           /* else TCG: the CPU is emulated */
	bool one_thread;    /* TCG: all vCPUs take turns in one thread */
	uint32_t vcpus;
	uint64_t memory_bytes;
	const char *kernel;
	int initrd_fd;
	const char *append; /* kernel command line */
	const char *nic;    /* the NICs' model: "virtio-net-pci", "e1000", ...; NULL: none */
	struct qemu_nic nics[QEMU_MAX_NICS]; /* mac NULL: none */
	bool vhost;                          /* the host's kernel moves the packets */
	bool no_offloads;                    /* of a virtio NIC; others have no such switches */
	uint32_t queues;                     /* of each NIC; more than 1: virtio only */
	const char *vhost_user; /* path of a vhost-user socket, instead of tap_fd; NULL: none */
	uint32_t n_hub_nics;    /* virtio NICs on a wire of their own; nothing else is on it */
	bool share_root; /* this machine's files as 9p file system "hostroot", not to be changed */
	struct qemu_port port[QEMU_MAX_PORTS]; /* name NULL: none */
};

struct qemu_argv {
	char *arg[QEMU_MAX_ARGS]; /* owned, NULL-terminated */
	uint32_t n;
};

/* The command line alone. */
void qemu_argv_init(struct qemu_argv *ret, const struct qemu_args *args);
void qemu_argv_fini(struct qemu_argv *argv);

/* Return: 0; -EOPNOTSUPP when there is no such program, naming the package to install. */
int qemu_find(const char *binary, struct err *e) must_check_;

/* Does this QEMU have the device? Return: 0, or -EOPNOTSUPP. */
int qemu_has_device(const char *binary, const char *device, struct err *e) must_check_;

/* Can this machine create a virtual machine? Not yet: run one. Return: 0, or -ENODEV. */
int qemu_kvm_opens(struct err *e) must_check_;

struct qemu;

int qemu_start(struct qemu **ret, const struct qemu_args *args, struct err *e) must_check_;

/* Has the guest said this on its serial console, early on (in the first 16 KiB)? */
bool qemu_console_said(const struct qemu *q, const char *text);

pid_t qemu_pid(const struct qemu *q);

/* CPU time that it has used, all threads together. */
uint64_t qemu_cpu_ns(const struct qemu *q);

/* How it ended, or that it runs, and the last words of QEMU or its guest. Return: -EIO. */
int qemu_say_why(struct qemu *q, struct err *e);

/* Pins vCPU i's thread to the CPU i of @cpus, starting over at the end of the list. */
int qemu_pin(const struct qemu *q, const uint32_t *cpus, uint32_t n_cpus, struct err *e)
	must_check_;

/* Stops it, guest and all, or lets it go on; its clock runs on meanwhile. */
void qemu_rest(const struct qemu *q, bool rest);

/* Ends it, after a moment to end by itself, and reaps it. */
void qemu_close(struct qemu *q);
DEFINE_CLEANUP(struct qemu *, qemu_close, qemu_closep)
