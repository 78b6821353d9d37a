#include "sys/ovs.h"

#include "base/clock.h"
#include "base/macro.h"
#include "base/mem.h"
#include "base/str.h"
#include "sys/exec.h"
#include "sys/file.h"
#include "sys/room.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define OVS_DB  "unix:" ROOM_DIR "/db.sock"
#define OVS_LOG ROOM_DIR "/ovs-vswitchd.log"
/* Each step takes 10 to 200 ms; 10 s are not enough for an emulated machine under load. */
#define OVS_STEP_S 40
/* What ovs-vsctl is told by --timeout, before it is killed. */
#define OVS_VSCTL_TIMEOUT "--timeout=36"

#define OVS_MAX_WORDS 64
#define OVS_LOG_BYTES ((size_t)64 << 10)

struct ovs {
	struct ovs_args args;
	struct room *room;
};

static const char *const env[] = {"OVS_RUNDIR=" ROOM_DIR, "OVS_LOGDIR=" ROOM_DIR,
	"OVS_DBDIR=" ROOM_DIR, "OVS_SYSCONFDIR=" ROOM_DIR, EXEC_NO_XDP_PINS, NULL};

static int run(const struct ovs *ovs, struct exec_result **ret, const char *const *argv,
	struct err *e)
{
	const struct exec_args args = {
		.argv = argv,
		.env = env,
		.room = ovs->room,
		.netns_fd = ovs->args.netns_fd,
		.timeout_ns = OVS_STEP_S * NSEC_PER_SEC,
		.cancel_fd = ovs->args.cancel_fd,
	};
	int r = exec_run(ret, &args, e);

	if (r == -ENOENT)
		return err_say(e, EOPNOTSUPP, "%s is not installed (Debian: openvswitch-switch)",
			argv[0]);
	return r == EXEC_FAILED ? -EIO : r;
}

/* A daemon's first process ends when the second one is ready to serve, or with the reason. */
static int start(const struct ovs *ovs, const char *const *argv, struct err *e)
{
	_cleanup_(freep) struct exec_result *x = NULL;
	int r = run(ovs, &x, argv, e);

	return r == -ETIMEDOUT
		       ? err_say(e, -r, "%s did not get ready within %d s", argv[0], OVS_STEP_S)
		       : r;
}

static int start_db(const struct ovs *ovs, struct err *e)
{
	static const char *const create[] = {"ovsdb-tool", "create", ROOM_DIR "/conf.db", NULL};
	static const char *const serve[] = {"ovsdb-server", ROOM_DIR "/conf.db",
		"--remote=p" OVS_DB, "--pidfile", "--detach", "--no-chdir", "-vconsole:warn", NULL};
	int r = start(ovs, create, e);

	return r < 0 ? r : start(ovs, serve, e);
}

/* Its log so far; "" when it has none. @ret: [OVS_LOG_BYTES] */
static void read_log(const struct ovs *ovs, char *ret)
{
	char path[PATH_MAX];

	room_path(ovs->room, OVS_LOG, path, sizeof(path));
	if (file_read(path, ret, OVS_LOG_BYTES, NULL) < 0)
		*ret = '\0';
}

/* "2026-11-26T01:13:04.000Z|00012|netdev_afxdp|ERR|words": the last one that is no remark. */
static void last_complaint(const struct ovs *ovs, char *ret, size_t size)
{
	_cleanup_(freep) char *log = xcalloc(1, OVS_LOG_BYTES);
	char *rest = log, *line;

	*ret = '\0';
	read_log(ovs, log);
	while ((line = strsep(&rest, "\n"))) {
		const char *words = strstr(line, "|ERR|") ?: strstr(line, "|WARN|");

		/* That it is slow is said at length by its timer, and is no reason. */
		if (words && !strstr(line, "|timeval|"))
			(void)str_copy(ret, size, strchr(words + 1, '|') + 1);
	}
}

static int silent(const struct ovs *ovs, struct err *e)
{
	char why[200];

	last_complaint(ovs, why, sizeof(why));
	return err_say(e, ETIMEDOUT, "the switch did not answer ovs-vsctl%s%s", *why ? ": " : "",
		why);
}

static int refused(const struct ovs *ovs, char *what, struct err *e)
{
	char *advice = strstr(what, "  See ovs-vswitchd log");
	char why[200];

	if (advice)
		*advice = '\0';

	last_complaint(ovs, why, sizeof(why));
	return err_say(e, EIO, "%s%s%s", what, *why ? " It says: " : "", why);
}

/* The words that ovs-vsctl begins with; @wait: until the switch has done it. */
static int vsctl(struct ovs *ovs, bool wait, const char *const *words, struct err *e)
{
	_cleanup_(freep) struct exec_result *x = NULL;
	const char *argv[OVS_MAX_WORDS] = {"ovs-vsctl", "--db=" OVS_DB, OVS_VSCTL_TIMEOUT,
		"-vconsole:err"}; /* its remarks are no answer of the switch */
	size_t n = 4;
	int r;

	if (!wait)
		argv[n++] = "--no-wait";
	for (; *words; words++) {
		assert(n < OVS_MAX_WORDS - 1);
		argv[n++] = *words;
	}
	r = run(ovs, &x, argv, e);
	if (x && x->status == 128 + SIGALRM)
		return silent(ovs, e);
	if (r < 0)
		return r;
	/* What the switch could not do is told on standard error, with status 0. */
	x->error[strcspn(x->error, "\n")] = '\0';
	return *x->error ? refused(ovs, x->error, e) : 0;
}

int ovs_vsctl(struct ovs *ovs, const char *const *words, struct err *e)
{
	return vsctl(ovs, true, words, e);
}

static int configure(struct ovs *ovs, struct err *e)
{
	static const char *const init[] = {"init", NULL};
	int r = vsctl(ovs, false, init, e);

	for (const char *const *set = ovs->args.set; r == 0 && set && *set; set++) {
		const char *words[] = {"set", "Open_vSwitch", ".", *set, NULL};

		r = vsctl(ovs, false, words, e);
	}
	return r;
}

static int start_switch(const struct ovs *ovs, struct err *e)
{
	const char *argv[] = {ovs->args.vswitchd ?: "ovs-vswitchd", OVS_DB, "--pidfile", "--detach",
		"--no-chdir", "--log-file=" OVS_LOG, "-vconsole:err", NULL};

	return start(ovs, argv, e);
}

int ovs_start(struct ovs **ret, const struct ovs_args *args, struct err *e)
{
	_cleanup_(ovs_stopp) struct ovs *ovs = xcalloc(1, sizeof(*ovs));
	int r;

	ovs->args = *args;
	r = room_open(&ovs->room, e);
	if (r == 0)
		r = start_db(ovs, e);
	if (r == 0)
		r = configure(ovs, e);
	if (r == 0)
		r = start_switch(ovs, e);
	if (r < 0)
		return r;
	*ret = take_ptr(ovs);
	return 0;
}

void ovs_stop(struct ovs *ovs)
{
	if (!ovs)
		return;
	room_close(ovs->room);
	free(ovs);
}

int ovs_freeze(struct ovs *ovs, bool freeze, struct err *e)
{
	return room_freeze(ovs->room, freeze, e);
}

bool ovs_logged(const struct ovs *ovs, const char *text)
{
	_cleanup_(freep) char *log = xcalloc(1, OVS_LOG_BYTES);

	read_log(ovs, log);
	return strstr(log, text);
}
