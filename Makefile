# mcf.  `make sendmail.cf` does everything; see README.md.
CC ?= cc
FLEX ?= flex
BISON ?= bison
M4 ?= m4
BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
MAPLIBS = -ldb -lcdb
CFLAGS ?= -O2 -g
WARN = -Wall -Wextra -Wshadow -Wconversion -Werror
CPPFLAGS += -I. -I$(BUILD) -D_GNU_SOURCE
OURS = -std=c11 $(WARN)
# A program without a dynamic loader and relocations starts in half the time; a C library that
# cannot be linked so, and sanitizers, do without.
STATIC = $(if $(findstring -fsanitize,$(CFLAGS)),,$(shell echo 'int main(void) { return 0; }' | \
	$(CC) -static -no-pie -x c -o /dev/null - 2>/dev/null && echo -static -no-pie))
# What Flex and Bison write around our actions is not ours to mend.
THEIRS = -std=c11 -w

BASE_SRC = $(wildcard lib/base/*.c)
MODEL_SRC = $(wildcard lib/model/*.c)
# What looks up for an MTA is for that one, and for tests; mcf does without.
LOOKUP_SRC = $(wildcard lib/maps/lookup*.c lib/maps/resolver*.c)
MAPS_SRC = $(filter-out $(LOOKUP_SRC),$(wildcard lib/maps/*.c))
RULE_SRC = $(wildcard grammar/rule*.c)
GRAMMAR_SRC = $(filter-out $(RULE_SRC),$(wildcard grammar/*.c))
HOST_SRC = compiler/embed.c compiler/tables.c compiler/split.c
COMPILER_SRC = $(filter-out $(HOST_SRC) compiler/main.c,$(wildcard compiler/*.c))
RULES = $(sort $(wildcard rulesets/*.rules rulesets/*/*.rules))
HEADERS = $(wildcard lib/*/*.h lib/*/*.def grammar/*.h compiler/*.h compiler/*.def mta/*.h mta/*.def \
	mta/*/*.h mta/*/*.def)

obj = $(patsubst %.c,$(BUILD)/%.o,$(1))
gen = $(BUILD)/grammar/$(1).tab.o $(BUILD)/grammar/$(1).lex.o
LIB_OBJ = $(call obj,$(BASE_SRC) $(MODEL_SRC) $(GRAMMAR_SRC)) $(call gen,mc) $(call gen,cf) $(call gen,map)
RULE_OBJ = $(call obj,$(RULE_SRC)) $(call gen,rule)
LOOKUP_OBJ = $(call obj,$(LOOKUP_SRC))
REWRITE_SRC = $(wildcard lib/rewrite/*.c)
MTA_SRC = $(filter-out mta/main.c mta/mail_local/main.c,$(wildcard mta/*.c mta/*/*.c))
MTA_OBJ = $(call obj,$(MTA_SRC) $(REWRITE_SRC) $(LOOKUP_SRC) $(MAPS_SRC)) $(LIB_OBJ)
# OpenLDAP's library, where it is: without it class ldap says that it is not built in.
LDAP := $(shell echo '\#include <ldap.h>' | $(CC) -E -x c - >/dev/null 2>&1 && echo yes)
# What the roles of mcfd stand on: the loop, the queue, the confinement, AUTH, TLS.
MTALIBS = -luv -llmdb -lseccomp -lsasl2 -lssl -lcrypto
LOOKUPLIBS = -lresolv $(if $(LDAP),-lldap -llber)
$(BUILD)/lib/maps/lookup_ldap.o: CPPFLAGS += $(if $(LDAP),-DHAVE_LDAP)
MCF_OBJ = $(call obj,$(COMPILER_SRC) $(MAPS_SRC)) $(LIB_OBJ) $(BUILD)/library.o $(BUILD)/vocabulary.o $(BUILD)/parts.o

all: $(BUILD)/mcf $(BUILD)/mcfd $(BUILD)/mail.local

$(BUILD)/mcf: $(BUILD)/compiler/main.o $(MCF_OBJ)
	$(CC) $(CFLAGS) $(STATIC) $(LDFLAGS) -o $@.linked $^ $(MAPLIBS) $(LDLIBS)
	@# What was written in one go is cached in larger pieces, and starts sooner.
	@cp $@.linked $@.new && mv $@.new $@ && rm $@.linked

