# The platform: Airflow with its DAGs, extractors, dbt, the alert engine, the portal, the notifier, the `ioc` command.
# The sandbox is the same image with one more dependency group: --build-arg GROUPS="--group sandbox".
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ARG GROUPS=""
ARG UV_VERSION="0.9.*"
RUN pip install --no-cache-dir "uv==${UV_VERSION}"
ENV UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PYTHON_DOWNLOADS=never
WORKDIR /app
# Dependencies first: a change of code does not install them again.
COPY pyproject.toml uv.lock README.md LICENSE NOTICE.md ./
RUN uv sync --frozen --no-default-groups --no-install-project ${GROUPS}
COPY ioc ioc
COPY extractors extractors
COPY expectations expectations
COPY alerts alerts
COPY portal portal
COPY dags dags
COPY dbt_project dbt_project
COPY sandbox sandbox
COPY superset_assets superset_assets
COPY docker docker
RUN uv sync --frozen --no-default-groups ${GROUPS}

FROM ${PYTHON_IMAGE}
# One fixed user: the volume of IOC_HOME is shared by all services of this image.
RUN groupadd --gid 10001 ioc && useradd --uid 10001 --gid ioc --create-home ioc \
    && install -d -o ioc -g ioc /var/lib/ioc
COPY --from=build /app /app
ENV PATH=/app/.venv/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1 LANG=C.UTF-8 TZ=Asia/Ho_Chi_Minh \
    IOC_HOME=/var/lib/ioc IOC_BIND_HOST=0.0.0.0
WORKDIR /app
USER ioc
VOLUME /var/lib/ioc
ENTRYPOINT ["python", "/app/docker/run.py"]
