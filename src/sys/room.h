/*
 * A room: a pid and a mount namespace with an empty /run of their own, held by a process that is
 * pid 1 there. What is started in it (daemons, engines, containers) and what it writes below /run
 * is gone the moment the room closes or tare dies, kill -9 included.
 */
#pragma once

#include "base/cleanup.h"
#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

struct room {
	pid_t pid;   /* of its pid 1, as seen from here */
	int pipe_fd; /* the room lasts as long as this is open */
	int pid_ns_fd, mnt_ns_fd;
	int root_fd; /* entering a mount namespace leaves a chroot, which tare may live in */
};

/* Where files of a room belong: a directory there that every user can pass. */
#define ROOM_DIR "/run/tare"

int room_open(struct room **ret, struct err *e) must_check_;
/* Kills all that is in it, and waits until that is done. */
void room_close(struct room *room);
DEFINE_CLEANUP(struct room *, room_close, room_closep)

/*
 * Stops all that runs in the room, or lets it go on. For programs that use CPU time also when there
 * is nothing to do.
 */
int room_freeze(struct room *room, bool freeze, struct err *e) must_check_;

/*
 * Moves the calling process, which has one thread, into the room; children it has from now on are
 * in its pid namespace, too. Return: false with errno.
 */
bool room_enter(const struct room *room);

/* The path from here of the absolute path @path in the room. */
void room_path(const struct room *room, const char *path, char *ret, size_t size);

/* Makes @path in the room, below /run, another name of the namespace @ns_fd. */
int room_bind_ns(const struct room *room, int ns_fd, const char *path, struct err *e) must_check_;

/*
 * Lets the room see an empty directory of its own at the absolute path @dir, whether the machine
 * has one there or not; nothing outside is changed. Its parent must exist.
 */
int room_private_dir(const struct room *room, const char *dir, struct err *e) must_check_;
