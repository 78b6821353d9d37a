#include "sys/selfexe.h"

#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

struct visit {
	self_file_fn *fn;
	void *ctx;
	struct err *e;
	int r;
};

/*
 * The names are those the loader searched by, so they are found by them again. The program itself
 * has an empty one, the vDSO one without a path, the loader the one that the program asks for.
 */
static int visit_object(struct dl_phdr_info *info, size_t size, void *ctx)
{
	struct visit *v = ctx;
	const char *base = strrchr(info->dlpi_name, '/');
	char name[PATH_MAX];

	(void)size;
	if (!base)
		return 0;
	snprintf(name, sizeof(name), "lib%s", base);
	v->r = v->fn(v->ctx, info->dlpi_name, name, v->e);
	if (v->r == 0 && strncmp(base, "/ld", 3) == 0)
		v->r = v->fn(v->ctx, info->dlpi_name, info->dlpi_name + 1, v->e);
	return v->r;
}

int self_files(const char *exe_name, self_file_fn *fn, void *ctx, struct err *e)
{
	struct visit v = {fn, ctx, e, 0};
	int r = fn(ctx, "/proc/self/exe", exe_name, e);

	if (r < 0)
		return r;
	dl_iterate_phdr(visit_object, &v);
	return v.r;
}
