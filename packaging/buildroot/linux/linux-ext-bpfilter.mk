# SPDX-License-Identifier: GPL-2.0-only
################################################################################
#
# bpfilter, in the kernel's tree
#
################################################################################

LINUX_EXTENSIONS += bpfilter

define BPFILTER_PREPARE_KERNEL
	$(BPFILTER_DIR)/kern/integrate --umh $(BPFILTER_DIR)/bpfilter_umh $(LINUX_DIR)
endef
