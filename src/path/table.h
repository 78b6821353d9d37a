/* The paths by name, for the table and for paths that are kin. */
#pragma once

#include "path/path.h"

#define PATH(name) extern const struct path_ops path_##name;
#include "path/table.inc"
#undef PATH
extern const struct path_ops path_native;
extern const struct path_ops path_hostnet;
extern const struct path_ops path_veth;
extern const struct path_ops path_bridge;
extern const struct path_ops path_nat;
extern const struct path_ops path_existing;
extern const struct path_ops path_vm_virtio;
extern const struct path_ops path_vm_vhost;
extern const struct path_ops path_vm_user;
extern const struct path_ops path_vm_pod;
extern const struct path_ops path_vm_vm;
extern const struct path_ops path_vm_vmxnet3;
extern const struct path_ops path_vm_e1000;
extern const struct path_ops path_vm_e1000e;
extern const struct path_ops path_vm_igb;
extern const struct path_ops path_vm_rtl8139;
extern const struct path_ops path_vxlan;
extern const struct path_ops path_geneve;
extern const struct path_ops path_ipip;
extern const struct path_ops path_gre;
extern const struct path_ops path_wireguard;
extern const struct path_ops path_macvlan;
extern const struct path_ops path_ipvlan_l2;
extern const struct path_ops path_ipvlan_l3;
extern const struct path_ops path_ipvlan_l3s;
extern const struct path_ops path_vlan;
extern const struct path_ops path_netkit;
extern const struct path_ops path_tap;
extern const struct path_ops path_ebpf_tc;
extern const struct path_ops path_ebpf_xdp;
extern const struct path_ops path_natiptables;
extern const struct path_ops path_natnotrack;
extern const struct path_ops path_natfull;
extern const struct path_ops path_conntrack;
extern const struct path_ops path_service;
extern const struct path_ops path_ovs_netdev;
extern const struct path_ops path_ovs_afxdp;
extern const struct path_ops path_ovs_kernel;
extern const struct path_ops path_dpdk_testpmd;
extern const struct path_ops path_cni;
extern const struct path_ops path_podman;
extern const struct path_ops path_docker;
