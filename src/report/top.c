#include "report/top.h"

#include "base/mem.h"

#include <ncurses.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

struct top {
	SCREEN *screen;
};

bool top_possible(void)
{
	const char *term = getenv("TERM");

	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && term && *term &&
	       strcmp(term, "dumb") != 0;
}

/* Ctrl-\ would end the program with the screen as it is; endwin() puts the key back. */
static void disable_quit(void)
{
	struct termios t;

	if (tcgetattr(STDIN_FILENO, &t) < 0)
		return;
	t.c_cc[VQUIT] = _POSIX_VDISABLE;
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &t); /* then it stays as it is */
	def_prog_mode();
}

struct top *top_open(void)
{
	struct top *t = xcalloc(1, sizeof(*t));

	t->screen = newterm(NULL, stdout, stdin);
	if (!t->screen) {
		free(t);
		return NULL;
	}
	cbreak();
	noecho();
	nodelay(stdscr, true);
	keypad(stdscr, true);
	curs_set(0);
	set_escdelay(25); /* ms; a key of one byte is not held up */
	disable_quit();
	return t;
}

void top_close(struct top *t)
{
	if (!t)
		return;
	endwin();
	delscreen(t->screen);
	free(t);
}

uint32_t top_lines(const struct top *t)
{
	(void)t;
	return (uint32_t)LINES;
}

uint32_t top_columns(const struct top *t)
{
	(void)t;
	return (uint32_t)COLS;
}

static void draw_line(int y, const char *line, size_t len, attr_t how)
{
	attrset(how);
	mvaddnstr(y, 0, line, (int)MIN(len, (size_t)COLS));
}

void top_show(struct top *t, const char *text, uint32_t n_bold, const char *foot)
{
	int y = 0;

	(void)t;
	erase();
	while (*text && y < LINES - 1) {
		size_t len = strcspn(text, "\n");

		draw_line(y, text, len, (uint32_t)y < n_bold ? A_BOLD : A_NORMAL);
		text += len + (text[len] == '\n');
		y++;
	}
	draw_line(LINES - 1, foot, strlen(foot), A_REVERSE);
	attrset(A_NORMAL);
	refresh();
}

void top_clear(struct top *t)
{
	(void)t;
	clearok(stdscr, true);
}

/* A terminal that is gone is readable for ever, and getch() says of it only that no key came. */
static bool hung_up(void)
{
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR | POLLNVAL));
}

static const struct {
	int curses, key;
} special[] = {
	{KEY_RESIZE, TOP_RESIZED},
	{KEY_UP, TOP_UP},
	{KEY_DOWN, TOP_DOWN},
	{KEY_PPAGE, TOP_PAGE_UP},
	{KEY_NPAGE, TOP_PAGE_DOWN},
	{KEY_HOME, TOP_HOME},
};

int top_key(struct top *t)
{
	int key = getch();

	(void)t;
	for (size_t i = 0; i < ARRAY_SIZE(special); i++)
		if (special[i].curses == key)
			return special[i].key;
	if (key != ERR)
		return key;
	return hung_up() ? TOP_CLOSED : 0;
}
