/*
 * The first process of a guest that runs one command on its host's files: the host's root is
 * mounted read-only below a file system in memory, so that the command finds everything and changes
 * nothing.
 *
 * Words on the control port, one a line:
 *
 *	guest: ready                   the command starts
 *	       exit STATUS OUT ERR     it has ended, and has said that many bytes; or  error TEXT
 *	host:  quit                    and the guest powers off, as it does when the port closes
 *
 * What the command says goes through ports of its own, which may be behind: hence the numbers.
 */
#pragma once

#include "base/err.h"

/* A JSON object: argv, environment (lists of strings), directory, modules, module_dir. */
#define COMMAND_FILE_BYTES ((size_t)4 << 20) /* twice what Linux takes as arguments by default */
#define COMMAND_FILE       "tare.command"
#define COMMAND_PORT_CTL   "tare.ctl"
#define COMMAND_PORT_OUT   "tare.out"
#define COMMAND_PORT_ERR   "tare.err"

_Noreturn void command_main(void);

/* What the kernel calls to have a module loaded: modprobe, of the host's files. */
int command_modprobe(char **argv);
