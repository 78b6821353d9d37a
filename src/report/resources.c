#include "report/resources.h"

void report_resources(const struct resources_cfg *cfg, const struct resources_info *x, FILE *out)
{
	if (x->n_functions && *x->functions)
		fprintf(out, "functions: --pin %s, on CPUs %s, by %s\n",
			resources_pin_name[cfg->pin], x->functions, x->by);
	if (*x->hogs)
		fprintf(out, "competing load: %u processes on CPUs %s%s\n", cfg->hog, x->hogs,
			x->tester_first ? "; the tester goes before them" : "");
	if (*cfg->numa)
		fprintf(out, "NUMA: %s\n", x->numa);
	if (cfg->hugepages)
		fputs("frames of functions are in huge pages\n", out);
	if (cfg->queues)
		fprintf(out, "queues of the wire and of links to pods: %u each way\n", cfg->queues);
	if (cfg->offloads == RESOURCES_OFFLOADS_OFF)
		fprintf(out, "offloads: %s\n", x->offloads);
	if (*x->note)
		fprintf(out, "note: %s\n", x->note);
}
