#include "sys/caps.h"

#include <errno.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cap-ng.h>

bool caps_have(int cap)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	if (syscall(SYS_capget, &header, data) < 0)
		return false;
	return data[CAP_TO_INDEX(cap)].effective & CAP_TO_MASK(cap);
}

static void want(int keep)
{
	capng_clear(CAPNG_SELECT_BOTH);
	if (keep >= 0)
		(void)capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED,
			(unsigned int)keep);
}

static int become(const char *user, int keep, struct err *e)
{
	const struct passwd *pw;

	errno = 0;
	pw = getpwnam(user);
	if (!pw)
		return err_say(e, ENOENT, "there is no user '%s'", user);
	want(keep);
	if (capng_change_id((int)pw->pw_uid, (int)pw->pw_gid,
		    CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING) < 0)
		return err_set(e, errno, "cannot change to user '%s'", user);
	return 0;
}

int caps_drop(const char *user, int keep, struct err *e)
{
	if (geteuid() == 0 && user && *user) {
		int r = become(user, keep, e);

		if (r < 0)
			return r;
	} else {
		want(keep >= 0 && caps_have(keep) ? keep : -1);
		/* The bounding set is root's to change; without it there is nothing to gain. */
		if (caps_have(CAP_SETPCAP))
			capng_apply(CAPNG_SELECT_BOUNDS);
		if (capng_apply(CAPNG_SELECT_CAPS) < 0)
			return err_set(e, errno, "cannot drop capabilities");
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(e, errno, "cannot set no_new_privs");
	return 0;
}
