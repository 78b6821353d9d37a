#include "sys/kmodule.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include <libkmod.h>

DEFINE_CLEANUP(struct kmod_ctx *, kmod_unref, ctx_unrefp)
DEFINE_CLEANUP(struct kmod_list *, kmod_module_unref_list, list_unrefp)

static bool holds(const struct kmodule_list *list, const char *path)
{
	for (uint32_t i = 0; i < list->n; i++)
		if (strcmp(list->path[i], path) == 0)
			return true;
	return false;
}

/* The list of what a module needs is complete, and in order of loading. Ref: modules.dep(5) */
static int add(struct kmodule_list *list, struct kmod_module *mod, struct err *e)
{
	const char *path = kmod_module_get_path(mod);

	if (!path || holds(list, path)) /* no path: built in */
		return 0;
	if (list->n == KMODULE_MAX)
		return err_say(e, E2BIG, "more than %d kernel modules for a guest", KMODULE_MAX);
	list->path[list->n++] = xstrdup(path);
	return 0;
}

static int add_with_needs(struct kmodule_list *list, struct kmod_module *mod, struct err *e)
{
	_cleanup_(list_unrefp) struct kmod_list *needs = kmod_module_get_dependencies(mod);
	struct kmod_list *i;
	int r = 0;

	kmod_list_foreach(i, needs)
	{
		struct kmod_module *need = kmod_module_get_module(i);

		r = r < 0 ? r : add(list, need, e);
		kmod_module_unref(need);
	}
	return r < 0 ? r : add(list, mod, e);
}

static int resolve_one(struct kmodule_list *list, struct kmod_ctx *ctx, const char *dir,
	const char *name, struct err *e)
{
	_cleanup_(list_unrefp) struct kmod_list *found = NULL;
	struct kmod_list *i;
	int r = kmod_module_new_from_lookup(ctx, name, &found);

	if (r < 0)
		return err_set(e, -r, "cannot look up the module '%s' in %s", name, dir);
	if (!found)
		return err_say(e, EOPNOTSUPP,
			"the guest's kernel has no module '%s' (%s); cloud kernels lack "
			"some, the one of make deps-vm does not",
			name, dir);
	kmod_list_foreach(i, found)
	{
		struct kmod_module *mod = kmod_module_get_module(i);

		r = r < 0 ? r : add_with_needs(list, mod, e);
		kmod_module_unref(mod);
	}
	return r;
}

static int check_index(const char *dir, struct err *e)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/modules.dep.bin", dir);
	if (access(path, R_OK) == 0)
		return 0;
	return err_say(e, EOPNOTSUPP,
		"no index of the guest's modules: %s is missing (run: depmod -b <guest-dir> "
		"<release>, or make deps-vm)",
		path);
}

int kmodule_resolve(struct kmodule_list *ret, const char *dir, const char *const *names,
	struct err *e)
{
	/* No configuration: what this machine does not want to load is no matter of the guest's. */
	static const char *const no_config[] = {NULL};
	_cleanup_(ctx_unrefp) struct kmod_ctx *ctx = NULL;
	int r = check_index(dir, e);

	*ret = (struct kmodule_list){0};
	if (r < 0)
		return r;
	ctx = kmod_new(dir, no_config);
	if (!ctx)
		return err_set(e, ENOMEM, "cannot open the modules in %s", dir);
	for (; r == 0 && *names; names++)
		r = resolve_one(ret, ctx, dir, *names, e);
	if (r < 0)
		kmodule_list_fini(ret);
	return r;
}

void kmodule_list_fini(struct kmodule_list *list)
{
	for (uint32_t i = 0; i < list->n; i++)
		free(list->path[i]);
	*list = (struct kmodule_list){0};
}
