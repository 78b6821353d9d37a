#include "path/engine.h"

#include "base/clock.h"
#include "base/str.h"
#include "sys/file.h"
#include "sys/unixsock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

/* From the engine's word that the container runs to the agent's listening in it. */
#define ENGINE_LISTEN_NS (10 * NSEC_PER_SEC)

static int attach(const struct path_end *end, int *ret_fd, struct err *e)
{
	const struct engine_container *c = end->host;
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/root%s", c->proc, c->socket);
	fd = unixsock_connect(path, clock_now_ns() + ENGINE_LISTEN_NS, c->cancel_fd, e);
	if (fd < 0)
		return err_wrap(e, "the container's agent does not answer");
	*ret_fd = fd;
	return 0;
}

/* A user namespace with one user in it has none to run containers as. Ref: user_namespaces(7) */
int engine_reachable(struct err *e)
{
	char map[64];
	unsigned long n = 0;

	if (file_read("/proc/self/uid_map", map, sizeof(map), NULL) < 0 ||
		sscanf(map, "%*u %*u %lu", &n) != 1 || n > 1)
		return 0;
	return err_say(e, EPERM,
		"containers of an engine need root: tare's user namespace has no "
		"other users");
}

void engine_name(struct engine_container *c, uint32_t i)
{
	*c = (struct engine_container){.netns_fd = -1, .cancel_fd = -1};
	snprintf(c->name, sizeof(c->name), "pod%u", i);
	snprintf(c->socket, sizeof(c->socket), "/run/%s.sock", c->name);
}

int engine_enter(struct engine_container *c, const char *proc, pid_t pid, int cancel_fd,
	struct err *e)
{
	char path[PATH_MAX];

	snprintf(c->proc, sizeof(c->proc), "%s/%d", proc, pid);
	c->cancel_fd = cancel_fd;
	snprintf(path, sizeof(path), "%s/ns/net", c->proc);
	c->netns_fd = open(path, O_RDONLY | O_CLOEXEC);
	return c->netns_fd < 0 ? err_set(e, errno, "cannot open the container's namespace %s", path)
			       : 0;
}

void engine_leave(struct engine_container *c)
{
	closep(&c->netns_fd);
}

void engine_at_end(struct path_end *end, struct engine_container *c)
{
	end->netns_fd = c->netns_fd;
	end->container = true;
	end->attach = attach;
	end->host = c;
	str_set(end->proc, c->proc);
}

void engine_add(struct engine_words *w, const char *const *list)
{
	for (; *list; list++) {
		assert(w->n < ENGINE_MAX_WORDS);
		w->word[w->n++] = *list;
	}
}
