// SPDX-License-Identifier: GPL-2.0-only
/*
 * drip - a datagram of UDP every millisecond, until it is killed
 *
 * usage: drip FROM TO
 *
 * To the discard port, which nobody has open: whatever gets past the rules counts in
 * /proc/net/snmp, as NoPorts of Udp. One that cannot be sent is left out, so it
 * can be started before there is a device.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
	int fd;

	if (argc != 3 || !inet_aton(argv[1], &from.sin_addr) || !inet_aton(argv[2], &to.sin_addr)) {
		fprintf(stderr, "usage: drip FROM TO\n");
		return 2;
	}
	for (;; usleep(1000)) {
		/* Anew each time: an error of the one before is gone with it. */
		fd = socket(AF_INET, SOCK_DGRAM, 0);
		if (fd < 0)
			return 1;
		if (!bind(fd, (void *)&from, sizeof(from)))
			sendto(fd, "drip", 4, 0, (void *)&to, sizeof(to));
		close(fd);
	}
}
