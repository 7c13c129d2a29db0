// SPDX-License-Identifier: GPL-2.0-only
/*
 * sourceroute - sends a UDP datagram that names a router on its way
 *
 * The packet goes to the router, whose IP finds the destination in the packet's
 * options (LSRR) and keeps it in the packet's control block until it forwards.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	/* The router; Linux puts the destination in its place. */
	unsigned char options[8] = { IPOPT_NOP, IPOPT_LSRR, 7, 4 };
	struct sockaddr_in from = { .sin_family = AF_INET }, to = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (argc != 4 || inet_pton(AF_INET, argv[1], options + 4) != 1 ||
	    inet_pton(AF_INET, argv[2], &to.sin_addr) != 1) {
		fprintf(stderr, "usage: sourceroute ROUTER DESTINATION PORT\n");
		return 2;
	}
	to.sin_port = htons(atoi(argv[3]));
	/* Always from the same port: a listener may take one for all. */
	from.sin_port = to.sin_port;
	if (fd < 0 || bind(fd, (void *)&from, sizeof(from)) ||
	    setsockopt(fd, IPPROTO_IP, IP_OPTIONS, options, sizeof(options)) ||
	    sendto(fd, "through", 8, 0, (void *)&to, sizeof(to)) != 8) {
		perror("sourceroute");
		return 1;
	}
	return 0;
}
