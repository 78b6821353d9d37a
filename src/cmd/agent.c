/*
 * "tare agent --listen PATH": what an engine's container runs (path/engine.h). Of no use to a
 * user, so no help shows it.
 */
#include "bench/agent_listen.h"
#include "cmd/cmd.h"

#include <string.h>

int agent_command(int argc, char **argv)
{
	struct err e = {0};

	if (argc != 3 || strcmp(argv[1], "--listen") != 0)
		return cmd_fail(EXIT_USAGE, "agent: expected --listen PATH");
	if (agent_listen(argv[2], &e) < 0)
		return cmd_fail(EXIT_ENVIRONMENT, "agent: %s", e.text);
	return EXIT_DONE;
}
