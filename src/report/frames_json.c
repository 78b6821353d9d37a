/* The document of a trial of frames, and its schema: the same rows in the same order. */
#include "report/frames.h"

#include "report/schema.h"
#include "wire/doc.h"

#include <math.h>

#define FRAMES_SCHEMA_VERSION 1

struct frames_rate frames_rate(const struct frame_count *got)
{
	const double n = (double)got->received;
	const double s = (double)(got->last_ns - got->first_ns) / 1e9;
	struct frames_rate rate = {NAN, NAN, NAN};

	if (got->received < 2 || s <= 0)
		return rate;
	rate.fps = (n - 1) / s;
	rate.l1_bps = frame_l1_bps(rate.fps, (double)got->bytes / n);
	rate.l2_bps = frame_l2_bps(rate.fps, (double)got->bytes / n);
	return rate;
}

double frames_received_fps(const struct tester_trial *t)
{
	double received = 0, s = 0;

	for (uint32_t i = 0; i < TESTER_N_PORTS; i++) {
		const struct frame_sent *x = &t->flow[i].sent;

		if (!t->flow[i].used || x->sent < 2)
			continue;
		received += (double)t->flow[i].got.received;
		/* From the first to the last there is a gap less than there are frames. */
		s = fmax(s, (double)(x->last_ns - x->first_ns) / 1e9 * (double)x->sent /
				    (double)(x->sent - 1));
	}
	return s > 0 ? received / s : NAN;
}

static struct doc *flow(const struct frames_report *r, uint32_t i)
{
	const struct tester_flow *f = &r->trial->flow[i];
	const struct frames_rate rate = frames_rate(&f->got);
	struct doc *d = doc_object();

	doc_put_str(d, "dir", tester_dir_name[i == 0 ? TESTER_DIR_TX : TESTER_DIR_RX]);
	doc_put_u64(d, "intended", f->intended);
	doc_put_u64(d, "lost", f->lost);
	doc_put_number(d, "loss_ratio", f->intended ? (double)f->lost / (double)f->intended : NAN);
	doc_put_u64(d, "overflowed", f->overflowed);
	doc_put_fields(d, frame_sent_fields, &f->sent);
	doc_put_fields(d, frame_count_fields, &f->got);
	doc_put_number(d, "fps", rate.fps);
	doc_put_number(d, "l1_bps", rate.l1_bps);
	doc_put_number(d, "l2_bps", rate.l2_bps);
	return d;
}

static struct doc *tester(const struct subject *s)
{
	struct doc *d = doc_object();
	struct doc *offloads = doc_array();

	doc_put_fields(d, tester_info_fields, &s->info);
	for (uint32_t i = 0; i < TESTER_N_PORTS; i++)
		doc_append_str(offloads, s->info.offloads[i]);
	doc_put(d, "offloads", offloads);
	return d;
}

static struct doc *notes(const struct subject *s)
{
	struct doc *d = doc_array();

	for (uint32_t i = 0; i < s->n_notes; i++)
		doc_append_str(d, s->note[i]);
	return d;
}

static struct doc *trial(const struct tester_trial *t)
{
	struct doc *d = doc_object();
	uint64_t intended = 0, lost = 0, received = 0;

	for (uint32_t i = 0; i < TESTER_N_PORTS; i++) {
		intended += t->flow[i].intended;
		lost += t->flow[i].lost;
		received += t->flow[i].got.received;
	}
	doc_put_u64(d, "intended", intended);
	doc_put_u64(d, "received", received);
	doc_put_u64(d, "lost", lost);
	doc_put_double(d, "received_fps", frames_received_fps(t));
	return d;
}

/* Trials by instantiation, and what they say. */
static void put_spread(struct doc *d, const struct frames_spread *s)
{
	struct doc *list = doc_array(), *sum = doc_object();

	for (uint32_t i = 0; i < s->n_rebuilds; i++) {
		struct doc *one = doc_array();

		for (uint32_t k = 0; k < s->n_repeats; k++)
			doc_append(one, trial(&s->trial[i * s->n_repeats + k]));
		doc_append(list, one);
	}
	doc_put_fields(sum, components_fields, &s->fps);
	doc_put(d, "instantiations", list);
	doc_put(d, "received_fps", sum);
}

static void add(struct schema_object *o, const char *key, struct doc *schema, const char *text,
	const char *unit)
{
	schema_describe(schema, text, unit);
	schema_object_add(o, key, schema);
}

static struct doc *flow_schema(void)
{
	struct schema_object o = schema_object_new();

