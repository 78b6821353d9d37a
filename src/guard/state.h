/*
 * Fails open: quotas, and devices' moderation, are as they were once the guard is gone, however it
 * went. What a cgroup or device had is on disk before the first change of it, and is put back
 *
 *	by guard_state_close();
 *	by a small process of its own session when this one ends without that (kill -9);
 *	by the next guard_state_open(), should that process have been killed, too;
 *
 * and by that process, for as long as nothing is heard of a guard that is stopped, or hangs; that
 * is quotas only, as moderation keeps nobody from anything.
 *
 * Files of a directory: "lock", held for as long as anybody may write quotas; "state"
 * (guard/record.h), replaced as a whole, gone when all is put back. What the kernel refuses to put
 * back stays in it, and stands in nobody else's way.
 */
#pragma once

#include "base/cleanup.h"
#include "base/err.h"
#include "guard/record.h"
#include "sys/cpuquota.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct guard_state;

/* Where state is kept unless somebody says otherwise: below /run, of a user below his own. */
void guard_state_dir(char *ret, size_t size);

/*
 * guard_state_open() - lock, and put back what a guard before has left.
 * @dir: made if it is not there; must be nobody else's
 * @cpu_root: cgroup_cpu_root(), for the only guard of the calling thread's network namespace, as
 *            two would replace each other's tc filters (sys/tcx.h); NULL: there may be others
 *
 * Call it before anything is opened that is not to live on in the process that watches.
 *
 * Return: 0; GUARD_STATE_BUSY when another guard is at work, with its pid in @e; -EBADMSG when the
 * state file is damaged: nothing is put back then; or negative errno.
 */
#define GUARD_STATE_BUSY 1
int guard_state_open(struct guard_state **ret, const char *dir, const char *cpu_root, struct err *e)
	must_check_;
/* What open put back as it was. */
struct guard_restored {
	uint32_t n_cgroups, n_devices;
};
struct guard_restored guard_state_restored(const struct guard_state *s);
/* The cgroup of this number that is noted. NULL: no more. */
const struct guard_entry *guard_state_noted(const struct guard_state *s, uint32_t i);
/* After open: why that of this number, cgroup or device, was not put back. NULL: no more. */
const struct err *guard_state_failed(const struct guard_state *s, uint32_t i);

/*
 * guard_state_claim() - have a cgroup for this guard alone, among guards of other directories, too,
 *                       until it is given back, or all is put back after the guard's end.
 *
 * Return: false: another one has it. Where nothing can be locked, as without @cpu_root, none has.
 */
bool guard_state_claim(struct guard_state *s, uint64_t id) must_check_;
void guard_state_unclaim(struct guard_state *s, uint64_t id);

/*
 * guard_state_beat() - the guard goes on, and says so again within this time. Has the process
 *                      beside it replaced if it was killed.
 */
void guard_state_beat(struct guard_state *s, uint32_t within_ms);

/*
 * guard_state_note() - remember what a cgroup has, on disk when this returns. Again: replaces.
 * @dir: of the cgroup; @id: inode of it, by which it is known
 */
int guard_state_note(struct guard_state *s, const char *dir, uint64_t id,
	const struct cpuquota *was, struct err *e) must_check_;

/* The same of a device; @x says what will be set, too. Put back by guard_state_close(). */
int guard_state_note_device(struct guard_state *s, const struct guard_device *x, struct err *e)
	must_check_;

/*
 * guard_state_undo() - put one cgroup back and forget it. It being gone is fine, and so is one that
 *                      was never noted.
 * @last: what the guard wrote last; what is another now was somebody's meanwhile, and stays. NULL:
 *        not known
 *
 * Return: 0, or negative errno: then it is still noted, unless it is only the file that failed.
 */
int guard_state_undo(struct guard_state *s, uint64_t id, const struct cpuquota *last, struct err *e)
	must_check_;

/*
 * guard_state_close() - put back whatever is noted, and let go. Return: 0, or the negative errno of
 * the first cgroup or device that could not be put back, which stays in the file. @s is gone in
 * any case.
 */
int guard_state_close(struct guard_state *s, struct err *e);
static inline void guard_state_closep(struct guard_state **s)
{
	if (*s)
		(void)guard_state_close(*s, NULL); /* on a way out that has an error already */
	*s = NULL;
}

/*
 * The directory of the cgroup that has this inode, renamed or not: a path for sys/cpuquota.h that
 * never leads to another. Return: a descriptor; -ENOENT: it is gone; or another errno.
 */
int guard_cgroup_open(const char *dir, uint64_t id);
#define GUARD_FD_PATH 32
void guard_cgroup_path(int fd, char ret[static GUARD_FD_PATH]);
