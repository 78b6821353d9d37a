#include "dns/pending.h"

#include "base/mem.h"

#include <stdlib.h>

void dns_pending_init(struct dns_pending *p, uint32_t n_slots)
{
	assert(n_slots && !(n_slots & (n_slots - 1)) && n_slots <= 65536);
	*p = (struct dns_pending){.slot = xcalloc(n_slots, sizeof(*p->slot)), .mask = n_slots - 1};
}

void dns_pending_fini(struct dns_pending *p)
{
	free(p->slot);
	p->slot = NULL;
}

uint32_t dns_pending_room(struct dns_pending *p)
{
	while (p->oldest != p->next && p->slot[p->oldest & p->mask].fate != DNS_WAITING)
		p->oldest++;
	return p->mask + 1 - (p->next - p->oldest);
}

uint16_t dns_pending_add(struct dns_pending *p, uint32_t query, uint64_t due_ns)
{
	uint16_t id = (uint16_t)p->next;

	p->slot[p->next++ & p->mask] =
		(struct dns_slot){.due_ns = due_ns, .query = query, .id = id, .fate = DNS_WAITING};
	return id;
}

void dns_pending_take_back(struct dns_pending *p, uint32_t n)
{
	while (n--)
		p->slot[--p->next & p->mask].fate = DNS_NEVER_SENT;
}

struct dns_slot *dns_pending_find(struct dns_pending *p, uint16_t id)
{
	struct dns_slot *s = &p->slot[id & p->mask];

	return s->id == id && s->fate != DNS_NEVER_SENT ? s : NULL;
}

uint32_t dns_pending_expire(struct dns_pending *p, uint64_t before_ns)
{
	uint32_t n = 0;

	for (; p->oldest != p->next; p->oldest++) {
		struct dns_slot *s = &p->slot[p->oldest & p->mask];

		if (s->fate != DNS_WAITING)
			continue;
		if (s->due_ns >= before_ns)
			break;
		s->fate = DNS_LOST;
		n++;
	}
	return n;
}
