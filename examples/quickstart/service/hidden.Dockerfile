# What somebody might try: a base that nobody at Ops has ever seen, behind an ARG, and a tool from the same place.
ARG VENDOR=localhost:5000/contrib
ARG FLAVOUR=toolbox

FROM localhost:5000/base/userland:1.4.9 AS base

FROM ${VENDOR}/${FLAVOUR}:7 AS userland
COPY --from=localhost:5000/contrib/toolbox:7 /bin/userland /usr/local/bin/debug
USER 65534:65534
ENTRYPOINT ["/usr/local/bin/debug"]
