#include "sys/procnet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char snmp[] = "Ip: Forwarding InDiscards\nIp: 2 64\n"
			   "Udp: InDatagrams InErrors\nUdp: 48051 18446744073709551615\n"
			   "UdpLite: InDatagrams InErrors\nUdpLite: 7 8";

static void snmp_is_read(void **state)
{
	(void)state;
	assert_int_equal(procnet_snmp(snmp, "Ip", "InDiscards"), 64);
	assert_int_equal(procnet_snmp(snmp, "Udp", "InDatagrams"), 48051);
	assert_int_equal(procnet_snmp(snmp, "Udp", "InErrors"), UINT64_MAX);
	assert_int_equal(procnet_snmp(snmp, "UdpLite", "InErrors"), 8);
	assert_int_equal(procnet_snmp(snmp, "Udp", "InErr"), 0);
	assert_int_equal(procnet_snmp(snmp, "Tcp", "InErrors"), 0);
	assert_int_equal(procnet_snmp("", "Udp", "InErrors"), 0);
	assert_int_equal(procnet_snmp("Udp: InErrors", "Udp", "InErrors"), 0);
	assert_int_equal(procnet_snmp("Udp: A InErrors\nUdp: 1", "Udp", "InErrors"), 0);
	assert_int_equal(procnet_snmp("Udp: InErrors\nIp: 1", "Udp", "InErrors"), 0);
}

static void snmp6_is_read(void **state)
{
	static const char text[] = "Ip6InDiscards   \t3\nUdp6InErrors\t4\nUdp6InErrorsX 5\nLast";

	(void)state;
	assert_int_equal(procnet_snmp6(text, "Ip6InDiscards"), 3);
	assert_int_equal(procnet_snmp6(text, "Udp6InErrors"), 4);
	assert_int_equal(procnet_snmp6(text, "Last"), 0);
	assert_int_equal(procnet_snmp6(text, "Udp6"), 0);
}

static void columns_are_summed(void **state)
{
	static const char table[] =
		"entries drop  found\n000000ff 00000010 1\n00000001 0000000a 2\n";

	(void)state;
	assert_int_equal(procnet_column("00000001 00000002\n0000000a 00000003\n", 1), 5);
	assert_int_equal(procnet_column("00000001\n0000000a 00000003\n", 1), 3);
	assert_int_equal(procnet_column("", 0), 0);
	assert_int_equal(procnet_named_column(table, "drop"), 0x1a);
	assert_int_equal(procnet_named_column(table, "entries"), 0x100);
	assert_int_equal(procnet_named_column(table, "early_drop"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(snmp_is_read),
		cmocka_unit_test(snmp6_is_read),
		cmocka_unit_test(columns_are_summed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
