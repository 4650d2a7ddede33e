# SPDX-License-Identifier: GPL-2.0
# What the Makefiles of the folders have in common. A program is made of the file
# that is called like it and of $(<program>-objs), objects of the same folder;
# $(LIBS) is linked to each.
SELFTESTS := $(abspath $(TREE))/tools/testing/selftests

# A header that the tree has too is the tree's
CFLAGS += $(KHDR_INCLUDES)
# With -MP a header can go away, or get another name, between two builds
CFLAGS += -O2 -g -MD -MP -Wall -Werror
CFLAGS += -I$(CURDIR)/../lib
CFLAGS += -I$(SELFTESTS)/../../include
LDFLAGS += -pthread

include $(SELFTESTS)/lib.mk

$(OUTPUT)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(CPPFLAGS) $(TARGET_ARCH) -c $< -o $@

.SECONDEXPANSION:
$(TEST_GEN_PROGS) $(TEST_GEN_PROGS_EXTENDED): $(OUTPUT)/%: $(OUTPUT)/%.o $$(addprefix $(OUTPUT)/,$$($$*-objs)) $$(LIBS)
	$(CC) $(CFLAGS) $(LDFLAGS) $^ $(LDLIBS) -o $@

-include $(wildcard $(OUTPUT)/*.d $(OUTPUT)/*/*.d)

EXTRA_CLEAN += $(OUTPUT)
