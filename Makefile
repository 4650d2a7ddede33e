# SPDX-License-Identifier: GPL-2.0-only
# Each command is a small program in scripts/; `make help` lists them.

export BASE CONFIG ACCEL LINUX MACHINE RUN ARGS TIMEOUT TREE CONFIG_FROM

COMMANDS := run check check-long kernel shell vm series refresh tree bench \
	    matrix deb lint

help:
	@cat scripts/help.txt
	@sed -n 's/^range: \(.*\) \(.*\)/                  Linux \1 to \2/p' patches/*/series

$(COMMANDS): deps
	@python3 -B scripts/project.py $@

deps:
	@scripts/deps.sh $(filter bench check check-long matrix deb lint,$(MAKECMDGOALS))

clean:
	rm -rf build

.PHONY: help deps clean $(COMMANDS)
