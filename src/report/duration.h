/* A time that something will take, for people: "2 h 05 min", "14 min", "9 s". */
#pragma once

#include <stddef.h>

void report_duration(double s, char *ret, size_t size);
