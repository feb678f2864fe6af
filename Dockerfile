# Pin by digest where the build must be repeatable:
#   docker build --build-arg NODE_IMAGE=node:24-slim@sha256:<digest> .
ARG NODE_IMAGE=node:24-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev

FROM ${NODE_IMAGE}
ARG VERSION=0.0.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
ARG SOURCE=
LABEL org.opencontainers.image.title="Tiercel" \
      org.opencontainers.image.description="Takes security alerts from Falco and delivers each one to everywhere it has to go" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}"

WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /src/dist ./dist
COPY package.json LICENSE ./
# The command for `docker exec`; the daemon itself is started without a shell, so that signals reach it.
RUN mkdir -p /var/lib/tiercel && chown 1234:1234 /var/lib/tiercel && chmod 0750 /var/lib/tiercel \
    && printf '#!/bin/sh\nexec node /app/dist/main.js "$@"\n' > /usr/local/bin/tiercel \
    && chmod 0755 /usr/local/bin/tiercel

ENV NODE_ENV=production \
    SPOOL_PATH=/var/lib/tiercel \
    TIERCEL_REVISION="${REVISION}" \
    TIERCEL_CREATED="${CREATED}"
# A number, so that runAsNonRoot can be checked without a user database.
USER 1234:1234
VOLUME /var/lib/tiercel
# 2810 serves notlspaths when TLS is on.
EXPOSE 2801 2810

# TIERCEL_URL for a daemon that listens elsewhere or with TLS.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch((process.env.TIERCEL_URL||'http://127.0.0.1:'+(process.env.LISTENPORT||2801))+'/ping').then(r=>process.exit(r.ok?0:1),()=>process.exit(1))"]

# A small young generation: about 30 MB less memory at the same CPU.
ENTRYPOINT ["node", "--max-semi-space-size=4", "--max-old-space-size=768", "/app/dist/main.js"]
