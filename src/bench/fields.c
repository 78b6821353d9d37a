#include "bench/fields.h"

#include "bench/result.h"

const struct field run_fields[] = {
	FIELD_STR(struct run, started, "when the run began, UTC"),
	FIELD_STR(struct run, command, "the command line"),
	FIELD_BOOL(struct run, complete, "false: interrupted; what is here is partial"),
	FIELD_BOOL(struct run, rootless, "built inside a user namespace, without root"),
	FIELD_DOUBLE(struct run, background_cpus, "CPUs",
		"busy on average just before the first trial: what else the machine does"),
	FIELD_END,
};

const struct field path_result_fields[] = {
	FIELD_STR(struct path_result, reason, "why the path was skipped or failed, else empty"),
	FIELD_STR(struct path_result, mark,
		"what sets its numbers apart: tcg, an end's CPU is emulated; else empty"),
	FIELD_STR(struct path_result, near_dev, "device of the near end"),
	FIELD_STR(struct path_result, far_dev, "device of the far end"),
	FIELD_STR(struct path_result, near_offloads, "offloads of near_dev"),
	FIELD_STR(struct path_result, far_offloads, "offloads of far_dev"),
	FIELD_DOUBLE(struct path_result, ceiling_bps, "bit/s",
		"most TCP payload the shaped wire can carry one way; 0: not shaped"),
	FIELD_U64(struct path_result, open_ns, "ns",
		"what it took to build and verify the path and to start its agents; 0: not built"),
	FIELD_U64(struct path_result, close_ns, "ns", "what it took to remove it"),
	FIELD_END,
};

const struct field trial_fields[] = {
	FIELD_U32(struct trial, round, "", "round of the run, from 0"),
	FIELD_U32(struct trial, order, "", "place among all trials of the run, from 0"),
	FIELD_U32(struct trial, attempts, "", "1, or 2 when the first attempt failed"),
	FIELD_STR(struct trial, reason, "why the last failed attempt failed, else empty"),
	FIELD_U64(struct trial, span_ns, "ns",
		"planned length of the counted span; its real length for an exact amount and when "
		"interrupted"),
	FIELD_BOOL(struct trial, metered,
		"meter softirq was armed, whose cost is in the trial's numbers"),
	FIELD_BOOL(struct trial, extra,
		"one more, for meter softirq: in no other number of its cell"),
	FIELD_BOOL(struct trial, interrupted,
		"ended early by the user; its numbers are of the shorter span"),
	FIELD_STR(struct trial, near_cpus, "CPUs that near's threads were pinned to; empty: none"),
	FIELD_STR(struct trial, far_cpus, "CPUs that far's threads were pinned to; empty: none"),
	FIELD_BOOL(struct trial, same_machine,
		"both ends share one machine: its cpu and cycles readings are taken once, at near"),
	FIELD_BOOL(struct trial, near_guest,
		"near is in a virtual machine on this one: CPU time is watch's, the whole "
		"machine's"),
	FIELD_BOOL(struct trial, far_guest, "the same of far"),
	FIELD_END,
};

const struct field cell_fields[] = {
	FIELD_U32(struct cell, n_failed, "", "trials that failed"),
	FIELD_END,
};

const struct field estimate_fields[] = {
	FIELD_U32(struct estimate, n, "",
		"trials behind the number (pairs of trials, for a ratio)"),
	FIELD_DOUBLE(struct estimate, mean, "", "mean; of a ratio, the geometric mean"),
	FIELD_DOUBLE(struct estimate, median, "", "median"),
	FIELD_DOUBLE(struct estimate, sd, "", "sample standard deviation"),
	FIELD_DOUBLE(struct estimate, ci_low, "", "lower end of the 95 % confidence interval"),
	FIELD_DOUBLE(struct estimate, ci_high, "", "upper end of the 95 % confidence interval"),
	FIELD_END,
};
