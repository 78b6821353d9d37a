/* The three shapes of the counter files below /proc/net, as pure functions on their text. */
#pragma once

#include <stdint.h>

/* "Udp: InDatagrams NoPorts ..." and below it "Udp: 1 0 ..."; 0: there is no such counter. */
uint64_t procnet_snmp(const char *text, const char *proto, const char *name);

/* "Udp6InErrors   0" a line. */
uint64_t procnet_snmp6(const char *text, const char *name);

/* A table of hexadecimal numbers, a line per CPU: the sum of column @i, from 0. */
uint64_t procnet_column(const char *text, uint32_t i);

/* The same below a line with the columns' names. */
uint64_t procnet_named_column(const char *text, const char *name);
