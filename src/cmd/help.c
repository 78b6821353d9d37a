/* --help, man page source (scdoc) and bash completion, all from the option tables. */
#include "base/mem.h"
#include "base/str.h"
#include "base/version.h"
#include "cmd/cmd.h"
#include "report/report.h"
#include "sys/term.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_COLUMNS 100u /* at most: longer lines are hard to read */

static const char *const exit_text[] = {
	[EXIT_DONE] = "done",
	[EXIT_CONDITION] = "measured, but a --fail-* condition holds",
	[EXIT_USAGE] = "wrong usage",
	[EXIT_ENVIRONMENT] = "this machine can't do it, or the output can't be written",
	[EXIT_RUN] = "a trial or an agent failed, or the run was interrupted",
};

void help_overview(FILE *out)
{
	fprintf(out,
		"tare %s: what a container's network costs over the bare machine\n\n"
		"Usage: tare COMMAND [OPTIONS]\n\n",
		TARE_VERSION);
	for (size_t i = 0; command_table[i]; i++)
		fprintf(out, "  %-10s %s\n", command_table[i]->name, command_table[i]->summary);
	fputs("\ntare -c HOST and tare -s take iperf3's options (tare -s --help, tare-iperf3(1)).\n"
	      "tare COMMAND --help tells a command's options; tare --version the version.\n",
		out);
}

/* Words of @text from @column on; lines after the first begin with @indent blanks. */
static void fold(const char *text, size_t column, size_t indent, FILE *out)
{
	const uint32_t columns = term_columns(STDOUT_FILENO);
	const size_t width = columns ? MIN(columns, LINE_COLUMNS) : LINE_COLUMNS;

	while (*text) {
		size_t len = strcspn(text, " \n");

		if (column > indent && column + 1 + len > width) {
			fprintf(out, "\n%*s", (int)indent, "");
			column = indent;
		} else if (column > indent) {
			fputc(' ', out);
			column++;
		}
		fwrite(text, 1, len, out);
		column += len;
		text += len;
		if (*text == '\n') {
			fputc('\n', out);
			column = 0;
		}
		text += *text != '\0';
	}
	fputc('\n', out);
}

/* "<rate>", or "tx|rx|both" for names. */
static void arg_text(const struct opt *o, char *ret, size_t size)
{
	ret[0] = '\0';
	if (o->arg)
		str_addf(ret, size, "%s", o->arg);
	for (uint32_t i = 0; i < o->n_names; i++)
		str_addf(ret, size, "%s%s", i ? "|" : "", o->names[i]);
}

/* "; 1 to 1024; default 1" */
static void range_text(const struct opt *o, const void *cfg, char *ret, size_t size)
{
	char low[32], high[32], usual[256];

	ret[0] = '\0';
	if (o->type == OPT_T_U32 || o->type == OPT_T_U64) {
		num_format(o->min, o->unit, low, sizeof(low));
		num_format(o->max, o->unit, high, sizeof(high));
		str_addf(ret, size, "; %s to %s", low, high);
	}
	opt_get(o, cfg, usual, sizeof(usual));
	if (o->type != OPT_T_FLAG && *usual)
		str_addf(ret, size, "; default %s",
			o->zero_ok && strcspn(usual, "123456789") == strlen(usual) ? "0" : usual);
}

static void help_option(const struct opt *o, const void *cfg, FILE *out)
{
	char arg[128], range[320], left[192] = "", text[1024] = "";

	arg_text(o, arg, sizeof(arg));
	range_text(o, cfg, range, sizeof(range));
	if (o->short_name)
		str_addf(left, sizeof(left), "-%c, ", o->short_name);
	else
		str_addf(left, sizeof(left), "    ");
	str_addf(left, sizeof(left), "--%s%s%s", o->name, *arg ? " " : "", arg);
	fprintf(out, "  %-28s%s ", left,
		strlen(left) > 28 ? "\n                              " : "");
	str_addf(text, sizeof(text), "%s%s", o->help, range);
	fold(text, 31, 31, out);
}

void help_options(const struct opt *opts, const void *cfg, FILE *out)
{
	for (const struct opt *o = opts; o->name; o++)
		help_option(o, cfg, out);
}

void help_command(const struct command *c, FILE *out)
{
	struct opt_group groups[CMD_MAX_GROUPS] = {0};
	struct cmd_cfg *cfg = xcalloc(1, sizeof(*cfg));

	cmd_cfg_init(cfg, c, groups);
	fprintf(out, "Usage: tare %s%s%s%s\n\n", c->name, groups[0].opts ? " [OPTIONS]" : "",
		*c->args ? " " : "", c->args);
	fold(c->description, 0, 0, out);
	for (const struct opt_group *g = groups; g->opts; g++) {
		fprintf(out, "\n%s:\n", g->title);
		help_options(g->opts, g->cfg, out);
	}
	fputs("\nExamples:\n", out);
	for (size_t i = 0; i < ARRAY_SIZE(c->examples) && c->examples[i]; i++) {
		const char *text = strchr(c->examples[i], '\n');

		fprintf(out, "  %.*s\n      %s\n", (int)(text - c->examples[i]), c->examples[i],
			text + 1);
	}
	free(cfg);
}

static void man_option(const struct opt *o, const struct opt_group *g, FILE *out)
{
	char arg[128], range[320];

	arg_text(o, arg, sizeof(arg));
	range_text(o, g->cfg, range, sizeof(range));
	if (o->short_name)
		fprintf(out, "*-%c*, ", o->short_name);
	fprintf(out, "*--%s*", o->name);
	if (*arg) {
		fputc(' ', out);
		report_scdoc(out, arg);
	}
	fputs("\n\t", out);
	report_scdoc(out, o->help);
	report_scdoc(out, range);
	fputs(".\n", out);
	if (g->stored)
		fprintf(out, "\tStored with each result as *%s*.\n", o->field);
	fputc('\n', out);
}

