# livestow in a container: the recorder's settings come from the environment, what it keeps lies in two volumes.
#
#   docker build -t livestow .
#   docker run --stop-timeout 30 -e LIVESTOW_API_KEY -v livestow-spool:/spool -v livestow-archive:/archive \
#     livestow record alice
#
# Give it time to drain: --stop-timeout 30, or stop_grace_period: 30s.

FROM node:24-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json ./
# The image's own Node does; the one that npm would bring is for checkouts.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN node_modules/.bin/tsc -p tsconfig.build.json \
 && node_modules/.bin/vite build src/ui --config src/ui/vite.config.ts --logLevel warn \
 && npm prune --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:24-bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates ffmpeg tini \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=build /src/package.json ./
COPY --from=build /src/node_modules ./node_modules
COPY --from=build /src/dist ./dist
RUN ln -s /app/dist/cli/main.js /usr/local/bin/livestow \
 && chmod +x dist/cli/main.js \
 && install -d -o node -g node /spool /archive
ENV NODE_ENV=production \
    LIVESTOW_SPOOL=/spool \
    LIVESTOW_STORE=/archive
VOLUME ["/spool", "/archive"]
# The user node. A number, so that Kubernetes can tell that it is not root.
USER 1000:1000
WORKDIR /home/node
# Unhealthy where ffmpeg does not run, or the spool can't be written to or is about to be full.
HEALTHCHECK --interval=60s --timeout=20s --start-period=10s --retries=3 CMD ["livestow", "doctor", "--quick"]
# tini hands each signal on. A first process is not ended by one that it does not handle: doctor, or any command that has
# just begun, could not be stopped.
STOPSIGNAL SIGTERM
ENTRYPOINT ["tini", "--", "node", "--max-semi-space-size=6", "--heap-growing-percent=200", "/app/dist/cli/main.js"]
CMD ["--help"]
