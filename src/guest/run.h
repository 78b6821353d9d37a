/* A command run in a guest of its own: another kernel under the files of this machine. */
#pragma once

#include "base/err.h"
#include "base/opt.h"

#include <stdbool.h>
#include <stdint.h>

struct guest_run_cfg {
	char guest_dir[256]; /* boot/ and lib/modules/ of a kernel */
	char qemu[256];
	char modules[512]; /* loaded first, separated by commas */
	char append[512];  /* to the kernel's command line */
	uint32_t vcpus;
	uint32_t n_nics; /* virtio, all on one wire */
	bool one_thread; /* see qemu_args */
	uint64_t memory_bytes;
	uint64_t time_max_ns; /* 0: none */
};
extern const struct guest_run_cfg guest_run_cfg_default;
extern const struct opt guest_run_opts[];

/*
 * guest_run() - boot a guest, run @argv in it in this working directory, pass its output on.
 * @argv: NULL-terminated
 * @cancel_fd: readable: give up
 *
 * Return: 0 and the command's exit status; GUEST_RUN_UNAVAILABLE with the reason in @e; -ETIMEDOUT,
 * -ECANCELED or another errno.
 */
#define GUEST_RUN_UNAVAILABLE 1
int guest_run(int *ret_status, const struct guest_run_cfg *cfg, char *const *argv, int cancel_fd,
	struct err *e) must_check_;
