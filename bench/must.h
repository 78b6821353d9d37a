/* A benchmark's only way to fail. */
#pragma once

#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>

/* @call: names e_, and is negative where it failed */
#define must(call)                                                                                 \
	do {                                                                                       \
		struct err e_ = {0};                                                               \
                                                                                                   \
		if ((call) < 0) {                                                                  \
			fprintf(stderr, "%s: %s\n", #call, e_.text);                               \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)
