/*
 * What a CNI plugin answers: the result of ADD, or an error.
 * Ref: https://www.cni.dev/docs/spec/ section 5.
 */
#pragma once

#include "base/cleanup.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Dual stack has two. */
#define CNI_MAX_IPS 8

struct json_t;

struct cni_ip {
	char addr[46];
	char gateway[46]; /* "" when there is none */
	uint32_t prefix;
	bool ipv6;
};

struct cni_result {
	uint32_t n_ips;
	struct cni_ip ip[CNI_MAX_IPS]; /* of the container */
	bool default_v4, default_v6;   /* has it a route to everywhere? */
	struct json_t *json;           /* as it came: the next plugin gets it */
};
#define CNI_RESULT_NONE                                                                            \
	{                                                                                          \
		.json = NULL                                                                       \
	}

/* @ret: to be given back by cni_result_fini(). Return: 0, or -EINVAL: not a result. */
int cni_result_parse(struct cni_result *ret, const char *text, size_t len, struct err *e)
	must_check_;
void cni_result_fini(struct cni_result *r);

/* The container's first address of this family that others can reach, or NULL. */
const struct cni_ip *cni_result_ip(const struct cni_result *r, bool ipv6);

/* An error as a sentence. Return: false when @text is none. */
bool cni_error_text(const char *text, size_t len, char *ret, size_t size);
