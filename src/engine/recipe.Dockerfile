# The image that agents at the trust level `sandboxed` run in: a small Debian with what an agent
# works with, and the Claude CLI of the machine it was built on. BASE and the folder `packages`
# are for machines without a network: a base image that is there, and Debian packages beside it.
ARG BASE=debian:12-slim
FROM ${BASE}
COPY packages/ /tmp/packages/
RUN set -e; \
    if ls /tmp/packages/*.deb >/dev/null 2>&1; then dpkg -i /tmp/packages/*.deb; \
    elif ! { command -v git && command -v curl; } >/dev/null 2>&1; then \
      apt-get update -qq; \
      apt-get install -y -qq --no-install-recommends ca-certificates curl git jq less procps ripgrep; \
      rm -rf /var/lib/apt/lists/*; \
    fi; \
    rm -rf /tmp/packages
COPY claude /usr/local/bin/claude
