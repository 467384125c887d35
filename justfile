# The steps of CI, fast ones first. `./scripts/test` installs what they need and runs `ci`.
set shell := ["bash", "-euo", "pipefail", "-c"]

export CARGO_TERM_COLOR := "never"
# All but `fips`, whose build needs Go and CMake.
features := "--features secrethub-core/rustcrypto,secrethub-core/aws-lc-rs,secrethub-core/testing,secrethub-store-sql/postgres"
target := env("CARGO_TARGET_DIR", "target")

# Every step, in CI's order.
ci: fmt scripts deny clippy features doc package build test doctest custom-store bench fuzz python counts

# The code is formatted.
fmt: (section "fmt")
    cargo fmt --all --check

# Shell scripts parse and are clean.
scripts: (section "scripts")
    shellcheck -x scripts/start scripts/test scripts/*.sh .ci/run

# Licences, bans and sources of every dependency.
deny: (section "deny")
    cargo fetch --locked
    cargo deny --offline check licenses bans sources

# No warning of rustc or clippy, tests and benches included.
clippy: (section "clippy")
    cargo clippy --workspace --all-targets {{features}} --locked -- -D warnings

# The core builds with each provider alone, and the facade with the least.
features: (section "features")
    cargo check -q --locked -p secrethub-core
    cargo check -q --locked -p secrethub-core --no-default-features --features aws-lc-rs
    cargo check -q --locked -p secrethub --no-default-features --features rustcrypto

# The documentation builds without a warning.
doc: (section "doc")
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --lib --no-deps {{features}} --locked

# The library crates can be packaged. What each needs of the others is published first, so nothing is built from them here.
package: (section "package")
    cargo package --quiet --offline --no-verify --allow-dirty --exclude-lockfile -p secrethub-core -p secrethub-store-sql \
        -p secrethub-store-mongo -p secrethub -p secrethub-client -p secrethub-http

# The binary that the tests from outside start.
build: (section "build")
    cargo build --workspace {{features}} --locked

# Unit tests, batteries, simulation, and the product from outside; the tidy test among them.
test: (section "test")
    cargo nextest run --profile ci --workspace {{features}} --locked

# The examples in the documentation; those that must not compile do not.
doctest: (section "doctest")
    cargo test --doc --workspace {{features}} --locked 2>&1 | tee {{target}}/doctest.log

# A store from outside of the workspace passes the battery, with the versions that the workspace is built of.
custom-store: (section "custom-store")
    cp Cargo.lock examples/custom-store/
    CARGO_TARGET_DIR="$(realpath {{target}})" cargo test --quiet --offline --manifest-path examples/custom-store/Cargo.toml

# Every benchmark runs once. To measure: `cargo bench`.
bench: (section "bench")
    cargo test --benches -p secrethub-benches --locked

# Every fuzz target for so many seconds, from its seeds. cargo-fuzz wants flags of the nightly compiler.
fuzz seconds="60": (section "fuzz")
    for name in policy_paths policy_documents; do \
        mkdir -p fuzz/corpus/$name; \
        RUSTC_BOOTSTRAP=1 cargo fuzz run $name fuzz/corpus/$name fuzz/seeds/$name -- -max_total_time={{seconds}} -max_len=4096 -verbosity=0 -print_final_stats=1 2>&1 | grep -v "Uses:"; \
    done

# Measures the stores side by side, on servers that it starts: docs/performance.md. `-- --sizes` measures what they take.
bench-stores *flags:
    cargo bench -p secrethub-benches --bench stores --locked -- {{flags}}

# The Python package, built without optimisation from what is compiled already, into the environment of the tests.
wheel: (section "wheel")
    CARGO_TARGET_DIR="$(realpath {{target}})" python -m pip install --quiet --disable-pip-version-check --no-build-isolation \
        --no-deps --force-reinstall -C build-args="--profile dev --locked" ./vault-py

# Real clients against the real binary, and the Python package.
python: wheel (section "python")
    python -m pytest tests/python --junitxml={{target}}/pytest.xml

# No suite ran fewer tests than tests/expected-counts says.
counts: (section "counts")
    python scripts/counts.py {{target}}

# Writes the numbers of the last run into tests/expected-counts.
counts-update:
    python scripts/counts.py {{target}} --update

[private]
section name:
    @printf '\n==== %s ====\n' {{name}}
