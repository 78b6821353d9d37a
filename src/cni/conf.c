#include "cni/conf.h"

#include "base/macro.h"
#include "base/mem.h"
#include "base/str.h"
#include "cni/json.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* From 0.4.0 on plugins know CHECK; 0.1 and 0.2 have results of another form. */
static const struct {
	const char *name;
	bool check;
} versions[] = {
	{"0.3.0", false},
	{"0.3.1", false},
	{"0.4.0", true},
	{"1.0.0", true},
	{"1.1.0", true},
};

static int version_check(struct cni_conf *conf, struct err *e)
{
	if (!*conf->version)
		return err_say(e, EINVAL, "there is no \"cniVersion\"");
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++)
		if (strcmp(versions[i].name, conf->version) == 0) {
			conf->check = versions[i].check;
			return 0;
		}
	return err_say(e, EINVAL, "cniVersion '%s' is none of 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0",
		conf->version);
}

/*
 * A name that must be there. Ref: CNI spec, section 1: an alphanumeric character, then those, "_",
 * "." and "-"; so the name of a program has no "/".
 */
static int name_of(const json_t *object, const char *key, char *ret, size_t size, struct err *e)
{
	const char *text;
	int r = json_text(object, key, &text, e);

	if (r < 0)
		return r;
	if (!*text)
		return err_say(e, EINVAL, "there is no \"%s\"", key);
	if (str_copy(ret, size, text) < 0)
		return err_say(e, EINVAL, "\"%s\" is longer than %zu characters", key, size - 1);
	for (const char *p = text; *p; p++)
		if (!isalnum((unsigned char)*p) && (p == text || !strchr("_.-", *p)))
			return err_say(e, EINVAL,
				"\"%s\": '%s' has other characters than letters, digits, _ . -",
				key, text);
	return 0;
}

static int capabilities(struct cni_plugin *p, struct err *e)
{
	const json_t *c = json_object_get(p->json, "capabilities");
	int r;

	if (!c)
		return 0;
	if (!json_is_object(c))
		return err_say(e, EINVAL, "\"capabilities\" is not an object");
	r = json_flag(c, "portMappings", &p->port_mappings, e);
	if (r == 0)
		r = json_flag(c, "bandwidth", &p->bandwidth, e);
	return r < 0 ? r : json_flag(c, "ips", &p->ips, e);
}

static int plugin_parse(struct cni_plugin *p, const json_t *json, struct err *e)
{
	const json_t *ipam = json_object_get(json, "ipam");
	int r;

	if (!json_is_object(json))
		return err_say(e, EINVAL, "not an object");
	/* A copy of its own: some members are changed. */
	p->json = json_deep_copy(json);
	/* Its form is the plugin's affair. */
	p->masquerades = json_is_true(json_object_get(json, "ipMasq"));
	r = name_of(json, "type", p->type, sizeof(p->type), e);
	if (r == 0)
		r = capabilities(p, e);
	if (r < 0 || !ipam)
		return r;
	if (!json_is_object(ipam))
		return err_say(e, EINVAL, "\"ipam\" is not an object");
	/* "ipam": {} is how some plugins are told that there are no addresses. */
	if (!json_object_get(ipam, "type"))
		return 0;
	r = name_of(ipam, "type", p->ipam, sizeof(p->ipam), e);
	return r < 0 ? err_wrap(e, "ipam") : 0;
}

static int plugins_parse(struct cni_conf *conf, const json_t *top, struct err *e)
{
	const json_t *list = json_object_get(top, "plugins");
	size_t n = json_array_size(list);

	if (!list && json_object_get(top, "type")) {
		conf->n_plugins = 1;
		return plugin_parse(&conf->plugin[0], top, e);
	}
	if (!list)
		return err_say(e, EINVAL, "there is neither \"plugins\" nor \"type\"");
	if (!json_is_array(list))
		return err_say(e, EINVAL, "\"plugins\" is not a list");
	if (n == 0 || n > CNI_MAX_PLUGINS)
		return err_say(e, EINVAL, "\"plugins\" has %zu entries, not 1 to %d", n,
			CNI_MAX_PLUGINS);
	for (size_t i = 0; i < n; i++) {
		int r = plugin_parse(&conf->plugin[conf->n_plugins++], json_array_get(list, i), e);

		if (r < 0)
			return err_wrap(e, "plugins[%zu]", i);
	}
	return 0;
}

static int top_parse(struct cni_conf *conf, const json_t *top, struct err *e)
{
	const char *version;
	bool no_check = false;
	int r = name_of(top, "name", conf->name, sizeof(conf->name), e);

	if (r == 0)
		r = json_text(top, "cniVersion", &version, e);
	if (r < 0)
		return r;
	str_set(conf->version, version);
	r = version_check(conf, e);
	if (r == 0)
		r = json_flag(top, "disableCheck", &no_check, e);
	conf->check = conf->check && !no_check;
	return r < 0 ? r : plugins_parse(conf, top, e);
}

