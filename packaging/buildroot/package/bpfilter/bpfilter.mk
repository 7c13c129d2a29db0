# SPDX-License-Identifier: GPL-2.0-only
################################################################################
#
# bpfilter
#
################################################################################

# The checkout that this external tree is in.
BPFILTER_SITE = $(realpath $(BR2_EXTERNAL_BPFILTER_PATH)/../..)
BPFILTER_SITE_METHOD = local
BPFILTER_VERSION = $(shell $(BPFILTER_SITE)/tools/module-source --version)
BPFILTER_LICENSE = GPL-2.0
BPFILTER_LICENSE_FILES = LICENSE
BPFILTER_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = --exclude /target --exclude /fuzz

# Built before, as a build here has no network for cargo. Cargo's folder is not copied,
# the helper is; and it is there before the kernel is patched.
define BPFILTER_TAKE_HELPER
	helper=`$(BPFILTER_SITE)/tools/umh --path $(KERNEL_ARCH)` && \
	{ test -f $$helper || { echo "$$helper is missing: run 'make umh ARCH=$(KERNEL_ARCH)' in $(BPFILTER_SITE)"; exit 1; }; } && \
	$(INSTALL) -D -m 0755 $$helper $(@D)/bpfilter_umh
endef
BPFILTER_POST_RSYNC_HOOKS += BPFILTER_TAKE_HELPER

$(eval $(generic-package))
