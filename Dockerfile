# The course in a container, for machines without an MXNet wheel of their own (Apple silicon, Windows, Alpine).
# For x86-64 and ARM 64-bit alike. How to build and run it: docs/platforms.md.
#
# The tag moves when Debian or Python is mended. To fix it, append the digest that this prints:
#     docker buildx imagetools inspect python:3.11-slim-bookworm
FROM python:3.11-slim-bookworm AS machine

# MXNet's wheel leaves these libraries to the system. The ARM wheel names Arm's Performance Libraries, which Debian
# lacks; what it calls in them are BLAS, LAPACK and the functions of libm, so OpenBLAS takes their place.
# EXTRA: more Debian packages, such as git, which .devcontainer adds.
ARG EXTRA=""
RUN case "$(dpkg --print-architecture)" in \
        amd64) libraries="libgomp1 libquadmath0" ;; \
        arm64) libraries="libgomp1 libopenblas0-pthread liblapacke" ;; \
    esac \
    && apt-get update \
    && apt-get install -y --no-install-recommends make $libraries $EXTRA \
    && rm -rf /var/lib/apt/lists/* \
    && if [ "$(dpkg --print-architecture)" = arm64 ]; then \
        cd /usr/lib/aarch64-linux-gnu \
        && ln -s openblas-pthread/libopenblas.so.0 libarmpl_lp64_mp.so \
        && ln -s liblapacke.so.3 libamath.so \
        && ln -s libm.so.6 libastring.so; \
    fi

# Not root: what the course writes into a folder of the host then belongs to the host's first user.
RUN useradd --uid 1000 --shell /bin/bash --create-home course \
    && install -d -o course -g course /home/course/segmentation
USER course
WORKDIR /home/course/segmentation

# .devcontainer ends here: it sets up .venv in the folder that the editor mounts.
FROM machine

# What a set-up reads comes first, so that a changed chapter does not install everything again.
COPY --chown=course:course Makefile pyproject.toml README.md LICENSE ./
COPY --chown=course:course install install
COPY --chown=course:course locks locks
COPY --chown=course:course utils utils
RUN PIP_NO_CACHE_DIR=1 make setup
COPY --chown=course:course . .

EXPOSE 8888
# All addresses of the container; the `docker run` of docs/platforms.md opens the port to its own machine only.
CMD ["make", "lab", "ARGS=--ip=0.0.0.0 --no-browser"]
