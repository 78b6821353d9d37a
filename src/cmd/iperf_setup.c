#include "cmd/iperf_setup.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"

/* Return: the process that a pid file names if it lives, else 0. */
static pid_t pidfile_owner(const char *path)
{
	_cleanup_(fclosep) FILE *f = fopen(path, "re");
	char text[16] = "";
	long long pid;

	if (!f || !fgets(text, sizeof(text), f))
		return 0;
	pid = strtoll(text, NULL, 10);
	if (pid <= 0 || pid > INT32_MAX || (kill((pid_t)pid, 0) < 0 && errno == ESRCH))
		return 0;
	return (pid_t)pid;
}

static int write_pidfile(const char *path, struct err *e)
{
	const pid_t owner = pidfile_owner(path);
	FILE *f;
	int r;

	if (owner)
		return err_say(e, EEXIST, "pid file '%s': process %d is running", path, owner);
	f = fopen(path, "we");
	if (!f)
		return err_set(e, errno, "cannot write the pid file '%s'", path);
	r = fprintf(f, "%d", getpid());
	if (fclose(f) == EOF || r < 0)
		return err_set(e, errno, "cannot write the pid file '%s'", path);
	return 0;
}

int iperf_setup_open(struct iperf_setup *ret, const struct iperf_args *a, struct err *e)
{
	_cleanup_(fclosep) FILE *log = NULL;
	FILE *out = stdout, *err = stderr;

	*ret = (struct iperf_setup){0};
	if (*a->logfile) {
		log = fopen(a->logfile, "ae");
		if (!log)
			return err_set(e, errno, "cannot open the log file '%s'", a->logfile);
		out = err = log;
	}
	/* Stays in the directory, since paths may be relative; without a log all output is lost. */
	if (a->daemon && daemon(1, 0) < 0)
		return err_set(e, errno, "cannot become a daemon");
	if (*a->pidfile) {
		int r = write_pidfile(a->pidfile, e);

		if (r < 0)
			return r;
		str_set(ret->pidfile, a->pidfile);
	}
	ret->report = a->output.json ? iperf_json_new(&a->output, out, err)
				     : iperf_text_new(&a->output, out, err);
	ret->log = take_ptr(log);
	return 0;
}

void iperf_setup_close(struct iperf_setup *s)
{
	if (s->report)
		s->report->free(s->report);
	fclosep(&s->log);
	if (*s->pidfile)
		unlink(s->pidfile);
	*s = (struct iperf_setup){0};
}
