// SPDX-License-Identifier: GPL-2.0-only
/*
 * later_fragment - sends a TCP packet's later fragment that looks like a header
 *
 * Its data would be a TCP header with ECE and CWR set, and with a maximum segment
 * size of 1460, if it were the first fragment.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <stdio.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	struct {
		struct iphdr ip;
		unsigned char tcp[24];
	} packet = {
		.ip = {
			.version = 4,
			.ihl = 5,
			.tot_len = htons(sizeof(packet)),
			.frag_off = htons(100),
			.ttl = 64,
			.protocol = IPPROTO_TCP,
		},
		/* 24 bytes of header; ECE, CWR and SYN; the option. */
		.tcp = { [12] = 6 << 4, [13] = 0xc2, [20] = 2, 4, 1460 >> 8, 1460 & 0xff },
	};
	struct sockaddr_in to = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);

	if (argc != 2 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1) {
		fprintf(stderr, "usage: later_fragment ADDRESS\n");
		return 2;
	}
	packet.ip.daddr = to.sin_addr.s_addr;
	if (fd < 0 || sendto(fd, &packet, sizeof(packet), 0, (void *)&to,
			     sizeof(to)) != sizeof(packet)) {
		perror("later_fragment");
		return 1;
	}
	return 0;
}
