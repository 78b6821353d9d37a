/* Hardware addresses of Ethernet as text. */
#pragma once

#include <stdint.h>
#include <stdio.h>

#define MAC_TEXT_LEN sizeof("52:54:00:12:34:56")

static inline void mac_text(const uint8_t mac[static 6], char ret[static MAC_TEXT_LEN])
{
	snprintf(ret, MAC_TEXT_LEN, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
		mac[4], mac[5]);
}

/* Return: 0, or -1 when it is none. */
static inline int mac_parse(uint8_t ret[static 6], const char *text)
{
	int n = 0;

	return sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &ret[0], &ret[1], &ret[2],
		       &ret[3], &ret[4], &ret[5], &n) == 6 &&
			       !text[n]
		       ? 0
		       : -1;
}
