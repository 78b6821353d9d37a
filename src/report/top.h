/*
 * A screen of text that is drawn again and again, and the keys that are typed meanwhile. Whatever
 * ends it, top_close() gives the terminal back as it was: signals that end the program must be
 * blocked or caught by its user (sys/signals.h); those of a stop (Ctrl-Z) and of a new size are
 * handled here.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct top;

/* Can stdin and stdout be such a screen? */
bool top_possible(void);

/* NULL when the terminal can't do it after all. One at a time. */
struct top *top_open(void);
void top_close(struct top *t);

/* Lines of the screen, the foot among them, and how long they are. */
uint32_t top_lines(const struct top *t);
uint32_t top_columns(const struct top *t);

/*
 * top_show() - draw @text, whose lines are cut at the screen's edges.
 * @n_bold: so many of its first lines stand out
 * @foot: the last line of the screen
 */
void top_show(struct top *t, const char *text, uint32_t n_bold, const char *foot);

/* The next one is drawn on an empty screen: another program may have written on it. */
void top_clear(struct top *t);

#define TOP_RESIZED   (-2)
#define TOP_CLOSED    (-3) /* nobody types any more */
#define TOP_UP        (-4) /* arrows; and by pages */
#define TOP_DOWN      (-5)
#define TOP_PAGE_UP   (-6)
#define TOP_PAGE_DOWN (-7)
#define TOP_HOME      (-8)
/* The next key that was typed; 0: none; or one of those above. Never waits. */
int top_key(struct top *t);
