/* One line per subcommand. */
#pragma once

#include "cmd/cmd.h"

extern const struct command command_compare;
extern const struct command command_run;
extern const struct command command_serve;
extern const struct command command_stream;
extern const struct command command_udp;
extern const struct command command_rr;
extern const struct command command_crr;
extern const struct command command_frames;
extern const struct command command_charge;
extern const struct command command_dns;
extern const struct command command_rfc2544;
extern const struct command command_density;
extern const struct command command_guard;
extern const struct command command_penalty;
extern const struct command command_guest;
extern const struct command command_search;
extern const struct command command_list;
extern const struct command command_doc;
