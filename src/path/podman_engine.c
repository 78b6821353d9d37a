#include "path/podman_engine.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "sys/cgroup.h"
#include "sys/exec.h"
#include "sys/file.h"
#include "sys/rootfs.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define PODMAN_DIR    ROOM_DIR "/engine"
#define PODMAN_ROOTFS PODMAN_DIR "/rootfs"
#define PODMAN_CONFIG PODMAN_DIR "/containers.conf"

/* "podman version 4.3.1" */
int podman_version(struct err *e)
{
	_cleanup_(freep) struct exec_result *x = NULL;
	int major = 0, minor = 0;
	int r = exec_run(&x,
		&(struct exec_args){
			.argv = (const char *const[]){"podman", "--version", NULL},
			.netns_fd = -1,
			.timeout_ns = ENGINE_TIMEOUT_NS,
			.cancel_fd = -1,
		},
		e);

	if (r != 0)
		return r < 0 ? r : -EIO;
	if (sscanf(x->out, "podman version %d.%d", &major, &minor) != 2 || minor > 99)
		return err_say(e, EPROTO, "podman --version says '%.40s'", x->out);
	return 100 * major + minor;
}

int podman_do(const struct podman *pod, const char *const *words, struct err *e)
{
	/* Rootless, all of these have defaults in the user's own directories. */
	static const char *const env[] = {"CONTAINERS_CONF=" PODMAN_CONFIG, "HOME=" PODMAN_DIR,
		"XDG_RUNTIME_DIR=" PODMAN_DIR, "XDG_CONFIG_HOME=" PODMAN_DIR,
		"XDG_DATA_HOME=" PODMAN_DIR, "XDG_CACHE_HOME=" PODMAN_DIR, NULL};
	_cleanup_(freep) struct exec_result *x = NULL;
	struct engine_words w = {0};
	struct err why = {0};
	int r;

	ENGINE_ADD(&w, "podman", "--root", PODMAN_DIR "/storage", "--runroot", PODMAN_DIR "/run",
		"--tmpdir", PODMAN_DIR "/tmp", "--network-config-dir", PODMAN_DIR "/networks",
		"--storage-driver", "vfs", "--runtime", "runc", "--cgroup-manager", "cgroupfs",
		"--events-backend", "none");
	engine_add(&w, words);
	r = exec_run(&x,
		&(struct exec_args){
			.argv = w.word,
			.env = env,
			.room = pod->room,
			.netns_fd = pod->host_fd,
			.user = pod->user,
			.timeout_ns = ENGINE_TIMEOUT_NS,
			.cancel_fd = pod->cancel_fd,
		},
		&why);
	if (r == EXEC_FAILED)
		return err_say(e, EIO, "podman %s: %s", words[0], why.text);
	if (r < 0 && e)
		*e = why;
	return r;
}

/*
 * Nothing of the machine's configuration counts. Locks are files: the others would be in /dev/shm,
 * under one name for all engines of the machine.
 */
static int write_config(const struct podman *pod, struct err *e)
{
	_cleanup_(fclosep) FILE *f = NULL;
	char path[PATH_MAX];

	room_path(pod->room, PODMAN_CONFIG, path, sizeof(path));
	f = fopen(path, "we");
	if (!f || fputs("[engine]\nlock_type = \"file\"\n", f) < 0 || fflush(f) != 0)
		return err_set(e, errno, "cannot write %s", path);
	return 0;
}

/* The room's directory is the user's. */
static int furnish(const struct podman *pod, struct err *e)
{
	const struct passwd *pw = getpwnam(pod->user ?: "root");
	char dir[PATH_MAX];
	int r;

	if (!pw)
		return err_say(e, ENOENT, "there is no user '%s'", pod->user ?: "root");
	room_path(pod->room, PODMAN_DIR, dir, sizeof(dir));
	if (mkdir(dir, 0700) < 0 || chown(dir, pw->pw_uid, pw->pw_gid) < 0)
		return err_set(e, errno, "cannot create %s", dir);
	room_path(pod->room, PODMAN_ROOTFS, dir, sizeof(dir));
	r = rootfs_of_self(dir, pw->pw_uid, pw->pw_gid, e);
	return r < 0 ? r : write_config(pod, e);
}

