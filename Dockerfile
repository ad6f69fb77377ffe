# The server without npm, as user 10001, on a root that may be read-only; everything it keeps is in /data.
#
#   docker build -t parley .
#   docker run --rm -it -u "$(id -u):$(id -g)" -v "$PWD:/setup" parley init    a folder for docker compose, asking
#   docker run --rm --read-only --tmpfs /tmp -p 5222:5222 -p 5223:5223 -v parley:/data parley
#
# BASE: any glibc system with Node.js 20.19 or newer and npm under /usr/local.
ARG BASE=docker.io/library/node:26-slim

FROM ${BASE} AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund --loglevel=error
COPY tsconfig.json ./
COPY src ./src
RUN node node_modules/typescript/bin/tsc -p . --sourceMap false \
 && npm prune --omit=dev --no-audit --no-fund --loglevel=error

FROM ${BASE}
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack \
      /opt/yarn* /usr/local/bin/yarn* \
 && printf '%s\n' '#!/bin/sh' 'exec node --enable-source-maps /app/dist/src/main.js "$@"' > /usr/local/bin/parley \
 && chmod 755 /usr/local/bin/parley \
 # The embedded PostgreSQL asks for the name of its user.
 && echo 'parley:x:10001:' >> /etc/group \
 && echo 'parley:x:10001:10001:Parley:/data:/usr/sbin/nologin' >> /etc/passwd \
 && install -d -o 10001 -g 10001 -m 0750 /data
WORKDIR /app
COPY package.json LICENSE ./
COPY --from=build /build/node_modules ./node_modules
COPY migrations ./migrations
COPY --from=build /build/dist ./dist

ENV NODE_ENV=production PARLEY_DATA_DIR=/data PARLEY_SETUP=/setup
USER 10001:10001
VOLUME /data
# Clients, then other servers: STARTTLS and direct TLS. Metrics and health are on 127.0.0.1:5280 inside the container.
EXPOSE 5222 5223 5269 5270
# SIGTERM drains: the server tells its clients and stores what is under way, then exits 0.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 CMD ["parley", "health"]
ENTRYPOINT ["parley"]
CMD ["start"]
