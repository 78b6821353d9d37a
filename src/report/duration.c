#include "report/duration.h"

#include <math.h>
#include <stdio.h>

void report_duration(double s, char *ret, size_t size)
{
	if (s >= 5400)
		snprintf(ret, size, "%d h %02d min", (int)(s / 3600), (int)fmod(s / 60, 60));
	else if (s >= 90)
		snprintf(ret, size, "%.0f min", s / 60);
	else
		snprintf(ret, size, "%.0f s", s);
}
