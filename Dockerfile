# One image, several commands: migrate, web, workers, scheduler. Nothing is installed when a container starts.
# With --build-arg LOCK=requirements-gpu.lock it has CuPy and CUDA's libraries, too.
ARG PYTHON_IMAGE=python:3.12-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ARG LOCK=requirements-deploy.lock
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
# The compiler of the base image's release: it leaves nothing but the engine in the image.
# hadolint ignore=DL3008
RUN apt-get update -qq && apt-get install -yqq --no-install-recommends g++ libc6-dev
RUN python3 -m venv /opt/nnlab
WORKDIR /build
COPY ${LOCK} ./
RUN /opt/nnlab/bin/pip install --quiet --require-hashes -r "${LOCK}"
COPY pyproject.toml README.md LICENSE manage.py ./
COPY nnlab nnlab
COPY runs runs
COPY templates templates
# An image without the native engine is refused here, not found out when it trains slowly.
RUN /opt/nnlab/bin/pip install --quiet --no-deps . && NNLAB_TIER=native /opt/nnlab/bin/nnlab version \
 && find /opt/nnlab/lib -type d -name tests -prune -exec rm -rf {} + \
 && /opt/nnlab/bin/pip uninstall --quiet --yes pip

FROM ${PYTHON_IMAGE}
RUN groupadd --system --gid 10001 nnlab \
 && useradd --system --uid 10001 --gid nnlab --home-dir /data --shell /usr/sbin/nologin nnlab \
 && mkdir -p /data /srv/static && chown nnlab:nnlab /data
COPY --from=build /opt/nnlab /opt/nnlab
ENV PATH=/opt/nnlab/bin:$PATH \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 \
    NNLAB_HOME=/data NNLAB_STATIC=/srv/static
# Static files belong to the image: hashed names, compressed once.
RUN SECRET_KEY=only-to-collect-static-files REDIS_URL=redis://unused NNLAB_HOME=/tmp/build \
    nnlab collectstatic --no-input --verbosity 0 && rm -rf /tmp/build
USER 10001:10001
WORKDIR /data
EXPOSE 8000
CMD ["uvicorn", "nnlab.asgi:application", "--host", "0.0.0.0", "--port", "8000", "--workers", "2", \
     "--lifespan", "off", "--no-access-log", "--timeout-graceful-shutdown", "3"]
