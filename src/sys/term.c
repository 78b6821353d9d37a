#include "sys/term.h"

#include <sys/ioctl.h>

uint32_t term_columns(int fd)
{
	struct winsize size;

	return ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}
