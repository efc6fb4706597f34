# Builds, installs and tests pllua_bg with PGXS.
#   make [PG_CONFIG=...] [CXX=clang++] [WERROR=1] [FAULTS=1] [LTO=]      make install      make installcheck
#   make check | demo | docs | lint | deps | compile-commands | dist | deb  these need no PGXS and install what is missing
#   make sanitize-longjmp | check-guards | check-assert | check-versions | check-valgrind | check-deb | soak | fuzz | chaos | exactly-once  long checks, outside of `make check`

TOOL_GOALS := check demo docs lint deps unit lua-test format compile-commands sanitize-longjmp check-guards check-assert check-versions check-valgrind bench-sessions bench-on-commit bench-language bench-jobs bench-remote bench-dba bench-gate \
	soak fuzz chaos exactly-once dist deb check-deb

ifneq ($(filter $(TOOL_GOALS),$(MAKECMDGOALS)),)
# The tools find out themselves what they need, so they run before PGXS or a compiler is there.
.PHONY: $(TOOL_GOALS)
check:            ; +@tools/check
demo:             ; +@tools/demo
docs:             ; @tools/docs
lint:             ; +@tools/check lint
deps:             ; @tools/deps
unit:             ; +@tools/check unit
lua-test:         ; +@tools/check lua
format:           ; @tools/format
compile-commands: ; +@tools/compile-commands
sanitize-longjmp: ; +@tools/longjmp-sanitizer
check-guards:     ; +@tools/check-guards
check-assert:     ; +@tools/check-assert
check-versions:   ; +@tools/check-versions
check-valgrind:   ; +@tools/check-valgrind
dist:             ; +@tools/dist
deb:              ; +@tools/deb
check-deb:        ; +@tools/check-deb
bench-sessions:   ; +@bench/sessions
bench-on-commit:  ; +@bench/on_commit
bench-language:   ; +@bench/language
bench-jobs:       ; +@bench/jobs
bench-remote:     ; +@bench/remote
bench-dba:        ; +@bench/dba
bench-gate:       ; +@bench/gate
soak:             ; +@bench/soak
fuzz:             ; +@tools/stress fuzz
chaos:            ; +@tools/stress chaos
exactly-once:     ; +@JOBS=100000 PROVE_TESTS=test/tap/130_jobs_exactly_once.pl tools/check tap

OTHER_GOALS := $(filter-out $(TOOL_GOALS),$(MAKECMDGOALS))
ifneq ($(OTHER_GOALS),)
.PHONY: $(OTHER_GOALS)
$(OTHER_GOALS): ; @$(MAKE) $@
endif

else

PG_CONFIG ?= pg_config
BUILD := build

MODULE_big := pllua_bg
# The only one that is linked to libpq; loaded by who needs it.
MODULES := pllua_bg_remote
EXTENSION := pllua_bg pllua_bgu pllua_bg_jobs pllua_bg_dba pllua_pg_background hstore_pllua_bg hstore_pllua_bgu
DATA := $(wildcard sql/*--*.sql)
# The same for the untrusted language, made of the trusted one's.
DATA_built := $(patsubst sql/hstore_pllua_bg--%,$(BUILD)/hstore_pllua_bgu--%,$(wildcard sql/hstore_pllua_bg--*))

SOURCES := $(sort $(wildcard src/*.cpp src/*/*.cpp src/*/*/*.cpp))
REMOTE_SOURCES := $(filter src/remote/libpq/%,$(SOURCES))
LUA_SOURCES := $(sort $(wildcard lua/*.lua lua/*/*.lua lua/*/*/*.lua))
objects = $(patsubst src/%.cpp,$(BUILD)/obj/%.o,$1)
OBJS := $(call objects,$(filter-out $(REMOTE_SOURCES),$(SOURCES))) $(BUILD)/obj/embedded_lua.o
REMOTE_OBJS := $(call objects,$(REMOTE_SOURCES))
EXTRA_CLEAN := $(BUILD) results output_iso

