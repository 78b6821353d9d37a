/* Goals of an MLRsearch, as documents have them. */
#pragma once

#include "stat/mlr.h"
#include "wire/doc.h"

/* @n: 0: another search. The caller's. */
struct doc *report_goals(const struct mlr_goal *goal, uint32_t n) must_check_;
struct doc *report_goals_schema(void) must_check_;
