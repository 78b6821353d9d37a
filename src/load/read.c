/* What can be read off a load while it runs, and after. */
#include "load/load.h"

#include "load/engine.h"
#include "sys/sock.h"

#include <pthread.h>
#include <sys/socket.h>

uint32_t load_n_flows(const struct load *l)
{
	return l->n_legs * l->cfg.flows;
}

void load_count_add(struct load_count *a, const struct load_count *b)
{
	uint64_t *to = (uint64_t *)a;
	const uint64_t *from = (const uint64_t *)b;

	for (size_t i = 0; i < sizeof(*a) / sizeof(*to); i++)
		to[i] += from[i];
}

void load_count_sub(struct load_count *a, const struct load_count *b)
{
	uint64_t *to = (uint64_t *)a;
	const uint64_t *from = (const uint64_t *)b;

	for (size_t i = 0; i < sizeof(*a) / sizeof(*to); i++)
		to[i] -= from[i];
}

void load_flow_count(const struct load *l, uint32_t i, struct load_count *ret)
{
	const struct flow *f = load_flow(l, i);
	const uint64_t *from = (const uint64_t *)&f->count;
	uint64_t *to = (uint64_t *)ret;

	for (size_t k = 0; k < sizeof(*ret) / sizeof(*to); k++)
		to[k] = __atomic_load_n(&from[k], __ATOMIC_RELAXED);
	if (l->udp && f->fd >= 0)
		ret->socket_drops = sock_drops(f->fd);
}

uint64_t load_flow_jitter_ns(const struct load *l, uint32_t i)
{
	return __atomic_load_n(&load_flow(l, i)->jitter_ns, __ATOMIC_RELAXED);
}

uint64_t load_jitter_ns(const struct load *l)
{
	uint64_t sum_ns = 0;
	uint32_t n = 0;

	for (uint32_t i = 0; i < load_n_flows(l); i++) {
		if (load_flow(l, i)->active)
			continue;
		sum_ns += load_flow_jitter_ns(l, i);
		n++;
	}
	return n ? sum_ns / n : 0;
}

void load_count(const struct load *l, struct load_count *ret)
{
	*ret = (struct load_count){0};
	for (uint32_t i = 0; i < load_n_flows(l); i++) {
		struct load_count one;

		load_flow_count(l, i, &one);
		load_count_add(ret, &one);
	}
}

uint32_t load_flow_cpus(const struct load *l, uint64_t *ret, uint32_t max)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < load_n_flows(l) && n < max; i++) {
		socklen_t len = sizeof(int);
		int cpu = -1;

		if (getsockopt(load_flow(l, i)->fd, SOL_SOCKET, SO_INCOMING_CPU, &cpu, &len) == 0 &&
			cpu >= 0)
			ret[n++] = (uint64_t)cpu;
	}
	return n;
}

int load_flow_fd(const struct load *l, uint32_t i, bool *ret_active)
{
	const struct flow *f = load_flow(l, i);

	*ret_active = f->active;
	return f->fd;
}

uint32_t load_thread_clocks(const struct load *l, clockid_t *ret, uint32_t max)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < l->n_legs; i++)
		for (uint32_t k = 0; k < l->leg[i].n_workers && n < max; k++)
			if (l->leg[i].worker[k].running &&
				pthread_getcpuclockid(l->leg[i].worker[k].thread, &ret[n]) == 0)
				n++;
	return n;
}

uint32_t load_thread_cpus(const struct load *l, uint64_t *first, uint64_t *last)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < l->n_legs; i++)
		for (uint32_t k = 0; k < l->leg[i].n_workers; k++) {
			first[n] = l->leg[i].worker[k].first_cpu;
			last[n++] = l->leg[i].worker[k].last_cpu;
		}
	return n;
}

uint32_t load_sending_fds(const struct load *l, int *ret, uint32_t max)
{
	uint32_t n = 0;

	if (l->udp || l->ops->connects)
		return 0;
	for (uint32_t i = 0; i < l->n_legs; i++)
		for (uint32_t k = 0; l->leg[i].active && k < l->leg[i].n_flows && n < max; k++)
			ret[n++] = l->leg[i].flow[k].fd;
	return n;
}

uint32_t load_hists(const struct load *l)
{
	return l->ops->hists;
}

void load_hist(const struct load *l, enum load_hist id, struct hist *into)
{
	for (uint32_t i = 0; i < l->n_legs; i++)
		for (uint32_t k = 0; k < l->leg[i].n_workers; k++)
			if (l->leg[i].worker[k].hist[id])
				hist_merge(into, l->leg[i].worker[k].hist[id]);
}
