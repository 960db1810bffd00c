# One image for every process of the product; the command says which: api, worker, migrate, key.
FROM python:3.11-slim-bookworm AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
RUN python -m venv /opt/everturn
# The locks first: a change of code alone reuses this layer.
COPY requirements-uv.lock requirements.lock ./
RUN python -m pip install --require-hashes -r requirements-uv.lock \
    && uv pip install --python /opt/everturn/bin/python --no-cache --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE worker.py ./
COPY activities activities
COPY api api
COPY cli cli
COPY contracts contracts
COPY db db
COPY domain domain
COPY runtime runtime
COPY sdk sdk
COPY workflows workflows
RUN uv pip install --python /opt/everturn/bin/python --no-cache --no-deps .

FROM python:3.11-slim-bookworm

RUN useradd --uid 10001 --create-home everturn && install -d -o everturn -g everturn /data
COPY --from=build /opt/everturn /opt/everturn
ENV PATH=/opt/everturn/bin:$PATH PYTHONUNBUFFERED=1 EVERTURN_DATA_DIR=/data EVERTURN_HTTP_HOST=0.0.0.0 EVERTURN_LOG_FORMAT=json
USER everturn
VOLUME /data
EXPOSE 8080 9090
ENTRYPOINT ["everturn"]
CMD ["api"]
