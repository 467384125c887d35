# The server in a container: one binary, an unprivileged user, nothing else.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked -p secrethub-cli && strip target/release/secrethub

FROM debian:bookworm-slim
# The authorities that a database's or a proxy's certificate may be signed by.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /src/target/release/secrethub /usr/local/bin/secrethub
RUN useradd --uid 10001 --create-home --home-dir /var/lib/secrethub --shell /usr/sbin/nologin secrethub
USER 10001:10001
WORKDIR /var/lib/secrethub
VOLUME /var/lib/secrethub
# Where SQLite lies unless another store is named: /var/lib/secrethub.
ENV XDG_DATA_HOME=/var/lib
EXPOSE 8200
# A sealed vault is well (2): whoever restarts it for that only makes people unseal it again. 1 is no answer at all.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["sh", "-c", "secrethub status >/dev/null 2>&1; [ $? -ne 1 ]"]
ENTRYPOINT ["secrethub"]
CMD ["server", "--listen", "0.0.0.0:8200"]
