# A distroless image that holds one executable and one config. Both base images are arguments, so that a mirror or a local
# root file system can stand in for them.
ARG BUILD_IMAGE=docker.io/oven/bun:1.4.5
ARG BASE_IMAGE=gcr.io/distroless/cc-debian12:nonroot

FROM ${BUILD_IMAGE} AS build
WORKDIR /build
COPY package.json bun.lock bunfig.toml ./
RUN bun install --frozen-lockfile --production
COPY tsconfig.json ./
COPY src src
COPY build build
COPY config config
RUN bun run build && mkdir /data

FROM ${BASE_IMAGE}
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="haraka-runtime" \
      org.opencontainers.image.description="Starts, watches and stops the services of a container, and tells the truth about their health" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=build /build/dist/haraka /haraka
COPY --from=build /build/config /app
COPY --from=build --chown=65532:65532 /data /data
ENV HARAKA_CONFIG=/app/runtime.yaml HARAKA_DATA=/data
WORKDIR /app
USER 65532:65532
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --start-period=60s --start-interval=200ms CMD ["/haraka","health","--ready"]
ENTRYPOINT ["/haraka"]
CMD ["run"]
