/* The host's side of a guest that runs a command: what it says becomes our own output. */
#pragma once

#include "guest/run.h"
#include "path/guest_link.h"
#include "sys/qemu.h"

#include <stdbool.h>

enum guest_port {
	GUEST_HOST_CTL,
	GUEST_HOST_OUT,
	GUEST_HOST_ERR,
	GUEST_HOST_N,
};

struct guest_host {
	const struct guest_run_cfg *cfg;
	int cancel_fd; /* borrowed */
	struct qemu *qemu;
	struct guest_link ctl;
	int fd[GUEST_HOST_N]; /* our ends; that of ctl is ctl.fd */
	bool ended;           /* the command has; status and expected are set */
	int status;
	uint64_t bytes[GUEST_HOST_N], expected[GUEST_HOST_N];
};

/*
 * guest_host_relay() - pass the command's output on until it has ended and all of it is here.
 *
 * Return: 0; -ETIMEDOUT, -ECANCELED; or another negative errno, with the guest's last words when
 * it is gone.
 */
int guest_host_relay(struct guest_host *x, uint64_t deadline_ns, struct err *e) must_check_;
