#include "path/vm_image.h"

#include "base/mem.h"
#include "base/str.h"
#include "sys/initramfs.h"

#include <errno.h>
#include <glob.h>
#include <string.h>

/* Return: the newest by version number, or NULL. */
static const char *newest(const glob_t *found)
{
	const char *best = NULL;

	for (size_t i = 0; i < found->gl_pathc; i++)
		if (!best || strverscmp(found->gl_pathv[i], best) > 0)
			best = found->gl_pathv[i];
	return best;
}

static int find_kernel(const char *guest_dir, char *ret, size_t size, struct err *e)
{
	_cleanup_(freep) char *pattern = xasprintf("%s/boot/vmlinuz-*", guest_dir);
	glob_t found = {0};
	const char *best;

	(void)glob(pattern, 0, NULL, &found);
	best = newest(&found);
	if (best)
		(void)str_copy(ret, size, best);
	globfree(&found);
	if (best)
		return 0;
	return err_say(e, EOPNOTSUPP,
		"no kernel for a guest: there is no %s (make deps-vm, or --guest-dir)", pattern);
}

int vm_image_find(struct vm_image *ret, const char *guest_dir, const char *const *modules,
	struct err *e)
{
	_cleanup_(freep) char *dir = NULL;
	int r;

	*ret = (struct vm_image){0};
	r = find_kernel(guest_dir, ret->kernel, sizeof(ret->kernel), e);
	if (r < 0)
		return r;
	dir = xasprintf("%s/lib/modules/%s", guest_dir,
		strstr(strrchr(ret->kernel, '/'), "vmlinuz-") + strlen("vmlinuz-"));
	return kmodule_resolve(&ret->modules, dir, modules, e);
}

void vm_image_fini(struct vm_image *image)
{
	kmodule_list_fini(&image->modules);
}

static int add_modules(struct initramfs *fs, const struct kmodule_list *list, struct err *e)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < list->n; i++) {
		const char *base = strrchr(list->path[i], '/') + 1;
		_cleanup_(freep) char *name = xasprintf(GUEST_MODULES "/%02u-%s", i, base);

		r = initramfs_add_file(fs, name, list->path[i], e);
	}
	return r;
}

int vm_image_initramfs(const struct vm_image *image, const char *name, const char *text,
	struct err *e)
{
	_cleanup_(initramfs_freep) struct initramfs *fs = NULL;
	int r = initramfs_new(&fs, e);

	if (r == 0)
		r = initramfs_add_self(fs, "init", e);
	if (r == 0)
		r = add_modules(fs, &image->modules, e);
	if (r == 0)
		r = initramfs_add_text(fs, name, text, e);
	return r < 0 ? r : initramfs_finish(fs, e);
}
