/* A CNI configuration: what is taken has plugins with names that stay in their directory. */
#include "cni/conf.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cni_conf *c = NULL;
	struct err e = {0};
	char old[64];

	if (cni_conf_parse(&c, (const char *)data, size, &e) < 0) {
		FUZZ_CHECK(!c && e.text[0]);
		return 0;
	}
	FUZZ_CHECK(c->n_plugins >= 1 && c->n_plugins <= CNI_MAX_PLUGINS);
	for (uint32_t i = 0; i < c->n_plugins; i++) {
		FUZZ_CHECK(c->plugin[i].type[0] && c->plugin[i].type[0] != '.');
		FUZZ_CHECK(!strchr(c->plugin[i].type, '/') && !strchr(c->plugin[i].ipam, '/'));
	}
	cni_conf_drop_dirs(c);
	cni_conf_replace_device(c, "wire", old, sizeof(old));
	FUZZ_CHECK(cni_conf_replace_device(c, "wire", old, sizeof(old)) == 0);
	cni_conf_free(c);
	return 0;
}
