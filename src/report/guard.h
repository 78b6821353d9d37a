/* What the guard does, as it happens: lines of text, or one JSON object per line. */
#pragma once

#include "guard/guard.h"
#include "guard/irq_cost.h"

#include <stdio.h>

/*
 * Who is guarded, and who would be charged or credited. @begin_ns: of the first interval.
 *
 * Return: 0, or the negative errno of a write that failed.
 */
int guard_text(const struct guard_report *r, uint64_t begin_ns, FILE *out);

enum guard_event {
	GUARD_START,
	GUARD_INTERVAL,
	GUARD_END,
	GUARD_EVENT_N,
};
/* @r: of an interval; NULL: none. Return: as guard_text(). */
int guard_line(uint32_t event, const struct guard_cfg *cfg, const struct irq_cost *irq,
	const struct guard_report *r, FILE *out);
/* Of a row of @dt_ns that guard_row_floods(): what could be done about it. */
void guard_flood_text(const struct guard_row *x, uint64_t dt_ns, const struct guard_cfg *cfg,
	FILE *out);
/* What an interrupt was measured to cost. */
int guard_irq_text(const struct irq_cost *irq, FILE *out);
/* JSON Schema of such a line. */
int report_guard_schema(FILE *out);

#define REPORT_GUARD_SCHEMA_VERSION 1
