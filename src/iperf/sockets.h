/* Sockets of an iperf3 test, from the client's side, and the options of both sides. */
#pragma once

#include "iperf/run.h"

/* The control connection, cookie sent. Return: descriptor or negative errno. */
int iperf_dial(struct iperf_test *t, struct err *e) must_check_;

/* Opens stream @i and says which test it belongs to. Return: descriptor or negative errno. */
int iperf_open_stream(struct iperf_run *r, uint32_t i, struct err *e) must_check_;

/* Options that hold on either side, once connected. @sends: this side sends on it */
int iperf_set_options(const struct iperf_test *t, int fd, bool sends, struct err *e) must_check_;

/* May this process use the congestion control that the parameters name? */
int iperf_check_congestion(const struct iperf_params *p, struct err *e) must_check_;

/* Notes what both sides report of the sockets: MSS, buffers, congestion control. */
void iperf_note_sockets(struct iperf_run *r);

/* Default for --length over UDP: what one packet carries. */
uint32_t iperf_udp_len(const struct iperf_test *t);
