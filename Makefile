# The commands of the project. `make help` lists them.
.DEFAULT_GOAL := help
CONFIG ?= tollgate.yaml
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
.PHONY: help run test properties check gen bench bench-ai chaos dist fmt fuzz deny

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-10s %s\n", $$1, $$2 }'

run: ## build Tollgate and start it on the example (CONFIG=… for another)
	cargo build --release --package tollgate
	$(TARGET)/release/tollgate run --config $(CONFIG) --demo-upstream 9001 --demo-upstream 9002

# A change is judged on the same cases each time; `make properties` looks for others.
test: export PROPTEST_RNG_SEED ?= 1
test: ## run every test
	cargo xtask need nginx curl openssl redis-server slapd node npm python3
	TOLLGATE_BINARY=$(TARGET)/debug/tollgate cargo test --workspace --quiet

properties: ## run the property tests on new random cases, ten times (ROUNDS=…)
	for round in $$(seq $(or $(ROUNDS),10)); do cargo test --workspace --lib --quiet || exit 1; done

check: ## what CI asks before the tests: format, lints, house rules, generated files
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- --deny warnings
	cargo xtask tidy
	cargo xtask gen --check

gen: ## write the generated files: schema, reference docs
	cargo xtask gen

fmt: ## format the code
	cargo fmt --all

dist: ## build what is shipped: target/dist/tollgate
	cargo build --profile dist --package tollgate

bench: dist ## measure beside the peers that are installed (BENCH="--scenario h1-1k" narrows it); see bench/README.md
	cargo run --release --package bench -- $(BENCH)

bench-ai: dist ## measure calls of models beside LiteLLM and Portkey where installed (BENCH="--scenario ai-chat" narrows it)
	cargo run --release --package bench -- --suite ai $(BENCH)

chaos: dist ## break four of five targets and see what becomes of requests; ten minutes
	cargo run --release --package bench -- chaos $(CHAOS)

deny: ## licences, sources and advisories of dependencies (needs cargo-deny and, for advisories, a network)
	cargo deny check

fuzz: ## fuzz each parser for a minute (needs cargo-fuzz, see fuzz/README.md)
	./fuzz/run
