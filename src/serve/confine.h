/* What the server gives up once its sockets, keys and log are open. */
#pragma once

#include "serve/serve.h"

int confine(const struct serve_cfg *cfg, struct err *e) must_check_;
