# For classrooms and self-hosted runners: `docker build -t course .`, then
# `docker run --rm -p 8888:8888 course`. Grading in it needs the rights that its box is made of:
# see `python -m course doctor --grading`.
FROM python:3.13-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends bubblewrap libseccomp2 make \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home student
WORKDIR /home/student/course
RUN chown student:student .
USER student
# First what the environment is made from, so that a changed lesson does not build it anew.
COPY --chown=student:student Makefile requirements.txt pyproject.toml README.md ./
COPY --chown=student:student course course
COPY --chown=student:student benchmarks/results benchmarks/results
RUN make setup
COPY --chown=student:student . .
EXPOSE 8888
CMD [".venv/bin/jupyter", "lab", "notebooks", "--ip=0.0.0.0", "--no-browser"]
