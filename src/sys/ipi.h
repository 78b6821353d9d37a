/* Interrupts on demand: the kernel has the CPUs that run threads of this process interrupted. */
#pragma once

#include "base/err.h"

/* For the whole process, once. Return: 0, or negative errno: this kernel can't. */
int ipi_ready(struct err *e) must_check_;
/* Returns once they have taken it. */
void ipi_send(void);
