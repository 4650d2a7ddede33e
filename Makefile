# SPDX-License-Identifier: GPL-2.0-only
# Each command is a small program in scripts/; `make help` lists them.

export BASE CONFIG ACCEL LINUX MACHINE RUN ARGS TIMEOUT TREE

COMMANDS := run check check-long kernel shell vm series refresh tree bench \
	    matrix

help:
	@cat scripts/help.txt

$(COMMANDS): deps
	@python3 -B scripts/project.py $@

deps:
	@for command in $(or $(filter bench check-long matrix,$(MAKECMDGOALS)),""); do \
		scripts/deps.sh $$command || exit; \
	done

clean:
	rm -rf build

.PHONY: help deps clean $(COMMANDS)
