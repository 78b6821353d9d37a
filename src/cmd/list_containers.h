/* tare list containers: those there are now, as tare tells them apart. */
#pragma once

#include "base/err.h"

int list_containers(struct err *e) must_check_;
