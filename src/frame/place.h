/* Has the receiving work of a device done where it is wanted, for as long as this is open. */
#pragma once

#include "frame/tester.h"

struct place;

/*
 * place_open() - @want: enum tester_place; @cpu: the receiver's
 *
 * Return: 0; FRAME_UNAVAILABLE with the reason; or negative errno.
 */
int place_open(struct place **ret, const struct frame_port *port, uint32_t want, uint32_t cpu,
	struct err *e) must_check_;
void place_close(struct place *p);
DEFINE_CLEANUP(struct place *, place_close, place_closep)

/* "threaded, on CPU 1", "inline". */
const char *place_text(const struct place *p);
