/* Guests of this machine on a bridge of the host: values of their options. */
#pragma once

enum vm_accel {
	VM_ACCEL_AUTO, /* KVM when a guest boots with it, else TCG */
	VM_ACCEL_KVM,
	VM_ACCEL_TCG,
	VM_ACCEL_N,
};

enum vm_offloads {
	VM_OFFLOADS_ON,
	VM_OFFLOADS_OFF,
	VM_OFFLOADS_N,
};