static void man_exit(FILE *out)
{
	fputs("# EXIT STATUS\n\n", out);
	for (size_t i = 0; i < ARRAY_SIZE(exit_text); i++) {
		fprintf(out, "*%zu*\n\t", i);
		report_scdoc(out, exit_text[i]);
		fputs("\n\n", out);
	}
}

static void man_command(const struct command *c, FILE *out)
{
	struct opt_group groups[CMD_MAX_GROUPS] = {0};
	struct cmd_cfg *cfg = xcalloc(1, sizeof(*cfg));

	cmd_cfg_init(cfg, c, groups);
	fprintf(out,
		"tare-%s(1)\n\n# NAME\n\ntare-%s - %s\n\n# SYNOPSIS\n\n*tare %s* %s%s\n\n"
		"# DESCRIPTION\n\n",
		c->name, c->name, c->summary, c->name, groups[0].opts ? "[options] " : "", c->args);
	report_scdoc(out, c->description);
	fputs("\n\n# OPTIONS\n\n*-h*, *--help*\n\tPrint the options and examples.\n\n", out);
	for (const struct opt_group *g = groups; g->opts; g++) {
		fprintf(out, "## %s\n\n", g->title);
		for (const struct opt *o = g->opts; o->name; o++)
			man_option(o, g, out);
	}
	fputs("# EXAMPLES\n\n", out);
	for (size_t i = 0; i < ARRAY_SIZE(c->examples) && c->examples[i]; i++) {
		const char *text = strchr(c->examples[i], '\n');

		fprintf(out, "*%.*s*\n\t%s\n\n", (int)(text - c->examples[i]), c->examples[i],
			text + 1);
	}
	man_exit(out);
	fputs("# SEE ALSO\n\n*tare*(1), *tare-result*(5)\n", out);
	free(cfg);
}

static void man_overview(FILE *out)
{
	fputs("tare(1)\n\n# NAME\n\ntare - weigh container and VM networking against the bare "
	      "machine\n\n# SYNOPSIS\n\n*tare* COMMAND [options]\n\n# DESCRIPTION\n\n"
	      "tare builds the networks that containers have, sends traffic through them and "
	      "through the bare machine in turn, and says what each costs: goodput, latency, and "
	      "CPU time per byte and per transaction of the whole path.\n\n# COMMANDS\n\n",
		out);
	for (size_t i = 0; command_table[i]; i++)
		fprintf(out, "*tare-%s*(1)\n\t%s\n\n", command_table[i]->name,
			command_table[i]->summary);
	man_exit(out);
	fputs("# SEE ALSO\n\n*tare-result*(5), *ip*(8), *iperf3*(1)\n", out);
}

void help_man(const struct command *c, FILE *out)
{
	if (c)
		man_command(c, out);
	else
		man_overview(out);
}

/* case arms of the completion: words after a command, values after an enumerated option. */
static void completion_command(const struct command *c, FILE *out)
{
	struct opt_group groups[CMD_MAX_GROUPS] = {0};
	struct cmd_cfg *cfg = xcalloc(1, sizeof(*cfg));

	cmd_cfg_init(cfg, c, groups);
	fprintf(out, "\t%s) words=\"--help", c->name);
	for (const struct opt_group *g = groups; g->opts; g++)
		for (const struct opt *o = g->opts; o->name; o++)
			fprintf(out, " --%s", o->name);
	fputc(*c->args ? ' ' : '"', out);
	for (const char *s = c->args; *s; s++)
		fputc(islower((unsigned char)*s) || *s == '-' ? *s : ' ', out);
	fputs(*c->args ? "\" ;;\n" : " ;;\n", out);
	free(cfg);
}

static void completion_paths(FILE *out)
{
	fputs("\t-p | --path) words=\"all", out);
	for (size_t i = 0; i < PATH_SET_N; i++)
		fprintf(out, " %s", path_set_name[i]);
	for (size_t i = 0; path_table[i]; i++)
		fprintf(out, " %s%s", path_table[i]->name, path_table[i]->arg ? ":" : "");
	fputs("\" ;;\n", out);
}

/* Paths and loads are lists: what stands before the last comma stays. */
void help_completion(FILE *out)
{
	fputs("# bash completion of tare\n_tare()\n{\n"
	      "\tlocal words=\"\" word=${COMP_WORDS[COMP_CWORD]} before=\"\"\n"
	      "\tcase \"${COMP_CWORD:-0}:${COMP_WORDS[1]:-}\" in\n\t1:*) words=\"--help --version",
		out);
	for (size_t i = 0; command_table[i]; i++)
		fprintf(out, " %s", command_table[i]->name);
	fputs("\" ;;\n\tesac\n\t[ -n \"$words\" ] || case \"${COMP_WORDS[1]:-}\" in\n", out);
	for (size_t i = 0; command_table[i]; i++)
		completion_command(command_table[i], out);
	fputs("\tesac\n\tcase \"${COMP_WORDS[COMP_CWORD-1]}\" in\n", out);
	completion_paths(out);
	fputs("\t-L | --load) words=\"", out);
	for (size_t i = 0; load_table[i]; i++)
		fprintf(out, "%s%s", i ? " " : "", load_table[i]->name);
	fputs("\" ;;\n\t--file) mapfile -t COMPREPLY < <(compgen -f -- \"$word\"); return ;;\n"
	      "\tesac\n\t[[ $word != *,* ]] || before=${word%,*},\n"
	      "\tmapfile -t COMPREPLY < <(compgen -P \"$before\" -W \"$words\" -- "
	      "\"${word##*,}\")\n}\ncomplete -F _tare tare\n",
		out);
}
