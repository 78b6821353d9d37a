/* What subjects that are tested with real frames have in common. */
#pragma once

#include "method/subject.h"

/* subject_ops.trial of those that have a tester. */
int subject_tester_trial(struct subject *s, const struct subject_ask *ask,
	struct subject_trial *ret, struct err *e) must_check_;

/* Opens s->tester between two ends, and fills what the subject says of it. */
int subject_tester_open(struct subject *s, const struct tester_end *end,
	const struct tester_cfg *cfg, struct err *e) must_check_;

void subject_note(struct subject *s, const char *fmt, ...) printf_(2, 3);
