#include "cni/json.h"

#include <errno.h>

int json_load_object(json_t **ret, const char *text, size_t len, size_t flags, struct err *e)
{
	json_error_t why;
	json_t *j = json_loadb(text, len, flags, &why);

	if (!j)
		return err_say(e, EINVAL, "not JSON at line %d, column %d: %s", why.line,
			why.column, why.text);
	if (!json_is_object(j)) {
		json_decref(j);
		return err_say(e, EINVAL, "not a JSON object");
	}
	*ret = j;
	return 0;
}

int json_text(const json_t *object, const char *key, const char **ret, struct err *e)
{
	const json_t *v = json_object_get(object, key);

	*ret = v ? json_string_value(v) : "";
	return *ret ? 0 : err_say(e, EINVAL, "\"%s\" is not a string", key);
}

int json_flag(const json_t *object, const char *key, bool *ret, struct err *e)
{
	const json_t *v = json_object_get(object, key);

	if (v && !json_is_boolean(v))
		return err_say(e, EINVAL, "\"%s\" is neither true nor false", key);
	if (v)
		*ret = json_is_true(v);
	return 0;
}

void json_put(json_t *object, const char *key, json_t *v)
{
	if (!v || json_object_set_new(object, key, v) < 0)
		abort();
}
