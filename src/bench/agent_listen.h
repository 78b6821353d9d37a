/* Agents for whoever connects: what the only process of an engine's container does. */
#pragma once

#include "base/err.h"

/*
 * agent_listen() - one agent, a process of its own, for each connection to the socket at @path,
 * until a signal asks for the end, or there was none for a minute. As pid 1 of a container it ends
 * all of them with itself.
 *
 * Return: 0, or negative errno.
 */
int agent_listen(const char *path, struct err *e) must_check_;
