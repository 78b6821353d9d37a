/* The terminal behind a descriptor. */
#pragma once

#include <stdint.h>

/* Return: how wide it is; 0: it is no terminal, or does not tell. */
uint32_t term_columns(int fd);
