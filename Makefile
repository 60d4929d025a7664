# cria: `make help` lists the targets.
#
# One build directory per flavour: build/ (release), build/debug/, build/asan/ and others. Programs
# with MPI=1 go to a directory in it, build/mpi/; all their objects but one are the same. A change
# of compiler or flags rebuilds everything in that directory (the stamp file), and the archive is
# written anew each time, so nothing older than its sources is ever linked.
#
# A folder is compiled as one unit: build/obj/src/io.cpp includes all of src/io. The standard headers
# are then read once for a folder, and a clean build takes a third of the time. Kernels, which have
# flags of their own, are compiled file by file, and so is all in the flavour odr.

# All cores, unless told otherwise.
ifeq ($(filter -j% --jobserver%,$(MAKEFLAGS)),)
  MAKEFLAGS += -j$(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
endif

FLAVOUR ?= release
PREFIX ?= /usr/local
CXXFLAGS ?= -O2
WERROR ?=
MPI ?=
MPICXX ?= mpicxx
MPIRUN ?= mpirun
TEST_ARGS ?=
DEMO_ARGS ?=

ifeq ($(FLAVOUR),release)
  OUT := build
  flavour_flags :=
else ifeq ($(FLAVOUR),debug)
  OUT := build/debug
  flavour_flags := -O0 -g -D_GLIBCXX_ASSERTIONS
else ifeq ($(FLAVOUR),asan)
  OUT := build/asan
  # g++ warns of uninitialized members where sanitizers have changed the code.
  flavour_flags := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
    -fno-omit-frame-pointer -Wno-unknown-warning-option -Wno-maybe-uninitialized
else ifeq ($(FLAVOUR),tsan)
  OUT := build/tsan
  flavour_flags := -O1 -g -fsanitize=thread -Wno-tsan -Wno-maybe-uninitialized
else ifeq ($(FLAVOUR),coverage)
  OUT := build/coverage
  flavour_flags := -O1 --coverage -fprofile-update=atomic
else ifeq ($(FLAVOUR),odr)
  OUT := build/odr
  # The linker sees the types of all sources. It needs no fast code for that.
  flavour_flags := -O0 -flto=auto -Werror=odr
else ifeq ($(FLAVOUR),fuzz)
  OUT := build/fuzz
  # libFuzzer is clang's. It tries one input after the other: there is nothing for more threads.
  ifeq ($(origin CXX),default)
    CXX := clang++
  endif
  OPENMP := no
  sanitizers := -fsanitize=address,undefined -fno-sanitize-recover=all
  flavour_flags := -gline-tables-only $(sanitizers) -fsanitize=fuzzer-no-link -D_GLIBCXX_ASSERTIONS
  ifneq ($(shell printf 'extern "C" int LLVMFuzzerTestOneInput() { return 0; }' \
    | $(CXX) -fsanitize=fuzzer -x c++ - -o /dev/null 2>&1 || echo no),)
    $(error fuzzing needs clang++ with libFuzzer, which '$(CXX)' is not. Hint: on Debian and Ubuntu, \
      apt-get install clang)
  endif
else
  $(error FLAVOUR must be release, debug, asan, tsan, coverage, odr or fuzz, not '$(FLAVOUR)')
endif

# One of two files says what a world is, see src/distributed. That which knows MPI, and what is linked
# with it, takes the wrapper of OpenMPI or MPICH around the compiler.
OBJ := $(OUT)/obj
compiler = $(CXX)
linker = $(CXX)
not_compiled := src/distributed/mpi.cpp
ifneq ($(MPI),)
  ifeq ($(shell command -v $(MPICXX)),)
    $(error MPI=1 needs MPI's compiler, and there is no '$(MPICXX)': apt-get install openmpi-bin \
      libopenmpi-dev, or give its path as MPICXX=...)
  endif
  OUT := $(OUT)/mpi
  export OMPI_CXX := $(CXX)
  export MPICH_CXX := $(CXX)
  linker = $(MPICXX)
  not_compiled := src/distributed/no_mpi.cpp
  export CRIA_MPIRUN := $(MPIRUN)
endif

# What is compiled needs to know the compiler; help, clean and format need not.
ifneq ($(filter-out help clean format,$(or $(MAKECMDGOALS),all)),)

# --- OpenMP: compiler's own; Homebrew's libomp on macOS; none otherwise, or with OPENMP=no (one core,
# and cria says so)
OPENMP ?= yes
omp_probe = $(shell printf '\043include <omp.h>\nint main() { return omp_get_max_threads() < 1; }\n' \
  | $(CXX) $(1) -x c++ - -o /dev/null $(2) 2>/dev/null && echo yes)
ifeq ($(OPENMP),no)
  omp_flags := -Wno-unknown-pragmas
else ifeq ($(call omp_probe,-fopenmp,),yes)
  omp_flags := -fopenmp
  omp_libs := -fopenmp
else
  brew_omp := $(shell brew --prefix libomp 2>/dev/null)
  ifneq ($(brew_omp),)
    omp_flags := -Xpreprocessor -fopenmp -I$(brew_omp)/include
    omp_libs := -L$(brew_omp)/lib -lomp
  endif
endif
ifeq ($(omp_flags),)
  $(warning no OpenMP found for $(CXX): cria will run on one core)
  omp_flags := -Wno-unknown-pragmas
endif

# GoogleTest in Homebrew's prefix when there is one; the system's otherwise.
brew_prefix := $(shell brew --prefix 2>/dev/null)
ifneq ($(brew_prefix),)
  gtest_flags := -I$(brew_prefix)/include
  gtest_libs := -L$(brew_prefix)/lib
endif

endif

compile_flags := -std=c++20 -Wall -Wextra -Wpedantic $(if $(WERROR),-Werror) $(CXXFLAGS) \
  $(flavour_flags) $(omp_flags) -Iinclude -Isrc
link_flags := $(CXXFLAGS) $(flavour_flags) $(omp_libs) $(LDFLAGS) -pthread

lib_sources := $(filter-out $(not_compiled),$(sort $(wildcard src/*/*.cpp)))
tool_sources := $(sort $(wildcard tools/*.cpp tools/*/*.cpp))
# Tests of whole programs, and what makes their files fail, are programs of their own.
crash_sources := $(sort $(wildcard tests/crash/*.cpp))
fuzz_sources := $(sort $(wildcard tests/fuzz/*.cpp))
test_sources := $(filter-out $(crash_sources) $(fuzz_sources),$(sort $(wildcard tests/*.cpp tests/*/*.cpp)))
# The folders of these sources that are compiled as one unit, and the objects.
ifeq ($(FLAVOUR),odr)
  file_by_file := %
else
  file_by_file := src/kernels/% src/distributed/% tests/support/%
endif
folders = $(sort $(patsubst %/,%,$(dir $(filter-out $(file_by_file),$(1)))))
objects = $(patsubst %.cpp,$(OBJ)/%.o,$(filter $(file_by_file),$(1))) \
  $(patsubst %,$(OBJ)/%.o,$(call folders,$(1)))
lib_objects := $(call objects,$(lib_sources)) $(OBJ)/commit.o
tool_objects := $(call objects,$(tool_sources))
test_objects := $(call objects,$(test_sources))
crash_objects := $(patsubst %.cpp,$(OBJ)/%.o,$(crash_sources))
fuzz_objects := $(call objects,$(fuzz_sources))
# What commands are made of is tested on its own too.
tested_tools := $(call objects,$(wildcard tools/*/*.cpp))

.PHONY: all demo test crash fuzz bench debug asan tsan coverage odr tidy format lint install clean help
.DELETE_ON_ERROR:
.SUFFIXES:

all: $(OUT)/libcria.a $(OUT)/cria  ## build the library and the program (default)

# Written only when their text changes: the command that compiles; the list of sources, so that an
# object whose source is gone leaves the archive too; of each folder the unit that includes it; and
# the commit (see base/version.h), if this is a repository.
stamp := $(OBJ)/flags
sources_stamp := $(OUT)/obj/sources
update = $(shell mkdir -p $(dir $(1)); printf '%b\n' $(2) | cmp -s - $(1) || \
  printf '%b\n' $(2) > $(1))
all_sources := $(lib_sources) $(tool_sources) $(test_sources) $(fuzz_sources)
ifneq ($(filter-out help clean format,$(or $(MAKECMDGOALS),all)),)
  compiler_version := $(shell $(CXX) -dumpfullversion -dumpversion 2>/dev/null)
  $(call update,$(stamp),'$(CXX) $(compiler_version) $(compile_flags)')
  $(call update,$(sources_stamp),$(all_sources))
  commit := $(if $(wildcard .git),$(shell git describe --always --dirty --exclude='*' 2>/dev/null))
  $(call update,$(OBJ)/commit.cpp,'\043include "base/version.h"\n'\
    'const char* const cria::kCommit = "$(commit)";')
  $(foreach folder,$(call folders,$(all_sources)),$(call update,$(OBJ)/$(folder).cpp,\
    $(patsubst %,'\043include <%>',$(filter $(wildcard $(folder)/*.cpp),$(all_sources)))))
endif

# The Makefile itself too: some objects have flags of their own. A folder comes before a file of its
# name, as tools/report before tools/report.cpp; <> finds that file, and not the folder's unit.
$(OBJ)/%.o: $(OBJ)/%.cpp $(stamp) Makefile
	$(compiler) $(compile_flags) -I. -MMD -MP -c $< -o $@

$(OBJ)/%.o: %.cpp $(stamp) Makefile
	@mkdir -p $(@D)
	$(compiler) $(compile_flags) -MMD -MP -c $< -o $@

$(OBJ)/src/distributed/mpi.o: compiler = $(linker)
$(tool_objects): compile_flags += -Itools
$(test_objects) $(crash_objects) $(fuzz_objects): compile_flags += -Itests -Itools $(gtest_flags) \
  -DCRIA_SOURCE_DIR='"$(CURDIR)"'
# It compiles a program of its own, the README's.
$(OBJ)/tests/tools.o: compile_flags += \
  -DCRIA_COMPILE='"$(CXX) -std=c++20 $(flavour_flags) $(omp_flags)"' \
  -DCRIA_LINK='"$(link_flags)"'
# Nobody reads errno, and a square root that need not set it is one instruction for a whole vector.
kernel_flags := -O3 -fno-math-errno
ifeq ($(FLAVOUR),fuzz)
  # They read no files, and take long to compile with sanitizers.
  kernel_flags := -O0 -fno-sanitize=all
endif
$(OBJ)/src/kernels/%.o: compile_flags += $(kernel_flags)
# The tests have one more instruction set: tiles without instructions for them.
emulated_tiles := $(OBJ)/tests/support/emulated_tiles.o
$(emulated_tiles): compile_flags += $(kernel_flags)
# One thin file for each instruction set; which of them runs is decided at start.
# No exceptions: what ends a program when one leaves a noexcept function is a symbol that the linker
# shares between these files, see tests/kernels/symbols_test.cpp.
isa_objects := $(emulated_tiles) \
  $(filter-out %/dispatch.o %/peak.o %/products.o,\
    $(filter $(OBJ)/src/kernels/%,$(lib_objects)))
$(isa_objects): compile_flags += -fno-exceptions
ifneq ($(filter x86_64% amd64%,$(shell $(CXX) -dumpmachine)),)
  avx512_flags := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mprefer-vector-width=512
  $(OBJ)/src/kernels/avx2.o: compile_flags += -mavx2 -mfma
  $(OBJ)/src/kernels/avx512.o: compile_flags += $(avx512_flags)
  $(OBJ)/src/kernels/avx512bf16.o: compile_flags += $(avx512_flags) -mavx512bf16
  $(OBJ)/src/kernels/amx.o: compile_flags += $(avx512_flags) -mavx512bf16 -mamx-tile -mamx-bf16
endif
# On ARM g++ would order instructions before it assigns registers: the sums of the innermost loops
# would not all be in one.
ifneq ($(filter aarch64%,$(shell $(CXX) -dumpmachine)),)
  $(isa_objects): compile_flags += -fno-schedule-insns -Wno-ignored-optimization-argument
endif

$(OUT)/libcria.a: $(lib_objects) $(sources_stamp)
	@rm -f $@
	$(AR) rcs $@ $(lib_objects)

$(OUT)/cria: $(tool_objects) $(OUT)/libcria.a
	$(linker) $(tool_objects) $(OUT)/libcria.a $(link_flags) -o $@

$(OUT)/cria_tests: $(test_objects) $(tested_tools) $(OUT)/libcria.a $(sources_stamp)
	$(linker) $(test_objects) $(tested_tools) $(OUT)/libcria.a $(link_flags) $(gtest_libs) -lgtest -lgtest_main -o $@

demo: all  ## corpus, tokenizer, training and three stories, in under 3 minutes
	$(OUT)/cria demo $(DEMO_ARGS)

# Real texts for some tests, which are skipped without them.
ifneq ($(wildcard ../shared/data),)
  export CRIA_SHARED_DATA ?= ../shared/data
endif
test_processes := $(if $(findstring --gtest_filter,$(TEST_ARGS)),1,2)
# Runs tests, $(2), in so many processes at once.
in_shards = @for shard in $$(seq $(1)); do \
	  CRIA_BINARY=$(OUT)/cria GTEST_TOTAL_SHARDS=$(1) GTEST_SHARD_INDEX=$$((shard - 1)) \
	    $(2) --gtest_brief=1 $(TEST_ARGS) & runs="$$runs $$!"; \
	done; \
	status=0; for run in $$runs; do wait $$run || status=1; done; exit $$status

test: $(OUT)/cria_tests $(OUT)/cria  ## build and run the tests (TEST_ARGS=--gtest_filter=...)
	$(call in_shards,$(test_processes),$(OUT)/cria_tests)

crash: $(OUT)/cria_crash $(OUT)/interpose.so $(OUT)/cria  ## kills, failing files, lost power; in full with CRASH_KILLS=2000
	$(call in_shards,2,CRASH_LIBRARY=$(abspath $(OUT)/interpose.so) $(OUT)/cria_crash)

$(OUT)/cria_crash: $(filter-out %/interpose.o,$(crash_objects)) $(OUT)/libcria.a
	$(linker) $^ $(link_flags) $(gtest_libs) -lgtest -lgtest_main -o $@

$(OUT)/interpose.so: tests/crash/interpose.cpp $(stamp)
	$(CXX) -std=c++20 -O1 -g -Wall -Wextra -shared -fPIC $< -ldl -o $@

# Each target for FUZZ_SECONDS, or, without, the seeds and so many inputs made of them; two at once.
fuzz: $(if $(filter fuzz,$(FLAVOUR)),$(OUT)/cria_fuzz)  ## readers on made-up inputs, with clang++; longer with FUZZ_SECONDS=N
ifeq ($(FLAVOUR),fuzz)
	$(OUT)/cria_fuzz | xargs -n 1 -P 2 tests/fuzz/run.sh $(OUT) \
	  $(if $(FUZZ_SECONDS),-max_total_time=$(FUZZ_SECONDS),-runs=2000 -seed=1)
else
	@$(MAKE) FLAVOUR=fuzz fuzz
endif

$(OUT)/cria_fuzz: $(fuzz_objects) $(OUT)/libcria.a
	$(CXX) $^ $(link_flags) -fsanitize=fuzzer -o $@

bench: all  ## speed of training steps, kernel by kernel, against this machine's peak
	$(OUT)/cria bench configs/stories15m.toml
	$(OUT)/cria bench configs/llama_124m.toml
	$(OUT)/cria bench configs/shakespeare_char.toml

debug:  ## the program without optimization, with symbols and assertions, in build/debug/
	$(MAKE) FLAVOUR=debug all

# A failed allocation is to be an Error there too, not the end of the program.
asan:  ## the tests under AddressSanitizer and UndefinedBehaviorSanitizer
	ASAN_OPTIONS=allocator_may_return_null=1 $(MAKE) FLAVOUR=asan test

# What shares work between threads, and what runs beside it: where it is tested, and a training run.
tsan:  ## the tests of threads, and training, under ThreadSanitizer
	OMP_NUM_THREADS=3 TSAN_OPTIONS=allocator_may_return_null=1 $(MAKE) FLAVOUR=tsan test \
	  TEST_ARGS='--gtest_filter=Parallel.*:Checksum.*:PrefetchTest.*:JobThread.*:Trainer.*:DataParallel*.*'

# An exception's edge is no branch here, nor is the edge beside it, by which a call that may throw
# returns; nor is what gcov says of conditions that nothing came to: the edge that leads there counts.
coverage:  ## the share of lines and branches in each folder of src that the tests run (g++, gcov)
	-$(MAKE) FLAVOUR=coverage test
	@find build/coverage/obj/src -name '*.gcda' | xargs gcov -b -c -r -t 2>/dev/null | awk -F ': *' ' \
	  $$3 == "Source" { file = $$4; sub(/^\.\//, "", file); split(file, part, "/"); \
	    room = file ~ /^src\/.*\.cpp$$/ ? part[2] : "" } \
	  room && $$1 ~ /^ *[0-9#=]+\*?$$/ && !seen[file, $$2]++ { \
	    ++all[room]; run[room] += $$1 !~ /[#=]/ } \
	  room && /^branch .* taken/ { thrown = /\(throw\)/; branches[room] += thrown ? -1 : 1; \
	    taken[room] += thrown ? -1 : !/ taken 0/ } \
	  function show(name, r, a, t, b) { \
	    printf "%-16s %6.1f%% of %6d lines  %6.1f%% of %6d branches\n", name, \
	      100 * r / a, a, b ? 100 * t / b : 100, b } \
	  END { for (room in all) { show(room, run[room], all[room], taken[room], branches[room]); \
	      r += run[room]; a += all[room]; t += taken[room]; b += branches[room] } \
	    show("all", r, a, t, b) }' | sort

# Of two classes of one name in two sources, each compiler run sees one, and the program mixes both.
odr:  ## that no two sources define one name differently (with g++)
	$(MAKE) FLAVOUR=odr build/odr/one_definition

$(OUT)/one_definition: $(lib_objects) $(tool_objects)
	$(linker) $^ $(link_flags) -o $@

format:  ## rewrite the sources in the project's style
	clang-format -i $$(git ls-files '*.h' '*.cpp')

lint:  ## style, warnings as errors with g++ and clang++ (what of these is installed)
	clang-format --dry-run -Werror $$(git ls-files '*.h' '*.cpp')
	@for cxx in g++ clang++; do command -v $$cxx >/dev/null || continue; \
	  echo "lint: $$cxx -Werror -fsyntax-only"; \
	  printf '%s\n' $(all_sources) $(crash_sources) | xargs -n 1 -P "$$(getconf _NPROCESSORS_ONLN)" \
	    $$cxx -std=c++20 -Wall -Wextra -Wpedantic -Werror -Wno-unknown-pragmas -fsyntax-only \
	    -Iinclude -Isrc -Itools -Itests $(gtest_flags) \
	    -DCRIA_SOURCE_DIR='""' -DCRIA_COMPILE='""' -DCRIA_LINK='""' || exit 1; \
	  done

# Folder by folder, as they are compiled; of the kernels those that any machine has.
CLANG_TIDY ?= clang-tidy
tidy:  ## what clang-tidy has to say, by the checks in .clang-tidy
	@command -v $(CLANG_TIDY) >/dev/null || { echo "tidy: no $(CLANG_TIDY) here" >&2; exit 1; }
	@printf '%s\n' $(patsubst %,$(OBJ)/%.cpp,$(call folders,$(lib_sources) $(tool_sources))) \
	  src/kernels/dispatch.cpp src/kernels/peak.cpp src/kernels/portable.cpp | \
	  xargs -n 1 -P "$$(getconf _NPROCESSORS_ONLN)" sh -c 'echo "tidy: $$0"; $(CLANG_TIDY) --quiet "$$0" -- \
	    -std=c++20 -Iinclude -Isrc -Itools -I. -Wno-unknown-pragmas || exit 1' 2>/dev/null

# What a program that uses the library is compiled with, for pkg-config.
version = $(shell sed -n 's/.*kCriaVersion = "\(.*\)";/\1/p' src/base/version.h)
define pkg_config_file
prefix=$(PREFIX)
libdir=$${prefix}/lib
includedir=$${prefix}/include

Name: cria
Description: trains small LLaMA-style decoders on the CPU
Version: $(version)
Cflags: -I$${includedir}
Libs: -L$${libdir} -lcria $(omp_libs) -pthread
endef
export pkg_config_file

# The man page and the completion of shells are what the program says of itself.
share := $(DESTDIR)$(PREFIX)/share
man_page := $(share)/man/man1/cria.1
completions := $(share)/bash-completion/completions/cria $(share)/zsh/site-functions/_cria \
  $(share)/fish/vendor_completions.d/cria.fish

install: all  ## copy program, library, headers, cria.pc, man page, completion below PREFIX
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/include
	install -d $(dir $(man_page) $(completions))
	$(OUT)/cria help --man > $(man_page)
	$(OUT)/cria completion bash > $(word 1,$(completions))
	$(OUT)/cria completion zsh > $(word 2,$(completions))
	$(OUT)/cria completion fish > $(word 3,$(completions))
	install -m 755 $(OUT)/cria $(DESTDIR)$(PREFIX)/bin/
	install -m 644 $(OUT)/libcria.a $(DESTDIR)$(PREFIX)/lib/
	rm -rf $(DESTDIR)$(PREFIX)/include/cria
	cp -R include/cria $(DESTDIR)$(PREFIX)/include/
	printf '%s\n' "$$pkg_config_file" > $(DESTDIR)$(PREFIX)/lib/pkgconfig/cria.pc

clean:  ## remove everything built (runs/ and data/ stay)
	rm -rf build

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

-include $(patsubst %.o,%.d,$(lib_objects) $(tool_objects) $(test_objects) $(crash_objects) \
  $(fuzz_objects))
