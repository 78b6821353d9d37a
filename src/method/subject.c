#include "method/subject.h"

#include "method/resources.h"

#include <errno.h>

int subject_trial(struct subject *s, const struct subject_ask *ask, struct subject_trial *ret,
	struct err *e)
{
	int r;

	if (!s->simulated && !s->tester)
		return err_say(e, ENODEV, "'%s' could not be built anew", s->name);
	r = s->ops->trial(s, ask, ret, e);
	if (r == 0 && ret->n_ways == 0) { /* no more than one way is known to it */
		ret->n_ways = 1;
		ret->tried_of[0] = ret->tried;
		ret->lost_of[0] = ret->lost;
	}
	return r;
}

int subject_rebuild(struct subject *s, struct err *e)
{
	int r;

	if (!s->ops->rebuild)
		return err_say(e, EOPNOTSUPP, "'%s' is not built here, so it can't be built anew",
			s->name);
	r = s->ops->rebuild(s, e);
	return r < 0 || !s->resources ? r : resources_place(s->resources, s, e);
}

int subject_place(struct subject *s, struct resources *x, struct err *e)
{
	s->resources = x;
	return resources_place(x, s, e);
}

void subject_close(struct subject *s)
{
	struct resources *x = s ? s->resources : NULL;

	if (s)
		s->ops->close(s);
	resources_close(x);
}
