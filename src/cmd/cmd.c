#include "cmd/cmd.h"

#include "report/report.h"

#include <stdarg.h>
#include <string.h>

int cmd_fail(enum exit_code code, const char *fmt, ...)
{
	va_list ap;

	fputs("tare: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return code;
}

uint32_t cmd_load_row(const char *name)
{
	uint32_t i = 0;

	while (load_table[i] && strcmp(load_table[i]->name, name) != 0)
		i++;
	assert(load_table[i]);
	return i;
}

void cmd_cfg_init(struct cmd_cfg *cfg, const struct command *c, struct opt_group *groups)
{
	*cfg = (struct cmd_cfg){
		.command = c,
		.ask = {.paths = "basic", .loads = "stream,rr"},
		.bench = bench_cfg_default,
		.path = path_cfg_default,
		.serve = serve_cfg_default,
		.guest = guest_run_cfg_default,
		.remote = remote_cfg_default,
		.tester = tester_cfg_default,
		.frames = frames_cfg_default,
		.rfc = rfc_cfg_default,
	};
	for (uint32_t i = 0; load_table[i]; i++) {
		assert(i < CMD_MAX_LOADS);
		cfg->load[i] = *load_table[i]->defaults;
	}
	if (c->defaults)
		c->defaults(cfg);
	c->groups(groups, cfg);
}

int cmd_finish(void)
{
	int r = report_flush(stdout);

	return r < 0 ? cmd_fail(EXIT_ENVIRONMENT, "cannot write the output: %s", strerror(-r))
		     : EXIT_DONE;
}
