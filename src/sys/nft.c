#include "sys/nft.h"

#include "base/cleanup.h"
#include "sys/ns.h"

#include <errno.h>

#include <nftables/libnftables.h>

DEFINE_CLEANUP(struct nft_ctx *, nft_ctx_free, nft_ctx_freep)

int nft_run(int netns_fd, const char *script, struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	_cleanup_(nft_ctx_freep) struct nft_ctx *ctx = NULL;
	int r = ns_scope_enter(&scope, netns_fd, e);

	if (r < 0)
		return r;
	ctx = nft_ctx_new(NFT_CTX_DEFAULT);
	if (!ctx)
		return err_set(e, ENOMEM, "cannot set up libnftables");
	if (nft_ctx_buffer_output(ctx) || nft_ctx_buffer_error(ctx))
		return err_set(e, ENOMEM, "cannot buffer libnftables' output");

	/* The kernel's answer is only in the error text: libnftables returns plain -1. */
	if (nft_run_cmd_from_buffer(ctx, script) != 0)
		return err_say(e, EOPNOTSUPP, "nftables: %s", nft_ctx_get_error_buffer(ctx));
	return 0;
}
