/* What a campaign's structs are called, in units, for everything that writes them down. */
#include "method/rfc2544.h"

const char *const rfc_status_name[] = {
	[RFC_OK] = "ok",
	[RFC_TESTER_LIMITED] = "tester-limited",
	[RFC_MAX_RATE] = "max-rate",
	[RFC_NOT_APPLICABLE] = "not-applicable",
	[RFC_FAILED] = "failed",
};
static_assert(ARRAY_SIZE(rfc_status_name) == RFC_STATUS_N);

const char *const rfc_limit_name[] = {
	[RFC_LIMIT_SELF] = "self-test",
	[RFC_LIMIT_LINE] = "line-rate",
	[RFC_LIMIT_MAX] = "max-rate",
};
static_assert(ARRAY_SIZE(rfc_limit_name) == RFC_LIMIT_N);

const struct field rfc_row_fields[] = {
	FIELD_STR(struct rfc_row, verdict, "why the status is that, and what is strange; or empty"),
	FIELD_END,
};

const struct field rfc_trial_fields[] = {
	FIELD_DOUBLE(struct rfc_trial, fps, "frames/s", "load of a port; null: as fast as it goes"),
	FIELD_U64(struct rfc_trial, duration_ns, "ns", "intended"),
	FIELD_U64(struct rfc_trial, effective_ns, "ns", "what it took in all"),
	FIELD_U64(struct rfc_trial, tried, "frames", "intended, of all ports"),
	FIELD_U64(struct rfc_trial, lost, "frames", "of tried; what was not sent is lost"),
	FIELD_U64(struct rfc_trial, own_lost, "frames",
		"of lost: not sent, or not taken by the tester's own receiver"),
	FIELD_END,
};

const struct field rfc_seen_fields[] = {
	FIELD_U64(struct rfc_seen, duplicated, "frames", "came more than once, in all trials"),
	FIELD_U64(struct rfc_seen, reordered, "frames", "came after a later one"),
	FIELD_U64(struct rfc_seen, corrupt, "frames", "with a wrong length or checksum"),
	FIELD_U64(struct rfc_seen, late, "frames",
		"of an earlier trial, which had counted them lost"),
	FIELD_U64(struct rfc_seen, alien, "frames", "that the tester did not send"),
	FIELD_END,
};

const struct field rfc_size_fields[] = {
	FIELD_DOUBLE(struct rfc_size, self_fps, "frames/s",
		"what the tester does without a SUT, a port; null: not tested"),
	FIELD_DOUBLE(struct rfc_size, line_fps, "frames/s",
		"theoretical maximum of --line-rate; null: there is no line rate"),
	FIELD_DOUBLE(struct rfc_size, max_fps, "frames/s", "highest load of a port"),
	FIELD_END,
};

const struct field rfc_burst_sum_fields[] = {
	FIELD_U32(struct rfc_burst_sum, n, "", "searches that found a burst"),
	FIELD_DOUBLE(struct rfc_burst_sum, mean_frames, "frames", "mean of the longest bursts"),
	FIELD_DOUBLE(struct rfc_burst_sum, min_frames, "frames", "shortest of them"),
	FIELD_DOUBLE(struct rfc_burst_sum, max_frames, "frames", "longest of them"),
	FIELD_DOUBLE(struct rfc_burst_sum, sd_frames, "frames", "sample standard deviation"),
	FIELD_DOUBLE(struct rfc_burst_sum, implied_s, "s", "of the mean, by RFC 9004 s.6"),
	FIELD_DOUBLE(struct rfc_burst_sum, corrected_s, "s", "of the mean, by RFC 9004 s.6"),
	FIELD_DOUBLE(struct rfc_burst_sum, buffer_frames, "frames", "of the mean"),
	FIELD_END,
};

const struct field rfc_latency_sum_fields[] = {
	FIELD_DOUBLE(struct rfc_latency_sum, load, "", "of the rate that it is relative to"),
	FIELD_DOUBLE(struct rfc_latency_sum, fps, "frames/s", "load of a port"),
	FIELD_U32(struct rfc_latency_sum, n, "", "streams"),
	FIELD_U64(struct rfc_latency_sum, samples, "", "frames, of all streams together"),
	FIELD_DOUBLE(struct rfc_latency_sum, mean_ns, "ns", "mean of the streams' means"),
	FIELD_DOUBLE(struct rfc_latency_sum, min_ns, "ns", "least of all frames"),
	FIELD_DOUBLE(struct rfc_latency_sum, p50_ns, "ns", "median of all frames"),
	FIELD_DOUBLE(struct rfc_latency_sum, p90_ns, "ns", "90 % of frames are not slower"),
	FIELD_DOUBLE(struct rfc_latency_sum, p99_ns, "ns", "99 %"),
	FIELD_DOUBLE(struct rfc_latency_sum, p999_ns, "ns",
		"99.9 %; null: fewer than 10 frames beyond"),
	FIELD_DOUBLE(struct rfc_latency_sum, p9999_ns, "ns", "99.99 %"),
	FIELD_DOUBLE(struct rfc_latency_sum, max_ns, "ns", "slowest of all frames"),
	FIELD_DOUBLE(struct rfc_latency_sum, pdv_ns, "ns",
		"delay variation: 99th percentile less minimum. RFC 5481"),
	FIELD_END,
};
