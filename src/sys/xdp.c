#include "sys/xdp.h"

#include "base/cleanup.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/* "Pass everything". Ref: Documentation/bpf/standardization/instruction-set.rst */
static const struct bpf_insn pass[] = {
	{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
	{.code = BPF_JMP | BPF_EXIT},
};

int xdp_probe(struct err *e)
{
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_XDP,
		.insns = (uintptr_t)pass,
		.insn_cnt = ARRAY_SIZE(pass),
		.license = (uintptr_t) "GPL",
	};
	_cleanup_(closep) int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	_cleanup_(closep) int prog = -1;

	if (fd < 0 && errno == EAFNOSUPPORT)
		return err_say(e, EOPNOTSUPP, "this kernel has no AF_XDP (CONFIG_XDP_SOCKETS)");
	if (fd < 0)
		return err_set(e, errno, "cannot open an AF_XDP socket");
	prog = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	if (prog < 0 && errno == EPERM)
		return err_say(e, EPERM, "not permitted to load XDP programs: needs root");
	return prog < 0 ? err_set(e, errno, "cannot load an XDP program") : 0;
}
