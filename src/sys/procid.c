#include "sys/procid.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "sys/file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

uint64_t procid_stat(const char *root, pid_t pid, int field)
{
	char path[PATH_MAX], text[1024];
	const char *s;
	uint64_t ret;

	snprintf(path, sizeof(path), "%s/proc/%d/stat", root, pid);
	if (file_read(path, text, sizeof(text), NULL) < 0)
		return 0;
	s = strrchr(text, ')'); /* the end of field 2 */
	for (int i = 2; s && i < field; i++)
		s = strchr(s + 1, ' ');
	if (!s || sscanf(s, " %" SCNu64, &ret) != 1)
		return 0;
	return ret;
}

uint64_t procid_start(pid_t pid)
{
	return procid_stat("", pid, 22);
}

bool procid_hostname(pid_t pid, char *ret, size_t size)
{
	_cleanup_(closep) int home = open("/proc/thread-self/ns/uts", O_RDONLY | O_CLOEXEC);
	_cleanup_(closep) int there = -1;
	struct utsname name;
	char path[40];
	bool ok;

	snprintf(path, sizeof(path), "/proc/%d/ns/uts", pid);
	there = open(path, O_RDONLY | O_CLOEXEC);
	if (home < 0 || there < 0 || setns(there, CLONE_NEWUTS) < 0)
		return false;
	ok = uname(&name) == 0;
	if (setns(home, CLONE_NEWUTS) < 0)
		abort(); /* as in ns_scope_leave() */
	return ok && str_copy(ret, size, name.nodename) == 0;
}