int cni_conf_parse(struct cni_conf **ret, const char *text, size_t len, struct err *e)
{
	_cleanup_(cni_conf_freep) struct cni_conf *conf = xcalloc(1, sizeof(*conf));
	_cleanup_(json_freep) json_t *top = NULL;
	int r = json_load_object(&top, text, len, JSON_REJECT_DUPLICATES, e);

	if (r == 0)
		r = top_parse(conf, top, e);
	if (r < 0)
		return r;
	*ret = take_ptr(conf);
	return 0;
}

static ssize_t read_all(int fd, char *ret, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size && (n = read(fd, ret + len, size - len)) != 0) {
		if (n < 0 && errno != EINTR)
			return -errno;
		len += n > 0 ? (size_t)n : 0;
	}
	return (ssize_t)len;
}

int cni_conf_read(struct cni_conf **ret, const char *file, struct err *e)
{
	_cleanup_(freep) char *text = xcalloc(1, CNI_MAX_FILE_BYTES + 1);
	/* A pipe that nobody writes to must not hang us. */
	_cleanup_(closep) int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t len = fd < 0 ? -errno : read_all(fd, text, CNI_MAX_FILE_BYTES + 1);
	int r;

	if (len < 0)
		return err_set(e, (int)-len, "cannot read '%s'", file);
	if ((size_t)len > CNI_MAX_FILE_BYTES)
		return err_say(e, EINVAL, "'%s' is longer than %zu kB: no CNI configuration", file,
			CNI_MAX_FILE_BYTES >> 10);
	r = cni_conf_parse(ret, text, (size_t)len, e);
	return r < 0 ? err_wrap(e, "'%s'", file) : 0;
}

void cni_conf_free(struct cni_conf *conf)
{
	if (!conf)
		return;
	for (uint32_t i = 0; i < conf->n_plugins; i++)
		json_decref(conf->plugin[i].json);
	free(conf);
}

bool cni_conf_has(const struct cni_conf *conf, size_t member_offset)
{
	for (uint32_t i = 0; i < conf->n_plugins; i++)
		if (*(const bool *)((const char *)&conf->plugin[i] + member_offset))
			return true;
	return false;
}

bool cni_conf_runs(const struct cni_conf *conf, const char *type)
{
	for (uint32_t i = 0; i < conf->n_plugins; i++)
		if (strcmp(conf->plugin[i].type, type) == 0)
			return true;
	return false;
}

void cni_conf_drop_dirs(struct cni_conf *conf)
{
	for (uint32_t i = 0; i < conf->n_plugins; i++) {
		json_object_del(conf->plugin[i].json, "dataDir");
		json_object_del(json_object_get(conf->plugin[i].json, "ipam"), "dataDir");
	}
}

/* Plugins that attach to a device of the host, and the member that names it. */
static const struct attacher {
	const char *type, *key;
	enum cni_attach attach;
} attachers[] = {
	{"host-device", "device", CNI_ATTACH_TAKEN},
	{"ipvlan", "master", CNI_ATTACH_L2},
	{"macvlan", "master", CNI_ATTACH_L2},
	{"vlan", "master", CNI_ATTACH_L2},
};

static const struct attacher *attacher_of(const struct cni_plugin *p)
{
	for (size_t i = 0; i < ARRAY_SIZE(attachers); i++)
		if (strcmp(attachers[i].type, p->type) == 0)
			return &attachers[i];
	return NULL;
}

static const char *member(const struct cni_plugin *p, const char *key)
{
	return json_string_value(json_object_get(p->json, key)) ?: "";
}

static bool replace_device(struct cni_plugin *p, const char *dev, char *ret, size_t size)
{
	static const char *const other_names[] = {"hwaddr", "kernelpath", "pciBusID"};
	const struct attacher *a = attacher_of(p);

	if (!a || strcmp(member(p, a->key), dev) == 0)
		return false;
	(void)str_copy(ret, size, member(p, a->key));
	for (size_t i = 0; a->attach == CNI_ATTACH_TAKEN && i < ARRAY_SIZE(other_names); i++)
		json_object_del(p->json, other_names[i]);
	json_put(p->json, a->key, json_string(dev));
	return true;
}

uint32_t cni_conf_replace_device(struct cni_conf *conf, const char *dev, char *ret, size_t size)
{
	uint32_t n = 0;

	(void)str_copy(ret, size, "");
	for (uint32_t i = 0; i < conf->n_plugins; i++)
		n += replace_device(&conf->plugin[i], dev, ret, size);
	return n;
}

enum cni_attach cni_conf_attach(const struct cni_conf *conf, const char *dev)
{
	for (uint32_t i = 0; i < conf->n_plugins; i++) {
		const struct cni_plugin *p = &conf->plugin[i];
		const struct attacher *a = attacher_of(p);

		if (!a || strcmp(member(p, a->key), dev) != 0)
			continue;
		/* Ref: Documentation/networking/ipvlan.rst: modes l3 and l3s. */
		if (strcmp(p->type, "ipvlan") == 0 && strncmp(member(p, "mode"), "l3", 2) == 0)
			return CNI_ATTACH_L3;
		return a->attach;
	}
	return CNI_ATTACH_NONE;
}
