#include "dns/query.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <ldns/ldns.h>
#include <string.h>

/* Arrays while they grow. */
struct builder {
	struct dns_queries *q;
	const struct dns_cfg *cfg;
	uint64_t room_bytes;
	uint32_t room;
};

void dns_queries_free(struct dns_queries *q)
{
	if (!q)
		return;
	free(q->wire);
	free(q->at);
	free(q);
}

static void append(struct builder *b, const uint8_t *wire, size_t len)
{
	struct dns_queries *q = b->q;

	if (q->n + 1 >= b->room) {
		b->room = b->room ? 2 * b->room : 1024;
		q->at = xreallocarray(q->at, b->room, sizeof(*q->at));
		q->at[q->n] = q->n ? q->at[q->n] : 0;
	}
	if (q->at[q->n] + len > b->room_bytes) {
		b->room_bytes = b->room_bytes ? 2 * b->room_bytes : 1 << 16;
		q->wire = xreallocarray(q->wire, b->room_bytes, 1);
	}
	memcpy(q->wire + q->at[q->n], wire, len);
	q->at[q->n + 1] = q->at[q->n] + len;
	q->n++;
}

static int encode(const struct dns_cfg *cfg, const char *name, ldns_rr_type type, uint8_t **ret,
	size_t *ret_len, struct err *e)
{
	ldns_pkt *p = NULL;
	ldns_status s = ldns_pkt_query_new_frm_str(&p, name, type, LDNS_RR_CLASS_IN,
		cfg->no_recursion ? 0 : LDNS_RD);

	if (s == LDNS_STATUS_OK) {
		ldns_pkt_set_id(p, 0);
		if (cfg->edns_bytes)
			ldns_pkt_set_edns_udp_size(p, (uint16_t)cfg->edns_bytes);
		ldns_pkt_set_edns_do(p, cfg->dnssec);
		s = ldns_pkt2wire(ret, p, ret_len);
		ldns_pkt_free(p);
	}
	return s == LDNS_STATUS_OK ? 0
				   : err_say(e, EINVAL, "'%.100s' is not a name: %s", name,
					     ldns_get_errorstr_by_id(s));
}

static int add(struct builder *b, const char *name, const char *type_name, struct err *e)
{
	ldns_rr_type type = ldns_get_rr_type_by_name(type_name);
	_cleanup_(freep) uint8_t *wire = NULL;
	size_t len = 0;
	int r;

	if (!type)
		return err_say(e, EINVAL, "'%.100s' is not a query type", type_name);
	if (b->q->n == DNS_MAX_QUERIES)
		return err_say(e, E2BIG, "more than %d queries", DNS_MAX_QUERIES);
	r = encode(b->cfg, name, type, &wire, &len, e);
	if (r < 0)
		return r;
	assert(len <= DNS_QUERY_BYTES);
	append(b, wire, len);
	return 0;
}

/* @line: without its end, changed. Empty lines and comments are none. */
static int add_line(struct builder *b, char *line, struct err *e)
{
	char *rest = line, *name, *type;
	static const char blanks[] = " \t\r\n";

	line += strspn(line, blanks);
	if (!*line || *line == ';' || *line == '#')
		return 0;
	name = strtok_r(line, blanks, &rest);
	type = strtok_r(NULL, blanks, &rest);
	if (!type)
		return err_say(e, EINVAL, "a query is a name and a type, not '%.100s'", name);
	if (strtok_r(NULL, blanks, &rest))
		return err_say(e, EINVAL, "more than a name and a type after '%.100s'", name);
	return add(b, name, type, e);
}

