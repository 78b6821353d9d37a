#include "cmd/list_containers.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "charge/container.h"
#include "report/grid.h"

#include <net/if.h>

static const char *const column[] = {"kind", "id", "name", "netns", "devices", "cgroup"};

static void add_devices(const struct container *c, struct grid *g)
{
	char text[CONTAINER_MAX_DEVS * (IF_NAMESIZE + 1)] = "", name[IF_NAMESIZE];

	for (uint32_t i = 0; i < c->n_devs; i++)
		if (if_indextoname(c->dev[i].ifindex, name))
			str_addf(text, sizeof(text), "%s%s", *text ? "," : "", name);
	grid_add(g, "%s", *text ? text : "-");
}

static void add_netns(const struct container *c, struct grid *g)
{
	if (c->host_netns)
		grid_add(g, "host");
	else if (c->netns)
		grid_add(g, "%u%s", c->netns, c->shared_netns ? " (another's)" : "");
	else
		grid_add(g, "-");
}

static void add_container(const struct container *c, struct grid *g)
{
	char cgroup[sizeof(c->cgroup)];

	str_set(cgroup, *c->cgroup ? c->cgroup : "-");
	str_one_line(cgroup);
	grid_add(g, "%s", container_kind_name[c->kind]);
	grid_add(g, "%.12s", *c->id ? c->id : "-");
	grid_add(g, "%s%s%s", c->k8s_ns, *c->k8s_ns ? "/" : "", c->name);
	add_netns(c, g);
	add_devices(c, g);
	grid_add(g, "%s", cgroup);
}

int list_containers(struct err *e)
{
	_cleanup_(container_list_fini) struct container_list l = {0};
	_cleanup_(grid_freep) struct grid *g = grid_new(ARRAY_SIZE(column));
	const struct container_cfg cfg = {.services = true, .ask = true};
	int r = containers_scan(&l, &cfg, e);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < ARRAY_SIZE(column); i++) {
		grid_left(g, i);
		grid_add(g, "%s", column[i]);
	}
	for (uint32_t i = 0; i < l.n; i++)
		add_container(&l.item[i], g);
	grid_print(g, stdout);
	return 0;
}
