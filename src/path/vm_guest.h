/* One guest on the bridge of the host: booted, connected to, ended. */
#pragma once

#include "base/cleanup.h"
#include "path/lab.h"
#include "path/nf.h"

/* A NIC, as QEMU and the guest's kernel call it. */
struct vm_model {
	const char *device, *module;
	bool virtio; /* has queues, offloads between guest and host, and may have vhost */
	bool vhost;
	bool pod;        /* the end is a container in the guest */
	bool both;       /* both ends are guests */
	bool forwards;   /* it has two of them, and is no end */
	bool vhost_user; /* its other side is a program's: no tap device, no offloads */
};

/* What a guest with such a NIC needs of its kernel; NULL-terminated. */
#define VM_MODEL_N_MODULES 6
void vm_model_modules(const struct vm_model *model, const char *ret[static VM_MODEL_N_MODULES]);

struct vm_guest;

/*
 * vm_guest_boot() - start guest @i of @p, on tap device "tap<i>" of bridge br0 with address
 * bridged_addr[i], and wait until it is ready. p->ops->model is a struct vm_model.
 * @vhost_user: of such a model, the other side's socket; its address is wire_addr[i]; else NULL
 */
int vm_guest_boot(struct vm_guest **ret, const struct path *p, uint32_t i, const char *vhost_user,
	struct err *e) must_check_;

/*
 * vm_guest_boot_nf() - start the one guest of @p, which is the forwarding function @nf, p->cfg.nf,
 * and wait until it forwards. Its NICs are known by vm_guest_mac(side), and lead to "tap0" and
 * "tap1", ports of bridges that are there: vm_forward_bridge[]. Who is next on a side is its end.
 */
int vm_guest_boot_nf(struct vm_guest **ret, const struct path *p, const struct nf *nf,
	struct err *e) must_check_;
extern const char *const vm_forward_bridge[NF_N_SIDES];

/* The hardware address of guest @i of a path, or of NIC @i of one that forwards. */
void vm_guest_mac(uint32_t i, uint8_t ret[static 6]);

/* Of its QEMU. */
pid_t vm_guest_pid(const struct vm_guest *g);

/* Stops it while another path is measured, or lets it go on. */
void vm_guest_rest(const struct vm_guest *g, bool rest);

/* Powers it off. */
void vm_guest_close(struct vm_guest *g);
DEFINE_CLEANUP(struct vm_guest *, vm_guest_close, vm_guest_closep)

bool vm_guest_emulated(const struct vm_guest *g);
/* Why KVM was not used, or "". */
const char *vm_guest_no_kvm(void);

/* Fills what makes @end one in this guest. */
void vm_guest_end(struct vm_guest *g, struct path_end *end);

/* Pings @addr from there until an answer comes. */
int vm_guest_ping(struct vm_guest *g, const char *addr, struct err *e) must_check_;
