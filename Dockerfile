# Pin by digest where the build must be repeatable:
#   docker build --build-arg NODE_IMAGE=node:24-slim@sha256:<digest> .
ARG NODE_IMAGE=node:24-slim

# What is built is the same for every architecture, so it is built on that of the builder.
FROM --platform=${BUILDPLATFORM} ${NODE_IMAGE} AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/build.mjs ./scripts/
COPY src ./src
RUN npm run build && chmod 0755 dist/main.js

FROM --platform=${BUILDPLATFORM} ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts
COPY scripts/sbom.ts ./scripts/
RUN node scripts/sbom.ts > sbom.cdx.json

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
COPY --from=dependencies /app/sbom.cdx.json ./
COPY package.json LICENSE ./
# `tiercel` is the command for `docker exec`. Nothing needs a shell once the image is built.
RUN mkdir -p /var/lib/tiercel && chown 1234:1234 /var/lib/tiercel && chmod 0750 /var/lib/tiercel \
    && ln -s /app/dist/main.js /usr/local/bin/tiercel

ENV NODE_ENV=production \
    SPOOL_PATH=/var/lib/tiercel \
    TIERCEL_REVISION="${REVISION}" \
    TIERCEL_CREATED="${CREATED}"
# A number, so that runAsNonRoot can be checked without a user database.
USER 1234:1234
VOLUME /var/lib/tiercel
# 2810 serves notlspaths when TLS is on.
EXPOSE 2801 2810

# fetch takes no address with a user and password, and the page wants neither.
# TIERCEL_HEALTH_URL for a daemon that listens elsewhere or with TLS; without it, where the commands ask.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "-e", "const {TIERCEL_HEALTH_URL:page,TIERCEL_URL:base,LISTENPORT:port=2801}=process.env,url=new URL(page||base||'http://127.0.0.1:'+port);url.username=url.password='';if(!page)url.pathname=url.pathname.replace(/\\/*$/,'/ping');fetch(url).then(r=>process.exit(r.ok?0:1),()=>process.exit(1))"]

# The program gives itself its memory settings (src/main.ts).
ENTRYPOINT ["node", "/app/dist/main.js"]
