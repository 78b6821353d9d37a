/*
 * A small main for the targets where there is no libFuzzer: every seed as it is, then a fixed
 * number of mutations from a fixed generator, so that a run repeats exactly. Output is TAP.
 */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>

#define ROUNDS    20000
#define MAX_SEEDS 64
#define MAX_BYTES 4096

struct seed {
	uint8_t data[MAX_BYTES];
	size_t size;
};
static struct seed seeds[MAX_SEEDS];

/* Ref: G. Marsaglia, Xorshift RNGs, 2003: (13, 7, 17). */
static uint64_t random_next(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

/* In the order of their names, for a run to repeat on any file system. */
static size_t load_seeds(const char *dir)
{
	struct dirent **list;
	int n_list = scandir(dir, &list, NULL, alphasort);
	size_t n = 0;

	for (int i = 0; i < n_list; i++) {
		char path[4096];
		FILE *f;

		snprintf(path, sizeof(path), "%s/%s", dir, list[i]->d_name);
		f = list[i]->d_name[0] == '.' || n == MAX_SEEDS ? NULL : fopen(path, "re");
		free(list[i]);
		if (!f)
			continue;
		seeds[n].size = fread(seeds[n].data, 1, MAX_BYTES, f);
		fclose(f);
		n++;
	}
	if (n_list >= 0)
		free(list);
	return n;
}

/* Flips, overwrites, inserts, deletes or doubles a few bytes. */
static void mutate(struct seed *s, uint64_t *rng)
{
	static const char interesting[] = "0123456789.,:=-%{}[]\"\\ \n";
	size_t at = s->size ? random_next(rng) % s->size : 0;

	switch (random_next(rng) % 5) {
	case 0:
		s->data[at] ^= (uint8_t)(1U << (random_next(rng) % 8));
		break;
	case 1:
		s->data[at] = (uint8_t)interesting[random_next(rng) % (sizeof(interesting) - 1)];
		break;
	case 2:
		if (s->size < MAX_BYTES) {
			memmove(&s->data[at + 1], &s->data[at], s->size - at);
			s->data[at] = (uint8_t)random_next(rng);
			s->size++;
		}
		break;
	case 3:
		if (s->size > 0) {
			memmove(&s->data[at], &s->data[at + 1], s->size - at - 1);
			s->size--;
		}
		break;
	default:
		if (s->size - at <= MAX_BYTES - s->size) {
			memmove(&s->data[s->size], &s->data[at], s->size - at);
			s->size += s->size - at;
		}
	}
}

int main(int argc, char **argv)
{
	size_t n = argc > 1 ? load_seeds(argv[1]) : 0;
	uint64_t rng = 88172645463325252ULL;
	struct seed s;

	if (!n) {
		printf("1..1\nnot ok 1 - seeds\n");
		return 1;
	}
	for (size_t i = 0; i < n; i++)
		LLVMFuzzerTestOneInput(seeds[i].data, seeds[i].size);
	printf("ok 1 - %zu seeds\n", n);
	for (int i = 0; i < ROUNDS; i++) {
		s = seeds[random_next(&rng) % n];
		for (uint64_t k = 1 + random_next(&rng) % 6; k > 0; k--)
			mutate(&s, &rng);
		LLVMFuzzerTestOneInput(s.data, s.size);
	}
	printf("ok 2 - %d mutations\n1..2\n", ROUNDS);
	return 0;
}
