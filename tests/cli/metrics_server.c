/*
 * Serves a made-up bill at ADDR:PORT. Says its URL, and "bill" each time that it is asked for one;
 * obeys lines of its input: "step" lets time pass, "rows N" has so many containers, "fail" has the
 * next bill fail. Ends with its input.
 *
 * usage: metrics_server ADDR:PORT
 */
#include "base/mem.h"
#include "base/num.h"
#include "serve/metrics.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct made_up {
	uint64_t steps, n_containers;
	bool fails;
};

static void fill(struct bill_row *row, uint32_t owner, uint64_t steps)
{
	static const char *const fixed[] = {"host", "overhead", "web \"0\"\\"};

	row->owner = owner;
	row->who.kind = CONTAINER_POD;
	if (owner < ARRAY_SIZE(fixed))
		snprintf(row->who.name, sizeof(row->who.name), "%s", fixed[owner]);
	else
		snprintf(row->who.name, sizeof(row->who.name), "pod-%u", owner);
	if (owner >= SOFTIRQ_FIRST) {
		snprintf(row->who.id, sizeof(row->who.id), "%064u", owner);
		snprintf(row->who.k8s_ns, sizeof(row->who.k8s_ns), "shop");
		row->process_known = true;
	}
	row->soft.rx_ns = steps * 1500000001;
	row->soft.rx_pkts = steps * 1000;
	row->softirq_ns = row->soft.rx_ns;
	row->process_ns = steps * NSEC_PER_SEC;
	row->total_ns = (int64_t)(row->process_ns + row->softirq_ns);
}

static int make_up(void *ctx, struct bill *ret, struct err *e)
{
	struct made_up *m = ctx;

	puts("bill");
	if (m->fails) {
		m->fails = false;
		return err_say(e, EIO, "there is no bill");
	}
	*ret = (struct bill){
		.from_ns = NSEC_PER_SEC,
		.to_ns = (2 + m->steps) * NSEC_PER_SEC,
		.n_rows = SOFTIRQ_FIRST + (uint32_t)m->n_containers,
		.n_cpus = 2,
		.cpu = xcalloc(2, sizeof(struct softirq_cpu)),
		.conservation = 1,
	};
	ret->row = xcalloc(ret->n_rows, sizeof(*ret->row));
	for (uint32_t i = 0; i < ret->n_rows; i++)
		fill(&ret->row[i], i, m->steps);
	return 0;
}

static int obey(struct made_up *m, char *line)
{
	line[strcspn(line, "\n")] = '\0';
	if (strcmp(line, "step") == 0)
		m->steps++;
	else if (strcmp(line, "fail") == 0)
		m->fails = true;
	else if (strncmp(line, "rows ", 5) != 0 ||
		 num_parse(line + 5, NUM_COUNT, &m->n_containers, NULL) < 0)
		return -EINVAL;
	printf("%s\n", line);
	return 0;
}

static int serve(struct metrics *server, struct made_up *m)
{
	for (;;) {
		struct pollfd p[] = {
			{.fd = metrics_fd(server), .events = POLLIN},
			{.fd = STDIN_FILENO, .events = POLLIN},
		};
		char line[64];

		if (poll(p, ARRAY_SIZE(p), metrics_wait_ms(server)) < 0)
			return -errno;
		if (p[1].revents) {
			if (!fgets(line, sizeof(line), stdin))
				return 0;
			if (obey(m, line) < 0)
				return -EINVAL;
		}
		metrics_run(server);
	}
}

int main(int argc, char **argv)
{
	struct made_up m = {.n_containers = 1};
	_cleanup_(metrics_closep) struct metrics *server = NULL;
	struct err e = {0};
	char url[128];

	/* One line of input at a time, else poll() would not see the others; each line at once. */
	setvbuf(stdin, NULL, _IONBF, 0);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc != 2)
		return 2;
	if (metrics_open(&server, argv[1], make_up, &m, &e) != 0) {
		fprintf(stderr, "%s\n", e.text);
		return 4;
	}
	metrics_url(server, url, sizeof(url));
	puts(url);
	return serve(server, &m) < 0 ? 4 : 0;
}
