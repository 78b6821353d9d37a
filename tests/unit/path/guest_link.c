/* Words between a guest and its host, cut and joined as a byte stream may; and the token. */
#include "path/guest_link.h"

#include "base/clock.h"
#include "base/cleanup.h"
#include "base/macro.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define TOKEN "00112233445566778899aabbccddeeff"

static uint64_t soon(void)
{
	return clock_now_ns() + 2 * NSEC_PER_SEC;
}

static void put(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void lines_in_pieces(void **state)
{
	struct guest_link l = {0};
	char line[32];
	int fd[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	l.fd = fd[0];
	put(fd[1], "rea");
	assert_int_equal(guest_hear(&l, line, sizeof(line), clock_now_ns()), -ETIMEDOUT);
	put(fd[1], "dy\nok\nerr");
	assert_int_equal(guest_hear(&l, line, sizeof(line), soon()), 0);
	assert_string_equal(line, "ready");
	assert_int_equal(guest_hear(&l, line, sizeof(line), soon()), 0);
	assert_string_equal(line, "ok");
	close(fd[1]);
	assert_int_equal(guest_hear(&l, line, sizeof(line), soon()), -EPIPE);
	close(fd[0]);
}

static void a_line_without_end(void **state)
{
	struct guest_link l = {0};
	char line[32], x[sizeof(l.buf)];
	int fd[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	l.fd = fd[0];
	memset(x, 'x', sizeof(x));
	assert_int_equal(write(fd[1], x, sizeof(x)), sizeof(x));
	assert_int_equal(guest_hear(&l, line, sizeof(line), soon()), -EPROTO);
	close(fd[0]);
	close(fd[1]);
}

/* What an agent that was killed left, half a token among it, is dropped; what follows is kept. */
static void a_token_after_rubbish(void **state)
{
	char c;
	int fd[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	put(fd[1], "{\"type\": \"ok\"}\n\n0011\n00112233445566778899aabbccddeef");
	assert_int_equal(guest_token_write(fd[1], TOKEN, soon()), 0);
	put(fd[1], "x");
	assert_int_equal(guest_token_await(fd[0], TOKEN, soon()), 0);
	assert_int_equal(read(fd[0], &c, 1), 1);
	assert_int_equal(c, 'x');
	assert_int_equal(guest_token_await(fd[0], TOKEN, clock_now_ns()), -ETIMEDOUT);
	close(fd[0]);
	close(fd[1]);
}

/* A text of the largest size: all members are as long as they can be. */
static struct guest_cfg longest_cfg(void)
{
	struct guest_cfg cfg = {.ipv6 = true, .mtu = 65535, .forwards = true, .nf = NF_BRIDGE};

	cfg.pod = cfg.no_offloads = true;
	memset(cfg.addr, 'a', sizeof(cfg.addr) - 1);
	memset(cfg.gateway, 'g', sizeof(cfg.gateway) - 1);
	for (int i = 0; i < NF_N_SIDES; i++) {
		struct guest_side *s = &cfg.side[i];

		memset(s->mac, 'm', sizeof(s->mac) - 1);
		memset(s->own, 'o', sizeof(s->own) - 1);
		memset(s->own_len, 'l', sizeof(s->own_len) - 1);
		memset(s->end, 'e', sizeof(s->end) - 1);
		memset(s->end_mac, '0' + i, sizeof(s->end_mac) - 1);
	}
	return cfg;
}

static void a_configuration_there_and_back(void **state)
{
	const struct guest_cfg long_cfg = longest_cfg();
	const struct guest_cfg short_cfg = {.addr = "198.18.1.2/24", .gateway = "g", .mtu = 1500};
	const struct guest_cfg *const cfgs[] = {&long_cfg, &short_cfg};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cfgs); i++) {
		struct guest_cfg back = {0};
		char text[GUEST_CFG_LEN], again[GUEST_CFG_LEN];
		struct err e = {0};

		guest_cfg_text(cfgs[i], text, sizeof(text));
		assert_int_equal(opt_set_pairs(guest_opts, &back, text, &e), 0);
		guest_cfg_text(&back, again, sizeof(again));
		assert_string_equal(again, text);
		assert_int_equal(strlen(back.side[NF_OUT].end_mac),
			strlen(cfgs[i]->side[NF_OUT].end_mac));
	}
}

static void hardware_addresses(void **state)
{
	const uint8_t mac[6] = {0x52, 0x54, 0x00, 0xab, 0x0c, 0xff};
	uint8_t back[6];
	char text[MAC_TEXT_LEN];

	(void)state;
	mac_text(mac, text);
	assert_string_equal(text, "52:54:00:ab:0c:ff");
	assert_int_equal(mac_parse(back, text), 0);
	assert_memory_equal(back, mac, sizeof(mac));
	assert_int_equal(mac_parse(back, "52:54:00:ab:0c"), -1);
	assert_int_equal(mac_parse(back, "52:54:00:ab:0c:ff0"), -1);
	assert_int_equal(mac_parse(back, ""), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_in_pieces),
		cmocka_unit_test(a_line_without_end),
		cmocka_unit_test(a_token_after_rubbish),
		cmocka_unit_test(a_configuration_there_and_back),
		cmocka_unit_test(hardware_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
