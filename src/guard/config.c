#include "guard/config.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define MAX_RULES 4096
/* As docker and others print ids. */
#define SHORT_ID 12

const char *const guard_policy_name[GUARD_POLICY_N] = {
	[GUARD_OBSERVE] = "observe",
	[GUARD_CHARGE] = "charge",
	[GUARD_CHARGE_DROP] = "charge+drop",
};
static_assert(ARRAY_SIZE(guard_policy_name) == GUARD_POLICY_N, "a name for each policy");

/* The words behind a rule's policy. */
struct rule_words {
	char cpus[32], protect[256], publish[256];
	uint64_t irq_ns;
};

static const struct opt rule_opts[] = {
	OPT_STR(struct rule_words, cpus, "cpus", 0, "<n>", "budget: 0.2, or 200m"),
	OPT_STR(struct rule_words, protect, "protect", 0, "<ports>", "never dropped: 22/6443"),
	OPT_STR(struct rule_words, publish, "publish", 0, "<ports>",
		"the host's ports that lead to it: tcp:8080/udp:53"),
	OPT_U64(struct rule_words, irq_ns, "irq", 0, "<time>", "what an interrupt costs",
		.unit = NUM_DURATION, .min = 1, .max = NSEC_PER_MSEC, .zero_ok = true),
	OPT_END,
};

void guard_rules_fini(struct guard_rules *r)
{
	free(r->item);
	*r = (struct guard_rules){0};
}

/* "0.2" CPUs are 0.2 s in a second, and "200m" of them 200 ms. */
static int parse_cpus(const char *text, uint64_t *ret, struct err *e)
{
	size_t digits = strspn(text, "0123456789.");
	char as_time[40];

	if (!*text)
		return 0;
	snprintf(as_time, sizeof(as_time), "%ss", text);
	if ((text[digits] && strcmp(text + digits, "m") != 0) ||
		num_parse(as_time, NUM_DURATION, ret, NULL) < 0)
		return err_say(e, EINVAL, "--cpus: '%s' is not such as 0.2 or 200m", text);
	if (*ret < NSEC_PER_MSEC || *ret > 4096 * NSEC_PER_SEC)
		return err_say(e, ERANGE, "--cpus: '%s' is out of range (0.001 to 4096)", text);
	return 0;
}

static bool parse_port(const char *text, uint16_t *ret)
{
	uint64_t port;

	if (num_parse(text, NUM_COUNT, &port, NULL) < 0 || port < 1 || port > UINT16_MAX)
		return false;
	*ret = (uint16_t)port;
	return true;
}

static int parse_ports(const char *text, struct guard_rule *ret, struct err *e)
{
	_cleanup_(freep) char *copy = xstrdup(text);
	char *rest = *copy ? copy : NULL, *word;

	while ((word = strsep(&rest, "/"))) {
		uint16_t port;

		if (!parse_port(word, &port))
			return err_say(e, EINVAL, "--protect: '%s' is not a port", word);
		if (ret->n_ports == GUARD_MAX_PORTS)
			return err_say(e, ERANGE, "--protect: more than %d ports", GUARD_MAX_PORTS);
		ret->port[ret->n_ports++] = port;
	}
	return 0;
}

static bool parse_publish(const char *word, struct guard_publish *ret)
{
	static const struct {
		const char *prefix;
		uint8_t proto;
	} row[] = {{"tcp:", IPPROTO_TCP}, {"udp:", IPPROTO_UDP}};

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		const size_t len = strlen(row[i].prefix);

		ret->proto = row[i].proto;
		if (strncmp(word, row[i].prefix, len) == 0)
			return parse_port(word + len, &ret->port);
	}
	return false;
}

static int parse_published(const char *text, struct guard_rule *ret, struct err *e)
{
	_cleanup_(freep) char *copy = xstrdup(text);
	char *rest = *copy ? copy : NULL, *word;

	while ((word = strsep(&rest, "/"))) {
		struct guard_publish one;

		if (!parse_publish(word, &one))
			return err_say(e, EINVAL,
				"--publish: '%s' is not such as tcp:8080 or udp:53", word);
		if (ret->n_published == GUARD_MAX_PUBLISHED)
			return err_say(e, ERANGE, "--publish: more than %d ports",
				GUARD_MAX_PUBLISHED);
		ret->published[ret->n_published++] = one;
	}
	return 0;
}

static int parse_words(const char *text, struct guard_rule *rule, struct err *e)
{
	struct rule_words words = {.irq_ns = GUARD_IRQ_UNSAID};
	int r = opt_set_pairs(rule_opts, &words, text, e);

	rule->irq_ns = words.irq_ns;
	if (r == 0)
		r = parse_cpus(words.cpus, &rule->cpus_ppb, e);
	if (r == 0)
		r = parse_ports(words.protect, rule, e);
	if (r == 0)
		r = parse_published(words.publish, rule, e);
	return r;
}

