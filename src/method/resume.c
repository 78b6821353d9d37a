#include "method/resume.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RESUME_FORMAT 1

/* Of a file, at most: histograms and trials of the longest campaign are a tenth of it. */
#define MAX_BYTES ((off_t)1 << 30)

struct resume {
	const struct resume_ops *ops;
	int fd;
	char path[256];
};

/* One value as text. NULL: there is none. */
static char *value(const struct doc *d, const char *key)
{
	const struct doc *v = doc_get(d, key);
	_cleanup_(doc_freep) struct doc *alone = doc_array();

	if (!v)
		return xstrdup("nothing");
	doc_append(alone, doc_ref(v));
	return doc_text(alone);
}

/* "settle_ns is [5], in the file [1]": the first that differs. */
static int same_config(const struct resume *x, const void *campaign, const struct doc *there,
	struct err *e)
{
	_cleanup_(doc_freep) struct doc *now = x->ops->config(campaign);

	for (const char *key = doc_first_key(now); key; key = doc_next_key(now, key)) {
		_cleanup_(freep) char *a = value(now, key), *b = value(there, key);

		if (strcmp(a, b) != 0)
			return err_say(e, EEXIST,
				"it is of another campaign: %s is %s there, and %s here", key, b,
				a);
	}
	return 0;
}

static int read_head(const struct resume *x, void *campaign, const char *line, size_t len,
	struct err *e)
{
	_cleanup_(doc_freep) struct doc *d = NULL;
	uint64_t format;
	int r = doc_parse(&d, line, len, e);

	if (r == 0)
		r = doc_get_u64(d, x->ops->format, RESUME_FORMAT, &format, e);
	if (r < 0)
		return err_say(e, EEXIST, "it is no file of an earlier campaign");
	r = same_config(x, campaign, doc_get(d, "config"), e);
	return r < 0 ? r : x->ops->read_head(campaign, d, e);
}

static int read_unit(const struct resume *x, void *campaign, const char *line, size_t len,
	struct err *e)
{
	_cleanup_(doc_freep) struct doc *d = NULL;
	int r = doc_parse(&d, line, len, e);

	return r < 0 ? r : x->ops->read_unit(campaign, d, e);
}

/* @text: NUL-terminated. *ret_whole: bytes of whole lines. */
static int read_lines(const struct resume *x, void *campaign, const char *text, off_t *ret_whole,
	struct err *e)
{
	const char *line = text, *end;
	uint32_t n = 0;
	int r = 0;

	for (; r == 0 && (end = strchr(line, '\n')); line = end + 1) {
		n++;
		r = n == 1 ? read_head(x, campaign, line, (size_t)(end - line), e)
			   : read_unit(x, campaign, line, (size_t)(end - line), e);
		if (r < 0 && r != -EEXIST)
			r = err_wrap(e, "line %u", n);
	}
	*ret_whole = line - text;
	return r;
}

static int read_all(int fd, char **ret, struct err *e)
{
	struct stat st;
	size_t n = 0;

	if (fstat(fd, &st) < 0)
		return err_set(e, errno, "cannot look at it");
	if (!S_ISREG(st.st_mode) || st.st_size > MAX_BYTES)
		return err_say(e, EINVAL, "it is no file, or one of more than 1 GiB");
	*ret = xcalloc((size_t)st.st_size + 1, 1);
	while (n < (size_t)st.st_size) {
		ssize_t r = read(fd, *ret + n, (size_t)st.st_size - n);

		if (r < 0)
			return err_set(e, errno, "cannot read it");
		if (r == 0)
			break;
		n += (size_t)r;
	}
	return 0;
}

static int open_file(struct resume *x, void *campaign, bool *ret_there, struct err *e)
{
	struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	_cleanup_(freep) char *text = NULL;
	off_t whole = 0;
	int r;

	x->fd = open(x->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (x->fd < 0)
		return err_set(e, errno, "cannot open it");
	if (fcntl(x->fd, F_OFD_SETLK, &all) < 0)
		return err_set(e, errno, "another campaign writes to it");
	r = read_all(x->fd, &text, e);
	if (r == 0)
		r = read_lines(x, campaign, text, &whole, e);
	if (r < 0)
		return r;
	*ret_there = whole > 0;
	if (ftruncate(x->fd, whole) < 0 || lseek(x->fd, whole, SEEK_SET) < 0)
		return err_set(e, errno, "cannot cut off half a line");
	return 0;
}

int resume_open(struct resume **ret, const char *path, const struct resume_ops *ops, void *campaign,
	bool *ret_there, struct err *e)
{
	_cleanup_(resume_closep) struct resume *x = xcalloc(1, sizeof(*x));
	int r;

	x->ops = ops;
	str_set(x->path, path);
	r = open_file(x, campaign, ret_there, e);
	if (r < 0)
		return err_wrap(e, "--resume %s", x->path);
	*ret = take_ptr(x);
	return 0;
}

int resume_add(struct resume *x, const struct doc *unit, struct err *e)
{
	_cleanup_(freep) char *text = doc_text(unit);
	_cleanup_(freep) char *line = xasprintf("%s\n", text);
	size_t len = strlen(line), n = 0;

	while (n < len) {
		ssize_t r = write(x->fd, line + n, len - n);

		if (r < 0)
			return err_set(e, errno, "cannot write to %s", x->path);
		n += (size_t)r;
	}
	if (fdatasync(x->fd) < 0)
		return err_set(e, errno, "cannot write %s to the disk", x->path);
	return 0;
}

int resume_head(struct resume *x, const void *campaign, const struct doc *facts, struct err *e)
{
	_cleanup_(doc_freep) struct doc *d = doc_object();

	doc_put_u64(d, x->ops->format, RESUME_FORMAT);
	doc_put(d, "config", x->ops->config(campaign));
	for (const char *key = doc_first_key(facts); key; key = doc_next_key(facts, key))
		doc_put(d, key, doc_ref(doc_get(facts, key)));
	return resume_add(x, d, e);
}

void resume_close(struct resume *x)
{
	if (!x)
		return;
	if (x->fd >= 0)
		close(x->fd);
	free(x);
}
