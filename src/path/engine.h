/*
 * Containers of an engine as ends of a path. tare's own program is all that is in their image, and
 * what runs in one is "tare agent" (cmd/agent.c), which is spoken to through /proc: an engine
 * that keeps its containers in another machine can't be measured this way.
 */
#pragma once

#include "path/path.h"

#include <sys/types.h>

/* What an engine is asked for may take this long on a loaded machine; it hangs otherwise. */
#define ENGINE_TIMEOUT_NS (30 * NSEC_PER_SEC)

struct engine_container {
	char name[16], socket[32]; /* where its agent listens, in it */
	char proc[64];             /* directory in /proc of its first process, as seen from here */
	int netns_fd;
	int cancel_fd; /* borrowed */
};

/*
 * Can this process start and enter an engine's containers? Return: 0 or -EPERM: not in the user
 * namespace that tare makes for itself without root.
 */
int engine_reachable(struct err *e) must_check_;

/* Pod @i of the lab, not started yet. */
void engine_name(struct engine_container *c, uint32_t i);

/*
 * engine_enter() - find a container that has been started.
 * @proc: where /proc of the engine is, "/proc" or below a room
 * @pid: its first process there
 */
int engine_enter(struct engine_container *c, const char *proc, pid_t pid, int cancel_fd,
	struct err *e) must_check_;
void engine_leave(struct engine_container *c);

/* Makes @c, which must outlive it, what runs at @end. */
void engine_at_end(struct path_end *end, struct engine_container *c);

/* An argument list; the words are borrowed. */
#define ENGINE_MAX_WORDS 64
struct engine_words {
	const char *word[ENGINE_MAX_WORDS + 1];
	uint32_t n;
};
void engine_add(struct engine_words *w, const char *const *list);
#define ENGINE_ADD(w, ...) engine_add(w, (const char *const[]){__VA_ARGS__, NULL})
