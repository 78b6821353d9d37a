#include "cmd/table.h"

#include <string.h>

const struct command *const command_table[] = {
	&command_compare,
	&command_run,
	&command_serve,
	&command_stream,
	&command_udp,
	&command_rr,
	&command_crr,
	&command_frames,
	&command_dns,
	&command_charge,
	&command_rfc2544,
	&command_density,
	&command_guard,
	&command_penalty,
	&command_guest,
	&command_search,
	&command_list,
	&command_doc,
	NULL,
};

const struct command *command_find(const char *name)
{
	for (size_t i = 0; command_table[i]; i++)
		if (strcmp(command_table[i]->name, name) == 0)
			return command_table[i];
	return NULL;
}