/* Podman asks for limits above its own, which takes CAP_SYS_RESOURCE; the caller's will do. */
static void limit_text(char *ret, size_t size, const char *name, int resource)
{
	struct rlimit l = {0};
	long long max;

	(void)getrlimit(resource, &l);
	max = l.rlim_max == RLIM_INFINITY ? -1 : (long long)l.rlim_max;
	snprintf(ret, size, "%s=%lld:%lld", name, max, max);
}

/* Its containers' cgroups are below one of its own; a run may have more than one engine. */
static int note_cgroup(struct podman *pod, struct err *e)
{
	char name[32];

	snprintf(name, sizeof(name), "podman%d", pod->room->pid);
	return cgroup_note_trees(pod->cgroup, sizeof(pod->cgroup), name, pod->janitor, e);
}

DEFINE_CLEANUP(struct podman *, podman_free, podman_freep)

int podman_open(struct podman **ret, const struct path *p, const char *user, struct err *e)
{
	_cleanup_(podman_freep) struct podman *pod = xcalloc(1, sizeof(*pod));
	int r;

	pod->host_fd = p->lab->host_fd;
	pod->cancel_fd = p->cancel_fd;
	pod->user = user;
	for (uint32_t i = 0; i < LAB_N_PODS; i++)
		engine_name(&pod->box[i], i);
	limit_text(pod->nofile, sizeof(pod->nofile), "nofile", RLIMIT_NOFILE);
	limit_text(pod->nproc, sizeof(pod->nproc), "nproc", RLIMIT_NPROC);
	r = room_open(&pod->room, e);
	if (r == 0)
		r = janitor_start(&pod->janitor, e);
	if (r == 0)
		r = note_cgroup(pod, e);
	if (r == 0)
		r = furnish(pod, e);
	if (r < 0)
		return r;
	*ret = take_ptr(pod);
	return 0;
}

void podman_free(struct podman *pod)
{
	if (!pod)
		return;
	for (uint32_t i = 0; i < LAB_N_PODS; i++)
		engine_leave(&pod->box[i]);
	room_close(pod->room);
	janitor_finish(pod->janitor);
	free(pod);
}

static int read_pid(const struct podman *pod, const char *file, pid_t *ret, struct err *e)
{
	char path[PATH_MAX], text[32];
	int r;

	room_path(pod->room, file, path, sizeof(path));
	r = file_read(path, text, sizeof(text), e);
	if (r < 0)
		return err_wrap(e, "podman did not say which process the container is");
	*ret = 0;
	if (sscanf(text, "%d", ret) != 1 || *ret <= 0)
		return err_say(e, EPROTO, "podman says '%.20s' where a process id belongs", text);
	return 0;
}

/*
 * NET_ADMIN changes nothing about a container's network; a load may need it for a congestion
 * control that the machine does not allow everybody. A user's container gets no cgroup.
 */
int podman_start(struct podman *pod, uint32_t i, const char *const *words, struct err *e)
{
	struct engine_container *box = &pod->box[i];
	struct engine_words w = {0};
	char pidfile[64], proc[64];
	pid_t pid;
	int r;

	snprintf(pidfile, sizeof(pidfile), "%s/%s.pid", PODMAN_DIR, box->name);
	ENGINE_ADD(&w, "run", "--detach", "--name", box->name, "--pidfile", pidfile, "--ulimit",
		pod->nofile, "--ulimit", pod->nproc, "--cap-add", "NET_ADMIN", "--env",
		"LD_LIBRARY_PATH=/lib");
	if (!pod->user)
		ENGINE_ADD(&w, "--cgroups=no-conmon", "--cgroup-parent", pod->cgroup);
	engine_add(&w, words);
	ENGINE_ADD(&w, "--rootfs", PODMAN_ROOTFS, ROOTFS_EXE, "agent", "--listen", box->socket);
	r = podman_do(pod, w.word, e);
	if (r == 0)
		r = read_pid(pod, pidfile, &pid, e);
	if (r < 0)
		return r;
	room_path(pod->room, "/proc", proc, sizeof(proc));
	return engine_enter(box, proc, pid, pod->cancel_fd, e);
}
