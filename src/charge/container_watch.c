#include "charge/container_watch.h"

#include "base/mem.h"
#include "base/str.h"
#include "sys/cgroup.h"
#include "sys/dirwatch.h"
#include "sys/rtpeer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* Between the first word and the scan, so that one scan is for all that comes together. */
#define SOON_NS (100 * NSEC_PER_MSEC)
/* Runtimes take some 100 ms from a cgroup to a process in a namespace of its own. */
#define LATE_NS (500 * NSEC_PER_MSEC)
/* Slices and services, not the containers in them: some 100 on a host of 1,000 containers. */
#define MAX_DIRS 1024U

enum timer { TIMER_OFF, TIMER_SOON, TIMER_LATE };

struct container_watch {
	int epoll_fd, link_fd, timer_fd;
	struct dirwatch *dirs; /* NULL: nothing of cgroups can be watched */
	enum timer timer;
	bool devs; /* of devices something was said */
};

/* What is in a container's cgroup is its own; services and the lab may have containers below. */
static bool enter(const char *path)
{
	struct container c;

	return !container_of_path(path, &c) || c.kind == CONTAINER_SERVICE ||
	       c.kind == CONTAINER_LAB;
}

static int add_fd(const struct container_watch *w, int fd, struct err *e)
{
	struct epoll_event ev = {.events = EPOLLIN};

	if (epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
		return err_set(e, errno, "cannot watch for containers");
	return 0;
}

/* Without cgroups, or without inotify's instances (a limit of the user's), devices are told. */
static int watch_dirs(struct container_watch *w, struct err *e)
{
	struct dirwatch_args args = {.enter = enter, .max = MAX_DIRS};
	char root[128];

	if (!cgroup_cpu_root(root, sizeof(root)))
		return 0;
	args.root = root;
	if (dirwatch_open(&w->dirs, &args, NULL) < 0)
		return 0;
	return add_fd(w, dirwatch_fd(w->dirs), e);
}

int container_watch_open(struct container_watch **ret, struct err *e)
{
	_cleanup_(container_watch_closep) struct container_watch *w = xcalloc(1, sizeof(*w));
	int r;

	w->link_fd = -1;
	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	w->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (w->epoll_fd < 0 || w->timer_fd < 0)
		return err_set(e, errno, "cannot watch for containers");
	r = rt_watch(&w->link_fd, e);
	if (r == 0)
		r = add_fd(w, w->link_fd, e);
	if (r == 0)
		r = add_fd(w, w->timer_fd, e);
	if (r == 0)
		r = watch_dirs(w, e);
	if (r < 0)
		return r;
	*ret = take_ptr(w);
	return 0;
}

void container_watch_close(struct container_watch *w)
{
	if (!w)
		return;
	dirwatch_close(w->dirs);
	closep(&w->link_fd);
	closep(&w->timer_fd);
	closep(&w->epoll_fd);
	free(w);
}

int container_watch_fd(const struct container_watch *w)
{
	return w->epoll_fd;
}

bool container_watch_is_short(const struct container_watch *w)
{
	return !w->dirs || dirwatch_is_short(w->dirs);
}

static void set_timer(struct container_watch *w, enum timer timer, uint64_t ns)
{
	const struct itimerspec at = {.it_value.tv_nsec = (long)ns};

	w->timer = timer;
	(void)timerfd_settime(w->timer_fd, 0, &at, NULL); /* can't fail: below 1 s */
}

static bool take_devs(struct container_watch *w)
{
	bool any = rt_watch_take(w->link_fd);

	w->devs |= any;
	return any;
}

static void plan_scan(struct container_watch *w)
{
	if (w->timer != TIMER_SOON)
		set_timer(w, TIMER_SOON, SOON_NS);
}

bool container_watch_take(struct container_watch *w)
{
	bool any = take_devs(w);
	uint64_t n_expired;
	bool due;

	if (w->dirs)
		any |= dirwatch_take(w->dirs);
	due = read(w->timer_fd, &n_expired, sizeof(n_expired)) == sizeof(n_expired);
	if (due && w->timer == TIMER_SOON)
		set_timer(w, TIMER_LATE, LATE_NS);
	else if (due)
		w->timer = TIMER_OFF;
	if (any)
		plan_scan(w);
	return due;
}

bool container_watch_take_devs(struct container_watch *w)
{
	bool any;

	if (take_devs(w))
		plan_scan(w);
	any = w->devs;
	w->devs = false;
	return any;
}
