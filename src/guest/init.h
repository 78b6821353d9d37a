/* The first process of a guest: this program, started as /init by the guest's kernel. */
#pragma once

/*
 * guest_main() - set the guest up as path/guest_link.h has it, serve its host, power off. What
 * goes wrong before the host can hear of it is said on the console.
 */
_Noreturn void guest_main(void);
