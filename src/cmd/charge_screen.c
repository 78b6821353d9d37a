/* The live table on a terminal, and its keys. */
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/charge_live.h"
#include "report/top.h"

#include <stdlib.h>

#define FASTEST_NS (100 * NSEC_PER_MSEC)
#define SLOWEST_NS (64 * NSEC_PER_SEC)

struct screen {
	struct top *top;
	bool paused;
	bool has_bill;
	struct bill bill; /* what is on it */
};

struct screen *screen_open(void)
{
	struct screen *s = xcalloc(1, sizeof(*s));

	s->top = top_open();
	if (s->top)
		return s;
	free(s);
	return NULL;
}

void screen_close(struct screen *s)
{
	if (!s)
		return;
	top_close(s->top);
	bill_fini(&s->bill);
	free(s);
}

/* Two heads, host, overhead, sum, columns and rows that are left out, what is checked, the keys. */
#define LINES_BESIDE 9

/* As many containers as there is room for, so that the sum is seen. */
static uint32_t room_of(const struct live *l)
{
	const uint32_t lines = top_lines(l->screen->top);
	const uint32_t room = lines > LINES_BESIDE ? lines - LINES_BESIDE : 1;

	return l->view.per_cpu ? MAX(room / (1 + l->screen->bill.n_cpus), 1U) : room;
}

static struct charge_view fitting_view(const struct live *l)
{
	const uint32_t room = room_of(l);
	struct charge_view v = l->view;

	v.top = v.top ? MIN(v.top, room) : room;
	v.columns = top_columns(l->screen->top);
	return v;
}

static void print_bill(const struct live *l, FILE *out)
{
	const struct charge_view view = fitting_view(l);
	char interval[32];

	num_format(l->interval_ns, NUM_DURATION, interval, sizeof(interval));
	fprintf(out, "tare charge  every %s  by %s%s%s", interval, charge_sort_name[l->view.sort],
		l->view.active ? "  active" : "", l->screen->paused ? "  paused" : "");
	if (l->view.skip)
		fprintf(out, "  from %u", l->view.skip + 1);
	fputs("  ", out);
	if (!l->screen->has_bill) {
		fputs("waiting for the first interval\n", out);
		return;
	}
	report_charge_head(&l->screen->bill, l->begin_ns, l->run.duration_ns, out);
	report_charge_table(&l->screen->bill, &view, out);
}

/* One container at least is seen, where there is one. */
static void scroll_to(struct live *l, int64_t n)
{
	const int64_t last = (int64_t)report_charge_count(&l->screen->bill, &l->view) - 1;

	l->view.skip = (uint32_t)MAX(MIN(n, last), 0);
}

static void draw(struct live *l)
{
	_cleanup_(freep) char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return;
	scroll_to(l, l->view.skip); /* some may have gone, or have nothing now */
	print_bill(l, out);
	fclose(out);
	top_show(l->screen->top, text, 2,
		"q quit  by: t total n softirq p packets l gained a name  1 CPUs  i idle  "
		"+- pace  space pause");
}

void screen_begin(struct live *l)
{
	draw(l);
}

void screen_interval(struct live *l, struct bill *b)
{
	struct screen *s = l->screen;

	if (s->paused)
		return;
	bill_fini(&s->bill);
	s->bill = *b;
	s->has_bill = true;
	*b = (struct bill){0};
	draw(l);
}

static void key_sort(struct live *l, uint32_t sort)
{
	l->view.sort = sort;
}

static void key_cpus(struct live *l, uint32_t arg)
{
	(void)arg;
	l->view.per_cpu = !l->view.per_cpu;
}

static void key_active(struct live *l, uint32_t arg)
{
	(void)arg;
	l->view.active = !l->view.active;
}

/* @slower: twice as long, else half; from the next interval on */
static void key_interval(struct live *l, uint32_t slower)
{
	if (slower)
		l->interval_ns = MAX(MIN(l->interval_ns * 2, SLOWEST_NS), l->interval_ns);
	else
		l->interval_ns = MIN(MAX(l->interval_ns / 2, FASTEST_NS), l->interval_ns);
}

static void key_down(struct live *l, uint32_t pages)
{
	scroll_to(l, (int64_t)l->view.skip + (pages ? room_of(l) : 1));
}

static void key_up(struct live *l, uint32_t pages)
{
	scroll_to(l, (int64_t)l->view.skip - (pages ? room_of(l) : 1));
}

static void key_home(struct live *l, uint32_t arg)
{
	(void)arg;
	l->view.skip = 0;
}

static void key_pause(struct live *l, uint32_t arg)
{
	(void)arg;
	l->screen->paused = !l->screen->paused;
}

static void key_clear(struct live *l, uint32_t arg)
{
	(void)arg;
	top_clear(l->screen->top);
}

static void key_quit(struct live *l, uint32_t arg)
{
	(void)arg;
	l->stop = true;
}

static const struct {
	int key;
	void (*act)(struct live *l, uint32_t arg);
	uint32_t arg;
} keys[] = {
	{'t', key_sort, CHARGE_SORT_TOTAL},
	{'n', key_sort, CHARGE_SORT_SOFTIRQ},
	{'p', key_sort, CHARGE_SORT_PACKETS},
	{'l', key_sort, CHARGE_SORT_GAINED},
	{'a', key_sort, CHARGE_SORT_NAME},
	{'1', key_cpus, 0},
	{'i', key_active, 0},
	{'+', key_interval, true},
	{'-', key_interval, false},
	{TOP_DOWN, key_down, false},
	{TOP_UP, key_up, false},
	{TOP_PAGE_DOWN, key_down, true},
	{TOP_PAGE_UP, key_up, true},
	{TOP_HOME, key_home, 0},
	{' ', key_pause, 0},
	{'L' - '@', key_clear, 0}, /* Ctrl-L */
	{TOP_RESIZED, key_clear, 0},
	{'q', key_quit, 0},
	{TOP_CLOSED, key_quit, 0},
};

void screen_keys(struct live *l)
{
	int key;
	bool any = false;

	while ((key = top_key(l->screen->top)) != 0) {
		any = true;
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
			if (keys[i].key == key)
				keys[i].act(l, keys[i].arg);
		if (l->stop)
			return;
	}
	if (any)
		draw(l);
}
