/* nftables rules of one network namespace, by libnftables (no nft program is run). */
#pragma once

#include "base/err.h"

/*
 * nft_run() - apply nft commands, all or nothing, inside the namespace @netns_fd.
 * @script: as "nft -f" takes it
 */
int nft_run(int netns_fd, const char *script, struct err *e) must_check_;
