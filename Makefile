# mcf.  `make sendmail.cf` does everything; see README.md.
CC ?= cc
FLEX ?= flex
BISON ?= bison
M4 ?= m4
BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
CFLAGS ?= -O2 -g
WARN = -Wall -Wextra -Wshadow -Wconversion -Werror
CPPFLAGS += -I. -I$(BUILD) -D_GNU_SOURCE
OURS = -std=c11 $(WARN)
# What Flex and Bison write around our actions is not ours to mend.
THEIRS = -std=c11 -w

BASE_SRC = $(wildcard lib/base/*.c)
MODEL_SRC = $(wildcard lib/model/*.c)
RULE_SRC = $(wildcard grammar/rule*.c)
GRAMMAR_SRC = $(filter-out $(RULE_SRC),$(wildcard grammar/*.c))
HOST_SRC = compiler/embed.c compiler/tables.c
COMPILER_SRC = $(filter-out $(HOST_SRC) compiler/main.c,$(wildcard compiler/*.c))
RULES = $(sort $(wildcard rulesets/*.rules rulesets/*/*.rules))
HEADERS = $(wildcard lib/*/*.h lib/*/*.def grammar/*.h compiler/*.h compiler/*.def)

obj = $(patsubst %.c,$(BUILD)/%.o,$(1))
gen = $(BUILD)/grammar/$(1).tab.o $(BUILD)/grammar/$(1).lex.o
LIB_OBJ = $(call obj,$(BASE_SRC) $(MODEL_SRC) $(GRAMMAR_SRC)) $(call gen,mc) $(call gen,cf)
RULE_OBJ = $(call obj,$(RULE_SRC)) $(call gen,rule)
MCF_OBJ = $(call obj,$(COMPILER_SRC)) $(LIB_OBJ) $(BUILD)/library.o $(BUILD)/vocabulary.o

all: $(BUILD)/mcf

$(BUILD)/mcf: $(BUILD)/compiler/main.o $(MCF_OBJ)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/%.o: %.c $(HEADERS)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(OURS) $(CFLAGS) -c -o $@ $<
$(BUILD)/grammar/%.tab.c: grammar/%.y
	@mkdir -p $(@D)
	$(BISON) -Werror -Wno-yacc -o $@ --defines=$(BUILD)/grammar/$*.tab.h $<
$(BUILD)/grammar/%.lex.c: grammar/%.l $(BUILD)/grammar/%.tab.c
	$(FLEX) -o $@ --header-file=$(BUILD)/grammar/$*.lex.h $<
$(BUILD)/grammar/%.o: $(BUILD)/grammar/%.c $(HEADERS)
	$(CC) $(CPPFLAGS) -Igrammar $(THEIRS) $(CFLAGS) -c -o $@ $<
# Our code uses what Bison and Flex declare.
$(call obj,$(GRAMMAR_SRC)): $(patsubst %,$(BUILD)/grammar/%.lex.c,mc cf)
$(call obj,$(RULE_SRC)): $(BUILD)/grammar/rule.lex.c
.SECONDARY:

# rulesets/ and the vocabulary, embedded.
$(BUILD)/embed: $(BUILD)/compiler/embed.o $(RULE_OBJ) $(call obj,$(BASE_SRC))
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(BUILD)/tables: compiler/tables.c $(HEADERS)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(OURS) $(CFLAGS) -o $@ $<
$(BUILD)/library.c $(BUILD)/library.m4: $(BUILD)/rulesets.stamp ;
$(BUILD)/rulesets.stamp: $(BUILD)/embed $(RULES) rulesets
	$(BUILD)/embed $(BUILD)/library.c $(BUILD)/library.m4 rulesets $(RULES)
	@touch $@
$(BUILD)/library.o: $(BUILD)/library.c
	$(CC) $(CPPFLAGS) $(OURS) $(CFLAGS) -c -o $@ $<
$(BUILD)/tables.m4: $(BUILD)/tables
	$(BUILD)/tables > $@.new && mv $@.new $@
$(BUILD)/vocabulary.m4: grammar/vocabulary.m4 $(BUILD)/tables.m4 $(BUILD)/library.m4
	cat $^ > $@
$(BUILD)/vocabulary.m4f: $(BUILD)/vocabulary.m4
	$(M4) -E -F $@ $< >/dev/null
$(BUILD)/vocabulary.o: compiler/vocabulary.S $(BUILD)/vocabulary.m4f share/Makefile.mail
	$(CC) -DFROZEN='"$(BUILD)/vocabulary.m4f"' -DSOURCE='"$(BUILD)/vocabulary.m4"' -c -o $@ $<

clean:
	rm -rf $(BUILD)
.PHONY: all clean
