# The project's commands. `make run` and `make test` are all a newcomer needs; see CONTRIBUTING.md for the rest.

SWIFT ?= swift
SOURCES := Package.swift Sources Tests Benchmarks Examples/Package.swift Examples/Sources Plugins guest hypervisor
AERIE := .build/release/aerie
comma := ,

.PHONY: run build test examples fuzz fuzz-target bench lint format clean hypervisor hypervisor-run

# Boots Debian on this terminal: the first time it builds the image, which takes some minutes.
run: bootstrap
	@$(SWIFT) build -c release --product aerie
	@$(AERIE) run debian

build: bootstrap
	$(SWIFT) build -c release

# FILTER=Name runs only the suites and tests whose name matches. The last lines name the tests that were skipped.
test: bootstrap-tests
	@SWIFT='$(SWIFT)' scripts/test $(if $(FILTER),--filter '$(FILTER)')

# The programs of Examples/, built beside the others and run. IMAGES=DIRECTORY holds an image with Python; without one, it is built.
# Two packages have one build directory, so that no plan of a build is kept there.
examples: bootstrap
	@$(SWIFT) build -c release --product aerie
	@$(SWIFT) build -c release --package-path Examples --scratch-path .build --disable-build-manifest-caching
	@scripts/examples $(IMAGES)

# Random programs here and on QEMU: SEED and COUNT choose which and how many.
fuzz: bootstrap-tests
	AERIE_FUZZ_SEED=$(or $(SEED),1) AERIE_FUZZ_COUNT=$(or $(COUNT),100000) \
		$(SWIFT) test -c release --disable-xctest --filter DifferentialTests

# A coverage-guided fuzzer on one parser, for TIME seconds: TARGET=riscv-kernel, device-tree, saved-record, settings … New inputs go to
# .build-fuzz/corpus-TARGET; a finding is written to the present directory.
fuzz-target: bootstrap-tests
	$(SWIFT) build -c release --product CoverageFuzzer --sanitize=fuzzer -Xswiftc -DCOVERAGE_FUZZER \
		--scratch-path .build-fuzz
	mkdir -p .build-fuzz/corpus-$(TARGET)
	AERIE_FUZZ_TARGET=$(TARGET) .build-fuzz/release/CoverageFuzzer -max_total_time=$(or $(TIME),600) -max_len=65536 \
		-timeout=20 .build-fuzz/corpus-$(TARGET) Tests/FuzzTargets/Corpora/$(TARGET)

# BENCH="kernels --kernel sieve --versus PATH" chooses what and beside which; see `.build/release/Benchmarks --help`.
bench: bootstrap-tests
	@$(SWIFT) build -c release --product aerie
	@$(SWIFT) build -c release --product aerie-vm
	@$(SWIFT) build -c release --product Benchmarks
	@$(if $(BENCH),.build/release/Benchmarks $(BENCH),.build/release/Benchmarks kernels && .build/release/Benchmarks system \
		&& .build/release/Benchmarks hardware)

# The bare-metal hypervisor without guests: .build/hypervisor/hypervisor.bin. See docs/hypervisor.md.
hypervisor:
	@mkdir -p .build/hypervisor
	@hypervisor/build "$$(dirname "$$(readlink -f "$$(command -v swiftc)")")" .build/hypervisor/hypervisor.bin .build/hypervisor/objects

# The guests of GUESTS=FILE (a GUESTS.json) under the hypervisor on QEMU, with CPUS harts, a network card that QEMU serves, and the
# raw disk DISK=FILE.
hypervisor-run: hypervisor
	@test -n "$(GUESTS)" || { echo "hypervisor-run: GUESTS is missing; give GUESTS=FILE, a table as in docs/hypervisor.md" >&2; exit 64; }
	@scripts/hypervisor-image $(GUESTS) -o .build/hypervisor/image
	@qemu-system-riscv64 -M virt -cpu rv64,h=true -smp $(or $(CPUS),2) -m $(or $(MEMORY),2G) -display none -monitor none \
		-serial stdio -kernel .build/hypervisor/image -netdev user,id=outside -device virtio-net-device,netdev=outside \
		$(if $(DISK),-drive file=$(DISK)$(comma)format=raw$(comma)if=none$(comma)id=disk -device virtio-blk-device$(comma)drive=disk)

lint:
	$(SWIFT) format lint --strict --recursive --parallel $(SOURCES)
	for script in scripts/bootstrap scripts/test scripts/examples guest/build hypervisor/build .ci/run; do bash -n "$$script" || exit 1; done

format:
	$(SWIFT) format --in-place --recursive --parallel $(SOURCES)

clean:
	$(SWIFT) package clean

.PHONY: bootstrap bootstrap-tests
bootstrap:
	@scripts/bootstrap

bootstrap-tests:
	@scripts/bootstrap --tests
