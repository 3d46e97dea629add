# HaloLight by itself, on SQLite: docker build -t halolight . && docker run -p 127.0.0.1:8000:8000 -v halolight:/data halolight
# compose.yaml runs two of them on Postgres, behind nginx (docs/deploying.md).
FROM python:3.13-slim

WORKDIR /app
COPY requirements.txt ./
# Wheels only: nothing is compiled, so no compiler is needed. psycopg is for Postgres.
RUN pip install --no-cache-dir --root-user-action ignore --only-binary :all: -r requirements.txt "psycopg[binary]==3.3.9"
COPY . ./
RUN python -m compileall -q .

# A user who may write the folder of the database, and nothing else.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin halolight
RUN install --directory --owner 10001 --group 10001 /data
USER 10001
VOLUME /data

ENV DATABASE_URL=sqlite:////data/halolight.db
ENV HALOLIGHT_HOST=0.0.0.0
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=4s --start-period=60s CMD ["python", "deploy/health.py"]
CMD ["python", "halolight.py"]
