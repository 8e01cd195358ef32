# One image for a kind of device: docker build --build-arg DEVICE=cpu|gpu|tpu -t distinctad:DEVICE .
# CUDA's libraries and libtpu come with JAX's wheels, so all kinds have one base; a GPU's driver is the host's
# (docker run --gpus all, or the NVIDIA device plugin), and a TPU's device is mapped in (--privileged, or GKE).
FROM python:3.12-slim

ARG DEVICE=cpu
RUN useradd --create-home distinctad
WORKDIR /opt/distinctad
COPY setup.py pyproject.toml README.md LICENSE ./
COPY distinctad_jax distinctad_jax
COPY configs configs
RUN case "$DEVICE" in cpu) extra= ;; gpu | tpu) extra="[$DEVICE]" ;; *) echo "DEVICE=$DEVICE: needs cpu, gpu or tpu" >&2; exit 2 ;; esac \
    && pip install --no-cache-dir -e ".$extra" \
    && mkdir /runs && chown distinctad /runs
USER distinctad
# What is made lies in a volume: --config.workdir=/runs
VOLUME /runs
# exec form, so that SIGTERM reaches the training, which saves and ends with code 75
ENTRYPOINT ["python", "-m", "distinctad_jax.main"]
CMD ["--help"]
