# make            the five programs, in bin/
# make test       every test, as ./test.sh runs them
# make check      the same under AddressSanitizer and UndefinedBehaviorSanitizer
# make bench      speed of kernels, conversion and decoding on this machine, in seconds
# make fuzz       libFuzzer targets (clang), in $(BUILD)/fuzz
# make format     clang-format over the tree
# make install    DESTDIR= PREFIX=/usr/local; programs as qm-convert, qm-quantize, ..., with their man pages
#
# Each folder is an archive that may use only those before it; the link order below holds them to it.

LAYERS = lib types format models infer
PROGRAMS = convert quantize verify evaluate run

CC ?= cc
BUILD ?= build
BIN ?= bin
PREFIX ?= /usr/local
OPTIMIZE ?= -O3 -g
WARNINGS = -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror
# No contraction: the same source must give the same bits with every compiler and instruction set.
CFLAGS += -std=c11 $(OPTIMIZE) $(WARNINGS) -ffp-contract=off -fno-math-errno -I. -pthread $(SANITIZE)
CPPFLAGS += -D_GNU_SOURCE -MMD -MP
LDFLAGS += -pthread $(SANITIZE)
LDLIBS += -ljansson -lpcre2-8 -lutf8proc -lcrypto -lxxhash -lz -lm

sources = $(wildcard $(1)/*.c $(1)/*/*.c $(1)/*.S)
objects = $(patsubst %,$(BUILD)/%.o,$(call sources,$(1)))
archives = $(patsubst %,$(BUILD)/%.a,$(LAYERS))
# Last folder first, as the linker wants it; a folder that used a later one would not link.
linked = $(shell printf '%s\n' $(archives) | tac)

.PHONY: all test check bench fuzz format install clean tests
.SECONDARY:
all: $(patsubst %,$(BIN)/%,$(PROGRAMS)) compile_commands.json

define archive_rule
$(BUILD)/$(1).a: $(call objects,$(1))
	@rm -f $$@
	@ar qcs $$@ $$^
endef
$(foreach layer,$(LAYERS),$(eval $(call archive_rule,$(layer))))

define program_rule
$(BIN)/$(1): $(call objects,$(1)) $(if $(filter evaluate,$(1)),$(call objects,assets)) $(archives)
	@mkdir -p $$(@D)
	@echo "  $$@"
	@$$(CC) $$(LDFLAGS) -o $$@ $$(filter %.o,$$^) $(linked) $$(LDLIBS)
endef
$(foreach program,$(PROGRAMS),$(eval $(call program_rule,$(program))))

$(BUILD)/%.c.o: %.c
	@mkdir -p $(@D)
	@$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/assets/assets.S.o: $(wildcard assets/*.tsv assets/pocket/*.txt)
$(BUILD)/%.S.o: %.S
	@mkdir -p $(@D)
	@$(CC) $(CPPFLAGS) -I. -c -o $@ $<

# ---- tests: each .c below tests/unit and tests/property is a cmocka program; tests/*.c is shared by them ----
test_sources = $(wildcard tests/unit/*.c tests/property/*.c)
test_programs = $(patsubst tests/%.c,$(BUILD)/tests/%,$(test_sources))
test_shared = $(patsubst %.c,$(BUILD)/%.c.o,$(wildcard tests/*.c))

$(BUILD)/tests/unit/% $(BUILD)/tests/property/%: LDLIBS += -lcmocka
$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.c.o $(test_shared) $(archives)
	@$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(linked) $(LDLIBS)
$(BUILD)/tests/property/%: $(BUILD)/tests/property/%.c.o $(test_shared) $(archives)
	@$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(linked) $(LDLIBS)

# Fuzz targets replay their corpus through tests/fuzz/driver.c with any compiler; `make fuzz` links libFuzzer instead.
fuzz_targets = $(patsubst tests/fuzz/%.c,%,$(filter-out tests/fuzz/driver.c,$(wildcard tests/fuzz/*.c)))
replay_programs = $(patsubst %,$(BUILD)/tests/fuzz/%,$(fuzz_targets))
$(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/%.c.o $(BUILD)/tests/fuzz/driver.c.o $(archives)
	@$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(linked) $(LDLIBS)

bench_programs = $(patsubst tests/bench/%.c,$(BUILD)/tests/bench/%,$(wildcard tests/bench/*.c))
$(BUILD)/tests/bench/%: $(BUILD)/tests/bench/%.c.o $(archives)
	@$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(linked) $(LDLIBS)
$(BUILD)/tests/bench/gguf: $(BUILD)/evaluate/shapes.c.o

differential_programs = $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/differential/*.c))
$(BUILD)/tests/differential/%: $(BUILD)/tests/differential/%.c.o $(archives)
	@$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(linked) $(LDLIBS)

tests: all $(test_programs) $(replay_programs) $(bench_programs) $(differential_programs)

test: tests
	@BUILD=$(BUILD) BIN=$(BIN) tests/run.sh

check:
	@$(MAKE) --no-print-directory test BUILD=$(BUILD)/check BIN=$(BUILD)/check/bin OPTIMIZE="-O1 -g" \
	    SANITIZE="-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"

bench: all $(bench_programs)
	@BUILD=$(BUILD) BIN=$(BIN) tests/bench/run.sh

fuzz:
	@$(MAKE) --no-print-directory fuzz-link CC=clang BUILD=$(BUILD)/fuzz OPTIMIZE="-O1 -g" \
	    SANITIZE="-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all"

.PHONY: fuzz-link
fuzz-link: $(patsubst %,$(BUILD)/tests/fuzz/%.c.o,$(fuzz_targets)) $(archives)
	@for target in $(fuzz_targets); do \
	    $(CC) -fsanitize=fuzzer,address,undefined -pthread -o $(BUILD)/$$target \
	        $(BUILD)/tests/fuzz/$$target.c.o $(linked) $(LDLIBS) && echo "  $(BUILD)/$$target"; done

format:
	clang-format -i $$(git ls-files '*.c' '*.h')

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1
	for program in $(PROGRAMS); do \
	    install $(BIN)/$$program $(DESTDIR)$(PREFIX)/bin/qm-$$program; \
	    install -m 644 docs/man/qm-$$program.1 $(DESTDIR)$(PREFIX)/share/man/man1/; done

compile_commands.json: Makefile $(foreach folder,$(LAYERS) $(PROGRAMS),$(call sources,$(folder)))
	@{ echo '['; separator=''; for file in $(filter %.c,$^); do \
	    printf '%b{"directory": "%s", "file": "%s", "command": "%s -D_GNU_SOURCE -std=c11 -I. -pthread -c %s"}' \
	        "$$separator" "$(CURDIR)" "$$file" "$(CC)" "$$file"; separator=',\n'; done; echo; echo ']'; } > $@

clean:
	rm -rf $(BUILD) $(BIN) compile_commands.json

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
