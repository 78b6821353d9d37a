#include "sys/ipi.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Ref: membarrier(2); kernel/sched/membarrier.c membarrier_private_expedited */
int ipi_ready(struct err *e)
{
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) < 0)
		return err_set(e, errno, "the kernel sends no interrupts by membarrier()");
	return 0;
}

void ipi_send(void)
{
	(void)syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0,
		0); /* it is registered */
}
