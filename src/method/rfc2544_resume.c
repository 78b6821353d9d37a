/*
 * The file of --resume: JSON lines. The first says what the campaign is: its configuration, its
 * subject and tester, and what the self-test found; each other one is a finished unit. A line is
 * written in one piece and is on the disk before the next unit begins, so that a campaign that is
 * killed loses the unit it was at: half a last line is cut off.
 */
#include "base/mem.h"
#include "base/str.h"
#include "method/rfc2544_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RESUME_FORMAT 1

/* Of a file, at most: histograms and trials of the longest campaign are a tenth of it. */
#define MAX_BYTES ((off_t)1 << 30)

struct rfc_resume {
	int fd;
	char path[256];
};

/* All that makes numbers comparable. Values are compared one by one. */
static struct doc *config(const struct rfc *c)
{
	struct doc *d = doc_object();

	doc_put_str(d, "subject", c->subject->name);
	doc_put_str(d, "tx", c->subject->info.tx);
	doc_put_str(d, "rx", c->subject->info.rx);
	doc_put_opts(d, rfc_opts, &c->cfg);
	doc_put_opts(d, rfc_time_opts, &c->cfg.time);
	doc_put_opts(d, tester_opts, &c->tester);
	doc_put_opts(d, resources_opts, &c->resources);
	doc_put_str(d, "resume", ""); /* the name of the file is nobody's business */
	return d;
}

static struct doc *head(const struct rfc *c)
{
	struct doc *d = doc_object(), *sizes = doc_array();

	doc_put_u64(d, "tare_rfc2544_resume", RESUME_FORMAT);
	doc_put_str(d, "started", c->started);
	doc_put(d, "config", config(c));
	for (uint32_t i = 0; i < c->n_sizes; i++) {
		struct doc *one = doc_object();

		doc_put_str(one, "size", c->size[i].mix.name);
		doc_put_fields(one, rfc_size_fields, &c->size[i]);
		doc_put_str(one, "limit", rfc_limit_name[c->size[i].limit]);
		doc_append(sizes, one);
	}
	doc_put(d, "sizes", sizes);
	return d;
}

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
static int same_config(const struct rfc *c, const struct doc *there, struct err *e)
{
	_cleanup_(doc_freep) struct doc *now = config(c);

	for (const char *key = doc_first_key(now); key; key = doc_next_key(now, key)) {
		_cleanup_(freep) char *a = value(now, key), *b = value(there, key);

		if (strcmp(a, b) != 0)
			return err_say(e, EEXIST,
				"it is of another campaign: %s is %s there, and %s here", key, b,
				a);
	}
	return 0;
}

static int read_sizes(struct rfc *c, const struct doc *list, struct err *e)
{
	int r = 0;

	if (!doc_is_array(list) || doc_len(list) != c->n_sizes)
		return err_say(e, EEXIST, "it is of other sizes");
	for (uint32_t i = 0; r == 0 && i < c->n_sizes; i++) {
		struct rfc_size *size = &c->size[i];
		const struct doc *d = doc_at(list, i);
		char limit[32] = "";
		int k;

		if (!doc_is_str(doc_get(d, "size"), size->mix.name))
			return err_say(e, EEXIST, "it is of other sizes");
		r = doc_get_fields(d, rfc_size_fields, size, e);
		if (r == 0)
			r = doc_get_str(d, "limit", limit, sizeof(limit), e);
		k = str_index(limit, rfc_limit_name, RFC_LIMIT_N);
		if (r == 0 && k < 0)
			r = err_say(e, EPROTO, "limit: there is no '%s'", limit);
		size->limit = (uint32_t)MAX(k, 0);
	}
	return r;
}

static int read_head(struct rfc *c, const char *line, size_t len, struct err *e)
{
	_cleanup_(doc_freep) struct doc *d = NULL;
	uint64_t format;
	int r = doc_parse(&d, line, len, e);

	if (r == 0)
		r = doc_get_u64(d, "tare_rfc2544_resume", RESUME_FORMAT, &format, e);
	if (r < 0)
		return err_say(e, EEXIST, "it is no file of an earlier campaign");
	r = same_config(c, doc_get(d, "config"), e);
	if (r == 0)
		r = doc_get_str(d, "started", c->started, sizeof(c->started), e);
	return r < 0 ? r : read_sizes(c, doc_get(d, "sizes"), e);
}

static int read_unit(struct rfc *c, const char *line, size_t len, struct err *e)
{
	_cleanup_(doc_freep) struct doc *d = NULL;
	struct rfc_unit *u;
	int r = doc_parse(&d, line, len, e);

	if (r == 0)
		r = rfc_unit_read(&u, c, d, e);
	if (r == 0)
		rfc_unit_add(c, u);
	return r;
}

/* @text: NUL-terminated. *ret_whole: bytes of whole lines. */
static int read_lines(struct rfc *c, const char *text, off_t *ret_whole, struct err *e)
{
	const char *line = text, *end;
	uint32_t n = 0;
	int r = 0;

	for (; r == 0 && (end = strchr(line, '\n')); line = end + 1) {
		n++;
		r = n == 1 ? read_head(c, line, (size_t)(end - line), e)
			   : read_unit(c, line, (size_t)(end - line), e);
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

static int open_file(struct rfc_resume *x, struct rfc *c, bool *ret_there, struct err *e)
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
		r = read_lines(c, text, &whole, e);
	if (r < 0)
		return r;
	*ret_there = whole > 0;
	if (ftruncate(x->fd, whole) < 0 || lseek(x->fd, whole, SEEK_SET) < 0)
		return err_set(e, errno, "cannot cut off half a line");
	return 0;
}

int rfc_resume_open(struct rfc_resume **ret, struct rfc *c, bool *ret_there, struct err *e)
{
	_cleanup_(rfc_resume_closep) struct rfc_resume *x = xcalloc(1, sizeof(*x));
	int r;

	str_set(x->path, c->cfg.resume);
	r = open_file(x, c, ret_there, e);
	if (r < 0)
		return err_wrap(e, "--resume %s", x->path);
	*ret = take_ptr(x);
	return 0;
}

static int add_line(struct rfc_resume *x, const struct doc *d, struct err *e)
{
	_cleanup_(freep) char *text = doc_text(d);
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

int rfc_resume_head(struct rfc_resume *x, const struct rfc *c, struct err *e)
{
	_cleanup_(doc_freep) struct doc *d = head(c);

	return add_line(x, d, e);
}

int rfc_resume_add(struct rfc_resume *x, const struct rfc *c, const struct rfc_unit *u,
	struct err *e)
{
	_cleanup_(doc_freep) struct doc *d = rfc_unit_doc(c, u);

	return add_line(x, d, e);
}

void rfc_resume_close(struct rfc_resume *x)
{
	if (!x)
		return;
	if (x->fd >= 0)
		close(x->fd);
	free(x);
}
