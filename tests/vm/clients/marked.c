// SPDX-License-Identifier: GPL-2.0-only
/*
 * marked - a transparent UDP socket with a mark, for the match socket
 *
 * Prints "ready" and waits until it is killed.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int fd = socket(AF_INET6, SOCK_DGRAM, 0), yes = 1, mark;
	struct sockaddr_in6 at = { .sin6_family = AF_INET6 };

	if (argc != 3) {
		fprintf(stderr, "usage: marked PORT MARK\n");
		return 2;
	}
	at.sin6_port = htons(atoi(argv[1]));
	mark = strtol(argv[2], NULL, 0);
	if (fd < 0 ||
	    setsockopt(fd, SOL_IPV6, IPV6_TRANSPARENT, &yes, sizeof(yes)) ||
	    setsockopt(fd, SOL_IP, IP_TRANSPARENT, &yes, sizeof(yes)) ||
	    setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) ||
	    bind(fd, (void *)&at, sizeof(at))) {
		perror("marked");
		return 1;
	}
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
