#include "report/report.h"

#include "base/mem.h"
#include "wire/doc.h"

#include <errno.h>

int report_flush(FILE *out)
{
	errno = 0;
	if (fflush(out) == EOF || ferror(out))
		return errno ? -errno : -EIO;
	return 0;
}

int report_line(const struct doc *d, FILE *out)
{
	_cleanup_(freep) char *text = doc_text(d);

	fprintf(out, "%s\n", text);
	return report_flush(out);
}
