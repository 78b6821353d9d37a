/* Renderers of a run: each reads the same structs and writes one form to a stream. */
#pragma once

#include "bench/result.h"
#include "wire/doc.h"

#include <stdio.h>

/* Each returns 0, or the negative errno of a write that failed. */
int report_text(const struct run *run, FILE *out);
int report_json(const struct run *run, FILE *out);
int report_csv(const struct run *run, FILE *out);

/* The table of one load in report_text(): a row for each path. */
void report_block(const struct run *run, uint32_t load, FILE *out);

/* Notes at the end of report_text(). */
void report_foot(const struct run *run, FILE *out);

/* Of them: what the numbers of meter softirq are, if there are any. */
void report_foot_softirq(const struct run *run, FILE *out);

/* What the numbers say is wrong, with a heading; nothing when nothing is. */
void report_findings(const struct run *run, FILE *out);

/* Flushes @out. Return: 0, or the negative errno of any write to it that failed. */
int report_flush(FILE *out);
/*
 * @d in a line, flushed. A write that fails is told by the last one, too, which looks at the
 * stream's error flag. Return: as report_flush().
 */
int report_line(const struct doc *d, FILE *out);

/* JSON Schema (draft 2020-12) of report_json()'s document, made from the same tables. */
int report_schema(FILE *out);

/* JSON Schema of a file for tare compare --file, whose options are rows of @groups. */
int report_lab_schema(const struct opt_group *groups, FILE *out);

/* scdoc source of tare-result(5): every key, its unit and meaning, from the same tables. */
int report_result_page(FILE *out);

/* Writes plain text so that scdoc, which reads some characters as markup, leaves it plain. */
void report_scdoc(FILE *out, const char *text);

/* Version of the document's shape; raised when a key changes meaning or goes. */
#define REPORT_SCHEMA_VERSION 1
