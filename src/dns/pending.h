/*
 * Queries of one socket that wait for their answers, in the order they were sent. Ids are given in
 * turn, so that an id comes again as late as possible, and what became of a query is remembered
 * until its place is needed: a second answer, and one that is late, are told from a stranger's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum dns_fate {
	DNS_NEVER_SENT,
	DNS_WAITING,
	DNS_ANSWERED,
	DNS_LOST,
};

struct dns_slot {
	uint64_t due_ns; /* latency and timeout count from here */
	uint32_t query;  /* which one of the queries */
	uint16_t id;
	uint8_t fate; /* enum dns_fate */
};

struct dns_pending {
	struct dns_slot *slot; /* [mask + 1], id i at i & mask */
	uint32_t mask;
	uint32_t next;   /* the next query's number; its low 16 bits are the id */
	uint32_t oldest; /* none before it waits */
};

/* @n_slots: a power of two, at most 65536 */
void dns_pending_init(struct dns_pending *p, uint32_t n_slots);
void dns_pending_fini(struct dns_pending *p);

/* How many more can be added now. */
uint32_t dns_pending_room(struct dns_pending *p);

/* Adds a query, for which there is room. Return: its id. */
uint16_t dns_pending_add(struct dns_pending *p, uint32_t query, uint64_t due_ns);

/* Takes back the last @n that were added: they were not sent. */
void dns_pending_take_back(struct dns_pending *p, uint32_t n);

/* The last query with this id, whatever became of it; NULL: there was none, or it is forgotten. */
struct dns_slot *dns_pending_find(struct dns_pending *p, uint16_t id);

/* Counts what was due before @before_ns and still waits as lost. Return: how many. */
uint32_t dns_pending_expire(struct dns_pending *p, uint64_t before_ns);
