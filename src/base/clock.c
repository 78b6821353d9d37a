#include "base/clock.h"

void clock_utc(char ret[static 21])
{
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(ret, 21, "%Y-%m-%dT%H:%M:%SZ", &tm);
}
