# docker build -t sploot-clusterd .
# docker run --read-only -e INTERNAL_TOKEN=... -e REDIS_URL=redis://... -p 127.0.0.1:9007:9007 sploot-clusterd

FROM python:3.11-slim-bookworm AS build
RUN python -m venv /opt/sploot-clusterd
WORKDIR /src
COPY pyproject.toml README.md ./
COPY docs/man ./docs/man
COPY sploot_clusterd ./sploot_clusterd
# What installs is not needed to run: nothing can be installed into a running container.
RUN /opt/sploot-clusterd/bin/pip install --no-cache-dir '.[history,otel]' \
    && /opt/sploot-clusterd/bin/pip uninstall --yes setuptools pip

FROM python:3.11-slim-bookworm
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="sploot-clusterd" \
      org.opencontainers.image.description="Keeps every pet's photo clusters up to date, from a Redis Stream or over HTTP, and serves them" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.base.name="docker.io/library/python:3.11-slim-bookworm"
RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin clusterd
COPY --from=build /opt/sploot-clusterd /opt/sploot-clusterd
# In a container the loopback address reaches nobody; a token of at least 16 bytes is then required.
ENV PATH=/opt/sploot-clusterd/bin:$PATH \
    ENVIRONMENT=production \
    HTTP_HOST=0.0.0.0 \
    HTTP_PORT=9007 \
    WORKER_METRICS_HOST=0.0.0.0 \
    WORKER_METRICS_PORT=9105 \
    LOG_FORMAT=json
# A number, by which Kubernetes sees that it is not root.
USER 10001:10001
EXPOSE 9007 9105
HEALTHCHECK --interval=10s --timeout=6s --start-period=10s --retries=3 CMD ["clusterd", "--check"]
ENTRYPOINT ["clusterd"]