	add(&o, "dir", schema_one_of(tester_dir_name, TESTER_DIR_BOTH),
		"tx: from near to far; rx: the other way", "");
	add(&o, "intended", schema_count(), "test frames due by the plan", "");
	add(&o, "lost", schema_count(), "intended and not received, whether sent or not", "");
	add(&o, "loss_ratio", schema_number_or_null(), "lost of intended", "");
	add(&o, "overflowed", schema_count(), "of lost: by the tester's own receiver", "");
	schema_add_fields(&o, frame_sent_fields);
	schema_add_fields(&o, frame_count_fields);
	add(&o, "fps", schema_number_or_null(), "received, from the first to the last", "1/s");
	add(&o, "l1_bps", schema_number_or_null(), "the same with preamble and gap", "bit/s");
	add(&o, "l2_bps", schema_number_or_null(), "the same of frames with FCS", "bit/s");
	return schema_object_end(&o);
}

static struct doc *tester_schema(void)
{
	struct schema_object o = schema_object_new();

	schema_add_fields(&o, tester_info_fields);
	add(&o, "offloads", schema_array_of(schema_type("string")), "of the devices, in trials",
		"");
	return schema_object_end(&o);
}

static struct doc *config_schema(void)
{
	struct schema_object o = schema_object_new();

	schema_add_opts(&o, tester_opts);
	schema_add_opts(&o, resources_opts);
	return schema_object_end(&o);
}

static struct doc *trial_schema(void)
{
	struct schema_object o = schema_object_new();

	add(&o, "intended", schema_count(), "of all ports", "");
	add(&o, "received", schema_count(), "of them", "");
	add(&o, "lost", schema_count(), "of intended", "");
	add(&o, "received_fps", schema_number_or_null(), "received, by the time of sending", "1/s");
	return schema_object_end(&o);
}

int frames_schema(FILE *out)
{
	_cleanup_(doc_freep) struct doc *d = NULL;
	struct schema_object o = schema_document_new("tare-frames", FRAMES_SCHEMA_VERSION,
		"What tare frames prints with --json");

	schema_object_add(&o, "command", schema_type("string"));
	add(&o, "started", schema_type("string"), "UTC", "");
	add(&o, "subject", schema_type("string"), "what was between the ports", "");
	schema_object_add(&o, "config", config_schema());
	schema_object_add(&o, "resources", schema_of_fields(resources_info_fields));
	schema_object_add(&o, "ipv6", schema_type("boolean"));
	add(&o, "size", schema_type("string"), "of frames with FCS, or the name of a mix", "bytes");
	add(&o, "mean_bytes", schema_type("number"), "of a frame with FCS", "bytes");
	add(&o, "rate_fps", schema_number_or_null(),
		"out of each port that sends; null: as fast as it goes", "1/s");
	add(&o, "burst", schema_count(), "frames due together", "");
	add(&o, "effective_ns", schema_count(), "what the trial took in all", "ns");
	schema_object_add(&o, "tester", tester_schema());
	schema_object_add(&o, "notes", schema_array_of(schema_type("string")));
	schema_object_add(&o, "flows", schema_array_of(flow_schema()));
	add(&o, "latency", schema_or_null(schema_histogram()), "from send to receive, of all flows",
		"ns");
	add(&o, "instantiations", schema_array_of(schema_array_of(trial_schema())),
		"trials of each; the document's own trial is the first", "");
	add(&o, "received_fps", schema_of_fields(components_fields), "of all trials", "");
	d = schema_object_end(&o);
	return doc_write(d, out);
}

int frames_json(const struct frames_report *r, FILE *out)
{
	_cleanup_(doc_freep) struct doc *d = doc_object();
	struct doc *cfg = doc_object(), *flows = doc_array(), *resources = doc_object();

	schema_put_head(d, "tare-frames", FRAMES_SCHEMA_VERSION);
	doc_put_str(d, "command", r->command);
	doc_put_str(d, "started", r->started);
	doc_put_str(d, "subject", r->subject->name);
	doc_put_opts(cfg, tester_opts, r->cfg);
	doc_put_opts(cfg, resources_opts, r->resources);
	doc_put(d, "config", cfg);
	doc_put_fields(resources, resources_info_fields, resources_info(r->subject->resources));
	doc_put(d, "resources", resources);
	doc_put_bool(d, "ipv6", r->ipv6);
	doc_put_str(d, "size", r->mix->name);
	doc_put_number(d, "mean_bytes", r->mix->mean_bytes);
	doc_put_number(d, "rate_fps", r->fps);
	doc_put_u64(d, "burst", r->trial->burst);
	doc_put_u64(d, "effective_ns", r->trial->effective_ns);
	doc_put(d, "tester", tester(r->subject));
	doc_put(d, "notes", notes(r->subject));
	for (uint32_t i = 0; i < TESTER_N_PORTS; i++)
		if (r->trial->flow[i].used)
			doc_append(flows, flow(r, i));
	doc_put(d, "flows", flows);
	if (r->trial->hist)
		doc_put_hist(d, "latency", r->trial->hist);
	else
		doc_put_null(d, "latency");
	put_spread(d, r->spread);
	return doc_write(d, out);
}
