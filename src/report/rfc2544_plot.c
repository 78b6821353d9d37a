/*
 * The graphs of RFC 2544 s.26 for gnuplot: data files and a script that draws them. Throughput by
 * frame size, with the theoretical line where there is one (s.26.1); loss by load, a line for each
 * size, both axes from 0 to 100 % (s.26.3); percentiles of latency.
 */
#include "base/cleanup.h"
#include "report/report.h"
#include "report/rfc2544.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

static void number(FILE *out, double v)
{
	if (isfinite(v))
		fprintf(out, " %.10g", v);
	else
		fputs(" NaN", out);
}

static void throughput(const struct rfc *c, FILE *out)
{
	fputs("# size_bytes fps theoretical_fps self_test_fps\n", out);
	for (uint32_t i = 0; i < c->n_sizes; i++) {
		const struct rfc_unit *u = rfc_unit_at(c, RFC_THROUGHPUT, i, 0);

		fprintf(out, "%.10g", c->size[i].mix.mean_bytes);
		number(out, u ? u->row[0].throughput.fps : NAN);
		number(out, c->size[i].line_fps);
		number(out, c->size[i].self_fps);
		fputc('\n', out);
	}
}

/* A block for each size, parted by two empty lines. */
static void loss(const struct rfc *c, FILE *out)
{
	fputs("# load_percent loss_percent\n", out);
	for (uint32_t i = 0; i < c->n_sizes; i++) {
		const struct rfc_unit *u;

		fprintf(out, "\"%s\"\n", c->size[i].mix.name);
		for (uint32_t k = 0; (u = rfc_unit_at(c, RFC_LOSS, i, k)); k++) {
			number(out, u->row[0].loss.load * 100);
			number(out, u->row[0].loss.loss_ratio * 100);
			fputc('\n', out);
		}
		fputs("\n\n", out);
	}
}

static void latency(const struct rfc *c, FILE *out)
{
	fputs("# size_bytes load mean_us min_us p50_us p90_us p99_us p999_us p9999_us max_us\n",
		out);
	for (uint32_t i = 0; i < c->n_sizes; i++) {
		struct rfc_latency_sum sum[RFC_MAX_LATENCY_LOADS];
		uint32_t n = rfc_latency_sum(c, i, sum);

		for (uint32_t k = 0; k < n; k++) {
			const struct rfc_latency_sum *x = &sum[k];
			const double ns[] = {x->mean_ns, x->min_ns, x->p50_ns, x->p90_ns, x->p99_ns,
				x->p999_ns, x->p9999_ns, x->max_ns};

			fprintf(out, "%.10g %.10g", c->size[i].mix.mean_bytes, x->load);
			for (size_t p = 0; p < ARRAY_SIZE(ns); p++)
				number(out, ns[p] / 1e3);
			fputc('\n', out);
		}
	}
}

static void burst(const struct rfc *c, FILE *out)
{
	fputs("# size_bytes mean_frames sd_frames corrected_s\n", out);
	for (uint32_t i = 0; i < c->n_sizes; i++) {
		struct rfc_burst_sum x;

		rfc_burst_sum(c, i, &x);
		fprintf(out, "%.10g", c->size[i].mix.mean_bytes);
		number(out, x.mean_frames);
		number(out, x.sd_frames);
		number(out, x.corrected_s);
		fputc('\n', out);
	}
}

/* Between double quotes of a gnuplot script, where a backslash and a quote mean something. */
static void text(FILE *out, const char *s)
{
	for (; *s; s++)
		fputs(*s == '"' ? "'" : *s == '\\' ? "/" : (char[]){*s, '\0'}, out);
}

static void script(const struct rfc *c, FILE *out)
{
	fputs("# gnuplot plot.gp draws throughput.svg, loss.svg, latency.svg, back-to-back.svg\n"
	      "set terminal svg size 900,600 noenhanced\n"
	      "label = \"",
		out);
	text(out, c->subject->name);
	fputs("\\n", out);
	text(out, c->label);
	fputs("\"\n"
	      "set key outside\nset grid\n"
	      "set output 'throughput.svg'\n"
	      "set title label\nset xlabel 'frame size, bytes'\nset ylabel 'frames/s'\n"
	      "set yrange [0:*]\n"
	      "plot 'throughput.dat' using 1:2 with linespoints title 'measured', \\\n"
	      "  '' using 1:3 with lines title 'theoretical', \\\n"
	      "  '' using 1:4 with lines title 'tester without SUT'\n"
	      "set output 'loss.svg'\n"
	      "set xlabel 'load, % of highest rate'\nset ylabel 'frames lost, %'\n"
	      "set xrange [0:100]\nset yrange [0:100]\n",
		out);
	fprintf(out,
		"plot for [i=0:%u] 'loss.dat' index i using 1:2 with linespoints \\\n"
		"  title columnheader(1)\n",
		c->n_sizes - 1);
	fputs("set xrange [*:*]\nset yrange [0:*]\n"
	      "set output 'latency.svg'\n"
	      "set xlabel 'frame size, bytes'\nset ylabel 'latency, us'\n"
	      "plot 'latency.dat' using 1:3 with linespoints title 'mean', \\\n"
	      "  '' using 1:5 with points title 'p50', '' using 1:7 with points title 'p99', \\\n"
	      "  '' using 1:8 with points title 'p99.9'\n"
	      "set output 'back-to-back.svg'\n"
	      "set ylabel 'frames'\n"
	      "plot 'back-to-back.dat' using 1:2:3 with yerrorlines title 'longest burst'\n",
		out);
}

static int write_one(const struct rfc *c, const char *dir, const char *name,
	void (*write)(const struct rfc *, FILE *), struct err *e)
{
	_cleanup_(fclosep) FILE *f = NULL;
	char path[512];
	int r;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	if (!f)
		return err_set(e, errno, "cannot open %s", path);
	write(c, f);
	r = report_flush(f);
	return r < 0 ? err_set(e, -r, "cannot write %s", path) : 0;
}

int report_rfc2544_plot(const struct rfc *c, const char *dir, struct err *e)
{
	static const struct {
		const char *name;
		void (*write)(const struct rfc *, FILE *);
	} file[] = {
		{"throughput.dat", throughput},
		{"loss.dat", loss},
		{"latency.dat", latency},
		{"back-to-back.dat", burst},
		{"plot.gp", script},
	};
	int r = 0;

	if (mkdir(dir, 0777) < 0 && errno != EEXIST)
		return err_set(e, errno, "cannot make the folder %s", dir);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(file); i++)
		r = write_one(c, dir, file[i].name, file[i].write, e);
	return r;
}
