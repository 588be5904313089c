# Apache Superset with this project's configuration, roles and language pack.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ARG UV_VERSION="0.9.*"
RUN pip install --no-cache-dir "uv==${UV_VERSION}"
ENV UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PYTHON_DOWNLOADS=never
WORKDIR /app/superset_assets/env
COPY superset_assets/env/pyproject.toml superset_assets/env/uv.lock ./
RUN uv sync --frozen

FROM ${PYTHON_IMAGE}
RUN groupadd --gid 10001 superset && useradd --uid 10001 --gid superset --create-home superset \
    && install -d -o superset -g superset /var/lib/superset
COPY --from=build /app/superset_assets/env/.venv /app/superset_assets/env/.venv
COPY superset_assets /app/superset_assets
COPY docker /app/docker
ENV PATH=/app/superset_assets/env/.venv/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1 LANG=C.UTF-8 TZ=Asia/Ho_Chi_Minh \
    SUPERSET_CONFIG_PATH=/app/docker/superset_config.py FLASK_APP="superset.app:create_app()" \
    IOC_SUPERSET_HOME=/var/lib/superset
WORKDIR /app
USER superset
VOLUME /var/lib/superset
