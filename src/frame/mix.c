/*
 * Mixes of frame sizes. A mix that others defined by shares is made a sequence of the fewest
 * frames with these shares, the small ones first, as RFC 6985's genomes are written.
 */
#include "frame/frame.h"

#include "base/macro.h"
#include "base/num.h"
#include "base/str.h"

#include <errno.h>
#include <string.h>

#define GENOME_PREFIX "imix:"

const char frame_sizes_ipv4[] = "64,128,256,512,1024,1280,1518";
const char frame_sizes_ipv6[] = "78,128,256,512,1024,1280,1518";

struct share {
	uint16_t n, size;
};

static const struct named {
	const char *name;
	struct share share[3];
} named[] = {
	/* The genome aaaaaaaddddg. Ref: VSPERF, its default IMIX */
	{"imix", {{7, 64}, {4, 512}, {1, 1518}}},
	/* 28, 16 and 4 of them. Ref: FD.io CSIT, "IMIX_v4_1" */
	{"imix-csit", {{7, 64}, {4, 570}, {1, 1518}}},
	/* 28, 20 and 4; sizes with FCS. Ref: TRex, stl/bench.py */
	{"imix-trex", {{7, 64}, {5, 594}, {1, 1518}}},
	/* Ref: FD.io CSIT, "IMIX_v6_1" */
	{"imix-ipv6", {{7, 78}, {4, 570}, {1, 1518}}},
};

/* Ref: RFC 6985, table of code letters */
static const struct {
	char letter;
	uint16_t size;
} genome[] = {
	{'a', 64},
	{'b', 128},
	{'c', 256},
	{'d', 512},
	{'e', 1024},
	{'f', 1280},
	{'g', 1518},
	{'h', 2112},
	{'i', 9000},
	{'j', 16000},
};

static void add(struct frame_mix *mix, uint16_t size)
{
	mix->size[mix->n++] = size;
}

static void finish(struct frame_mix *mix, const char *text)
{
	double sum = 0;

	for (uint32_t i = 0; i < mix->n; i++)
		sum += mix->size[i];
	mix->mean_bytes = sum / mix->n;
	str_set(mix->name, text);
}

static bool find_named(struct frame_mix *ret, const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(named); i++) {
		if (strcmp(named[i].name, text) != 0)
			continue;
		for (size_t k = 0; k < ARRAY_SIZE(named[i].share); k++)
			for (uint16_t n = 0; n < named[i].share[k].n; n++)
				add(ret, named[i].share[k].size);
		return true;
	}
	return false;
}

/* Size of a letter, 0 for one that is none. */
static uint32_t letter_size(char letter, uint32_t mtu)
{
	if (letter == 'z')
		return mtu + 14 + FRAME_FCS_BYTES;
	for (size_t i = 0; i < ARRAY_SIZE(genome); i++)
		if (genome[i].letter == letter)
			return genome[i].size;
	return 0;
}

static int check_size(uint64_t size, const char *text, struct err *e)
{
	if (size >= FRAME_MIN_BYTES && size <= FRAME_MAX_BYTES)
		return 0;
	return err_say(e, ERANGE, "frame size '%s' is %llu bytes, not between %d and %d", text,
		(unsigned long long)size, FRAME_MIN_BYTES, FRAME_MAX_BYTES);
}

static int parse_genome(struct frame_mix *ret, const char *letters, uint32_t mtu, struct err *e)
{
	if (!*letters)
		return err_say(e, EINVAL,
			"'" GENOME_PREFIX "' needs letters, such as aaaaaaaddddg");
	for (const char *p = letters; *p; p++) {
		const char one[] = {*p, '\0'};
		const uint32_t size = letter_size(*p, mtu);
		int r;

		if (size == 0)
			return err_say(e, EINVAL,
				"'%s' in '" GENOME_PREFIX
				"%.64s' is no letter of RFC 6985 (a to j, z)",
				one, letters);
		if (ret->n == FRAME_MAX_SEQUENCE)
			return err_say(e, ERANGE, "a mix of more than %d frames",
				FRAME_MAX_SEQUENCE);
		r = check_size(size, one, e);
		if (r < 0)
			return r;
		add(ret, (uint16_t)size);
	}
	return 0;
}

static int parse_size(struct frame_mix *ret, const char *text, struct err *e)
{
	uint64_t size;
	int r;

	if (num_parse(text, NUM_COUNT, &size, NULL) < 0)
		return err_say(e, EINVAL,
			"frame size '%.64s' is neither a number of bytes nor a mix (imix, "
			"imix-csit, imix-trex, imix-ipv6, " GENOME_PREFIX "LETTERS)",
			text);
	r = check_size(size, text, e);
	if (r < 0)
		return r;
	add(ret, (uint16_t)size);
	return 0;
}

int frame_mix_parse(struct frame_mix *ret, const char *text, uint32_t mtu, struct err *e)
{
	const size_t prefix = strlen(GENOME_PREFIX);
	struct frame_mix mix = {0};
	int r = 0;

	if (strncmp(text, GENOME_PREFIX, prefix) == 0)
		r = parse_genome(&mix, text + prefix, mtu, e);
	else if (!find_named(&mix, text))
		r = parse_size(&mix, text, e);
	if (r < 0)
		return r;
	finish(&mix, text);
	*ret = mix;
	return 0;
}

int frame_mix_list(struct frame_mix *ret, uint32_t max, const char *text, uint32_t mtu,
	struct err *e)
{
	uint32_t n = 0;

	for (const char *p = text;; p++) {
		const size_t len = strcspn(p, ",");
		char one[sizeof(ret->name)];
		int r;

		if (len >= sizeof(one))
			return err_say(e, ERANGE, "'%.64s...' is too long for a frame size", p);
		if (n == max)
			return err_say(e, ERANGE, "more than %u frame sizes", max);
		memcpy(one, p, len);
		one[len] = '\0';
		r = frame_mix_parse(&ret[n++], one, mtu, e);
		if (r < 0)
			return r;
		p += len;
		if (!*p)
			return (int)n;
	}
}
