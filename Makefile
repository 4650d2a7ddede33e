# SPDX-License-Identifier: GPL-2.0-only
# Each command is a small program in scripts/cli/; `make help` lists them.

export BASE CONFIG ACCEL LINUX MACHINE RUN ARGS TIMEOUT TREE TO CONFIG_FROM \
       KDIR INSTALL_MOD_PATH

ifneq ($(filter-out help clean,$(MAKECMDGOALS)),)
ifneq ($(words $(subst :, ,$(CURDIR))),1)
$(error the kernel's Makefile builds in no path with a blank or a colon, and \
	$(CURDIR) has one: move or rename this folder)
endif
endif

COMMANDS := run check check-long kernel shell vm series refresh tree rebase drift \
	    bench matrix deb lint modules dkms menuconfig olddefconfig

help:
	@cat scripts/cli/help.txt
	@sed -n 's/^range: \(.*\) \(.*\)/                  Linux \1 to \2/p' patches/*/series

$(COMMANDS): deps
	@python3 -B scripts/project.py $@

deps:
	@scripts/cli/deps.sh $(filter bench check check-long matrix deb dkms lint modules menuconfig,$(MAKECMDGOALS))

clean:
	rm -rf build

.PHONY: help deps clean $(COMMANDS)