$(BUILD)/mcfd: $(BUILD)/mta/main.o $(MTA_OBJ)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(MAPLIBS) $(LOOKUPLIBS) $(MTALIBS) -lpthread $(LDLIBS)

$(BUILD)/mail.local: $(call obj,$(wildcard mta/mail_local/*.c) mta/parent/mailbox.c) $(LIB_OBJ)
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
$(call obj,$(GRAMMAR_SRC)): $(patsubst %,$(BUILD)/grammar/%.lex.c,mc cf map)
$(call obj,$(RULE_SRC)): $(BUILD)/grammar/rule.lex.c
.SECONDARY:

# rulesets/ and the vocabulary, embedded.
$(BUILD)/embed: $(BUILD)/compiler/embed.o $(RULE_OBJ) $(LIB_OBJ)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(BUILD)/tables: compiler/tables.c $(HEADERS)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(OURS) $(CFLAGS) $(LDFLAGS) -o $@ $<
$(BUILD)/library.c $(BUILD)/library.m4 $(BUILD)/library.end: $(BUILD)/rulesets.stamp ;
$(BUILD)/rulesets.stamp: $(BUILD)/embed $(RULES) rulesets
	$(BUILD)/embed $(BUILD)/library.c $(BUILD)/library.m4 $(BUILD)/library.end rulesets $(RULES)
	@touch $@
$(BUILD)/library.o: $(BUILD)/library.c
	$(CC) $(CPPFLAGS) $(OURS) $(CFLAGS) -c -o $@ $<
$(BUILD)/tables.m4: $(BUILD)/tables
	$(BUILD)/tables > $@.new && mv $@.new $@
$(BUILD)/tables.end: $(BUILD)/tables
	$(BUILD)/tables end > $@.new && mv $@.new $@
# Every value that is wanted at the end: each once, and the mark behind them.
$(BUILD)/wanted.m4: $(BUILD)/tables.end $(BUILD)/library.end
	{ echo "define(\`_mcf_values', \`dnl"; sort -u $^; echo "\`@mcf0@ !'')"; } > $@
$(BUILD)/vocabulary.m4: grammar/vocabulary.m4 $(BUILD)/tables.m4 $(BUILD)/library.m4 $(BUILD)/wanted.m4
	cat $^ > $@
$(BUILD)/vocabulary.m4f: $(BUILD)/vocabulary.m4
	$(M4) -E -F $@ $< >/dev/null
# Its parts, one behind the other.
$(BUILD)/split: $(BUILD)/compiler/split.o $(BUILD)/compiler/vocabulary.o $(LIB_OBJ)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(BUILD)/parts.c $(BUILD)/parts.m4f: $(BUILD)/parts.stamp ;
$(BUILD)/parts.stamp: $(BUILD)/split $(BUILD)/vocabulary.m4f $(BUILD)/wanted.m4
	$(BUILD)/split $(BUILD)/vocabulary.m4f $(BUILD)/wanted.m4 $(BUILD)/parts.m4f $(BUILD)/parts.c
	@touch $@
$(BUILD)/parts.o: $(BUILD)/parts.c
	$(CC) $(CPPFLAGS) $(OURS) $(CFLAGS) -c -o $@ $<
$(BUILD)/vocabulary.o: compiler/vocabulary.S $(BUILD)/parts.m4f share/Makefile.mail
	$(CC) -DFROZEN='"$(BUILD)/parts.m4f"' -DSOURCE='"$(BUILD)/vocabulary.m4"' -c -o $@ $<

# --- for the administrator -------------------------------------------------------------------
MC ?=
MCFFLAGS ?=
LAYOUT = $(if $(wildcard /etc/debian_version),submit,$(if $(wildcard /etc/redhat-release),redhat,linux))
# What is compiled where MC does not say it.
USUAL_sendmail.cf = samples/centos6/sendmail.mc
USUAL_submit.cf = samples/submission/$(LAYOUT).mc

# Everything from a bare machine to ./sendmail.cf or ./submit.cf.
sendmail.cf submit.cf: SOURCE = $(or $(MC),$(USUAL_$@))
sendmail.cf submit.cf: FORCE
	@tools/deps.sh build && mkdir -p $(BUILD)
	@$(MAKE) --no-print-directory $(BUILD)/mcf >$(BUILD)/make.log 2>&1 || { cat $(BUILD)/make.log; exit 1; }
	@$(BUILD)/mcf build $(MCFFLAGS) $(if $(wildcard $@),--compare-with $@ --backup .bak) \
		--map $@.map -o $@ $(SOURCE)
	@echo "$@ is made from $(SOURCE): $$(grep -c ^R $@) rules in $$(grep -c ^S $@) rulesets."
	@if [ -e $@.bak ]; then echo "The one before it is $@.bak."; fi
	@echo "Next: try it:       /usr/sbin/sendmail -C $(CURDIR)/$@ -bt"
	@echo "      where from:   $(BUILD)/mcf where $@:100"
	@echo "      install it:   sudo install -m 644 $@ $@.map /etc/mail/"
	@if grep -Eq '^(K[^ ]+ +(hash|btree|cdb) |O *AliasFile *=)' $@; then \
		echo "      its maps:     sudo $(BUILD)/mcf map build --config $@"; fi
	@echo "      start it:     $(if $(filter submit.cf,$@),restart the runner of the client queue (sendmail -Ac -q30m; or mcfd stop -Ac; mcfd start -Ac),restart sendmail (or mcfd stop; mcfd start))"

# Pages with tables in place of lines @NAME@: what mcf has to say and an .mc may, how mcfd is called.
define PAGE
	while IFS= read -r line; do \
		case $$line in \
		@*@) $(1) "$$(echo "$$line" | tr -d @ | tr A-Z a-z)" || exit 1;; \
		*) printf '%s\n' "$$line";; \
		esac; \
	done <$< >$@.new && mv $@.new $@
endef
$(BUILD)/mcf.1: man/mcf.1 $(BUILD)/mcf
	$(call PAGE,$(BUILD)/mcf list --roff)
$(BUILD)/mcfd.8: man/mcfd.8 $(BUILD)/mcfd
	$(call PAGE,$(BUILD)/mcfd --roff)

install: $(BUILD)/mcf $(BUILD)/mcfd $(BUILD)/mail.local $(BUILD)/mcf.1 $(BUILD)/mcfd.8
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/libexec/mcfd
	install -d $(addprefix $(DESTDIR)$(PREFIX)/share/man/,man1 man5 man8)
	install -m 755 $(BUILD)/mcf $(DESTDIR)$(PREFIX)/bin/mcf
	install -m 755 $(BUILD)/mcfd $(DESTDIR)$(PREFIX)/sbin/mcfd
	install -m 755 $(BUILD)/mail.local $(DESTDIR)$(PREFIX)/libexec/mcfd/mail.local
	install -m 644 $(BUILD)/mcf.1 $(DESTDIR)$(PREFIX)/share/man/man1/mcf.1
	install -m 644 man/mcf-map.1 $(DESTDIR)$(PREFIX)/share/man/man1/mcf-map.1
	install -m 644 man/*.5 $(DESTDIR)$(PREFIX)/share/man/man5/
	install -m 644 $(BUILD)/mcfd.8 man/mail.local.8 $(DESTDIR)$(PREFIX)/share/man/man8/
	@DESTDIR=$(DESTDIR) tools/install-units.sh $(PREFIX)

# sendmail, mailq and their like, for programs that call them: by alternatives, which can be undone.
install-compat: install
	install -d $(DESTDIR)$(PREFIX)/share/mcf/compat
	for page in $(BUILD)/mcfd.8 man/mcf-aliases.5 man/mcf-map.1; do \
		gzip -9nc $$page > $(DESTDIR)$(PREFIX)/share/mcf/compat/$$(basename $$page).gz || exit 1; done
	@DESTDIR=$(DESTDIR) tools/install-compat.sh $(PREFIX)
uninstall-compat:
	@DESTDIR=$(DESTDIR) tools/install-compat.sh --remove $(PREFIX)
	rm -rf $(DESTDIR)$(PREFIX)/share/mcf/compat

# --- for the developer -----------------------------------------------------------------------
UNIT = $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/*.c))
FUZZ = $(patsubst tests/fuzz/%_fuzz.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/*_fuzz.c))

$(BUILD)/tests/%: $(BUILD)/tests/unit/%.o $(MCF_OBJ) $(RULE_OBJ)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lcmocka $(MAPLIBS) $(LDLIBS)
$(BUILD)/tests/unit/%.o: tests/unit/%.c $(wildcard tests/unit/*.h) $(HEADERS)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(OURS) $(CFLAGS) -c -o $@ $<

$(BUILD)/tests/maps_lookup: $(LOOKUP_OBJ)
$(BUILD)/tests/rewrite: $(call obj,$(REWRITE_SRC)) $(LOOKUP_OBJ)
$(BUILD)/tests/maps_lookup $(BUILD)/tests/rewrite: LDLIBS += $(LOOKUPLIBS) -lpthread

# Of mcfd's parts.
$(filter $(BUILD)/tests/mta_%,$(UNIT)) $(filter $(BUILD)/fuzz/mta_%,$(FUZZ)): $(MTA_OBJ)
$(filter $(BUILD)/tests/mta_%,$(UNIT)) $(filter $(BUILD)/fuzz/mta_%,$(FUZZ)): \
	LDLIBS += $(LOOKUPLIBS) $(MTALIBS) -lpthread

unit: $(UNIT)

# What the tests of lookups ask for our answers.
$(BUILD)/lookup: $(BUILD)/tests/lookups/lookup.o $(LOOKUP_OBJ) $(call obj,$(MAPS_SRC)) $(LIB_OBJ)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(MAPLIBS) $(LOOKUPLIBS) $(LDLIBS)

# What the tests of heads ask for our answers.
$(BUILD)/head_test: $(BUILD)/tests/head/head.o $(MTA_OBJ)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(MAPLIBS) $(LOOKUPLIBS) $(MTALIBS) -lpthread $(LDLIBS)

# How fast the rules run (bench/rewrite.py), and the queue is written.
$(BUILD)/bench/rewrite $(BUILD)/bench/store: $(BUILD)/bench/%: $(BUILD)/bench/%.o $(MTA_OBJ)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(MAPLIBS) $(LOOKUPLIBS) $(MTALIBS) -lpthread $(LDLIBS)

# A fuzz target with a main that replays files, or with libFuzzer's (tests/fuzz/README.md).
FUZZER ?= $(BUILD)/tests/fuzz/replay.o
$(BUILD)/fuzz/%: $(BUILD)/tests/fuzz/%_fuzz.o $(filter %.o,$(FUZZER)) $(MCF_OBJ)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(filter-out %.o,$(FUZZER)) $(MAPLIBS) $(LDLIBS)
$(BUILD)/fuzz/cf $(BUILD)/fuzz/rewrite: $(call obj,$(REWRITE_SRC)) $(LOOKUP_OBJ)
$(BUILD)/fuzz/cf $(BUILD)/fuzz/rewrite: LDLIBS += $(LOOKUPLIBS)
$(BUILD)/tests/fuzz/%.o: tests/fuzz/%.c $(wildcard tests/fuzz/*.h) $(HEADERS)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(OURS) $(CFLAGS) -c -o $@ $<

fuzz: $(FUZZ)

test:
	@tools/deps.sh test
	@$(MAKE) --no-print-directory $(BUILD)/mcf $(BUILD)/mcfd $(BUILD)/lookup $(BUILD)/head_test unit fuzz check-deps
	@tests/run.sh
check: $(BUILD)/mcf $(BUILD)/mcfd unit fuzz check-deps check-format
	@tests/run.sh unit golden cli formats fuzz
test-long:
	@tools/deps.sh test
	@tests/run-long.sh
mutate: $(BUILD)/mcf
	@tests/differential/mutate.py
check-deps:
	@tools/check-deps.sh
check-own:
	@tools/check-own.py
check-format:
	@clang-format --dry-run -Werror $$(git ls-files '*.c' '*.h')
tidy: $(BUILD)/mcf
	@clang-tidy --quiet $$(git ls-files 'lib/*.c' 'grammar/*.c' 'compiler/*.c' 'mta/*.c') -- $(CPPFLAGS) -std=c11

clean:
	rm -rf $(BUILD)
FORCE:
.PHONY: all install install-compat uninstall-compat unit fuzz test check test-long mutate check-deps check-own check-format tidy clean FORCE
