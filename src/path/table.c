#include "path/table.h"

const struct path_ops *const path_table[] = {
	&path_native,
	&path_hostnet,
	&path_veth,
	&path_bridge,
	&path_nat,
	&path_vm_virtio,
	&path_vm_vhost,
	&path_vm_pod,
	&path_vm_vm,
	&path_vm_vmxnet3,
	&path_vm_e1000,
	&path_vm_e1000e,
	&path_vm_igb,
	&path_vm_rtl8139,
	&path_vxlan,
	&path_geneve,
	&path_ipip,
	&path_gre,
	&path_wireguard,
	NULL,
};
