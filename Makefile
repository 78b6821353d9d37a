# Names for the common commands; meson does the work.
.PHONY: all deps deps-vm deps-vm612 deps-vmirqtime deps-engine deps-switch demo check check-vm check-all install lint fuzz clean

BUILD ?= build
MESON := $(firstword $(wildcard /usr/bin/meson) meson)

all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

$(BUILD)/build.ninja:
	$(MESON) setup $(BUILD)

deps:
	@scripts/deps.sh build

# QEMU, and a kernel for guests in /var/lib/tare/guest
deps-vm:
	@scripts/deps.sh vm
	@scripts/guest-kernel.sh

# Debian's 6.12 besides, for tests and tare guest --guest-dir
deps-vm612: deps-vm
	@scripts/guest-kernel.sh /var/lib/tare/guest-6.12 linux-image-6.12-amd64

# Debian's 6.12 with IRQ_TIME_ACCOUNTING, which is built here: some ten minutes of two CPUs
deps-vmirqtime: deps-vm
	@scripts/deps.sh kernel
	@scripts/guest-kernel-irqtime.sh

# What the paths through engines and switches need as they run
deps-engine deps-switch:
	@scripts/deps.sh $(@:deps-%=%)

demo: deps
	@$(MAKE) --no-print-directory all
	$(BUILD)/src/cmd/tare compare

check:
	@scripts/check.sh

check-vm: deps-vm all
	$(MESON) test -C $(BUILD) --suite vm --print-errorlogs

# Both, with engines, switches and Prometheus, and one sum: what CI runs
check-all:
	@scripts/check.sh engine switch metrics vm

lint: all
	$(MESON) test -C $(BUILD) --suite lint --print-errorlogs

fuzz:
	@scripts/fuzz.sh

install: all
	$(MESON) install -C $(BUILD)

clean:
	rm -rf build build-*
