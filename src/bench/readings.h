/* What the meters of one end read in one trial, and their form on the wire. */
#pragma once

#include "meter/cpu.h"
#include "meter/cycles.h"
#include "meter/drops.h"
#include "meter/irqs.h"
#include "meter/meter.h"
#include "meter/proc.h"
#include "meter/softirq.h"
#include "meter/tcp.h"
#include "wire/doc.h"

struct readings {
	bool valid[METER_N];
	struct cpu_reading cpu;
	struct proc_reading proc;
	struct tcp_reading tcp;
	struct cycles_reading cycles;
	struct drops_reading drops;
	struct irqs_reading irqs;
	struct softirq_reading softirq;
};

/* Where meter @id's reading lives in @r. */
void *readings_of(struct readings *r, enum meter_id id);

/* {"cpu": {...}, ...} with the valid ones only. */
struct doc *readings_pack(struct readings *r);
int readings_unpack(const struct doc *d, struct readings *ret, struct err *e) must_check_;
