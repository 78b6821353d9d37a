/*
 * Who may say that packets to an address, or to a published port, are its. A container that may set
 * up its own network can give itself any address: another container's, the host's, or that of one
 * that is yet to come. So neither who had it first nor who said so last has it: what the host has
 * is the host's, and what more than one container has is nobody's. Pure.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct claim {
	struct in6_addr addr; /* of IPv4 as ::ffff:a.b.c.d; zero: of a port */
	uint16_t port;        /* of the host's addresses; 0: of an address */
	uint8_t proto;        /* of a port: IPPROTO_TCP, IPPROTO_UDP */
	uint32_t owner;       /* SOFTIRQ_HOST: the host */
	uint32_t rival;       /* filled in: who has it, or has it too; itself: it holds */
};

/* By what is claimed, whoever does. */
int claim_compare(const struct claim *a, const struct claim *b);

/* Sorts @c [@n] and says of each which holds. Return: how many are left, each once of an owner. */
uint32_t claims_settle(struct claim *c, uint32_t n);

bool claim_holds(const struct claim *c);

/* "198.18.0.10", or "port 8080/tcp" */
#define CLAIM_TEXT 64
void claim_text(const struct claim *c, char ret[CLAIM_TEXT]);
