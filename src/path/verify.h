/*
 * A packet each way, and some bytes over TCP each way, before anything is measured: an unproven
 * path is not a path. One that loses checksums or large packets still passes a ping.
 */
#pragma once

#include "path/path.h"

/*
 * path_verify() - a UDP packet each way, by each instance; then near connects to far by TCP, and
 *                 each sends more than the largest packet holds.
 *
 * Return: 0; -ETIMEDOUT naming the direction that stayed silent; -EBADMSG when only packets
 * without a checksum pass, or TCP moves nothing; -ECANCELED.
 */
int path_verify(const struct path *p, struct err *e) must_check_;