static int read_file(struct builder *b, struct err *e)
{
	bool is_stdin = strcmp(b->cfg->query_file, "-") == 0;
	const char *shown = is_stdin ? "stdin" : b->cfg->query_file;
	_cleanup_(fclosep) FILE *file =
		is_stdin ? fdopen(dup(STDIN_FILENO), "re") : fopen(shown, "re");
	char line[DNS_MAX_LINE_BYTES];
	uint64_t n = 0;

	if (!file)
		return err_set(e, errno, "cannot open '%s'", shown);
	while (fgets(line, sizeof(line), file)) {
		size_t len = strlen(line);
		int r = 0;

		n++;
		/* A NUL, or a line that goes on. */
		if (len == 0 || (line[len - 1] != '\n' && !feof(file)))
			r = err_say(e, EINVAL, "not a line of text of less than %d bytes",
				DNS_MAX_LINE_BYTES);
		r = r < 0 ? r : add_line(b, line, e);
		if (r < 0)
			return err_wrap(e, "%s:%llu", shown, (unsigned long long)n);
	}
	if (ferror(file))
		return err_set(e, errno ? errno : EIO, "cannot read '%s'", shown);
	return b->q->n ? 0 : err_say(e, EINVAL, "'%s' has no query", shown);
}

/* "host{1-1000}.example.com": the parts around the braces, and the range. */
struct pattern {
	int head_len;
	const char *tail;
	uint64_t first, last;
};

static int parse_range(const char *text, size_t len, struct pattern *ret, struct err *e)
{
	char copy[64];
	char *dash;
	struct err ignored;

	snprintf(copy, sizeof(copy), "%.*s", (int)len, text);
	dash = strchr(copy, '-');
	if (dash)
		*dash = '\0';
	if (!dash || len >= sizeof(copy) || num_parse(copy, NUM_COUNT, &ret->first, &ignored) < 0 ||
		num_parse(dash + 1, NUM_COUNT, &ret->last, &ignored) < 0 || ret->first > ret->last)
		return err_say(e, EINVAL, "--names: '{%.*s}' is not a range such as {1-1000}",
			(int)len, text);
	return 0;
}

static int parse_pattern(const char *names, struct pattern *ret, struct err *e)
{
	const char *open = strchr(names, '{'), *close;

	*ret = (struct pattern){.head_len = (int)strlen(names), .tail = "", .last = 0};
	if (!open)
		return 0;
	close = strchr(open, '}');
	if (!close || strchr(open + 1, '{'))
		return err_say(e, EINVAL, "--names: '%s' has not one pair of braces", names);
	ret->head_len = (int)(open - names);
	ret->tail = close + 1;
	return parse_range(open + 1, (size_t)(close - open - 1), ret, e);
}

static int generate(struct builder *b, struct err *e)
{
	const char *names = b->cfg->names;
	bool one = !strchr(names, '{');
	char name[MEMBER_SIZE(struct dns_cfg, names) + 32];
	struct pattern p;
	int r = parse_pattern(names, &p, e);

	if (r == 0 && p.last - p.first >= DNS_MAX_QUERIES)
		return err_say(e, E2BIG, "--names: more than %d names", DNS_MAX_QUERIES);
	for (uint64_t i = p.first; r == 0 && i <= p.last; i++) {
		snprintf(name, sizeof(name), "%.*s", p.head_len, names);
		if (!one)
			str_addf(name, sizeof(name), "%llu%s", (unsigned long long)i, p.tail);
		r = add(b, name, b->cfg->type, e);
	}
	return r < 0 ? err_wrap(e, "--names, --type") : 0;
}

int dns_queries_new(struct dns_queries **ret, const struct dns_cfg *cfg, struct err *e)
{
	_cleanup_(dns_queries_freep) struct dns_queries *q = xcalloc(1, sizeof(*q));
	struct builder b = {.q = q, .cfg = cfg};
	int r = *cfg->query_file ? read_file(&b, e) : generate(&b, e);

	if (r < 0)
		return r;
	*ret = take_ptr(q);
	return 0;
}

void dns_rcode_text(uint32_t rcode, char *ret, size_t size)
{
	const ldns_lookup_table *row = ldns_lookup_by_id(ldns_rcodes, (int)rcode);

	ret[0] = '\0';
	if (row)
		str_addf(ret, size, "%s", row->name);
	else
		str_addf(ret, size, "RCODE%u", rcode);
}
