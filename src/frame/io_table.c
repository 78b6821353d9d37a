#include "frame/io.h"

#include "base/macro.h"

#include <string.h>

extern const struct frame_tx_ops frame_tx_afxdp, frame_tx_live, frame_tx_packet, frame_tx_udp;
extern const struct frame_rx_ops frame_rx_afxdp, frame_rx_packet, frame_rx_udp, frame_rx_xdp;

const struct frame_tx_ops *const frame_tx_table[] = {
	&frame_tx_live,
	&frame_tx_afxdp,
	&frame_tx_packet,
	&frame_tx_udp,
	NULL,
};

const struct frame_rx_ops *const frame_rx_table[] = {
	&frame_rx_xdp,
	&frame_rx_afxdp,
	&frame_rx_packet,
	&frame_rx_udp,
	NULL,
};

const struct frame_tx_ops *frame_tx_find(const char *name)
{
	for (size_t i = 0; frame_tx_table[i]; i++)
		if (strcmp(frame_tx_table[i]->name, name) == 0)
			return frame_tx_table[i];
	return NULL;
}

const struct frame_rx_ops *frame_rx_find(const char *name)
{
	for (size_t i = 0; frame_rx_table[i]; i++)
		if (strcmp(frame_rx_table[i]->name, name) == 0)
			return frame_rx_table[i];
	return NULL;
}
