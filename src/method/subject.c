#include "method/subject.h"

int subject_trial(struct subject *s, const struct subject_ask *ask, struct subject_trial *ret,
	struct err *e)
{
	return s->ops->trial(s, ask, ret, e);
}

void subject_close(struct subject *s)
{
	if (s)
		s->ops->close(s);
}
