#include "report/report.h"

#include <string.h>

void report_scdoc(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (strchr("_*\\#<>[]", *text))
			fputc('\\', out);
		fputc(*text, out);
	}
}
