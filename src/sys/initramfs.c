#include "sys/initramfs.h"

#include "base/mem.h"
#include "sys/selfexe.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <archive.h>
#include <archive_entry.h>

struct initramfs {
	int fd;
	struct archive *archive;
};

DEFINE_CLEANUP(struct archive_entry *, archive_entry_free, entry_freep)

static int fail(struct initramfs *fs, const char *what, struct err *e)
{
	const char *why = archive_error_string(fs->archive);
	int errnum = archive_errno(fs->archive);

	return err_say(e, errnum > 0 ? errnum : EIO, "initramfs: cannot write '%s': %s", what,
		why ? why : "no reason given");
}

static int put_entry(struct initramfs *fs, const char *name, mode_t mode, int64_t bytes, dev_t dev,
	struct err *e)
{
	_cleanup_(entry_freep) struct archive_entry *entry = archive_entry_new();

	archive_entry_set_pathname(entry, name);
	archive_entry_set_mode(entry, mode);
	archive_entry_set_size(entry, bytes);
	archive_entry_set_nlink(entry, 1);
	archive_entry_set_rdev(entry, dev);
	return archive_write_header(fs->archive, entry) == ARCHIVE_OK ? 0 : fail(fs, name, e);
}

/* A folder that is there already does no harm. Ref: init/initramfs.c do_name */
static int put_parents(struct initramfs *fs, const char *name, struct err *e)
{
	char dir[PATH_MAX];

	for (const char *p = strchr(name, '/'); p; p = strchr(p + 1, '/')) {
		int r;

		snprintf(dir, sizeof(dir), "%.*s", (int)(p - name), name);
		r = put_entry(fs, dir, S_IFDIR | 0755, 0, 0, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int put_data(struct initramfs *fs, const char *name, const void *data, size_t bytes,
	struct err *e)
{
	int r = put_parents(fs, name, e);

	if (r == 0)
		r = put_entry(fs, name, S_IFREG | 0755, (int64_t)bytes, 0, e);
	if (r < 0)
		return r;
	for (size_t done = 0; done < bytes;) {
		la_ssize_t n =
			archive_write_data(fs->archive, (const char *)data + done, bytes - done);

		if (n <= 0)
			return fail(fs, name, e);
		done += (size_t)n;
	}
	return 0;
}

int initramfs_add_text(struct initramfs *fs, const char *name, const char *text, struct err *e)
{
	return put_data(fs, name, text, strlen(text), e);
}

int initramfs_add_file(struct initramfs *fs, const char *name, const char *source, struct err *e)
{
	_cleanup_(closep) int fd = open(source, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *data;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, errno, "initramfs: cannot open %s", source);
	if (st.st_size == 0)
		return put_data(fs, name, "", 0, e);
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return err_set(e, errno, "initramfs: cannot read %s", source);
	r = put_data(fs, name, data, (size_t)st.st_size, e);
	munmap(data, (size_t)st.st_size);
	return r;
}

static int put_self(void *fs, const char *source, const char *name, struct err *e)
{
	return initramfs_add_file(fs, name, source, e);
}

int initramfs_add_self(struct initramfs *fs, const char *name, struct err *e)
{
	return self_files(name, put_self, fs, e);
}

static int put_skeleton(struct initramfs *fs, struct err *e)
{
	static const char *const dir[] = {"dev", "proc", "sys", "tmp"};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(dir); i++)
		r = put_entry(fs, dir[i], S_IFDIR | 0755, 0, 0, e);
	/* Ref: Documentation/admin-guide/devices.txt: 5:1 is the system console. */
	return r < 0 ? r
		     : put_entry(fs, "dev/console", S_IFCHR | 0600, 0, (dev_t)((5 << 8) | 1), e);
}

int initramfs_new(struct initramfs **ret, struct err *e)
{
	_cleanup_(initramfs_freep) struct initramfs *fs = xcalloc(1, sizeof(*fs));
	int r;

	fs->fd = memfd_create("tare-initramfs", MFD_CLOEXEC);
	if (fs->fd < 0)
		return err_set(e, errno, "cannot create a file in memory");
	fs->archive = archive_write_new();
	if (!fs->archive)
		return err_set(e, ENOMEM, "cannot create an archive");
	if (archive_write_set_format_cpio_newc(fs->archive) != ARCHIVE_OK ||
		archive_write_set_bytes_in_last_block(fs->archive, 1) != ARCHIVE_OK ||
		archive_write_open_fd(fs->archive, fs->fd) != ARCHIVE_OK)
		return fail(fs, "header", e);
	r = put_skeleton(fs, e);
	if (r < 0)
		return r;
	*ret = take_ptr(fs);
	return 0;
}

int initramfs_finish(struct initramfs *fs, struct err *e)
{
	if (archive_write_close(fs->archive) != ARCHIVE_OK)
		return fail(fs, "end of the archive", e);
	return take_fd(fs->fd);
}

void initramfs_free(struct initramfs *fs)
{
	if (!fs)
		return;
	archive_write_free(fs->archive);
	closep(&fs->fd);
	free(fs);
}
