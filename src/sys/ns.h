/*
 * Namespaces held by file descriptors. Nothing is named or mounted, so a namespace and all that is
 * in it goes when the last process and descriptor of tare goes, kill -9 included.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * ns_user_enter() - move the calling, single-threaded process into a user namespace of its own,
 *                   as root there, with a network and a mount namespace owned by it.
 *
 * Return: 0, or negative errno when the kernel refuses user namespaces; the text names the setting.
 */
int ns_user_enter(struct err *e) must_check_;

/* Creates a network namespace, loopback up; *ret is its descriptor. The caller stays outside. */
int ns_net_new(int *ret, struct err *e) must_check_;

/*
 * Being inside a network namespace for a scope:
 *
 *	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
 *	r = ns_scope_enter(&scope, fd, e);
 *
 * Sockets opened meanwhile stay in that namespace. Concerns the calling thread only.
 */
struct ns_scope {
	int home_fd;
};
#define NS_SCOPE_NONE                                                                              \
	{                                                                                          \
		.home_fd = -1                                                                      \
	}
int ns_scope_enter(struct ns_scope *s, int netns_fd, struct err *e) must_check_;
void ns_scope_leave(struct ns_scope *s);

/* The inode of the calling thread's network namespace. */
int ns_net_own(uint32_t *ret, struct err *e) must_check_;

/*
 * ns_net_find() - the network namespace of this inode, as long as it is the caller's, has a process
 *                 or a name of ip-netns(8). Return: a descriptor, the caller's; or -ENOENT.
 */
int ns_net_find(uint32_t inode) must_check_;

/* A number of the namespace that no other one ever has, as inodes may; 0: unknown. */
uint64_t ns_net_cookie(int netns_fd);
