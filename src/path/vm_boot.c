#include "path/vm_boot.h"

#include "base/clock.h"
#include "sys/signals.h"

#include <errno.h>

/*
 * How long a boot may take, of time_spent(). KVM can open and still not run a stock kernel
 * (paravirtual and nested hosts interpret it), so a boot is the only proof. On KVM that works the
 * kernel's first line comes within a second; an emulated boot takes 2 to 4 s in all.
 */
static const struct {
	uint64_t silent_ns, boot_ns; /* to the kernel's first line, in all */
} patience[] = {
	[VM_PATIENCE_PROBE] = {4 * NSEC_PER_SEC, 10 * NSEC_PER_SEC},
	[VM_PATIENCE_TCG] = {12 * NSEC_PER_SEC, 30 * NSEC_PER_SEC},
	[VM_PATIENCE_KVM] = {60 * NSEC_PER_SEC, 120 * NSEC_PER_SEC},
};
static_assert(ARRAY_SIZE(patience) == VM_PATIENCE_N);

/* Ref: init/version.c; what is printed before comes from the boot code, which proves little. */
#define KERNEL_BANNER "Linux version"
#define LOOK_NS       (100 * NSEC_PER_MSEC)

/*
 * loglevel: the banner is shown and little else; panic=-1: reboot at once, which ends QEMU. A guest
 * that rests (path.h) must not take the time it missed for a hang.
 */
#define APPEND                                                                                     \
	"console=ttyS0 earlyprintk=serial,ttyS0,115200 loglevel=6 panic=-1 LD_LIBRARY_PATH=/lib "  \
	"nowatchdog rcupdate.rcu_cpu_stall_suppress=1"

const char *vm_boot_append(bool with_kvm)
{
	/* Mitigations cost an emulated CPU time and protect nothing there. */
	return with_kvm ? APPEND : APPEND " mitigations=off nokaslr";
}

/*
 * Of a boot: CPU time, so that a machine that has none to spare is waited for, within reason; but
 * the clock's time of a process that does next to nothing.
 */
static uint64_t time_spent(const struct qemu *q, uint64_t begin_ns)
{
	uint64_t wall_ns = clock_now_ns() - begin_ns;
	uint64_t cpu_ns = qemu_cpu_ns(q);

	return cpu_ns < wall_ns / 30 ? wall_ns : MAX(cpu_ns, wall_ns / 4);
}

static int check(struct qemu *q, enum vm_patience p, int cancel_fd, uint64_t begin_ns,
	struct err *e)
{
	uint64_t silent_ns = patience[p].silent_ns;
	uint64_t spent_ns = time_spent(q, begin_ns);

	if (signals_pending(cancel_fd))
		return err_say(e, ECANCELED, "interrupted while a guest booted");
	if (spent_ns > silent_ns && !qemu_console_said(q, KERNEL_BANNER))
		return err_say(e, ETIMEDOUT, "the guest's kernel did not start within %d s",
			(int)(silent_ns / NSEC_PER_SEC));
	if (spent_ns <= patience[p].boot_ns)
		return 0;
	(void)qemu_say_why(q, e);
	return err_wrap(e, "the guest did not become ready");
}

int vm_boot_wait(struct qemu *q, struct guest_link *l, enum vm_patience p, int cancel_fd, char *ret,
	size_t size, struct err *e)
{
	uint64_t begin_ns = clock_now_ns();
	int r;

	while ((r = guest_hear(l, ret, size, clock_now_ns() + LOOK_NS)) == -ETIMEDOUT) {
		r = check(q, p, cancel_fd, begin_ns, e);
		if (r < 0)
			return r;
	}
	if (r == 0)
		return 0;
	(void)qemu_say_why(q, e);
	return err_wrap(e, "the guest did not boot");
}
