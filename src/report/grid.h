/* A text table: cells as strings, columns as wide as their widest cell, numbers to the right. */
#pragma once

#include "base/cleanup.h"
#include "base/macro.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct grid;

/* @n_columns: the first is aligned left, the others right. */
struct grid *grid_new(uint32_t n_columns);
void grid_free(struct grid *g);
DEFINE_CLEANUP(struct grid *, grid_free, grid_freep)

/* Appends the next cell, row by row. UTF-8 text of one column per character. */
void grid_add(struct grid *g, const char *fmt, ...) printf_(2, 3);

/* Aligns column @i left. */
void grid_left(struct grid *g, uint32_t i);

/*
 * Leaves columns out until no row is wider than @columns: those of @drop [@n] one after the other.
 * Return: how many of them; all of them may not be enough.
 */
uint32_t grid_fit(struct grid *g, uint32_t columns, const uint32_t *drop, uint32_t n);

/* Prints all rows, indented by two blanks; nothing follows the last filled cell of a row. */
void grid_print(const struct grid *g, FILE *out);
