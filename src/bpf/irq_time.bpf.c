/* Does the kernel leave interrupts and softirqs out of processes' run time, as it runs? */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

/* Ref: kernel/sched/cputime.c; an int, and since Linux 6.14 a static key, which begins with one. */
extern const void sched_clock_irqtime __ksym __weak;

/* Return: 0 no; else yes, or it can't be told. */
SEC("raw_tp")
int irq_time_is_on(void *ctx)
{
	int on = 1;

	(void)ctx;
	if (&sched_clock_irqtime)
		(void)bpf_probe_read_kernel(&on, sizeof(on), &sched_clock_irqtime);
	return on;
}

char licence[] SEC("license") = "Dual BSD/GPL";
