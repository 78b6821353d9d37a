/* tare as iperf3: its command line, its output, its exit codes (0 done, 1 anything else). */
#pragma once

int iperf_main(int argc, char **argv);
