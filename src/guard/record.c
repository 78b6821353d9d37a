#include "guard/record.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#define HEAD "tare-guard-state 1\n"
/* The last line, over all before it. */
#define SUM_FORMAT "crc32 %08lx\n"
#define SUM_LEN    (sizeof("crc32 01234567\n") - 1)

void guard_record_fini(struct guard_record *r)
{
	free(r->item);
	free(r->device);
	*r = (struct guard_record){0};
}

struct guard_entry *guard_record_find(const struct guard_record *r, uint64_t id)
{
	for (uint32_t i = 0; i < r->n; i++)
		if (r->item[i].id == id)
			return &r->item[i];
	return NULL;
}

void guard_record_add(struct guard_record *r, const struct guard_entry *x)
{
	r->item = xreallocarray(r->item, r->n + 1, sizeof(*r->item));
	r->item[r->n++] = *x;
}

void guard_record_remove(struct guard_record *r, struct guard_entry *x)
{
	*x = r->item[--r->n];
}

void guard_record_add_device(struct guard_record *r, const struct guard_device *x)
{
	r->device = xreallocarray(r->device, r->n_devices + 1, sizeof(*r->device));
	r->device[r->n_devices++] = *x;
}

void guard_record_remove_device(struct guard_record *r, struct guard_device *x)
{
	*x = r->device[--r->n_devices];
}

static unsigned long sum_of(const char *text, size_t len)
{
	return crc32_z(crc32(0, Z_NULL, 0), (const unsigned char *)text, len);
}

char *guard_record_text(const struct guard_record *r)
{
	size_t size = 0;
	char *text = NULL;
	FILE *out = open_memstream(&text, &size);

	assert(out);
	fputs(HEAD, out);
	fprintf(out, "boot %s\n", r->boot);
	for (uint32_t i = 0; i < r->n; i++) {
		const struct guard_entry *x = &r->item[i];

		fprintf(out, "cgroup %" PRIu64 " %" PRId64 " %" PRIu64 " %s\n", x->id,
			x->was.quota_us, x->was.period_us, x->dir);
	}
	for (uint32_t i = 0; i < r->n_devices; i++) {
		const struct guard_device *x = &r->device[i];

		fprintf(out,
			"device %" PRIu32 " %d %" PRIu64 " %" PRIu32 " %" PRIu64 " %" PRIu32 "\n",
			x->netns, x->ifindex, x->was.flush_ns, x->was.defer, x->set.flush_ns,
			x->set.defer);
	}
	fflush(out);
	fprintf(out, SUM_FORMAT, sum_of(text, size));
	fclose(out);
	return text;
}

static int damaged(const char *what, struct err *e)
{
	return err_say(e, EBADMSG, "damaged: %s", what);
}

static int parse_device(struct guard_record *r, const char *line, struct err *e)
{
	struct guard_device x;
	int end = 0;

	if (sscanf(line, "device %" SCNu32 " %d %" SCNu64 " %" SCNu32 " %" SCNu64 " %" SCNu32 "%n",
		    &x.netns, &x.ifindex, &x.was.flush_ns, &x.was.defer, &x.set.flush_ns,
		    &x.set.defer, &end) != 6 ||
		line[end])
		return damaged("a device that is none", e);
	guard_record_add_device(r, &x);
	return 0;
}

/* @line: without its end */
static int parse_line(struct guard_record *r, const char *line, struct err *e)
{
	struct guard_entry x = {0};
	int at = 0;

	if (strncmp(line, "boot ", 5) == 0)
		return str_copy(r->boot, sizeof(r->boot), line + 5) == 0
			       ? 0
			       : damaged("a boot id that is too long", e);
	if (strncmp(line, "device ", 7) == 0)
		return parse_device(r, line, e);
	if (sscanf(line, "cgroup %" SCNu64 " %" SCNd64 " %" SCNu64 " %n", &x.id, &x.was.quota_us,
		    &x.was.period_us, &at) != 3 ||
		line[at] != '/' || str_copy(x.dir, sizeof(x.dir), line + at) < 0)
		return damaged("a line that is none of its own", e);
	guard_record_add(r, &x);
	return 0;
}

static int parse_body(struct guard_record *r, char *body, struct err *e)
{
	char *line;
	int ret = 0;

	while (ret == 0 && (line = strsep(&body, "\n")) && body)
		ret = parse_line(r, line, e);
	return ret == 0 && !*r->boot ? damaged("no boot id", e) : ret;
}

int guard_record_parse(struct guard_record *ret, const char *text, size_t len, struct err *e)
{
	_cleanup_(guard_record_fini) struct guard_record rec = {0};
	_cleanup_(freep) char *body = NULL;
	char sum[SUM_LEN + 1];
	size_t n;
	int r;

	if (len < strlen(HEAD) + SUM_LEN || strlen(text) != len ||
		strncmp(text, HEAD, strlen(HEAD)) != 0)
		return damaged("it does not begin as such a file does", e);
	n = len - SUM_LEN;
	snprintf(sum, sizeof(sum), SUM_FORMAT, sum_of(text, n));
	if (text[n - 1] != '\n' || strcmp(sum, text + n) != 0)
		return damaged("its checksum is another", e);
	body = xstrdup(text + strlen(HEAD));
	body[n - strlen(HEAD)] = '\0';
	r = parse_body(&rec, body, e);
	if (r < 0)
		return r;
	*ret = rec;
	rec = (struct guard_record){0};
	return 0;
}
