#include "cmd/iperf_man.h"

#include "base/version.h"
#include "cmd/iperf_rows.h"
#include "report/report.h"

static const char *const side_title[] = {
	[IPERF_BOTH] = "OPTIONS OF BOTH",
	[IPERF_SERVER] = "OPTIONS OF A SERVER",
	[IPERF_CLIENT] = "OPTIONS OF A CLIENT",
};
static_assert(ARRAY_SIZE(side_title) == IPERF_SIDE_N);

static const char intro[] =
	"Called by the name iperf3, or with *-c* or *-s* instead of a command, tare takes the\n"
	"options of iperf3 3.21, speaks its protocol and prints its text and JSON, key for key.\n"
	"Clients and servers of iperf3 3.1 and later work with it.\n"
	"\n"
	"A server serves any number of clients at once, TCP and UDP on its one port, and tare's\n"
	"own clients too. Each test runs in a process of its own, without privileges; its lines\n"
	"mix with those of others, and *-J* prints one document per test.\n"
	"\n"
	"# WHAT IS DIFFERENT\n"
	"\n"
	"A client that sends waits until the server has all, and a server that receives takes in\n"
	"what is under way, so that bytes sent and received are equal wherever tare can see to\n"
	"it.\n"
	"\n"
	"UDP with *-b* sends each datagram at its own time, not in bursts: *--pacing-timer*\n"
	"changes nothing. A UDP hello that was lost is said again.\n"
	"\n"
	"*--server-bitrate-limit* slows all tests down to this rate together; no test is ended\n"
	"for it. Logins are good once.\n"
	"\n"
	"Options that tare refuses say why.\n";

static bool is_shown(const struct iperf_row *o)
{
	return o->help || o->refused;
}

static void option(const struct iperf_row *o, FILE *out)
{
	if (o->letter)
		fprintf(out, "*-%c*%s", o->letter, o->name ? ", " : "");
	if (o->name)
		fprintf(out, "*--%s*", o->name);
	if (o->arg_name) {
		fputs(" ", out);
		report_scdoc(out, o->arg_name);
	}
	fputs("\n\t", out);
	report_scdoc(out, o->help ? o->help : "");
	if (o->refused) {
		fputs(o->help ? " Refused: " : "Refused: ", out);
		report_scdoc(out, o->refused);
	}
	fputs("\n\n", out);
}

void iperf_man(FILE *out)
{
	fprintf(out, "tare-iperf3(1) \"\" \"tare %s\"\n\n", TARE_VERSION);
	fputs("# NAME\n\ntare-iperf3 - tare as a client and server of iperf3\n\n"
	      "# SYNOPSIS\n\n*tare* *-c* _HOST_ [options]\n\n*tare* *-s* [options]\n\n"
	      "# DESCRIPTION\n\n",
		out);
	fputs(intro, out);
	for (enum iperf_side side = 0; side < IPERF_SIDE_N; side++) {
		fprintf(out, "\n# %s\n\n", side_title[side]);
		for (size_t i = 0; i < iperf_n_rows; i++)
			if (iperf_rows[i].side == side && is_shown(&iperf_rows[i]))
				option(&iperf_rows[i], out);
	}
	fputs("# EXIT STATUS\n\n0 done; 1 anything else, as iperf3.\n\n"
	      "# SEE ALSO\n\n*tare*(1), *tare-serve*(1), *tare-stream*(1), *tare-udp*(1)\n",
		out);
}
