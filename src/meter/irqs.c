#include "meter/irqs.h"

#include "base/mem.h"
#include "meter/table.h"
#include "sys/file.h"
#include "sys/procirq.h"

#include <errno.h>
#include <stdlib.h>

/* A number takes 11 characters: 1024 CPUs and 360 rows. A longer file is no reading. */
#define TEXT_BYTES ((size_t)4 << 20)

struct irqs_state {
	char *text; /* [TEXT_BYTES] */
	struct irqs_reading begin;
};
static_assert(sizeof(struct irqs_state) <= METER_STATE_BYTES);
static_assert(sizeof(struct irqs_reading) <= METER_READING_BYTES);

static const struct field irqs_fields[] = {
	FIELD_U64S(struct irqs_reading, net_rx, n_cpus, "",
		"receive softirqs that each CPU was raised for; one may take in many packets"),
	FIELD_U64S(struct irqs_reading, net_tx, n_cpus, "",
		"transmit softirqs of each CPU; most sending is done in the sender's own time"),
	FIELD_U64S(struct irqs_reading, device_irqs, n_cpus, "",
		"interrupts of devices that each CPU took: network cards, disks, virtio queues"),
	FIELD_END,
};

static int read_text(struct irqs_state *s, const char *path, struct err *e)
{
	int n = file_read(path, s->text, TEXT_BYTES, e);

	if (n < 0)
		return n;
	if ((size_t)n >= TEXT_BYTES - 1)
		return err_say(e, E2BIG, "'%s' is larger than %zu bytes", path, TEXT_BYTES);
	return 0;
}

static int sample(struct irqs_state *s, struct irqs_reading *x, struct err *e)
{
	int r = read_text(s, "/proc/softirqs", e);

	*x = (struct irqs_reading){0};
	if (r < 0)
		return r;
	x->n_cpus = procirq_row(s->text, "NET_RX", x->net_rx, CPUSTAT_MAX_CPUS);
	if (procirq_row(s->text, "NET_TX", x->net_tx, CPUSTAT_MAX_CPUS) != x->n_cpus || !x->n_cpus)
		return err_say(e, EINVAL, "/proc/softirqs: no row NET_RX or NET_TX");
	r = read_text(s, "/proc/interrupts", e);
	if (r == 0)
		(void)procirq_devices(s->text, x->device_irqs, x->n_cpus);
	return r;
}

static int irqs_open(void *state, struct err *e)
{
	struct irqs_state *s = state;

	(void)e;
	s->text = xcalloc(1, TEXT_BYTES);
	return 0;
}

static void irqs_close(void *state)
{
	struct irqs_state *s = state;

	free(s->text);
}

static int irqs_probe(struct err *e)
{
	struct irqs_state *s = xcalloc(1, sizeof(*s));
	int r = irqs_open(s, e);

	if (r == 0)
		r = sample(s, &s->begin, e);
	irqs_close(s);
	free(s);
	return r < 0 ? METER_UNAVAILABLE : 0;
}

static int irqs_begin(void *state, const struct meter_scope *scope, struct err *e)
{
	struct irqs_state *s = state;

	(void)scope;
	return sample(s, &s->begin, e);
}

static int irqs_end(void *state, const struct meter_scope *scope, void *reading, struct err *e)
{
	struct irqs_state *s = state;
	struct irqs_reading *x = reading;
	int r = sample(s, x, e);

	(void)scope;
	if (r == 0 && x->n_cpus != s->begin.n_cpus)
		r = err_say(e, EAGAIN, "a CPU came or went during the trial");
	meter_since(x->net_rx, s->begin.net_rx, x->n_cpus);
	meter_since(x->net_tx, s->begin.net_tx, x->n_cpus);
	meter_since(x->device_irqs, s->begin.device_irqs, x->n_cpus);
	return r;
}

const struct meter_ops meter_irqs = {
	.name = "irqs",
	.summary = "where softirqs of the network and interrupts of devices ran",
	.fields = irqs_fields,
	.reading_bytes = sizeof(struct irqs_reading),
	.state_bytes = sizeof(struct irqs_state),
	.per_machine = true,
	.probe = irqs_probe,
	.open = irqs_open,
	.begin = irqs_begin,
	.end = irqs_end,
	.close = irqs_close,
};