/* The policy stands between the last colon before the words and the words: WHO may have colons. */
static int parse_rule(char *line, struct guard_rule *rule, struct err *e)
{
	char *words = strchr(line, ','), *policy;
	int row;

	if (words)
		*words++ = '\0';
	policy = strrchr(line, ':');
	if (!policy || policy == line)
		return err_say(e, EINVAL, "'%s' is not WHO:POLICY", line);
	*policy++ = '\0';
	row = str_index(policy, guard_policy_name, GUARD_POLICY_N);
	if (row < 0)
		return err_say(e, EINVAL, "'%s' is not observe, charge or charge+drop", policy);
	rule->policy = (uint32_t)row;
	if (str_copy(rule->who, sizeof(rule->who), line) < 0)
		return err_say(e, EINVAL, "longer than %zu characters", sizeof(rule->who) - 1);
	return words ? parse_words(words, rule, e) : 0;
}

/* Without the blanks around it. */
static char *trimmed(const char *line)
{
	size_t len;

	while (isspace((unsigned char)*line))
		line++;
	len = strlen(line);
	while (len > 0 && isspace((unsigned char)line[len - 1]))
		len--;
	return xasprintf("%.*s", (int)len, line);
}

int guard_rules_add(struct guard_rules *r, const char *line, struct err *e)
{
	_cleanup_(freep) char *text = trimmed(line), *copy = xstrdup(text);
	struct guard_rule rule = {.irq_ns = GUARD_IRQ_UNSAID};

	if (r->n == MAX_RULES)
		return err_say(e, ERANGE, "more than %d rules", MAX_RULES);
	if (parse_rule(copy, &rule, e) < 0)
		return err_wrap(e, "rule '%s'", text);
	r->item = xreallocarray(r->item, r->n + 1, sizeof(*r->item));
	r->item[r->n++] = rule;
	return 0;
}

int guard_rules_add_list(struct guard_rules *r, const char *list, struct err *e)
{
	_cleanup_(freep) char *copy = xstrdup(list);
	char *rest = *copy ? copy : NULL, *line;
	int ret = 0;

	while (ret == 0 && (line = strsep(&rest, ";")))
		ret = guard_rules_add(r, line, e);
	return ret;
}

static bool says_nothing(const char *line)
{
	return *line == '#' || strspn(line, " \t\r\n") == strlen(line);
}

int guard_rules_read(struct guard_rules *r, const char *path, struct err *e)
{
	_cleanup_(fclosep) FILE *in = fopen(path, "re");
	uint32_t number = 0;
	char line[1024];

	if (!in)
		return err_set(e, errno, "cannot open %s", path);
	while (fgets(line, sizeof(line), in)) {
		number++;
		if (!strchr(line, '\n') && !feof(in))
			return err_say(e, EINVAL, "%s:%u: the line is too long", path, number);
		if (!says_nothing(line) && guard_rules_add(r, line, e) < 0)
			return err_wrap(e, "%s:%u", path, number);
	}
	return ferror(in) ? err_set(e, EIO, "cannot read %s", path) : 0;
}

static bool fits_name(const char *pattern, const struct container *c)
{
	char full[sizeof(c->k8s_ns) + sizeof(c->name) + 1];

	snprintf(full, sizeof(full), "%s/%s", c->k8s_ns, c->name);
	if (fnmatch(pattern, c->name, 0) == 0)
		return true;
	if (*c->k8s_ns && fnmatch(pattern, full, 0) == 0)
		return true;
	return *c->id && strlen(pattern) >= SHORT_ID &&
	       strncmp(pattern, c->id, strlen(pattern)) == 0;
}

bool guard_rule_fits(const struct guard_rule *r, const struct container *c)
{
	const char *kind = c->kind < CONTAINER_KIND_N ? container_kind_name[c->kind] : "";
	size_t len = strcspn(r->who, ":");

	if (r->who[0] == '/')
		return *c->cgroup && fnmatch(r->who, c->cgroup, 0) == 0;
	if (r->who[len] && len == strlen(kind) && strncmp(r->who, kind, len) == 0)
		return fits_name(r->who + len + 1, c);
	return fits_name(r->who, c);
}

const struct guard_rule *guard_rules_find(const struct guard_rules *r, const struct container *c)
{
	for (uint32_t i = 0; i < r->n; i++)
		if (guard_rule_fits(&r->item[i], c))
			return &r->item[i];
	return NULL;
}
