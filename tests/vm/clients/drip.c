// SPDX-License-Identifier: GPL-2.0-only
/*
 * drip - a datagram of UDP every millisecond, until it is killed
 *
 * usage: drip FROM TO
 *
 * FROM and TO are addresses of IPv4 or of IPv6. To the discard port, which nobody has
 * open: whatever gets past the rules counts in /proc/net/snmp, as NoPorts of Udp, or in
 * snmp6. One that cannot be sent is left out, so it
 * can be started before there is a device.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union address {
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;
};

static int read_address(const char *text, int port, union address *address)
{
	if (inet_pton(AF_INET, text, &address->ipv4.sin_addr) == 1) {
		address->ipv4.sin_family = AF_INET;
		address->ipv4.sin_port = htons(port);
		return 0;
	}
	address->ipv6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(port) };
	return inet_pton(AF_INET6, text, &address->ipv6.sin6_addr) != 1;
}

int main(int argc, char **argv)
{
	union address from = {}, to = {};
	int fd;

	if (argc != 3 || read_address(argv[1], 0, &from) || read_address(argv[2], 9, &to) ||
	    from.ipv4.sin_family != to.ipv4.sin_family) {
		fprintf(stderr, "usage: drip FROM TO\n");
		return 2;
	}
	for (;; usleep(1000)) {
		/* Anew each time: an error of the one before is gone with it. */
		fd = socket(from.ipv4.sin_family, SOCK_DGRAM, 0);
		if (fd < 0)
			return 1;
		if (!bind(fd, (void *)&from, sizeof(from)))
			sendto(fd, "drip", 4, 0, (void *)&to, sizeof(to));
		close(fd);
	}
}
