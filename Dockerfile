# An image of gengap with the versions of constraints.txt.
#   docker build --tag gengap .
#   mkdir -p results .snakemake
#   docker run --rm --user "$(id -u):$(id -g)" --volume "$PWD/results:/gengap/results" \
#     --volume "$PWD/.snakemake:/gengap/.snakemake" gengap
# Snakemake records in .snakemake how each result was made, and keeps its lock there: always mount it.
FROM python:3.11-slim-bookworm

WORKDIR /gengap
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
RUN pip install --no-cache-dir --constraint constraints.txt --editable ".[workflow,pgdl,parquet]"
COPY Snakefile config.yaml ./
COPY workflow workflow
COPY profiles profiles
COPY scripts scripts
COPY studies studies

# Any user may write Snakemake's records. The persistence engine is compiled here, once.
ENV HOME=/tmp NUMBA_CACHE_DIR=/gengap/.numba
RUN python -c "from gengap.topology.engines.fast import warm; warm()" && chmod -R a+rwX /gengap
ENTRYPOINT ["snakemake"]
CMD ["--cores", "all"]
