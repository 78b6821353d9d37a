/* Man page source (scdoc) of tare as iperf3, from the table that parses its options. */
#pragma once

#include <stdio.h>

void iperf_man(FILE *out);
