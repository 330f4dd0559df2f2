# mcf: `make` builds build/mcf; see README.md.
CC ?= cc
BUILD ?= build
CFLAGS ?= -O2 -g
WARN = -Wall -Wextra -Wshadow -Wconversion -Werror
CPPFLAGS += -I. -I$(BUILD) -D_GNU_SOURCE
override CFLAGS += -std=c11 $(WARN)
# Flex and Bison write code of their own making; our warnings are for ours.
GENFLAGS = -std=c11 -O2 -g -w

BASE = $(wildcard lib/base/*.c)
MODEL = $(wildcard lib/model/*.c)
COMPILER = $(filter-out compiler/embed.c,$(wildcard compiler/*.c))
GRAMMAR = $(filter-out grammar/rule%,$(wildcard grammar/*.c))
OBJ = $(patsubst %.c,$(BUILD)/%.o,$(BASE) $(MODEL) $(GRAMMAR) $(COMPILER)) \
      $(BUILD)/grammar/mc.tab.o $(BUILD)/grammar/mc.lex.o $(BUILD)/grammar/cf.tab.o $(BUILD)/grammar/cf.lex.o \
      $(BUILD)/rulesets.o $(BUILD)/vocabulary.o

all: $(BUILD)/mcf