# Tests: sql/<area>/*.sql in this order of areas, then any area not named here. Jobs run where the library is preloaded: LOADED=1.
AREAS := pl types api session lua security compat
AREAS += $(filter-out $(AREAS) jobs,$(sort $(patsubst sql/%/,%,$(wildcard sql/*/)))) $(if $(LOADED),jobs)
REGRESS := $(foreach area,$(AREAS),$(sort $(patsubst sql/%.sql,%,$(wildcard sql/$(area)/*.sql))))
REGRESS_OPTS := $(foreach e,$(filter-out hstore_%,$(EXTENSION)),$(if $(wildcard sql/$(e)--*.sql),--load-extension=$(e)))
REGRESS_PREP := result-folders
ISOLATION := $(sort $(patsubst test/isolation/specs/%.spec,%,$(wildcard test/isolation/specs/*.spec)))
ISOLATION := $(if $(LOADED),$(ISOLATION),$(filter-out jobs_%,$(ISOLATION)))
ISOLATION_OPTS := --inputdir=test/isolation --load-extension=pllua_bg $(if $(LOADED),--load-extension=pllua_bg_jobs)
TAP_TESTS := $(if $(wildcard test/tap/*.pl),1)
PROVE_TESTS ?= test/tap/*.pl

LUA := lua5.4
# What clang says about the server's own macros and flags.
CLANG_FLAGS := -Wmissing-prototypes -Wmissing-variable-declarations -Wno-unknown-warning-option -Wno-ignored-optimization-argument -Wno-deprecated-volatile -Wno-ignored-attributes -Wno-unused-parameter
IS_CLANG = $(findstring clang,$(shell $(CXX) --version))
# What users get is optimized as a whole when it is linked, and calls functions of others without the table of linkage: a seventh
# less time for a call. Not the builds that are worked on, where each link would take half a minute.
# Needs gcc, the same for compiling and linking.
LTO ?= $(if $(FAULTS),,$(filter $(shell $(CXX) -dumpfullversion 2>/dev/null),$(shell $(CC) -dumpfullversion 2>/dev/null)))
LTO_FLAGS = $(if $(LTO),-flto=auto -fno-plt)
PG_CPPFLAGS = -Isrc -isystem $(shell $(PG_CONFIG) --includedir-server) -isystem $(shell $(PG_CONFIG) --includedir) \
	$(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(LUA))) $(if $(FAULTS),-DPLLUA_BG_FAULTS) \
	-D'PGDLLEXPORT=__attribute__((visibility("default")))'
PG_CXXFLAGS = -std=c++20 -fno-exceptions -fno-rtti -fvisibility=hidden -fvisibility-inlines-hidden \
	-fno-threadsafe-statics -Wall -Wextra -Wshadow -Wmissing-declarations -Wno-missing-field-initializers \
	$(if $(IS_CLANG),$(CLANG_FLAGS)) \
	$(if $(WERROR),-Werror) $(LTO_FLAGS) $(EXTRA_CXXFLAGS)
# libstdc++ is named for its few out-of-line helpers; it becomes a dependency only if one is used.
SHLIB_LINK = $(shell pkg-config --libs $(LUA)) \
	-Wl,--as-needed -lstdc++ -Wl,--version-script=tools/exports.map $(LTO_FLAGS) $(EXTRA_LDFLAGS)

REMOTE_LINK = $(libpq) -Wl,--as-needed -lstdc++ -Wl,--version-script=tools/exports.map $(LTO_FLAGS) $(EXTRA_LDFLAGS)

# Bitcode for the server's JIT would be built with clang and without the flags above.
override with_llvm = no

PGXS := $(shell $(PG_CONFIG) --pgxs)
ifeq ($(PGXS),)
$(error $(PG_CONFIG) not found: run tools/deps, or set PG_CONFIG)
endif
include $(PGXS)

# A change of compiler, flags or server rebuilds everything.
BUILD_FLAGS = PostgreSQL $(VERSION): $(CXX) $(CXXFLAGS) $(CPPFLAGS)

$(BUILD)/flags: FORCE | build-folders
	@$(file >$@.new,$(BUILD_FLAGS))
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

$(BUILD)/embedded_lua.cpp: $(BUILD)/flags tools/embed $(LUA_SOURCES) FORCE
	@tools/embed $(LUA_SOURCES) >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

$(BUILD)/obj/embedded_lua.o: $(BUILD)/embedded_lua.cpp
	$(CXX) $(CXXFLAGS) $(CPPFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/obj/%.o: src/%.cpp $(BUILD)/flags
	$(CXX) $(CXXFLAGS) $(CPPFLAGS) -MMD -MP -c -o $@ $<

$(shlib): tools/exports.map

pllua_bg_remote$(DLSUFFIX): $(REMOTE_OBJS) tools/exports.map
	$(CXX) $(CXXFLAGS) -shared -o $@ $(REMOTE_OBJS) $(LDFLAGS) $(LDFLAGS_SL) $(REMOTE_LINK)

$(BUILD)/hstore_pllua_bgu--%.sql: sql/hstore_pllua_bg--%.sql $(BUILD)/flags
	sed 's/pllua_bg/pllua_bgu/g' $< >$@

result-folders:
	@mkdir -p $(addprefix results/,$(AREAS)) output_iso/results

build-folders:
	@mkdir -p $(sort $(dir $(OBJS) $(REMOTE_OBJS)))

# What the tools need to know of the build.
print-%:
	@:$(info $($*))

.PHONY: FORCE result-folders build-folders
-include $(wildcard $(BUILD)/obj/*.d $(BUILD)/obj/*/*.d $(BUILD)/obj/*/*/*.d)

endif
