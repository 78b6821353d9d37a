#include "report/report.h"

#include "base/mem.h"
#include "wire/doc.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>

/* Of a write that failed before: a pipe whose reader is gone still says so. */
static int why_failed(FILE *out)
{
	struct pollfd p = {.fd = fileno(out)};

	return poll(&p, 1, 0) == 1 && p.revents & POLLERR ? -EPIPE : -EIO;
}

int report_flush(FILE *out)
{
	errno = 0;
	if (fflush(out) == EOF || ferror(out))
		return errno ? -errno : why_failed(out);
	return 0;
}

int report_line(const struct doc *d, FILE *out)
{
	_cleanup_(freep) char *text = doc_text(d);

	fprintf(out, "%s\n", text);
	return report_flush(out);
}
