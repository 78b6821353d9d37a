/* TCP and UDP sockets with deadlines and errors in words. Addresses are numeric strings. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define SOCK_ADDR_LEN 46 /* INET6_ADDRSTRLEN */

/* Return: length of the address in @ret, or -EINVAL. */
int sock_addr(struct sockaddr_storage *ret, const char *ip, uint16_t port, struct err *e)
	must_check_;

/*
 * sock_resolve() - the first address of @host.
 * @family: AF_UNSPEC, AF_INET or AF_INET6
 */
int sock_resolve(const char *host, int family, char ret[static SOCK_ADDR_LEN], struct err *e)
	must_check_;

/* Address and port of a socket's own end, or of its peer; IPv4-mapped ones as IPv4. */
int sock_name(int fd, bool peer, char ret_ip[static SOCK_ADDR_LEN], uint16_t *ret_port,
	struct err *e) must_check_;

/*
 * sock_bind() - open a socket of @type (SOCK_STREAM, SOCK_DGRAM) bound to @ip:@port.
 * @ip: "0.0.0.0" or "::" for any
 *
 * Return: descriptor, or negative errno.
 */
int sock_bind(int type, const char *ip, uint16_t port, struct err *e) must_check_;

/* The same, of a socket that there is. */
int sock_bind_fd(int fd, const char *ip, uint16_t port, struct err *e) must_check_;

/* Opens an unbound socket of the family that @ip has. Return: descriptor or negative errno. */
int sock_open(int type, const char *ip, struct err *e) must_check_;

/* Connects within the deadline; the socket is blocking afterwards. */
int sock_connect(int fd, const char *ip, uint16_t port, uint64_t deadline_ns, struct err *e)
	must_check_;

/* Return: descriptor of the accepted connection, or negative errno (-ETIMEDOUT). */
/* The port that @fd is bound to, or 0. */
uint16_t sock_port(int fd);

int sock_accept(int listen_fd, uint64_t deadline_ns, struct err *e) must_check_;

/* Waits for input. Return: 0, -ETIMEDOUT (no words set) or negative errno. */
int sock_wait_readable(int fd, uint64_t deadline_ns) must_check_;

/* Datagrams that this socket dropped, its receive buffer being full; 0 where that is not told. */
uint64_t sock_drops(int fd);

/* Opens an unbound Multipath TCP socket of the family that @ip has. The same otherwise. */
int sock_open_mptcp(const char *ip, struct err *e) must_check_;

/* The DiffServ octet of either family; a mapped IPv4 peer of an IPv6 socket gets it too. */
int sock_set_tos(int fd, uint32_t tos, struct err *e) must_check_;

/* @name: "": nothing is set. */
int sock_set_congestion(int fd, const char *name, struct err *e) must_check_;

/* SO_MAX_PACING_RATE, 64 bits wide since Linux 4.20. Ref: socket(7) */
int sock_set_pacing(int fd, uint64_t bps, struct err *e) must_check_;

/* setsockopt() of an int; @what names the option in the message. */
int sock_set_int(int fd, int level, int option, int value, const char *what, struct err *e)
	must_check_;
