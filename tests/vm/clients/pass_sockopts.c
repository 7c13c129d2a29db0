// SPDX-License-Identifier: GPL-2.0-only
/*
 * pass_sockopts CGROUP - a BPF program that looks at the setsockopts of a cgroup
 * and changes none, for as long as the cgroup is there
 *
 * Where there is one the kernel copies what fits into a page, and the option is
 * set from its own memory.
 */
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int bpf(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

int main(int argc, char **argv)
{
	const struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr;
	int cgroup, program;

	if (argc != 2) {
		fputs("usage: pass_sockopts CGROUP\n", stderr);
		return 2;
	}
	cgroup = open(argv[1], O_RDONLY | O_DIRECTORY);
	if (cgroup < 0) {
		perror(argv[1]);
		return 1;
	}
	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_CGROUP_SOCKOPT;
	attr.expected_attach_type = BPF_CGROUP_SETSOCKOPT;
	attr.insns = (unsigned long)code;
	attr.insn_cnt = sizeof(code) / sizeof(code[0]);
	attr.license = (unsigned long)"GPL";
	program = bpf(BPF_PROG_LOAD, &attr);
	if (program < 0) {
		perror("BPF_PROG_LOAD");
		return 1;
	}
	memset(&attr, 0, sizeof(attr));
	attr.target_fd = cgroup;
	attr.attach_bpf_fd = program;
	attr.attach_type = BPF_CGROUP_SETSOCKOPT;
	if (bpf(BPF_PROG_ATTACH, &attr)) {
		perror("BPF_PROG_ATTACH");
		return 1;
	}
	return 0;
}
