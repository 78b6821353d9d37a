#include "report/grid.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct grid {
	uint32_t n_columns, n_cells;
	bool *left;  /* [n_columns] */
	bool *out;   /* [n_columns]; left out */
	char **cell; /* [n_cells], row by row */
};

struct grid *grid_new(uint32_t n_columns)
{
	struct grid *g = xcalloc(1, sizeof(*g));

	assert(n_columns > 0);
	g->n_columns = n_columns;
	g->left = xcalloc(n_columns, sizeof(*g->left));
	g->left[0] = true;
	g->out = xcalloc(n_columns, sizeof(*g->out));
	return g;
}

void grid_free(struct grid *g)
{
	if (!g)
		return;
	for (uint32_t i = 0; i < g->n_cells; i++)
		free(g->cell[i]);
	free(g->cell);
	free(g->left);
	free(g->out);
	free(g);
}

void grid_left(struct grid *g, uint32_t i)
{
	assert(i < g->n_columns);
	g->left[i] = true;
}

void grid_add(struct grid *g, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	g->cell = xreallocarray(g->cell, g->n_cells + 1, sizeof(*g->cell));
	g->cell[g->n_cells++] = xstrdup(text);
}

/* Characters on the screen: bytes that are not UTF-8 continuation bytes. */
static int columns(const char *s)
{
	int n = 0;

	for (; *s; s++)
		n += (*s & 0xc0) != 0x80;
	return n;
}

static int width_of(const struct grid *g, uint32_t column)
{
	int width = 0;

	for (uint32_t i = column; i < g->n_cells; i += g->n_columns)
		width = MAX(width, columns(g->cell[i]));
	return width;
}

static bool rest_empty(const struct grid *g, uint32_t i)
{
	for (; i < g->n_cells; i++) {
		if (*g->cell[i] && !g->out[i % g->n_columns])
			return false;
		if (i % g->n_columns == g->n_columns - 1)
			break;
	}
	return true;
}

#define INDENT 2
#define GAP    3

/* A row's, with what is before its cells. */
static int width_of_all(const struct grid *g)
{
	int width = INDENT - GAP;

	for (uint32_t i = 0; i < g->n_columns; i++)
		width += g->out[i] ? 0 : GAP + width_of(g, i);
	return width;
}

uint32_t grid_fit(struct grid *g, uint32_t columns, const uint32_t *drop, uint32_t n)
{
	uint32_t i = 0;

	for (; i < n && width_of_all(g) > (int)columns; i++)
		g->out[drop[i]] = true;
	return i;
}

void grid_print(const struct grid *g, FILE *out)
{
	bool first = true;

	for (uint32_t i = 0; i < g->n_cells; i++) {
		uint32_t column = i % g->n_columns;
		int pad = width_of(g, column) - columns(g->cell[i]);
		bool last = rest_empty(g, i + 1) || column == g->n_columns - 1;

		if (!g->out[column] && !rest_empty(g, i)) {
			fprintf(out, "%*s", first ? INDENT : GAP, "");
			first = false;
			if (g->left[column])
				fprintf(out, "%s%*s", g->cell[i], last ? 0 : pad, "");
			else
				fprintf(out, "%*s%s", pad, "", g->cell[i]);
		}
		if (column == g->n_columns - 1) {
			fputc('\n', out);
			first = true;
		}
	}
}
