#include "report/iperf_output.h"

#include <errno.h>
#include <sys/utsname.h>
#include <time.h>

void iperf_system_info(char *ret, size_t size)
{
	struct utsname u = {0};

	(void)uname(&u); /* can't fail with an address that is good */
	snprintf(ret, size, "%s %s %s %s %s", u.sysname, u.nodename, u.release, u.version,
		u.machine);
}

void iperf_time_text(int64_t ms_since_1970, char *ret, size_t size)
{
	time_t s = (time_t)(ms_since_1970 / 1000);
	struct tm tm;

	gmtime_r(&s, &tm);
	if (strftime(ret, size, "%a, %d %b %Y %H:%M:%S GMT", &tm) == 0)
		*ret = '\0';
}

void iperf_error_text(const struct iperf_test *t, char *ret, size_t size)
{
	snprintf(ret, size, "%s - %s", t->error.code == -ECANCELED ? "interrupt" : "error",
		t->error.text);
}
